"""Moments over a moving window: hedge ratio, spread, z and correlation of two series, mean and z of one.

Sums are anchored on the absolute index of a bar. The axis of bars is cut into blocks of ``window`` bars at the
multiples of ``window``; a window that ends at t holds exactly one such cut, and its sums are those from the cut back
to its beginning joined with those from the cut on to t. Nothing is ever subtracted, so nothing drifts, and what is
summed in which order depends on the window alone: its values give the very bits that the whole history gives.

Sums are taken of differences to a value next to the cut, and joined by the formula of Chan, Golub and LeVeque
("Algorithms for computing the sample variance", The American Statistician 37, 1983), never as E[x²] - E[x]².
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pairscope.base.errors import RequestError
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray, IntArray

# A deviation of a few units in the last place of the mean is rounding, not movement.
_CONSTANT = 4 * 2.220446049250313e-16
# A residual variance below this share of the variance of y is rounding: the fit is exact.
EXACT_FIT = 1e-12
# Deviations of residuals up to so much of the larger series are rounding too.
ROUNDING = 8 * 2.220446049250313e-16

# n, then reference, Σp and Σp² of y, then the same of x, then Σpq; p and q are differences to the references.
PairSums: TypeAlias = tuple[float, float, float, float, float, float, float, float]
# n, reference, Σp, Σp².
Sums: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class RollingPair:
    """y regressed on x over the window that ends at each position; NaN where a number cannot be given."""

    beta: FloatArray
    alpha: FloatArray
    spread: FloatArray
    spread_std: FloatArray
    spread_z: FloatArray
    correlation: FloatArray
    n: IntArray  # positions of the window where both values are present


@dataclass(frozen=True, slots=True)
class RollingMoments:
    """Mean, deviation and z over the window that ends at each position; NaN where a number cannot be given."""

    mean: FloatArray
    std: FloatArray
    z: FloatArray
    n: IntArray  # positions of the window where the value is present


def rolling_pair(y: FloatArray, x: FloatArray, window: int, first_index: int) -> RollingPair:
    r"""Ordinary least squares of y on x over each past window, and what follows from it.

    With sums S over the n present positions of the window that ends at t::

        beta = Sxy / Sxx            alpha = mean(y) - beta mean(x)
        spread_t = (y_t - mean(y)) - beta (x_t - mean(x))
        spread_std = sqrt((Syy - beta Sxy) / (n - 1))
        spread_z = spread_t / spread_std      correlation = Sxy / sqrt(Sxx Syy)

    The mean of the residuals is zero, so z needs no centring. Units are those of y (beta: y per x).

    A position where y or x is not finite is skipped. Values are given at t >= window - 1 when at least half of the
    window is present, else they are NaN. All but ``n`` are NaN where x does not move in the window; the correlation
    also where y does not; the spread and its z where the position itself is missing; spread_z also where the line fits
    exactly: a residual variance below 1e-12 of that of y counts as zero, and so does a deviation of residuals of up to
    8 rounding units of the larger of y and beta x.

    Args:
        y: the series explained, float64[n].
        x: the series that explains, float64[n].
        window: bars in a window, at least 2.
        first_index: absolute index of position 0: open_time_ms // interval_ms of its bar.

    Raises:
        RequestError: for a window below 2, or series of different lengths.

    >>> y, x = np.array([1.0, 3.0, 4.0, 8.0]), np.array([0.0, 1.0, 2.0, 3.0])
    >>> rolled = rolling_pair(y, x, window=4, first_index=0)
    >>> round(float(rolled.beta[-1]), 12), round(float(rolled.alpha[-1]), 12), rolled.n.tolist()
    (2.2, 0.7, [0, 0, 0, 4])
    """
    _check_pair(y, x, window)
    out = np.full((6, len(y)), np.nan)
    n = np.zeros(len(y), np.int64)
    _roll_pair(floats(y), floats(x), window, first_index, out, n)
    beta, alpha, spread, spread_std, spread_z, correlation = out
    return RollingPair(beta, alpha, spread, spread_std, spread_z, correlation, n)


def last_pair(
    y: FloatArray, x: FloatArray, window: int, first_index: int
) -> tuple[int, float, float, float, float, float, float]:
    """The last position of `rolling_pair` alone, by the same kernel: ``(n, beta, alpha, ... correlation)``.

    >>> n, beta, *_ = last_pair(np.array([1.0, 3.0, 4.0, 8.0]), np.arange(4.0), window=4, first_index=0)
    >>> n, round(beta, 12)
    (4, 2.2)
    """
    _check_pair(y, x, window)
    return _last_pair(floats(y), floats(x), window, first_index)


def rolling_moments(values: FloatArray, window: int, first_index: int) -> RollingMoments:
    """Mean, sample deviation and z = (value - mean) / deviation over each past window.

    A value that is not finite is skipped. Numbers are given at t >= window - 1 when at least half of the window is
    present, else they are NaN. In a window without movement std is 0 and z is NaN. Arguments and errors are those of
    `rolling_pair`.

    >>> rolled = rolling_moments(np.array([1.0, 2.0, 3.0, 4.0]), window=3, first_index=0)
    >>> rolled.mean.tolist(), rolled.std.tolist(), rolled.z.tolist()
    ([nan, nan, 2.0, 3.0], [nan, nan, 1.0, 1.0], [nan, nan, 1.0, 1.0])
    """
    _check_window(window)
    out = np.full((3, len(values)), np.nan)
    n = np.zeros(len(values), np.int64)
    _roll_moments(floats(values), window, first_index, out, n)
    mean, std, z = out
    return RollingMoments(mean, std, z, n)


def _check_pair(y: FloatArray, x: FloatArray, window: int) -> None:
    _check_window(window)
    if len(y) != len(x):
        raise RequestError(f"two series of {len(y)} and {len(x)} values", cure="give two series of one length")


def _check_window(window: int) -> None:
    if window < 2:
        raise RequestError(f"a window of {window} bars has no deviation", cure="use at least 2 bars", code="bad_window")


@kernel
def _roll_pair(y: FloatArray, x: FloatArray, window: int, first_index: int, out: FloatArray, n: IntArray) -> None:
    inverses = inverses_up_to(window)
    sides = sides_of(window)  # of the positions of a block
    for cut in range(-first_index % window, len(y), window):
        end = min(cut + window, len(y))
        if end < window:
            continue
        sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        _keep(sides, 0, window - 1, sums)
        for back in range(1, min(window, cut + 1)):
            sums = _add_pair(sums, y[cut - back], x[cut - back])
            _keep(sides, 0, window - 1 - back, sums)
        sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        for t in range(cut, end):
            sums = _add_pair(sums, y[t], x[t])
            _keep(sides, 1, t - cut, sums)
        first = max(cut, window - 1)
        _solve_pairs(
            sides, first - cut, end - cut, inverses, y[cut:end], x[cut:end], window, out[:, cut:end], n[cut:end]
        )


@kernel
def _last_pair(
    y: FloatArray, x: FloatArray, window: int, first_index: int
) -> tuple[int, float, float, float, float, float, float]:
    out = np.full((6, 1), np.nan)
    n = np.zeros(1, np.int64)
    write_last_pair(y, x, window, first_index, inverses_up_to(window), sides_of(1), out, n)
    return n[0], out[0, 0], out[1, 0], out[2, 0], out[3, 0], out[4, 0], out[5, 0]


@kernel
def write_last_pair(
    y: FloatArray, x: FloatArray, window: int, first_index: int, inverses: FloatArray, sides: FloatArray,
    out: FloatArray, n: IntArray,
) -> None:  # fmt: skip
    """The last position of `rolling_pair` into a column of NaNs; the sums are those of `_roll_pair`, in its order.

    ``inverses`` and ``sides`` are made by `inverses_up_to` of the window and `sides_of` of one.
    """
    t = len(y) - 1
    if t < window - 1:
        return
    cut = t - (first_index + t) % window
    sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(cut - 1, t - window, -1):
        sums = _add_pair(sums, y[i], x[i])
    _keep(sides, 0, 0, sums)
    sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(cut, t + 1):
        sums = _add_pair(sums, y[i], x[i])
    _keep(sides, 1, 0, sums)
    end = sides.shape[2]  # 1, but given as a literal it would have the loop compiled again
    _solve_pairs(sides, end - 1, end, inverses, y[t:], x[t:], window, out, n)


@kernel
def sides_of(count: int) -> FloatArray:
    """Room for `PairSums` before and after a cut, for so many windows."""
    return np.zeros((2, 8, count))


@kernel
def inverses_up_to(window: int) -> FloatArray:
    """1 / n, and 0 for 0: divisions are what the loop over positions would wait for."""
    inverses = np.zeros(window + 1)
    for n in range(1, window + 1):
        inverses[n] = 1.0 / n
    return inverses


@kernel
def _keep(sides: FloatArray, side: int, place: int, sums: PairSums) -> None:
    for k in range(8):
        sides[side, k, place] = sums[k]


@kernel
def _add_pair(sums: PairSums, y: float, x: float) -> PairSums:
    if not (math.isfinite(y) and math.isfinite(x)):
        return sums
    n, reference_y, y1, y2, reference_x, x1, x2, yx = sums
    if n == 0.0:
        reference_y = y
        reference_x = x
    p = y - reference_y
    q = x - reference_x
    return n + 1.0, reference_y, y1 + p, y2 + p * p, reference_x, x1 + q, x2 + q * q, yx + p * q


@kernel
def _solve_pairs(
    sides: FloatArray, first: int, end: int, inverses: FloatArray,
    y: FloatArray, x: FloatArray, window: int, out: FloatArray, counts: IntArray,
) -> None:  # fmt: skip
    """Join the sums on both sides of the cut and solve, for positions of a block; writes the fields of `RollingPair`.

    One loop for a whole block and for a single position: called for each position it would be half as fast.
    """
    before, after = sides[0], sides[1]
    for t in range(first, end):
        n_before, n_after = before[0, t], after[0, t]
        n = n_before + n_after
        counts[t] = int(n)
        if 2 * n < window:
            continue
        per_before, per_after = inverses[int(n_before)], inverses[int(n_after)]
        share = n_before * inverses[int(n)]
        weights = (per_before, per_after, share, share * n_after)
        reference_y, mean_y, syy, step_y = _join(
            before[1, t], before[2, t], before[3, t], after[1, t], after[2, t], after[3, t], weights
        )
        reference_x, mean_x, sxx, step_x = _join(
            before[4, t], before[5, t], before[6, t], after[4, t], after[5, t], after[6, t], weights
        )
        if not moves(sxx, n, reference_x + mean_x):
            continue
        beta = 0.0
        residual = 0.0
        if moves(syy, n, reference_y + mean_y):
            sxy = before[7, t] - before[2, t] * before[5, t] * per_before
            sxy += after[7, t] - after[2, t] * after[5, t] * per_after
            sxy += step_y * step_x * weights[3]
            beta = sxy / sxx
            residual = syy - beta * sxy
            if is_exact(residual, n, syy, reference_y + mean_y, beta * (reference_x + mean_x)):
                residual = 0.0
            out[5, t] = min(1.0, max(-1.0, sxy / (math.sqrt(sxx) * math.sqrt(syy))))
        spread_std = math.sqrt(residual * inverses[int(n) - 1])
        out[0, t] = beta
        out[1, t] = (reference_y + mean_y) - beta * (reference_x + mean_x)
        out[3, t] = spread_std
        if math.isfinite(y[t]) and math.isfinite(x[t]):
            spread = (y[t] - reference_y - mean_y) - beta * (x[t] - reference_x - mean_x)
            out[2, t] = spread
            if spread_std > 0.0:
                out[4, t] = spread / spread_std


@kernel
def _weights(n_before: float, n_after: float) -> tuple[tuple[float, float, float, float], float]:
    """What `_join` weighs the two sides with, and n. Divisions are what the loop waits for: these three serve all."""
    n = n_before + n_after
    per_before = 1.0 / n_before if n_before > 0.0 else 0.0
    per_after = 1.0 / n_after if n_after > 0.0 else 0.0
    share = n_before / n if n > 0.0 else 0.0
    return (per_before, per_after, share, share * n_after), n


@kernel
def _join(
    reference_before: float, sum_before: float, squares_before: float,
    reference_after: float, sum_after: float, squares_after: float,
    weights: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:  # fmt: skip
    """A reference, the mean relative to it, the centred sum of squares, and the step between the means of both sides.

    Weights: 1 / n before, 1 / n after (0 for an empty side), n before / n, n before times n after / n.
    """
    per_before, per_after, share, weight = weights
    mean_before = sum_before * per_before
    mean_after = sum_after * per_after
    centred = max(0.0, squares_before - sum_before * mean_before) + max(0.0, squares_after - sum_after * mean_after)
    if weight == 0.0 and share > 0.0:  # nothing after the cut
        return reference_before, mean_before, centred, 0.0
    if weight == 0.0:
        return reference_after, mean_after, centred, 0.0
    step = (reference_before - reference_after) + (mean_before - mean_after)
    return reference_after, mean_after + step * share, centred + step * step * weight, step


@kernel
def moves(squares: float, n: float, mean: float) -> bool:
    """Whether a centred sum of squares is more than rounding around the mean."""
    return squares > n * (_CONSTANT * mean) ** 2


@kernel
def is_exact(residual: float, n: float, syy: float, level_y: float, level_x: float) -> bool:
    """Whether a sum of squared residuals is no more than rounding, for series whose levels are y and beta x."""
    unit = ROUNDING * max(abs(level_y), abs(level_x))
    return residual <= max(EXACT_FIT * syy, n * unit * unit)


@kernel
def _roll_moments(values: FloatArray, window: int, first_index: int, out: FloatArray, n: IntArray) -> None:
    before = np.zeros((window, 4))
    for cut in range(-first_index % window, len(values), window):
        sums = (0.0, 0.0, 0.0, 0.0)
        for back in range(1, min(window, cut + 1)):
            sums = _add_value(sums, values[cut - back])
            row = before[back]
            row[0], row[1], row[2], row[3] = sums
        sums = (0.0, 0.0, 0.0, 0.0)
        for t in range(cut, min(cut + window, len(values))):
            sums = _add_value(sums, values[t])
            if t >= window - 1:
                row = before[window - 1 - (t - cut)]
                earlier = (row[0], row[1], row[2], row[3])
                n[t] = _solve_moments(earlier, sums, values[t], window, out, t)


@kernel
def _add_value(sums: Sums, value: float) -> Sums:
    if not math.isfinite(value):
        return sums
    n, reference, p1, p2 = sums
    if n == 0.0:
        reference = value
    p = value - reference
    return n + 1.0, reference, p1 + p, p2 + p * p


@kernel
def _solve_moments(before: Sums, after: Sums, value: float, window: int, out: FloatArray, t: int) -> int:
    """Join the sums on both sides of the cut; returns n, writes the three numbers of `RollingMoments`."""
    weights, n = _weights(before[0], after[0])
    if 2 * n < window:
        return int(n)
    reference, mean, squares, _ = _join(before[1], before[2], before[3], after[1], after[2], after[3], weights)
    out[0, t] = reference + mean
    if n < 2.0:
        return int(n)
    std = math.sqrt(squares / (n - 1.0)) if moves(squares, n, reference + mean) else 0.0
    out[1, t] = std
    if std > 0.0 and math.isfinite(value):
        out[2, t] = (value - reference - mean) / std
    return int(n)
