"""Work in a thread of its own: done to its end, or left when it takes too long."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pairscope.base.tasks import end
from pairscope.base.threads import apart, given_up_after
from tests.patience import EVENT_S


async def test_what_the_work_gives_or_fails_with_comes_back() -> None:
    assert await given_up_after(EVENT_S, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await given_up_after(EVENT_S, lambda: 1 // 0)


async def test_work_that_takes_too_long_is_left_to_itself_and_keeps_no_process_alive() -> None:
    goes_on, ended, daemon = threading.Event(), threading.Event(), []

    def work() -> None:
        daemon.append(threading.current_thread().daemon)
        goes_on.wait()
        ended.set()

    with pytest.raises(TimeoutError):
        await given_up_after(0.01, work)
    assert daemon == [True]
    goes_on.set()
    assert await asyncio.to_thread(ended.wait, EVENT_S), "what it gives then is nobody's"


async def test_who_waits_can_be_cancelled_while_the_work_goes_on() -> None:
    goes_on = threading.Event()
    waiting = asyncio.create_task(given_up_after(EVENT_S, goes_on.wait))
    await asyncio.sleep(0)
    await end(waiting)
    assert waiting.cancelled()
    goes_on.set()


async def test_work_apart_is_done_before_a_cancellation_is_heard() -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return goes_on.wait()

    waiting = asyncio.create_task(apart(work))
    await asyncio.to_thread(begun.wait, EVENT_S)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    goes_on.set()
    await end(waiting)
