"""Symbols that are silent after a reconnect are asked about; the others are not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np

from pairscope.base.errors import FeedUnavailable
from pairscope.base.gaps import GapReason
from pairscope.base.model import SymbolTable, TradeBatch
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.feed.venue import ANYWHERE, Around
from pairscope.ingest.repair.catch_up import GRACE_S, CatchUp
from tests.faults.virtual import run_virtually
from tests.judged import judged

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
HIGHEST = 100


def trades(symbol_id: int, first_id: int, count: int) -> TradeBatch:
    ids = np.arange(first_id, first_id + count)
    zeros = np.zeros(count, np.int64)
    return TradeBatch(np.full(count, symbol_id, np.int32), ids, ids, np.ones(count), np.ones(count), zeros > 0, zeros)


class LoopClock:
    """The time of whatever loop is running."""

    def now_ns(self) -> int:
        return round(self.monotonic_s() * 1e9)

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class World:
    """A stream that subscribes when told to, and an exchange that has the first `newest` ids of each symbol."""

    newest: int = HIGHEST
    fails: bool = False
    symbols: SymbolTable = field(default_factory=lambda: SymbolTable(SYMBOLS))
    clock: LoopClock = field(default_factory=LoopClock)
    subscribed_s: float | None = None
    asked: list[tuple[str, int]] = field(default_factory=list)
    around: list[Around] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tracker = ContinuityTracker(self.symbols)
        for symbol_id in range(len(SYMBOLS)):
            self.tracker.restore(symbol_id, HIGHEST, HIGHEST)  # the time of a trade is its id
        self.catch_up = CatchUp(
            stream=self,
            pages=self,
            tracker=self.tracker,
            symbols=self.symbols,
            watched=lambda: SYMBOLS,
            take=self.take,
            clock=self.clock,
        )

    page_rows = 1_000

    @property
    def subscribed_for_s(self) -> float | None:
        return None if self.subscribed_s is None else self.clock.monotonic_s() - self.subscribed_s

    async def page(
        self, symbol: str, symbol_id: int, from_id: int, limit: int | None = None, around: Around = ANYWHERE
    ) -> Judged:
        limit = limit or self.page_rows
        self.asked.append((symbol, from_id))
        self.around.append(around)
        await asyncio.sleep(0.1)
        if self.fails:
            raise FeedUnavailable("gone", code="unreachable")
        return judged(trades(symbol_id, from_id, min(limit, max(0, self.newest + 1 - from_id))))

    def take(self, rows: Judged) -> bool:
        assert not self.tracker.check(rows.rows, 0, GapReason.SKIPPED).opened
        return True

    async def subscribed(self, *heard: str) -> None:
        """A subscription, after which some symbols trade, and all the time it takes to catch up."""
        await asyncio.sleep(1)
        self.subscribed_s = self.clock.monotonic_s()
        await asyncio.sleep(GRACE_S / 2)
        for symbol in heard:
            symbol_id = self.symbols.index(symbol)
            self.tracker.check(trades(symbol_id, self.newest + 1, 1), 0, GapReason.DISCONNECTED)
        await asyncio.sleep(60)

    def told(self, *reconnects: tuple[str, ...]) -> World:
        async def main() -> None:
            running = asyncio.create_task(self.catch_up.run())
            for heard in reconnects:
                await self.subscribed(*heard)
            assert not running.done()
            running.cancel()

        run_virtually(main())
        return self


def test_silent_symbols_get_what_they_traded_and_heard_ones_are_not_asked_about() -> None:
    world = World(newest=150).told(("ETHUSDT",))
    assert world.asked == [("BTCUSDT", 101), ("SOLUSDT", 101)]
    assert [world.tracker.highest(place) for place in range(3)] == [150, 151, 150]
    assert world.catch_up.trades == 100
    assert [(gap.symbol, gap.ids) for gap in world.tracker.all_open()] == [("ETHUSDT", 50)]


def test_a_long_outage_takes_several_pages() -> None:
    world = World(newest=2_600).told(("ETHUSDT", "SOLUSDT"))
    assert world.asked == [("BTCUSDT", 101), ("BTCUSDT", 1_101), ("BTCUSDT", 2_101)]
    assert world.tracker.highest(0) == 2_600


def test_who_serves_by_time_is_told_after_which_trade() -> None:
    world = World(newest=2_600).told(("ETHUSDT", "SOLUSDT"))
    assert world.around == [Around(100), Around(1_100), Around(2_100)]


def test_each_subscription_is_looked_at_once() -> None:
    world = World().told((), ())
    assert len(world.asked) == 2 * len(SYMBOLS)


def test_without_a_connection_nobody_is_asked() -> None:
    world = World()

    async def main() -> None:
        running = asyncio.create_task(world.catch_up.run())
        await asyncio.sleep(600)
        running.cancel()

    run_virtually(main())
    assert world.asked == []


def test_an_exchange_that_does_not_answer_is_left_alone_until_the_next_subscription() -> None:
    world = World(newest=150, fails=True).told(())
    assert len(world.asked) == len(SYMBOLS)
    world = World(newest=150).told(())
    assert world.catch_up.trades == 3 * 50


def test_what_may_have_traded_unheard_is_known_until_the_exchange_was_asked() -> None:
    world = World(newest=150)
    seen: dict[str, list[str]] = {}

    async def main() -> None:
        running = asyncio.create_task(world.catch_up.run())
        await asyncio.sleep(1)
        seen["before"] = world.catch_up.unsure()
        world.subscribed_s = world.clock.monotonic_s()
        seen["at once"] = world.catch_up.unsure()
        await asyncio.sleep(GRACE_S / 2)
        world.tracker.check(trades(1, 151, 1), 0, GapReason.DISCONNECTED)
        seen["one was heard"] = world.catch_up.unsure()
        await asyncio.sleep(GRACE_S / 2 + 0.05)
        seen["while it is asked"] = world.catch_up.unsure()
        await asyncio.sleep(1)
        seen["after"] = world.catch_up.unsure()
        world.subscribed_s = None
        await asyncio.sleep(1)
        world.subscribed_s = world.clock.monotonic_s()
        seen["again"] = world.catch_up.unsure()
        running.cancel()

    run_virtually(main())
    assert seen == {
        "before": [],
        "at once": list(SYMBOLS),
        "one was heard": ["BTCUSDT", "SOLUSDT"],
        "while it is asked": ["BTCUSDT", "SOLUSDT"],
        "after": [],
        "again": list(SYMBOLS),
    }
