"""The owner of contiguity: which trade ids are new, doubled, or missing.

The exchange numbers the trades of a symbol without holes, so a skipped id is a lost trade. The highest id seen
decides, not the last one: after 1, 3, 2 nothing is missing. State survives reconnects, and restarts through
`restore`. A late id inside an open hole is welcome and shrinks it; any other old id is a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pairscope.base.kernel import kernel, plain
from pairscope.base.model import BoolArray, Gap, IntArray, SymbolTable, TradeBatch

_AFTER_HOLE, _OLD, _IMPLAUSIBLE = 1, 2, 3
_UNKNOWN = -1
# Twenty days of the busiest symbol. An id further ahead may be a damaged frame: believed, it would make every
# later trade look old. It is believed when another one soon after it says the same.
LARGEST_HOLE = 25_000_000
_SOON_AFTER = 1_000


@kernel
def _scan(
    symbol_id: NDArray[np.int32],
    ids: IntArray,
    time_ms: IntArray,
    highest: IntArray,
    newest_ms: IntArray,
    doubtful: IntArray,
    verdict: NDArray[np.uint8],
    lost: IntArray,
    after_ms: IntArray,
) -> int:
    """Compare each id with the highest of its symbol so far; returns how many are not simply the next.

    Verdicts: 0 next, 1 after a hole, 2 old, 3 implausibly far ahead.
    """
    odd = 0
    for i in range(len(ids)):
        symbol = symbol_id[i]
        last = highest[symbol]
        verdict[i] = 0
        lost[i] = 0
        if ids[i] == last + 1 or last == -1:
            highest[symbol] = ids[i]
            newest_ms[symbol] = time_ms[i]
            continue
        odd += 1
        if ids[i] < last + 1:
            verdict[i] = 2
        elif ids[i] - last > LARGEST_HOLE and not (0 < ids[i] - doubtful[symbol] <= _SOON_AFTER):
            verdict[i] = 3
            doubtful[symbol] = ids[i]
        else:
            verdict[i] = 1
            lost[i] = ids[i] - last - 1
            after_ms[i] = newest_ms[symbol]
            highest[symbol] = ids[i]
            newest_ms[symbol] = time_ms[i]
    return odd


_Holes = dict[int, tuple[Gap, ...]]


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a tracker knew before a batch."""

    highest: IntArray
    newest_ms: IntArray
    holes: _Holes


@dataclass(frozen=True, slots=True)
class Continuity:
    """What a batch of ids means for the tape."""

    fresh: BoolArray  # false: a duplicate, or an id nobody can believe
    lost: IntArray  # ids missing right before each one
    opened: list[Gap]  # holes found by this batch, as they were found
    gaps: list[Gap]  # opened, shrunk or closed by this batch; the newest state of each
    duplicates: int
    implausible: int
    before: _Memory


class ContinuityTracker:
    """Highest id and open holes of every symbol."""

    def __init__(self, symbols: SymbolTable) -> None:
        self._symbols = symbols
        self._highest: IntArray = np.full(max(16, len(symbols)), _UNKNOWN, np.int64)
        self._newest_ms: IntArray = np.zeros(len(self._highest), np.int64)
        self._doubtful: IntArray = np.full(len(self._highest), _UNKNOWN, np.int64)
        self._holes: _Holes = {}
        self._reasons: dict[int, str] = {}  # why the next trade of a symbol may come after a hole

    def restore(self, symbol_id: int, highest_id: int, time_ms: int, open_gaps: Iterable[Gap] = ()) -> list[Gap]:
        """Go on from what the tape already holds; returns the holes this shows.

        Rows of gaps reach the disk before the trades around them, and a kill may come in between: what lies between the
        highest id and a row beyond it came once, and is missing now.
        """
        self._grow(symbol_id)
        holes = sorted(open_gaps, key=lambda gap: gap.first_id)
        shown: list[Gap] = []
        for hole in holes:
            if hole.last_id > highest_id:
                if _UNKNOWN < highest_id < hole.first_id - 1:
                    shown.append(replace(hole, first_id=highest_id + 1, last_id=hole.first_id - 1, after_ms=None))
                highest_id, time_ms = hole.last_id, hole.before_ms or time_ms
        self._highest[symbol_id] = highest_id
        self._newest_ms[symbol_id] = time_ms
        self._holes[symbol_id] = tuple(sorted([*holes, *shown], key=lambda gap: gap.first_id))
        return shown

    def highest(self, symbol_id: int) -> int | None:
        """The highest id seen of a symbol."""
        known = symbol_id < len(self._highest) and self._highest[symbol_id] != _UNKNOWN
        return int(self._highest[symbol_id]) if known else None

    def open_gaps(self, symbol_id: int) -> list[Gap]:
        return list(self._holes.get(symbol_id, ()))

    def expect(self, symbol_id: int, reason: str) -> None:
        """Should the next trade of a symbol come after a hole, this is why."""
        self._reasons[symbol_id] = reason

    def all_open(self) -> list[Gap]:
        """Every open hole of every symbol."""
        return [gap for holes in self._holes.values() for gap in holes]

    def check(self, trades: TradeBatch, now_ms: int, reason: str) -> Continuity:
        """Judge trades in order of arrival and remember their ids; new holes get ``reason``."""
        symbol_id, ids, time_ms = plain(trades.symbol_id), plain(trades.id), plain(trades.time_ms)
        if len(symbol_id):
            self._grow(int(symbol_id.max()))
        verdict = np.empty(len(ids), np.uint8)
        lost = np.empty(len(ids), np.int64)
        after_ms = np.zeros(len(ids), np.int64)
        fresh = np.ones(len(ids), np.bool_)
        before = _Memory(self._highest.copy(), self._newest_ms.copy(), dict(self._holes))
        seen = (self._highest, self._newest_ms, self._doubtful)
        odd = _scan(symbol_id, ids, time_ms, *seen, verdict, lost, after_ms)
        reasons = self._expected(symbol_id, verdict)
        if not odd:
            return Continuity(fresh, lost, [], [], 0, 0, before)
        opened: list[Gap] = []
        for i in np.flatnonzero(verdict == _AFTER_HOLE).tolist():
            hole = Gap(
                self._symbols.name(int(symbol_id[i])),
                int(ids[i] - lost[i]),
                int(ids[i] - 1),
                now_ms,
                reasons.pop(int(symbol_id[i]), reason),
                after_ms=int(after_ms[i]) or None,
                before_ms=int(time_ms[i]),
            )
            self._open(int(symbol_id[i]), hole)
            opened.append(hole)
        fresh[verdict >= _OLD] = False
        changed = list(opened)
        for symbol in np.unique(symbol_id[verdict == _OLD]).tolist():
            places = np.flatnonzero((verdict == _OLD) & (symbol_id == symbol))
            changed += self._fill(symbol, trades, places, fresh, now_ms)
        implausible = int((verdict == _IMPLAUSIBLE).sum())
        newest = {(gap.symbol, gap.first_id): gap for gap in changed}
        duplicates = int((~fresh).sum()) - implausible
        return Continuity(fresh, lost, opened, list(newest.values()), duplicates, implausible, before)

    def rewind(self, judged: Continuity, trades: TradeBatch, reason: str) -> None:
        """Forget the batch that was judged last: the tape could not take it. What follows it will open a hole."""
        self._highest, self._newest_ms, self._holes = (
            judged.before.highest,
            judged.before.newest_ms,
            judged.before.holes,
        )
        for symbol_id in np.unique(trades.symbol_id).tolist():
            self.expect(symbol_id, reason)

    def lose(self, gaps: Iterable[Gap]) -> None:
        """Trades that were on the tape are not any more: their ids are holes again."""
        for gap in gaps:
            self._open(self._symbols.index(gap.symbol), gap)

    def obstruct(self, symbol_id: int, first_id: int, last_id: int, obstacle: str | None) -> list[Gap]:
        """Note why the missing ids of a range cannot be had for now; returns every row this makes or changes."""
        changed: list[Gap] = []
        holes: list[Gap] = []
        for hole in self._holes.get(symbol_id, ()):
            inside = max(hole.first_id, first_id), min(hole.last_id, last_id)
            if inside[0] > inside[1]:
                holes.append(hole)
                continue
            parts = [
                *_part(hole, hole.first_id, inside[0] - 1),
                replace(hole, first_id=inside[0], last_id=inside[1], obstacle=obstacle),
                *_part(hole, inside[1] + 1, hole.last_id),
            ]
            changed += parts
            holes += parts
        self._holes[symbol_id] = tuple(holes)
        return changed

    def _expected(self, symbol_id: NDArray[np.int32], verdict: NDArray[np.uint8]) -> dict[int, str]:
        """The reasons of symbols that go on now, hole or not; they are used up by this."""
        if not self._reasons:
            return {}
        going_on = np.unique(symbol_id[verdict < _OLD]).tolist()
        return {symbol: self._reasons.pop(symbol) for symbol in going_on if symbol in self._reasons}

    def _open(self, symbol: int, hole: Gap) -> None:
        self._holes[symbol] = (*self._holes.get(symbol, ()), hole)

    def _fill(self, symbol: int, trades: TradeBatch, places: IntArray, fresh: BoolArray, now_ms: int) -> list[Gap]:
        """Take late ids out of the holes that hold them and mark those fresh; returns every row this changes."""
        late, firsts = np.unique(trades.id[places], return_index=True)
        times = trades.time_ms[places][firsts]
        changed: list[Gap] = []
        for run in np.split(np.arange(len(late)), np.flatnonzero(np.diff(late) != 1) + 1):
            for hole in self._holes.get(symbol, ()):
                first_id = max(hole.first_id, int(late[run[0]]))
                last_id = min(hole.last_id, int(late[run[-1]]))
                if first_id > last_id:
                    continue
                inside = (late >= first_id) & (late <= last_id)
                left = _part(replace(hole, before_ms=int(times[inside][0])), hole.first_id, first_id - 1)
                right = _part(replace(hole, after_ms=int(times[inside][-1])), last_id + 1, hole.last_id)
                holes = self._holes[symbol]
                place = holes.index(hole)
                self._holes[symbol] = (*holes[:place], *left, *right, *holes[place + 1 :])
                # A row is known by its first id: what was filled becomes a closed row of its own, and where more is
                # missing beside it, its own first or last trade is its edge.
                closed = replace(
                    hole,
                    first_id=first_id,
                    last_id=last_id,
                    closed_ms=now_ms,
                    obstacle=None,
                    after_ms=int(times[inside][0]) if left else hole.after_ms,
                    before_ms=int(times[inside][-1]) if right else hole.before_ms,
                )
                changed += [*left, closed, *right]
                fresh[places[firsts[inside]]] = True
        return changed

    def _grow(self, symbol_id: int) -> None:
        if symbol_id < len(self._highest):
            return
        size = 2 * symbol_id + 16
        more = np.full(size, _UNKNOWN, np.int64)
        more[: len(self._highest)] = self._highest
        times = np.zeros(size, np.int64)
        times[: len(self._newest_ms)] = self._newest_ms
        doubtful = np.full(size, _UNKNOWN, np.int64)
        doubtful[: len(self._doubtful)] = self._doubtful
        self._highest, self._newest_ms, self._doubtful = more, times, doubtful


def _part(hole: Gap, first_id: int, last_id: int) -> list[Gap]:
    return [replace(hole, first_id=first_id, last_id=last_id)] if first_id <= last_id else []
