"""One value of one thing: wherever a number stands on the page, at every moment; and whose silence it is told of."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from pairscope.base.clock import SystemClock
from pairscope.base.interval import Interval
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource, TradeQuery
from pairscope.feed.binance.simulator.wire import Frame
from pairscope.live.signals import late_after_ms
from tests.patience import ANSWER_S, EVENT_S, START_S

if TYPE_CHECKING:
    from tests.e2e.conftest import Watched

pytestmark = pytest.mark.browser

Y, X = "ETHUSDT", "BTCUSDT"
PAIR = f"/app/pair/{Y}-{X}?tf=1s&w=60"
SCREENS = (PAIR, f"/app/symbol/{X}?tf=1s", "/app/correlation", "/app/tape", "/app/system")
MOMENTS = 60  # at which the page is read


class Muted(MarketSource):
    """A market in which some symbols can be made to trade no more."""

    def __init__(self) -> None:
        super().__init__(SimulatedMarket(1, 3.0), SystemClock())
        self.silent: set[str] = set()

    def due(self, streams: set[str], from_ms: int, to_ms: int) -> list[Frame]:
        heard = {stream for stream in streams if stream.partition("@")[0].upper() not in self.silent}
        return super().due(heard, from_ms, to_ms)

    def agg_trades(self, query: TradeQuery, lag_ms: int) -> list[bytes]:
        return [] if query.symbol in self.silent else super().agg_trades(query, lag_ms)


@pytest.fixture(scope="module")
def market() -> Iterator[tuple[Muted, SimulatedExchange]]:
    """An exchange in a thread of its own, which the server of this module listens to."""
    source, ready, over = Muted(), threading.Event(), threading.Event()
    exchanges: list[SimulatedExchange] = []

    async def play() -> None:
        async with SimulatedExchange(source) as exchange:
            exchanges.append(exchange)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(play()), name="exchange")
    thread.start()
    assert ready.wait(START_S)
    yield source, exchanges[0]
    over.set()
    thread.join()


@pytest.fixture(scope="module")
def flags(market: tuple[Muted, SimulatedExchange]) -> list[str]:
    _, exchange = market
    addresses = {"ws": exchange.ws_url, "rest": exchange.rest_url}
    named = [part for kind, url in addresses.items() for part in (f"--exchange-{kind}-url", url)]
    return ["--source", "live", *named, "--archive-url", exchange.rest_url, "--history-minutes", "3"]


# Every text of the Pair screen in which one of these numbers stands, read in one go: nothing can change in between.
READ = r"""() => {
  const text = element => (element?.innerText ?? '').replace(/\s+/g, ' ');
  const cell = name => text([...document.querySelectorAll('section[data-current] button')]
    .find(one => text(one.querySelector('.caption')).toLowerCase() === name)?.querySelector('.value'));
  const row = name => text([...document.querySelectorAll('aside tr')]
    .find(one => text(one.querySelector('th')) === name)?.querySelector('td'));
  const leg = name => text([...document.querySelectorAll('aside tr[data-late]')]
    .find(one => text(one.querySelector('th')) === name)?.querySelector('td'));
  const legend = n => text([...document.querySelectorAll('figure > div.num')][n]);
  const axis = Object.fromEntries((document.querySelector('[role=application]')?.dataset.axis ?? '')
    .split('; ').map(part => part.split(' ')));
  const part = (whole, pattern) => whole.match(pattern)?.[1] ?? '';
  const said = text(document.querySelector('figcaption')) || document.querySelector('figcaption')?.textContent || '';
  const epps = [...document.querySelectorAll('aside figure figcaption, aside figure p')].map(text).join(' ');
  const table = [...document.querySelectorAll('figure table tbody tr:first-child td')].map(text);
  return {
    z: [cell('z'), part(legend(2), /spread \d+ (\S+)/), axis.spread_z ?? '', row('Spread z'),
        part(document.title, /^z (\S+?),? /), part(said, /bars is (\S+?),/), table[6] ?? ''],
    spread: [part(cell('spread'), /(\S+) bp/), part(legend(1), /Spread (\S+) bp/), axis.spread ?? '',
             part(row('Spread'), /(\S+) bp/), part(table[5] ?? '', /(\S+) bp/)],
    beta: [cell('beta'), part(legend(1), /β (\S+)/), row('Hedge ratio'), table[3] ?? ''],
    alpha: [part(legend(1), /α (\S+)/), row('Intercept'), table[4] ?? ''],
    returns: [part(legend(3), /returns \d+ (\S+)/), axis.correlation ?? '', row('Correlation of returns'),
              table[7] ?? ''],
    trades: [cell('correlation'), row('Correlation of trades'), part(said, /of trades (\S+?)\.? /),
             part(epps, /(\S+) of the trades/)],
    y: [cell('ethusdt'), part(legend(0), / C (\S+)/), axis.close ?? '', leg('ETHUSDT'), table[1] ?? ''],
    x: [cell('btcusdt'), part(legend(0), /BTCUSDT (\S+)/), leg('BTCUSDT'), table[2] ?? ''],
    n: [cell('n')],
    signal: [cell('signal')],
  };
}"""
FEWEST = {"z": 5, "spread": 4, "beta": 3, "alpha": 2, "returns": 3, "trades": 2, "y": 4, "x": 3}


def number(text: str) -> tuple[float, float]:
    """What a text says, and by how much it may be rounded."""
    plain = text.replace(",", "").replace("−", "-").replace("+", "")
    decimals = len(plain.partition(".")[2])
    return float(plain), 0.5 * 10**-decimals


def assert_one_value(name: str, texts: list[str]) -> None:
    """All texts are roundings of one number."""
    told = [number(text) for text in texts if text not in ("", "—")]
    low = max(value - slack for value, slack in told)
    high = min(value + slack for value, slack in told)
    assert low <= high + 1e-9, f"{name} has several values on one screen: {texts}"


def read_moments(page: Page, count: int, fewest: dict[str, int]) -> dict[str, set[str]]:
    """Read the page at as many moments; what each number was."""
    seen: dict[str, set[str]] = {name: set() for name in fewest}
    for _ in range(count):
        places = page.evaluate(READ)
        for name, least in fewest.items():
            texts = places[name]
            assert len([text for text in texts if text]) >= least, f"{name} does not stand where it should: {texts}"
            assert_one_value(name, texts)
            seen[name].add(texts[0])
        page.wait_for_timeout(70)
    return seen


def ready(watched: Watched, path: str = PAIR) -> Page:
    page = watched.open(path)
    expect(page.locator("[data-feed]")).to_have_attribute("data-feed", "live")
    # Until the first verdict has come: from then on the correlation of trades stands in its places too.
    expect(page.get_by_role("complementary")).to_contain_text("Correlation of trades", timeout=ANSWER_S * 1_000)
    return page


def test_every_place_where_a_number_stands_shows_one_value_at_every_moment(watched: Watched) -> None:
    page = ready(watched)
    seen = read_moments(page, MOMENTS, FEWEST)
    assert min(len(seen[name]) for name in ("z", "spread", "beta", "y", "x")) > 5, "nothing moved"
    page.get_by_role("tab", name="Trades").click()
    expect(page.get_by_role("complementary").get_by_role("rowheader", name="of returns")).to_be_visible()
    read_moments(page, MOMENTS // 2, {"z": 4, "trades": 3, "returns": 2})
    page.keyboard.press("v")
    expect(page.get_by_role("table", name="the newest")).to_be_visible()
    read_moments(page, MOMENTS // 2, {"z": 4, "y": 2, "x": 2, "beta": 2, "alpha": 1, "returns": 2})


def test_below_a_minute_the_correlation_of_trades_leads_and_that_of_returns_is_warned_of(watched: Watched) -> None:
    page = ready(watched)
    cell = page.locator("section[data-current] button", has_text=re.compile("^correlation", re.IGNORECASE))
    expect(cell).to_contain_text("of trades")
    expect(page.locator("figure")).to_contain_text("too low below a minute")
    page.goto(f"{watched.server.url}/app/correlation")
    expect(page.locator("[data-matrix=ready]")).to_be_visible()
    expect(page.get_by_role("button", name="Trades")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Returns").click()
    expect(page).to_have_url(re.compile("of=returns"))
    expect(page.get_by_role("main")).to_contain_text("Of bars below a minute: too low")
    page.get_by_role("button", name="1m", exact=True).click()
    expect(page.get_by_role("main")).not_to_contain_text("too low")
    page.goto(f"{watched.server.url}/app/correlation?tf=1m")
    expect(page.get_by_role("button", name="Returns")).to_have_attribute("aria-pressed", "true")


def rewrite(page: Page, change: Callable[[dict[str, Any]], None]) -> None:
    """Let each message through to the page changed."""

    def relay(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def forward(text: str | bytes) -> None:
            message = json.loads(text)
            change(message)
            route.send(json.dumps(message))

        server.on_message(forward)

    page.route_web_socket(re.compile(r"/ws$"), relay)


def test_a_stretched_spread_is_muted_with_its_reason_unless_the_pair_is_shown_to_be_one(watched: Watched) -> None:
    told: dict[str, Any] = {"muted": "not_shown", "side": "short", "late": []}
    names: list[str] = []

    def stretch(message: dict[str, Any]) -> None:
        if message["type"] == "pair_snapshot":
            names[:] = message["metrics"]
            message["metrics"]["spread_z"]["value"] = message["series"]["spread_z"][-1] = 2.5
        if message["type"] == "pair" and "row" in message:
            message["row"]["spread_z"] = 2.5
        elif message["type"] == "pair" and "values" in message:
            message["values"][names.index("spread_z")] = 2.5
        if message["type"] in ("pair", "pair_snapshot"):
            message["signal"] = dict(told)

    rewrite(watched.page, stretch)
    page = watched.open(PAIR)
    signal = page.locator("section[data-current] button", has_text=re.compile("^signal", re.IGNORECASE))
    expect(signal).to_contain_text("stretched")
    expect(signal).to_contain_text("but not shown to be a pair")
    expect(page).to_have_title("z +2.50, not shown to be a pair · ETH/BTC · pairscope")
    z = page.locator("section[data-current] button", has_text=re.compile("^z ?[+−]", re.IGNORECASE)).locator(".value")
    expect(z).not_to_have_class(re.compile("text-short"))
    told["muted"] = None
    expect(signal).to_contain_text("short spread")
    expect(z).to_have_class(re.compile("text-short"))
    expect(page).to_have_title("z +2.50 ETH/BTC · pairscope")


JUDGED = {
    **{"condition": "broken", "reasons": ["the line has moved"], "as_of_ms": 1_000, "since_ms": 1_000},
    **{"is_since_before": False, "held_until_ms": 1_000, "shares": {"broken": 1.0}, "windows": 5.0},
    **{"visible_half_life": None, "suggestion": {"interval": "5s", "window": 240, "p": 0.001}},
}


def test_health_is_one_word_everywhere_and_the_window_that_shows_the_pair_is_one_click_away(watched: Watched) -> None:
    def judge(message: dict[str, Any]) -> None:
        if message["type"] in ("pair", "pair_snapshot"):
            message["health"] = JUDGED

    rewrite(watched.page, judge)
    page = watched.open(PAIR)
    cell = page.locator("section[data-current] button", has_text=re.compile("^health", re.IGNORECASE))
    expect(cell).to_contain_text("broken")
    expect(cell).to_contain_text("show 5s × 240")
    page.get_by_role("tab", name="Statistics").click()
    told = page.get_by_role("complementary").get_by_role("region", name="Health")
    expect(told.get_by_role("heading")).to_contain_text("broken")
    expect(told).to_contain_text("the line has moved")
    told.get_by_role("button", name="Show 5s × 240 bars").click()
    expect(page).to_have_url(re.compile(r"tf=5s.*w=240"))
    watched.open(PAIR)
    cell.click()
    expect(page).to_have_url(re.compile(r"tf=5s.*w=240"))


def silent_s(text: str) -> float:
    """The seconds in `4.2 s`."""
    found = re.search(r"([\d.]+) s", text)
    assert found, text
    return float(found[1])


def test_the_silence_of_a_leg_is_named_on_every_screen_and_mutes_the_signal(
    watched: Watched, market: tuple[Muted, SimulatedExchange]
) -> None:
    source, _ = market
    context = watched.page.context
    pages = [ready(watched)]
    for path in SCREENS[1:]:
        pages.append(context.new_page())
        pages[-1].goto(watched.server.url + path)
    for page in pages:
        expect(page.locator("[data-feed]")).to_have_attribute("data-feed", "live")
        # The age at the moment at which the page first names the leg.
        page.evaluate(f"""() => {{
          const note = () => {{
            const chip = document.querySelector('[data-feed]');
            if (chip?.dataset.late.split(' ').includes('{X}')) window.firstTold ??= chip.innerText;
          }};
          new MutationObserver(note).observe(document.body, {{attributes: true, childList: true, subtree: true}});
        }}""")
    source.silent.add(X)
    limit_s = late_after_ms(Interval(1_000)) / 1_000
    try:
        for page in pages:
            page.wait_for_function("() => window.firstTold !== undefined", timeout=EVENT_S * 1_000)
            first = page.evaluate("window.firstTold")
            assert X in first
            assert limit_s <= silent_s(first) + 0.05
            assert silent_s(first) <= limit_s + EVENT_S, f"{page.url}: {first}"
        pair, symbol, correlation, _, system = pages
        expect(symbol).to_have_title(re.compile(f"^(late|stale) · {X}"))
        for name in (X, "z of price", "low", "volatility"):
            cell = symbol.locator("section[data-current] button", has_text=re.compile(f"^{name}", re.IGNORECASE))
            expect(cell).to_contain_text(re.compile(r"(late|stale) [\d.]+ s"))
        expect(pair).to_have_title(re.compile(f"^{X} (late|stale) · ETH/BTC"))
        for name in ("beta", "spread", "z", "correlation"):
            cell = pair.locator("section[data-current] button", has_text=re.compile(f"^{name}", re.IGNORECASE))
            expect(cell).to_contain_text(re.compile(f"{X} (late|stale)"))
        expect(correlation.locator("th[data-late]").filter(has_text="BTC")).to_be_visible()  # others may be quiet too
        assert correlation.locator("td[data-late]").count() >= 2
        expect(system.get_by_role("row", name=X)).to_have_attribute("data-late", re.compile("late|stale"))
        # The signal that the server tells, to the page and to everybody else.
        answer = watched.page.request.get(
            f"{watched.server.url}/analytics/pair?y={Y}&x={X}&interval=1s&window=60&tests=true&limit=1"
        )
        assert answer.json()["signal"]["late"] == [X]
        assert answer.json()["signal"]["muted"] == "leg_late"
        read_moments(pair, MOMENTS // 3, {name: count - (name == "z") for name, count in FEWEST.items()})
        expect(pair.locator("[data-feed]")).to_have_attribute("data-feed", "stale")
        hatched = pair.locator("[role=application]").get_attribute("data-frozen") or ""
        age = silent_s(pair.locator(f"aside tr[data-late=true]:has-text('{X}')").inner_text())
        assert f"no trade of {X}" in hatched
        longest = max(float(found) for found in re.findall(rf"{X} for (\d+) s", hatched))
        assert age - 3 <= longest <= age + 1, "the whole silence is hatched, and no more"
    finally:
        source.silent.discard(X)
    for page in pages:
        expect(page.locator("[data-feed]")).to_have_attribute("data-late", "")


# Last, because it takes the server away from everybody.
def test_a_server_that_is_gone_leaves_one_dim_value_everywhere(watched: Watched) -> None:
    page = ready(watched)
    system, correlation = page.context.new_page(), page.context.new_page()
    system.goto(f"{watched.server.url}/app/system")
    correlation.goto(f"{watched.server.url}/app/correlation")
    expect(correlation.locator("[data-matrix=ready]")).to_be_visible()
    figure = system.get_by_role("region", name="Feed").locator("dd").nth(3)
    expect(figure).to_be_visible()
    bright = figure.evaluate("element => getComputedStyle(element).color")
    bar = page.get_by_role("contentinfo").locator(".num").first
    bright_bar = bar.evaluate("element => getComputedStyle(element).color")
    watched.expects_lost_server = True
    watched.server.kill()
    expect(page.locator("[data-feed]")).to_have_attribute("data-feed", "down")
    expect(page).to_have_title("down · ETH/BTC · pairscope")
    expect(system).to_have_title("down · System · pairscope")
    expect(correlation).to_have_title("down · Correlation · pairscope")
    old = correlation.locator("main [data-old=true]")
    expect(old).to_have_count(2)  # the matrix and its clusters
    assert old.evaluate_all("all => all.map(one => getComputedStyle(one).filter)") == ["saturate(0.25)"] * 2
    expect(correlation.get_by_role("main")).not_to_contain_text("No trade of")  # nobody knows
    expect(page.locator("section[data-current]")).to_have_attribute("data-current", "false")
    seen = read_moments(page, 5, {name: count - (name == "z") for name, count in FEWEST.items()})
    assert all(len(values) == 1 for values in seen.values())
    assert bar.evaluate("element => getComputedStyle(element).color") != bright_bar
    expect(system.locator("main [data-old=true]")).to_contain_text("The server is gone: these are its last words")
    expect(system.get_by_role("region", name="Feed")).to_contain_text("not known, was live")
    assert figure.evaluate("element => getComputedStyle(element).color") != bright
    age = silent_s(page.locator("[data-feed]").inner_text())
    page.wait_for_timeout(1_500)
    assert silent_s(page.locator("[data-feed]").inner_text()) > age, "it grows older, from the last trade on"
