"""Waiting for tasks and events without losing a cancellation of who waits."""

from __future__ import annotations

import asyncio
from typing import Any


async def over(*tasks: asyncio.Future[Any]) -> None:
    """Return when all are over, whatever became of them; a cancellation meanwhile is raised then, and not before."""
    told: asyncio.CancelledError | None = None
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            told = error
    if told is not None:
        raise told


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and return when all of them are over; what one of them failed with is raised.

    To wait by ``await task`` for a task one has cancelled, and to pass over the CancelledError that comes, also passes
    over the one that is meant for oneself: who was told to end at that moment goes on for ever. Here it is raised, once
    the tasks are over.
    """
    for task in tasks:
        task.cancel()
    await over(*tasks)
    for task in tasks:
        if not task.cancelled() and (failure := task.exception()) is not None:
            raise failure


async def comes(event: asyncio.Event, within_s: float) -> bool:
    """Whether an event is set before so long is over.

    Not by ``asyncio.wait_for``, which up to Python 3.11 gives the result to a task that was cancelled as it came.
    """
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
