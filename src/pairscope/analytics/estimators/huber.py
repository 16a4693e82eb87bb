"""Huber's line through points: least squares that outliers cannot pull away, iterated until it stands still."""

from __future__ import annotations

import numpy as np

from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray

HUBER_K = 1.345  # 95 % as efficient as least squares when the noise is normal
_MAD_OF_NORMAL = 0.6744897501960817
_ITERATIONS = 500
_PAIRS_TRIED = 32  # of points, for a line that most lie on
_STEP = 1e-13  # of IRLS, in deviations of the residuals: where it stops


@kernel
def huber_line(
    p: FloatArray, q: FloatArray, least_squares: float, rounding: float, intercept: bool
) -> tuple[float, float, bool]:
    """The line p = shift + beta q: its beta, its shift, and whether it came to rest.

    The points are centred, or as they are for a line through zero, and none is missing. `least_squares` is the beta to
    start from, `rounding` how far a point that lies on the line may seem to lie from it. A line that more than half of
    the points lie on is the answer at once: the iteration would near it ever more slowly.
    """
    if intercept:
        beta, shift, at_rest = _line_of_most(p, q, rounding)
    else:
        beta, shift, at_rest = _ray_of_most(p, q, rounding)
    if not at_rest:
        beta, shift, at_rest = _reweighted(p, q, least_squares, rounding, intercept)
    return beta, shift, at_rest


@kernel
def _reweighted(
    p: FloatArray, q: FloatArray, beta: float, rounding: float, intercept: bool
) -> tuple[float, float, bool]:
    """Huber's line p = shift + beta q from the least-squares beta: through centred points, or through zero."""
    n = len(p)
    shift = 0.0
    absolute = np.empty(n)
    reach = 0.0
    for i in range(n):
        reach = max(reach, abs(q[i]))
    for _ in range(_ITERATIONS):
        for i in range(n):
            absolute[i] = abs(p[i] - shift - beta * q[i])
        scale = np.median(absolute) / _MAD_OF_NORMAL
        if scale <= rounding:
            return beta, shift, True
        total = total_p = total_q = 0.0
        limit = HUBER_K * scale
        for i in range(n):
            weight = 1.0 if absolute[i] <= limit else limit / absolute[i]
            absolute[i] = weight
            total += weight
            total_p += weight * p[i]
            total_q += weight * q[i]
        centre_p = total_p / total if intercept else 0.0
        centre_q = total_q / total if intercept else 0.0
        sqq = spq = 0.0
        for i in range(n):
            d = q[i] - centre_q
            sqq += absolute[i] * d * d
            spq += absolute[i] * d * (p[i] - centre_p)
        if not sqq > 0.0:
            return beta, shift, False
        new_beta = spq / sqq
        new_shift = centre_p - new_beta * centre_q
        step = abs(new_beta - beta) * reach + abs(new_shift - shift)
        beta = new_beta
        shift = new_shift
        if step <= _STEP * scale + rounding:
            return beta, shift, True
    return beta, shift, False


@kernel
def _line_of_most(p: FloatArray, q: FloatArray, rounding: float) -> tuple[float, float, bool]:
    """The line that more than half of the points lie on, but for rounding, and whether there is one.

    Through two points each, far apart in the series: where two thirds lie on a line, four of nine pairs do. A price
    that mostly stands still makes a line with any other point: a quarter of the points must be neither of both.
    """
    n = len(p)
    for k in range(_PAIRS_TRIED):
        one = (17 + 31 * k) % n
        other = (one + 1 + (n // 3 + 13 * k * k) % (n - 1)) % n
        run = q[other] - q[one]
        if run == 0.0:
            continue
        beta = (p[other] - p[one]) / run
        wide = rounding * (2.0 / abs(run))
        count = missed = votes = 0
        mean_p = mean_q = 0.0
        for i in range(n):
            away = q[i] - q[one]
            if abs(p[i] - p[one] - beta * away) <= rounding + wide * abs(away):
                count += 1
                votes += q[i] != q[one] and q[i] != q[other]
                mean_p += (p[i] - mean_p) / count
                mean_q += (q[i] - mean_q) / count
            else:
                missed += 1
                if 2 * missed >= n:
                    break
        if 2 * count <= n or 4 * votes < n:
            continue
        sqq = spq = 0.0
        for i in range(n):
            away = q[i] - q[one]
            if abs(p[i] - p[one] - beta * away) <= rounding + wide * abs(away):
                sqq += (q[i] - mean_q) * (q[i] - mean_q)
                spq += (q[i] - mean_q) * (p[i] - mean_p)
        beta = spq / sqq
        shift = mean_p - beta * mean_q
        on_it = 0
        for i in range(n):
            on_it += abs(p[i] - shift - beta * q[i]) <= rounding
        if 2 * on_it > n:
            return beta, shift, True
    return 0.0, 0.0, False


@kernel
def _ray_of_most(p: FloatArray, q: FloatArray, rounding: float) -> tuple[float, float, bool]:
    """`_line_of_most` through zero, where any one point but zero makes a line."""
    n = len(p)
    for k in range(_PAIRS_TRIED):
        one = (17 + 31 * k) % n
        if q[one] == 0.0:
            continue
        beta = p[one] / q[one]
        wide = rounding / abs(q[one])
        count = missed = 0
        sqq = spq = 0.0
        for i in range(n):
            if abs(p[i] - beta * q[i]) <= rounding + wide * abs(q[i]):
                count += 1
                sqq += q[i] * q[i]
                spq += q[i] * p[i]
            else:
                missed += 1
                if 2 * missed >= n:
                    break
        if 2 * count <= n:
            continue
        beta = spq / sqq
        on_it = 0
        for i in range(n):
            on_it += abs(p[i] - beta * q[i]) <= rounding
        if 2 * on_it > n:
            return beta, 0.0, True
    return 0.0, 0.0, False
