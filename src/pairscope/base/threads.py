"""Work in a thread of its own, for what must be done even when every thread of the pool is busy, and to its end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from pairscope.base.tasks import over

T = TypeVar("T")


async def apart(work: Callable[[], T]) -> T:
    """Do the work in a thread of its own; when cancelled, first let it end."""
    doing = _started(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await over(doing)
        raise


async def opened_apart(open_it: Callable[[], T], close: Callable[[T], object]) -> T:
    """Open something in a thread of its own; when cancelled meanwhile, it is closed again."""
    doing = _started(open_it)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        try:
            await over(doing)
        finally:
            if doing.exception() is None:
                await apart(partial(close, doing.result()))
        raise


def _started(work: Callable[[], T]) -> asyncio.Future[T]:
    pool = ThreadPoolExecutor(1)
    doing = asyncio.get_running_loop().run_in_executor(pool, work)
    pool.shutdown(wait=False)
    return doing


async def given_up_after(seconds: float, work: Callable[[], T]) -> T:
    """Do the work in a thread that nobody waits for beyond so many seconds, at the end of the process neither.

    For libraries that wait for the network and cannot be told to stop: what they do after that is nobody's business.

    Raises:
        TimeoutError: when it is not done by then; the thread goes on until its own limits end it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(result: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(lambda: None if done.done() else result())

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits
            failure = error
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(result))

    threading.Thread(target=run, name="given-up", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done
