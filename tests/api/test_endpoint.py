from __future__ import annotations

import asyncio

import pytest

from pairscope.api.endpoint import DiskGate
from pairscope.api.errors import Busy
from pairscope.api.routes import ENDPOINTS


async def test_few_read_the_disk_at_once_few_wait_and_the_rest_are_told_to_come_back() -> None:
    gate, may_end = DiskGate(at_once=2, waiting=1), asyncio.Event()
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
    with pytest.raises(Busy):
        await read()
    assert gate.refused == 1
    may_end.set()
    await asyncio.gather(*reading)
    assert most_inside == 2
    await read()  # there is room again


async def test_a_reader_that_fails_leaves_its_place() -> None:
    gate = DiskGate(at_once=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with gate.turn():
                raise ZeroDivisionError


def test_no_two_parameters_of_an_endpoint_share_a_name() -> None:
    for endpoint in ENDPOINTS:
        names = [name for one in endpoint.parameters for name in (one.name, *one.aliases)]
        assert len(names) == len(set(names))
