"""Ending a task never loses what is said to who waits for it."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import pairscope
from pairscope.base.tasks import comes, end

SOURCE = Path(pairscope.__file__).parent


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
    await asyncio.sleep(0)
    assert not task.done()
    may_go.set()
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


async def test_an_event_that_comes_is_told_from_one_that_does_not() -> None:
    event = asyncio.Event()
    assert not await comes(event, within_s=0.01)
    event.set()
    assert await comes(event, within_s=0.01)


async def test_who_is_told_to_end_at_the_moment_an_event_comes_ends() -> None:
    event = asyncio.Event()
    task = asyncio.create_task(comes(event, within_s=60))
    await asyncio.sleep(0)
    event.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def _passes_over(tree: ast.AST) -> Iterator[int]:
    """Lines where a CancelledError is caught and not raised again."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            if any(map(_holds_a_cancellation, node.args)):
                yield node.lineno
        elif isinstance(node, ast.ExceptHandler):
            is_broad = node.type is None or _holds_a_cancellation(node.type)
            if is_broad and not isinstance(node.body[-1], ast.Raise):
                yield node.lineno


def _holds_a_cancellation(caught: ast.expr) -> bool:
    names = {getattr(each, "attr", getattr(each, "id", "")) for each in ast.walk(caught)}
    return not names.isdisjoint({"CancelledError", "BaseException"})


# The edges: a task that keeps what it was told and raises it later, and the program itself, which was told by a signal.
KEPT = {"base/tasks.py", "cli/ending.py"}


def test_no_module_passes_over_a_cancellation() -> None:
    found = {
        f"{path.relative_to(SOURCE).as_posix()}:{line}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line in _passes_over(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert {each for each in found if each.partition(":")[0] not in KEPT} == set()


def test_what_passes_over_a_cancellation_is_found() -> None:
    text = "with suppress(A, asyncio.CancelledError):\n    f()\ntry:\n    f()\nexcept:\n    pass\n"
    text += "".join(
        f"try:\n    f()\nexcept {caught}:\n    pass\n" for caught in ("(A, BaseException)", "CancelledError")
    )
    text += "with contextlib.suppress(BaseException):\n    f()\n"
    assert sorted(_passes_over(ast.parse(text))) == [1, 5, 9, 13, 15]


def test_what_hands_a_cancellation_on_is_not() -> None:
    text = "try:\n    f()\nexcept BaseException:\n    g()\n    raise\nexcept (ValueError, OSError):\n    pass\n"
    assert list(_passes_over(ast.parse(text))) == []
