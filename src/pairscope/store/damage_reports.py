"""A sealed file that cannot be read any more: out of the list, into the quarantine, and its ids become gaps."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait

import duckdb
import numpy as np
import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import StoreUnavailable
from pairscope.base.gaps import GapReason
from pairscope.base.id_ranges import Runs, run, runs_of, subtract, union
from pairscope.base.model import Gap
from pairscope.base.notifier import Notifier
from pairscope.store.sealed_catalog import Part, mark_damaged, select_parts
from pairscope.store.sealed_files import SealedFiles
from pairscope.store.shapes import file_rows
from pairscope.store.transaction import replace_gaps
from pairscope.store.writer import Writer

log = structlog.get_logger()


Cursor = duckdb.DuckDBPyConnection


class DamageReports:
    """Takes reports of damaged files from any thread and has them written down by the writer."""

    def __init__(self, writer: Writer, sealed_files: SealedFiles, clock: Clock) -> None:
        self._writer = writer
        self._sealed_files = sealed_files
        self._clock = clock
        self._unwritten: dict[int, tuple[Part, str, Future[None]]] = {}
        self.ids_lost: Notifier[[Sequence[Gap]]] = Notifier()  # of the gaps of a file, once they are on the disk

    def report(self, part: Part, damage: str) -> None:
        """Have a damaged file written down, moved away, and told; what fails is tried at `report_again`."""
        over: Future[None] = Future()
        self._unwritten[part.number] = part, damage, over
        try:
            job = self._writer.submit(lambda connection: self._write_down(connection, part, damage))
        except StoreUnavailable:  # the tape is being closed: the damage is found again at the next opening
            over.set_result(None)
        else:
            job.add_done_callback(lambda written: self._finish(part, written, over))

    def _finish(self, part: Part, written: Future[list[Gap]], over: Future[None]) -> None:
        if written.exception() is None:
            self._unwritten.pop(part.number, None)
            self._sealed_files.quarantine(self._sealed_files.path(part))
            gaps = written.result()
            if gaps:
                log.warning("ids_lost", file=str(part), gaps=len(gaps), ids=sum(gap.ids for gap in gaps))
                self.ids_lost(gaps)
        over.set_result(None)

    def report_again(self) -> None:
        """Try those once more that could not be written down."""
        for part, damage, over in list(self._unwritten.values()):
            if over.done():
                self.report(part, damage)

    def wait(self, timeout_s: float) -> None:
        """Return when everything reported is written down, or after so long."""
        wait([over for _, _, over in list(self._unwritten.values())], timeout_s)

    def _write_down(self, connection: Cursor, part: Part, damage: str) -> list[Gap]:
        now = now_ms(self._clock)
        if not mark_damaged(connection, part, damage, now) or part.kind != "trades":
            return []
        gaps = self._gaps_left_by(connection, part, now)
        if gaps:
            replace_gaps(connection, [(part.symbol_id, gap) for gap in gaps])
        return gaps

    def _gaps_left_by(self, connection: Cursor, part: Part, now: int) -> list[Gap]:
        """The ids of a file that are neither elsewhere on the tape nor known to be missing."""
        left = ids_told_nowhere(connection, self._sealed_files, part.symbol_id, part.first_id, part.last_id)
        return [
            Gap(part.symbol, first, last, now, GapReason.FILE_DAMAGED, after_ms=part.first_ms, before_ms=part.last_ms)
            for first, last in left.tolist()
        ]


def ids_told_nowhere(
    connection: Cursor, sealed_files: SealedFiles, symbol_id: int, first_id: int, last_id: int
) -> Runs:
    """The ids of a range that are neither on the tape nor in an open gap."""
    tables = ["trades"]
    overlap = "kind = 'trades' and symbol_id = ? and first_id <= ? and last_id >= ?"
    values: list[int | str] = [symbol_id, last_id, first_id]
    others = [
        sealed_files.path(part) for part in select_parts(connection, overlap, values) if sealed_files.trusts(part)
    ]
    if others:
        tables.append(file_rows(others))
    here = f"symbol_id = {symbol_id:d} and id between {first_id:d} and {last_id:d}"
    query = " union ".join(f"select id from {table} where {here}" for table in tables)
    present = np.asarray(connection.execute(f"{query} order by id").fetchnumpy()["id"], np.int64)
    known = connection.execute(
        """
        select first_id, last_id from gaps
        where symbol_id = ? and closed_ms is null and first_id <= ? and last_id >= ?
        """,
        [symbol_id, last_id, first_id],
    ).fetchall()
    elsewhere = union(runs_of(present), np.array(known, np.int64).reshape(-1, 2))
    return subtract(run(first_id, last_id), elsewhere)
