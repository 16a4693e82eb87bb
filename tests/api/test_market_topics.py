from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pairscope.analytics.estimators.terms import USUAL, Terms
from pairscope.api import wire
from pairscope.api.columns import bar_columns, pair_columns, quantities
from pairscope.api.mailbox import Mailbox
from pairscope.api.market_topics import MOST_DELTAS, MOST_REVISED_ROWS, MarketTopic, PairTopic, SymbolTopic
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus
from pairscope.live.span import PairKey, Span

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket

SECOND = Interval(1_000)
Y, X = "ETHUSDT", "BTCUSDT"
ROW = ("y", "x", "beta", "alpha", "spread", "spread_z", "correlation")


class Watcher:
    """A client of one topic that keeps what a chart would: rows by open time, changed by each message."""

    def __init__(self, market: MadeUpMarket, topic: MarketTopic) -> None:
        self.mailbox = Mailbox(100_000, 10**9)
        self.topic = topic
        self.seq = 0
        self.rows: dict[int, Any] = {}
        self.statuses: dict[int, str] = {}
        self.bars: dict[int, Any] = {}
        self.metrics: Any = None
        self.log: list[Any] = []
        self._now = itertools.count(step=0.04)
        market.live.listen(self.on_update)

    def on_update(self, bars: BarArray) -> None:
        touched = {
            (symbol, SECOND): bars[(bars["symbol_id"] == i) & (bars["interval_ms"] == SECOND.ms)]
            for i, symbol in enumerate(("BTCUSDT", "ETHUSDT", "SOLUSDT"))
        }
        self.topic.on_bars(touched)
        self.topic.pump(next(self._now))

    async def read(self) -> list[Any]:
        """Take every message that waits; the messages."""
        messages: list[Any] = []
        while True:
            try:
                async with asyncio.timeout(0):
                    text = await self.mailbox.next()
            except TimeoutError:
                self.log += messages
                return messages
            messages.append(msgspec.json.decode(text, type=wire.ServerMessage))
            self._apply(messages[-1])

    def _apply(self, message: Any) -> None:
        posted = True
        if isinstance(message, wire.SymbolSnapshot | wire.PairSnapshot):
            self.rows, self.bars, self.statuses = {}, {}, {}
            self.seq = message.seq - 1
            self.metrics = message.metrics
        match message:
            case wire.SymbolSnapshot():
                self._take_bars(message.bars)
            case wire.PairSnapshot():
                self._take_bars(message.y_bars)
                self._take_rows(message.series, "snapshot")
            case wire.SymbolBar():
                posted = message.bar.status != ["open"]
                self._take_bars(message.bar)
            case wire.PairBar():
                posted = message.status != "open"
                self._take_bars(message.y_bar)
                self._take_rows(message.series, message.status)
            case wire.SymbolMetrics() | wire.PairMetrics():
                self.metrics = message.metrics
                assert message.seq <= self.seq
                return
        self.seq += posted
        assert message.seq == self.seq, "a hole in the numbers"

    def _take_bars(self, columns: wire.BarColumns) -> None:
        plain = msgspec.to_builtins(columns)
        for i, open_ms in enumerate(columns.open_time_ms):
            self.bars[open_ms] = {name: column[i] for name, column in plain.items()}

    def _take_rows(self, columns: wire.PairColumns, status: str) -> None:
        for i, open_ms in enumerate(columns.open_time_ms):
            self.rows[open_ms] = tuple(getattr(columns, name)[i] for name in ROW)
            self.statuses[open_ms] = status


@pytest.fixture
def symbol_watch(market: MadeUpMarket) -> Watcher:
    watch = Watcher(market, SymbolTopic("symbol:BTCUSDT:1s", 1_000, market.live, "BTCUSDT", Span(SECOND, 30)))
    watch.topic.add(watch, 50, None)
    return watch


@pytest.fixture
def pair_watch(market: MadeUpMarket) -> Watcher:
    watch = Watcher(market, PairTopic("pair", 1_000, market.live, PairKey(Y, X, SECOND, 30, USUAL)))
    watch.topic.add(watch, 50, None)
    return watch


def expected_bars(market: MadeUpMarket, symbol: str, count: int) -> dict[int, Any]:
    plain = msgspec.json.decode(msgspec.json.encode(bar_columns(market.live.bars(symbol, SECOND, count))))
    return {ms: {name: column[i] for name, column in plain.items()} for i, ms in enumerate(plain["open_time_ms"])}


def expected_rows(market: MadeUpMarket, count: int, terms: Terms = USUAL) -> dict[int, Any]:
    series = market.live.pair_series(Y, X, SECOND, 30, count, terms)
    columns = msgspec.json.decode(msgspec.json.encode(pair_columns(series)), type=wire.PairColumns)
    return {ms: tuple(getattr(columns, name)[i] for name in ROW) for i, ms in enumerate(columns.open_time_ms)}


async def test_a_symbol_shown_from_deltas_is_the_symbol_in_memory(market: MadeUpMarket, symbol_watch: Watcher) -> None:
    await symbol_watch.read()
    assert len(symbol_watch.bars) == 50
    for _ in range(40):
        market.trade(250)
        await symbol_watch.read()
    assert symbol_watch.bars == expected_bars(market, "BTCUSDT", len(symbol_watch.bars))


async def test_a_client_that_reads_late_sees_the_same_in_the_end(market: MadeUpMarket, symbol_watch: Watcher) -> None:
    market.trade(20_000)
    symbol_watch.topic.pump(1e9)
    await symbol_watch.read()
    assert symbol_watch.bars == expected_bars(market, "BTCUSDT", len(symbol_watch.bars))
    opens = [one for one in symbol_watch.log if isinstance(one, wire.SymbolBar) and one.bar.status == ["open"]]
    assert len(opens) <= 1


async def test_a_revised_bar_is_numbered_like_a_closed_one(market: MadeUpMarket, symbol_watch: Watcher) -> None:
    await symbol_watch.read()
    market.revise("BTCUSDT", SECOND, back=10, close=77.0)
    messages = await symbol_watch.read()
    assert next(one.bar.status for one in messages if isinstance(one, wire.SymbolBar)) == ["revised"]
    assert symbol_watch.bars == expected_bars(market, "BTCUSDT", 50)


async def test_a_flood_of_changed_bars_is_told_as_one_snapshot(market: MadeUpMarket, symbol_watch: Watcher) -> None:
    await symbol_watch.read()
    market.trade((MOST_DELTAS + 5) * 1_000, burst_ms=10**9)
    messages = await symbol_watch.read()
    assert isinstance(messages[0], wire.SymbolSnapshot)
    assert not any(isinstance(one, wire.SymbolBar) and one.bar.status == ["closed"] for one in messages)
    assert symbol_watch.bars == expected_bars(market, "BTCUSDT", 50)


@pytest.mark.parametrize("kind", ["symbol", "pair"])
async def test_metrics_come_with_each_closed_bar_and_at_most_twice_a_second_besides(
    market: MadeUpMarket, kind: str, request: pytest.FixtureRequest
) -> None:
    watch: Watcher = request.getfixturevalue(f"{kind}_watch")
    for _ in range(400):  # sixteen seconds of pumping, a hundred of trading
        market.trade(250)
        await watch.read()
    closes = sum(isinstance(one, wire.SymbolBar) and one.bar.status == ["closed"] for one in watch.log)
    closes += sum(isinstance(one, wire.PairBar) and one.status == "closed" for one in watch.log)
    metrics = [one for one in watch.log if isinstance(one, wire.SymbolMetrics | wire.PairMetrics)]
    assert closes == 100
    assert closes <= len(metrics) <= closes + 33
    live = market.live
    now = live.symbol_metrics("BTCUSDT", SECOND, 30) if kind == "symbol" else live.pair_metrics(Y, X, SECOND, 30)
    watch.topic.pump(1e9)
    await watch.read()
    assert watch.metrics == msgspec.json.decode(msgspec.json.encode(quantities(now)), type=dict[str, wire.Quantity])


async def test_metrics_that_did_not_change_are_not_told_again(market: MadeUpMarket, symbol_watch: Watcher) -> None:
    market.trade(250)
    symbol_watch.topic.pump(1e8)
    await symbol_watch.read()
    market.memory.publish(market.live.bars("BTCUSDT", SECOND, 1).copy())
    symbol_watch.topic.pump(1e9)
    assert [type(one) for one in await symbol_watch.read()] == [wire.SymbolBar]


async def test_open_bars_are_told_at_most_some_sixteen_times_a_second(
    market: MadeUpMarket, symbol_watch: Watcher
) -> None:
    for _ in range(250):  # ten seconds of flushes
        market.trade_at(market.now_ms, "BTCUSDT")
        await symbol_watch.read()
    opens = [one for one in symbol_watch.log if isinstance(one, wire.SymbolBar) and one.bar.status == ["open"]]
    assert 155 <= len(opens) <= 168


async def test_a_pair_shown_from_deltas_is_the_pair_in_memory(market: MadeUpMarket, pair_watch: Watcher) -> None:
    await pair_watch.read()
    assert len(pair_watch.rows) == 50
    for _ in range(40):
        market.trade(250)
        await pair_watch.read()
    assert pair_watch.rows == expected_rows(market, len(pair_watch.rows))
    assert pair_watch.bars == expected_bars(market, Y, len(pair_watch.bars))


def hasty(market: MadeUpMarket, step: int) -> None:
    """Trades of one symbol only, then of the other, out of step."""
    market.trade(250, symbols=(Y,) if step % 3 else (X,))


def sparse(market: MadeUpMarket, step: int) -> None:
    """Seconds in which one symbol does not trade, and some in which neither does."""
    market.trade(1_000, symbols=[("SOLUSDT",), (Y,), (X,), (Y, X)][step % 4], burst_ms=1_000)


def late(market: MadeUpMarket, step: int) -> None:
    """A symbol's first trade of a second comes after the other has closed it."""
    market.trade_at(market.now_ms + 1_000, Y)
    market.trade_at(market.now_ms + 900, X)
    market.now_ms += 1_000


def revising(market: MadeUpMarket, step: int) -> None:
    market.trade(500)
    market.revise(Y if step % 2 else X, SECOND, back=1 + step % 7, close=90.0 + step)


@pytest.mark.parametrize("behave", [hasty, sparse, late, revising])
async def test_however_a_pair_trades_its_final_rows_are_those_of_the_past(
    market: MadeUpMarket, pair_watch: Watcher, behave: Callable[[MadeUpMarket, int], None]
) -> None:
    for step in range(60):
        behave(market, step)
        await pair_watch.read()
        shown, expected = pair_watch.rows, expected_rows(market, 200)
        # A symbol's first trade of a second that the other has left changes the row again until its bar is closed.
        changing_ms = min((ms for symbol in (Y, X) for ms in open_times(market, symbol)), default=market.now_ms)
        for open_ms, status in pair_watch.statuses.items():
            if status in ("closed", "revised") and open_ms < changing_ms:
                assert shown[open_ms] == expected[open_ms], (step, open_ms, status)
    closed = [one.series.open_time_ms[0] for one in pair_watch.log if _is_final(one) and one.status == "closed"]
    assert len(closed) > 10
    assert len(closed) == len(set(closed)), "a row is closed once, and revised after that"
    assert min(np.diff(sorted(pair_watch.rows))) == max(np.diff(sorted(pair_watch.rows))) == 1_000


async def test_a_row_is_not_final_while_one_symbol_has_an_open_bar_at_it(
    market: MadeUpMarket, pair_watch: Watcher
) -> None:
    await pair_watch.read()
    market.trade_at(market.now_ms, Y, X)
    market.trade_at(market.now_ms + 1_000, Y)
    messages = await pair_watch.read()
    assert market.now_ms not in [one.series.open_time_ms[0] for one in messages if _is_final(one)]
    market.trade_at(market.now_ms + 1_000, X)
    messages = await pair_watch.read()
    assert [one.series.open_time_ms[0] for one in messages if _is_final(one)] == [market.now_ms]


async def test_a_row_told_as_final_stays_so_when_the_other_symbol_trades_in_it_after_all(
    market: MadeUpMarket, pair_watch: Watcher
) -> None:
    await pair_watch.read()
    second = market.now_ms
    market.trade_at(second + 1_100, Y)
    market.trade_at(second + 2_100, Y)  # closes the row before, in which the other has not traded
    market.trade_at(second + 500, X, then_ms=second + 1_500)  # in which it does now
    market.trade_at(second + 3_100, Y, X)
    await pair_watch.read()
    told = [one.status for one in pair_watch.log if _is_final(one) and one.series.open_time_ms == [second + 1_000]]
    assert told[0] == "closed"
    assert set(told[1:]) == {"revised"}
    expected = expected_rows(market, 10)
    assert pair_watch.rows[second + 1_000] == expected[second + 1_000]


async def test_a_revised_bar_changes_the_rows_after_it_too(market: MadeUpMarket, pair_watch: Watcher) -> None:
    await pair_watch.read()
    market.revise(X, SECOND, back=5, close=55.0)
    messages = [one for one in await pair_watch.read() if _is_final(one)]
    assert [one.status for one in messages] == ["revised"] * 5
    assert len({one.series.open_time_ms[0] for one in messages}) == 5


async def test_an_old_revision_is_told_as_one_snapshot(market: MadeUpMarket, pair_watch: Watcher) -> None:
    await pair_watch.read()
    market.revise(X, SECOND, back=MOST_REVISED_ROWS + 5, close=55.0)
    messages = await pair_watch.read()
    assert isinstance(messages[0], wire.PairSnapshot)
    assert not any(_is_final(one) for one in messages)
    assert pair_watch.rows == expected_rows(market, 50)


def open_times(market: MadeUpMarket, symbol: str) -> list[int]:
    bars = market.live.bars(symbol, SECOND, 2)
    times: list[int] = bars["open_time_ms"][bars["status"] == BarStatus.OPEN].tolist()
    return times


def _is_final(message: Any) -> bool:
    return isinstance(message, wire.PairBar) and message.status != "open"


@pytest.mark.parametrize("kind", ["symbol", "pair"])
async def test_who_came_before_the_first_bar_gets_all_of_them_with_it(new_market: MadeUpMarket, kind: str) -> None:
    live = new_market.live
    topic: MarketTopic = SymbolTopic("symbol", 1_000, live, Y, Span(SECOND, 30))
    if kind == "pair":
        topic = PairTopic("pair", 1_000, live, PairKey(Y, X, SECOND, 30, USUAL))
    watch = Watcher(new_market, topic)
    topic.add(watch, 50, None)
    await watch.read()
    assert not watch.bars
    new_market.trade(40_000, burst_ms=40_000)
    messages = await watch.read()
    assert isinstance(messages[0], wire.SymbolSnapshot | wire.PairSnapshot)
    assert watch.bars == expected_bars(new_market, Y, 50)


async def test_a_snapshot_is_made_once_for_all_who_ask_before_the_next_bar(market: MadeUpMarket) -> None:
    topic = SymbolTopic("symbol", 1_000, market.live, "BTCUSDT", Span(SECOND, 30))
    assert topic.snapshot(10) is topic.snapshot(10)
    for limit in range(1, 100):
        assert len(msgspec.json.decode(topic.snapshot(limit))["bars"]["open"]) == limit


async def test_nothing_is_computed_for_nobody(market: MadeUpMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = PairTopic("pair", 1_000, market.live, PairKey(Y, X, SECOND, 30, USUAL))
    watch = Watcher(market, topic)
    topic.add(watch, 10, None)
    topic.remove(watch)
    monkeypatch.setattr(market.live, "pair_metrics", None)
    before = topic.seq
    market.trade(3_000)
    assert topic.seq == before + 3  # closed rows are still numbered, so that the client can resume
    assert not await watch.read()


def test_the_status_of_every_bar_is_known() -> None:
    assert [status.name.lower() for status in BarStatus] == ["open", "closed", "revised", "partial"]


@pytest.mark.parametrize("terms", [Terms(prices="level"), Terms(intercept=False), Terms("tls", "level", False)])
async def test_a_pair_on_other_terms_is_told_on_them(market: MadeUpMarket, terms: Terms) -> None:
    topic = PairTopic("pair", 1_000, market.live, PairKey(Y, X, SECOND, 30, terms))
    watch = Watcher(market, topic)
    topic.add(watch, 50, None)
    (snapshot, *_) = await watch.read()
    assert isinstance(snapshot, wire.PairSnapshot)
    told = snapshot.method, snapshot.prices, snapshot.intercept, snapshot.remarks
    assert told == (terms.method, terms.prices, terms.intercept, terms.remarks)
    for _ in range(20):
        market.trade(500)
        await watch.read()
    assert watch.rows == expected_rows(market, len(watch.rows), terms)
    newest = msgspec.json.decode(topic.snapshot(1), type=wire.PairSnapshot)
    assert newest.metrics == quantities(market.live.pair_metrics(Y, X, SECOND, 30, terms))
    assert newest.metrics["spread"].unit == ("price" if terms.prices == "level" else "ln")
