"""The augmented Dickey-Fuller test of a unit root."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from pairscope.analytics.kernels import dickey_fuller as df
from pairscope.analytics.kernels.mackinnon import NO_CONSTANT, Critical, critical_values, p_value
from pairscope.analytics.kernels.rolling import moves
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.jit import floats, kernel, reduction
from pairscope.base.model import FloatArray

Lags: TypeAlias = int | Literal["aic", "bic"]

GAPPY = 5  # beside the outcomes of `dickey_fuller`

_REASONS = {
    df.SOLVED: None,
    df.TOO_FEW: Reason.TOO_FEW,
    df.CONSTANT: Reason.CONSTANT,
    df.COLLINEAR: Reason.COLLINEAR,
    df.EXACT_FIT: Reason.EXACT_FIT,
    GAPPY: Reason.GAPPY,
}
EPSILON = 2.220446049250313e-16  # spacing of the numbers near 1


class UnitRoot(NamedTuple):
    """Outcome of a unit-root test; statistic, p and criterion are NaN when there is a reason."""

    statistic: float
    p: float
    lags: int
    criterion: float  # the least information criterion; NaN for a given number of lags
    n: int  # values tested: the longest stretch without a gap
    reason: Reason | None
    surface: int  # of MacKinnon's

    @property
    def critical(self) -> Critical:
        """Critical values for as many observations as the regression had."""
        return critical_values(self.surface, self.n - 1 - self.lags)


def adf(values: FloatArray, *, constant: bool = True, lags: Lags = "aic", fewest: int = 4) -> UnitRoot:
    r"""Augmented Dickey-Fuller test that a series has a unit root.

    The t ratio of gamma in the regression, over the rows that have all lags::

        step_t = [c +] gamma level_(t-1) + sum over k = 1 ... p of delta_k step_(t-k) + e_t

    The number of lags p is that of the least AIC or BIC among 0 ... 12 (n / 100)^(1/4), all compared on the same rows;
    the regression is then done once more on all rows that p lags leave. Probabilities and critical values are
    MacKinnon's.

    Missing values (not finite) are never stepped over: the test is done on the longest stretch without one.

    Args:
        values: the series, float64[n].
        constant: whether the regression has a constant.
        lags: "aic", "bic", or the number itself.
        fewest: values the longest stretch must have, at least 4.

    Returns:
        The test, or NaN with a reason: TOO_FEW, GAPPY (enough values, but no such stretch), CONSTANT, COLLINEAR
        (the columns of the regression depend on each other), or EXACT_FIT (residuals no larger than rounding).

    Raises:
        RequestError: for a negative number of lags, or an unknown criterion.

    Source: D. A. Dickey and W. A. Fuller, Journal of the American Statistical Association 74, 1979;
    S. E. Said and D. A. Dickey, Biometrika 71, 1984.

    >>> found = adf(np.sin(np.arange(100.0) ** 2))
    >>> found.lags, found.p < 0.01, found.reason
    (0, True, None)
    """
    most, criterion = criterion_of(lags)
    statistic, p, used, least, n, outcome = adf_test(floats(values), most, criterion, int(constant), max(4, fewest))
    return UnitRoot(statistic, p, used, least, n, _REASONS[outcome], 1 if constant else NO_CONSTANT)


def criterion_of(lags: Lags) -> tuple[int, int]:
    """A number of lags, -1 for Schwert's, and how it is meant.

    Raises:
        RequestError: for a negative number of lags, or an unknown criterion.
    """
    if lags == "aic":
        return -1, df.AIC
    if lags == "bic":
        return -1, df.BIC
    if not isinstance(lags, int) or lags < 0:
        raise RequestError(f"lags of {lags!r}", cure="use aic, bic, or a number from 0", code="bad_lags")
    return lags, df.FIXED


def reason_of(outcome: int) -> Reason | None:
    """Why a test gave no number, None when it did."""
    return _REASONS[outcome]


def unbroken(values: FloatArray, fewest: int) -> tuple[FloatArray, int, Reason | None]:
    """The longest stretch without a missing value, its length, and a reason when that is below `fewest`."""
    values = floats(values)
    first, end, present = longest_stretch(values, values)
    n = end - first
    if n < fewest:
        return values[first:end], n, Reason.GAPPY if present >= fewest else Reason.TOO_FEW
    return values[first:end], n, None


@kernel
def longest_stretch(y: FloatArray, x: FloatArray) -> tuple[int, int, int]:
    """Begin and end of the longest run, the newest among equals, where both are finite; and how many positions are."""
    if math.isfinite(_vanishing(y) + _vanishing(x)):
        return 0, len(y), len(y)
    best_first = best_end = first = present = 0
    for t in range(len(y)):
        if math.isfinite(y[t]) and math.isfinite(x[t]):
            present += 1
            if t + 1 - first >= best_end - best_first:
                best_first = first
                best_end = t + 1
        else:
            first = t + 1
    return best_first, best_end, present


@kernel
def centred(values: FloatArray) -> tuple[FloatArray, float, float]:
    """Values around their mean, their sum of squares (0 without movement), and their mean."""
    reference = values[0]
    mean = _total_above(values, reference) / len(values)
    around = np.empty(len(values))
    for t in range(len(values)):
        around[t] = values[t] - reference - mean
    squares = product_sum(around, around)
    if not moves(squares, len(values), reference + mean):
        squares = 0.0
    return around, squares, reference + mean


@reduction
def product_sum(a: FloatArray, b: FloatArray) -> float:
    """Σ a b."""
    total = 0.0
    for t in range(len(a)):
        total += a[t] * b[t]
    return total


@reduction
def _total_above(values: FloatArray, reference: float) -> float:
    total = 0.0
    for t in range(len(values)):
        total += values[t] - reference
    return total


@reduction
def _vanishing(values: FloatArray) -> float:
    """0 when all values are finite, else NaN."""
    total = 0.0
    for t in range(len(values)):
        total += 0.0 * values[t]
    return total


@kernel
def steps(level: FloatArray) -> FloatArray:
    """Differences between neighbours."""
    step = np.empty(len(level) - 1)
    for t in range(len(step)):
        step[t] = level[t + 1] - level[t]
    return step


@kernel
def adf_test(
    values: FloatArray, lags: int, criterion: int, constant: int, fewest: int
) -> tuple[float, float, int, float, int, int]:
    """Statistic, p, lags, criterion, values tested and outcome: the kernel of `adf`."""
    first, end, present = longest_stretch(values, values)
    n = end - first
    if n < fewest:
        return np.nan, np.nan, 0, np.nan, n, GAPPY if present >= fewest else df.TOO_FEW
    level, squares, mean = centred(values[first:end])
    if squares == 0.0:
        return np.nan, np.nan, 0, np.nan, n, df.CONSTANT
    grain = EPSILON * (abs(mean) + math.sqrt(squares / n))
    if constant == 0:
        level = values[first:end]
    if criterion != df.FIXED:
        lags = df.most_lags(n, constant)
    step = steps(values[first:end])  # of the level around its mean they would carry its rounding
    statistic, used, least, outcome = df.dickey_fuller(level, step, lags, constant, criterion, grain)
    return statistic, p_value(statistic, constant), used, least, n, outcome
