"""Ending tasks: cancelled, waited for, and without losing a cancellation of who waits."""

from __future__ import annotations

import asyncio
from typing import Any


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and return when all of them are over; what one of them failed with is raised.

    To wait by ``await task`` for a task one has cancelled, and to pass over the CancelledError that comes, also passes
    over the one that is meant for oneself: who was told to end at that moment goes on for ever. Here it is raised, once
    the tasks are over.
    """
    for task in tasks:
        task.cancel()
    told: asyncio.CancelledError | None = None
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            told = error
            for task in left:
                task.cancel()
    if told is not None:
        raise told
    for task in tasks:
        if not task.cancelled() and (failure := task.exception()) is not None:
            raise failure
