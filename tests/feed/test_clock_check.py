from __future__ import annotations

import pytest

from pairscope.base.clock import ManualClock
from pairscope.base.errors import FeedUnavailable
from pairscope.feed.clock_check import ClockCheck

START_MS = 1_790_000_000_000
HOUR_S = 3_600.0


async def _silent() -> int:
    raise FeedUnavailable("nobody answers")


async def test_while_the_exchange_has_not_told_its_time_a_clock_that_is_set_back_refuses_no_trade() -> None:
    clock = ManualClock(START_MS)
    check = ClockCheck(_silent, clock)
    assert not await check.measure()
    clock.advance(60)
    clock.set_wall(START_MS - 5 * 3_600_000)
    clock.advance(60)
    assert check.latest_ms() == START_MS + 120_000
    clock.set_wall(START_MS + 9_000_000)
    assert check.latest_ms() == START_MS + 9_000_000


@pytest.mark.parametrize("off_s", [-8 * HOUR_S, 0.0, 8 * HOUR_S])
async def test_once_it_has_told_its_time_that_is_what_counts_whatever_our_clock_says(off_s: float) -> None:
    clock = ManualClock(START_MS)
    true_ms = START_MS - round(off_s * 1_000)

    async def ask() -> int:
        return true_ms

    check = ClockCheck(ask, clock)
    assert await check.measure()
    clock.advance(10)
    clock.set_wall(START_MS + 77_000_000)
    clock.advance(10)
    assert check.latest_ms() == true_ms + 20_000


async def test_it_is_told_when_times_were_judged_by_another_time_than_the_exchange_s() -> None:
    clock, off_ms, told = ManualClock(START_MS), [0], []

    async def ask() -> int:
        return clock.now_ns() // 1_000_000 - off_ms[0]

    check = ClockCheck(ask, clock, lambda: told.append(off_ms[0]))
    for off_ms[0] in (0, 900, 0, 5_000, 5_000, -20_000):
        clock.advance(600)
        assert await check.measure()
    assert told == [0, 5_000, -20_000]  # the first was judged by our own clock
    clock.set_wall(START_MS - 7_200_000)  # our own clock jumps: known without asking
    off_ms[0] += (clock.now_ns() // 1_000_000) - (START_MS + 6 * 600_000)
    assert await check.measure()
    assert len(told) == 3


async def test_while_nobody_answers_nothing_is_corrected() -> None:
    told: list[None] = []
    check = ClockCheck(_silent, ManualClock(START_MS), lambda: told.append(None))
    assert not await check.measure()
    assert told == []
