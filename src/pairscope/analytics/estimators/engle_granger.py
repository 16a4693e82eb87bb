"""The Engle-Granger test: does a spread of two series revert, or do they only happen to run side by side?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from pairscope.analytics.estimators.adf import (
    EPSILON,
    GAPPY,
    Lags,
    centred,
    criterion_of,
    longest_stretch,
    product_sum,
    reason_of,
    steps,
)
from pairscope.analytics.kernels import dickey_fuller as df
from pairscope.analytics.kernels.mackinnon import NO_CONSTANT_PAIR, Critical, critical_values, p_value
from pairscope.analytics.kernels.rolling import EXACT_FIT
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.jit import floats, integers, kernel
from pairscope.base.model import FloatArray, IntArray

Direction: TypeAlias = Literal["y_on_x", "x_on_y"]

FEWEST = 30
_UNITS = 8  # of rounding, up to which a spread is none
_PAIRS_AT_ONCE = 1024
_CONSTANT = 0  # a residual has none; kernels are given it, for a literal would have the regression compiled again
DIRECTIONS: Sequence[Direction] = ("y_on_x", "x_on_y")
_PAIR = 2  # MacKinnon's surface of two series, with a constant


class Cointegration(NamedTuple):
    """Outcome of an Engle-Granger test; the numbers are NaN when there is a reason."""

    statistic: float
    p: float
    lags: int
    criterion: float  # the least information criterion; NaN for a given number of lags
    beta: float  # slope of the regression in the direction that was kept
    direction: Direction
    n: int  # observations tested: the longest stretch without a gap
    reason: Reason | None
    intercept: bool = True

    @property
    def critical(self) -> Critical:
        """Critical values of one direction, for this number of observations; for long series without an intercept."""
        return critical_values(_PAIR if self.intercept else NO_CONSTANT_PAIR, self.n - 1)


@dataclass(frozen=True, slots=True)
class Cointegrations:
    """Outcomes of Engle-Granger tests of many pairs; ``[k]`` gives that of pair k."""

    statistic: FloatArray
    p: FloatArray
    lags: IntArray
    criterion: FloatArray
    beta: FloatArray
    direction: IntArray  # 0: y on x, 1: x on y
    n: IntArray
    outcome: IntArray  # 0: solved
    intercept: bool = True

    def __len__(self) -> int:
        return len(self.statistic)

    def __getitem__(self, pair: int) -> Cointegration:
        return Cointegration(
            float(self.statistic[pair]),
            float(self.p[pair]),
            int(self.lags[pair]),
            float(self.criterion[pair]),
            float(self.beta[pair]),
            DIRECTIONS[self.direction[pair]],
            int(self.n[pair]),
            reason_of(int(self.outcome[pair])),
            self.intercept,
        )


class Residual(NamedTuple):
    """What least squares leaves of y beside x, on the longest stretch without a gap; empty when there is a reason."""

    spread: FloatArray
    n: int
    reason: Reason | None


def engle_granger(
    y: FloatArray, x: FloatArray, *,
    lags: Lags = "aic", both: bool = True, fewest: int = FEWEST, intercept: bool = True,
) -> Cointegration:  # fmt: skip
    """`engle_granger_many` of one pair: the same kernel, the same bits.

    >>> x = np.cumsum(np.sin(np.arange(200.0) ** 2))
    >>> found = engle_granger(2 * x + np.cos(np.arange(200.0) ** 3), x)
    >>> found.direction, round(found.beta, 1), found.p < 0.001, found.reason
    ('y_on_x', 2.0, True, None)
    """
    if len(y) != len(x):
        raise RequestError(f"two series of {len(y)} and {len(x)} values", cure="give two series of one length")
    first, second = np.zeros(1, np.int64), np.ones(1, np.int64)
    series = np.array([y, x])
    return engle_granger_many(series, first, second, lags=lags, both=both, fewest=fewest, intercept=intercept)[0]


def engle_granger_many(
    series: FloatArray, y: IntArray, x: IntArray, *,
    lags: Lags = "aic", both: bool = True, fewest: int = FEWEST, intercept: bool = True, threads: int = 1,
) -> Cointegrations:  # fmt: skip
    r"""Engle-Granger tests that pairs of series are not cointegrated.

    Least squares with a constant gives the spread y - alpha - beta x; its augmented Dickey-Fuller statistic, without a
    constant, is compared with MacKinnon's surface of two series, for a fitted spread looks stationary more often than a
    given one. With ``both``, x on y is tested too; the smaller statistic is kept and its probability doubled
    (Bonferroni), at most 1.

    Without an intercept least squares gives y - beta x, and the surface is that of two series without a constant.
    MacKinnon made it of walks that begin at 0. Prices begin far from it, so that such a line passes near their means
    whatever they do, and the test differs little from that with an intercept.

    Args:
        series: one series a row, float64[series, n]; usually log prices.
        y: rows of the first of each pair, int64[pairs].
        x: rows of the second.
        lags: "aic", "bic", or the number itself; see `unitroot.adf`, as for missing values.
        both: whether to test x on y too.
        fewest: observations the longest stretch must have.
        intercept: whether the spread is y - alpha - beta x, or y - beta x.
        threads: how many to compute on; the result does not depend on it.

    Returns:
        The tests, or NaN with an outcome: TOO_FEW, GAPPY, CONSTANT, COLLINEAR, or EXACT_FIT (a spread below 1e-6 of
        the movement of the series explained, or of up to 8 rounding units of the series).

    Raises:
        RequestError: for pairs beyond the series, and as `unitroot.adf`.

    Source: R. F. Engle and C. W. J. Granger, Econometrica 55, 1987.
    """
    most, criterion = criterion_of(lags)
    _check_pairs(series, y, x)
    series, y, x = floats(series), integers(y), integers(x)
    numbers = np.full((4, len(y)), np.nan)
    counts = np.zeros((4, len(y)), np.int64)

    def run(begin: int) -> None:
        end = min(len(y), begin + _PAIRS_AT_ONCE)
        least_n = max(4, fewest)
        _test_pairs(series, y, x, begin, end, most, criterion, _CONSTANT, both, intercept, least_n, numbers, counts)

    _in_threads(run, range(0, len(y), _PAIRS_AT_ONCE), threads)
    statistic, p, least, beta = numbers
    used, direction, n, outcome = counts
    return Cointegrations(statistic, p, used, least, beta, direction, n, outcome, intercept)


def residual(y: FloatArray, x: FloatArray, fewest: int = FEWEST, intercept: bool = True) -> Residual:
    """The spread that `engle_granger` tests, of y on x.

    >>> x = np.arange(40.0)
    >>> found = residual(3 * x + np.where(x % 2 == 0, 1.0, -1.0), x)
    >>> found.n, bool(abs(found.spread.sum()) < 1e-9)
    (40, True)
    """
    spread, n, outcome = _residual(floats(y), floats(x), max(4, fewest), intercept)
    return Residual(spread, n, reason_of(outcome))


def _check_pairs(series: FloatArray, y: IntArray, x: IntArray) -> None:
    if series.ndim != 2 or len(y) != len(x):
        raise RequestError("pairs that do not match", cure="give one series a row, and as many y as x")
    for rows in (y, x):
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(series)):
            raise RequestError(f"a pair beyond the {len(series)} series", cure="number the series from 0")


def _in_threads(run: Callable[[int], None], begins: range, threads: int) -> None:
    if threads == 1 or len(begins) < 2:
        for begin in begins:
            run(begin)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="cointegration") as pool:
        for _ in pool.map(run, begins):
            pass


@kernel
def _test_pairs(
    series: FloatArray, y: IntArray, x: IntArray, begin: int, end: int,
    lags: int, criterion: int, constant: int, both: bool, intercept: bool, fewest: int,
    numbers: FloatArray, counts: IntArray,
) -> None:  # fmt: skip
    """Pairs begin ... end; the columns of `numbers` and `counts` receive what `Cointegrations` lists."""
    for k in range(begin, end):
        statistic, p, used, least, beta, direction, n, outcome = pair_test(
            series[y[k]], series[x[k]], lags, criterion, constant, both, intercept, fewest
        )
        numbers[0, k] = statistic
        numbers[1, k] = p
        numbers[2, k] = least
        numbers[3, k] = beta
        counts[0, k] = used
        counts[1, k] = direction
        counts[2, k] = n
        counts[3, k] = outcome


@kernel
def pair_test(
    y: FloatArray, x: FloatArray, lags: int, criterion: int, constant: int, both: bool, intercept: bool, fewest: int
) -> tuple[float, float, int, float, float, int, int, int]:
    """Statistic, p, lags, criterion, beta, direction, observations and outcome: the one way a pair is ever tested."""
    y_around, x_around, syy, sxx, sxy, y_mean, x_mean, grain, unit, n, outcome = _around(y, x, fewest, intercept)
    if outcome != df.SOLVED:
        return np.nan, np.nan, 0, np.nan, np.nan, 0, n, outcome
    most = df.most_lags(n, constant) if criterion != df.FIXED else lags
    direction = 0
    best = _test_spread(
        y_around, x_around, syy, sxx, sxy, y_mean, x_mean, most, criterion, constant, grain, unit, intercept
    )
    if both:
        other = _test_spread(
            x_around, y_around, sxx, syy, sxy, x_mean, y_mean, most, criterion, constant, grain, unit, intercept
        )
        if other[4] == df.SOLVED and not best[0] <= other[0]:
            best = other
            direction = 1
    if best[4] != df.SOLVED:
        return np.nan, np.nan, 0, np.nan, np.nan, direction, n, best[4]
    surface = _PAIR if intercept else NO_CONSTANT_PAIR
    p = min(1.0, p_value(best[0], surface) * (2.0 if both else 1.0))
    return best[0], p, best[1], best[2], best[3], direction, n, df.SOLVED


@kernel
def _around(
    y: FloatArray, x: FloatArray, fewest: int, intercept: bool
) -> tuple[FloatArray, FloatArray, float, float, float, float, float, float, float, int, int]:
    """Both series around their means on the longest stretch, their products, their means, their rounding together and
    that of the larger, its length, an outcome. With an intercept no line needs the means: they are given as 0."""
    first, end, present = longest_stretch(y, x)
    n = end - first
    if n < fewest:
        return y, x, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, n, GAPPY if present >= fewest else df.TOO_FEW
    y_around, syy, y_mean = centred(y[first:end])
    x_around, sxx, x_mean = centred(x[first:end])
    if syy == 0.0 or sxx == 0.0:
        return y, x, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, n, df.CONSTANT
    y_grain = EPSILON * (abs(y_mean) / math.sqrt(syy) + math.sqrt(1.0 / n))
    x_grain = EPSILON * (abs(x_mean) / math.sqrt(sxx) + math.sqrt(1.0 / n))
    sxy = product_sum(y_around, x_around)
    grain, unit = y_grain + x_grain, max(y_grain, x_grain)
    if intercept:
        y_mean = x_mean = 0.0
    return y_around, x_around, syy, sxx, sxy, y_mean, x_mean, grain, unit, n, df.SOLVED


@kernel
def _test_spread(
    y: FloatArray, x: FloatArray, syy: float, sxx: float, sxy: float, y_mean: float, x_mean: float,
    lags: int, criterion: int, constant: int, grain: float, unit: float, intercept: bool,
) -> tuple[float, int, float, float, int]:  # fmt: skip
    """Statistic, lags, criterion, beta and outcome of y on x."""
    beta, spread = _beside(y, x, sxx, sxy, y_mean, x_mean, intercept)
    if _is_exact(spread, syy, unit):
        return np.nan, 0, np.nan, beta, df.EXACT_FIT
    rounding = grain * math.sqrt(syy)
    statistic, used, least, outcome = df.dickey_fuller(spread, steps(spread), lags, constant, criterion, rounding)
    return statistic, used, least, beta, outcome


@kernel
def _is_exact(spread: FloatArray, syy: float, unit: float) -> bool:
    """Whether a spread is rounding; ``unit`` is one unit of it, in units of the root of syy."""
    return product_sum(spread, spread) <= max(EXACT_FIT, len(spread) * (_UNITS * unit) ** 2) * syy


@kernel
def _beside(
    y: FloatArray, x: FloatArray, sxx: float, sxy: float, y_mean: float, x_mean: float, intercept: bool
) -> tuple[float, FloatArray]:
    """Beta and the spread of series around their means: around 0 with an intercept, else y - beta x as it is."""
    spread = np.empty(len(y))
    if intercept:
        beta = sxy / sxx
        for t in range(len(y)):
            spread[t] = y[t] - beta * x[t]
        return beta, spread
    n = len(y)
    beta = (sxy + n * y_mean * x_mean) / (sxx + n * x_mean * x_mean)
    shift = y_mean - beta * x_mean
    for t in range(n):
        spread[t] = y[t] - beta * x[t] + shift
    return beta, spread


@kernel
def _residual(y: FloatArray, x: FloatArray, fewest: int, intercept: bool) -> tuple[FloatArray, int, int]:
    y_around, x_around, syy, sxx, sxy, y_mean, x_mean, _, unit, n, outcome = _around(y, x, fewest, intercept)
    if outcome != df.SOLVED:
        return np.empty(0), n, outcome
    _, spread = _beside(y_around, x_around, sxx, sxy, y_mean, x_mean, intercept)
    if _is_exact(spread, syy, unit):
        return np.empty(0), n, df.EXACT_FIT
    return spread, n, outcome
