"""Whether the line of a pair has moved: the newest quarter of a window beside the line of the window before it."""

from __future__ import annotations

import math

from pairscope.analytics.estimators.regression import squares_left, sums_of_line
from pairscope.analytics.kernels.rolling import moves
from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray

NEWEST_SHARE = 4  # of the window, one in so many bars
LAGS_SHARE = 8  # of the window before, likewise
_EXACT_FIT = 1e-12


@kernel
def shift_of(y: FloatArray, x: FloatArray, window: int, intercept: bool) -> float:
    r"""Mean residual of the last quarter window, in standard errors, from the line of the bars before the last window.

    The line is least squares on the first of the two windows that end with the series. With e its residuals, m bars in
    the quarter and n in the line::

        shift = |mean(y - alpha - beta x in the quarter)|
                / sqrt(LRV (1 / m + 1 / n + (mean x there - mean x)² / Sxx))

    LRV is the long-run variance of e by Bartlett's weights over n / 8 lags: neighbours of a spread depend on each
    other, and a quarter of a window has far fewer independent values than bars. It is computed as what it is, the mean
    square of the sums of n / 8 + 1 neighbours, with nothing beyond the ends.

    Without an intercept alpha is 0, and the line is as uncertain there as its beta is: LRV (1 / m + mean x² / Σ x²).

    0 while there are not two windows of bars, or half of either part is missing, or the line is no line.

    >>> import numpy as np
    >>> x = np.arange(80.0)
    >>> y = x + np.sin(x**2)
    >>> shift_of(y, x, 40, True) < 2.0 < 5.0 < shift_of(np.where(x < 70.0, y, y + 9.0), x, 40, True)
    True
    """
    if len(y) < 2 * window or window < 2 * NEWEST_SHARE:
        return 0.0
    begin = len(y) - 2 * window
    n, mean_y, mean_x, syy, sxx, sxy = _sums(y[begin : begin + window], x[begin : begin + window])
    newest = window // NEWEST_SHARE
    m, new_y, new_x, _, _, _ = _sums(y[len(y) - newest :], x[len(x) - newest :])
    if 2 * n < window or 2 * m < newest or not moves(sxx, n, mean_x):
        return 0.0
    _, xx, xy = sums_of_line(n, mean_y, mean_x, syy, sxx, sxy, intercept)
    beta = xy / xx
    if not squares_left(n, mean_y, mean_x, syy, sxx, sxy, beta, intercept) > _EXACT_FIT * syy:
        return 0.0
    shift = 0.0 if intercept else mean_y - beta * mean_x  # of the line with this beta through the means
    around = _around(y[begin : begin + window], x[begin : begin + window], mean_y, mean_x, beta, shift)
    away = new_x - mean_x
    spread = new_y - mean_y - beta * away + shift
    variance = _long_run(around, window // LAGS_SHARE) / n
    unsure = 1.0 / n + away * away / sxx if intercept else new_x * new_x / xx
    return abs(spread) / math.sqrt(variance * (1.0 / m + unsure))


@kernel
def _sums(y: FloatArray, x: FloatArray) -> tuple[int, float, float, float, float, float]:
    """Positions where both are present, the two means, and the sums of squares and products around them."""
    n = 0
    mean_y = mean_x = syy = sxx = sxy = 0.0
    for t in range(len(y)):
        if math.isfinite(y[t]) and math.isfinite(x[t]):
            n += 1
            p = y[t] - mean_y
            q = x[t] - mean_x
            mean_y += p / n
            mean_x += q / n
            syy += p * (y[t] - mean_y)
            sxx += q * (x[t] - mean_x)
            sxy += q * (y[t] - mean_y)
    return n, mean_y, mean_x, syy, sxx, sxy


@kernel
def _around(y: FloatArray, x: FloatArray, mean_y: float, mean_x: float, beta: float, shift: float) -> FloatArray:
    """Residuals, 0 where a value is missing."""
    around = (y - mean_y) - beta * (x - mean_x) + shift
    for t in range(len(around)):
        if not math.isfinite(around[t]):
            around[t] = 0.0
    return around


@kernel
def _long_run(around: FloatArray, lags: int) -> float:
    """Sum of products by Bartlett's weights 1 - k / (lags + 1), by the squares of moving sums of lags + 1 values."""
    width = lags + 1
    total = 0.0
    moving = 0.0
    for t in range(len(around) + lags):
        if t < len(around):
            moving += around[t]
        if t >= width:
            moving -= around[t - width]
        total += moving * moving
    return total / width
