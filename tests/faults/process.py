"""One life of the program between the socket and the disk, as `pairscope.app` wires it, until it is killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import httpx
import numpy as np

from pairscope.bars.memory import BarMemory
from pairscope.base.clock import Clock
from pairscope.base.interval import Interval
from pairscope.base.model import TradeKind
from pairscope.base.notifier import Notifier
from pairscope.feed.backoff import Backoff
from pairscope.feed.binance.decoding import BurstDecoder
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judge, Judged
from pairscope.ingest.intake import Intake
from pairscope.ingest.repair.rest_backfill import Backfill
from tests.faults.tape import MemoryTape
from tests.judged import judge

INTERVALS = [Interval.parse(text) for text in ("5s", "1m")]
BARS_KEPT = 2_000


class Process:
    """Tracker, intake, bars, back-fill and budget on a tape; `given` counts the trades handed to the intake."""

    def __init__(self, tape: MemoryTape, clock: Clock, exchange: httpx.AsyncBaseTransport, rng: random.Random) -> None:
        symbols = tape.symbols
        self.tape = tape
        self.given = 0
        self.tracker = ContinuityTracker(symbols)
        self.memory = BarMemory(INTERVALS, BARS_KEPT)
        # The exchange has told its time, as `ClockCheck` asks for it: our own clock jumps by hours in some stories.
        told_ms = getattr(exchange, "now_ms", None)
        self._judge = judge(symbols, clock) if told_ms is None else Judge(symbols, told_ms)
        gaps_changed: Notifier[[]] = Notifier()
        self.intake = Intake(
            store=tape.as_store(),
            tracker=self.tracker,
            judge=self._judge,
            memory=self.memory,
            clock=clock,
            gaps_changed=gaps_changed,
        )
        self.rest = BinanceRest("http://exchange", clock, judge=self._judge, transport=exchange)
        self.backfill = Backfill(
            pages=self.rest,
            tracker=self.tracker,
            symbols=symbols,
            watched=list(symbols),
            take=self._take_all,
            obstructed=lambda gap: self.intake.keep_gaps([gap]),
            may_store=lambda: not tape.failing,
            backoff=Backoff(first_s=0.25, cap_s=60, rng=rng),
        )
        gaps_changed.listen(self.backfill.wake)
        self._decoder = BurstDecoder(TradeKind.AGG, symbols)
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.intake.restore()
        self._tasks = [asyncio.create_task(self.intake.revise_for_ever()), asyncio.create_task(self.backfill.run())]
        self.backfill.wake()

    def receive(self, frames: Sequence[bytes]) -> None:
        """A burst from the socket."""
        received_ns = np.full(len(frames), self._clock.now_ns(), np.int64)
        decoded = self._decoder.decode(frames, received_ns)
        assert decoded.frames == len(decoded.rows) + len(decoded.notes)
        if len(decoded.rows):
            self.given += len(decoded.rows)
            self.intake.take(self._judge.judge(decoded.rows))

    def _take_all(self, rows: Judged) -> bool:
        self.given += len(rows)
        return self.intake.take(rows)

    async def kill(self) -> None:
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        for outcome in outcomes:
            assert isinstance(outcome, asyncio.CancelledError), outcome
        self.assert_accounted()

    def assert_accounted(self) -> None:
        """Every trade that came in is somewhere, and none twice."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
        counters = self.intake.counters
        assert counters.received == self.given
        assert counters.received == counters.stored + counters.duplicates + counters.rejected + counters.refused
