"""Killed after the n-th put, for every n; and killed once more after the m-th put of the recovery."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.faults.process import Process
from tests.faults.scripted import RestManners, ScriptedRest
from tests.faults.tape import MemoryTape
from tests.faults.truth import Truth, invented
from tests.faults.verdict import assert_tape_is_true
from tests.faults.virtual import VirtualClock, run_virtually

START_MS = 1_790_000_000_000
SPAN_MS = 600_000


class World:
    """Two symbols and an exchange that serves everything; what they send is told burst by burst."""

    def __init__(self) -> None:
        rng = random.Random(3)
        self.truths = {name: invented(name, 400, START_MS, START_MS + SPAN_MS, rng) for name in ("AUSDT", "BUSDT")}
        self.clock = VirtualClock(START_MS + SPAN_MS)
        self.rest = ScriptedRest(
            self.truths, lambda: self.clock.now_ns() // 1_000_000, RestManners(), rng, lambda *facts: None
        )

    def start(self, tape: MemoryTape) -> Process:
        process = Process(tape, self.clock, self.rest, random.Random(1))
        process.start()
        return process

    def frames(self, truth: Truth, *places: int) -> list[bytes]:
        return [truth.frame(truth.first_id + place) for place in places]

    async def first_life(self) -> MemoryTape:
        """Holes filled by the stream and by REST, disorder, and trades that are late without leaving a hole."""
        process = self.start(MemoryTape(list(self.truths)))
        a, b = self.truths.values()
        for burst in (
            self.frames(a, *range(50)) + self.frames(b, *range(50)),
            self.frames(a, *range(80, 120)),  # a hole that REST fills
            self.frames(b, *range(50, 60), *range(70, 100), *range(60, 70)),  # disorder within a burst
        ):
            process.receive(burst)
            await asyncio.sleep(1)
        process.receive(self.frames(a, *range(120, 200)))  # closes the bars of b
        process.receive(self.frames(b, *range(100, 160)))  # in the order of its ids, and late for its bars
        await asyncio.sleep(0.01)
        process.receive(self.frames(a, *range(210, 220), 205, *range(230, 260)))  # holes, and the kill may come now
        await asyncio.sleep(1)
        await process.kill()
        return process.tape

    async def next_life(self, tape: MemoryTape) -> Process:
        """Go on with the last trades and wait until everything is there."""
        process = self.start(tape)
        for truth in self.truths.values():
            process.receive(self.frames(truth, *range(300, 400)))
        while process.backfill.waiting:
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        return process

    async def assert_recovers(self, tape: MemoryTape) -> MemoryTape:
        process = await self.next_life(tape)
        for truth in self.truths.values():
            assert_tape_is_true(process, truth)
        await process.kill()
        return process.tape


def test_a_kill_after_any_put_is_recovered_from() -> None:
    async def main() -> int:
        world = World()
        whole = await world.first_life()
        for puts in range(whole.puts + 1):
            await world.assert_recovers(whole.after(puts))
        return whole.puts

    assert run_virtually(main()) > 20


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_after_any_put_of_the_recovery_is_recovered_from_too(step: int) -> None:
    """By a step of several, each first kill has other second ones."""

    async def main() -> None:
        world = World()
        whole = await world.first_life()
        for puts in range(whole.puts + 1):
            recovered = await world.assert_recovers(whole.after(puts))
            for again in range(puts + puts % step, recovered.puts, step):
                await world.assert_recovers(recovered.after(again))

    run_virtually(main())
