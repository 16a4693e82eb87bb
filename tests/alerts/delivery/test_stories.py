"""Random lives of a delivery: receivers that come and go, channels that change, restarts, clocks that are set.

Whatever happens, in the end each message was accepted or lies among the dead letters, none was marked as sent that
nobody accepted, and no channel got more in a minute than it may.
"""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import pytest

from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channel import Webhook
from pairscope.alerts.delivery.channels import Channels
from pairscope.alerts.delivery.delivery import Delivery
from pairscope.alerts.delivery.letter import Letter
from pairscope.alerts.delivery.letters import Letters
from pairscope.alerts.delivery.outcome import SENT, Outcome
from pairscope.base.clock import ManualClock
from pairscope.store.state import State
from tests.alerts.delivery.desk import HOUR_S, START_MS, Desk

NAMES = ("a", "b", "c")
STORIES = 12
MANY_STORIES = 200


class Receivers:
    """What is at the other end of each channel, changed by the story; it remembers what it accepted, and when."""

    def __init__(self, clock: ManualClock, rng: random.Random) -> None:
        self.clock, self.rng = clock, rng
        self.failing = dict.fromkeys(NAMES, 0.0)  # the chance that one refuses
        self.accepted: set[str] = set()
        self.times_s: dict[str, list[float]] = defaultdict(list)

    async def send(self, letter: Letter) -> Outcome:
        self.times_s[letter.channel].append(self.clock.monotonic_s())
        if self.rng.random() < self.failing[letter.channel]:
            return self.rng.choice(
                [Outcome("it answered 500"), Outcome("it answered 429", retry_after_s=self.rng.choice([1, 600, 7_200]))]
            )
        self.accepted.add(letter.id)
        if self.rng.random() < 0.1:
            return Outcome("no answer in time")  # it has it, and the answer was lost
        return SENT


async def story(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    clock, state = ManualClock(START_MS), State.open(folder / f"{seed}.sqlite")
    receivers = Receivers(clock, rng)
    written: set[str] = set()

    def begun() -> Desk:
        channels = Channels(state, clock, Destinations())
        made = Delivery(Letters(state, clock, rng), channels, {Webhook: receivers}, clock)
        return Desk(state, clock, made, channels)

    desk = begun()
    for name in NAMES:
        desk.webhook(name, "http://hooks.example/")
    for _ in range(4):
        async with desk.running():
            for _step in range(rng.randint(1, 6)):
                name = rng.choice(NAMES)
                match rng.randint(0, 9):
                    case 0:
                        desk.channels.switch(name, rng.random() < 0.5)
                    case 1:
                        dead = [each.id for each in desk.delivery.letters(state="dead", channel=name, limit=1_000)]
                        desk.delivery.replay(rng.sample(dead, rng.randint(0, len(dead))))
                    case 2 | 3:
                        receivers.failing[name] = rng.choice([0.0, 0.3, 1.0])
                    case 4:
                        clock.set_wall(clock.now_ns() // 1_000_000 + rng.choice([-7_200_000, 7_200_000]))
                    case _:
                        first = len(written)
                        written |= {*desk.put(name, range(first, first + rng.choice([1, 5, 60])))}
                await desk.pass_time(rng.choice([0.5, 30, 900, 6 * HOUR_S]))
        clock.advance(rng.choice([0.1, 10, 30 * HOUR_S]))
        desk = begun()
    async with desk.running():
        await desk.pass_time(130 * HOUR_S)
    fates = dict(state.rows("select id, state from outbox"))
    carried = dict(state.rows("select id, carried_by from outbox where carried_by is not null"))
    assert written <= set(fates), "nothing is lost"
    assert set(fates.values()) <= {"sent", "dead"}, "nothing waits for ever"
    unheard = {
        each for each, fate in fates.items() if fate == "sent" and carried.get(each, each) not in receivers.accepted
    }
    assert not unheard, "what is marked as sent was accepted"
    for name, times_s in receivers.times_s.items():
        most = max(sum(start <= each < start + 60 for each in times_s) for start in times_s)
        # A process knows of one before it what the outbox says: of a message that was tried twice, the last time.
        assert most <= 20 + 5, f"{most} messages went to {name} within a minute"
    state.close()


@pytest.mark.parametrize("seed", range(STORIES))
async def test_in_a_random_life_nothing_is_lost_and_nothing_waits_for_ever(tmp_path: Path, seed: int) -> None:
    await story(tmp_path, seed)


@pytest.mark.slow
async def test_in_many_random_lives_nothing_is_lost_and_nothing_waits_for_ever(tmp_path: Path) -> None:
    for seed in range(STORIES, MANY_STORIES):
        await story(tmp_path, seed)
