"""Bars say what they miss: holes beside them, where listening began, where it ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pairscope.base.gaps import GapReason
from pairscope.base.interval import Interval
from pairscope.base.model import BarStatus, Continuity, Cut, Gap, TradeKind
from pairscope.feed.judge import Refusal
from pairscope.store.verify import verify_symbol
from tests.ingest.room import INTERVALS, MINUTE, cuts, room, trades
from tests.judged import judged


async def test_the_first_bars_of_a_tape_are_partial(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A"]) as here:
        here.take(trades([5, 6, 7], [100_500, 101_500, 160_000]))
        assert cuts(here, "1s") == {100_000: Cut.BEGIN}
        assert cuts(here, "1m") == {60_000: Cut.BEGIN}


async def test_bars_beside_a_hole_are_partial_until_it_is_filled(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A"]) as here:
        here.take(trades([1, 2, 3], [0, 100_500, 101_500]))
        here.take(trades([8], [170_000]))
        assert cuts(here, "1s") == {101_000: Cut.HOLE_AFTER, 170_000: Cut.HOLE_BEFORE}
        assert cuts(here, "1m") == {60_000: Cut.HOLE_AFTER, 120_000: Cut.HOLE_BEFORE}
        here.take(trades([4, 5, 6, 7], [102_000, 103_000, 104_000, 105_000]))
        await here.until(lambda: cuts(here, "1s") == {})
        await here.until(lambda: not here.intake.unsettled)
        await here.store.flushed()
        stored = here.store.bars("A", Interval.parse("1s"))
        assert set(stored["continuity"].tolist()) == {Continuity.PROVED}
        assert stored[stored["open_time_ms"] == 101_000]["status"].tolist() == [BarStatus.REVISED]


async def test_a_symbol_that_is_not_heard_any_more_leaves_a_partial_bar(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A", "B"]) as here:
        here.take(trades([1, 2], [0, 60_100]))
        here.intake.cut(0)
        other = trades([1, 2], [60_200, 200_000])
        here.take(replace(other, symbol_id=np.ones(2, np.int32)))
        assert cuts(here, "1s") == {60_000: Cut.END}
        assert here.shown("A", MINUTE)["status"].tolist() == [BarStatus.CLOSED, BarStatus.PARTIAL]
        here.take(trades([3], [201_000]))
        assert cuts(here, "1s") == {}, "the next id proves that nothing was missing"


async def test_a_connection_that_is_down_cuts_the_bars_of_its_symbols_only(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A", "B"]) as here:
        here.take(trades([1, 2], [0, 60_100]))
        here.down.add(0)
        here.take(replace(trades([1, 2], [60_000, 65_000]), symbol_id=np.ones(2, np.int32)))
        assert cuts(here, "1s") == {60_000: Cut.END}
        assert here.shown("B", Interval.parse("1s"))["cut"].tolist() == [Cut.BEGIN, 0]
        here.down.clear()
        here.intake.nothing_since(0)
        assert cuts(here, "1s") == {}


async def test_a_bar_whose_last_trade_is_held_is_whole_before_a_hole_that_begins_later(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    async with room(path, ["A"]) as here:
        here.take(trades([1, 2], [100_000, 100_100]))
        # Killed after the row of a hole, and before the trade that showed it: when that one came is known all the same.
        here.store.put_gaps([Gap("A", 3, 4, 0, GapReason.START, after_ms=100_100, before_ms=112_000)])
        await here.store.flushed()
    async with room(path, ["A"]) as here:
        here.take(trades([3, 4], [101_000, 103_000]))
        here.take(trades([9], [120_000]))
        assert [(gap.first_id, gap.after_ms) for gap in here.tracker.open_gaps(0)] == [(5, 112_000)]
        await here.until(lambda: not here.intake.unsettled)
        assert cuts(here, "1s") == {100_000: Cut.BEGIN, 120_000: Cut.HOLE_BEFORE}
        assert cuts(here, "5s") == {100_000: Cut.BEGIN, 120_000: Cut.HOLE_BEFORE}
        assert cuts(here, "1m") == {60_000: Cut.BEGIN | Cut.HOLE_AFTER, 120_000: Cut.HOLE_BEFORE}
        here.take(trades([5, 6, 7, 8], [112_000, 112_100, 113_000, 119_000]))
        await here.until(lambda: not here.intake.unsettled)
        assert cuts(here, "1s") == {100_000: Cut.BEGIN}
        assert cuts(here, "1m") == {60_000: Cut.BEGIN}


async def test_a_hole_before_a_trade_of_an_open_bar_may_begin_in_a_later_one(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    async with room(path, ["A"]) as here:
        here.take(trades([1, 2], [100_000, 104_100]))
        here.store.put_gaps([Gap("A", 3, 3, 0, GapReason.START, after_ms=104_100, before_ms=105_010)])
        await here.store.flushed()
    async with room(path, ["A"]) as here:
        here.intake.nothing_since(0)
        here.take(trades([6], [104_990]))  # 4 came at 105,010: times may step back a little
        assert [(gap.first_id, gap.after_ms) for gap in here.tracker.open_gaps(0)][-1] == (4, 105_010)
        assert cuts(here, "5s") == {100_000: Cut.BEGIN | Cut.HOLE_AFTER | Cut.HOLE_BEFORE}


async def test_an_open_bar_before_a_hole_is_whole_once_that_is_filled(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A"]) as here:
        here.take(trades([1, 2], [98_000, 99_718]))
        here.take(trades([5, 3], [99_958, 100_086]))  # the times of an exchange step back a little now and then
        assert cuts(here, "5s") == {95_000: Cut.BEGIN | Cut.HOLE_BEFORE, 100_000: Cut.HOLE_AFTER}
        here.take(trades([4], [100_087]))
        await here.until(lambda: not here.intake.unsettled)
        here.take(trades([6], [100_200]))
        assert cuts(here, "5s") == {95_000: Cut.BEGIN}


async def test_a_bar_before_refused_trades_is_whole_when_they_come_before_any_other(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A"]) as here:
        here.take(trades([1, 2], [100_000, 105_000]))
        here.intake.take(judged(trades([3], [105_500]), keep=np.zeros(1, np.bool_), refusal=Refusal.TIME))
        assert cuts(here, "5s") == {100_000: Cut.BEGIN, 105_000: Cut.HOLE_AFTER}
        here.take(trades([3], [105_500]))
        await here.until(lambda: not here.intake.unsettled)
        assert cuts(here, "5s") == {100_000: Cut.BEGIN}
        here.take(trades([4], [110_000]))
        assert cuts(here, "5s") == {100_000: Cut.BEGIN}


async def test_a_bar_before_that_of_the_first_trade_is_partial_too_when_times_step_back(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    async with room(path, ["A"]) as here:
        here.take(trades([11, 12, 13], [105_010, 104_990, 106_500]))
        await here.until(lambda: cuts(here, "5s") == {100_000: Cut.BEGIN, 105_000: Cut.BEGIN})
        await here.until(lambda: cuts(here, "1s") == {104_000: Cut.BEGIN, 105_000: Cut.BEGIN})
        assert cuts(here, "1m") == {60_000: Cut.BEGIN}
        await here.store.flushed()
        assert verify_symbol(here.store, "A", kind=TradeKind.AGG, intervals=INTERVALS).told == []
    async with room(path, ["A"]) as here:
        here.intake.nothing_since(0)
        assert cuts(here, "5s") == {100_000: Cut.BEGIN, 105_000: Cut.BEGIN}
        assert here.intake.reach_back(Gap("A", 9, 10, 0, GapReason.START, before_ms=105_010))
        here.take(trades([9, 10], [99_000, 105_005]))
        await here.until(lambda: not here.intake.unsettled)
        assert cuts(here, "5s") == {95_000: Cut.BEGIN}
        assert cuts(here, "1s") == {99_000: Cut.BEGIN}
        here.take(trades([14], [120_000]))
        await here.store.flushed()
        assert verify_symbol(here.store, "A", kind=TradeKind.AGG, intervals=INTERVALS).told == []
