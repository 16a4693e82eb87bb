"""Which days hold something that was imported or uploaded: the limits of live data do not hold for those.

A sealed file never changes, so what was counted in it is remembered by its checksum, in the state database. A lost
count costs nothing but time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import structlog

from pairscope.base.errors import DataFolderError
from pairscope.base.interval import DAY_MS
from pairscope.base.model import BarSource, Origin, SymbolTable
from pairscope.store.database import Database
from pairscope.store.imports import ImportList
from pairscope.store.sealed_catalog import Part, damaged_parts, select_parts
from pairscope.store.sealed_files import SealedFiles
from pairscope.store.shapes import BARS, TRADES, Shape, quoted
from pairscope.store.tape_notes import TapeNotes

log = structlog.get_logger()

Cursor = duckdb.DuckDBPyConnection

FILES_AT_ONCE = 200
_KEY_CHARS = 16  # of a checksum

# Rows that nobody had listened for, and trades of official files: those were imported on a tape of 0.1.0, when its list
# of imports says so, and fill holes of live data else.
_COUNTS = {
    TRADES.kind: f"count(*) filter (origin = {Origin.IMPORT:d}), count(*) filter (origin = {Origin.ARCHIVE:d})",
    BARS.kind: f"count(*) filter (source <> {BarSource.LIVE:d}), 0",
}


@dataclass(frozen=True, slots=True)
class OpenDay:
    """Rows of one day of a symbol (and interval) in the open table."""

    shape: Shape
    symbol_id: int
    interval_ms: int  # 0 for trades
    day_ms: int
    row_count: int
    first_id: int
    last_id: int
    imported: int  # of the rows


@dataclass(frozen=True, slots=True)
class ImportedDays:
    """Days with imported rows, or with a file of which that cannot be known any more."""

    trades: frozenset[tuple[int, int]]  # symbol_id, day_ms
    bars: frozenset[tuple[int, int, int]]  # symbol_id, interval_ms, day_ms

    def __contains__(self, item: Part | OpenDay) -> bool:
        """Bars belong to their trades: those of 0.1.0 do not say that they are of imported ones."""
        return (item.symbol_id, item.day_ms) in self.trades or (
            item.symbol_id,
            item.interval_ms,
            item.day_ms,
        ) in self.bars


class Imported:
    """Counts imported rows, once in each sealed file."""

    def __init__(
        self, path: Path, database: Database, sealed_files: SealedFiles, symbols: SymbolTable, *, keeps: bool = True
    ) -> None:
        """`keeps`: the counts are kept in the state."""
        self._keeps = keeps
        self._notes = TapeNotes(path)
        self._database = database
        self._sealed_files = sealed_files
        self._symbols = symbols
        self._counted: dict[str, tuple[int, int]] = {}  # by the beginning of a checksum
        self._ranges: dict[str, list[tuple[int, int]]] = {}
        try:
            self._counted = self._read()
            for file in ImportList(path).read():
                if file.last_id:
                    self._ranges.setdefault(file.symbol, []).append((file.first_id, file.last_id))
        except DataFolderError as error:
            if keeps:
                raise
            log.warning("imports_unknown", cause=error.message)  # a tape that is only looked at shows what it can

    def _read(self) -> dict[str, tuple[int, int]]:
        rows = self._notes.rows("select file, imported, archive from imported_counts where tape = :tape")
        return {file: (imported, archive) for file, imported, archive in rows}

    def unknown(self, parts: Iterable[Part]) -> list[Part]:
        """Those that were not looked at yet."""
        return [part for part in parts if part.sha256[:_KEY_CHARS] not in self._counted]

    def learn(self) -> None:
        """Look at the sealed files that are new.

        Raises:
            StoreUnavailable: after close, or when the tape cannot be read.
        """
        with self._database.reading() as cursor:
            listed = select_parts(cursor)
        new = self.unknown(listed)
        if not new:
            return
        for start in range(0, len(new), FILES_AT_ONCE):
            self._look_at([part.number for part in new[start : start + FILES_AT_ONCE]])
        stay = {part.sha256[:_KEY_CHARS] for part in listed} | {part.sha256[:_KEY_CHARS] for part in self._damaged()}
        self._counted = {key: counts for key, counts in self._counted.items() if key in stay}
        if not self._keeps:
            return
        try:
            self._write()
        except DataFolderError as error:
            log.warning("imported_counts_not_kept", cause=error.message)

    def _write(self) -> None:
        with self._notes.change() as change:
            rows = [(change.tape, file, *counts) for file, counts in self._counted.items()]
            change.execute("delete from imported_counts where tape = ?", (change.tape,))
            change.execute_many("insert into imported_counts values (?, ?, ?, ?)", rows)

    def _damaged(self) -> list[Part]:
        with self._database.reading() as cursor:
            return damaged_parts(cursor)

    def _look_at(self, numbers: Sequence[int]) -> None:
        doubtful: list[Part] = []
        with self._database.reading() as cursor:  # files that are listed in it stay until it ends
            parts = select_parts(cursor, f"number in ({', '.join(map(str, numbers))})")
            for shape in (TRADES, BARS):
                own = [part for part in parts if part.kind == shape.kind]
                try:
                    self._count(cursor, shape, own)
                except duckdb.Error:
                    doubtful += self._count_singly(cursor, shape, own)
        for part in doubtful:
            self._sealed_files.trusts_after_hashing(part)

    def _count_singly(self, cursor: Cursor, shape: Shape, parts: list[Part]) -> list[Part]:
        """Those that could not be read."""
        doubtful = []
        for part in parts:
            try:
                self._count(cursor, shape, [part])
            except duckdb.Error:
                doubtful.append(part)
        return doubtful

    def _count(self, cursor: Cursor, shape: Shape, parts: list[Part]) -> None:
        if not parts:
            return
        names = {str(self._sealed_files.path(part)): part for part in parts}
        listed = ", ".join(map(quoted, names))
        rows = cursor.execute(
            f"""
            select filename, {_COUNTS[shape.kind]}
            from read_parquet([{listed}], hive_partitioning = false, filename = true) group by filename
            """
        ).fetchall()
        for name, imported, archive in rows:
            self._counted[names[name].sha256[:_KEY_CHARS]] = imported, archive

    def rows(self, part: Part) -> int | None:
        """How many rows of a sealed file were imported; None when nobody knows."""
        counted = self._counted.get(part.sha256[:_KEY_CHARS])
        if counted is None:
            return None
        return self._of_counts(part.symbol, part.first_id, part.last_id, *counted)

    def _of_counts(self, symbol: str, first_id: int, last_id: int, imported: int, archive: int) -> int:
        listed = archive and any(low <= last_id and first_id <= high for low, high in self._ranges.get(symbol, ()))
        return imported + archive if listed else imported

    def open_days(self, cursor: Cursor, shape: Shape, before_ms: int | None = None) -> list[OpenDay]:
        """What stands in the open table, by day."""
        interval = "0" if shape is TRADES else "interval_ms"
        until = "" if before_ms is None else f"where {shape.time} < {before_ms:d}"
        rows = cursor.execute(
            f"""
            select symbol_id, {interval} as interval_ms, {shape.time} // {DAY_MS} * {DAY_MS} as day_ms, count(*),
                min({shape.first_id}), max({shape.last_id}), {_COUNTS[shape.kind]}
            from {shape.kind} {until} group by all order by day_ms, symbol_id, interval_ms
            """
        ).fetchall()
        return [
            OpenDay(
                shape,
                symbol_id,
                interval_ms,
                day_ms,
                row_count,
                first_id,
                last_id,
                imported=self._of_counts(self._symbols.name(symbol_id), first_id, last_id, imported, archive),
            )
            for symbol_id, interval_ms, day_ms, row_count, first_id, last_id, imported, archive in rows
        ]

    def days(self, parts: Iterable[Part], opened: Iterable[OpenDay]) -> ImportedDays:
        """The days among these that hold imported rows, or may."""
        items: list[Part | OpenDay] = [part for part in parts if self.rows(part) != 0]
        items += [day for day in opened if day.imported]
        return ImportedDays(
            trades=frozenset((item.symbol_id, item.day_ms) for item in items if not item.interval_ms),
            bars=frozenset((item.symbol_id, item.interval_ms, item.day_ms) for item in items if item.interval_ms),
        )
