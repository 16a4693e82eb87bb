"""A lane in virtual time, on connections without a socket."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pairscope.feed.binance.connection import Frames
from pairscope.feed.binance.managed_connection import ConnectionOptions, ManagedConnection
from tests.faults.virtual import VirtualClock, run_virtually
from tests.faults.wire import Switchboard


class Road:
    """A lane that runs, and the exchange at its other end; a trade comes every `gap_s`, by chance when that is long."""

    def __init__(self, gap_s: float | None, **options: float) -> None:
        self.exchange = Switchboard()
        self.clock = VirtualClock(0)
        self.asleep_s = 0.0  # for which the process stood still
        self.lane = ManagedConnection(
            ["btcusdt@aggTrade"],
            connect=self.exchange.connect,
            flush=lambda lane: None,
            changed=lambda: None,
            clock=self.clock,
            options=ConnectionOptions(**options),
            rng=random.Random(1),
            awake_s=self.awake_s,
        )
        self.heard_s: list[float] = []
        self._gap_s, self._regular = gap_s, gap_s is None or gap_s < 1
        self._rng = random.Random(2)

    def awake_s(self) -> float:
        return self.clock.monotonic_s() - self.asleep_s

    async def stand_still(self, seconds: float) -> None:
        """Nothing is heard meanwhile; who looks at the silence does so at moments of it too."""
        gap_s, self._gap_s = self._gap_s, None
        until_s, awake_s = self.clock.monotonic_s() + seconds, self.awake_s()
        while self.clock.monotonic_s() < until_s:
            await asyncio.sleep(0.05)
            self.asleep_s = self.clock.monotonic_s() - awake_s
        self._gap_s = gap_s

    async def trade(self) -> None:
        while self._gap_s is not None:
            await asyncio.sleep(self._gap_s if self._regular else self._rng.expovariate(1 / self._gap_s))
            self.exchange.deliver([b"trade"])
            frames, _ = self.lane.frames.take()
            if frames.count(b"trade"):
                self.heard_s.append(self.clock.monotonic_s())
                self.lane.heard(frames.count(b"trade"), self.awake_s())

    async def drive(self, story: Callable[[Road], Awaitable[None]]) -> None:
        tasks = [asyncio.create_task(self.lane.run()), asyncio.create_task(self.trade())]
        await story(self)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def longest_silence_s(self) -> float:
        return max(b - a for a, b in zip(self.heard_s, self.heard_s[1:], strict=False))


def told(story: Callable[[Road], Awaitable[None]], gap_s: float | None = 0.1, **options: float) -> Road:
    async def main() -> Road:
        road = Road(gap_s, **options)
        await road.drive(story)
        return road

    return run_virtually(main())


def test_only_a_delivered_trade_resets_the_pause_between_tries() -> None:
    async def story(road: Road) -> None:
        road.exchange.deaf = True
        await asyncio.sleep(600)
        road.exchange.deaf = False
        await asyncio.sleep(120)
        assert road.lane.state == "live"
        road.exchange.open[0].end("dropped")
        dropped_s.append(road.clock.monotonic_s())
        await asyncio.sleep(30)

    dropped_s: list[float] = []
    road = told(story, never_heard_s=1.0, stale_s=0.5)
    pauses = road.exchange.gaps_s()[:-1]
    assert pauses[0] < 3 < 15 < max(pauses) < 33
    assert road.exchange.tried_s[-1] - dropped_s[0] < 1


def test_no_pause_between_tries_is_longer_than_the_longest() -> None:
    async def story(road: Road) -> None:
        road.exchange.refusing = True
        await asyncio.sleep(60)

    pauses = told(story, longest_retry_s=2.0).exchange.gaps_s()
    assert len(pauses) > 25
    assert 1 < max(pauses) < 2.1


def test_a_stall_with_pings_answered_is_noticed_within_five_seconds() -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(120)
        road.exchange.deaf = True  # whatever comes next is silent too
        road._gap_s = None
        await asyncio.sleep(6)

    road = told(story)
    assert "no trade for" in (road.lane.last_error or "")
    assert road.exchange.tried_s[1] - road.heard_s[-1] < 5 + 1.5


def test_a_process_that_stood_still_blames_no_connection() -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(60)
        await road.stand_still(30)
        going_on = asyncio.create_task(road.trade())
        await asyncio.sleep(10)
        going_on.cancel()

    road = told(story)
    assert road.longest_silence_s() > 30
    assert len(road.exchange.tried_s) == 1
    assert (road.lane.state, road.lane.last_error) == ("live", None)


def test_a_quiet_market_is_not_taken_for_a_stall() -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(4 * 3_600)

    road = told(story, 4.0)
    assert 20 < road.longest_silence_s() < 60
    assert len(road.exchange.made) == 1


def test_the_new_connection_is_heard_before_the_old_one_is_closed() -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(100 * 60)

    road = told(story, rotate_s=600.0)
    assert road.lane.rotations == 9
    assert road.longest_silence_s() < 0.2
    assert road.lane.reconnects == 0


def test_a_new_connection_that_hears_nothing_does_not_cost_the_old_one() -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(500)
        road.exchange.deaf = True
        await asyncio.sleep(500)
        assert road.lane.rotations == 0
        road.exchange.deaf = False
        await asyncio.sleep(120)

    road = told(story, rotate_s=600.0)
    assert road.lane.rotations == 1
    assert road.longest_silence_s() < 0.2
    assert road.lane.reconnects == 0
    assert len(road.exchange.made) > 3


@pytest.mark.parametrize("ends", [0, 1])
def test_one_of_two_connections_may_die_while_they_overlap(ends: int) -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(601)
        assert len(road.exchange.open) == 2
        road.exchange.made[ends].end("dropped")
        await asyncio.sleep(60)

    road = told(story, rotate_s=600.0)
    assert road.longest_silence_s() < 1.0
    assert road.lane.state == "live"
    assert len(road.exchange.made) in (2, 3)


def test_a_lane_that_is_stopped_while_it_rotates_leaves_nothing_open() -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(601)
        assert len(road.exchange.open) == 2

    road = told(story, rotate_s=600.0)
    assert road.exchange.open == []


def test_a_lane_without_streams_waits_in_peace() -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(60)
        await road.lane.remove(["btcusdt@aggTrade"])
        road._gap_s = None
        await asyncio.sleep(3_600)

    road = told(story)
    assert len(road.exchange.made) == 1
    assert road.lane.state == "live"


def test_connections_that_end_soon_after_they_deliver_are_not_tried_again_and_again() -> None:
    async def story(road: Road) -> None:
        while road.clock.monotonic_s() < 3_600:
            await asyncio.sleep(1)
            for connection in road.exchange.open:
                connection.end("closed after it delivered")

    road = told(story)
    tried_s = road.exchange.tried_s
    assert len(road.heard_s) > 100
    assert max(sum(start <= each < start + 300 for each in tried_s) for start in tried_s) < 25
    assert len(tried_s) < 200


def test_a_connection_that_delivered_for_a_minute_is_replaced_at_once() -> None:
    async def story(road: Road) -> None:
        for _ in range(5):
            await asyncio.sleep(90)
            road.exchange.open[0].end("dropped")

    road = told(story)
    assert road.exchange.gaps_s() == pytest.approx([90.75] * 4, abs=1)


def test_a_refusal_that_says_when_to_come_back_is_obeyed() -> None:
    async def story(road: Road) -> None:
        road.exchange.retry_after_s, road.exchange.refusing = 300.0, True
        await asyncio.sleep(1_000)

    road = told(story)
    assert min(road.exchange.gaps_s()) >= 300
    assert road.lane.next_retry_ms is not None


def test_what_came_right_before_the_end_does_not_make_a_lost_connection_look_alive() -> None:
    async def story(road: Road) -> None:
        await asyncio.sleep(90)
        road.exchange.open[0].end("dropped")
        while road.lane.connections:
            await asyncio.sleep(0.01)
        road.lane.heard(3, road.clock.monotonic_s())  # decoded only now
        states.append(road.lane.state)
        await asyncio.sleep(5)
        states.append(road.lane.state)

    states: list[str] = []
    told(story)
    assert states == ["down", "live"]


class Slow:
    """A connection whose end takes a moment to be told, also to who no longer waits for it."""

    is_open, heard = True, True

    def __init__(self) -> None:
        self.leaving, self.told = asyncio.Event(), asyncio.Event()

    def send(self, request: bytes) -> None:
        pass

    def close(self) -> None:
        pass

    async def ended(self) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.leaving.set()
            await self.told.wait()
            raise
        raise AssertionError


def test_a_lane_that_is_ended_while_it_leaves_a_connection_ends() -> None:
    async def main() -> None:
        road, slow = Road(None), Slow()

        async def connect(frames: Frames) -> Any:
            return slow

        road.lane._connect = connect
        running = asyncio.create_task(road.lane.run())
        while not road.lane.connections:
            await asyncio.sleep(0)
        road.lane.leave("it is deaf")
        await slow.leaving.wait()
        running.cancel()
        await asyncio.sleep(0)
        slow.told.set()
        await asyncio.wait({running}, timeout=600)
        assert running.cancelled(), road.lane.last_error

    run_virtually(main())
