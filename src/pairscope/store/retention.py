"""How long a tape keeps what."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import structlog

from pairscope.base.gaps import OF_IMPORTS, GapReason
from pairscope.base.id_ranges import Runs, intersect, no_runs, run, union
from pairscope.base.interval import DAY_MS
from pairscope.base.model import Gap, SymbolTable
from pairscope.store.damage_reports import ids_told_nowhere
from pairscope.store.database import Database
from pairscope.store.imported import Imported, ImportedDays, OpenDay
from pairscope.store.sealed_catalog import Part, damaged_parts, day_name, delete_parts, select_parts
from pairscope.store.sealed_files import SealedFiles
from pairscope.store.sealing import newest_ms
from pairscope.store.shapes import BARS, TRADES, Shape
from pairscope.store.transaction import replace_gaps
from pairscope.store.writer import Writer

log = structlog.get_logger()

Cursor = duckdb.DuckDBPyConnection
FEW_FILES = 2_000  # looked at while somebody waits
_HIGHEST_ID = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class KeepDays:
    """Days kept besides the running one."""

    trades: int
    bars: int
    imported: int | None = None  # of days with anything imported or uploaded, when more; None keeps them for ever


@dataclass(frozen=True, slots=True)
class RetainReport:
    """What one call deleted."""

    files: int
    file_bytes: int
    trades: int  # rows of the open table
    bars: int
    gaps: int


@dataclass(frozen=True, slots=True)
class ImportedShare:
    """What was imported or uploaded of one symbol."""

    symbol_id: int
    trades: int
    bars: int
    goes_ms: int | None  # when the first of it may be deleted; None: never


@dataclass(frozen=True, slots=True)
class Going:
    """What is to be deleted."""

    parts: list[Part]  # damaged ones among them, whose rows are only a memory
    open_days: list[OpenDay]
    gaps: list[tuple[int, int, int]]  # symbol_id, first_id, last_id

    def __bool__(self) -> bool:
        return bool(self.parts or self.open_days or self.gaps)


class Retention:
    """Deletes days that are too old: whole files, and rows of the open table."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        sealed_files: SealedFiles,
        keep: KeepDays,
        imported: Imported,
        symbols: SymbolTable,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._writer = writer
        self._sealed_files = sealed_files
        self._keep = keep
        self._imported = imported
        self._symbols = symbols
        self._now_ms = now_ms

    def retain(self, now_ms: int) -> RetainReport | None:
        """Delete what is too old; None when nothing is.

        Age is counted from the newest trade on the tape or from `now_ms`, whichever is earlier: a clock that jumps
        ahead deletes nothing, and a tape of last year stays whole until the market goes on. A day with anything
        imported or uploaded stays whole, as long as `KeepDays.imported` says.

        Raises:
            StoreUnavailable: after close, or when the tape cannot be read or written.
        """
        self._imported.learn()
        with self._database.reading() as cursor:
            cursor.execute("begin")
            today_ms = min(now_ms, newest_ms(cursor)) // DAY_MS * DAY_MS
            going = self._too_old(cursor, today_ms)
            listed = {part.number for part in [*select_parts(cursor), *damaged_parts(cursor)]}
        self._clear_quarantine(today_ms, listed - {part.number for part in going.parts})
        if not going:
            return None
        report = self.delete(lambda connection: self._too_old(connection, today_ms))
        log.info("old_days_deleted", files=report.files, trades=report.trades, bars=report.bars)
        return report

    def delete(self, choose: Callable[[Cursor], Going]) -> RetainReport:
        """Delete what is chosen, in one transaction; the files go when nobody reads them any more.

        Raises:
            StoreUnavailable: when the tape cannot be read or written; nothing is changed then.
        """
        going, counts = self._writer.submit(lambda connection: self._delete(connection, choose(connection))).result()
        files = [part for part in going.parts if part.damage is None]
        for part in files:
            self._sealed_files.retire(self._sealed_files.path(part), self._database.reads_begun())
        return RetainReport(len(files), sum(part.byte_count for part in files), *counts)

    def shares(self) -> list[ImportedShare] | None:
        """What was imported, by symbol; None as long as too many files were not looked at yet."""
        with self._database.reading() as cursor:
            if len(self._imported.unknown(select_parts(cursor))) > FEW_FILES:
                return None
        self._imported.learn()
        with self._database.reading() as cursor:
            cursor.execute("begin")
            items: list[Part | OpenDay] = [part for part in select_parts(cursor) if self._imported.rows(part)]
            for shape in (TRADES, BARS):
                items += [day for day in self._imported.open_days(cursor, shape) if day.imported]
        found = []
        for symbol_id in sorted({item.symbol_id for item in items}):
            own = [item for item in items if item.symbol_id == symbol_id]
            rows = {True: 0, False: 0}
            for item in own:
                rows[item.interval_ms == 0] += self._rows(item)
            goes_ms = [item.day_ms + (days + 1) * DAY_MS for item in own if (days := self._kept_days(item)) is not None]
            found.append(ImportedShare(symbol_id, rows[True], rows[False], min(goes_ms, default=None)))
        return found

    def _rows(self, item: Part | OpenDay) -> int:
        return item.imported if isinstance(item, OpenDay) else self._imported.rows(item) or 0

    def _kept_days(self, item: Part | OpenDay) -> int | None:
        """How long something imported stays: never shorter than what is live."""
        live = self._keep.bars if item.interval_ms else self._keep.trades
        return None if self._keep.imported is None else max(live, self._keep.imported)

    def imported_days(self, cursor: Cursor) -> ImportedDays:
        """The days that hold anything imported, or may."""
        opened = [day for shape in (TRADES, BARS) for day in self._imported.open_days(cursor, shape)]
        return self._imported.days([*select_parts(cursor), *damaged_parts(cursor)], opened)

    def _too_old(self, cursor: Cursor, today_ms: int) -> Going:
        first_ms = {
            TRADES: today_ms - self._keep.trades * DAY_MS,
            BARS: today_ms - self._keep.bars * DAY_MS,
        }
        parts, opened = old_parts(cursor, first_ms), []
        for shape, ms in first_ms.items():
            opened += self._imported.open_days(cursor, shape, ms)
        protected = self._imported.days(parts, opened)

        def goes(item: Part | OpenDay) -> bool:
            if item not in protected:
                return True
            days = self._kept_days(item)
            return days is not None and item.day_ms < today_ms - days * DAY_MS

        days = self._keep.imported
        return Going(
            [part for part in parts if goes(part)],
            [day for day in opened if goes(day)],
            old_gaps(
                cursor,
                first_ms[TRADES],
                lambda symbol_id, day_ms: (
                    (symbol_id, day_ms) in protected.trades
                    and (days is None or day_ms >= today_ms - max(days, self._keep.trades) * DAY_MS)
                ),
            ),
        )

    def _clear_quarantine(self, today_ms: int, kept: set[int]) -> None:
        for file in self._sealed_files.quarantined_files():
            for shape, days in ((TRADES, self._keep.trades), (BARS, self._keep.bars)):
                prefix = f"{shape.kind}_date="
                is_old = file.name.startswith(prefix) and file.name[len(prefix) :][:10] < day_name(
                    today_ms - days * DAY_MS
                )
                if is_old and _quarantined_number(file) not in kept:
                    self._sealed_files.remove(file)

    def _delete(self, connection: Cursor, going: Going) -> tuple[Going, list[int]]:
        """Returns, besides what was chosen, how many trades, bars and gaps went from their tables."""
        delete_parts(connection, [part.number for part in going.parts])
        rows = {TRADES: 0, BARS: 0}
        for day in going.open_days:
            rows[day.shape] += _delete_rows(connection, day)
        for symbol_id, first_id, _ in going.gaps:
            connection.execute("delete from gaps where symbol_id = ? and first_id = ?", [symbol_id, first_id])
        self._tell_what_lies_between(connection, going)
        return going, [rows[TRADES], rows[BARS], len(going.gaps)]

    def _tell_what_lies_between(self, connection: Cursor, going: Going) -> None:
        """Where older days are kept, the ids that go leave a row: no id between the first and the last is untold."""
        gone: dict[int, Runs] = {}
        items: list[Part | OpenDay] = [*going.parts, *going.open_days]
        lost = [(item.symbol_id, item.first_id, item.last_id) for item in items if not item.interval_ms]
        for symbol_id, first_id, last_id in [*lost, *going.gaps]:
            gone[symbol_id] = union(gone.get(symbol_id, no_runs()), run(first_id, last_id))
        lowest = _lowest_ids(connection)
        for symbol_id, ids in gone.items():
            low = lowest.get(symbol_id, _HIGHEST_ID)
            connection.execute(
                "delete from gaps where symbol_id = ? and reason = ? and last_id < ?",
                [symbol_id, GapReason.LET_GO.value, low],
            )
            left = no_runs()
            for first_id, last_id in intersect(ids, run(low, _HIGHEST_ID)).tolist():
                left = union(left, ids_told_nowhere(connection, self._sealed_files, symbol_id, first_id, last_id))
            if len(left):
                self._write_let_go(connection, symbol_id, left)

    def _write_let_go(self, connection: Cursor, symbol_id: int, ids: Runs) -> None:
        """One row for each run, whichever day it went on."""
        rows = connection.execute(
            "select first_id, last_id from gaps where symbol_id = ? and reason = ?", [symbol_id, GapReason.LET_GO.value]
        ).fetchall()
        connection.execute("delete from gaps where symbol_id = ? and reason = ?", [symbol_id, GapReason.LET_GO.value])
        every = union(ids, np.array(rows, np.int64).reshape(-1, 2))
        now_ms, symbol = self._now_ms(), self._symbols.name(symbol_id)
        gaps = [
            Gap(symbol, first_id, last_id, now_ms, GapReason.LET_GO, closed_ms=now_ms)
            for first_id, last_id in every.tolist()
        ]
        replace_gaps(connection, [(symbol_id, gap) for gap in gaps])


def old_parts(cursor: Cursor, first_ms: dict[Shape, int]) -> list[Part]:
    """Sealed files of days before a time, damaged ones included."""
    return [
        part
        for part in [*select_parts(cursor), *damaged_parts(cursor)]
        if part.day_ms < first_ms[TRADES if part.kind == TRADES.kind else BARS]
    ]


def old_gaps(cursor: Cursor, before_ms: int, is_kept: Callable[[int, int], bool]) -> list[tuple[int, int, int]]:
    """Gaps that ended before a time, on days of a symbol that are not kept.

    What was never recorded between kept days and those after them is still missing.
    """
    rows = cursor.execute(
        "select symbol_id, first_id, last_id, before_ms, reason, closed_ms from gaps where before_ms < ?", [before_ms]
    ).fetchall()
    lowest = _lowest_ids(cursor) if rows else {}
    return [
        (symbol_id, first_id, last_id)
        for symbol_id, first_id, last_id, ms, reason, closed_ms in rows
        if not is_kept(symbol_id, ms // DAY_MS * DAY_MS)
        and not (reason in OF_IMPORTS and closed_ms is None and lowest.get(symbol_id, first_id) < first_id)
    ]


def _lowest_ids(cursor: Cursor) -> dict[int, int]:
    return dict(
        cursor.execute(
            """
            select symbol_id, min(id) from (
                select symbol_id, min(id) as id from trades group by symbol_id
                union all select symbol_id, first_id from parts where kind = 'trades' and damage is null
            ) group by symbol_id
            """
        ).fetchall()
    )


def _delete_rows(connection: Cursor, day: OpenDay) -> int:
    time, interval = day.shape.time, f"and interval_ms = {day.interval_ms:d}" if day.interval_ms else ""
    ((count,),) = connection.execute(
        f"""
        delete from {day.shape.kind} where symbol_id = {day.symbol_id:d} {interval}
            and {time} >= {day.day_ms:d} and {time} < {day.day_ms + DAY_MS:d}
        """
    ).fetchall()
    return int(count)


def _quarantined_number(file: Path) -> int | None:
    match = re.search(r"(\d+)\.parquet$", file.name)
    return int(match[1]) if match else None
