"""The Hurst exponent of a path by detrended fluctuation analysis."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.analytics.estimators.adf import centred, reason_of, unbroken
from pairscope.analytics.kernels.dickey_fuller import CONSTANT, SOLVED
from pairscope.analytics.values import Reason
from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray, IntArray

FEWEST = 100
_SHORTEST = 8  # positions of the shortest boxes
_BOXES = 4  # of the longest length
_LENGTHS = 12
# Standard deviation of the estimate on random walks of n values, by simulation; a test repeats it.
_WALKS = ((100, 0.1198), (200, 0.0797), (500, 0.0533), (1000, 0.0409), (3000, 0.0281), (10_000, 0.0201))
_LOG_N, _LOG_DEVIATION = np.log(_WALKS).T
_NORMAL_95 = 1.959963984540054


class Hurst(NamedTuple):
    """Hurst exponent with its 95 % interval; NaN when there is a reason."""

    exponent: float
    low: float
    high: float
    n: int
    reason: Reason | None


def hurst(path: FloatArray, fewest: int = FEWEST) -> Hurst:
    r"""How the size of a path's fluctuations grows with the time looked at: as its length to the power H.

    1/2 for a random walk, less when moves tend to be taken back, more when they tend to go on. For each of some twelve
    lengths s from 8 to n / 4 the path is cut into boxes of s values, from the beginning and once more from the end, and
    a line is taken from each; F(s)² is the mean square of what is left. H is the slope of log F(s) on log s, after
    division by what a random walk has, whose F(s)² is proportional to (s² - 4) / s: without that, short boxes bend it.

    The interval is as wide as that of random walks of n values, found by simulation (of 10,000 when there are more):
    the regression's own would be too narrow, for the points of its line are made from the same values.

    Missing values are not stepped over: the longest stretch without one is used.

    Args:
        path: the values, float64[n], such as a spread; not its increments.
        fewest: values the longest stretch must have, at least 100.

    Returns:
        The exponent, or NaN with a reason: TOO_FEW, GAPPY, CONSTANT, or OUT_OF_RANGE (not between 0 and 1: a path so
        smooth that each box is nearly a line, or one whose every move is taken back, has no such exponent).

    Source: C.-K. Peng and others, Physical Review E 49, 1994; correction for short boxes as J. W. Kantelhardt and
    others, Physica A 295, 2001.

    >>> found = hurst(np.sin(np.arange(512.0) ** 2))
    >>> found.exponent < 0.2, found.reason
    (True, None)
    """
    values, n, reason = unbroken(path, max(FEWEST, fewest))
    if reason is not None:
        return Hurst(math.nan, math.nan, math.nan, n, reason)
    lengths = np.unique(np.geomspace(_SHORTEST, n // _BOXES, _LENGTHS).round().astype(np.int64))
    exponent, outcome = _hurst(values, lengths)
    if outcome == SOLVED and not 0.0 < exponent < 1.0:
        return Hurst(math.nan, math.nan, math.nan, n, Reason.OUT_OF_RANGE)
    wide = _NORMAL_95 * math.exp(np.interp(math.log(n), _LOG_N, _LOG_DEVIATION))
    return Hurst(exponent, exponent - wide, exponent + wide, n, reason_of(outcome))


@kernel
def _hurst(path: FloatArray, lengths: IntArray) -> tuple[float, int]:
    around, squares, _ = centred(path)
    if squares == 0.0:
        return np.nan, CONSTANT
    x = np.empty(len(lengths))
    y = np.empty(len(lengths))
    for k in range(len(lengths)):
        s = float(lengths[k])
        x[k] = math.log(s)
        y[k] = 0.5 * math.log(_fluctuation(around, lengths[k]) * s / (s * s - 4.0))
    x_around, sxx, _ = centred(x)
    return 0.5 + np.sum(x_around * y) / sxx, SOLVED


@kernel
def _fluctuation(path: FloatArray, length: int) -> float:
    """Mean square of the path around a line through each box, boxes laid from both ends."""
    n = len(path)
    boxes = n // length
    middle = (length - 1) / 2.0
    spread = length * (length * length - 1.0) / 12.0  # Σ (i - middle)²
    total = 0.0
    for box in range(2 * boxes):
        first = box * length if box < boxes else n - (box - boxes + 1) * length
        mean = 0.0
        for i in range(first, first + length):
            mean += path[i] - path[first]
        mean = path[first] + mean / length
        squares = 0.0
        crossing = 0.0
        for i in range(length):
            around = path[first + i] - mean
            squares += around * around
            crossing += around * (i - middle)
        total += max(0.0, squares - crossing * crossing / spread)
    return total / (2 * boxes * length)
