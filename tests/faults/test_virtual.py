"""The tool that the other tests of this folder stand on."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.virtual import Deadlock, VirtualClock, run_virtually


def test_a_day_of_sleep_is_leapt_over_and_timers_ring_in_order() -> None:
    rung: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        rung.append((name, asyncio.get_running_loop().time()))

    async def main() -> int:
        clock = VirtualClock(1_000)
        await asyncio.gather(sleeper("day", 86_400), sleeper("hour", 3_600), sleeper("second", 1))
        return clock.now_ns()

    assert run_virtually(main()) == 86_401 * 10**9
    assert rung == [("second", 1.0), ("hour", 3_600.0), ("day", 86_400.0)]


def test_the_wall_jumps_and_the_monotonic_time_does_not() -> None:
    async def main() -> tuple[int, float]:
        clock = VirtualClock(0)
        await asyncio.sleep(5)
        clock.jump(-3_600)
        return clock.now_ns(), clock.monotonic_s()

    assert run_virtually(main()) == (-3_595 * 10**9, 5.0)


def test_what_would_hang_for_ever_is_told() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtually(main())


def test_work_for_threads_is_done_at_once_and_its_errors_arrive() -> None:
    async def main() -> int:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return await asyncio.to_thread(sum, (1, 2))

    assert run_virtually(main()) == 3
