"""The room of ingest on a tape of its own: a store, its bars, and the way in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pairscope.bars.memory import BarMemory
from pairscope.base.clock import SystemClock
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, Continuity, Cut, TradeBatch, TradeKind
from pairscope.feed.continuity import ContinuityTracker
from pairscope.ingest.intake import Intake
from pairscope.live.market import Market
from pairscope.store.tape import Tape
from tests.judged import judge, judged
from tests.patience import EVENT_S

INTERVALS = [Interval.parse(text) for text in ("1s", "5s", "1m", "5m")]
MINUTE = Interval.parse("1m")


@dataclass
class Room:
    """A store, its bars and the way in; what was published is kept."""

    store: Tape
    tracker: ContinuityTracker
    memory: BarMemory
    live: Market
    intake: Intake
    published: list[BarArray]
    down: set[int]  # symbols whose connection is down

    def take(self, trades: TradeBatch) -> None:
        self.intake.take(judged(trades))

    def lost(self) -> dict[int, int]:
        """Missing ids of the first symbol's 1-second bars, where there are any."""
        bars = self.live.bars(self.store.symbols.name(0), Interval.parse("1s"), 10_000)
        return {int(bar["open_time_ms"]): int(bar["lost"]) for bar in bars if bar["lost"]}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until bars revised in the background are as they should be."""
        async with asyncio.timeout(EVENT_S):
            while not condition():
                await asyncio.sleep(0.01)

    def shown(self, symbol: str, interval: Interval) -> BarArray:
        return self.live.bars(symbol, interval, 10_000)


@contextlib.asynccontextmanager
async def room(path: Path, symbols: Sequence[str], kind: TradeKind = TradeKind.AGG) -> AsyncIterator[Room]:
    clock = SystemClock()
    store = Tape.open(path, kind=kind, clock=clock, commit_ms=20)
    for symbol in symbols:
        store.symbols.add(symbol)
    memory = BarMemory(INTERVALS, 6000)
    live = Market(symbols=store.symbols, memory=memory, pairs=list, reader=store)
    tracker = ContinuityTracker(store.symbols)
    own = judge(store.symbols)
    down: set[int] = set()
    intake = Intake(store=store, tracker=tracker, judge=own, memory=memory, clock=clock, unheard=down.copy)
    published: list[BarArray] = []
    live.listen(published.append)
    intake.restore()
    revising = asyncio.create_task(intake.revise_for_ever())
    try:
        yield Room(store, tracker, memory, live, intake, published, down)
    finally:
        revising.cancel()
        await asyncio.gather(revising, return_exceptions=True)
        store.close()


def trades(ids: Sequence[int], times_ms: Sequence[int], prices: Sequence[float] | None = None) -> TradeBatch:
    n = len(ids)
    return TradeBatch(
        symbol_id=np.zeros(n, np.int32),
        id=np.array(ids, np.int64),
        time_ms=np.array(times_ms, np.int64),
        price=np.array(prices if prices is not None else [100.0 + i for i in ids]),
        size=np.full(n, 0.5),
        buyer_is_maker=np.zeros(n, np.bool_),
        received_ns=np.zeros(n, np.int64),
    )


def cuts(here: Room, interval: str) -> dict[int, Cut]:
    """The bars of the first symbol that are cut, by their open time; each must say that it is partial, or open."""
    bars = here.shown(here.store.symbols.name(0), Interval.parse(interval))
    bars = bars[bars["cut"] > 0]
    assert np.isin(bars["status"], [BarStatus.PARTIAL, BarStatus.OPEN]).all()
    assert (bars["continuity"] == Continuity.PARTIAL).all()
    return {int(bar["open_time_ms"]): Cut(int(bar["cut"])) for bar in bars}
