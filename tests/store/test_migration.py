"""A tape of format 2, of version 0.1.0, comes to the present format when it is opened: all of it or nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, BarSource, BarStatus, Continuity, Cut, Gap
from pairscope.store.migration import STEPS
from pairscope.store.schema import FORMAT
from pairscope.store.tape import Tape
from tests import prepared
from tests.patience import COMMAND_S

OpenStore = Callable[..., Tape]
HourBars = Callable[..., BarArray]

ZERO_MS = 20_000 * DAY_MS
HOUR_MS = 3_600_000
HOUR = Interval(HOUR_MS)
NEW_COLUMNS = ("continuity", "cut")


def to_format_2(path: Path) -> None:
    """Take away what a closed tape has more than one of version 0.1.0, in its table and in its sealed files."""
    with duckdb.connect(path) as connection:
        for column in NEW_COLUMNS:
            connection.execute(f"alter table bars drop column {column}")
        for file in path.with_suffix(".days").glob("bars/*/*/*/*.parquet"):
            old = file.with_suffix(".old")
            left_out = ", ".join(NEW_COLUMNS)
            source = f"read_parquet('{file}', hive_partitioning = false)"
            connection.execute(f"copy (select * exclude ({left_out}) from {source}) to '{old}' (format parquet)")
            old.replace(file)
            number = int(file.stem.partition("-")[2])
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            values = [digest, file.stat().st_size, number]
            connection.execute("update parts set sha256 = ?, byte_count = ? where number = ?", values)
        connection.execute("update tape_format set format = 2")


def make_old_tape(open_store: OpenStore, hour_bars: HourBars, path: Path) -> None:
    """Bars of three days from 05:00 on the first, of which the first two are sealed, and official bars of another day.

    One gap lies within the hour of 07:00 on the first day, one reaches from 09:00 to 11:00, one from the sealed second
    day into the open third.
    """
    store = open_store()

    async def fill() -> None:
        for day in range(3):
            bars = hour_bars(day)
            store.put_bars(bars[bars["open_time_ms"] >= ZERO_MS + 5 * HOUR_MS])
        official = hour_bars(-5, symbol_id=1)
        official["source"] = BarSource.IMPORT
        store.put_bars(official)
        spans = [(7.2, 7.4, 1), (9.5, 11.5, 2), (47.5, 48.5, 3)]
        store.put_gaps(
            [
                Gap("BTCUSDT", i, i, 0, GapReason.SKIPPED, ZERO_MS + int(a * HOUR_MS), ZERO_MS + int(b * HOUR_MS))
                for a, b, i in spans
            ]
        )
        await store.flushed()

    asyncio.run(fill())
    store.seal(ZERO_MS + 2 * DAY_MS + 2 * HOUR_MS)
    assert {part.kind for part in store.days()} == {"bars"}
    store.close()
    to_format_2(path)


def cuts(store: Tape) -> dict[int, Cut]:
    """Where bars of hours are cut, by their hour."""
    bars = store.bars("BTCUSDT", HOUR)
    cut = bars[bars["cut"] > 0]
    assert (cut["continuity"] == Continuity.PARTIAL).all()
    assert (cut["status"] == BarStatus.PARTIAL).all()
    hours = (cut["open_time_ms"] - ZERO_MS) // HOUR_MS
    return {hour: Cut(value) for hour, value in zip(hours.tolist(), cut["cut"].tolist(), strict=True)}


EXPECTED = {
    5: Cut.BEGIN,
    9: Cut.HOLE_AFTER,
    11: Cut.HOLE_BEFORE,
    47: Cut.HOLE_AFTER,
    48: Cut.HOLE_BEFORE,
}


def test_bars_of_an_old_tape_are_partial_where_they_were_cut(
    open_store: OpenStore, hour_bars: HourBars, path: Path
) -> None:
    make_old_tape(open_store, hour_bars, path)
    store = open_store()
    assert cuts(store) == EXPECTED
    bars = store.bars("BTCUSDT", HOUR)
    assert len(bars) == 3 * 24 - 5
    whole = bars[bars["cut"] == 0]
    assert (whole["continuity"] == Continuity.PROVED).all()
    assert (whole["status"] == BarStatus.CLOSED).all()
    official = store.bars("ETHUSDT", HOUR)
    assert (official["continuity"] == Continuity.UNPROVED).all()
    assert (official["cut"] == 0).all()


def test_what_was_migrated_stays_so_when_it_is_sealed(open_store: OpenStore, hour_bars: HourBars, path: Path) -> None:
    make_old_tape(open_store, hour_bars, path)
    store = open_store()
    before = store.bars("BTCUSDT", HOUR)
    reports = [store.seal(ZERO_MS + 3 * DAY_MS + 2 * HOUR_MS) for _ in range(2)]
    assert all(not report.failed for report in reports if report)
    assert any(reports)
    store.close()
    store = open_store()
    np.testing.assert_array_equal(store.bars("BTCUSDT", HOUR), before)
    assert cuts(store) == EXPECTED
    np.testing.assert_array_equal(store.bars("BTCUSDT", HOUR, limit=30, newest=True), before[-30:])


def test_a_tape_is_migrated_once(open_store: OpenStore, hour_bars: HourBars, path: Path) -> None:
    make_old_tape(open_store, hour_bars, path)
    open_store().close()
    with duckdb.connect(path) as connection:
        assert connection.execute("select format from tape_format").fetchall() == [(FORMAT,)]
    assert cuts(open_store()) == EXPECTED


def test_files_of_before_venues_stay_where_they_are_and_new_ones_lie_in_the_folder_of_theirs(
    open_store: OpenStore, hour_bars: HourBars, path: Path
) -> None:
    make_old_tape(open_store, hour_bars, path)
    days = path.with_suffix(".days")
    with duckdb.connect(path) as connection:
        for file in days.glob("bars/*/venue=BINANCE/*/*.parquet"):
            place = file.parents[2] / file.parent.name / file.name
            place.parent.mkdir(exist_ok=True)
            file.rename(place)
        connection.execute("alter table parts drop column venue")
        connection.execute("alter table symbols drop column continuity")
    store = open_store()
    old = {str(part) for part in store.days()}
    assert old
    assert not any("venue=" in name for name in old)
    before = store.bars("BTCUSDT", HOUR)
    reports = [store.seal(ZERO_MS + 3 * DAY_MS + 2 * HOUR_MS) for _ in range(3)]
    assert all(not report.failed for report in reports if report)
    new = {str(part) for part in store.days()} - old
    assert new
    assert all("/venue=BINANCE/symbol=" in name for name in new)
    store.close()
    store = open_store()
    assert store.quarantined() == []
    np.testing.assert_array_equal(store.bars("BTCUSDT", HOUR), before)
    assert [store.symbols.best(i) for i in range(len(store.symbols))] == 2 * [Continuity.PROVED]


KILLED = """
import os, sys
from pathlib import Path
from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeKind
from pairscope.store import migration
from pairscope.store.tape import Tape

real, after = migration.STEPS[2], sys.argv[2] == "after"

def dying(connection, path, tables):
    class Counted:
        left = int(sys.argv[3])
        def __getattr__(self, name):
            return getattr(connection, name)
        def execute(self, *given):
            Counted.left -= 1
            if Counted.left < 0:
                os._exit(9)
            return connection.execute(*given)
    real(Counted(), path, tables)
    if after:
        os._exit(9)

migration.STEPS[2] = dying
Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock())
"""


@pytest.mark.parametrize(("when", "statements"), [("at", 0), ("at", 1), ("at", 3), ("at", 9), ("after", 10_000)])
def test_a_kill_in_the_middle_leaves_a_tape_that_opens(
    when: str, statements: int, open_store: OpenStore, hour_bars: HourBars, path: Path
) -> None:
    make_old_tape(open_store, hour_bars, path)
    killed = prepared.run("-c", KILLED, str(path), when, str(statements), seconds=COMMAND_S)
    assert killed.returncode == 9, killed.stderr
    with duckdb.connect(path, read_only=True) as connection:
        assert connection.execute("select format from tape_format").fetchall() == [(2,)]
        assert not set(NEW_COLUMNS) & {row[0] for row in connection.execute("describe bars").fetchall()}
    store = open_store()
    assert cuts(store) == EXPECTED
    assert len(store.bars("BTCUSDT", HOUR)) == 3 * 24 - 5


def test_a_step_that_fails_leaves_the_tape_as_it_was(
    open_store: OpenStore, hour_bars: HourBars, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old_tape(open_store, hour_bars, path)
    real = STEPS[2]

    def failing(*given: object) -> None:
        real(*given)  # type: ignore[arg-type]
        raise RuntimeError("planted")

    monkeypatch.setitem(STEPS, 2, failing)
    with pytest.raises(RuntimeError, match="planted"):
        open_store()
    monkeypatch.undo()
    assert cuts(open_store()) == EXPECTED
