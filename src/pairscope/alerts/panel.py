"""All rules that are read at one pace, each on each of its targets, in columns: a moment of all of them is one pass.

What waits for its condition to become true is looked at in arrays; only where one has become true, or something is
going on, the state machine itself is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pairscope.alerts.book import Kept
from pairscope.alerts.conditions import Bounds
from pairscope.alerts.machine import Change, Level, Life, Reading, step
from pairscope.alerts.relive import is_quiet, levels_of
from pairscope.alerts.rule import target_text
from pairscope.alerts.targets import Target
from pairscope.base.model import BoolArray, FloatArray, IntArray


class Slot(NamedTuple):
    """A number that rules ask for: a metric of a window of a target, or whether that metric is a word."""

    target: Target
    interval: str
    window: int
    metric: str
    word: str | None = None


class Placed(NamedTuple):
    """A rule on one of its targets."""

    kept: Kept
    target: Target

    @property
    def key(self) -> tuple[int, str]:
        """By which its life is kept."""
        return self.kept.number, target_text(self.target)


@dataclass(frozen=True, slots=True)
class MetricNow:
    """What is known of a metric at a moment."""

    value: float | str | None
    missing: float | None = None  # share of the trades of its window
    is_cut: bool = (
        False  # a hole reaches over an end of the window, and nobody knows how many of its trades are missing
    )
    reason: str | None = None  # why there is no value
    is_error: bool = False


NOT_READ = MetricNow(None, reason="not_read")


@dataclass(frozen=True, slots=True)
class Moved:
    """What a reading did to the life at a place; of quiet ones that stay so nothing is told."""

    place: int
    life: Life
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Glance:
    """One moment of all: what moved, and what all are like after it, once it is adopted."""

    time_ms: int
    moved: Sequence[Moved]
    seen_ms: IntArray
    values: FloatArray  # float64[2, n]


class Panel:
    """Rules on their targets and where each of them stands.

    >>> Panel([]).slots
    []
    """

    def __init__(self, placed: Sequence[Placed], lives: Mapping[tuple[int, str], Life] | None = None) -> None:
        self.placed = placed
        lives = lives or {}
        self.lives = [lives.get(each.key, _UNSEEN) for each in placed]
        self.slots: list[Slot] = []
        self._place_of_slot: dict[Slot, int] = {}
        count = len(placed)
        rules = [each.kept.rule for each in placed]
        self._slots = np.array([[self._slot(each, clause) for each in placed] for clause in (0, 1)], np.int64)
        self._has_second = self._slots[1] >= 0
        self._bounds = [Bounds.of([rule.first for rule in rules]), Bounds.of([rule.second for rule in rules])]
        self._patience = [rule.patience for rule in rules]
        self._missing_limit = np.array([rule.missing_limit for rule in rules])
        self._no_data_after_ms = np.array([each.no_data_after_ms for each in self._patience], np.int64)
        self._step_ms = np.array([each.step_ms for each in self._patience], np.int64)
        self._seen_ms = np.array([each.seen_ms for each in self.lives], np.int64)
        self._quiet = np.array([is_quiet(each) for each in self.lives], np.bool_)
        self.values = np.full((2, count), np.nan)
        self.read_ms: int | None = None  # the last moment that was read

    def __len__(self) -> int:
        return len(self.placed)

    def _slot(self, placed: Placed, clause: int) -> int:
        rule = placed.kept.rule
        if clause >= len(rule.clauses):
            return -1
        one = rule.clauses[clause]
        slot = Slot(placed.target, rule.interval, rule.window, one.metric, one.word)
        if slot not in self._place_of_slot:
            self._place_of_slot[slot] = len(self.slots)
            self.slots.append(slot)
        return self._place_of_slot[slot]

    def slot_of(self, place: int, clause: int) -> int | None:
        """Where a condition finds its value; None when the rule has no second one."""
        found = int(self._slots[clause, place])
        return found if found >= 0 else None

    def life(self, place: int) -> Life:
        """What is kept of the one at a place."""
        found = self.lives[place]
        return replace(found, seen_ms=int(self._seen_ms[place])) if self._quiet[place] else found

    @property
    def restless(self) -> list[int]:
        """The places where something is going on."""
        places: list[int] = np.flatnonzero(~self._quiet).tolist()
        return places

    def unknown(self, as_of_ms: int) -> list[int]:
        """The places of which less is known than up to a time."""
        places: list[int] = np.flatnonzero(self._seen_ms != as_of_ms).tolist()
        return places

    def look(self, time_ms: int, found: Sequence[MetricNow], lag_ms: int = 0) -> Glance:
        """Read all at one moment; nothing is changed.

        Args:
            found: what is known of each of the `slots`.
            lag_ms: for how long what is not known counts as known still.
        """
        values, errors = self._values(found)
        gap_ms = time_ms - (self.read_ms if self.read_ms is not None else time_ms)
        before = np.where(gap_ms <= self._step_ms, self.values, np.nan)
        level, entered = levels_of(self._bounds, list(values), list(before))
        is_known = level != Level.NONE
        breaks_out = (level == Level.BREACH) & entered
        is_lost = ~is_known & (time_ms - lag_ms - self._seen_ms >= self._no_data_after_ms)
        moved = []
        for place in np.flatnonzero(~self._quiet | breaks_out | is_lost).tolist():
            reading = Reading(
                time_ms - lag_ms * (not is_known[place]),
                Level(int(level[place])),
                bool(entered[place]),
                bool(errors[place]),
            )
            before_it = self.life(place)
            life, changes = step(before_it, reading, self._patience[place])
            if life is not before_it:
                moved.append(Moved(place, life, changes))
        seen_ms = np.where(is_known, np.maximum(self._seen_ms, time_ms), self._seen_ms)
        return Glance(time_ms, moved, seen_ms, values)

    def adopt(self, glance: Glance) -> None:
        """Go on from a moment that was read."""
        self._seen_ms, self.values, self.read_ms = glance.seen_ms, glance.values, glance.time_ms
        for each in glance.moved:
            self._put(each.place, each.life)

    def carry(self, before: Panel) -> None:
        """Know what was read last of those that were there before, too."""
        places = {each.key: place for place, each in enumerate(before.placed)}
        known = [(place, places[each.key]) for place, each in enumerate(self.placed) if each.key in places]
        if known:
            here, there = np.array(known).T
            self.values[:, here] = before.values[:, there]
        self.read_ms = before.read_ms

    def recall(self, time_ms: int, found: Sequence[MetricNow]) -> None:
        """Know again what was read last, before a restart: the next moment may have crossed from there."""
        self.values, self.read_ms = self._values(found)[0], time_ms

    def _put(self, place: int, life: Life) -> None:
        self.lives[place] = life
        self._quiet[place] = is_quiet(life)

    def _values(self, found: Sequence[MetricNow]) -> tuple[FloatArray, BoolArray]:
        """The values of both conditions of all; NaN where one is not known, or of too few trades."""
        numbers = np.array([_number(each.value, slot.word) for each, slot in zip(found, self.slots, strict=True)])
        missing = np.array([1.0 if each.is_cut else each.missing or 0.0 for each in found])
        errors = np.array([each.is_error for each in found], np.bool_)
        if not len(found):
            return np.full((2, len(self)), np.nan), np.zeros(len(self), np.bool_)
        values = np.where(missing[self._slots] <= self._missing_limit, numbers[self._slots], np.nan)
        values[1][~self._has_second] = 0.0  # of no condition, which is always true
        return values, errors[self._slots[0]] | (self._has_second & errors[self._slots[1]])


def _number(value: float | str | None, word: str | None) -> float:
    if value is None:
        return np.nan
    if word is not None:
        return float(value == word)
    return value if isinstance(value, int | float) else np.nan


_UNSEEN = Life(seen_ms=0)
