"""What was imported or uploaded outlives the limits of live data, and what goes between leaves no untold hole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, BarSource, Gap, Origin, TradeKind
from pairscope.feed.judge import GoodTrades
from pairscope.store.imports import ImportedFile, ImportList
from pairscope.store.inventory import report_symbols
from pairscope.store.state import State, state_path
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol

OpenStore = Callable[..., Tape]
DayTrades = Callable[..., GoodTrades]
HourBars = Callable[..., BarArray]

ZERO_MS = 20_000 * DAY_MS
LATER_MS = ZERO_MS + 1_000 * DAY_MS
HOUR = Interval(3_600_000)
LIMITS: dict[str, Any] = {"commit_ms": 1, "keep_data_days": 2, "keep_bar_days": 4}


@pytest.fixture
def days_of(day_trades: DayTrades, hour_bars: HourBars) -> Callable[..., Any]:
    """Fills ten days with 100 trades and 24 bars each; trades of some days have an origin, their bars a source."""

    async def fill(
        store: Tape, days: Sequence[int], origin: Origin = Origin.IMPORT, source: BarSource = BarSource.IMPORT
    ) -> Tape:
        for day in range(10):
            trades, bars = day_trades(day, 100 * day, 100), hour_bars(day)
            if day in days:
                trades = replace(trades, origin=np.full(100, origin, np.uint8))
                bars["source"] = source
            assert store.put_trades(trades)
            assert store.put_bars(bars)
        await store.flushed()
        return store

    return fill


def days_left(store: Tape) -> tuple[list[int], list[int]]:
    """Of trades and of bars."""
    bars = store.bars("BTCUSDT", HOUR)["open_time_ms"]
    return [int(ms - ZERO_MS) // DAY_MS for ms in store.days_with("trades", "BTCUSDT")], sorted(
        {int(ms - ZERO_MS) // DAY_MS for ms in bars.tolist()}
    )


def forget_counts(path: Path) -> None:
    """As if no sealed file had been looked at yet."""
    with State.open(state_path(path)) as state, state.change() as connection:
        assert connection.execute("delete from imported_counts").rowcount


def counts_of(path: Path) -> set[str]:
    """The files of which it is kept how many rows were imported."""
    with State.look(state_path(path)) as state:
        return {file for (file,) in state.rows("select file from imported_counts")}


@pytest.mark.parametrize("sealed", [True, False])
async def test_imported_days_stay_when_live_ones_go(sealed: bool, open_store: OpenStore, days_of: Any) -> None:
    store = await days_of(open_store(**LIMITS), [0, 3])
    if sealed:
        store.seal(LATER_MS)
    assert store.retain(LATER_MS) is not None
    assert days_left(store) == ([0, 3, 7, 8, 9], [0, 3, 5, 6, 7, 8, 9])
    assert store.retain(LATER_MS) is None
    (share,) = store.imported() or []
    assert (share.trades, share.bars, share.goes_ms) == (200, 48, None)


@pytest.mark.parametrize("sealed", [True, False])
async def test_imported_days_go_after_a_limit_of_their_own(sealed: bool, open_store: OpenStore, days_of: Any) -> None:
    store = await days_of(open_store(**LIMITS, keep_imported_days=6), [0, 3])
    if sealed:
        store.seal(LATER_MS)
    (share,) = store.imported() or []
    assert share.goes_ms == ZERO_MS + 7 * DAY_MS
    store.retain(LATER_MS)
    assert days_left(store) == ([3, 7, 8, 9], [3, 5, 6, 7, 8, 9])


@pytest.mark.parametrize("source", [BarSource.IMPORT, BarSource.UPLOAD])
async def test_bars_alone_that_were_brought_stay(source: BarSource, open_store: OpenStore, days_of: Any) -> None:
    store = await days_of(open_store(**LIMITS), [1], origin=Origin.WS, source=source)
    store.seal(LATER_MS)
    store.retain(LATER_MS)
    assert days_left(store) == ([7, 8, 9], [1, 5, 6, 7, 8, 9])


@pytest.mark.parametrize("sealed", [True, False])
async def test_a_day_with_a_single_imported_trade_is_kept_whole_and_with_its_bars(
    sealed: bool, open_store: OpenStore, days_of: Any, day_trades: DayTrades
) -> None:
    store = await days_of(open_store(**LIMITS), [])
    store.seal(LATER_MS)
    late = day_trades(2, 5_000, 1)
    store.put_trades(replace(late, origin=np.array([Origin.IMPORT], np.uint8)))
    await store.flushed()
    if sealed:
        for _ in range(3):
            store.seal(LATER_MS)
    store.retain(LATER_MS)
    assert days_left(store) == ([2, 7, 8, 9], [2, 5, 6, 7, 8, 9])
    assert len(store.trades("BTCUSDT", to_ms=ZERO_MS + 3 * DAY_MS)) == 101


@pytest.mark.parametrize(("first_id", "kept"), [(450, [4, 7, 8, 9]), (9_000, [7, 8, 9])])
async def test_a_tape_of_0_1_0_is_asked_for_its_list_of_imports(
    first_id: int, kept: list[int], open_store: OpenStore, days_of: Any, path: Path
) -> None:
    open_store(**LIMITS).close()
    ImportList(path).add(ImportedFile("x", "a", "BTCUSDT", 5, first_id, first_id + 5, 1))
    store = await days_of(open_store(**LIMITS), [4], origin=Origin.ARCHIVE, source=BarSource.LIVE)
    store.seal(LATER_MS)
    store.retain(LATER_MS)
    assert days_left(store)[0] == kept


async def test_ids_that_go_between_kept_days_are_told_and_not_called_missing(
    open_store: OpenStore, days_of: Any
) -> None:
    store = await days_of(open_store(**LIMITS), [0, 3])
    never = Gap("BTCUSDT", 150, 150, 1, GapReason.NEVER_RECORDED, ZERO_MS, ZERO_MS + DAY_MS)
    store.put_gaps([never, Gap("BTCUSDT", 250, 259, 1, GapReason.SKIPPED, ZERO_MS, ZERO_MS + 2 * DAY_MS)])
    store.seal(LATER_MS)
    store.retain(LATER_MS)
    told = [
        (gap.first_id, gap.last_id, gap.closed_ms is not None) for gap in store.gaps() if gap.reason == GapReason.LET_GO
    ]
    assert told == [(100, 149, True), (151, 299, True), (400, 699, True)]
    assert [gap for gap in store.gaps() if gap.reason != GapReason.LET_GO] == [never]
    assert not [
        text for text in verify_symbol(store, "BTCUSDT", kind=TradeKind.AGG, intervals=()).told if "ids" in text
    ]
    report = next(report for report in report_symbols(store) if report.symbol == "BTCUSDT")
    assert (report.gaps_closed, report.backfilled) == (0, 0)


async def test_rows_of_what_went_end_with_the_older_days_they_lie_behind(open_store: OpenStore, days_of: Any) -> None:
    store = await days_of(open_store(**LIMITS), [0, 3])
    store.seal(LATER_MS)
    store.retain(LATER_MS)
    store.close()
    store = open_store(**LIMITS, keep_imported_days=4)
    store.retain(LATER_MS)
    assert days_left(store)[0] == [7, 8, 9]
    assert store.gaps() == []


@pytest.mark.parametrize("is_known", [True, False], ids=["counted_before", "never_counted"])
async def test_a_damaged_file_that_is_imported_or_may_be_stays_in_the_quarantine(
    is_known: bool, open_store: OpenStore, days_of: Any, path: Path
) -> None:
    store = await days_of(open_store(**LIMITS), [0])
    store.seal(LATER_MS)
    store.close()
    if not is_known:
        forget_counts(path)
    store = open_store(**LIMITS)
    for part in store.days()[:2]:
        (store.path.with_suffix(".days") / part.path).write_bytes(b"x" * part.byte_count)
    store.sweep()
    store.retain(LATER_MS)
    folder = store.path.with_suffix(".days") / "quarantine"
    assert {file.name.partition("=")[0] for file in folder.iterdir()} == {"trades_date", "bars_date"}
    assert all(part.day_ms == ZERO_MS for part in store.quarantined())


async def test_a_lost_list_of_counts_costs_only_time(open_store: OpenStore, days_of: Any, path: Path) -> None:
    store = await days_of(open_store(**LIMITS), [0])
    store.seal(LATER_MS)
    store.close()
    for _ in range(2):
        store = open_store(**LIMITS)
        store.retain(LATER_MS)
        assert days_left(store)[0] == [0, 7, 8, 9]
        store.close()
        forget_counts(path)


async def test_a_file_that_cannot_be_read_leaves_the_others_counted(
    open_store: OpenStore, days_of: Any, path: Path
) -> None:
    store = await days_of(open_store(**LIMITS), [0])
    store.seal(LATER_MS)
    store.close()
    forget_counts(path)
    store = open_store(**LIMITS)
    bad = next(part for part in store.days() if part.kind == "trades" and part.day_ms == ZERO_MS + 8 * DAY_MS)
    (store.path.with_suffix(".days") / bad.path).write_bytes(b"x" * bad.byte_count)
    store.retain(LATER_MS)
    assert days_left(store) == ([0, 7, 9], [0, 5, 6, 7, 8, 9])


async def test_counts_of_files_that_went_are_forgotten_with_the_next_new_file(
    open_store: OpenStore, days_of: Any, day_trades: DayTrades, path: Path
) -> None:
    store = await days_of(open_store(**LIMITS), [0])
    store.seal(LATER_MS)
    store.retain(LATER_MS)
    store.put_trades(day_trades(12, 1_200, 100))
    await store.flushed()
    store.seal(LATER_MS)
    listed = [part.sha256[:16] for part in store.days()]
    store.retain(LATER_MS)
    assert counts_of(path) == set(listed)
