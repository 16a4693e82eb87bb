"""Work in a thread of its own, for what must be done even when every thread of the pool is busy, and to its end."""

from __future__ import annotations

import asyncio
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
