"""Open holes: runs of ids that exist and are not on the tape, by symbol, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.model import BoolArray, Gap, IntArray


class OpenHoles:
    """The open holes of each symbol; those of one never overlap.

    What a symbol has is a tuple, which is put in the place of the one before: so a copy costs one small dictionary, and
    stays as it is whatever happens to the holes it was made of.
    """

    def __init__(self, of: dict[int, tuple[Gap, ...]] | None = None) -> None:
        self._of = of if of is not None else {}

    def copy(self) -> OpenHoles:
        """The holes as they are now."""
        return OpenHoles(dict(self._of))

    def of(self, symbol: int) -> tuple[Gap, ...]:
        """Those of a symbol, in the order they were found."""
        return self._of.get(symbol, ())

    def all(self) -> list[Gap]:
        """Those of every symbol."""
        return [gap for holes in self._of.values() for gap in holes]

    def put(self, symbol: int, holes: Iterable[Gap]) -> None:
        """Let a symbol have these and no others."""
        self._of[symbol] = tuple(holes)

    def open(self, symbol: int, hole: Gap) -> None:
        """One more."""
        self._of[symbol] = (*self.of(symbol), hole)

    def forget(self, symbol: int, hole: Gap) -> None:
        """Without this very one."""
        self._of[symbol] = tuple(each for each in self.of(symbol) if each is not hole)

    def end(self, symbol: int, first_id: int, before_ms: int) -> list[Gap]:
        """The trade after those that had no end: those from an id on lie before it. Returns their new state."""
        ended: list[Gap] = []
        holes: list[Gap] = []
        for hole in self.of(symbol):
            if hole.first_id >= first_id and hole.before_ms is None:
                hole = replace(hole, before_ms=before_ms)
                ended.append(hole)
            holes.append(hole)
        self.put(symbol, holes)
        return ended

    def fill(self, symbol: int, ids: IntArray, time_ms: IntArray, now_ms: int) -> tuple[list[Gap], BoolArray]:
        """Take late trades, each id once and in rising order, out of the holes that hold them.

        Returns every row this changes, and which of the ids lay in a hole.
        """
        changed: list[Gap] = []
        filled = np.zeros(len(ids), np.bool_)
        for run in np.split(np.arange(len(ids)), np.flatnonzero(np.diff(ids) != 1) + 1):
            for hole in self.of(symbol):
                first_id = max(hole.first_id, int(ids[run[0]]))
                last_id = min(hole.last_id, int(ids[run[-1]]))
                if first_id > last_id:
                    continue
                inside = (ids >= first_id) & (ids <= last_id)
                filled |= inside
                times_ms = time_ms[inside]
                left = _part(replace(hole, before_ms=int(times_ms[0])), hole.first_id, first_id - 1)
                right = _part(replace(hole, after_ms=int(times_ms[-1])), last_id + 1, hole.last_id)
                self._replace(symbol, hole, [*left, *right])
                # A row is known by its first id: what was filled becomes a closed row of its own, and where more is
                # missing beside it, its own first or last trade is its edge.
                closed = replace(
                    hole,
                    first_id=first_id,
                    last_id=last_id,
                    closed_ms=now_ms,
                    obstacle=None,
                    after_ms=int(times_ms[0]) if left else hole.after_ms,
                    before_ms=int(times_ms[-1]) if right else hole.before_ms,
                )
                changed += [*left, closed, *right]
        return changed, filled

    def close_without_trade(self, symbol: int, trade_id: int, now_ms: int) -> list[Gap]:
        """The exchange says that there is no trade of this id; returns every row this changes, none outside holes."""
        hole = next((hole for hole in self.of(symbol) if hole.first_id <= trade_id <= hole.last_id), None)
        if hole is None:
            return []
        left = _part(hole, hole.first_id, trade_id - 1)
        right = _part(hole, trade_id + 1, hole.last_id)
        self._replace(symbol, hole, [*left, *right])
        closed = replace(
            hole, first_id=trade_id, last_id=trade_id, closed_ms=now_ms, reason=GapReason.NOT_A_TRADE, obstacle=None
        )
        return [*left, closed, *right]

    def obstruct(
        self, symbol: int, first_id: int, last_id: int, obstacle: Obstacle | None, looked_ms: int | None = None
    ) -> list[Gap]:
        """Note why the missing ids of a range cannot be had for now; returns every row this makes or changes."""
        changed: list[Gap] = []
        holes: list[Gap] = []
        for hole in self.of(symbol):
            inside = max(hole.first_id, first_id), min(hole.last_id, last_id)
            if inside[0] > inside[1]:
                holes.append(hole)
                continue
            parts = [
                *_part(hole, hole.first_id, inside[0] - 1),
                replace(hole, first_id=inside[0], last_id=inside[1], obstacle=obstacle, looked_ms=looked_ms),
                *_part(hole, inside[1] + 1, hole.last_id),
            ]
            changed += parts
            holes += parts
        self.put(symbol, holes)
        return changed

    def _replace(self, symbol: int, hole: Gap, parts: list[Gap]) -> None:
        holes = self.of(symbol)
        place = holes.index(hole)
        self._of[symbol] = (*holes[:place], *parts, *holes[place + 1 :])


def _part(hole: Gap, first_id: int, last_id: int) -> list[Gap]:
    return [replace(hole, first_id=first_id, last_id=last_id)] if first_id <= last_id else []
