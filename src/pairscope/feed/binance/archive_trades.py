"""The trades of official files.

A file of trades is read once to know what it holds, its last byte and its check sum included, before the first of its
trades is used: a damaged file changes nothing. A file that fits into memory is not read a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pairscope.base.errors import ArchiveError
from pairscope.base.model import BoolArray, IntArray, Origin, TradeBatch
from pairscope.base.runs import Runs, contains, holes, no_runs, runs_of, size, subtract, union
from pairscope.feed.binance.archive import ArchiveFile, anew, read_tables
from pairscope.feed.binance.rows import Table

KEPT_ROWS = 2_000_000
STRAY_MS = 3_600_000  # a row this far outside the period of its file belongs to another file


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in a file of trades."""

    rows: int  # that could be read
    ids: Runs  # of its trades
    blank: Runs  # ids whose row is no trade: no price, no size
    doubles: int
    unsorted: int  # rows that came after a higher id
    strays: int  # rows of another period, left out
    bad: int  # lines nobody can read, left out
    first_ms: int
    last_ms: int

    @property
    def trades(self) -> int:
        return size(self.ids)

    @property
    def missing(self) -> int:
        """Ids between the first and the last that the file does not have."""
        return size(holes(union(self.ids, self.blank)))


class TradesFile:
    """The trades of one official file; reading it is work for a thread.

    Args:
        kept_rows: a file with more rows is read twice, and not held in memory meanwhile.
    """

    def __init__(self, file: ArchiveFile, received_ns: int, kept_rows: int = KEPT_ROWS) -> None:
        self.file = file
        self._received_ns = received_ns
        self._kept_rows = kept_rows
        self._kept: list[Table] | None = None

    def examine(self) -> FileReport:
        """Read the whole file and tell what it holds.

        Raises:
            ArchiveError: when it is damaged, is not what its name says, or holds no trade of its period.
        """
        kept: list[Table] | None = []
        rows = bad = doubles = unsorted = strays = 0
        ids, blank = no_runs(), no_runs()
        highest, first_ms, last_ms = -1, np.iinfo(np.int64).max, -1
        for table in read_tables(self.file):
            rows, bad = rows + table.rows, bad + table.bad
            kept = [*kept, _copied(table)] if kept is not None and rows <= self._kept_rows else None
            inside = self._of_period(table)
            trade = inside & _is_trade(table)
            strays += int((~inside).sum())
            own = table.whole[0][trade]
            if not len(own):
                blank = union(blank, runs_of(table.whole[0][inside & ~trade]))
                continue
            tops = np.maximum.accumulate(np.append(highest, own))
            unsorted += int((own < tops[:-1]).sum())
            highest = int(tops[-1])
            together = union(ids, runs_of(own))
            doubles += len(own) - (size(together) - size(ids))
            ids = together
            blank = union(blank, runs_of(table.whole[0][inside & ~trade]))
            times = table.whole[1][trade]
            first_ms, last_ms = min(first_ms, int(times.min())), max(last_ms, int(times.max()))
        if last_ms < 0:
            raise ArchiveError(f"{self.file.path.name} holds no trade of its period", cure=anew(self.file.path))
        self._kept = kept
        blank = subtract(blank, ids)
        return FileReport(rows, ids, blank, doubles, unsorted, strays, bad, int(first_ms), last_ms)

    def batches(self, symbol_id: int, wanted: Runs) -> Iterator[TradeBatch]:
        """The trades of these ids, each once, in batches that are sorted by id."""
        for table in self._kept if self._kept is not None else read_tables(self.file):
            ids = table.whole[0]
            places = np.flatnonzero(self._of_period(table) & _is_trade(table) & contains(wanted, ids))
            if not (np.diff(ids[places]) > 0).all():
                places = places[np.unique(ids[places], return_index=True)[1]]
            if len(places):
                wanted = subtract(wanted, runs_of(ids[places]))
                yield self._batch(table, symbol_id, places)

    def _batch(self, table: Table, symbol_id: int, places: IntArray) -> TradeBatch:
        return TradeBatch(
            symbol_id=np.full(len(places), symbol_id, np.int32),
            id=table.whole[0][places],
            time_ms=table.whole[1][places],
            price=table.number[0][places],
            size=table.number[1][places],
            buyer_is_maker=table.flag[0][places],
            received_ns=np.full(len(places), self._received_ns, np.int64),
            origin=np.full(len(places), Origin.ARCHIVE, np.uint8),
        )

    def _of_period(self, table: Table) -> BoolArray:
        times = table.whole[1]
        inside: BoolArray = (times >= self.file.from_ms - STRAY_MS) & (times < self.file.to_ms + STRAY_MS)
        return inside


def _is_trade(table: Table) -> BoolArray:
    price, quantity = table.number
    good: BoolArray = (price > 0) & (quantity > 0) & np.isfinite(price) & np.isfinite(quantity)
    return good


def _copied(table: Table) -> Table:
    """Without the room that was left for more rows."""
    return Table(table.whole.copy(), table.number.copy(), table.flag.copy(), table.bad)
