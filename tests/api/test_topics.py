from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec
import pytest

from pairscope.api import wire
from pairscope.api.mailbox import Mailbox
from pairscope.api.topics import RING, Pace, StatusTopic, Topic, Touched

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket


class Counting(Topic):
    """A topic whose messages are pings with their number for a time."""

    def tell(self, count: int = 1) -> None:
        for _ in range(count):
            self.publish(lambda seq: wire.Ping(now_ms=seq))

    def on_bars(self, touched: Touched) -> None: ...

    def pump(self, now_s: float) -> None: ...

    def snapshot(self, limit: int) -> str:
        return f"snapshot of {limit} at {self.seq}"

    def present(self) -> dict[str, str]:
        return {"bar": "present"}


class Follower:
    def __init__(self) -> None:
        self.mailbox = Mailbox(10_000, 10**9)

    async def read(self) -> list[str]:
        self.mailbox.keep("", "end", "end")
        messages = []
        while (message := await self.mailbox.next()) != "end":
            messages.append(message)
        return messages


def pings(*numbers: int) -> list[str]:
    return [f'{{"type":"ping","now_ms":{number}}}' for number in numbers]


async def test_a_new_client_gets_a_snapshot_and_then_numbered_messages() -> None:
    topic, follower = Counting("t", 100), Follower()
    topic.add(follower, limit=7, since=None)
    topic.tell(2)
    assert await follower.read() == ["snapshot of 7 at 100", *pings(101, 102)]


async def test_a_message_is_encoded_once_and_shared_by_all_clients() -> None:
    topic, followers = Counting("t", 0), [Follower(), Follower()]
    for follower in followers:
        topic.add(follower, 1, None)
        await follower.read()
    topic.tell()
    first, second = [await follower.mailbox.next() for follower in followers]
    assert first is second


@pytest.mark.parametrize("missed", [0, 1, RING])
async def test_a_client_that_missed_messages_still_held_gets_exactly_these_and_the_present(missed: int) -> None:
    topic, follower = Counting("t", 100), Follower()
    topic.tell(RING + 50)
    topic.add(follower, 7, since=topic.seq - missed)
    numbers = range(topic.seq - missed + 1, topic.seq + 1)
    assert await follower.read() == [*pings(*numbers), "present"]


@pytest.mark.parametrize("since", [0, 99, 101, 149, 751, 10**15, -1])
async def test_a_client_that_missed_more_or_counts_by_another_server_gets_a_snapshot(since: int) -> None:
    topic, follower = Counting("t", 100), Follower()
    topic.tell(RING + 50)
    topic.add(follower, 7, since=since)
    assert await follower.read() == ["snapshot of 7 at 750"]


async def test_a_client_that_subscribes_again_gets_no_message_twice() -> None:
    topic, follower = Counting("t", 100), Follower()
    topic.add(follower, 7, None)
    topic.tell(3)
    topic.add(follower, 7, since=101)
    assert await follower.read() == [*pings(102, 103), "present"]


async def test_starting_over_sends_each_client_a_snapshot_of_its_length_and_ends_resuming() -> None:
    topic, short, long = Counting("t", 100), Follower(), Follower()
    topic.add(short, 1, None)
    topic.add(long, 9, None)
    topic.tell(3)
    topic.start_over()
    assert await short.read() == ["snapshot of 1 at 104"]
    assert await long.read() == ["snapshot of 9 at 104"]
    topic.add(short, 1, since=103)
    assert await short.read() == ["snapshot of 1 at 104"]


async def test_a_client_that_left_is_told_nothing_more() -> None:
    topic, follower = Counting("t", 100), Follower()
    topic.add(follower, 1, None)
    topic.remove(follower)
    topic.tell()
    assert await follower.read() == []


def test_a_pace_keeps_to_its_rate_although_it_is_asked_at_odd_times() -> None:
    pace = Pace(0.1)
    allowed = [ms for ms in range(0, 10_000, 40) if pace.allows(ms / 1000)]
    assert 98 <= len(allowed) <= 101
    assert min(after - before for before, after in itertools.pairwise(allowed)) >= 80


def test_a_pace_lets_the_first_after_a_pause_through_at_once_and_no_burst_after_it() -> None:
    pace = Pace(0.125)
    assert pace.allows(5.0)
    assert not pace.allows(5.01)
    assert pace.allows(64.0)
    assert [step for step in range(24) if pace.allows(64.0 + step / 64)] == [4, 12, 20]


async def test_the_status_is_sent_each_second_and_only_the_newest_waits(new_market: MadeUpMarket) -> None:
    asked: list[wire.Status] = []

    def status() -> wire.Status:
        asked.append(new_market.status())
        return asked[-1]

    topic, follower = StatusTopic("status", 5, status), Follower()
    topic.pump(0.0)
    assert not asked  # nobody follows
    topic.add(follower, 1, None)
    for tenth in range(40):
        topic.pump(tenth / 10)
    assert 4 <= len(asked) <= 6
    messages = [msgspec.json.decode(text, type=wire.StatusMessage) for text in await follower.read()]
    assert [message.seq for message in messages] == [5, 5]  # the first, and the newest
