"""How long a tape keeps what."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import structlog

from pairscope.base.interval import DAY_MS
from pairscope.store.database import Database
from pairscope.store.parts import Part, day_name, delete_parts, select_parts
from pairscope.store.reads import BARS, TRADES, Shape
from pairscope.store.sealing import newest_ms
from pairscope.store.vault import Vault
from pairscope.store.writer import Writer

log = structlog.get_logger()

Cursor = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class KeepDays:
    """Days kept besides the running one."""

    trades: int
    bars: int


@dataclass(frozen=True, slots=True)
class RetainReport:
    """What one call deleted."""

    files: int
    file_bytes: int
    trades: int  # rows of the open table
    bars: int
    gaps: int


class Retention:
    """Deletes days that are too old: whole files, and rows of the open table."""

    def __init__(self, database: Database, writer: Writer, vault: Vault, keep: KeepDays) -> None:
        self._database = database
        self._writer = writer
        self._vault = vault
        self._keep = keep

    def retain(self, now_ms: int) -> RetainReport | None:
        """Delete what is too old; None when nothing is.

        Age is counted from the newest trade on the tape or from `now_ms`, whichever is earlier: a clock that jumps
        ahead deletes nothing, and a tape of last year stays whole until the market goes on.

        Raises:
            StoreUnavailable: after close, or when the tape cannot be read or written.
        """
        with self._database.reading() as cursor:
            today_ms = min(now_ms, newest_ms(cursor)) // DAY_MS * DAY_MS
            first_ms = {
                TRADES: today_ms - self._keep.trades * DAY_MS,
                BARS: today_ms - self._keep.bars * DAY_MS,
            }
            old = [part for shape, ms in first_ms.items() for part in _parts_before(cursor, shape, ms)]
            rows = [shape for shape, ms in first_ms.items() if _has_rows_before(cursor, shape, ms)]
            gaps = cursor.execute(_OLD_GAPS.format("select count(*)"), [first_ms[TRADES]]).fetchall() != [(0,)]
        self._clear_quarantine(first_ms)
        if not (old or rows or gaps):
            return None
        deleted = self._writer.submit(lambda connection: _delete(connection, old, first_ms)).result()
        for part in old:
            self._vault.retire(self._vault.path(part), self._database.reads_begun())
        report = RetainReport(len(old), sum(part.byte_count for part in old), *deleted)
        log.info("old_days_deleted", files=report.files, trades=report.trades, bars=report.bars)
        return report

    def _clear_quarantine(self, first_ms: dict[Shape, int]) -> None:
        for file in self._vault.quarantined_files():
            for shape, ms in first_ms.items():
                prefix = f"{shape.kind}_date="
                if file.name.startswith(prefix) and file.name[len(prefix) :][:10] < day_name(ms):
                    self._vault.remove(file)


_OLD_GAPS = "{} from gaps where before_ms is not null and before_ms < ?"


def _parts_before(cursor: Cursor, shape: Shape, first_ms: int) -> list[Part]:
    return select_parts(cursor, "kind = ? and day_ms < ?", [shape.kind, first_ms])


def _has_rows_before(cursor: Cursor, shape: Shape, first_ms: int) -> bool:
    return bool(cursor.execute(f"select 1 from {shape.kind} where {shape.time} < {first_ms} limit 1").fetchall())


def _delete(connection: Cursor, old: list[Part], first_ms: dict[Shape, int]) -> list[int]:
    """Delete in one transaction; returns how many trades, bars and gaps went from their tables."""
    delete_parts(connection, [part.number for part in old])
    counts = []
    for shape, ms in first_ms.items():
        connection.execute("delete from parts where kind = ? and day_ms < ? and damage is not null", [shape.kind, ms])
        counts += connection.execute(f"delete from {shape.kind} where {shape.time} < {ms}").fetchall()
    counts += connection.execute(_OLD_GAPS.format("delete"), [first_ms[TRADES]]).fetchall()
    return [count for (count,) in counts]
