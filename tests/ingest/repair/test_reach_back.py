"""What was traded before the first trade that is heard: found at the start, or as soon as the exchange may be asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from pairscope.base.clock import ManualClock
from pairscope.base.errors import FeedUnavailable
from pairscope.base.gaps import GapReason
from pairscope.base.model import Gap, TradeBatch, TradeKind
from pairscope.feed.backoff import Backoff
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.venue import HOUR_MS, RequestRefusedError, Rest
from pairscope.ingest.repair import reach_back
from pairscope.ingest.repair.reach_back import ReachBack
from pairscope.store.tape import Tape
from tests.judged import good
from tests.patience import WORK_S

NOW_MS = 1_790_000_000_000
HISTORY_MS = 4 * HOUR_MS
BTC, ETH = "BTCUSDT", "ETHUSDT"


@dataclass
class Exchange:
    """Knows the first id from a time on, an hour at a time, unless it fails; stands for its client, too."""

    trades: dict[str, list[tuple[int, int]]]  # time and id
    fails: FeedUnavailable | None = None
    silent: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    reach_ms: int = 47 * HOUR_MS

    def within(self, patience_s: float) -> Rest:
        return cast(Rest, self)

    async def first_id_from(self, symbol: str, time_ms: int) -> int | None:
        self.asked.append((symbol, time_ms))
        if self.silent:
            await asyncio.Event().wait()
        if self.fails:
            raise self.fails
        if symbol not in self.trades:
            raise RequestRefusedError("no such symbol")
        inside = [trade_id for at_ms, trade_id in self.trades[symbol] if time_ms <= at_ms < time_ms + HOUR_MS]
        return min(inside, default=None)


@dataclass
class World:
    exchange: Exchange
    store: Tape
    tracker: ContinuityTracker
    reach: ReachBack
    holes: list[Gap] = field(default_factory=list)
    full: bool = False

    def begins_ms(self, symbol_id: int) -> int | None:
        held = self.store.trades(self.store.symbols.name(symbol_id), limit=1)
        return int(held.time_ms[0]) if len(held) else None

    def reach_back(self, gap: Gap) -> bool:
        if not self.full:
            self.holes.append(gap)
            self.tracker.lose([gap])
        return not self.full

    async def hear(self, symbol: str, first_id: int, count: int, time_ms: int, keep: bool = True) -> None:
        """Trades come from the stream."""
        ids, zeros = np.arange(first_id, first_id + count), np.zeros(count, np.int64)
        symbol_id = self.store.symbols.add(symbol)
        ones = np.ones(count)
        batch = TradeBatch(np.full(count, symbol_id, np.int32), ids, zeros + time_ms, ones, ones, zeros > 0, zeros)
        self.tracker.check(batch, NOW_MS, GapReason.SKIPPED)
        if keep:
            self.store.put_trades(good(batch))
        await self.store.flushed()

    async def settled(self) -> None:
        """Until nothing is owed any more."""
        task = asyncio.create_task(self.reach.run())
        try:
            async with asyncio.timeout(WORK_S):
                while self.reach.owed:
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = ManualClock(NOW_MS)
    store = Tape.open(tmp_path / "tape.duckdb", kind=TradeKind.AGG, clock=clock, commit_ms=10)
    for symbol in (BTC, ETH):
        store.symbols.add(symbol)
    exchange = Exchange({BTC: [(NOW_MS - HISTORY_MS + 5, 100), (NOW_MS - 5, 150)], ETH: [(NOW_MS - 7, 900)]})
    tracker = ContinuityTracker(store.symbols)
    reach = ReachBack(
        rest=exchange.within(0),
        tracker=tracker,
        store=store,
        holes=cast(reach_back.Holes, None),
        history_ms=HISTORY_MS,
        clock=clock,
        backoff=Backoff(first_s=0.01, cap_s=0.02),
    )
    made = World(exchange, store, tracker, reach)
    reach._holes = made
    try:
        yield made
    finally:
        store.close()


async def test_what_is_found_before_anything_is_heard_makes_the_first_trade_come_after_a_hole(world: World) -> None:
    await world.reach.at_once([BTC])
    await world.hear(BTC, 200, 3, NOW_MS)
    (gap,) = world.tracker.open_gaps(0)
    assert (gap.first_id, gap.last_id, gap.reason) == (100, 199, GapReason.HISTORY)
    assert world.holes == []


async def test_hours_without_a_trade_are_stepped_over(world: World) -> None:
    await world.reach.at_once([ETH])
    assert [at_ms for _, at_ms in world.exchange.asked] == [NOW_MS - hours * HOUR_MS for hours in (4, 3, 2, 1)]
    assert world.tracker.highest(1) == 899


async def test_an_exchange_that_may_not_be_asked_is_asked_later_and_the_hole_ends_where_listening_began(
    world: World,
) -> None:
    world.exchange.fails = FeedUnavailable("asked us to wait", retry_after_s=300)
    await world.reach.at_once([BTC, ETH])
    assert list(world.reach.owed) == [BTC, ETH]
    await world.hear(BTC, 200, 3, NOW_MS + 50)
    await world.hear(BTC, 210, 3, NOW_MS + 60)
    world.exchange.fails = None
    await world.settled()
    (gap,) = world.holes
    assert (gap.symbol, gap.first_id, gap.last_id, gap.reason) == (BTC, 100, 199, GapReason.HISTORY)
    assert (gap.after_ms, gap.before_ms) == (NOW_MS - HISTORY_MS, NOW_MS + 50)
    assert world.tracker.highest(1) == 899  # not heard yet


async def test_a_hole_known_before_is_not_opened_twice(world: World) -> None:
    await world.hear(BTC, 180, 1, NOW_MS, keep=False)  # its id counts, its price does not
    await world.hear(BTC, 200, 3, NOW_MS)
    await world.reach.at_once([BTC])
    (gap,) = world.holes
    assert (gap.first_id, gap.last_id) == (100, 180)
    await world.reach.at_once([BTC])
    assert len(world.holes) == 1


async def test_an_answer_that_does_not_come_holds_no_start_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach_back, "AT_ONCE_S", 0.05)
    world.exchange.silent = True
    await world.reach.at_once([BTC])
    assert list(world.reach.owed) == [BTC]
    world.exchange.silent = False
    await world.settled()
    assert world.tracker.highest(0) == 99


async def test_a_tape_without_room_is_asked_again_and_nothing_is_forgotten(world: World) -> None:
    await world.hear(BTC, 200, 3, NOW_MS)
    world.full = True
    await world.reach.at_once([BTC])
    assert list(world.reach.owed) == [BTC]
    world.full = False
    await world.settled()
    assert [gap.first_id for gap in world.holes] == [100]


async def test_a_symbol_that_is_refused_or_no_longer_watched_does_not_stop_the_others(world: World) -> None:
    world.store.symbols.add("GONEUSDT")
    await world.reach.at_once(["GONEUSDT", BTC])
    assert (world.reach.owed, world.tracker.highest(0)) == ({}, 99)
    world.exchange.fails = FeedUnavailable("down")
    await world.reach.at_once([ETH])
    world.reach.forget(ETH)
    assert world.reach.owed == {}


async def test_a_tape_that_reaches_back_far_enough_is_not_asked_about(world: World) -> None:
    await world.hear(BTC, 50, 3, NOW_MS - HISTORY_MS - 1)
    await world.reach.at_once([BTC])
    assert world.exchange.asked == []
