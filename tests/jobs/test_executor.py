"""The same function gives the same wherever it runs; what it raises, and its end, reach who asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pairscope.base.errors import SettingsError
from pairscope.jobs.executor import Executor, InProcess
from pairscope.jobs.workers import WorkerProcesses
from tests.jobs import works


@pytest.fixture(params=[InProcess, WorkerProcesses])
def executor(request: pytest.FixtureRequest) -> Executor:
    made: Executor = request.param()
    return made


def nothing(share: float, words: str) -> None:
    pass


async def test_a_function_gives_its_result_and_tells_how_far_it_is(executor: Executor) -> None:
    told: list[tuple[float, str]] = []
    assert await executor.run(works.add, 3, 4, progress=lambda *each: told.append(each)) == 7
    await asyncio.sleep(0)
    assert told == [(0.5, "half way")]


async def test_what_a_function_raises_is_raised_whole(executor: Executor) -> None:
    with pytest.raises(SettingsError, match="no") as told:
        await executor.run(works.refuse, progress=nothing)
    assert (told.value.cure, told.value.code) == ("yes", "settings")
    with pytest.raises(ValueError, match="a fault"):
        await executor.run(works.crash, progress=nothing)


async def test_a_large_result_comes_whole(executor: Executor) -> None:
    assert await executor.run(works.large, 5_000_000, progress=nothing) == bytes(5_000_000)


async def test_work_that_is_cancelled_ends(executor: Executor, tmp_path: Path) -> None:
    began = asyncio.Event()
    work = asyncio.ensure_future(executor.run(works.wait_for, str(tmp_path / "never"), progress=lambda *_: began.set()))
    await began.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
