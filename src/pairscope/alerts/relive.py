"""From values to transitions: the levels of many values at once, and the state machine where something may happen.

Values and times in, lives and changes out; no clock, no database, no market. What is read live, what is caught up with
after a restart and what a preview plays back come through here, and so do the same things.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairscope.alerts.conditions import Bounds, LevelArray
from pairscope.alerts.machine import Change, Level, Life, Reading, Stage, Veil, step
from pairscope.alerts.rule import AlertRule
from pairscope.base.model import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class ValueRows:
    """The values of a rule's conditions on one target along time; NaN where one is not known.

    ``values`` are float64[conditions, n]. Where ``is_error`` says so, nothing is known because it could not be read.
    """

    time_ms: IntArray
    values: FloatArray
    is_error: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.time_ms)


@dataclass(frozen=True, slots=True)
class Happened:
    """What the reading of a row did, and what is kept after it."""

    place: int
    changes: tuple[Change, ...]
    life: Life


def levels_of(
    bounds: Sequence[Bounds], values: Sequence[FloatArray], before: Sequence[FloatArray]
) -> tuple[LevelArray, BoolArray]:
    """Where the values of conditions that are joined by `and` stand, and whether they have just come there.

    Of two levels the lower one counts. ``before`` are the values of the reading before, NaN after a gap.
    """
    level, entered = bounds[0].levels(values[0]), bounds[0].entered(values[0], before[0])
    for bound, value, last in zip(bounds[1:], values[1:], before[1:], strict=True):
        level = np.minimum(level, bound.levels(value))
        entered = entered & bound.entered(value, last)
    return level, entered


def is_quiet(life: Life) -> bool:
    """Whether a life waits for its condition to become true, and for nothing else."""
    return life.stage is Stage.INACTIVE and life.veil is Veil.NONE


def relive(rule: AlertRule, life: Life, rows: ValueRows, before: FloatArray | None = None) -> Iterator[Happened]:
    """The transitions of a rule on one target, row by row; last of all, without changes, what is kept after the rows.

    Args:
        before: the values right before the first row; without them it is the first that is known.

    >>> from pairscope.alerts.rule import Clause, Comparison
    >>> above = Clause(metric="spread_z", comparison=Comparison.ABOVE, high=2.0, reset_high=0.5)
    >>> rows = ValueRows(np.arange(1_000, 5_000, 1_000), np.array([[0.0, 3.0, 1.0, 0.4]]))
    >>> lived = relive(AlertRule(name="", scope="pair", first=above), Life(seen_ms=0), rows)
    >>> [(each.place, change.value) for each in lived for change in each.changes]
    [(1, 'fired'), (3, 'resolved')]
    """
    if not len(rows):
        return
    patience = rule.patience
    level, entered = levels_of(
        [Bounds.of([each]) for each in rule.clauses], list(rows.values), list(_before(rows, before, patience.step_ms))
    )
    waits = _Waits(level, entered)
    times, levels, enters = rows.time_ms.tolist(), level.tolist(), entered.tolist()
    errors = [False] * len(rows) if rows.is_error is None else rows.is_error.tolist()
    place, count = 0, len(rows)
    while place < count:
        wake = waits.until(life, place)
        if wake > place:
            if life.veil is Veil.NONE:  # all of them are known
                life = replace(life, seen_ms=max(life.seen_ms, times[wake - 1]))
            place = wake
            continue
        reading = Reading(times[place], Level(levels[place]), enters[place], errors[place])
        life, changes = step(life, reading, patience)
        if changes:
            yield Happened(place, changes, life)
        place += 1
    yield Happened(count - 1, (), life)


class _Waits:
    """Rows that change nothing but how far was seen, because a life waits for something else."""

    def __init__(self, level: LevelArray, entered: BoolArray) -> None:
        is_known = level != Level.NONE
        self._count = len(level)
        self._known = np.flatnonzero(is_known)
        self._breaks_out = np.flatnonzero(((level == Level.BREACH) & entered) | ~is_known)
        self._comes_back = np.flatnonzero((level == Level.CLEAR) | ~is_known)

    def until(self, life: Life, place: int) -> int:
        """The first row from a place on that may change something."""
        if life.veil is not Veil.NONE:
            places = self._known
        elif life.stage is Stage.INACTIVE:
            places = self._breaks_out
        elif life.stage is Stage.FIRING:
            places = self._comes_back
        else:
            return place
        at = int(np.searchsorted(places, place))
        return int(places[at]) if at < len(places) else self._count


def _before(rows: ValueRows, first: FloatArray | None, step_ms: int) -> FloatArray:
    """Of each row the values of the row before, when no gap lies between them."""
    found = np.full(rows.values.shape, np.nan)
    near = np.diff(rows.time_ms) <= step_ms
    found[:, 1:] = np.where(near, rows.values[:, :-1], np.nan)
    if first is not None:
        found[:, 0] = first
    return found
