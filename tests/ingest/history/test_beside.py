"""A past is brought to a tape beside the feed: nothing twice, nothing lost, whoever is quicker, whenever it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.id_ranges import no_runs, run
from pairscope.base.model import BarStatus, IntArray, TradeBatch, TradeKind
from pairscope.feed.judge import GoodTrades
from pairscope.ingest.history.beside import MergeBesideFeed
from pairscope.store.verify import verify_symbol
from tests.ingest.room import INTERVALS, Room, room
from tests.judged import good, judge

START_MS = 1_723_075_200_000 + 3_600_000  # 2024-08-08 01:00 UTC
STEP_MS = 500


def trades(*ids: IntArray) -> TradeBatch:
    """Trades of these ids, each half a second after the one before."""
    all_ids = np.concatenate(ids)
    return TradeBatch(
        symbol_id=np.zeros(len(all_ids), np.int32),
        id=all_ids,
        time_ms=START_MS + STEP_MS * all_ids,
        price=(100 + all_ids % 7).astype(np.float64),
        size=np.full(len(all_ids), 0.5),
        buyer_is_maker=all_ids % 2 == 0,
        received_ns=(START_MS + STEP_MS * all_ids + 20) * 1_000_000,
    )


def ids(first_id: int, last_id: int) -> IntArray:
    return np.arange(first_id, last_id + 1)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Room]:
    async with room(tmp_path / "tape.duckdb", ["BTCUSDT"]) as made:
        yield made


def merge_of(here: Room) -> MergeBesideFeed:
    return MergeBesideFeed(here.store, INTERVALS, SystemClock(), judge(here.store.symbols), here.intake)


async def batches(
    brought: IntArray, between: asyncio.Event | None = None, until: asyncio.Event | None = None
) -> AsyncGenerator[GoodTrades, None]:
    """In two halves; between them something may happen."""
    for number, half in enumerate(np.array_split(brought, 2)):
        if number and between is not None and until is not None:
            between.set()
            await until.wait()
        yield good(trades(half))


async def settle(here: Room) -> None:
    await here.until(lambda: not here.intake.unsettled)
    await here.store.flushed()


async def assert_sound(here: Room) -> None:
    """The tape agrees with itself, and memory and the tracker with the tape."""
    await settle(here)
    verdict = verify_symbol(here.store, "BTCUSDT", kind=TradeKind.AGG, intervals=INTERVALS)
    assert verdict.told == []
    held = here.store.trades("BTCUSDT").id
    assert len(np.unique(held)) == len(held)
    assert [replace(gap, found_ms=0) for gap in sorted(here.tracker.open_gaps(0), key=lambda gap: gap.first_id)] == [
        replace(gap, found_ms=0) for gap in here.store.gaps("BTCUSDT", open_only=True)
    ]
    for interval in INTERVALS:
        shown = here.shown("BTCUSDT", interval)
        shown = shown[shown["status"] != BarStatus.OPEN]
        stored = here.store.bars("BTCUSDT", interval, from_ms=int(shown["open_time_ms"][0]))
        stored = stored[np.isin(stored["open_time_ms"], shown["open_time_ms"])]
        for name in ("open", "close", "volume", "trades", "lost", "cut"):
            np.testing.assert_array_equal(shown[name], stored[name], f"{interval} {name}")


def last_id(here: Room) -> int:
    return int(here.store.trades("BTCUSDT", limit=1, newest=True).id[0])


async def test_a_hole_of_the_feed_is_closed_and_its_bars_are_told_anew(here: Room) -> None:
    here.take(trades(ids(1_000, 1_200), ids(1_301, 3_000)))
    await settle(here)
    assert [gap.ids for gap in here.tracker.open_gaps(0)] == [100]
    here.published.clear()
    brought = await merge_of(here).bring("BTCUSDT", batches(ids(1_100, 1_400)), run(1_100, 1_400), {}, no_runs())
    assert (brought.added, brought.already) == (100, 201)
    await assert_sound(here)
    assert here.tracker.all_open() == []
    told = np.concatenate([bars["open_time_ms"] for bars in here.published])
    assert START_MS + STEP_MS * 1_250 in told, "whoever looks at a chart sees it"


async def test_older_trades_leave_a_hole_before_the_feed_that_nobody_is_to_fetch(here: Room) -> None:
    here.take(trades(ids(1_000, 3_000)))
    await settle(here)
    await merge_of(here).bring("BTCUSDT", batches(ids(100, 500)), run(100, 500), {}, no_runs())
    await assert_sound(here)
    (gap,) = here.tracker.all_open()
    assert (gap.first_id, gap.last_id, gap.reason, gap.obstacle) == (501, 999, "never_recorded", "not_imported")
    assert here.intake.begins_ms(0) == START_MS + STEP_MS * 100


async def test_the_feed_goes_on_meanwhile_and_what_others_fetch_of_the_holes_comes_too_late(here: Room) -> None:
    here.take(trades(ids(1_000, 1_200), ids(1_301, 3_000)))
    await settle(here)
    between, until = asyncio.Event(), asyncio.Event()
    bringing = asyncio.create_task(
        merge_of(here).bring("BTCUSDT", batches(ids(1_201, 1_300), between, until), run(1_201, 1_300), {}, no_runs())
    )
    await between.wait()
    here.take(trades(ids(1_201, 1_300)))  # a page of REST that was under way
    here.take(trades(ids(3_001, 3_100), ids(3_151, 4_000)))  # the feed, with a hole of its own
    assert [gap.first_id for gap in here.tracker.all_open()] == [3_101]
    here.take(trades(ids(3_101, 3_120)))  # part of which is filled meanwhile
    until.set()
    assert (await bringing).added == 100
    await assert_sound(here)
    assert [(gap.first_id, gap.last_id) for gap in here.tracker.all_open()] == [(3_121, 3_150)]
    here.take(trades(ids(3_121, 3_150), ids(4_001, 4_100)))
    await assert_sound(here)
    assert here.tracker.all_open() == []
    assert last_id(here) == 4_100


async def test_trades_newer_than_the_feed_are_not_fetched_again_when_it_comes_back(here: Room) -> None:
    here.take(trades(ids(1_000, 2_000)))
    await settle(here)
    await merge_of(here).bring("BTCUSDT", batches(ids(2_500, 2_900)), run(2_500, 2_900), {}, no_runs())
    here.take(trades(ids(3_000, 3_500)))
    await assert_sound(here)
    assert sorted((gap.first_id, gap.last_id) for gap in here.tracker.all_open()) == [(2_001, 2_499), (2_901, 2_999)]
    here.take(trades(ids(2_890, 2_999)))  # an overlap, as the catching-up after a break makes it
    await assert_sound(here)


async def test_a_symbol_that_is_not_heard_is_known_when_it_will_be(here: Room) -> None:
    await merge_of(here).bring("BTCUSDT", batches(ids(100, 400)), run(100, 400), {}, no_runs())
    assert here.tracker.highest(0) == 400
    here.take(trades(ids(500, 2_000)))
    await assert_sound(here)
    (gap,) = here.tracker.all_open()
    assert (gap.first_id, gap.last_id, gap.after_ms) == (401, 499, START_MS + STEP_MS * 400)


@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_an_import_that_ends_early_gives_back_the_holes_that_are_left(here: Room, how: str) -> None:
    here.take(trades(ids(1_000, 1_200), ids(1_301, 3_000)))
    await settle(here)
    between, never = asyncio.Event(), asyncio.Event()

    async def fails() -> AsyncGenerator[GoodTrades, None]:
        yield good(trades(ids(1_201, 1_250)))
        raise ValueError("the file ends here")

    source = batches(ids(1_201, 1_300), between, never) if how == "cancelled" else fails()
    bringing = asyncio.create_task(merge_of(here).bring("BTCUSDT", source, run(1_201, 1_300), {}, no_runs()))
    if how == "cancelled":
        await between.wait()
        bringing.cancel()
    with pytest.raises((asyncio.CancelledError, ValueError)):
        await bringing
    await settle(here)
    (gap,) = here.tracker.all_open()
    assert (gap.first_id, gap.last_id, gap.obstacle) == (1_251, 1_300, None), "somebody else fetches it now"
    here.take(trades(ids(1_251, 1_300)))
    await settle(here)
    assert here.tracker.all_open() == []
    held = here.store.trades("BTCUSDT").id
    np.testing.assert_array_equal(held, ids(1_000, 3_000))


async def test_the_queue_of_the_tape_is_left_to_the_feed(here: Room) -> None:
    most = 0
    put = here.store.put_trades

    def counted(batch: GoodTrades) -> bool:
        nonlocal most
        most = max(most, here.store.counters().rows_waiting + len(batch))
        return put(batch)

    here.store.put_trades = counted  # type: ignore[method-assign]
    brought = ids(1, 60_000)
    await merge_of(here).bring("BTCUSDT", batches(brought), run(1, 60_000), {}, no_runs())
    assert most <= 4_000
    assert len(here.store.trades("BTCUSDT")) == 60_000
