"""The past from a simulated exchange over real sockets: official files, then REST, into a real tape."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path

import pytest

from pairscope.base.clock import ManualClock, SystemClock
from pairscope.base.errors import FeedUnavailable
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import Origin, TradeKind
from pairscope.feed.binance.archive_site import ArchiveSite
from pairscope.feed.binance.rest import PAGE_ROWS, BinanceRest
from pairscope.feed.binance.simulator.archive import ArchiveDoor
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.faults import FaultyDoor
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.judge import Judged
from pairscope.feed.venue import ANYWHERE, Around
from pairscope.ingest.history.download import Download
from pairscope.ingest.history.file_import import FileImport, FileOutcome, Progress
from pairscope.ingest.history.merge import Merge
from pairscope.store.imports import ImportList
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol

TODAY_MS = 20_777 * DAY_MS  # 2026-11-20
NOW_MS = TODAY_MS + 15 * 3_600_000
SYMBOL = "XRPUSDT"
INTERVALS = [Interval.parse("1m"), Interval.parse("5m")]


def day(of_november: int) -> date:
    return date(2026, 11, of_november)


class World:
    """An exchange whose time stands still, and a tape."""

    def __init__(self, exchange: SimulatedExchange, market: SimulatedMarket, store: Tape, clock: ManualClock) -> None:
        assert exchange.archive is not None
        self.exchange = exchange
        self.archive: ArchiveDoor = exchange.archive
        self.market = market
        self.store = store
        self.clock = clock

    async def bring(
        self,
        first: date,
        last: date,
        kind: TradeKind = TradeKind.AGG,
        progress: Progress = lambda *_: None,
        rest: type[BinanceRest] = BinanceRest,
    ) -> list[FileOutcome]:
        outcomes: list[FileOutcome] = []
        importer = Merge(self.store, INTERVALS, self.clock)
        done = ImportList(self.store.path).read()
        async with (
            ArchiveSite(self.exchange.rest_url, SystemClock()) as site,
            rest(self.exchange.rest_url, self.clock) as opened,
        ):
            remote = Download(
                store=self.store,
                kind=kind,
                history=FileImport(
                    store=self.store, importer=importer, done=done, clock=self.clock, progress=lambda *_: None
                ),
                importer=importer,
                site=site,
                rest=opened,
                folder=self.store.path.parent / "downloads",
                clock=self.clock,
                progress=progress,
                told=outcomes.append,
            )
            await remote.bring(SYMBOL, first, last)
        return outcomes

    def ids(self) -> list[int]:
        ids: list[int] = self.store.trades(SYMBOL).id.tolist()
        return ids

    def true_ids(self, from_ms: int, to_ms: int) -> list[int]:
        """What the market traded."""
        ids: list[int] = self.market.trades(SYMBOL, from_ms, to_ms).id.tolist()
        return ids

    def assert_sound(self) -> None:
        assert verify_symbol(self.store, SYMBOL, kind=TradeKind.AGG, intervals=INTERVALS).told == []


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = ManualClock(NOW_MS)
    market = SimulatedMarket(seed=3, rate=0.01)
    store = Tape.open(tmp_path / "data" / "tape.duckdb", kind=TradeKind.AGG, clock=clock, commit_ms=10)
    async with AsyncExitStack() as stack:
        stack.callback(store.close)
        exchange = await stack.enter_async_context(SimulatedExchange(MarketSource(market, clock), clock=clock))
        yield World(exchange, market, store, clock)


async def test_whole_past_days_come_as_official_files(world: World) -> None:
    outcomes = await world.bring(day(17), day(18))
    assert [outcome.name for outcome in outcomes] == [f"{SYMBOL}-aggTrades-2026-11-{n}" for n in (18, 17)]
    trades = world.store.trades(SYMBOL)
    assert trades.id.tolist() == world.true_ids(TODAY_MS - 3 * DAY_MS, TODAY_MS - DAY_MS)
    assert set(trades.origin.tolist()) == {Origin.IMPORT}
    assert world.store.gaps(open_only=True) == []
    assert world.exchange.rest.requests == 0
    assert os.listdir(world.store.path.parent / "downloads") == []
    world.assert_sound()


async def test_today_and_days_without_a_file_yet_come_by_rest(world: World) -> None:
    world.archive.missing.add(f"{SYMBOL}-aggTrades-2026-11-19")
    await world.bring(day(18), day(20))
    trades = world.store.trades(SYMBOL)
    assert trades.id.tolist() == world.true_ids(TODAY_MS - 2 * DAY_MS, NOW_MS - 1_000)[: len(trades)]
    assert NOW_MS - trades.time_ms[-1] < 3_600_000
    assert set(trades.origin.tolist()) == {Origin.IMPORT}  # nobody had listened: by file or by REST, it is the past
    assert world.exchange.rest.requests > 0
    assert world.store.gaps(open_only=True) == []
    world.assert_sound()


async def test_asking_again_downloads_and_asks_for_nothing_twice(world: World) -> None:
    await world.bring(day(18), day(20))
    before, downloads = world.ids(), world.archive.downloads
    outcomes = await world.bring(day(18), day(20))
    assert (world.ids(), world.archive.downloads) == (before, downloads)
    assert [outcome.skipped for outcome in outcomes] == [False, True, True]
    assert sum(outcome.added for outcome in outcomes) == 0


async def test_a_replaced_file_is_fetched_again_and_told(world: World) -> None:
    await world.bring(day(18), day(18))
    world.archive.replaced.add(f"{SYMBOL}-aggTrades-2026-11-18")
    (outcome,) = await world.bring(day(18), day(18))
    assert outcome.notes == ("the exchange has replaced it since it was imported",)
    assert outcome.added == 0


async def test_older_days_without_a_file_stay_a_gap_that_says_so(world: World) -> None:
    world.archive.missing.add(f"{SYMBOL}-aggTrades-2026-11-16")
    outcomes = await world.bring(day(15), day(17))
    assert outcomes[1].notes == ("there is no official file, and REST reaches back two days only",)
    (gap,) = world.store.gaps(open_only=True)
    assert [gap.first_id, gap.last_id] == [
        world.market.first_id_at(SYMBOL, TODAY_MS - 4 * DAY_MS),
        world.market.first_id_at(SYMBOL, TODAY_MS - 3 * DAY_MS) - 1,
    ]
    assert (gap.reason, gap.obstacle) == (GapReason.NEVER_RECORDED, Obstacle.NOT_IMPORTED)
    world.assert_sound()


async def test_rest_that_reaches_back_for_part_of_a_day_brings_that_part(world: World) -> None:
    world.archive.missing.update(f"{SYMBOL}-aggTrades-2026-11-{n}" for n in (18, 19))
    outcomes = await world.bring(day(18), day(19))
    assert outcomes[-1].notes == ("REST no longer has its first hours",)
    assert world.ids() == world.true_ids(NOW_MS - 47 * 3_600_000, TODAY_MS)


async def test_raw_trades_are_never_asked_of_rest(world: World) -> None:
    (outcome,) = await world.bring(day(20), day(20), TradeKind.RAW)
    assert outcome.notes == ("there is no official file yet, and REST has no raw trades by id",)
    assert world.exchange.rest.requests == 0


async def test_an_exchange_that_bans_in_the_middle_loses_nothing_and_the_next_try_completes(world: World) -> None:
    def ban(*_: object) -> None:
        world.exchange.faults.refuse(451, door=FaultyDoor.REST)

    with pytest.raises(FeedUnavailable, match="451"):
        await world.bring(day(20), day(20), progress=ban)
    (gap,) = world.store.gaps(SYMBOL, open_only=True)
    assert len(world.ids()) == 1_000
    assert (gap.first_id, gap.obstacle) == (world.ids()[-1] + 1, Obstacle.NOT_IMPORTED)
    world.assert_sound()

    world.exchange.faults.refuse(0, door=FaultyDoor.REST)
    await world.bring(day(20), day(20))
    assert len(world.ids()) > 1_000
    assert world.ids() == world.true_ids(TODAY_MS, NOW_MS)[: len(world.ids())]
    assert world.store.gaps(SYMBOL, open_only=True) == []
    world.assert_sound()


class Imprecise(BinanceRest):
    """Answers with a few trades more than were asked for, at both ends."""

    async def page(
        self, symbol: str, symbol_id: int, from_id: int, limit: int | None = None, around: Around = ANYWHERE
    ) -> Judged:
        limit = min(PAGE_ROWS, (limit or PAGE_ROWS) + 6)
        return await super().page(symbol, symbol_id, max(1, from_id - 3), limit, around)


async def test_an_exchange_that_answers_with_other_ids_doubles_nothing(world: World) -> None:
    await world.bring(day(20), day(20), rest=Imprecise)
    assert len(world.ids()) > 1_000
    assert world.ids() == world.true_ids(TODAY_MS, NOW_MS)[: len(world.ids())]
    world.assert_sound()


class ByTime(BinanceRest):
    """Knows only the trades between the times it is told, as a venue does that serves no ids."""

    async def page(
        self, symbol: str, symbol_id: int, from_id: int, limit: int | None = None, around: Around = ANYWHERE
    ) -> Judged:
        assert around != ANYWHERE
        page = await super().page(symbol, symbol_id, from_id, limit, around)
        times_ms, before_ms = page.rows.time_ms, around.before_ms or NOW_MS
        return page.take((times_ms >= (around.after_ms or 0)) & (times_ms <= before_ms))


async def test_an_exchange_that_serves_by_time_is_told_the_times(world: World) -> None:
    await world.bring(day(20), day(20), rest=ByTime)
    assert len(world.ids()) > 1_000
    assert world.ids() == world.true_ids(TODAY_MS, NOW_MS)[: len(world.ids())]


async def test_a_refusal_that_passes_is_waited_for(world: World) -> None:
    world.exchange.faults.refuse(503, door=FaultyDoor.REST, times=2)
    await world.bring(day(20), day(20))
    assert world.ids() == world.true_ids(TODAY_MS, NOW_MS)[: len(world.ids())] != []
