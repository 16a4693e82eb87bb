"""Whether the line of a pair broke inside its window: the cumulative sum of recursive residuals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.analytics.estimators.regression import squares_left, sums_of_line, window_sums
from pairscope.analytics.kernels.rolling import is_exact
from pairscope.analytics.values import Reason
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray

FEWEST_RESIDUALS = 30
# Of Brown, Durbin and Evans: the sum leaves ± a (sqrt(T) + 2 t / sqrt(T)) by chance in 5 or 1 of 100 windows.
LINE_5, LINE_1 = 0.948, 1.143
_HIGHEST_PHI = 0.999


class Break(NamedTuple):
    """How far the sum went, as a multiple of its 5 % line; NaN with a reason where it cannot be given."""

    ratio: float
    n: int  # recursive residuals
    reason: Reason | None


def recursive_residuals(y: FloatArray, x: FloatArray, *, intercept: bool = True) -> FloatArray:
    """Errors of forecasting each y by the line through all before it, divided by what makes their variances equal.

    From the third position on, or from the second without an intercept; positions where a value is missing are left
    out, as are those before x has moved.

    Reference: R. L. Brown, J. Durbin and J. M. Evans, "Techniques for testing the constancy of regression
    relationships over time", Journal of the Royal Statistical Society B 37, 1975.

    >>> recursive_residuals(np.array([0.0, 1.0, 5.0]), np.array([0.0, 1.0, 2.0])).round(6).tolist()
    [1.224745]
    """
    return _recursive_residuals(floats(y), floats(x), intercept)


def find_break(y: FloatArray, x: FloatArray, *, whiten: bool = True, intercept: bool = True) -> Break:
    r"""The largest ratio of the sum of recursive residuals to its 5 % line; above 1 the line has moved.

    The line of the test assumes independent errors. The spread of a sound pair is an AR(1) process, on which the plain
    test cries wolf: with phi = 0.9 in 94 of 100 windows of 300 bars. So the regression is done on whitened series
    y_t - phi y_(t-1) and x_t - phi x_(t-1), with phi from the least-squares spread; that exceeds 1 in about 5 of 100
    windows (14 at phi = 0.97, where 300 bars are few).

    Args:
        y, x: float64[n]; positions where either is missing are left out, and whitening needs neighbours.
        whiten: whether to whiten; the textbook test does not.
        intercept: whether the line has one.

    Reasons: TOO_FEW (fewer than 30 residuals), CONSTANT (x or y does not move), EXACT_FIT.
    """
    y, x = floats(y), floats(x)
    n, mean_y, mean_x, syy, sxx, sxy = window_sums(y, x)
    if n < FEWEST_RESIDUALS + 2:
        return Break(math.nan, max(0, n - 2), Reason.TOO_FEW)
    if syy == 0.0 or sxx == 0.0:
        return Break(math.nan, n - 2, Reason.CONSTANT)
    _, xx, xy = sums_of_line(n, mean_y, mean_x, syy, sxx, sxy, intercept)
    slope = xy / xx
    left = squares_left(n, mean_y, mean_x, syy, sxx, sxy, slope, intercept)
    if is_exact(left, n, syy, mean_y, slope * mean_x):
        return Break(math.nan, n - 2, Reason.EXACT_FIT)
    if not intercept:
        mean_y = mean_x = 0.0
    y, x = (np.where(np.isfinite(leg), leg - mean, np.nan) for leg, mean in ((y, mean_y), (x, mean_x)))
    if whiten:
        phi = _autoregression(y - slope * x)
        y, x = y[1:] - phi * y[:-1], x[1:] - phi * x[:-1]
    residuals = recursive_residuals(y, x, intercept=intercept)
    count = len(residuals)
    if count < FEWEST_RESIDUALS:
        return Break(math.nan, count, Reason.TOO_FEW)
    deviation = float(residuals.std(ddof=1))
    if not deviation > 0.0:
        return Break(math.nan, count, Reason.EXACT_FIT)
    line = LINE_5 * (math.sqrt(count) + 2.0 * np.arange(1, count + 1) / math.sqrt(count))
    return Break(float(np.max(np.abs(np.cumsum(residuals)) / line)) / deviation, count, None)


def _autoregression(spread: FloatArray) -> float:
    """phi of an AR(1) process around 0, from neighbours that are both present."""
    before, after = spread[:-1], spread[1:]
    both = np.isfinite(before) & np.isfinite(after)
    squares = float(before[both] @ before[both])
    phi = float(before[both] @ after[both]) / squares if squares > 0.0 else 0.0
    return min(_HIGHEST_PHI, max(-_HIGHEST_PHI, phi))


@kernel
def _recursive_residuals(y: FloatArray, x: FloatArray, intercept: bool) -> FloatArray:
    residuals = np.empty(len(y))
    count = 0
    n = 0
    mean_y = mean_x = sxx = sxy = 0.0
    for t in range(len(y)):
        if not (math.isfinite(y[t]) and math.isfinite(x[t])):
            continue
        p = y[t] - mean_y
        q = x[t] - mean_x
        if not intercept:
            if sxx > 0.0:
                residuals[count] = (y[t] - sxy / sxx * x[t]) / math.sqrt(1.0 + x[t] * x[t] / sxx)
                count += 1
            sxx += x[t] * x[t]
            sxy += x[t] * y[t]
            continue
        if n >= 2 and sxx > 0.0:
            residuals[count] = (p - sxy / sxx * q) / math.sqrt(1.0 + 1.0 / n + q * q / sxx)
            count += 1
        n += 1
        mean_y += p / n
        mean_x += q / n
        sxx += q * (x[t] - mean_x)
        sxy += q * (y[t] - mean_y)
    return residuals[:count]
