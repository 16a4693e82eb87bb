"""Correcting: rows that are on the tape are replaced or taken away, in the open table and in sealed days alike.

A sealed file is never changed. What it keeps is copied to a new one; then one transaction of the writer takes the old
file from the list, lists the new one, and puts the corrected rows into the open table, from where the next sealing
merges them. A kill before that transaction leaves a file nobody lists, which is cleared up; after it the correction
is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import structlog

from pairscope.base.errors import StoreUnavailable
from pairscope.base.model import BarSource, Gap, IntArray, TradeBatch
from pairscope.store.database import Database
from pairscope.store.gate import LARGE
from pairscope.store.sealed_catalog import Part, delete_parts, insert_part, select_parts, take_numbers
from pairscope.store.sealed_files import DRAFT, SealedFiles
from pairscope.store.sealing import PART_FORMAT, described, digest_of, make_sure_of_space
from pairscope.store.shapes import TRADES, Shape, file_rows, quoted
from pairscope.store.transaction import replace_gaps, trade_columns
from pairscope.store.writer import JobUnsettled, Writer, WriterJobRefused

log = structlog.get_logger()

Cursor = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Correction:
    """What is taken from the tape and what is put, of one symbol (and interval), at once."""

    shape: Shape
    symbol_id: int
    interval_ms: int  # 0 for trades
    gone: IntArray  # ids of trades, or open times of bars (uploads stay)
    trades: Sequence[TradeBatch] = ()
    gaps: Sequence[Gap] = ()

    @property
    def key(self) -> str:
        return self.shape.order[0]

    @property
    def condition(self) -> str:
        """Of the rows that may go; bounds let DuckDB skip the others."""
        low, high = int(self.gone.min()), int(self.gone.max())
        condition = f"symbol_id = {self.symbol_id} and {self.key} between {low} and {high}"
        if self.shape is TRADES:
            return condition
        return f"{condition} and interval_ms = {self.interval_ms} and source <> {int(BarSource.UPLOAD)}"

    def taken_from(self, rows: str) -> str:
        """The query for the rows of something that go."""
        return f"select * from {rows} where {self.condition} and {self.key} in (select place from gone)"

    def left_of(self, rows: str) -> str:
        """The query for the rows of something that stay."""
        goes = f"{self.condition} and {self.key} in (select place from gone)"
        return f"select {self.shape.columns} from {rows} where not ({goes})"


class Corrector:
    """Carries out corrections; one call at a time, none beside a sealing."""

    def __init__(self, database: Database, writer: Writer, sealed_files: SealedFiles) -> None:
        self._database = database
        self._writer = writer
        self._sealed_files = sealed_files

    def correct(self, correction: Correction) -> None:
        """Make a correction; it is on the disk when this returns.

        Raises:
            StoreUnavailable: when it could not be made; nothing of it is on the tape then.
        """
        made: list[Part] = []
        try:
            with self._database.reading() as cursor:
                old = self._parts_with(cursor, correction)
            if old:
                first = self._writer.submit(lambda connection: take_numbers(connection, len(old))).result()
                for number, part in enumerate(old, first):
                    rest = replace(part, number=number)
                    made.append(rest)
                    made[-1] = self._written(correction, part, rest)
            kept = [part for part in made if part.row_count]
            self._writer.submit(lambda connection: _swap(connection, correction, old, kept)).result()
        except JobUnsettled:
            raise  # the files may be parts of the tape: the next opening will know
        except (OSError, StoreUnavailable, WriterJobRefused) as error:
            for part in made:
                path = self._sealed_files.path(part)
                self._sealed_files.remove(path.with_name(path.name + DRAFT))
                self._sealed_files.remove(path)
            if isinstance(error, StoreUnavailable):
                raise
            raise StoreUnavailable(f"sealed rows could not be corrected: {error}", cure="try again") from error
        for part in old:
            self._sealed_files.retire(self._sealed_files.path(part), self._database.reads_begun())
        log.info("tape_corrected", kind=correction.shape.kind, rows=len(correction.gone), files=len(old))

    def _parts_with(self, cursor: Cursor, correction: Correction) -> list[Part]:
        """The sealed files in which there are rows that go."""
        low, high = ("first_id", "last_id") if correction.shape is TRADES else ("first_ms", "last_ms")
        parts = select_parts(
            cursor,
            f"(kind, symbol_id, interval_ms) = (?, ?, ?) and {low} <= ? and {high} >= ?",
            [
                *(correction.shape.kind, correction.symbol_id, correction.interval_ms),
                *(int(correction.gone.max()), int(correction.gone.min())),
            ],
        )
        _register(cursor, correction)
        found = []
        for part in parts:
            if self._sealed_files.trusts(part):
                taken = correction.taken_from(file_rows([self._sealed_files.path(part)], correction.shape))
                if cursor.execute(f"select 1 from ({taken}) limit 1").fetchall():
                    found.append(part)
        cursor.unregister("gone")
        return found

    def _written(self, correction: Correction, old: Part, rest: Part) -> Part:
        """Make the file of what stays of a part; a part of no rows when nothing does."""
        path, disk = self._sealed_files.path(rest), self._sealed_files.disk
        draft = path.with_name(path.name + DRAFT)
        make_sure_of_space(self._sealed_files, old.row_count)
        shape = correction.shape
        with self._database.reading(LARGE) as cursor:
            _register(cursor, correction)
            source = correction.left_of(file_rows([self._sealed_files.path(old)], shape))
            expected = digest_of(cursor, shape, f"({source})")
            if not expected.row_count:
                cursor.unregister("gone")
                return replace(rest, row_count=0)
            order = ", ".join(shape.order)
            cursor.execute(f"copy ({source} order by {order}) to {quoted(str(draft))} ({PART_FORMAT})").fetchall()
            cursor.unregister("gone")
            if digest_of(cursor, shape, file_rows([draft], shape)) != expected:
                raise StoreUnavailable("the file does not hold the rows it was made of", cure="look at its disk")
            rest = described(cursor, rest, shape, draft)
        disk.sync(draft)
        rest = replace(rest, byte_count=disk.stamp(draft)[0], sha256=disk.sha256(draft))
        disk.rename(draft, path)
        return rest


def _register(cursor: Cursor, correction: Correction) -> None:
    cursor.register("gone", {"place": np.unique(correction.gone)})


def _swap(connection: Cursor, correction: Correction, old: list[Part], kept: list[Part]) -> None:
    """All of a correction, in the transaction of the writer."""
    numbers = {part.number for part in old}
    if numbers - {part.number for part in select_parts(connection)}:
        raise WriterJobRefused("a sealed file was damaged meanwhile")
    delete_parts(connection, sorted(numbers))
    for part in kept:
        insert_part(connection, part)
    _register(connection, correction)
    table = correction.shape.kind
    connection.execute(
        f"delete from {table} where {correction.condition} and {correction.key} in (select place from gone)"
    ).fetchall()
    connection.unregister("gone")
    if correction.trades:
        connection.register("incoming", trade_columns(list(correction.trades)))
        connection.execute("insert into trades select * from incoming").fetchall()
        connection.unregister("incoming")
    if correction.gaps:
        replace_gaps(connection, [(correction.symbol_id, gap) for gap in correction.gaps])
