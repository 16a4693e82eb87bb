"""Holes older than REST reaches, closed from the simulated exchange's daily files over real sockets while it runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from pairscope.bars.memory import BarMemory
from pairscope.base.clock import ManualClock, SystemClock
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, BarStatus, Gap, Origin, TradeBatch, TradeKind
from pairscope.base.notifier import Notifier
from pairscope.feed.binance.archive_site import ArchiveSite
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.binance.simulator.archive import ArchiveDoor
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.continuity import ContinuityTracker
from pairscope.ingest.intake import Intake
from pairscope.ingest.repair.archive_fill import ArchiveFill, MissingDay
from pairscope.ingest.repair.rest_backfill import Backfill
from pairscope.live.market import Market
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol
from tests.judged import judge, judged
from tests.patience import WORK_S

HOUR_MS = 3_600_000
TODAY_MS = 20_777 * DAY_MS  # 2026-11-20
NOW_MS = TODAY_MS + 15 * HOUR_MS
SYMBOL = "XRPUSDT"
INTERVALS = [Interval.parse("1m"), Interval.parse("5m")]


async def ready() -> None:
    """Nothing has to be compiled."""


class Running:
    """Everything between the ids and the tape, on an exchange whose time stands still."""

    def __init__(
        self, exchange: SimulatedExchange, market: SimulatedMarket, store: Tape, clock: ManualClock, url: str
    ) -> None:
        assert exchange.archive is not None
        self.door: ArchiveDoor = exchange.archive
        self.market, self.store, self.clock = market, store, clock
        self.revised: list[int] = []  # times of bars told as revised
        store.symbols.add(SYMBOL)
        memory = BarMemory(INTERVALS, 6_000)
        live = Market(symbols=store.symbols, memory=memory, pairs=list, reader=store)
        live.listen(self._note)
        self.tracker = ContinuityTracker(store.symbols)
        own = judge(store.symbols, clock)
        gaps_changed: Notifier[[]] = Notifier()
        self.intake = Intake(
            store=store,
            tracker=self.tracker,
            judge=own,
            memory=memory,
            clock=clock,
            gaps_changed=gaps_changed,
        )
        self.rest = BinanceRest(exchange.rest_url, clock, judge=own)
        self.site = ArchiveSite(url, SystemClock())
        self.fill = ArchiveFill(
            site=self.site,
            tracker=self.tracker,
            symbols=store.symbols,
            judge=own,
            take=self.intake.take,
            obstructed=self._keep,
            may_store=lambda: True,
            prepare=ready,
            folder=store.path.parent / "downloads",
            keep_days=7,
            clock=clock,
        )
        self.backfill = Backfill(
            pages=self.rest,
            tracker=self.tracker,
            symbols=store.symbols,
            watched=[SYMBOL],
            take=self.intake.take,
            obstructed=self._obstructed,
        )
        gaps_changed.listen(self.backfill.wake)

    def _note(self, bars: BarArray) -> None:
        self.revised += bars["open_time_ms"][bars["status"] == BarStatus.REVISED].tolist()

    def _keep(self, gap: Gap) -> None:
        self.intake.keep_gaps([gap])

    def _obstructed(self, gap: Gap) -> None:
        self._keep(gap)
        self.fill.wake()

    def hear(self, from_ms: int, to_ms: int) -> None:
        """What the socket brought of a time."""
        told = self.market.trades(SYMBOL, from_ms, to_ms)
        n = len(told)
        self.intake.take(
            judged(
                TradeBatch(
                    symbol_id=np.zeros(n, np.int32),
                    id=told.id.astype(np.int64),
                    time_ms=told.time_ms.astype(np.int64),
                    price=np.round(told.price, 4),
                    size=np.round(told.size, 1),
                    buyer_is_maker=told.buyer_is_maker.astype(np.bool_),
                    received_ns=told.time_ms.astype(np.int64) * 1_000_000,
                )
            )
        )

    @contextlib.asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        async with self.rest, self.site:
            jobs = (self.intake.revise_for_ever(), self.backfill.run(), self.fill.run())
            tasks = [asyncio.create_task(job) for job in jobs]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                    assert isinstance(outcome, asyncio.CancelledError), outcome

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WORK_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def settled(self) -> None:
        """Until the rows on the disk are those of the tracker."""

        def same() -> bool:
            return self.store.gaps(SYMBOL, open_only=True) == self.tracker.open_gaps(0)

        await self.until(same)
        await self.store.flushed()

    def looked(self) -> list[tuple[Obstacle | None, int | None]]:
        return [(gap.obstacle, gap.looked_ms) for gap in self.tracker.open_gaps(0)]

    def obstacles(self) -> list[Obstacle | None]:
        return [gap.obstacle for gap in self.tracker.open_gaps(0)]

    def true_ids(self, from_ms: int, to_ms: int) -> list[int]:
        ids: list[int] = self.market.trades(SYMBOL, from_ms, to_ms).id.tolist()
        return ids

    def assert_sound(self) -> None:
        verdict = verify_symbol(self.store, SYMBOL, kind=TradeKind.AGG, intervals=INTERVALS)
        assert (verdict.told, verdict.trades > 0) == ([], True)


Start = Callable[..., Running]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    clock = ManualClock(NOW_MS)
    market = SimulatedMarket(seed=3, rate=0.01)
    store = Tape.open(tmp_path / "data" / "tape.duckdb", kind=TradeKind.AGG, clock=clock, commit_ms=10)
    try:
        async with SimulatedExchange(MarketSource(market, clock), clock=clock) as exchange:
            yield lambda url=None: Running(exchange, market, store, clock, url or exchange.rest_url)
    finally:
        store.close()


async def test_a_hole_of_days_comes_from_files_and_rest_and_its_bars_are_told_as_revised(start: Start) -> None:
    running = start()
    begin_ms = TODAY_MS - 4 * DAY_MS
    async with running.going():
        running.hear(begin_ms, begin_ms + 8 * HOUR_MS)
        running.hear(TODAY_MS - 3 * DAY_MS + 10 * HOUR_MS, TODAY_MS - 3 * DAY_MS + 12 * HOUR_MS)
        running.hear(NOW_MS - HOUR_MS, NOW_MS - 60_000)
        await running.until(lambda: running.tracker.open_gaps(0) == [])
        await running.settled()
        first_filled = running.true_ids(begin_ms + 8 * HOUR_MS, begin_ms + 9 * HOUR_MS)[0]
        await running.until(lambda: len(running.revised) > 0)
    trades = running.store.trades(SYMBOL)
    assert trades.id.tolist() == running.true_ids(begin_ms, NOW_MS - 60_000)
    assert trades.origin[trades.id == first_filled].tolist() == [Origin.ARCHIVE]
    assert set(trades.origin.tolist()) == {Origin.WS, Origin.REST, Origin.ARCHIVE}
    assert running.fill.counters.files == 3 <= running.door.downloads  # one that broke off is asked for again
    assert running.fill.counters.trades == int((trades.origin == Origin.ARCHIVE).sum())
    assert list((running.store.path.parent / "downloads").iterdir()) == []
    running.assert_sound()


async def test_without_a_file_the_gap_says_when_it_was_looked_for_and_a_later_look_fills_it(start: Start) -> None:
    running = start()
    begin_ms = TODAY_MS - 4 * DAY_MS
    name = f"{SYMBOL}-aggTrades-2026-11-16"
    running.door.missing.add(name)
    async with running.going():
        running.hear(begin_ms, begin_ms + HOUR_MS)
        running.hear(begin_ms + 2 * HOUR_MS, begin_ms + 3 * HOUR_MS)
        await running.until(lambda: running.looked() == [(Obstacle.NO_FILE, NOW_MS)])
        await running.settled()
        assert running.fill.next() is None  # not again at once

        running.door.missing.clear()
        running.clock.advance(2.0 * 3_600)
        running.fill.wake()
        await running.until(lambda: running.obstacles() == [])
        await running.settled()
    running.assert_sound()


async def test_what_the_files_do_not_have_is_said_and_not_looked_for_again(start: Start) -> None:
    running = start()
    first = running.true_ids(TODAY_MS - 4 * DAY_MS, TODAY_MS - 3 * DAY_MS)[0]
    noon_ms = TODAY_MS - 4 * DAY_MS + 12 * HOUR_MS
    gap = Gap(SYMBOL, first - 9, first - 5, 1, GapReason.SKIPPED, after_ms=noon_ms, before_ms=noon_ms + 5)
    # The file of the day begins later: these ids are of no file.
    running.tracker.restore(0, first + 10**6, NOW_MS, [gap])
    running.tracker.obstruct(0, first - 9, first - 5, Obstacle.TOO_OLD)
    async with running.going():
        await running.until(lambda: running.obstacles() == [Obstacle.NOT_IN_ARCHIVE])
    assert running.door.downloads == 1
    assert running.fill.next() is None


async def test_a_file_that_was_read_is_left_alone_while_that_of_the_day_beside_it_is_awaited(start: Start) -> None:
    running = start()
    midnight_ms = TODAY_MS - 3 * DAY_MS
    running.door.missing.add(f"{SYMBOL}-aggTrades-2026-11-16")
    gap = Gap(
        SYMBOL,
        5,
        9,
        1,
        GapReason.SKIPPED,
        after_ms=midnight_ms - 5,
        before_ms=midnight_ms + 5,
        obstacle=Obstacle.TOO_OLD,
    )
    running.tracker.restore(0, 1_000, NOW_MS, [gap])
    async with running.going():
        await running.until(lambda: running.obstacles()[0] is Obstacle.NO_FILE)
        assert running.fill.counters.files == running.door.downloads == 1
    running.clock.advance(2.0 * 3_600)
    assert running.fill.next() == MissingDay(midnight_ms - DAY_MS, SYMBOL)
    running.clock.advance(48.0 * 3_600)
    assert running.fill.next() == MissingDay(midnight_ms - DAY_MS, SYMBOL)


async def test_only_days_whose_file_may_be_there_and_is_kept_are_looked_for(start: Start) -> None:
    running = start()
    running.tracker.restore(0, 1_000, NOW_MS)
    days = {  # of the gap: and whether its file is worth a look
        TODAY_MS: False,
        TODAY_MS - DAY_MS: True,
        TODAY_MS - 7 * DAY_MS: True,
        TODAY_MS - 8 * DAY_MS: False,
    }
    for day_ms, worth in days.items():
        gap = Gap(
            SYMBOL, 5, 6, 1, GapReason.SKIPPED, after_ms=day_ms + 5, before_ms=day_ms + 9, obstacle=Obstacle.TOO_OLD
        )
        running.tracker.restore(0, 1_000, NOW_MS, [gap])
        assert running.fill.next() == (MissingDay(day_ms, SYMBOL) if worth else None)
    running.clock.set_wall(TODAY_MS + 9 * HOUR_MS)
    yesterday = Gap(
        SYMBOL, 5, 6, 1, GapReason.SKIPPED, before_ms=TODAY_MS - 5, after_ms=TODAY_MS - 9, obstacle=Obstacle.TOO_OLD
    )
    running.tracker.restore(0, 1_000, NOW_MS, [yesterday])
    assert running.fill.next() is None  # the exchange is still making it
    for obstacle in (None, Obstacle.NOT_IN_ARCHIVE, Obstacle.NOT_IMPORTED, Obstacle.IMPORTING):
        gap = Gap(SYMBOL, 5, 6, 1, GapReason.SKIPPED, before_ms=TODAY_MS - 3 * DAY_MS, obstacle=obstacle)
        running.tracker.restore(0, 1_000, NOW_MS, [gap])
        assert running.fill.next() is None


async def test_a_site_that_cannot_be_reached_is_told_and_nothing_else_stops(start: Start) -> None:
    running = start("http://127.0.0.1:9")
    begin_ms = TODAY_MS - 4 * DAY_MS
    async with running.going():
        running.hear(begin_ms, begin_ms + HOUR_MS)
        running.hear(begin_ms + 2 * HOUR_MS, begin_ms + 3 * HOUR_MS)
        await running.until(lambda: running.fill.counters.failures == 1)
        running.hear(begin_ms + 3 * HOUR_MS, begin_ms + 4 * HOUR_MS)
    assert "cannot be reached" in (running.fill.counters.last_error or "")
    assert running.obstacles() == [Obstacle.TOO_OLD]
