"""The regression of the augmented Dickey-Fuller test, with its number of lags chosen by an information criterion.

Everything is solved from the products of lagged steps. They need one long dot product a lag: the others follow from
them along the diagonals, by the terms that enter and leave at the ends. One Cholesky factor with the columns in the
order (level, lag 1 ... lag p, step) holds the residual sum of squares of every number of lags at once; a second one,
smaller, solves the chosen regression on all rows it can use. Where a pivot shows that these normal equations lose more
than six digits, the same is done by Householder reflections.
"""

from __future__ import annotations

import math

import numpy as np

from pairscope.analytics.kernels.least_squares import centre, reflect, squares_from
from pairscope.base.jit import kernel, reduction
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

# A pivot below this share of the products it is made from leaves too few digits for the normal equations.
_PIVOT = 1e-6


@kernel
def most_lags(n: int, constant: int) -> int:
    """Schwert's 12 (n / 100)^(1/4), rounded up, or what n observations leave room for; negative when too few.

    Source: G. W. Schwert, Journal of Business & Economic Statistics 7, 1989.
    """
    return min(n // 2 - constant - 1, math.ceil(12.0 * math.sqrt(math.sqrt(n / 100.0))))


@kernel
def dickey_fuller(
    level: FloatArray, step: FloatArray, lags: int, constant: int, criterion: int, grain: float
) -> tuple[float, int, float, int]:
    """t of the level in the regression of a series' steps on its level and its lagged steps.

    Args:
        level: the series, float64[n]; near its mean when there is a constant.
        step: its differences, float64[n - 1].
        lags: of the regression when `criterion` is FIXED, else the most to try.
        constant: 1 with a constant, 0 without.
        criterion: FIXED, AIC or BIC.
        grain: size of the rounding in the values; residuals no larger are an exact fit.

    Returns:
        The statistic (NaN unless solved), the number of lags, the least criterion (NaN when FIXED), and what became
        of it: SOLVED, TOO_FEW, COLLINEAR or EXACT_FIT.
    """
    if lags < 0 or len(step) - 2 * lags - 1 - constant < 1:
        return np.nan, 0, np.nan, TOO_FEW
    statistic, chosen, least, outcome = _by_products(level, step, lags, constant, criterion, grain)
    if outcome == COLLINEAR:
        statistic, chosen, least, outcome = _by_reflections(level, step, lags, constant, criterion, grain)
    return statistic, chosen, least, outcome


@kernel
def _by_products(
    level: FloatArray, step: FloatArray, lags: int, constant: int, criterion: int, grain: float
) -> tuple[float, int, float, int]:
    n = len(step)
    products = np.empty(lags + 1)
    _lagged_products(step, lags, products)
    total, squares, crossing = _level_sums(level[lags:n], step[lags:])
    gram = np.empty((lags + 2, lags + 2))
    sums = np.empty(lags + 2)
    chosen = lags
    least = np.nan
    if criterion != FIXED:
        _fill(gram, sums, level, step, products, total, squares, crossing, lags, True)
        _centre_gram(gram, sums, lags + 2, n - lags, constant)
        if not _factorise(gram, sums, lags + 2):
            return np.nan, 0, np.nan, COLLINEAR
        chosen, least = _best_lags(
            gram[:, lags + 1], gram[lags + 1, lags + 1] ** 2, lags, n - lags, constant, criterion
        )
        for t in range(chosen, lags):  # the rows that fewer lags leave room for
            for k in range(chosen + 1):
                products[k] += step[t] * step[t - k]
            total += level[t]
            squares += level[t] * level[t]
            crossing += level[t] * step[t]
    _fill(gram, sums, level, step, products, total, squares, crossing, chosen, False)
    _centre_gram(gram, sums, chosen + 2, n - chosen, constant)
    if not _factorise(gram, sums, chosen + 2):
        return np.nan, 0, np.nan, COLLINEAR
    residual = gram[chosen + 1, chosen + 1]
    if residual <= grain * math.sqrt(n - chosen):
        return np.nan, chosen, np.nan, EXACT_FIT
    freedom = n - 2 * chosen - 1 - constant
    return gram[chosen, chosen + 1] / residual * math.sqrt(freedom), chosen, least, SOLVED


@reduction
def _lagged_products(step: FloatArray, lags: int, products: FloatArray) -> None:
    """Sums of step[t] step[t - k] over t >= lags, for k = 0 ... lags; four at a time, to read step[t] once for all."""
    count = len(step) - lags
    now = step[lags:]
    k = 0
    while k + 3 <= lags:
        first = step[lags - k :]
        second = step[lags - k - 1 :]
        third = step[lags - k - 2 :]
        fourth = step[lags - k - 3 :]
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
        before = step[lags - k :]
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
    gram: FloatArray, sums: FloatArray, level: FloatArray, step: FloatArray, products: FloatArray,
    total: float, squares: float, crossing: float, lags: int, level_first: bool,
) -> None:  # fmt: skip
    """Upper triangle of the products of (lag 1 ... lag p, step) over rows t >= lags, the level before or after them.

    ``sums`` receives the sum of each column; a sum of steps is a difference of levels.
    """
    n = len(step)
    last = lags + 1
    place = 0 if level_first else lags
    shift = 1 if level_first else 0
    sums[place] = total
    sums[last] = level[n] - level[lags]
    gram[place, place] = squares
    gram[place, last] = crossing
    gram[last, last] = products[0]
    for i in range(1, lags + 1):
        row = i - 1 + shift
        sums[row] = level[n - i] - level[lags - i]
        gram[row, last] = products[i]
        crossing += products[i - 1] + level[lags] * step[lags - i] - level[n] * step[n - i]
        if level_first:
            gram[place, row] = crossing
        else:
            gram[row, place] = crossing
        entering = step[lags - i]
        leaving = step[n - i]
        for j in range(i, lags + 1):
            before = products[j - 1] if i == 1 else gram[row - 1, j - 2 + shift]
            gram[row, j - 1 + shift] = before + entering * step[lags - j] - leaving * step[n - j]


@kernel
def _centre_gram(gram: FloatArray, sums: FloatArray, count: int, rows: int, constant: int) -> None:
    """Turn products into products around the means when the regression has a constant.

    ``sums`` is then overwritten with the smallest pivot of each column that keeps enough digits.
    """
    for i in range(count):
        smallest = _PIVOT * gram[i, i]
        if constant == 1:
            mean = sums[i] / rows
            for j in range(i, count):
                gram[i, j] -= mean * sums[j]
        sums[i] = smallest


@kernel
def _factorise(gram: FloatArray, smallest: FloatArray, count: int) -> bool:
    """Cholesky factor R of R'R = gram in its upper triangle, in place; false when a pivot is too small."""
    for j in range(count):
        row = gram[j]
        i = 0
        while i + 4 <= j:  # four rows at a time, to write this one less often
            a, b, c, d = gram[i], gram[i + 1], gram[i + 2], gram[i + 3]
            a_j, b_j, c_j, d_j = a[j], b[j], c[j], d[j]
            for k in range(j, count):
                row[k] -= (a_j * a[k] + b_j * b[k]) + (c_j * c[k] + d_j * d[k])
            i += 4
        while i < j:
            a = gram[i]
            a_j = a[j]
            for k in range(j, count):
                row[k] -= a_j * a[k]
            i += 1
        if not row[j] > smallest[j]:
            return False
        pivot = math.sqrt(row[j])
        row[j] = pivot
        inverse = 1.0 / pivot
        for k in range(j + 1, count):
            row[k] *= inverse
    return True


@kernel
def _best_lags(
    explained: FloatArray, residual: float, lags: int, rows: int, constant: int, criterion: int
) -> tuple[int, float]:
    """The number of lags of the least information criterion, the fewest among equals, and that criterion.

    ``residual`` is the sum of squares left by all lags; ``explained[k]`` squared is what lag k takes from it.
    """
    penalty = 2.0 if criterion == AIC else math.log(rows)
    best = lags
    least = np.inf
    for k in range(lags, -1, -1):
        value = rows * (math.log(2.0 * math.pi * residual / rows) + 1.0) + penalty * (k + 1 + constant)
        if value <= least:
            best = k
            least = value
        residual += explained[k] * explained[k]
    return best, least


@kernel
def _by_reflections(
    level: FloatArray, step: FloatArray, lags: int, constant: int, criterion: int, grain: float
) -> tuple[float, int, float, int]:
    n = len(step)
    chosen = lags
    least = np.nan
    if criterion != FIXED:
        columns = _design(level, step, lags, True, constant)
        if not reflect(columns, lags + 1):
            return np.nan, 0, np.nan, COLLINEAR
        turned = columns[lags + 1]
        chosen, least = _best_lags(turned, squares_from(turned, lags + 1), lags, n - lags, constant, criterion)
    columns = _design(level, step, chosen, False, constant)
    if not reflect(columns, chosen + 1):
        return np.nan, chosen, np.nan, COLLINEAR
    residual = math.sqrt(squares_from(columns[chosen + 1], chosen + 1))
    if residual <= grain * math.sqrt(n - chosen):
        return np.nan, chosen, np.nan, EXACT_FIT
    freedom = n - 2 * chosen - 1 - constant
    signed = math.copysign(columns[chosen + 1, chosen], columns[chosen + 1, chosen] * columns[chosen, chosen])
    return signed / residual * math.sqrt(freedom), chosen, least, SOLVED


@kernel
def _design(level: FloatArray, step: FloatArray, lags: int, level_first: bool, constant: int) -> FloatArray:
    """The columns (lag 1 ... lag p, step) over rows t >= lags, the level before or after them."""
    rows = len(step) - lags
    columns = np.empty((lags + 2, rows))
    for t in range(rows):
        columns[0 if level_first else lags, t] = level[lags + t]
        columns[lags + 1, t] = step[lags + t]
        for i in range(1, lags + 1):
            columns[i if level_first else i - 1, t] = step[lags + t - i]
    if constant == 1:
        centre(columns)
    return columns
