"""The wall clock may jump: bars know only the exchange's time."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from pairscope.bars.memory import BarMemory
from pairscope.base.clock import ManualClock
from pairscope.base.model import BarArray, Gap
from pairscope.feed.continuity import ContinuityTracker
from pairscope.ingest.intake import Intake
from tests.faults.process import INTERVALS
from tests.faults.tape import MemoryTape
from tests.faults.truth import Truth, invented
from tests.judged import judge, judged

START_MS = 1_790_000_000_000
BURSTS = 1_000


def recorded(truth: Truth, jumps: random.Random | None) -> tuple[list[BarArray], list[Gap]]:
    """Bars and gaps of one recording with holes, the clock jumping by up to an hour before each burst."""
    tape = MemoryTape([truth.symbol])
    clock, memory = ManualClock(START_MS), BarMemory(INTERVALS, 5_000)
    tracker = ContinuityTracker(tape.symbols)
    intake = Intake(store=tape.as_store(), tracker=tracker, judge=judge(tape.symbols), memory=memory, clock=clock)
    ids = np.arange(truth.first_id, truth.last_id + 1)
    for number, part in enumerate(np.array_split(ids, BURSTS)):
        clock.advance(3.6)
        if jumps is not None:
            clock.set_wall(clock.now_ns() // 1_000_000 + jumps.randint(-3_600_000, 3_600_000))
        if number % 50 != 7:  # these are lost
            batch = truth.without(np.empty((0, 2), np.int64), 0, int(part[0]), int(part[-1]) + 1)
            assert intake.take(judged(batch))
    return [memory.series(0, interval).tail(5_000).copy() for interval in INTERVALS], tape.gaps()


async def test_a_thousand_jumps_of_the_wall_clock_change_no_bar_and_no_gap() -> None:
    truth = invented("BTCUSDT", 20_000, START_MS, START_MS + 3_600_000, random.Random(4))
    bars, gaps = recorded(truth, None)
    jumped_bars, jumped_gaps = recorded(truth, random.Random(5))
    for steady, jumped in zip(bars, jumped_bars, strict=True):
        assert steady.tobytes() == jumped.tobytes()
    assert len(gaps) == BURSTS // 50
    assert [replace(gap, found_ms=0) for gap in gaps] == [replace(gap, found_ms=0) for gap in jumped_gaps]
