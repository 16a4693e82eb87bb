"""Ending a task never loses what is said to who waits for it."""

from __future__ import annotations

import asyncio

import pytest

from pairscope.base.tasks import end


async def test_a_task_is_over_when_it_was_ended() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end(task)
    assert task.cancelled()
    assert cleaned == ["up"]
    await end(task)  # once more is nothing


async def test_who_is_told_to_end_while_it_ends_another_ends_too_and_not_before_it() -> None:
    began, may_go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            began.set()
            await may_go.wait()
            raise

    inner = asyncio.create_task(slow())
    passed: list[str] = []

    async def outer() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            await end(inner)
        passed.append("went on as if nothing had been said")

    task = asyncio.create_task(outer())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner.done()
    assert passed == []


async def test_what_a_task_failed_with_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("a fault")

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="a fault"):
        await end(task)
