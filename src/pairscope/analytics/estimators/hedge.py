"""Hedge ratios: a line y = alpha + beta x by one of several methods, and the spread beside it.

`METHODS` has the newest bar of a window, `SERIES` every bar of a history; both come from the same kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np

from pairscope.analytics.estimators.kalman import kalman_rows, naive_rows
from pairscope.analytics.estimators.regression import (
    Rows,
    huber_rows,
    origin_rows,
    past_rows,
    squares_left,
    sums_of_line,
    tls_rows,
    window_sums,
)
from pairscope.analytics.kernels.rolling import is_exact, last_pair, rolling_pair
from pairscope.analytics.values import Reason
from pairscope.base.jit import floats
from pairscope.base.model import FloatArray, IntArray

RowsOf: TypeAlias = Callable[[FloatArray, FloatArray, int, int, bool], Rows]


class Hedge(NamedTuple):
    """A line through a window, and where its newest bar lies beside it; NaN where a number cannot be given."""

    n: int  # positions where both values are present
    beta: float
    alpha: float
    correlation: float
    spread: float
    spread_mean: float
    spread_std: float
    spread_z: float
    reason: Reason | None = None  # why there is no line, where the method knows


@dataclass(frozen=True, slots=True)
class HedgeSeries:
    """`Hedge` at each position of a history, from nothing later than the position; n is 0 before the first window."""

    n: IntArray
    beta: FloatArray
    alpha: FloatArray
    correlation: FloatArray
    spread: FloatArray
    spread_mean: FloatArray
    spread_std: FloatArray
    spread_z: FloatArray


def ols_hedge(y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True) -> Hedge:
    """Ordinary least squares: the last position of `rolling_pair`, or of `origin_rows` without an intercept.

    The residuals of a line with an intercept have mean zero.

    >>> import numpy as np
    >>> hedge = ols_hedge(np.array([1.0, 3.0, 4.0, 8.0]), np.arange(4.0), window=4, first_index=0)
    >>> round(hedge.beta, 12), round(hedge.spread, 12)
    (2.2, 0.7)
    """
    if not intercept:
        return _hedge(_origin_rows, y, x, window, first_index, intercept)
    n, beta, alpha, spread, spread_std, spread_z, correlation = last_pair(y, x, window, first_index)
    spread_mean = 0.0 if math.isfinite(beta) else math.nan
    return Hedge(n, beta, alpha, correlation, spread, spread_mean, spread_std, spread_z)


def ols_series(y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True) -> HedgeSeries:
    """`rolling_pair` with the mean of its spread, which is zero; `origin_rows` without an intercept."""
    if not intercept:
        return _series(_origin_rows, y, x, window, first_index, intercept)
    rolled = rolling_pair(y, x, window, first_index)
    return HedgeSeries(
        n=rolled.n,
        beta=rolled.beta,
        alpha=rolled.alpha,
        correlation=rolled.correlation,
        spread=rolled.spread,
        spread_mean=np.where(np.isfinite(rolled.beta), 0.0, np.nan),
        spread_std=rolled.spread_std,
        spread_z=rolled.spread_z,
    )


def _hedge(
    rows_of: RowsOf, y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True
) -> Hedge:
    rows, counts = rows_of(y, x, window, first_index, intercept)
    if len(y) == 0:
        return NO_HEDGE
    beta, alpha, correlation, spread, spread_mean, spread_std, spread_z = rows[:, -1].tolist()
    n = int(counts[-1])
    reason = None if math.isfinite(beta) or 2 * n < window else _why_no_line(y, x, intercept)
    return Hedge(n, beta, alpha, correlation, spread, spread_mean, spread_std, spread_z, reason)


def _series(
    rows_of: RowsOf, y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool = True
) -> HedgeSeries:
    rows, counts = rows_of(y, x, window, first_index, intercept)
    return HedgeSeries(counts, *rows)


def _origin_rows(y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool) -> Rows:
    return origin_rows(y, x, window, first_index)


def _why_no_line(y: FloatArray, x: FloatArray, intercept: bool) -> Reason:
    n, mean_y, mean_x, syy, sxx, sxy = window_sums(floats(y), floats(x))
    if not (syy > 0.0 and sxx > 0.0):
        return Reason.CONSTANT
    _, xx, xy = sums_of_line(n, mean_y, mean_x, syy, sxx, sxy, intercept)
    slope = xy / xx
    left = squares_left(n, mean_y, mean_x, syy, sxx, sxy, slope, intercept)
    exact = is_exact(left, n, syy, mean_y, slope * mean_x)
    return Reason.EXACT_FIT if exact else Reason.NOT_CONVERGED


_NAN = math.nan
NO_HEDGE = Hedge(0, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN)

# A new method is one function that fills rows, and one line here and in REMARKS.
_ROWS: Mapping[str, RowsOf] = {
    "huber": huber_rows,
    "tls": tls_rows,
    "rolling": past_rows,
    "kalman": kalman_rows,
    "kalman_naive": naive_rows,
}
# (y, x, window, first_index, intercept) -> the line at the newest bar of exactly one window.
METHODS: Mapping[str, Callable[[FloatArray, FloatArray, int, int, bool], Hedge]] = MappingProxyType(
    {"ols": ols_hedge} | {name: partial(_hedge, rows_of) for name, rows_of in _ROWS.items()}
)
# (y, x, window, first_index, intercept) -> the line at each bar.
SERIES: Mapping[str, Callable[[FloatArray, FloatArray, int, int, bool], HedgeSeries]] = MappingProxyType(
    {"ols": ols_series} | {name: partial(_series, rows_of) for name, rows_of in _ROWS.items()}
)
# What is to be known of a method, beside its name.
REMARKS: Mapping[str, str] = MappingProxyType(
    {
        "ols": "least squares over the window, the bar itself included",
        "huber": "least squares that outliers cannot pull away (k = 1.345)",
        "tls": "the nearest line, the same whichever leg is y",
        "rolling": "least squares over the window before the bar: the spread is a forecast error",
        "kalman": "alpha constant, beta walking, spread AR(1), noise fitted on past bars; wants a window of 1,000 bars "
        "or more; z is the innovation over its deviation",
        "kalman_naive": "the textbook filter without intercept; beta follows y / x and the spread is rounding noise",
    }
)
# Names that others use for a method.
OTHER_NAMES: Mapping[str, str] = MappingProxyType({"robust": "huber"})
# Bars of the window below which a method learns too little: as its remark says.
WANTS: Mapping[str, int] = MappingProxyType({"kalman": 1_000})
