"""What clients were told, computed once more from the bars on the disk: every bit is the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.registry import PAIR_BAR
from pairscope.api import wire
from pairscope.api.columns import bar_columns, pair_columns, quantities
from pairscope.api.hub import Follower, Hub
from pairscope.bars.builder import build_bars
from pairscope.bars.memory import BarMemory
from pairscope.base.clock import SystemClock
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, IntArray, TradeBatch, TradeKind
from pairscope.feed.continuity import ContinuityTracker
from pairscope.ingest.intake import Intake
from pairscope.live.market import Market
from pairscope.live.span import Span
from pairscope.live.windows import measure_pair, measure_symbol, pair_series
from pairscope.store.tape import Tape
from tests.judged import judge, judged
from tests.patience import EVENT_S

SYMBOLS = ("BTCUSDT", "ETHUSDT")
X, Y = SYMBOLS
INTERVALS = [Interval.parse(text) for text in ("1s", "5s")]
MEASURED = (
    *(Terms(method) for method in ("ols", "huber", "rolling", "kalman")),
    Terms(prices="level"),
    Terms(intercept=False),
    Terms("kalman", "level", False),
)
WINDOW = 60
ROW = ("y", "x", "beta", "alpha", "spread", "spread_z", "correlation")
LATE_SHARE = 0.002
SETTLING_SHARE = 0.3  # of the chunks, after which late trades are waited for
LONGEST_DELAY = 4_000  # trades that overtake a late one: a minute or so


def with_late_trades(count: int, rng: np.random.Generator) -> IntArray:
    """An order of arrival in which a few trades come long after those around them."""
    place = np.arange(count, dtype=np.float64)
    late = rng.random(count) < LATE_SHARE
    late[:100] = late[-LONGEST_DELAY:] = False
    place[late] += rng.integers(100, LONGEST_DELAY, late.sum())
    return np.argsort(place, kind="stable")


class Told:
    """What a client knows of one topic: snapshots replace, bars are put in their place."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[Any, ...]] = {}
        self.revised = 0
        self.snapshots = 0

    def until(self, last_ms: int) -> dict[int, tuple[Any, ...]]:
        """The rows of bars that are over."""
        return {time_ms: row for time_ms, row in self.rows.items() if time_ms <= last_ms}

    def take(self, message: Any) -> None:
        match message:
            case wire.PairSnapshot():
                self.snapshots += 1
                self.rows = dict(_pair_rows(message.series))
            case wire.PairBar() if message.status != "open":
                self.revised += message.status == "revised"
                self.rows |= dict(_pair_rows(message.series))
            case wire.SymbolSnapshot():
                self.rows = dict(_bar_rows(message.bars))
            case wire.SymbolBar() if message.bar.status != ["open"]:
                self.revised += message.bar.status == ["revised"]
                self.rows |= dict(_bar_rows(message.bar))


def _pair_rows(series: wire.PairColumns) -> Iterator[tuple[int, tuple[Any, ...]]]:
    columns = [getattr(series, name) for name in ROW]
    return zip(series.open_time_ms, zip(*columns, strict=True), strict=True)


def _bar_rows(bars: wire.BarColumns) -> Iterator[tuple[int, tuple[Any, ...]]]:
    names = ("open", "high", "low", "close", "volume", "quote_volume", "buy_volume", "trades")
    return zip(bars.open_time_ms, zip(*(getattr(bars, name) for name in names), strict=True), strict=True)


class Room:
    """A whole way from trades to clients, on a real tape."""

    def __init__(self, path: Path) -> None:
        clock = SystemClock()
        self.store = Tape.open(path, kind=TradeKind.RAW, clock=clock, commit_ms=10)
        for symbol in SYMBOLS:
            self.store.symbols.add(symbol)
        self.memory = BarMemory(INTERVALS, 6_000)
        self.live = Market(symbols=self.store.symbols, memory=self.memory, pairs=lambda: [(Y, X)], reader=self.store)
        tracker = ContinuityTracker(self.store.symbols)
        own = judge(self.store.symbols)
        self.intake = Intake(store=self.store, tracker=tracker, judge=own, memory=self.memory, clock=clock)
        self.hub = Hub(live=self.live, status=lambda: pytest.fail("nobody asks"), clock=clock, window=WINDOW)
        self.live.listen(self.hub.on_update)
        self.client: Follower = self.hub.connect()
        self.told: dict[str, Told] = {}

    def follow(self, topic: str) -> None:
        self.told[topic] = Told()
        assert self.hub.receive(self.client, msgspec.json.encode({"op": "sub", "topic": topic}))

    async def read(self) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(0):
                    text = await self.client.mailbox.next()
                message = msgspec.json.decode(text, type=wire.ServerMessage)
                if (topic := getattr(message, "topic", None)) in self.told:
                    self.told[topic].take(message)

    async def settled(self) -> None:
        """Until nothing is left to be revised."""
        async with asyncio.timeout(EVENT_S):
            while self.intake.unsettled:
                await asyncio.sleep(0.005)
        await self.store.flushed()

    def stored(self, symbol: str, interval: Interval) -> BarArray:
        return self.store.bars(symbol, interval)


@contextlib.asynccontextmanager
async def open_room(path: Path) -> AsyncIterator[Room]:
    room = Room(path)
    revising = asyncio.create_task(room.intake.revise_for_ever())
    try:
        yield room
    finally:
        revising.cancel()
        await asyncio.gather(revising, return_exceptions=True)
        room.store.close()


async def play(room: Room, day: TradeBatch, rng: np.random.Generator) -> AsyncIterator[None]:
    """The day in chunks of any size; stops at each."""
    order = with_late_trades(len(day), rng)
    done = 0
    while done < len(order):
        count = int(rng.choice([1, 3, 40, 200, 600]))
        trades = day.take(order[done : done + count])
        room.intake.take(judged(trades))
        done += count
        if rng.random() < SETTLING_SHARE:
            await room.settled()
        await room.read()
        yield


@pytest.mark.data
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
async def test_all_that_was_published_is_computed_again_from_the_stored_bars(
    tmp_path: Path, recorded_day: TradeBatch, seed: int
) -> None:
    async with open_room(tmp_path / "tape.duckdb") as room:
        for interval in INTERVALS:
            for terms in MEASURED:
                room.follow(_topic(interval, terms))
            for symbol in SYMBOLS:
                room.follow(f"symbol:{symbol}:{interval}")
        async for _ in play(room, recorded_day, np.random.default_rng(seed)):
            pass
        await room.settled()
        await room.read()
        assert sum(told.revised for told in room.told.values()) > 100
        assert sum(told.snapshots for told in room.told.values()) > 2 * len(room.told)
        for interval in INTERVALS:
            span = Span(interval, WINDOW)
            legs = [room.stored(symbol, interval) for symbol in (Y, X)]
            for terms in MEASURED:
                told = room.told[_topic(interval, terms)]
                last_ms = min(int(leg["open_time_ms"][-1]) for leg in legs)
                rows = told.until(last_ms)
                assert sorted(rows) == list(range(min(rows), last_ms + 1, interval.ms))
                computed = pair_series(legs[0], legs[1], span, span.rows(min(rows), last_ms), terms)
                assert rows == dict(_pair_rows(_on_the_wire(computed)))
            for symbol in SYMBOLS:
                bars = room.stored(symbol, interval)
                rows = room.told[f"symbol:{symbol}:{interval}"].until(int(bars["open_time_ms"][-1]))
                assert rows == dict(_bar_rows(bar_columns(bars)))


@pytest.mark.data
async def test_present_metrics_are_computed_again_from_the_stored_trades(
    tmp_path: Path, recorded_day: TradeBatch
) -> None:
    async with open_room(tmp_path / "tape.duckdb") as room:
        checked = 0
        async for _ in play(room, recorded_day, np.random.default_rng(4)):
            checked += 1
            if checked % 20:
                continue
            await room.settled()
            for interval in INTERVALS:
                at_ms, span = room.memory.newest_open_ms(interval), Span(interval, WINDOW)
                bars = {symbol: build_bars(room.store.trades(symbol), interval) for symbol in SYMBOLS}
                for symbol in SYMBOLS:
                    live = room.live.symbol_metrics(symbol, interval, WINDOW)
                    assert _values(live) == _values(measure_symbol(bars[symbol], span, at_ms))
                for terms in MEASURED:
                    live = room.live.pair_metrics(Y, X, interval, WINDOW, terms)
                    again = measure_pair(bars[Y], bars[X], span, at_ms, PAIR_BAR[terms])
                    assert _values(live) == _values(again)
        assert checked > 40


def _topic(interval: Interval, terms: Terms) -> str:
    return ":".join(["pair", Y, X, str(interval), str(WINDOW), *terms.parts])


def _on_the_wire(series: Any) -> wire.PairColumns:
    return msgspec.json.decode(msgspec.json.encode(pair_columns(series, slice(None))), type=wire.PairColumns)


def _values(measured: Any) -> dict[str, tuple[Any, ...]]:
    return {name: (one.value, one.n, one.reason, one.as_of_ms) for name, one in quantities(measured).items()}
