"""The regression of the augmented Dickey-Fuller test, with its number of lags chosen by an information criterion.

Everything is solved from the products of lagged differences. They need one long dot product a lag: the others follow
from them along the diagonals, by the terms that enter and leave at the ends. One Cholesky factor with the columns in
the order (level, lag 1 ... lag p, difference) holds the residual sum of squares of every number of lags at once; a second,
smaller one solves the chosen regression on all rows it can use. Where a pivot shows that these normal
equations lose more than seven digits, the same is done by Householder reflections.
"""

from __future__ import annotations

import math

import numpy as np

from pairscope.analytics.least_squares import centre, reflect, squares_from
from pairscope.base.kernel import kernel, reduction
from pairscope.base.model import FloatArray

# How the number of lags is found.
FIXED = 0
AIC = 1
BIC = 2

# What became of a regression.
SOLVED = 0
TOO_FEW = 1
CONSTANT = 2
COLLINEAR = 3
EXACT_FIT = 4

_PIVOT = 1e-7
_EXACT = 1e-24  # of a sum of squares: rounding of the values themselves


@kernel
def most_lags(n: int, constant: int) -> int:
    """Schwert's 12 (n / 100)^(1/4), rounded up, or what n observations leave room for; negative when too few.

    Source: G. W. Schwert, Journal of Business & Economic Statistics 7, 1989.
    """
    return min(n // 2 - constant - 1, math.ceil(12.0 * math.sqrt(math.sqrt(n / 100.0))))


@kernel
def dickey_fuller(
    level: FloatArray, step: FloatArray, lags: int, constant: int, criterion: int
) -> tuple[float, int, float, int]:
    """t of the level in the regression of a series' steps on its level and its lagged steps.

    Args:
        level: the series, float64[n]; near its mean when there is a constant.
        step: its differences, float64[n - 1].
        lags: of the regression when `criterion` is FIXED, else the most to try.
        constant: 1 with a constant, 0 without.
        criterion: FIXED, AIC or BIC.

    Returns:
        The statistic (NaN unless solved), the number of lags, the least criterion (NaN when FIXED), and what became
        of it: SOLVED, TOO_FEW, COLLINEAR or EXACT_FIT.
    """
    if lags < 0 or len(step) - 2 * lags - 1 - constant < 1:
        return np.nan, 0, np.nan, TOO_FEW
    statistic, chosen, least, solved = _by_products(level, step, lags, constant, criterion)
    if solved:
        return statistic, chosen, least, SOLVED
    return _by_reflections(level, step, lags, constant, criterion)


@kernel
def _by_products(
    level: FloatArray, step: FloatArray, lags: int, constant: int, criterion: int
) -> tuple[float, int, float, bool]:
    products = np.empty(lags + 1)
    _lagged_products(step, lags, products)
    total, squares, crossing = _level_sums(level[lags : len(step)], step[lags:])
    gram = np.empty((lags + 2, lags + 2))
    chosen = lags
    least = np.nan
    if criterion != FIXED:
        _fill(gram, level, step, products, total, squares, crossing, lags, 0, constant)
        difference = gram[lags + 1, lags + 1]
        if not _factorise(gram, lags + 2):
            return np.nan, 0, np.nan, False
        chosen, least = _best_lags(gram[:, lags + 1], difference, lags, len(step) - lags, constant, criterion)
        for t in range(chosen, lags):  # the rows that fewer lags leave room for
            for k in range(chosen + 1):
                products[k] += step[t] * step[t - k]
            total += level[t]
            squares += level[t] * level[t]
            crossing += level[t] * step[t]
    _fill(gram, level, step, products, total, squares, crossing, chosen, chosen, constant)
    if not _factorise(gram, chosen + 2):
        return np.nan, 0, np.nan, False
    freedom = len(step) - 2 * chosen - 1 - constant
    return gram[chosen, chosen + 1] / gram[chosen + 1, chosen + 1] * math.sqrt(freedom), chosen, least, True


@reduction
def _lagged_products(step: FloatArray, lags: int, products: FloatArray) -> None:
    """Sums of step[t] step[t - k] over t >= lags, for k = 0 ... lags; four at a time, to read step[t] once for all."""
    count = len(step) - lags
    now = step[lags:]
    k = 0
    while k + 3 <= lags:
        first = step[lags - k : lags - k + count]
        second = step[lags - k - 1 : lags - k - 1 + count]
        third = step[lags - k - 2 : lags - k - 2 + count]
        fourth = step[lags - k - 3 : lags - k - 3 + count]
        a = b = c = d = 0.0
        for t in range(count):
            a += now[t] * first[t]
            b += now[t] * second[t]
            c += now[t] * third[t]
            d += now[t] * fourth[t]
        products[k] = a
        products[k + 1] = b
        products[k + 2] = c
        products[k + 3] = d
        k += 4
    while k <= lags:
        before = step[lags - k : lags - k + count]
        a = 0.0
        for t in range(count):
            a += now[t] * before[t]
        products[k] = a
        k += 1


@reduction
def _level_sums(level: FloatArray, step: FloatArray) -> tuple[float, float, float]:
    """Σ level, Σ level², Σ level step."""
    total = squares = crossing = 0.0
    for t in range(len(level)):
        total += level[t]
        squares += level[t] * level[t]
        crossing += level[t] * step[t]
    return total, squares, crossing


@kernel
def _fill(
    gram: FloatArray, level: FloatArray, step: FloatArray, products: FloatArray,
    total: float, squares: float, crossing: float, lags: int, place: int, constant: int,
) -> None:  # fmt: skip
    """Upper triangle of the products of (lag 1 ... lag p, difference) over rows t >= lags, the level at `place`."""
    n = len(step)
    last = lags + 1
    shift = 1 if place == 0 else 0
    share = constant / (n - lags)  # what centring takes; a sum of steps is a difference of levels
    whole = level[n] - level[lags]
    gram[place, place] = squares - total * total * share
    gram[place, last] = crossing - total * whole * share
    gram[last, last] = products[0] - whole * whole * share
    for i in range(1, lags + 1):
        row = i - 1 + shift
        sum_i = level[n - i] - level[lags - i]
        crossing += products[i - 1] + level[lags] * step[lags - i] - level[n] * step[n - i]
        gram[min(row, place), max(row, place)] = crossing - total * sum_i * share
        gram[row, last] = products[i] - whole * sum_i * share
        raw = products[0] if i == 1 else 0.0
        for j in range(i, lags + 1):
            if i == 1:
                raw = products[j - 1]
            else:
                sum_before = (level[n - i + 1] - level[lags - i + 1]) * (level[n - j + 1] - level[lags - j + 1])
                raw = gram[row - 1, j - 2 + shift] + sum_before * share
            raw += step[lags - i] * step[lags - j] - step[n - i] * step[n - j]
            gram[row, j - 1 + shift] = raw - sum_i * (level[n - j] - level[lags - j]) * share
