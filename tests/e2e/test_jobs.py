"""Long work, asked for on the screen of the tape: how far it is, its end, its result, and why it failed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, expect

from tests.patience import WORK_S

if TYPE_CHECKING:
    from tests.e2e.conftest import Watched

pytestmark = pytest.mark.browser

WORK_MS = WORK_S * 1_000


@pytest.fixture(scope="module")
def flags() -> list[str]:
    """So little history that the tape is soon at rest."""
    return ["--history-minutes", "2", "--symbols", "BTCUSDT,ETHUSDT"]


def day(before: int) -> str:
    return (datetime.now(UTC) - timedelta(days=before)).date().isoformat()


def card_of(watched: Watched) -> Locator:
    watched.page.goto(f"{watched.server.url}/app/tape")
    return watched.page.get_by_role("region", name="Jobs", exact=True)


def ask_for(card: Locator, symbol: str, first: str, last: str = "") -> None:
    form = card.get_by_role("form", name="Import past days")
    form.get_by_label("symbol").fill(symbol)
    form.get_by_label("from").fill(first)
    form.get_by_label("to").fill(last)
    form.get_by_role("button", name="Import").click()


def newest(card: Locator) -> Locator:
    return card.get_by_role("list", name="Jobs, the newest first").locator("> li").first


def test_the_tape_is_verified_and_the_result_stays(watched: Watched) -> None:
    card = card_of(watched)
    expect(card).to_contain_text("No job was asked for since the start.")
    card.get_by_role("button", name="Verify the tape").click()
    job = newest(card)
    expect(job).to_contain_text("verify the tape")
    expect(job).to_contain_text(re.compile(r"no differences in [\d,]+ rows compared, of 2 symbols"), timeout=WORK_MS)
    expect(job).to_contain_text("done")
    expect(job.get_by_role("img")).to_have_count(0)
    job.get_by_text(re.compile(r"\d+ lines told")).click()
    expect(job.get_by_role("list", name="What verify the tape told")).to_contain_text("BTCUSDT")
    watched.page.reload()
    expect(newest(card)).to_contain_text("no differences in")


# Every name that the bar of progress was given, for a browser is asked less often than it is drawn.
WATCH = """card => {
  window.bars = [];
  const look = () => {
    const name = card.querySelector("li svg[role=img]")?.getAttribute("aria-label");
    if (name && name !== window.bars.at(-1)) window.bars.push(name);
  };
  new MutationObserver(look).observe(card, { attributes: true, childList: true, characterData: true, subtree: true });
}"""


def test_an_import_tells_how_far_it_is_and_what_it_brought(watched: Watched) -> None:
    card = card_of(watched)
    expect(card.get_by_role("form", name="Import past days").get_by_role("button", name="Import")).to_be_disabled()
    card.evaluate(WATCH)
    ask_for(card, "linkusdt", day(3), day(2))
    job = newest(card)
    title = f"import LINKUSDT {day(3)} to {day(2)}"
    expect(job).to_contain_text(title)
    expect(job).to_contain_text(re.compile(r"[1-9][\d,]+ trades added, [1-9][\d,]+ bars, of 2 files"), timeout=WORK_MS)
    expect(job).to_contain_text("done")
    expect(job.get_by_role("img")).to_have_count(0)
    expect(job.get_by_role("button")).to_have_count(0)
    seen = [re.fullmatch(rf"(\d+)\s% of {title}", name) for name in watched.page.evaluate("window.bars")]
    shares = [int(found[1]) for found in seen if found]
    assert shares == sorted(shares)
    assert any(0 < share < 100 for share in shares), shares


def test_a_job_that_runs_is_cancelled_and_so_is_one_that_waits(watched: Watched) -> None:
    card = card_of(watched)
    ask_for(card, "LINKUSDT", day(60), day(3))
    running = f"import LINKUSDT {day(60)} to {day(3)}"
    expect(newest(card)).to_contain_text(re.compile(r"\d\s% (reads|fetches|brings|looks)"))
    card.get_by_role("button", name="Verify the tape").click()
    waits = newest(card)
    expect(waits).to_contain_text("waits for those before it")
    waits.get_by_role("button", name="Cancel verify the tape").click()
    expect(waits).to_contain_text("cancelled")
    job = card.get_by_role("listitem").filter(has_text=running)
    job.get_by_role("button", name=f"Cancel {running}").click()
    expect(job).to_contain_text("cancelled", timeout=WORK_MS)
    expect(job.get_by_role("img")).to_have_count(0)
    card.get_by_role("button", name="Verify the tape").click()
    expect(newest(card)).to_contain_text("no differences in", timeout=WORK_MS)


def test_a_job_that_fails_says_why_and_what_helps(watched: Watched) -> None:
    card = card_of(watched)
    ask_for(card, "BTCUSTD", day(4), day(3))
    failed = newest(card).get_by_role("alert")
    expect(failed).to_contain_text(
        f"there are no official files of BTCUSTD for {day(4)} to {day(3)}. did you mean BTCUSDT?", timeout=WORK_MS
    )
    expect(newest(card)).to_contain_text("failed")


def test_what_cannot_be_asked_for_is_refused_at_once_with_what_can(watched: Watched) -> None:
    card = card_of(watched)
    watched.may_refuse.add("/jobs")
    ask_for(card, "BTCUSDT", day(2), day(0))
    refused = card.get_by_role("alert").filter(has_text="is not over")
    expect(refused).to_contain_text(f"{day(0)} is not over. name days before {day(0)}: a day's file comes after it")
    ask_for(card, "BTC-USDT", day(2), day(2))
    expect(card.get_by_role("alert").first).to_contain_text("a symbol is letters, digits and _, such as BTCUSDT")
    ask_for(card, "BTCUSDT", day(0))  # without a last day it is the first alone
    expect(refused).to_contain_text(f"{day(0)} is not over")
    card.get_by_role("button", name="Verify the tape").click()
    expect(card.get_by_role("alert").filter(has_text="a symbol is letters")).to_have_count(0)
