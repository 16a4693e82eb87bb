"""What is read of a pair at closed bars, a twentieth of a window apart on the absolute grid of bars."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pairscope.analytics.estimators.adf import steps
from pairscope.analytics.estimators.conditions import PER_WINDOW
from pairscope.analytics.estimators.evidence import weigh_closes
from pairscope.analytics.estimators.hayashi_yoshida import FEWEST_CHANGES, TRADES_LEAD_BELOW_MS, overlap_sums
from pairscope.analytics.estimators.line_shift import shift_of
from pairscope.analytics.estimators.regression import pearson, window_sums
from pairscope.analytics.estimators.spikes import without_spikes
from pairscope.analytics.estimators.terms import Prices
from pairscope.base.jit import floats, kernel
from pairscope.base.model import BoolArray, FloatArray, IntArray

WINDOWS = 5  # of readings that are replayed
READINGS = WINDOWS * PER_WINDOW
FEWEST = 30
_REACH = 1  # bars

# Columns of what a kernel reads.
_P, _CORRELATION, _SHIFT, _OUTCOME, _LEG = range(5)


@dataclass(frozen=True, slots=True)
class PairHistory:
    """The log closes of a pair up to its last closed bar, on one grid, oldest first, NaN where missing.

    `on` gives the same bars on other terms.
    """

    y: FloatArray
    x: FloatArray
    last_index: int  # of the last bar: open_time_ms // bar_ms
    bar_ms: int
    closes: FloatArray | None = None  # float64[2, n]: what the logarithms are of, to the last bit
    prices: Prices = "log"
    intercept: bool = True

    def on(self, prices: Prices, intercept: bool) -> PairHistory:
        """The history with its closes, or their logarithms, as y and x."""
        if (prices, intercept) == (self.prices, self.intercept):
            return self
        closes = self.closes
        if closes is None:
            legs = np.array([self.y, self.x])
            closes = np.exp(legs) if self.prices == "log" else legs
        y, x = (self.y, self.x) if prices == self.prices else closes if prices == "level" else np.log(closes)
        return replace(self, y=y, x=x, closes=closes, prices=prices, intercept=intercept)

    def last(self, bars: int) -> PairHistory:
        """The newest bars of it."""
        extra = len(self.y) - bars
        return self if extra <= 0 else replace(self, y=self.y[extra:], x=self.x[extra:], closes=None)


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings of a history, oldest first; those before the tape of both legs begins are left out."""

    index: IntArray  # of the bar read at
    p: FloatArray  # NaN where a leg is stationary, or the test could not be done
    leg: BoolArray
    correlation: FloatArray
    shift: FloatArray
    outcome: IntArray  # of the test: 0 where it was done

    def __len__(self) -> int:
        return len(self.index)


def step_of(window: int) -> int:
    """Bars from one reading to the next."""
    return max(1, window // PER_WINDOW)


def history_bars(window: int) -> int:
    """Closed bars that the readings of five windows can need: each reads two windows, and a bar before."""
    return READINGS * step_of(window) + 2 * window + 1


def read(history: PairHistory, window: int) -> Readings:
    """The last readings of five windows: at bars whose absolute index is a multiple of a twentieth of the window.

    Each depends on the two windows of bars that end there, and on the one bar before, alone; so it has the same bits
    live and from the past. A longer history changes nothing.
    """
    step = step_of(window)
    newest = history.last_index // step * step
    history = history.last(history_bars(window))  # its first bars matter: a window is read once both legs have begun
    return read_at(history, window, newest + step * np.arange(1 - READINGS, 1))


def read_at(history: PairHistory, window: int, index: IntArray) -> Readings:
    """Readings at bars of absolute indices, but for those before both legs fill a window."""
    first = history.last_index - len(history.y) + 1
    both = np.flatnonzero(np.isfinite(history.y) & np.isfinite(history.x))
    begin = first + int(both[0]) if len(both) else history.last_index + 1
    index = index[index - window + 1 >= begin]
    found = np.empty((5, len(index)))
    fewest = max(FEWEST, (window + 1) // 2)
    y, x, is_fine = floats(history.y), floats(history.x), history.bar_ms < TRADES_LEAD_BELOW_MS
    _read(y, x, index - first, window, fewest, is_fine, history.prices == "level", history.intercept, found)
    leg = found[_LEG] == 1.0
    outcome = found[_OUTCOME].astype(np.int64)
    return Readings(index, np.where(leg, np.nan, found[_P]), leg, found[_CORRELATION], found[_SHIFT], outcome)


@kernel
def _read(
    y: FloatArray, x: FloatArray, places: IntArray, window: int, fewest: int, is_fine: bool, is_level: bool,
    intercept: bool, found: FloatArray,
) -> None:  # fmt: skip
    """One column of `found` a place."""
    for r in range(len(places)):
        end = places[r] + 1
        y_clean, x_clean = _cleaned(y, x, end - window, end)
        _, p, _, _, _, _, _, outcome, leg = weigh_closes(y_clean, x_clean, fewest, intercept)
        found[_P, r] = p
        found[_OUTCOME, r] = outcome
        found[_LEG, r] = 1.0 if leg else 0.0
        if is_level:  # the correlation is of log returns either way
            y_clean, x_clean = np.log(y_clean), np.log(x_clean)
        found[_CORRELATION, r] = _of_changes(y_clean, x_clean) if is_fine else _of_returns(y_clean, x_clean)
        found[_SHIFT, r] = 0.0
        if end >= 2 * window:
            y_clean, x_clean = _cleaned(y, x, end - 2 * window, end)
            found[_SHIFT, r] = shift_of(y_clean, x_clean, window, intercept)


@kernel
def _cleaned(y: FloatArray, x: FloatArray, begin: int, end: int) -> tuple[FloatArray, FloatArray]:
    """The stretch without spikes, of which the bar before tells whether its first is one."""
    before = 1 if begin > 0 else 0
    y_clean, _ = without_spikes(y[begin - before : end])
    x_clean, _ = without_spikes(x[begin - before : end])
    return y_clean[before:], x_clean[before:]


@kernel
def _of_returns(y: FloatArray, x: FloatArray) -> float:
    """Correlation of the returns of bars."""
    n, _, _, syy, sxx, sxy = window_sums(steps(y), steps(x))
    return pearson(syy, sxx, sxy) if 2 * n >= len(y) - 1 else np.nan


@kernel
def _of_changes(y: FloatArray, x: FloatArray) -> float:
    """Correlation of short bars, by the estimator of Hayashi and Yoshida with a reach of one bar.

    Below a minute the close of one leg is often older than that of the other, and carries bounce; both pull the
    correlation of returns down. A bar that did not change its price is taken as none.
    """
    y_at, y_log = _changes(y)
    x_at, x_log = _changes(x)
    if min(len(y_at), len(x_at)) <= FEWEST_CHANGES:
        return np.nan
    yy = overlap_sums(y_at, y_log, y_at, y_log, 0, _REACH, np.zeros(1))[0]
    xx = overlap_sums(x_at, x_log, x_at, x_log, 0, _REACH, np.zeros(1))[0]
    yx = overlap_sums(y_at, y_log, x_at, x_log, 0, _REACH, np.zeros(1))[0]
    if not (yy > 0.0 and xx > 0.0):
        return np.nan
    correlation: float = yx / math.sqrt(yy) / math.sqrt(xx)
    return correlation


@kernel
def _changes(values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Positions where the value differs from the one before, the first included, and the values there."""
    at = np.empty(len(values), np.int64)
    changed = np.empty(len(values))
    count = 0
    for t in range(len(values)):
        if math.isfinite(values[t]) and (count == 0 or values[t] != changed[count - 1]):
            at[count] = t
            changed[count] = values[t]
            count += 1
    return at[:count], changed[:count]
