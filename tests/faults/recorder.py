"""A whole recorder on real sockets and a real disk, as `pairscope.app` wires it, with short patience."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pairscope.bars.memory import BarMemory
from pairscope.bars.rebuild import VALUES, rebuild_bars
from pairscope.base.clock import Clock, SystemClock
from pairscope.base.interval import Interval
from pairscope.base.model import BarStatus, TradeKind
from pairscope.base.notifier import Notifier
from pairscope.feed.access import Access
from pairscope.feed.backoff import Backoff
from pairscope.feed.binance.budget import WeightBudget
from pairscope.feed.binance.managed_connection import ConnectionOptions
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.trade_stream import TradeStream
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.ingest.intake import Intake
from pairscope.ingest.repair.rest_backfill import Backfill
from pairscope.store.tape import Tape
from tests.judged import judge
from tests.patience import WORK_S

INTERVALS = [Interval.parse(text) for text in ("1s", "5s", "1m")]
FAST = 60  # a minute of the weight budget in a second


class FastClock:
    """Makes the minutes of limits short, so that a 429 is waited out in a second."""

    def now_ns(self) -> int:
        return time.time_ns() * FAST

    def monotonic_s(self) -> float:
        return time.monotonic() * FAST


class Recorder:
    """Stream, continuity, intake, back-fill, bars and store."""

    def __init__(
        self,
        ws_url: str,
        rest_url: str,
        store: Tape,
        symbols: Sequence[str],
        *,
        never_heard_s: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        for symbol in symbols:
            store.symbols.add(symbol)
        self.store = store
        self.given = 0
        self.tracker = ContinuityTracker(store.symbols)
        self.memory = BarMemory(INTERVALS, 20_000)
        own = judge(store.symbols, clock)
        gaps_changed: Notifier[[]] = Notifier()
        self.intake = Intake(
            store=store,
            tracker=self.tracker,
            judge=own,
            memory=self.memory,
            clock=clock,
            gaps_changed=gaps_changed,
        )
        self.stream = TradeStream(
            base_url=ws_url,
            kind=TradeKind.AGG,
            watch=symbols,
            symbols=store.symbols,
            clock=clock,
            judge=own,
            sink=self._sink,
            options=ConnectionOptions(
                stale_s=0.5, never_heard_s=never_heard_s, overlap_s=0.1, steady_s=0.1, longest_retry_s=1.0
            ),
            rng=random.Random(1),
            access=Access.direct(FastClock()),  # its five minutes of connections pass in five seconds
        )
        budget = WeightBudget(FastClock(), sleep=lambda seconds: asyncio.sleep(seconds / FAST))
        self.rest = BinanceRest(rest_url, clock, judge=own, timeout_s=1.0, budget=budget)
        self.backfill = Backfill(
            pages=self.rest,
            tracker=self.tracker,
            symbols=store.symbols,
            watched=symbols,
            take=self._take_all,
            obstructed=lambda gap: self.intake.keep_gaps([gap]),
            may_store=lambda: store.counters().error is None,
            backoff=Backoff(first_s=0.1, cap_s=0.5),
        )
        gaps_changed.listen(self.backfill.wake)

    def _sink(self, rows: Judged) -> None:
        self._take_all(rows)

    def _take_all(self, rows: Judged) -> bool:
        self.given += len(rows)
        return self.intake.take(rows)

    @contextlib.asynccontextmanager
    async def running(self, *, backfill: bool = True) -> AsyncIterator[None]:
        self.intake.restore()
        jobs = [self.stream.run(), self.intake.revise_for_ever(), *([self.backfill.run()] if backfill else [])]
        async with self.rest:
            if backfill:
                await self.rest.instruments()  # tells the limit
            tasks = [asyncio.create_task(job) for job in jobs]
            self._hearing = tasks[0]
            self.backfill.wake()
            try:
                yield
                for task in tasks:
                    assert not task.done() or task.cancelled(), task.exception()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def more(self, trades: int = 50) -> None:
        """Until so many more trades have come by the stream."""
        goal = self.stream.health.trades + trades
        await until(lambda: self.stream.health.trades >= goal)

    async def settled(self) -> None:
        """Hear no more, so that no hole is found after the last look; until nothing is missing that can be had."""
        await self.more()
        self._hearing.cancel()
        await asyncio.wait([self._hearing])
        await self.store.flushed()
        await until(lambda: not self.backfill.waiting)
        await until(lambda: not self.store.gaps(open_only=True))

    def assert_true(self, market: SimulatedMarket) -> None:
        """The tape is what the exchange traded, from the first trade to the newest; its bars are those of the tape."""
        counters = self.intake.counters
        assert counters.received == self.given
        assert counters.received == counters.stored + counters.duplicates + counters.rejected + counters.refused
        assert self.rest.budget.most_used <= self.rest.budget.own_limit
        for symbol in self.store.symbols:
            stored = self.store.trades(symbol)
            truth = market.by_id(symbol, int(stored.id[0]), len(stored))
            for column in ("id", "time_ms", "price", "size", "buyer_is_maker"):
                np.testing.assert_array_equal(getattr(stored, column), getattr(truth, column), f"{symbol} {column}")
            expected = rebuild_bars([stored], INTERVALS, [], [(int(stored.id[0]), int(stored.time_ms[0]))])
            for interval in INTERVALS:
                wanted = expected[expected["interval_ms"] == interval.ms]
                shown = self.memory.series(self.store.symbols.index(symbol), interval).tail(len(wanted) + 10)
                for name in VALUES:
                    np.testing.assert_array_equal(shown[name], wanted[name], f"{symbol} {interval} {name}")
                closed = shown["status"] != BarStatus.OPEN
                on_tape = self.store.bars(symbol, interval)
                for name in VALUES:
                    np.testing.assert_array_equal(on_tape[name], shown[name][closed], f"{symbol} {interval} on tape")


async def until(condition: Callable[[], bool]) -> None:
    """Whatever it waits for takes seconds: only what hangs takes longer than work of many steps on a busy machine."""
    async with asyncio.timeout(WORK_S):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def opened(path: Path, commit_ms: int = 100, clock: Clock | None = None) -> Iterator[Tape]:
    """A tape in a file, closed at the end."""
    store = Tape.open(path, kind=TradeKind.AGG, clock=clock or SystemClock(), commit_ms=commit_ms)
    try:
        yield store
    finally:
        store.close()
