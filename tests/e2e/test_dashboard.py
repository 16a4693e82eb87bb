"""The page in a real browser, on a real server with a simulated market."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.patience import ANSWER_S, EVENT_S

if TYPE_CHECKING:
    from tests.e2e.conftest import Watched

pytestmark = pytest.mark.browser

PAIR = "/app/pair/ETHUSDT-BTCUSDT?tf=1s&w=20"
SYMBOL = "/app/symbol/BTCUSDT?tf=1s"


# Texts outside the shell's moving parts that reach beyond the window or a box that hides what overflows it.
# What has a scroll bar of its own, and can be reached by the keyboard, may be wider on a phone.
CUT_TEXTS = """mayScroll => {
  const texts = [...document.querySelectorAll('body *')].filter(e =>
    !e.children.length && e.textContent.trim() && !e.closest('.sr-only, svg, noscript, script')
    && getComputedStyle(e).visibility === 'visible' && e.getBoundingClientRect().width > 0);
  const isCut = element => {
    const text = document.createRange();
    text.selectNodeContents(element);
    const inner = text.getBoundingClientRect();
    for (let box = element; box; box = box.parentElement) {
      const outer = box.getBoundingClientRect();
      if (mayScroll && box.tabIndex === 0 && getComputedStyle(box).overflowX === 'auto') return false;
      const hides = box === document.body || getComputedStyle(box).overflowX !== 'visible';
      if (hides && (inner.right > outer.right + 1 || inner.left < outer.left - 1)) return true;
    }
    return false;
  };
  return texts.filter(isCut).map(e => e.textContent);
}"""


def chip(page: Page) -> Locator:
    return page.locator("[data-feed]")


def strip(page: Page) -> Locator:
    return page.locator("section[data-current]")


def expect_moving(page: Page, target: Locator) -> None:
    """The text of the target changes by itself."""
    seen = target.inner_text()
    page.wait_for_function(
        "([element, seen]) => element.innerText !== seen", arg=[target.element_handle(), seen], timeout=EVENT_S * 1_000
    )


def rewrite_status(page: Page, change: Callable[[dict[str, Any]], None]) -> None:
    """Let every status through to the page changed, and all else untouched."""

    def relay(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def forward(text: str | bytes) -> None:
            message = json.loads(text)
            if message["type"] == "status":
                change(message["status"])
            route.send(json.dumps(message))

        server.on_message(forward)

    page.route_web_socket(re.compile(r"/ws$"), relay)


def test_home_is_the_first_pair_and_its_figures_and_picture_move(watched: Watched) -> None:
    page = watched.open("/app/")
    expect(page).to_have_url(re.compile(r"/app/pair/ETHUSDT-BTCUSDT\?tf=1s&w=20$"))
    expect(chip(page)).to_have_attribute("data-feed", "live")
    expect(strip(page)).to_have_attribute("data-current", "true")
    expect(page).to_have_title(re.compile(r"^z [+−]?\d+\.\d\d(, .+ ·)? ETH/BTC · pairscope$"))
    picture = page.locator("figure").screenshot()
    expect_moving(page, strip(page))
    expect_moving(page, page.locator("footer"))
    assert page.locator("figure").screenshot() != picture
    for title in ("Spread", "z of the spread", "Correlation of returns"):
        expect(page.get_by_text(title, exact=True).first).to_be_visible()


def test_the_symbol_screen_moves_and_changes_its_interval(watched: Watched) -> None:
    page = watched.open(SYMBOL)
    expect(page.get_by_text("BTCUSDT · 1s", exact=True)).to_be_visible()
    expect(page.get_by_role("rowheader", name="VWAP")).to_be_visible()
    expect_moving(page, strip(page))
    page.get_by_role("button", name="5s", exact=True).click()
    expect(page.get_by_text("BTCUSDT · 5s", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"tf=5s"))
    page.keyboard.press("[")
    expect(page.get_by_text("BTCUSDT · 1s", exact=True)).to_be_visible()
    expect(page.locator("figure")).to_have_attribute("data-phase", "ready")


def test_what_is_not_the_real_market_says_so(watched: Watched) -> None:
    def fall_back(status: dict[str, Any]) -> None:
        status["source"] |= {"requested": "auto", "banner": "Simulated market.", "reason": "http_451"}

    rewrite_status(watched.page, fall_back)
    page = watched.open(PAIR)
    expect(page.locator("header").get_by_text("Simulated")).to_be_visible()
    banner = page.get_by_role("status").filter(has=page.locator("[data-banner=source]"))
    expect(banner).to_contain_text("Simulated market. Why: the exchange refuses this location (HTTP 451).")


def test_old_values_stay_and_are_no_signal(watched: Watched) -> None:
    def grow_old(status: dict[str, Any]) -> None:
        for row in status["symbols"]:
            if row["symbol"] == "BTCUSDT":
                row["received_ms"] = status["now_ms"] - 12_000

    rewrite_status(watched.page, grow_old)
    page = watched.open(PAIR)
    expect(chip(page)).to_have_attribute("data-feed", "stale")
    expect(strip(page)).to_have_attribute("data-current", "false")
    expect(strip(page)).to_contain_text("not current")
    expect(page).to_have_title("BTCUSDT stale · ETH/BTC · pairscope")
    chip(page).hover()
    # The sentence of the chart, which is read and not seen, may say it too.
    expect(page.get_by_role("paragraph").filter(has_text=re.compile(r"No trade of BTCUSDT for \d+ s"))).to_be_visible()


def test_a_scrolled_chart_is_in_the_address_and_goes_back_to_live(watched: Watched) -> None:
    page = watched.open(SYMBOL)
    back = page.get_by_role("button", name="Back to live")
    expect(back).to_be_hidden()
    page.mouse.move(500, 300)
    page.mouse.wheel(-800, 0)
    expect(back).to_be_visible()
    expect(page).to_have_url(re.compile(r"at=\d+"))
    back.click()
    expect(back).to_be_hidden()
    expect(page).not_to_have_url(re.compile(r"at=\d+"))


def test_the_same_rows_can_be_read_as_a_table(watched: Watched) -> None:
    page = watched.open(PAIR)
    page.keyboard.press("v")
    table = page.get_by_role("table", name="the newest")
    expect(table.get_by_role("columnheader", name="Correlation")).to_be_visible()
    assert table.get_by_role("row").count() > 20
    page.keyboard.press("v")
    expect(table).to_be_hidden()


def test_the_keyboard_finds_a_pair_a_zone_and_the_screens(watched: Watched) -> None:
    page = watched.open(PAIR)
    page.keyboard.press("/")
    page.keyboard.type("sol btc")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/app/pair/SOLUSDT-BTCUSDT\?tf=1s&w=20"))
    page.keyboard.press("z")
    expect(page.get_by_role("banner")).to_contain_text("+05:30")
    page.keyboard.press("2")
    expect(page).to_have_url(re.compile(r"/app/symbol/SOLUSDT\?.*tz=local"))
    page.keyboard.press("7")
    expect(page.get_by_role("heading", name="Tape")).to_be_visible()
    expect(page.get_by_role("link", name="tradingview.com")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Back to the live edge")


def test_an_unknown_symbol_is_told_with_its_cure(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.server.url}/app/symbol/BTCUSD")
    figure = page.locator("figure[data-phase=refused]")
    expect(figure).to_contain_text("BTCUSD")
    expect(figure).to_contain_text("BTCUSDT")
    figure.get_by_role("button", name="Open the first pair").click()
    expect(page.locator("figure")).to_have_attribute("data-phase", "ready")


PHONE = (390, 844)
# As far apart as they are, and as far as makes any text as wide as the widest fonts of other machines.
LETTERS = ("normal", "0.08em")


@pytest.mark.parametrize("size", [PHONE, (1000, 700), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize(
    ("path", "comes_last"),
    [
        (PAIR, "figure[data-phase=ready]"),
        (f"{PAIR}&side=statistics&hedge=kalman", "[data-tests=ready]"),
        (f"{PAIR}&side=trades", "[data-tests=ready]"),
        (SYMBOL, "figure[data-phase=ready]"),
        ("/app/correlation", "[data-matrix=ready]"),
        ("/app/tape", "section[aria-label=Symbols] tbody tr"),
        ("/app/system", "section[aria-label=Symbols] tbody tr"),
    ],
)
def test_nothing_is_cut_off_or_out_of_sight(
    watched: Watched, path: str, comes_last: str, size: tuple[int, int]
) -> None:
    page = watched.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(watched.server.url + path)
    expect(chip(page)).to_have_attribute("data-feed", "live")
    expect(page.locator(comes_last).first).to_be_attached(timeout=ANSWER_S * 1_000)
    for letters in LETTERS:
        page.evaluate("letters => { document.documentElement.style.letterSpacing = letters }", letters)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(CUT_TEXTS, size == PHONE) == []


def test_on_a_phone_all_controls_are_within_reach(watched: Watched) -> None:
    page = watched.page
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    watched.open(PAIR)
    expect(page.get_by_role("button", name="Keyboard shortcuts")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Hedge method")).to_be_in_viewport(ratio=1)
    for figure in strip(page).get_by_role("button").all():
        expect(figure).to_be_in_viewport(ratio=1)
    page.get_by_role("navigation", name="Screens").get_by_role("link", name="Tape").click()
    gaps = page.get_by_role("region", name="Gaps")
    expect(gaps).to_be_in_viewport()
    assert gaps.evaluate("table => { table.scrollLeft = 9999; return table.scrollLeft }") > 0


def test_what_is_being_prepared_is_not_asked_for_and_comes_by_itself(watched: Watched) -> None:
    missing = ["tests", "rest"]
    rewrite_status(watched.page, lambda status: status["kernels"].update(preparing=list(missing)))
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page = watched.open(f"{PAIR}&side=statistics")
    side = page.get_by_role("complementary")
    expect(side).to_contain_text("It comes by itself.")
    page.keyboard.press("2")
    expect(page.get_by_role("region", name="Tests and fits")).to_contain_text("It comes by itself.")
    expect(page.get_by_role("group", name="Indicators")).to_contain_text("It comes by itself.")
    page.keyboard.press("3")
    expect(page.get_by_role("main")).to_contain_text("Being prepared")
    assert not [path for path in asked if path.startswith("/analytics") or path == "/clustering"]
    missing.clear()
    expect(page.get_by_role("grid")).to_be_visible()


def test_on_a_narrow_page_the_statistics_are_behind_a_button(watched: Watched) -> None:
    page = watched.page
    page.set_viewport_size({"width": 1000, "height": 700})
    watched.open(PAIR)
    statistics = page.get_by_role("complementary")
    expect(statistics).to_be_hidden()
    page.get_by_role("button", name="Statistics, hedge and legs").click()
    expect(statistics.get_by_role("rowheader", name="Hedge ratio")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 720})
    expect(page.get_by_role("button", name="Statistics, hedge and legs")).to_be_hidden()
    expect(statistics).to_be_visible()


# Last, because it takes the server away from everybody.
def test_a_killed_server_is_told_at_once_and_a_restarted_one_is_found_again(watched: Watched) -> None:
    page = watched.open(PAIR)
    expect(strip(page)).to_have_attribute("data-current", "true")
    expect(strip(page)).to_contain_text(re.compile("flat|long spread|short spread"))  # a server of its own is young
    watched.expects_lost_server = True
    watched.server.kill()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Disconnected from pairscope since")
    expect(alert).to_contain_text(re.compile("Next try in|Trying now"))
    expect(page.get_by_role("contentinfo")).to_have_attribute("data-old", "true")
    expect(chip(page)).to_have_attribute("data-feed", "down")
    expect(page).to_have_title("down · ETH/BTC · pairscope")
    expect(strip(page)).to_contain_text("not current")
    assert re.search(r"ETHUSDT\s+[\d,]+\.\d\d", strip(page).inner_text()), "known values stay in sight"
    watched.server.start()
    # At once, or not at all: it may reconnect by itself at any moment, and the button is gone then.
    page.get_by_role("button", name="Retry now").evaluate_all("buttons => buttons.forEach(button => button.click())")
    expect(alert).to_be_hidden(timeout=EVENT_S * 1_000)
    expect(chip(page)).to_have_attribute("data-feed", "live")
    expect_moving(page, strip(page))
