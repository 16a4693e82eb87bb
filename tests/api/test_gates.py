from __future__ import annotations

import asyncio

import pytest

from pairscope.api.errors import Busy
from pairscope.api.gates import LONGEST_RETRY_S, Gate, SharedAnswers


def gate_of(at_once: int, waiting: int) -> Gate:
    return Gate("too many ask", "ask again", at_once=at_once, waiting=waiting)


async def test_few_have_a_turn_at_once_few_wait_and_the_rest_are_told_to_come_back() -> None:
    gate, may_end = gate_of(2, 1), asyncio.Event()
    inside = most_inside = 0

    async def read() -> None:
        nonlocal inside, most_inside
        async with gate.turn():
            inside += 1
            most_inside = max(most_inside, inside)
            await may_end.wait()
            inside -= 1

    reading = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.sleep(0)
    assert gate.waiting == 1
    with pytest.raises(Busy, match="too many ask") as refused:
        await read()
    assert 1 <= (refused.value.retry_after_s or 0) <= LONGEST_RETRY_S
    assert gate.refused == 1
    may_end.set()
    await asyncio.gather(*reading)
    assert most_inside == 2
    assert gate.waiting == 0
    await read()  # there is room again


async def test_a_turn_that_fails_leaves_its_place() -> None:
    gate = gate_of(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with gate.turn():
                raise ZeroDivisionError


async def test_one_that_is_cancelled_while_it_waits_leaves_its_place() -> None:
    gate, may_end = gate_of(1, 1), asyncio.Event()

    async def read() -> None:
        async with gate.turn():
            await may_end.wait()

    first, second = asyncio.create_task(read()), asyncio.create_task(read())
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    third = asyncio.create_task(read())
    may_end.set()
    await asyncio.gather(first, third)
    assert (gate.refused, gate.abandoned) == (0, 0)


async def test_all_who_wait_for_the_same_share_one_answer_that_was_begun_after_they_asked() -> None:
    shared = SharedAnswers(gate_of(1, 10))
    begun, may_end = 0, asyncio.Event()

    async def make() -> bytes:
        nonlocal begun
        begun += 1
        own = begun
        await may_end.wait()
        return b"%d" % own

    first = asyncio.create_task(shared.get("all", make))
    await asyncio.sleep(0)
    later = [asyncio.create_task(shared.get("all", make)) for _ in range(5)]
    other = asyncio.create_task(shared.get("other", make))
    await asyncio.sleep(0)
    may_end.set()
    assert await first == b"1"
    assert [await one for one in later] == [b"2"] * 5  # none of them the first: it was begun before they asked
    assert await other == b"3"
    assert await shared.get("all", make) == b"4"
