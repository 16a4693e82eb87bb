"""The screen that tells what the tape holds and what it lacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.patience import EVENT_S

if TYPE_CHECKING:
    from tests.e2e.conftest import Watched

pytestmark = pytest.mark.browser

ADDRESS = re.compile(r"/status/tape$")


@pytest.fixture(scope="module")
def flags() -> list[str]:
    """So little history that one minute's share of the exchange's limit is enough for it at the busiest hour too."""
    return ["--history-minutes", "2"]


def open_tape(watched: Watched) -> Page:
    watched.page.goto(f"{watched.server.url}/app/tape")
    expect(watched.page.get_by_role("region", name="Symbols")).to_be_visible()
    return watched.page


def spoil(tape: dict[str, Any]) -> None:
    """Give the first symbol a gap that cannot be filled, and the disk a damaged file."""
    tape["totals"] |= {"state": "incomplete", "ids_missing": 1_234, "gaps_open": 1}
    tape["symbols"][0] |= {"ids_missing": 1_234, "gaps_open": 1}
    hole = {"reason": "file_damaged", "obstacle": "not_served_by_rest", "closed_ms": None, "first_id": 1, "ids": 1_234}
    tape["gaps"].insert(0, tape["gaps"][0] | hole)
    tape["disk"]["damaged"] = [{"file": "date=2026-11-19/BTCUSDT.parquet", "damage": "the hash differs"}]


def test_the_tape_is_complete_and_its_history_was_filled(watched: Watched) -> None:
    page = watched.open("/app/")
    page.keyboard.press("6")
    expect(page).to_have_url(re.compile(r"/app/tape"))
    head = page.get_by_label("Tape", exact=True)
    expect(head).to_contain_text(re.compile(r"✓ complete\s*[\d,]+ ids, none missing"), timeout=EVENT_S * 1_000)
    symbols = page.get_by_role("region", name="Symbols")
    expect(symbols.get_by_role("rowheader", name="BTCUSDT")).to_be_visible()
    filled = page.get_by_role("region", name="Gaps").get_by_role("row").filter(has_text="✓ closed after")
    expect(filled.filter(has_text="ETHUSDT").first).to_contain_text("nobody was listening yet")
    expect(page.get_by_role("img", name=re.compile(r"\d+ used of [\d,]+ allowed, limit [\d,]+"))).to_be_visible()
    seen = symbols.inner_text()
    page.wait_for_function(
        "([element, seen]) => element.innerText !== seen", arg=[symbols.element_handle(), seen], timeout=EVENT_S * 1_000
    )


def test_what_is_missing_is_told_with_its_reason(watched: Watched) -> None:
    def answer(route: Route) -> None:
        tape = route.fetch().json()
        spoil(tape)
        route.fulfill(json=tape)

    watched.page.route(ADDRESS, answer)
    page = open_tape(watched)
    expect(page.get_by_label("Tape", exact=True)).to_contain_text(re.compile(r"1,234 ids missing\s*in 1 gap"))
    expect(page).to_have_title("1,234 ids missing · Tape · pairscope")
    first = page.get_by_role("region", name="Gaps").locator("tbody tr").first
    expect(first).to_contain_text("a sealed file was damaged")
    expect(first).to_contain_text("the exchange does not give these ids out")
    expect(page.get_by_role("list", name="Damaged files")).to_contain_text("the hash differs")


def test_without_an_answer_the_last_one_stays_and_says_how_old_it_is(watched: Watched) -> None:
    page = open_tape(watched)
    watched.expects_lost_server = True
    page.route(ADDRESS, lambda route: route.abort())
    note = page.get_by_role("status").filter(has_text="There is no newer answer")
    expect(note).to_contain_text(re.compile(r"As of \d\d:\d\d:\d\d, [\d.]+ s ago"))
    symbols = page.get_by_role("region", name="Symbols")
    expect(symbols.get_by_role("rowheader", name="BTCUSDT")).to_be_visible()
    page.unroute(ADDRESS)
    note.get_by_role("button", name="Retry").click()
    expect(note).to_be_hidden()
