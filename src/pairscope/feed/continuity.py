"""The owner of contiguity: which trade ids are new, doubled, or missing.

The exchange numbers the trades of a symbol without holes, so a skipped id is a lost trade. The highest id seen
decides, not the last one: after 1, 3, 2 nothing is missing. State survives reconnects, and restarts through
`restore`. A late id inside an open hole is welcome and shrinks it; any other old id is a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairscope.base.kernel import kernel
from pairscope.base.model import BoolArray, Gap, IntArray, SymbolTable

_NEXT, _AFTER_HOLE, _OLD = 0, 1, 2
_UNKNOWN = -1


@kernel
def _scan(  # pragma: no cover - compiled
    symbol_id: NDArray[np.int32], ids: IntArray, highest: IntArray, verdict: NDArray[np.uint8], lost: IntArray
) -> int:
    """Compare each id with the highest of its symbol so far; returns how many are not simply the next."""
    odd = 0
    for i in range(len(ids)):
        symbol = symbol_id[i]
        last = highest[symbol]
        verdict[i] = 0
        lost[i] = 0
        if ids[i] == last + 1 or last == -1:
            highest[symbol] = ids[i]
        elif ids[i] > last:
            verdict[i] = 1
            lost[i] = ids[i] - last - 1
            highest[symbol] = ids[i]
            odd += 1
        else:
            verdict[i] = 2
            odd += 1
    return odd


@dataclass(frozen=True, slots=True)
class Continuity:
    """What a batch of ids means for the tape."""

    fresh: BoolArray  # false: a duplicate
    lost: IntArray  # ids missing right before each one
    gaps: list[Gap]  # opened, shrunk or closed by this batch; the newest state of each
    duplicates: int


class ContinuityTracker:
    """Highest id and open holes of every symbol."""

    def __init__(self, symbols: SymbolTable) -> None:
        self._symbols = symbols
        self._highest: IntArray = np.full(max(16, len(symbols)), _UNKNOWN, np.int64)
        self._holes: dict[int, list[Gap]] = {}

    def restore(self, symbol_id: int, highest_id: int, open_gaps: Iterable[Gap] = ()) -> None:
        """Go on from what the tape already holds."""
        self._grow(symbol_id)
        self._highest[symbol_id] = highest_id
        self._holes[symbol_id] = list(open_gaps)

    def highest(self, symbol_id: int) -> int | None:
        """The highest id seen of a symbol."""
        known = symbol_id < len(self._highest) and self._highest[symbol_id] != _UNKNOWN
        return int(self._highest[symbol_id]) if known else None

    def open_gaps(self, symbol_id: int) -> list[Gap]:
        return list(self._holes.get(symbol_id, ()))

    def check(self, symbol_id: NDArray[np.int32], ids: IntArray, now_ms: int, reason: str) -> Continuity:
        """Judge ids in order of arrival and remember them; new holes get ``reason``."""
        if len(symbol_id):
            self._grow(int(symbol_id.max()))
        verdict = np.empty(len(ids), np.uint8)
        lost = np.empty(len(ids), np.int64)
        fresh = np.ones(len(ids), np.bool_)
        if not _scan(symbol_id, ids, self._highest, verdict, lost):
            return Continuity(fresh, lost, [], 0)
        changed: dict[tuple[str, int], Gap] = {}
        for i in np.flatnonzero(verdict).tolist():
            symbol, trade_id = int(symbol_id[i]), int(ids[i])
            if verdict[i] == _AFTER_HOLE:
                gaps = [self._open(symbol, trade_id - int(lost[i]), trade_id - 1, now_ms, reason)]
            else:
                gaps = self._fill(symbol, trade_id, now_ms)
                fresh[i] = bool(gaps)
            changed.update({(gap.symbol, gap.first_id): gap for gap in gaps})
        return Continuity(fresh, lost, list(changed.values()), int((~fresh).sum()))

    def forget(self, symbol_id: NDArray[np.int32], ids: IntArray, now_ms: int, reason: str) -> list[Gap]:
        """Give ids back as missing: they came, but the tape could not take them."""
        gaps = []
        for symbol in np.unique(symbol_id).tolist():
            own = np.sort(ids[symbol_id == symbol])
            for run in np.split(own, np.flatnonzero(np.diff(own) != 1) + 1):
                gaps.append(self._open(symbol, int(run[0]), int(run[-1]), now_ms, reason))
        return gaps

    def _open(self, symbol: int, first_id: int, last_id: int, now_ms: int, reason: str) -> Gap:
        gap = Gap(self._symbols.name(symbol), first_id, last_id, now_ms, reason)
        self._holes.setdefault(symbol, []).append(gap)
        return gap

    def _fill(self, symbol: int, trade_id: int, now_ms: int) -> list[Gap]:
        """Take one id out of the hole that holds it; empty when no hole does."""
        holes = self._holes.get(symbol, [])
        place = next((i for i, h in enumerate(holes) if h.first_id <= trade_id <= h.last_id), None)
        if place is None:
            return []
        hole = holes[place]
        left = _part(hole, hole.first_id, trade_id - 1)
        right = _part(hole, trade_id + 1, hole.last_id)
        holes[place : place + 1] = left + right
        if left:
            return left + right
        # The row is known by its first id: it is closed at that id, and what is left opens under its own.
        closed = Gap(hole.symbol, hole.first_id, trade_id, hole.found_ms, hole.reason, closed_ms=now_ms)
        return [closed, *right]

    def _grow(self, symbol_id: int) -> None:
        if symbol_id >= len(self._highest):
            more = np.full(2 * symbol_id + 16, _UNKNOWN, np.int64)
            more[: len(self._highest)] = self._highest
            self._highest = more


def _part(hole: Gap, first_id: int, last_id: int) -> list[Gap]:
    return [Gap(hole.symbol, first_id, last_id, hole.found_ms, hole.reason)] if first_id <= last_id else []
