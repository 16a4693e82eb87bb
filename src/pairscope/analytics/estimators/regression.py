"""Lines y = alpha + beta x through one window of two series, computed directly, with nothing carried along.

Every value depends on the bars of its window alone, and is computed by one kernel per method for the newest bar and for
a whole history alike. In a window the positions where a value is missing are left out; sums are taken around the means.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from pairscope.analytics.estimators.huber import huber_line
from pairscope.analytics.kernels.rolling import ROUNDING, is_exact, moves
from pairscope.base.errors import RequestError
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray, IntArray

# beta, alpha, correlation, spread, its mean and deviation over the window, z: the rows of every series of lines.
ROWS = 7
FEWEST_OF_LINE = 3  # observations, below which nothing is said of a line

Rows: TypeAlias = tuple[FloatArray, IntArray]


def origin_rows(y: FloatArray, x: FloatArray, window: int, first_index: int) -> Rows:
    """Least squares without an intercept, y = beta x, over the window that ends at each position.

    With raw sums over the n positions present::

        beta = Σ x y / Σ x²        correlation = Σ x y / sqrt(Σ x² Σ y²), whose square is the uncentred R²

    The spread y - beta x has a mean of its own, around which its deviation (ddof 1) and its z are. All are computed
    around the means of y and x, for on prices the raw sums leave few digits to a spread. NaN where least squares with
    an intercept is: a price that does not move tells nothing of how the two move.

    >>> rows, n = origin_rows(np.array([1.0, 3.0, 4.0, 8.0]), np.arange(4.0), 4, 0)
    >>> round(float(rows[0, -1]), 9), float(rows[1, -1]), round(float(rows[3, -1]), 9)
    (2.5, 0.0, 0.5)
    """
    return _rows(y, x, window, 3, False)


def tls_rows(y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True) -> Rows:
    """Orthogonal regression over the window that ends at each position: the line nearest to the points.

    With centred sums S of the n positions present::

        beta = (Syy - Sxx + sqrt((Syy - Sxx)² + 4 Sxy²)) / (2 Sxy)      alpha = mean(y) - beta mean(x)

    Symmetric: the line of x on y is the same line, so the product of both betas is 1. It depends on the units of y and
    x, which is no harm for log prices; on prices it is close to the line of the dearer leg. NaN where least squares is
    (see `rolling_pair`), and where Sxy is 0 with Syy >= Sxx: there is no one line. Without an intercept the sums are
    raw ones, and alpha is 0.

    Reference: G. H. Golub and C. F. Van Loan, "An analysis of the total least squares problem", SIAM J. Numer.
    Anal. 17, 1980.

    >>> rows, n = tls_rows(np.array([1.0, 3.0, 4.0, 8.0]), np.arange(4.0), 4, 0)
    >>> round(float(rows[0, -1]), 6)
    2.336991
    """
    return _rows(y, x, window, 0, intercept)


def huber_rows(y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True) -> Rows:
    """Huber's M-estimate over the window that ends at each position: least squares that outliers cannot pull away.

    Weights min(1, k s / abs(r)) with k = 1.345 and s = median(abs(r)) / 0.6745, iterated from least squares until the
    line stands still. NaN where least squares is, and where it does not come to rest in 500 iterations. A line that
    more than half of the points lie on, but for rounding, is the answer: the iteration would near it ever more slowly.

    Reference: P. J. Huber, "Robust Statistics", 1981, chapter 7.

    >>> x = np.arange(9.0)
    >>> y = 2.0 * x + np.array([0.0, 0.1, -0.1, 0.1, 0.0, -0.1, 0.1, 0.0, 50.0])
    >>> rows, n = huber_rows(y, x, 9, 0)
    >>> bool(abs(rows[0, -1] - 2.0) < 0.05)
    True
    """
    return _rows(y, x, window, 1, intercept)


def past_rows(y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True) -> Rows:
    """Least squares over the window without its last position, and where that position lies beside the line.

    The spread of a bar is thus a forecast error: its line has not seen it. z is the spread over the deviation of the
    residuals (ddof 1) of the past, around their mean when there is no intercept. NaN as for least squares.

    >>> rows, n = past_rows(np.array([0.0, 1.0, 2.0, 8.0]), np.arange(4.0), 4, 0)
    >>> round(float(rows[0, -1]), 9), round(float(rows[3, -1]), 9)
    (1.0, 5.0)
    """
    return _rows(y, x, window, 2, intercept)


def check_pair(y: FloatArray, x: FloatArray, window: int) -> None:
    """Refuse series of different lengths, and windows without a deviation.

    Raises:
        RequestError: with the cure.
    """
    if window < 2:
        raise RequestError(f"a window of {window} bars has no deviation", cure="use at least 2 bars", code="bad_window")
    if len(y) != len(x):
        raise RequestError(f"two series of {len(y)} and {len(x)} values", cure="give two series of one length")


def _rows(y: FloatArray, x: FloatArray, window: int, method: int, intercept: bool) -> Rows:
    check_pair(y, x, window)
    out = np.full((ROWS, len(y)), np.nan)
    n = np.zeros(len(y), np.int64)
    _fill_rows(floats(y), floats(x), window, method, intercept, out, n)
    return out, n


@kernel
def _fill_rows(
    y: FloatArray, x: FloatArray, window: int, method: int, intercept: bool, out: FloatArray, n: IntArray
) -> None:
    for t in range(window - 1, len(y)):
        first = t - window + 1
        row = out[:, t]
        if method == 0:
            n[t] = _tls(y[first : t + 1], x[first : t + 1], window, intercept, row)
        elif method == 1:
            n[t] = _huber(y[first : t + 1], x[first : t + 1], window, intercept, row)
        elif method == 2:
            n[t] = _past(y[first : t + 1], x[first : t + 1], window, intercept, row)
        else:
            n[t] = origin_line(y[first : t + 1], x[first : t + 1], window, row)


@kernel
def window_sums(y: FloatArray, x: FloatArray) -> tuple[int, float, float, float, float, float]:
    """Of the positions where both values are present: n, mean(y), mean(x), Syy, Sxx, Sxy around the means.

    Sums of squares are 0 where a series does not move but for rounding; NaN without a position.
    """
    n = 0
    reference_y = reference_x = 0.0
    sum_y = sum_x = 0.0
    for i in range(len(y)):
        if math.isfinite(y[i]) and math.isfinite(x[i]):
            if n == 0:
                reference_y = y[i]
                reference_x = x[i]
            n += 1
            sum_y += y[i] - reference_y
            sum_x += x[i] - reference_x
    if n == 0:
        return 0, np.nan, np.nan, np.nan, np.nan, np.nan
    mean_y = reference_y + sum_y / n
    mean_x = reference_x + sum_x / n
    syy = sxx = sxy = 0.0
    rest_y = rest_x = 0.0  # what the rounded means leave over
    for i in range(len(y)):
        if math.isfinite(y[i]) and math.isfinite(x[i]):
            p = y[i] - mean_y
            q = x[i] - mean_x
            syy += p * p
            sxx += q * q
            sxy += p * q
            rest_y += p
            rest_x += q
    syy -= rest_y * rest_y / n
    sxx -= rest_x * rest_x / n
    sxy -= rest_y * rest_x / n
    if not moves(syy, n, mean_y):
        syy = sxy = 0.0
    if not moves(sxx, n, mean_x):
        sxx = sxy = 0.0
    return n, mean_y, mean_x, syy, sxx, sxy


@kernel
def sums_of_line(
    n: float, mean_y: float, mean_x: float, syy: float, sxx: float, sxy: float, intercept: bool
) -> tuple[float, float, float]:
    """The sums of squares and products that a line is solved from: around the means, or raw without an intercept."""
    if intercept:
        return syy, sxx, sxy
    return syy + n * mean_y * mean_y, sxx + n * mean_x * mean_x, sxy + n * mean_y * mean_x


@kernel
def squares_left(
    n: float, mean_y: float, mean_x: float, syy: float, sxx: float, sxy: float, slope: float, intercept: bool
) -> float:
    """The sum of squared residuals of least squares of this slope, from `window_sums`."""
    if intercept:
        return syy - slope * sxy
    own = sxy / sxx  # of the line with an intercept; the rest are squares, of which nothing cancels
    return max(0.0, syy - own * sxy) + (slope - own) * (slope - own) * sxx + n * (mean_y - slope * mean_x) ** 2


@kernel
def _tls(y: FloatArray, x: FloatArray, window: int, intercept: bool, row: FloatArray) -> int:
    n, mean_y, mean_x, syy, sxx, sxy = window_sums(y, x)
    if 2 * n < window or sxx == 0.0:
        return n
    yy, xx, xy = sums_of_line(n, mean_y, mean_x, syy, sxx, sxy, intercept)
    gap = yy - xx
    root = math.hypot(gap, 2.0 * xy)
    if xy == 0.0 and gap >= 0.0 and yy > 0.0:
        return n
    beta = (gap + root) / (2.0 * xy) if gap > 0.0 else 2.0 * xy / (root - gap)
    _describe(y, x, n, mean_y, mean_x, syy, beta, 0.0, intercept, row)
    row[2] = pearson(yy, xx, xy)
    return n


@kernel
def origin_line(y: FloatArray, x: FloatArray, window: int, row: FloatArray) -> int:
    """A row of `origin_rows`, and how many positions are present."""
    n, mean_y, mean_x, syy, sxx, sxy = window_sums(y, x)
    if 2 * n < window or sxx == 0.0:
        return n
    yy, xx, xy = sums_of_line(n, mean_y, mean_x, syy, sxx, sxy, False)
    _describe(y, x, n, mean_y, mean_x, syy, xy / xx, 0.0, False, row)
    row[2] = pearson(yy, xx, xy)
    return n


@kernel
def _past(y: FloatArray, x: FloatArray, window: int, intercept: bool, row: FloatArray) -> int:
    last = len(y) - 1
    n, mean_y, mean_x, syy, sxx, sxy = window_sums(y[:last], x[:last])
    if 2 * n < window or sxx == 0.0:
        return n
    yy, xx, xy = sums_of_line(n, mean_y, mean_x, syy, sxx, sxy, intercept)
    beta = xy / xx
    _describe(y[:last], x[:last], n, mean_y, mean_x, syy, beta, 0.0, intercept, row)
    row[2] = pearson(yy, xx, xy)
    spread = (y[last] - mean_y) - beta * (x[last] - mean_x)
    if not intercept:
        spread += mean_y - beta * mean_x
    row[3] = row[6] = np.nan
    if math.isfinite(spread):
        row[3] = spread
        if row[5] > 0.0:
            row[6] = (spread - row[4]) / row[5]
    return n


@kernel
def _huber(y: FloatArray, x: FloatArray, window: int, intercept: bool, row: FloatArray) -> int:
    n, mean_y, mean_x, syy, sxx, sxy = window_sums(y, x)
    if 2 * n < window or sxx == 0.0:
        return n
    yy, xx, xy = sums_of_line(n, mean_y, mean_x, syy, sxx, sxy, intercept)
    from_y = mean_y if intercept else 0.0
    from_x = mean_x if intercept else 0.0
    p = np.empty(n)
    q = np.empty(n)
    k = 0
    for i in range(len(y)):
        if math.isfinite(y[i]) and math.isfinite(x[i]):
            p[k] = y[i] - from_y
            q[k] = x[i] - from_x
            k += 1
    rounding = max(1e-14 * math.sqrt(syy / n), ROUNDING * max(abs(mean_y), abs(xy / xx * mean_x)))
    beta, shift, at_rest = huber_line(p, q, xy / xx, rounding, intercept)
    if at_rest:
        _describe(y, x, n, mean_y, mean_x, syy, beta, shift, intercept, row)
        row[2] = pearson(yy, xx, xy)
    return n


@kernel
def _describe(
    y: FloatArray, x: FloatArray, n: int, mean_y: float, mean_x: float, syy: float, beta: float, shift: float,
    intercept: bool, row: FloatArray,
) -> None:  # fmt: skip
    """Write all but the correlation of a line through (mean_x, mean_y + shift), or of one through zero."""
    if not intercept:
        shift = beta * mean_x - mean_y
    total = 0.0
    for i in range(len(y)):
        if math.isfinite(y[i]) and math.isfinite(x[i]):
            total += y[i] - mean_y - shift - beta * (x[i] - mean_x)
    mean = total / n
    squares = 0.0
    for i in range(len(y)):
        if math.isfinite(y[i]) and math.isfinite(x[i]):
            d = y[i] - mean_y - shift - beta * (x[i] - mean_x) - mean
            squares += d * d
    if is_exact(squares, n, syy, mean_y, beta * mean_x):
        squares = 0.0
    row[0] = beta
    row[1] = mean_y + shift - beta * mean_x if intercept else 0.0
    row[4] = mean if shift != 0.0 else 0.0
    row[5] = math.sqrt(squares / (n - 1.0)) if n > 1 else np.nan
    spread = y[-1] - mean_y - shift - beta * (x[-1] - mean_x)
    if math.isfinite(spread):
        row[3] = spread
        if row[5] > 0.0:
            row[6] = (spread - row[4]) / row[5]


@kernel
def pearson(syy: float, sxx: float, sxy: float) -> float:
    """The correlation from `window_sums`; NaN where a series does not move."""
    if syy == 0.0 or sxx == 0.0:
        return np.nan
    return min(1.0, max(-1.0, sxy / math.sqrt(sxx) / math.sqrt(syy)))
