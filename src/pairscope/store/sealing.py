"""Sealing: the rows of days that are over go from the open table to sorted files.

For each symbol's day (and interval): copy to a draft, sync, compare with the table, rename; then one transaction of
the writer lists the file and deletes the rows. Before that transaction the file is no part of the tape, after it the
rows are none. Rows that arrive in between make the transaction refuse, and the day is sealed again later: that is how
late trades come into a sealed day too, by a new file that takes the place of the old one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import duckdb
import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import StoreUnavailable
from pairscope.base.interval import DAY_MS
from pairscope.base.model import SymbolTable
from pairscope.base.symbol import venue_of
from pairscope.store.database import Database
from pairscope.store.gate import LARGE
from pairscope.store.sealed_catalog import Part, day_name, delete_parts, insert_part, select_parts, take_numbers
from pairscope.store.sealed_files import DRAFT, SealedFiles
from pairscope.store.shapes import BARS, TRADES, Shape, file_rows, quoted, spanning
from pairscope.store.writer import JobUnsettled, Writer, WriterJobRefused

log = structlog.get_logger()

GRACE_MS = 3_600_000  # how far the next day must have got before a day is sealed
SPARE_BYTES = 64_000_000  # left to the writer when a day is sealed
_LARGEST_ROW_BYTES = 24
PART_FORMAT = (  # level and groups: 2% smaller files for 10% more time
    "format parquet, parquet_version v2, compression zstd, compression_level 9, row_group_size 245760, "
    "use_tmp_file false"
)


@dataclass(frozen=True, slots=True)
class SealReport:
    """What one call sealed, and what it could not."""

    files: int
    trades: int  # rows that left the open table
    bars: int
    file_bytes: int
    took_s: float
    failed: tuple[str, ...] = ()  # a line for each file that was not made; it is tried again at the next call


class Digest(NamedTuple):
    """Says whether two sets of rows are the same, whatever their order."""

    row_count: int
    sum_of_hashes: int | None


@dataclass(frozen=True, slots=True)
class _Day:
    """Open rows of one symbol (and interval) that belong to a day that is over."""

    shape: Shape
    symbol_id: int
    interval_ms: int
    day_ms: int
    row_count: int

    @property
    def condition(self) -> str:
        condition = f"symbol_id = {self.symbol_id} and {self.shape.time} >= {self.day_ms}"
        condition += f" and {self.shape.time} < {self.day_ms + DAY_MS}"
        return condition if self.shape is TRADES else f"{condition} and interval_ms = {self.interval_ms}"

    @property
    def key(self) -> tuple[str, int, int, int]:
        return self.shape.kind, self.symbol_id, self.interval_ms, self.day_ms


class Sealer:
    """Moves days that are over into files. One call at a time, in a thread that may wait."""

    def __init__(
        self, database: Database, writer: Writer, sealed_files: SealedFiles, symbols: SymbolTable, clock: Clock
    ) -> None:
        self._database = database
        self._writer = writer
        self._sealed_files = sealed_files
        self._symbols = symbols
        self._clock = clock
        self._late: dict[tuple[str, int, int, int], int] = {}  # rows for days with a file, at the call before

    def seal(self, now_ms: int) -> SealReport | None:
        """Seal what is over; None when there is nothing to do.

        Raises:
            StoreUnavailable: after close, or while the tape cannot be read.
        """
        started_s = self._clock.monotonic_s()
        with self._database.reading() as cursor:
            days = self._to_seal(cursor, now_ms)
        if not days:
            return None
        first = self._writer.submit(lambda connection: take_numbers(connection, len(days))).result()
        done: list[tuple[_Day, Part]] = []
        failed: list[str] = []
        for number, day in enumerate(days, first):
            try:
                done.append((day, self._seal(day, number)))
            except (OSError, StoreUnavailable, WriterJobRefused) as error:
                cause = str(error).partition("\n")[0]
                failed.append(
                    f"{day.shape.kind} of {self._symbols.name(day.symbol_id)}, {day_name(day.day_ms)}: {cause}"
                )
        if failed:
            log.warning("sealing_failed", files=len(failed), first=failed[0])
        return SealReport(
            files=len(done),
            trades=sum(day.row_count for day, _ in done if day.shape is TRADES),
            bars=sum(day.row_count for day, _ in done if day.shape is BARS),
            file_bytes=sum(part.byte_count for _, part in done),
            took_s=self._clock.monotonic_s() - started_s,
            failed=tuple(failed),
        )

    def _to_seal(self, cursor: duckdb.DuckDBPyConnection, now_ms: int) -> list[_Day]:
        """Days that are over and have open rows. One that has a file waits until no more late rows come for it."""
        reached_ms = min(now_ms, newest_ms(cursor))
        over_ms = (reached_ms - GRACE_MS) // DAY_MS * DAY_MS
        days = [_Day(TRADES, symbol_id, 0, *rest) for symbol_id, *rest in _open_days(cursor, TRADES, over_ms)]
        days += [_Day(BARS, *row) for row in _open_days(cursor, BARS, over_ms)]
        if not days:
            self._late = {}
            return []
        parts = select_parts(cursor, "day_ms < ?", [over_ms])
        sealed = {(part.kind, part.symbol_id, part.interval_ms, part.day_ms) for part in parts}
        before, self._late = self._late, {day.key: day.row_count for day in days if day.key in sealed}
        return [day for day in days if day.key not in sealed or before.get(day.key) == day.row_count]

    def _seal(self, day: _Day, number: int) -> Part:
        part = _blank(day, number, self._symbols.name(day.symbol_id))
        path = self._sealed_files.path(part)
        try:
            part, opened, replaced = self._written(day, part)
        except (OSError, StoreUnavailable):
            self._sealed_files.remove(path.with_name(path.name + DRAFT))
            self._sealed_files.remove(path)
            raise
        try:
            self._writer.submit(lambda connection: _swap(connection, day, part, opened, replaced)).result()
        except JobUnsettled:
            raise  # the file may be a part of the tape: the next opening will know
        except (StoreUnavailable, WriterJobRefused):
            self._sealed_files.remove(path)
            raise
        for old in replaced:
            self._sealed_files.retire(self._sealed_files.path(old), self._database.reads_begun())
        log.info("day_sealed", file=str(part), rows=part.row_count, file_bytes=part.byte_count)
        return part

    def _written(self, day: _Day, part: Part) -> tuple[Part, Digest, list[Part]]:
        """Make the file of a part; returns it with the digest of the open rows in it and the parts merged into it."""
        path = self._sealed_files.path(part)
        draft = path.with_name(path.name + DRAFT)
        disk = self._sealed_files.disk
        make_sure_of_space(self._sealed_files, day.row_count)
        disk.make_folder(path.parent)
        with self._database.reading(LARGE) as cursor:
            cursor.execute("begin")
            replaced = [old for old in _parts_of(cursor, day) if self._sealed_files.trusts(old)]
            source = spanning(self._sealed_files, day.shape, day.condition, replaced)
            opened = digest_of(cursor, day.shape, f"{day.shape.kind} where {day.condition}")
            expected = digest_of(cursor, day.shape, f"({source})") if replaced else opened
            order = ", ".join(day.shape.order)
            cursor.execute(f"copy ({source} order by {order}) to {quoted(str(draft))} ({PART_FORMAT})").fetchall()
            cursor.execute("rollback")
            if digest_of(cursor, day.shape, file_rows([draft], day.shape)) != expected:
                raise StoreUnavailable("the file does not hold the rows it was made of", cure="look at its disk")
            part = described(cursor, part, day.shape, draft)
        disk.sync(draft)
        part = replace(part, byte_count=disk.stamp(draft)[0], sha256=disk.sha256(draft))
        disk.rename(draft, path)
        return part, opened, replaced


def make_sure_of_space(sealed_files: SealedFiles, rows: int) -> None:
    """Refuse to make a file that would leave nothing to the writer.

    Raises:
        StoreUnavailable: when too little is free.
    """
    free = sealed_files.disk.free_bytes(sealed_files.root.parent)
    if free < SPARE_BYTES + rows * _LARGEST_ROW_BYTES:
        raise StoreUnavailable(f"only {free:,} bytes are free", cure="make room on the disk of the tape")


def newest_ms(cursor: duckdb.DuckDBPyConnection) -> int:
    """Exchange time of the newest trade on the tape; of the newest bar on a tape without trades; 0 on an empty one."""
    for shape in (TRADES, BARS):
        ((newest,),) = cursor.execute(
            f"""
            select max(ms) from (
                select max({shape.time}) as ms from {shape.kind}
                union all select max(last_ms) from parts where kind = '{shape.kind}'
            )
            """
        ).fetchall()
        if newest is not None:
            return int(newest)
    return 0


def _open_days(cursor: duckdb.DuckDBPyConnection, shape: Shape, over_ms: int) -> list[tuple[int, ...]]:
    columns = "symbol_id" if shape is TRADES else "symbol_id, interval_ms"
    return cursor.execute(
        f"""
        select {columns}, {shape.time} // {DAY_MS} * {DAY_MS} as day_ms, count(*) from {shape.kind}
        where {shape.time} < {over_ms} group by all order by day_ms, {columns}
        """
    ).fetchall()


def _parts_of(cursor: duckdb.DuckDBPyConnection, day: _Day) -> list[Part]:
    return select_parts(cursor, "(kind, symbol_id, interval_ms, day_ms) = (?, ?, ?, ?)", list(day.key))


def _blank(day: _Day, number: int, symbol: str) -> Part:
    return Part(
        number=number,
        kind=day.shape.kind,
        symbol=symbol,
        symbol_id=day.symbol_id,
        interval_ms=day.interval_ms,
        day_ms=day.day_ms,
        row_count=0,
        first_id=0,
        last_id=0,
        first_ms=0,
        last_ms=0,
        last_id_ms=0,
        byte_count=0,
        sha256="",
        venue=venue_of(symbol),
    )


def digest_of(cursor: duckdb.DuckDBPyConnection, shape: Shape, rows: str) -> Digest:
    """The digest of what can be selected from."""
    ((row_count, sum_of_hashes),) = cursor.execute(
        f"select count(*), sum(hash({shape.columns})) from {rows}"
    ).fetchall()
    return Digest(row_count, sum_of_hashes)


def described(cursor: duckdb.DuckDBPyConnection, part: Part, shape: Shape, path: Path) -> Part:
    """A part with the counts and bounds of the rows in a file."""
    (facts,) = cursor.execute(
        f"""
        select count(*), min({shape.first_id}), max({shape.last_id}), min({shape.time}), max({shape.time}),
            max_by({shape.time}, {shape.last_id}) from {file_rows([path], shape)}
        """
    ).fetchall()
    names = ("row_count", "first_id", "last_id", "first_ms", "last_ms", "last_id_ms")
    return replace(part, **dict(zip(names, facts, strict=True)))


def _swap(connection: duckdb.DuckDBPyConnection, day: _Day, part: Part, opened: Digest, replaced: list[Part]) -> None:
    """List a file in place of the open rows and the older files it was made of, if they are still the same."""
    if digest_of(connection, day.shape, f"{day.shape.kind} where {day.condition}") != opened:
        raise WriterJobRefused("rows arrived meanwhile")
    if {old.number for old in _parts_of(connection, day)} != {old.number for old in replaced}:
        raise WriterJobRefused("its older file was damaged meanwhile")
    connection.execute(f"delete from {day.shape.kind} where {day.condition}").fetchall()
    delete_parts(connection, [old.number for old in replaced])
    insert_part(connection, part)
