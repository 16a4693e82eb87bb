"""A process that is killed between outbox, send and mark-as-sent loses nothing, and repeats with the same id only.

The process is a copy of one that has loaded pairscope. It ends at once, as by `kill -9`, when it has come to a point so
many times; another one takes up its work, and ends one point later, until one comes to its end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from pairscope.alerts.outbox import Message, put
from pairscope.store.state import State
from tests import prepared
from tests.alerts.delivery.desk import KEY, START_MS, desk, notice
from tests.alerts.delivery.receiver import OK, Answer, Received, receiving
from tests.patience import COMMAND_S

MESSAGES = 24  # four more than go out one by one: the last one of the minute is a digest
KILLED = 86

# What is counted: begin and end of each transaction of the state database, and of each attempt.
CHILD = """
import asyncio, contextlib, os, sys
from pathlib import Path

from pairscope.alerts.delivery.delivery import deliver
from pairscope.alerts.delivery.webhook import WebhookSender
from pairscope.base.clock import SystemClock
from pairscope.base.settings import Settings
from pairscope.store.state import State

left = int(sys.argv[2])

def point():
    global left
    left -= 1
    if left == 0:
        os._exit(86)

change, send = State.change, WebhookSender.send

@contextlib.contextmanager
def changed(self):
    point()
    with change(self) as connection:
        yield connection
        point()
    point()

async def sent(self, letter):
    point()
    outcome = await send(self, letter)
    point()
    return outcome

State.change, WebhookSender.send = changed, sent

async def main():
    state = State.open(Path(sys.argv[1]) / "state.sqlite")
    delivery = deliver(state, Settings(alert_hosts_allowed=("127.0.0.1",)), SystemClock())
    task = asyncio.create_task(delivery.run())
    while state.rows("select 1 from outbox where state = 'waiting' limit 1"):
        await asyncio.sleep(0.002)
    task.cancel()

asyncio.run(main())
print(-left)
"""


def filled(folder: Path, url: str, channels: Sequence[str] = ("desk",), messages: int = MESSAGES) -> list[str]:
    """A state database with messages that wait, and their ids."""
    folder.mkdir(exist_ok=True)
    at_desk = desk(folder, state=State.open(folder / "state.sqlite"))
    for name in channels:
        at_desk.channels.add({"name": name, "kind": "webhook", "url": url, "secret": KEY})
    written = [
        Message(id=f"{name}-{number}", channel=name, made_ms=START_MS + number, notice=notice(number))
        for name in channels
        for number in range(messages)
    ]
    with at_desk.state.change() as connection:
        put(connection, written)
    at_desk.state.close()
    return [each.id for each in written]


async def life(folder: Path, point: int) -> tuple[int, str]:
    """One process, killed at a point of its own; its exit code and what it printed."""
    done = await asyncio.to_thread(prepared.run, "-c", CHILD, str(folder), str(point), seconds=COMMAND_S)
    assert done.returncode in (0, KILLED), done.stderr
    return done.returncode, done.stdout


async def killed_at(folder: Path, point: int, channels: Sequence[str] = ("desk",)) -> None:
    """Kill one process at the point, and let the next one live: everything has arrived, and what twice by its id."""
    async with receiving() as receiver:
        ids = filled(folder, receiver.url, channels)
        code, _ = await life(folder, point)
        if code == KILLED:
            await life(folder, 0)
        with State.open(folder / "state.sqlite") as state:
            rows = state.rows("select id, state, carried_by, body from outbox")
    fates = {number: fate for number, fate, _, _ in rows}
    carried = {number: digest for number, _, digest, _ in rows if digest}
    assert set(fates.values()) == {"sent"}, f"lost at point {point}"
    told = Counter(receiver.ids)
    for number in ids:
        assert told[carried.get(number, number)] in (1, 2), f"{number} at point {point}"
    assert set(told) <= set(fates), "nothing is sent that the outbox does not know"
    assert sum(told.values()) - len(told) <= len(channels), "a kill repeats what was on its way"
    assert len({each.body for each in receiver.received}) == len(told), "and the repetition is the same to the byte"


async def points_of_a_life(folder: Path, channels: Sequence[str] = ("desk",)) -> int:
    async with receiving() as receiver:
        filled(folder, receiver.url, channels)
        code, printed = await life(folder, 0)
    assert code == 0
    return int(printed)


@pytest.mark.skipif(not prepared.CAN_COPY, reason="each life would load pairscope by itself")
async def test_a_kill_at_any_of_some_points_loses_nothing_and_repeats_one_message_by_its_id(tmp_path: Path) -> None:
    points = await points_of_a_life(tmp_path / "whole")
    assert points > 90, "all of a life is counted"
    for point in sorted({*range(1, 12), *range(12, points, 6), *range(points - 2, points + 1)}):
        await killed_at(tmp_path / str(point), point)


@pytest.mark.slow
async def test_a_kill_at_any_point_of_two_channels_loses_nothing_and_repeats_by_the_id(tmp_path: Path) -> None:
    channels = ("desk", "other")
    points = await points_of_a_life(tmp_path / "whole", channels)
    assert points > 200
    for point in range(1, points + 1):
        await killed_at(tmp_path / str(point), point, channels)


@pytest.mark.skipif(not prepared.CAN_COPY, reason="each life would load pairscope by itself")
async def test_lives_that_each_end_a_little_later_than_the_last_deliver_everything_in_the_end(tmp_path: Path) -> None:
    """Also when the receiver refuses now and then; each life does a few steps more, and none begins anew."""
    count = Counter[str]()

    def answer(request: Received) -> Answer:
        count[request.id] += 1
        return OK if count[request.id] > 1 or request.told["number"] != 3 else Answer(500, [("Retry-After", "0")])

    async with receiving(answer) as receiver:
        ids = filled(tmp_path, receiver.url, messages=8)  # fewer than go out one by one, repetitions besides
        lives = 0
        while (await life(tmp_path, 9 + lives))[0] == KILLED:
            lives += 1
        with State.open(tmp_path / "state.sqlite") as state:
            fates = dict(state.rows("select id, state from outbox"))
            carried = dict(state.rows("select id, carried_by from outbox where carried_by is not null"))
    assert lives > 3
    assert set(fates.values()) == {"sent"}
    assert {carried.get(number, number) for number in ids} <= set(receiver.ids)
