"""The trades of official files.

A file of trades is read once to know what it holds, its last byte and its check sum included, before the first of its
trades is used: a damaged file changes nothing. A file that fits into memory is not read a second time.

A row that is no trade is left out or makes its file be refused by the rule of `archive_faults`. One without a price or
a size is none of these: so the exchange tells that an id is no trade.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from pairscope.base.errors import ArchiveError
from pairscope.base.id_ranges import Runs, contains, intersect, no_runs, runs_of, size, subtract, union
from pairscope.base.model import BoolArray, IntArray, Origin, Rows, TradeBatch
from pairscope.feed.archive_files import ArchiveFile, ArchiveKind, FileReport
from pairscope.feed.binance.archive import anew
from pairscope.feed.binance.archive_faults import (
    BAD_TRADES,
    FIRST_US,
    SHOWN,
    left_out,
    refuse,
    refuse_times_in_us,
    too_many,
)
from pairscope.feed.binance.archive_text import Lines, order_of_bad, read_numbered
from pairscope.feed.binance.rows import Table
from pairscope.feed.judge import (
    FARTHEST_ID,
    REFUSALS,
    GoodTrades,
    Judge,
    Judged,
    Refusal,
    Verdicts,
    conflicting,
)
from pairscope.feed.loose import LooseRow, loose_row

KEPT_ROWS = 2_000_000
STRAY_MS = 3_600_000  # a row this far outside the period of its file belongs to another file
BELIEVED_IDS = 1_000  # so many ids far from the others of a file are no damaged rows
COMPARED_ROWS = 1_000_000  # doubled rows of a file that are compared with one another
_STRAY = 255  # beside the codes of refusals


_WHAT = {
    Refusal.ID.code: "has an id that cannot be, or is far from all others",
    Refusal.SIDE.code: "does not say who was the maker",
    Refusal.NOT_FINITE.code: "has a price or size that is no number",
    Refusal.TOO_SMALL.code: "has a size below 1e-8",
    Refusal.NOT_MARKET.code: "is not of the market",
    _STRAY: "is of another period",
}
_FIRST_NS, _LAST_S = 10**17, 10**11


@dataclass(slots=True)
class RowFaults:
    """Lines of a file that are no trades, and the first of them."""

    count: int = 0
    first: dict[int, str] = field(default_factory=dict)
    in_us: int = 0  # rows whose time is in µs

    @property
    def told(self) -> list[str]:
        return left_out(self.count, self.first, "trades")

    def add(self, piece: _Piece) -> None:
        """Take in what is wrong with rows that come after those taken in before."""
        bad = np.flatnonzero((piece.verdict > 0) & (piece.verdict != Refusal.NOT_POSITIVE.code))
        times = piece.table.whole[1]
        self.in_us += int(((times >= FIRST_US) & (times < _FIRST_NS)).sum())
        self.count += len(bad) + len(piece.unreadable)
        if len(self.first) == SHOWN or not len(bad) + len(piece.unreadable):
            return
        named = dict.fromkeys(piece.unreadable[:SHOWN].tolist(), "cannot be read")
        named |= {int(piece.line_of(place)): _fault(piece, place) for place in bad[:SHOWN].tolist()}
        for line in sorted(named)[: SHOWN - len(self.first)]:
            self.first[line] = named[line]


def _fault(piece: _Piece, place: int) -> str:
    if piece.verdict[place] != Refusal.TIME.code:
        return _WHAT[int(piece.verdict[place])]
    time = int(piece.table.whole[1][place])
    units = [("ns", time >= _FIRST_NS), ("µs", time >= FIRST_US), ("seconds", 0 < time < _LAST_S)]
    unit = next((unit for unit, fits in units if fits), None)
    return f"has its time in {unit}" if unit else "has a time that cannot be"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows of a file, and what the judge says of them."""

    table: Table
    verdict: Verdicts
    lines: Lines
    order: IntArray | None  # of its rows among its lines; None: all are rows
    unreadable: IntArray  # lines without an id that can be read

    def line_of(self, place: int) -> int:
        """The line in which a row stands."""
        return int(self.lines.at(np.array([place if self.order is None else self.order[place]]))[0])

    @property
    def ids(self) -> IntArray:
        ids: IntArray = self.table.whole[0]
        return ids

    @property
    def good(self) -> BoolArray:
        kept: BoolArray = self.verdict == 0
        return kept

    def without(self, far: Runs) -> _Piece:
        """The same with ids refused that are too far from the others."""
        if not len(far):
            return self
        return replace(self, verdict=np.where(contains(far, self.ids), np.uint8(Refusal.ID.code), self.verdict))


class TradesFile:
    """The trades of one official file; reading it is work for a thread.

    Args:
        kept_rows: a file with more rows is read twice, and not held in memory meanwhile.
    """

    def __init__(self, file: ArchiveFile, received_ns: int, judge: Judge, kept_rows: int = KEPT_ROWS) -> None:
        self.file = file
        self._received_ns = received_ns
        self._judge = judge.knowing(file.symbol)
        self._kept_rows = kept_rows
        self._kept: list[_Piece] | None = None
        self._far = no_runs()  # ids that are too far from the others
        self._good = no_runs()  # ids of trades

    def examine(self) -> FileReport:
        """Read the whole file and tell what it holds.

        Raises:
            ArchiveError: when it is damaged, is not what its name says, or holds no trade.
        """
        kept: list[_Piece] | None = []
        found = _Found()
        for piece in self._judged(count=True):
            kept = [*kept, piece] if kept is not None and found.rows + len(piece.ids) <= self._kept_rows else None
            found.add(piece)
        self._kept = kept
        self._far = _far_from_the_rest(union(found.ids, *found.refused.values()))
        if len(self._far):
            self._count_far()
            found = _Found()
            for piece in self._pieces():
                found.add(piece)
        self._good = found.ids
        self._refuse_strangers(found)
        return FileReport(
            rows=found.rows,
            ids=found.ids,
            refused={reason: subtract(runs, found.ids) for reason, runs in found.refused.items()},
            doubles=found.doubles,
            conflicting=self._count_conflicts(found.doubled) if found.doubles else 0,
            unsorted=found.unsorted,
            faults=found.faults,
            first_ms=found.first_ms,
            last_ms=found.last_ms,
        )

    def _refuse_strangers(self, found: _Found) -> None:
        """Refuse a file of which too many rows are no trades, or all are."""
        faults = found.faults
        if too_many(faults.count, found.lines, BAD_TRADES):
            if 2 * faults.in_us > found.lines:
                refuse_times_in_us(self.file)
            refuse(self.file, faults.count, found.lines, faults.first, "trades of its period")
        if found.last_ms < 0:
            raise ArchiveError(f"{self.file.path.name} holds no trade", cure=anew(self.file.path))

    def batches(self, symbol_id: int, wanted: Runs) -> Iterator[GoodTrades]:
        """The trades of these ids, each once, in batches that are sorted by id."""
        for judged in self.judged(symbol_id, wanted):
            if len(good := judged.good()):
                yield good

    def judged(self, symbol_id: int, wanted: Runs) -> Iterator[Judged]:
        """The rows of these ids, each id once, refused ones only for ids that come as no trade."""
        for piece in self._pieces():
            ids = piece.ids
            real = piece.good | (piece.verdict <= len(REFUSALS)) & ~contains(self._good, ids)
            places = np.flatnonzero(real & (piece.verdict != Refusal.ID.code) & contains(wanted, ids))
            if not (np.diff(ids[places]) > 0).all():
                places = places[np.unique(ids[places], return_index=True)[1]]
            if len(places):
                wanted = subtract(wanted, runs_of(ids[places]))
                yield Judged(self._batch(piece.table, symbol_id, places), piece.verdict[places])

    def _pieces(self) -> Iterator[_Piece]:
        """All rows once more; nothing is counted again."""
        for piece in self._kept if self._kept is not None else self._judged(count=False):
            yield piece.without(self._far)

    def _judged(self, *, count: bool) -> Iterator[_Piece]:
        symbol_id = self._judge.symbol_id(self.file.symbol)
        for raw, lines in read_numbered(self.file):
            table, no_side, no_id = _with_loose_rows(raw, self.file.kind)
            order = np.delete(np.arange(table.rows + len(no_id)), no_id) if len(no_id) else None
            rows = Rows(self._batch(table, symbol_id, np.arange(table.rows)), no_side)
            verdict = self._judge.judge(rows, count=count).verdict
            times = table.whole[1]
            inside = (times >= self.file.from_ms - STRAY_MS) & (times < self.file.to_ms + STRAY_MS)
            verdict[~inside & self._judge.times_possible(times) & (verdict != Refusal.ID.code)] = _STRAY
            yield _Piece(table, verdict, lines, order, lines.at(no_id))

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

    def _rows(self, of: Runs) -> TradeBatch:
        """The good rows of some ids, in the order of the file; not more than are worth comparing."""
        symbol_id = self._judge.symbol_id(self.file.symbol)
        found: list[TradeBatch] = []
        for piece in self._pieces():
            places = np.flatnonzero(piece.good & contains(of, piece.ids))
            found.append(self._batch(piece.table, symbol_id, places))
            if sum(map(len, found)) > COMPARED_ROWS:
                break
        return TradeBatch.concatenate(found)

    def _count_conflicts(self, doubled: Runs) -> int:
        rows = self._rows(doubled)
        places = np.flatnonzero(conflicting(rows, rows))
        self._judge.conflict(rows, places)
        return len(places)

    def _count_far(self) -> None:
        far, self._far = self._far, no_runs()
        rows = self._rows(far)
        self._judge.refuse(rows, np.arange(len(rows)), Refusal.ID)
        self._far = far


class _Found:
    """What reading found so far."""

    def __init__(self) -> None:
        self.rows = self.lines = self.doubles = self.unsorted = 0
        self.faults = RowFaults()
        self.ids, self.doubled = no_runs(), no_runs()
        self.refused: dict[Refusal, Runs] = {}
        self.first_ms, self.last_ms = int(np.iinfo(np.int64).max), -1
        self._highest = -1

    def add(self, piece: _Piece) -> None:
        self.rows += len(piece.ids)
        self.lines += len(piece.ids) + len(piece.unreadable)
        self.faults.add(piece)
        for refusal in REFUSALS:
            if refusal is not Refusal.ID and (piece.verdict == refusal.code).any():
                told = runs_of(piece.ids[piece.verdict == refusal.code])
                self.refused[refusal] = union(self.refused.get(refusal, no_runs()), told)
        own = piece.ids[piece.good]
        if not len(own):
            return
        tops = np.maximum.accumulate(np.append(self._highest, own))
        self.unsorted += int((own < tops[:-1]).sum())
        self._highest = int(tops[-1])
        here = runs_of(own)
        together = union(self.ids, here)
        doubles = len(own) - (size(together) - size(self.ids))
        if doubles:
            ids, counts = np.unique(own, return_counts=True)
            self.doubled = union(self.doubled, intersect(self.ids, here), runs_of(ids[counts > 1]))
        self.doubles += doubles
        self.ids = together
        times = piece.table.whole[1][piece.good]
        self.first_ms, self.last_ms = min(self.first_ms, int(times.min())), max(self.last_ms, int(times.max()))


def _far_from_the_rest(ids: Runs) -> Runs:
    """Ids further than can be believed from the others of their file, unless there are many of them."""
    if len(ids) < 2 or ids[-1, 1] - ids[0, 0] <= FARTHEST_ID:
        return no_runs()
    groups = np.split(ids, np.flatnonzero(ids[1:, 0] - ids[:-1, 1] > FARTHEST_ID) + 1)
    sizes = [size(group) for group in groups]
    largest = sizes.index(max(sizes))
    few = [group for place, group in enumerate(groups) if place != largest and sizes[place] < BELIEVED_IDS]
    return union(*few)


# Where the id, the price, the size, the time and the side stand in a line.
_COLUMNS = {ArchiveKind.AGG: (0, 1, 2, 5, 6), ArchiveKind.RAW: (0, 1, 2, 4, 5)}


def _with_loose_rows(table: Table, kind: ArchiveKind) -> tuple[Table, BoolArray | None, IntArray]:
    """A table with the rows the quick reader could not take; whose sides are unreadable; which lines have no id."""
    if not table.bad:
        return Table(table.whole.copy(), table.number.copy(), table.flag.copy(), ()), None, np.empty(0, np.int64)
    loose = [(place, _loose_line(line, kind)) for place, line in table.bad]
    found = [(place, row) for place, row in loose if row is not None]
    at = np.array([place for place, _ in found], np.int64)
    whole = np.array([(row.id, row.time_ms) for _, row in found], np.int64).reshape(-1, 2)
    number = np.array([(row.price, row.size) for _, row in found], np.float64).reshape(-1, 2)
    sides = [row.buyer_is_maker for _, row in found]
    merged = Table(
        np.insert(table.whole, at, whole.T, axis=1),
        np.insert(table.number, at, number.T, axis=1),
        np.insert(table.flag, at, [[bool(side) for side in sides]], axis=1),
        (),
    )
    unreadable = np.insert(np.zeros(table.rows, np.bool_), at, [side is None for side in sides])
    return merged, unreadable, order_of_bad(table)[[row is None for _, row in loose]]


def _loose_line(line: bytes, kind: ArchiveKind) -> LooseRow | None:
    fields = line.decode("utf-8", "replace").strip().split(",")
    return loose_row(*(fields[place] if place < len(fields) else None for place in _COLUMNS[kind]))
