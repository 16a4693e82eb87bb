"""What is computed once a bar, as a person sees it: the tests of a pair, the indicators of a symbol, the clusters."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from pairscope.analytics.values import Flag, Reason
from pairscope.api import wire
from pairscope.bars.cuts import MissingReason
from tests.patience import ANSWER_S

if TYPE_CHECKING:
    from tests.e2e.conftest import Watched

pytestmark = pytest.mark.browser

PAIR = "/app/pair/ETHUSDT-BTCUSDT?tf=1s&w=20"
LONG = "/app/pair/ETHUSDT-BTCUSDT?tf=1s&w=300"  # enough trades to say who moves first, or that nobody does
SYMBOL = "/app/symbol/BTCUSDT?tf=1s"
MATRIX = "/app/correlation?tf=1s&w=20"


def asked(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def answer_with(route: Route, answer: wire.Wire, status: int = 200, headers: dict[str, str] | None = None) -> None:
    """Answer in the place of the server with a record of the wire: one that lacks a field cannot be made."""
    route.fulfill(
        status=status, headers=headers or {}, content_type="application/json", body=msgspec.json.encode(answer)
    )


def side(page: Page) -> Locator:
    return page.get_by_role("complementary")


def test_another_hedge_method_is_followed_live_and_says_what_is_wrong_with_it(watched: Watched) -> None:
    subscribed: list[str] = []
    watched.page.on("websocket", lambda ws: ws.on("framesent", lambda text: subscribed.append(str(text))))
    page = watched.open(PAIR)
    page.keyboard.press("h")
    expect(page.get_by_role("option")).to_have_count(8)  # six methods, prices, intercept
    page.keyboard.type("naive")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"hedge=kalman_naive"))
    expect(page.locator("[data-doubt]")).to_have_text("naive")
    # The kernels of a method are loaded when it is first asked for.
    expect(page.locator("figure[data-phase=ready]")).to_be_visible(timeout=ANSWER_S * 1_000)
    topic = "pair:ETHUSDT:BTCUSDT:1s:20:kalman_naive"
    assert any(json.loads(text).get("topic") == topic for text in subscribed)
    page.get_by_role("button", name="Hedge method").hover()
    expect(page.get_by_text("the textbook filter without intercept")).to_be_visible()
    page.goto(f"{watched.server.url}{PAIR}&hedge=kalman")
    expect(page.locator("[data-doubt]")).to_have_text("wants 1,000 bars")


def test_a_pair_is_measured_on_prices_and_without_an_intercept(watched: Watched) -> None:
    subscribed: list[str] = []
    watched.page.on("websocket", lambda ws: ws.on("framesent", lambda text: subscribed.append(str(text))))
    page = watched.open(PAIR)
    hedge = page.get_by_role("button", name="Hedge method")
    for word, address in (("prices", "prices=level"), ("through zero", "intercept=false")):
        page.keyboard.press("h")
        page.keyboard.type(word)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(address))
    expect(hedge).to_have_text("OLS, prices, no α")
    expect(page.get_by_text("x per y, units")).to_be_visible(timeout=ANSWER_S * 1_000)
    expect(page.get_by_text("y − β x")).to_be_visible()
    topic = "pair:ETHUSDT:BTCUSDT:1s:20:ols:prices=level:intercept=false"
    assert any(json.loads(text).get("topic") == topic for text in subscribed)
    with page.expect_request(lambda request: "/analytics/pair" in request.url, timeout=ANSWER_S * 1_000) as again:
        page.get_by_role("tab", name="Statistics").click()
    assert asked(again.value) | {"prices": "level", "intercept": "false"} == asked(again.value)
    hedge.hover()
    expect(page.get_by_text("beta is a ratio of quantities").first).to_be_visible()
    page.keyboard.press("h")
    page.keyboard.type("logarithms")
    page.keyboard.press("Enter")
    expect(hedge).to_have_text("OLS, no α")


def test_the_tests_of_a_pair_are_shown_with_their_reasons_and_asked_again(watched: Watched) -> None:
    page = watched.open(PAIR)
    page.get_by_role("tab", name="Statistics").click()
    expect(page).to_have_url(re.compile(r"side=statistics"))
    health = side(page).get_by_role("region", name="Health")
    words = "cointegrated|weakening|broken|not shown|unrelated|unknown"
    expect(health.get_by_role("heading")).to_contain_text(re.compile(words))
    for group in ("Cointegration", "Naive ADF", "Johansen", "Hedge ratio"):
        expect(side(page).get_by_role("region", name=group, exact=True)).to_be_visible()
    expect(side(page).get_by_role("region", name="Naive ADF")).to_contain_text("independent walks pass")
    expect(side(page)).to_contain_text(re.compile(r"of 20 bars, as of \d\d:\d\d:\d\d, missing"))
    absent = side(page).get_by_role("row", name="Hurst exponent")
    expect(absent).to_contain_text("too few bars yet")
    with page.expect_request(lambda request: "/analytics/pair" in request.url, timeout=ANSWER_S * 1_000) as again:
        page.get_by_role("tab", name="Statistics").click()
    assert asked(again.value) | {"tests": "true", "window": "20", "method": "ols"} == asked(again.value)


def test_a_half_life_below_one_bar_says_so_where_it_stands(watched: Watched) -> None:
    def shorten(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        for name in told["metrics"].keys() & {"half_life", "half_life_ar1"}:
            told["metrics"][name] |= {"value": 0.4, "reason": None, "flags": ["below_one_bar"]}
        route.fulfill(response=answer, json=told)

    watched.page.route("**/analytics/pair?*", shorten)
    page = watched.open(f"{PAIR}&side=statistics")
    for name in ("Half-life", "Half-life of an AR(1) fit"):
        row = side(page).get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))
        expect(row).to_contain_text("0.4 bars", timeout=ANSWER_S * 1_000)
        expect(row).to_contain_text("shorter than a bar: ask for a shorter interval")


def test_no_figure_reaches_beyond_its_column(watched: Watched) -> None:
    page = watched.open(f"{LONG}&side=statistics")
    expect(side(page).get_by_role("region", name="Naive ADF")).to_contain_text("at 10 %", timeout=ANSWER_S * 1_000)
    widths = page.eval_on_selector_all(
        "aside table", "tables => tables.map(table => [table.scrollWidth, table.parentElement.clientWidth])"
    )
    assert len(widths) > 4
    assert all(table <= column for table, column in widths), widths


def test_old_statistics_stay_and_say_that_they_are_old(watched: Watched) -> None:
    page = watched.open(f"{PAIR}&side=statistics")
    expect(page.locator("[data-tests=ready]")).to_be_visible()

    def refuse(route: Route) -> None:
        error = wire.ErrorAnswer(error=wire.ErrorBody(code="busy", message="Too much to do.", cure=""))
        answer_with(route, error, status=503, headers={"retry-after": "2"})

    watched.expects_lost_server = True
    watched.page.route("**/analytics/pair?*", refuse)
    expect(page.locator("[data-tests=stale]")).to_be_visible(timeout=ANSWER_S * 1_000)
    expect(side(page)).to_contain_text(re.compile(r"Not refreshed since \d\d:\d\d:\d\d: Too much to do\."))
    expect(side(page).get_by_role("region", name="Cointegration")).to_be_visible()
    expect(page.locator("section[data-current]")).to_have_attribute("data-current", "true")
    page.unroute("**/analytics/pair?*")
    expect(page.locator("[data-tests=ready]")).to_be_visible(timeout=ANSWER_S * 1_000)


def test_the_curves_of_the_trades_have_a_sentence_and_a_table(watched: Watched) -> None:
    page = watched.open(f"{LONG}&side=trades")
    lead = side(page).get_by_role("figure", name="Lead and lag of BTCUSDT over ETHUSDT")
    expect(lead).to_contain_text(re.compile("before|Neither leads|not known"))
    expect(lead.locator("path")).to_be_visible()
    epps = side(page).get_by_role("figure", name="Correlation by length of bar")
    epps.get_by_text("As a table").click()
    expect(epps.get_by_role("rowheader", name="1 s", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Trades").press("ArrowRight")
    expect(page.get_by_role("tab", name="Live")).to_be_focused()
    expect(side(page).get_by_role("rowheader", name="Hedge ratio")).to_be_visible()


def test_indicators_are_chosen_kept_in_the_address_and_read_on_bar_by_bar(watched: Watched) -> None:
    page = watched.open(SYMBOL)
    figure = page.locator("figure[data-phase=ready]")
    expect(figure.get_by_text("RSI 14", exact=True)).to_be_visible()
    expect(figure.get_by_text(re.compile(r"SMA 20 [\d,.]+"))).to_be_visible()
    bar = page.get_by_role("group", name="Indicators")
    expect(bar.locator("[data-doubt]")).to_have_text("wants 140 bars")  # of RSI 14, in a window of 20
    bar.get_by_role("button", name="Price z").click()
    expect(page).to_have_url(re.compile("ind=sma%2Crsi%2Cz"))
    expect(figure.get_by_text("Price z", exact=True)).to_be_visible()
    period = page.get_by_role("spinbutton", name="Moving average: period in bars")
    period.fill("7")
    period.press("Enter")
    expect(page).to_have_url(re.compile("ind=sma.7%2Crsi%2Cz"))
    expect(figure.get_by_text(re.compile(r"SMA 7 [\d,.]+"))).to_be_visible()
    with page.expect_request(lambda request: "/series" in request.url and "from" in asked(request)) as further:
        pass
    assert asked(further.value)["metrics"] == "vwap,sma:period=7,rsi,price_z"
    page.reload()
    expect(page.locator("figure").get_by_text(re.compile(r"SMA 7 [\d,.]+"))).to_be_visible()


def test_what_cannot_be_fitted_yet_says_so(watched: Watched) -> None:
    page = watched.open(SYMBOL)
    fits = page.get_by_role("region", name="Tests and fits")
    # The first question waits for a fit, as long as the product does.
    forecast = page.get_by_role("rowheader", name="GARCH forecast", exact=True)
    expect(forecast).to_be_visible(timeout=ANSWER_S * 1_000)
    expect(fits.get_by_role("row").filter(has=forecast)).to_contain_text(
        re.compile(r"too few bars yet|found no answer|\d bp")
    )
    expect(fits.get_by_role("rowheader", name="ADF p-value")).to_be_visible()


def test_the_matrix_is_walked_by_keys_cut_into_clusters_and_opens_a_pair(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.server.url}{MATRIX}&of=returns")
    grid = page.get_by_role("grid")
    expect(grid.get_by_role("gridcell")).to_have_count(25)
    expect(grid.locator("[tabindex='0']")).to_have_count(1)
    cut = page.get_by_role("slider")
    cut.press("End")
    expect(page).to_have_url(re.compile(r"cut=[12](\.\d+)?"))
    expect(page.get_by_role("heading", name="1 cluster")).to_be_visible()
    cut.press("Home")
    expect(page.get_by_role("heading", name="No cluster at this cut")).to_be_visible()
    page.get_by_role("button", name="Prices").click()
    expect(page.get_by_text("Prone to spurious values")).to_be_visible()
    page.get_by_role("button", name="Trades").click()
    expect(page).not_to_have_url(re.compile(r"of="))  # below a minute it is what leads
    expect(page.get_by_text(re.compile("Trades, 20 bars of 1s, as of"))).to_be_visible()
    grid.locator("[tabindex='0']").focus()
    for key in ("Home", "ArrowDown"):
        page.keyboard.press(key)
    focused = page.locator("[data-cell]:focus")
    expect(focused).to_have_count(1)
    words = focused.get_attribute("aria-label") or ""
    assert re.match(r"\w+ with \w+, (−?\d\.\d{3}|No value: .+), \d+ price changes", words)
    page.keyboard.press("Enter")
    page.wait_for_selector("figure[data-phase=ready]")
    y, _, x = words.split(",")[0].split()
    assert re.search(f"/app/pair/({y}-{x}|{x}-{y})", page.url)


def test_a_large_matrix_is_a_picture_that_is_walked_by_the_same_keys(watched: Watched) -> None:
    names = [f"C{i:02}USDT" for i in range(60)]
    square = range(len(names))
    correlation: list[list[float | None]] = [
        [1.0 if i == j else 0.9 if i // 20 == j // 20 else -0.3 for j in square] for i in square
    ]
    reason: list[list[Reason | None]] = [[None for _ in square] for _ in square]
    correlation[0][2], reason[0][2] = None, Reason.TOO_FEW
    flag: list[list[Flag | None]] = [[None for _ in square] for _ in square]
    correlation[0][3], flag[0][3] = 1.125, Flag.BEYOND_ONE
    clustering = wire.Clustering(
        matrix=wire.CorrelationMatrix(
            symbols=names,
            of="returns",
            on="returns",
            interval="1s",
            window=20,
            as_of_ms=1_700_000_000_000,
            correlation=correlation,
            n=[[19 for _ in square] for _ in square],
            reason=reason,
            flag=flag,
            missing=[0.0, None, *(0.0 for _ in square[2:])],
            missing_reason=[None, MissingReason.NO_IDS, *(None for _ in square[2:])],
        ),
        cut=0.9,
        cluster=[i // 20 for i in square],
        clusters=[names[at : at + 20] for at in (0, 20, 40)],
        left=[0, *(60 + i for i in range(58))],
        right=list(range(1, 60)),
        height=[0.4 + i / 100 for i in range(59)],
    )
    page = watched.page
    page.route("**/clustering?*", lambda route: answer_with(route, clustering))
    page.goto(watched.server.url + MATRIX)
    picture = page.get_by_role("application", name="Correlations")
    expect(picture.locator("canvas")).to_be_visible()
    expect(page.get_by_role("heading", name="3 clusters")).to_be_visible()
    expect(
        page.get_by_text("Not known how many trades are missing of C01USDT: these bars know no trade ids.")
    ).to_be_visible()
    picture.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("C00USDT with C02USDT · No value: too few bars yet")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("C00USDT with C03USDT · 1.125 · 19 returns · beyond ±1")).to_be_visible()
    page.keyboard.press("End")
    expect(page.get_by_text("C00USDT with C59USDT · −0.300 · 19 returns")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text("C01USDT with C59USDT")).to_be_visible()
