"""GARCH fits behind the scenes, with the real process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from pairscope.analytics.garch import GarchFit, MissingLibrary, fit_garch
from pairscope.base.clock import ManualClock
from pairscope.base.interval import Interval
from pairscope.base.model import FloatArray
from pairscope.live.garch import OLD, REFIT_S, GarchDesk, GarchProcess
from tests.patience import ANSWER_S, STOP_S

SECOND = Interval(1_000)


def returns(seed: int = 1, count: int = 600) -> FloatArray:
    """A GARCH(1,1) path."""
    rng = np.random.default_rng(seed)
    found, variance = np.empty(count), 1.0
    for i, shock in enumerate(rng.normal(size=count)):
        found[i] = np.sqrt(variance) * shock
        variance = 0.1 + 0.1 * found[i] ** 2 + 0.8 * variance
    return found * 1e-4


class Inputs:
    """The returns of a market, and how often they were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self) -> tuple[FloatArray, int]:
        self.asked += 1
        return returns(self.asked), 1_000 * self.asked


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_790_000_000_000)


@pytest.fixture
async def process() -> AsyncIterator[GarchProcess]:
    process = GarchProcess()
    yield process
    process.stop()


async def test_the_fit_of_the_process_is_the_fit_of_the_function(process: GarchProcess) -> None:
    pytest.importorskip("arch")
    assert await process.fit(returns()) == fit_garch(returns())


async def test_a_process_that_was_killed_is_replaced(process: GarchProcess) -> None:
    pytest.importorskip("arch")
    before = await process.fit(returns())
    pool = process._pool
    assert pool is not None
    for pid in list(pool._processes):
        os.kill(pid, signal.SIGKILL)
    assert await process.fit(returns()) == before


PARENT = """
import asyncio, time
import numpy as np
from pairscope.live.garch import GarchProcess

if __name__ == "__main__":
    process = GarchProcess()
    asyncio.run(process.fit(np.zeros(3)))
    print(*process._pool._processes, flush=True)
    time.sleep(60)
"""


def test_the_process_ends_with_the_one_that_started_it_even_when_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=STOP_S)


async def test_the_first_fit_is_waited_for_and_later_ones_are_made_behind_the_scenes(
    clock: ManualClock, process: GarchProcess
) -> None:
    pytest.importorskip("arch")
    desk, inputs = GarchDesk(clock, process), Inputs()
    first = await desk.fitted("BTCUSDT", SECOND, inputs)
    assert first is not None
    assert (first.fit.converged, first.as_of_ms) == (True, 1_000)
    assert await desk.fitted("BTCUSDT", SECOND, inputs) is first
    assert inputs.asked == 1
    clock.advance(REFIT_S)
    assert await desk.fitted("BTCUSDT", SECOND, inputs) is first  # the old one, at once
    async with asyncio.timeout(ANSWER_S):
        while (newer := await desk.fitted("BTCUSDT", SECOND, inputs)) is first:
            await asyncio.sleep(0.01)
    assert newer is not None
    assert (newer.as_of_ms, inputs.asked) == (2_000, 2)


async def test_a_fit_of_a_long_bar_is_as_good_as_its_bar_is_long(clock: ManualClock) -> None:
    desk, inputs = GarchDesk(clock, Instant()), Inputs()
    first = await desk.fitted("BTCUSDT", Interval(60_000), inputs)
    clock.advance(59.0)
    assert await desk.fitted("BTCUSDT", Interval(60_000), inputs) is first
    assert inputs.asked == 1


async def test_a_fit_that_nobody_asked_about_for_long_is_made_anew_before_it_is_told(clock: ManualClock) -> None:
    desk, inputs = GarchDesk(clock, Instant()), Inputs()
    first = await desk.fitted("BTCUSDT", SECOND, inputs)
    clock.advance(OLD * REFIT_S)
    newer = await desk.fitted("BTCUSDT", SECOND, inputs)
    assert first is not None
    assert newer is not None
    assert newer.as_of_ms > first.as_of_ms


async def test_several_who_ask_at_once_share_one_fit(clock: ManualClock) -> None:
    desk, inputs = GarchDesk(clock, Instant()), Inputs()
    found = await asyncio.gather(*(desk.fitted("BTCUSDT", SECOND, inputs) for _ in range(5)))
    assert inputs.asked == 1
    assert all(one is found[0] for one in found)


async def test_without_the_library_there_is_no_fit_and_nobody_asks_again(clock: ManualClock) -> None:
    process = Instant(MissingLibrary("GARCH needs the package arch", cure="install it"))
    desk = GarchDesk(clock, process)
    for _ in range(3):
        assert await desk.fitted("BTCUSDT", SECOND, Inputs()) is None
    assert process.fits == 1


class Instant(GarchProcess):
    """Fits in no time, or cannot."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.fits = 0
        self._error = error

    async def fit(self, returns: FloatArray) -> GarchFit:
        self.fits += 1
        if self._error:
            raise self._error
        return GarchFit(len(returns), 1.0, 0.1, 0.8, -1.0, 1e-4, 1e-4, converged=True, message="")
