from __future__ import annotations

import asyncio
import threading

import pytest

from pairscope.live.workers import Abandoned, Check, Workers
from tests.patience import EVENT_S


async def test_work_that_nobody_waits_for_ends_at_its_next_check() -> None:
    workers = Workers("test", 1)
    loop = asyncio.get_running_loop()
    began, go_on, ended = asyncio.Event(), threading.Event(), asyncio.Event()
    done = 0

    def work(check: Check) -> None:
        nonlocal done
        loop.call_soon_threadsafe(began.set)
        go_on.wait()
        try:
            check()
            done += 1
        except Abandoned:
            loop.call_soon_threadsafe(ended.set)
            raise

    task = asyncio.create_task(workers.run(work))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    async with asyncio.timeout(EVENT_S):
        await ended.wait()
    assert done == 0
    workers.close()


async def test_work_that_has_not_begun_never_does_when_nobody_waits_for_it() -> None:
    workers = Workers("test", 1)
    go_on, begun = threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        go_on.wait()
        return number

    first = asyncio.create_task(workers.run(lambda _: work(1)))
    second = asyncio.create_task(workers.run(lambda _: work(2)))
    await asyncio.sleep(0)
    second.cancel()
    third = asyncio.create_task(workers.run(lambda _: work(3)))
    await asyncio.sleep(0)
    go_on.set()
    assert list(await asyncio.gather(first, third)) == [1, 3]
    assert begun == [1, 3]
    workers.close()


async def test_work_that_is_waited_for_is_not_told_to_end_but_by_closing() -> None:
    workers = Workers("test", 1)
    loop = asyncio.get_running_loop()
    began, go_on = asyncio.Event(), threading.Event()

    def work(check: Check) -> str:
        check()
        loop.call_soon_threadsafe(began.set)
        go_on.wait()
        check()
        return "all of it"

    task = asyncio.create_task(workers.run(work))
    await began.wait()
    workers.close()
    go_on.set()
    with pytest.raises(Abandoned):
        await task
