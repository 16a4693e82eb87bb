"""Many values against many conditions at once: where each of them stands, and which have crossed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairscope.alerts.machine import Level
from pairscope.alerts.rule import Clause, Comparison
from pairscope.base.model import BoolArray, FloatArray

LevelArray = NDArray[np.int8]
_TAKES_ENDS = (Comparison.AT_LEAST, Comparison.AT_MOST)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The conditions of many clauses in columns; ends that are not there lie at infinity."""

    low: FloatArray
    high: FloatArray
    reset_low: FloatArray
    reset_high: FloatArray
    takes_ends: BoolArray  # the threshold itself is a breach
    is_inside: BoolArray
    crosses: NDArray[np.int8]  # 1 upwards, -1 downwards, 0 for standing there

    @classmethod
    def of(cls, clauses: Sequence[Clause | None]) -> Bounds:
        """The conditions of clauses; one that is not there is always true."""
        given = [(_ALWAYS if each is None else each) for each in clauses]
        ends = np.array([_ends(each) for each in given], np.float64).reshape(-1, 4)
        crosses = [_CROSSES.get(each.comparison, 0) for each in given]
        return cls(
            low=ends[:, 0].copy(),
            high=ends[:, 1].copy(),
            reset_low=ends[:, 2].copy(),
            reset_high=ends[:, 3].copy(),
            takes_ends=np.array([each.comparison in _TAKES_ENDS for each in given], np.bool_),
            is_inside=np.array([each.comparison is Comparison.INSIDE for each in given], np.bool_),
            crosses=np.array(crosses, np.int8),
        )

    def levels(self, values: FloatArray) -> LevelArray:
        """Where each value stands by the condition in the same place; NaN is not known.

        >>> from pairscope.alerts.rule import Clause, Comparison
        >>> one = Clause(metric="rsi", comparison=Comparison.ABOVE, high=70.0, reset_high=60.0)
        >>> Bounds.of([one] * 4).levels(np.array([71.0, 70.0, 60.0, np.nan])).tolist()
        [3, 2, 0, 1]
        """
        out = (values > self.high) | (values < self.low)
        back = (values <= self.reset_high) & (values >= self.reset_low)
        if self.takes_ends.any():
            out |= self.takes_ends & ((values == self.high) | (values == self.low))
        if self.is_inside.any():
            within = (values >= self.low) & (values <= self.high)
            beyond = (values < self.reset_low) | (values > self.reset_high)
            out, back = np.where(self.is_inside, within, out), np.where(self.is_inside, beyond, back)
        found = np.full(values.shape, Level.BETWEEN, np.int8)
        found[back] = Level.CLEAR
        found[out] = Level.BREACH
        found[np.isnan(values)] = Level.NONE
        return found

    def entered(self, values: FloatArray, before: FloatArray) -> BoolArray:
        """Whether what has to cross has done so since the value before, which is NaN after a gap and at first."""
        if not self.crosses.any():
            return np.ones(values.shape, np.bool_)
        up = (before <= self.high) & (values > self.high)
        down = (before >= self.low) & (values < self.low)
        entered: BoolArray = (self.crosses == 0) | ((self.crosses > 0) & up) | ((self.crosses < 0) & down)
        return entered


_ALWAYS = Clause(metric="", comparison=Comparison.ABOVE, high=-math.inf, reset_high=-math.inf)
_CROSSES = {Comparison.CROSSES_ABOVE: 1, Comparison.CROSSES_BELOW: -1}


def _ends(clause: Clause) -> tuple[float, float, float, float]:
    if clause.comparison is Comparison.IS:  # the word is measured as 1, any other as 0
        return -math.inf, 0.5, -math.inf, 0.5
    low, reset_low = (-math.inf if each is None else each for each in (clause.low, clause.reset_low))
    high, reset_high = (math.inf if each is None else each for each in (clause.high, clause.reset_high))
    return low, high, reset_low, reset_high
