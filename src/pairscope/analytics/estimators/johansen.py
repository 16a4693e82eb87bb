"""Johansen's test: how many independent combinations of several series revert."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pairscope.analytics.estimators.adf import centred, reason_of, unbroken
from pairscope.analytics.kernels.dickey_fuller import CONSTANT, SOLVED
from pairscope.analytics.kernels.least_squares import centre, reflect
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray

FEWEST = 30
MOST_LEGS = 12
_EXACT = 1e-12  # of a share that is left unexplained: rounding

# Critical values at 10, 5 and 1 % with an unrestricted constant; row k is for k + 1 series that do not revert.
_TRACE_CRITICAL = np.array(
    [
        [2.7055, 3.8415, 6.6349],
        [13.4294, 15.4943, 19.9349],
        [27.0669, 29.7961, 35.4628],
        [44.4929, 47.8545, 54.6815],
        [65.8202, 69.8189, 77.8202],
        [91.1090, 95.7542, 104.9637],
        [120.3673, 125.6185, 135.9825],
        [153.6341, 159.5290, 171.0905],
        [190.8714, 197.3772, 210.0366],
        [232.1030, 239.2468, 253.2526],
        [277.3740, 285.1402, 300.2821],
        [326.5354, 334.9795, 351.2150],
    ]
)
_MAX_EIGEN_CRITICAL = np.array(
    [
        [2.7055, 3.8415, 6.6349],
        [12.2971, 14.2639, 18.5200],
        [18.8928, 21.1314, 25.8650],
        [25.1236, 27.5858, 32.7172],
        [31.2379, 33.8777, 39.3693],
        [37.2786, 40.0763, 45.8662],
        [43.2947, 46.2299, 52.3069],
        [49.2855, 52.3622, 58.6634],
        [55.2412, 58.4332, 64.9960],
        [61.2041, 64.5040, 71.2525],
        [67.1307, 70.5392, 77.4877],
        [73.0563, 76.5734, 83.7105],
    ]
)
# The same at 10, 5 and 1 % without any constant.
_TRACE_CRITICAL_OF_NONE = np.array(
    [
        [2.9762, 4.1296, 6.9406],
        [10.4741, 12.3212, 16.3640],
        [21.7781, 24.2761, 29.5147],
        [37.0339, 40.1749, 46.5716],
        [56.2839, 60.0627, 67.6367],
        [79.5329, 83.9383, 92.7136],
        [106.7351, 111.7797, 121.7375],
        [137.9954, 143.6691, 154.7977],
        [173.2292, 179.5199, 191.8122],
        [212.4721, 219.4051, 232.8291],
        [255.6732, 263.2603, 277.9962],
        [302.9054, 311.1288, 326.9716],
    ]
)
_MAX_EIGEN_CRITICAL_OF_NONE = np.array(
    [
        [2.9762, 4.1296, 6.9406],
        [9.4748, 11.2246, 15.0923],
        [15.7175, 17.7961, 22.2519],
        [21.8370, 24.1592, 29.0609],
        [27.9160, 30.4428, 35.7359],
        [33.9271, 36.6301, 42.2333],
        [39.9085, 42.7679, 48.6606],
        [45.8930, 48.8795, 55.0335],
        [51.8528, 54.9629, 61.3449],
        [57.7954, 61.0404, 67.6415],
        [63.7248, 67.0756, 73.8856],
        [69.6513, 73.0946, 80.0937],
    ]
)


class Johansen(NamedTuple):
    """Outcome of a Johansen test; arrays have one entry a rank tested, and are empty when there is a reason."""

    trace: FloatArray  # of the hypothesis that at most 0, 1, ... combinations revert
    max_eigen: FloatArray  # of the same against one more
    eigenvalues: FloatArray
    trace_critical: FloatArray  # float64[legs, 3]: 10, 5 and 1 %
    max_eigen_critical: FloatArray
    rank: int  # combinations that revert, by the trace at 5 %
    n: int
    reason: Reason | None


def johansen(series: FloatArray, *, lags: int = 1, fewest: int = FEWEST, constant: bool = True) -> Johansen:
    r"""Johansen's trace and maximum eigenvalue tests, with an unrestricted constant.

    In the vector model step_t = c + Pi level_(t-1) + sum over k = 1 ... lags of Gamma_k step_(t-k) + e_t, the rank of
    Pi is the number of combinations that revert. With the squared canonical correlations lambda_1 >= lambda_2 >= ... of
    steps and levels, both freed of the constant and the lagged steps, over T rows::

        trace_r = -T sum over i > r of ln(1 - lambda_i)      max_eigen_r = -T ln(1 - lambda_(r+1))

    The rank is the first r whose trace is below its 5 % critical value. For two series a rank of 2 is no sign that
    each reverts by itself: at 5 % a third of sound pairs have it.

    Without a constant c is 0: the combination returns to 0, and nothing drifts. The critical values are those of that
    case.

    Missing values are not stepped over: the longest stretch where all series are present is used.

    Args:
        series: one series a row, float64[legs, n], 2 to 12 legs; usually log prices.
        lags: lagged differences.
        fewest: values the longest stretch must have; never below 30, or what the regression needs.
        constant: whether the model has one.

    Returns:
        The tests, or a reason: TOO_FEW, GAPPY, CONSTANT, COLLINEAR (also legs that are combinations of others), or
        EXACT_FIT.

    Raises:
        RequestError: for another number of legs, or a negative number of lags.

    Source: S. Johansen, Econometrica 59, 1991; critical values from J. G. MacKinnon, A. A. Haug and L. Michelis,
    Journal of Applied Econometrics 14, 1999.

    >>> x = np.cumsum(np.sin(np.arange(200.0) ** 2))
    >>> johansen(np.array([2 * x + np.cos(np.arange(200.0) ** 3), x])).rank
    1
    """
    legs = len(series)
    if not 2 <= legs <= MOST_LEGS or lags < 0:
        raise RequestError(
            f"a Johansen test of {legs} series with {lags} lags", cure="give 2 to 12 series, lags from 0"
        )
    present = np.where(np.isfinite(series).all(axis=0), np.arange(series.shape[1], dtype=np.float64), np.nan)
    where, n, reason = unbroken(present, max(FEWEST, fewest, 2 * (lags + 2) * legs))
    if reason is not None:
        return _refused(n, reason)
    first = int(where[0])
    steps, levels, others, outcome = _columns(floats(series[:, first : first + n]), lags, constant)
    if outcome != SOLVED:
        return _refused(n, reason_of(outcome))
    eigenvalues = squared_correlations(steps, levels, others)
    if len(eigenvalues) == 0:
        return _refused(n, Reason.COLLINEAR)
    if eigenvalues[0] >= 1.0 - _EXACT:
        return _refused(n, Reason.EXACT_FIT)
    max_eigen = -steps.shape[1] * np.log1p(-eigenvalues)
    trace = np.cumsum(max_eigen[::-1])[::-1]
    of_trace, of_largest = _TRACE_CRITICAL, _MAX_EIGEN_CRITICAL
    if not constant:
        of_trace, of_largest = _TRACE_CRITICAL_OF_NONE, _MAX_EIGEN_CRITICAL_OF_NONE
    critical = of_trace[:legs][::-1]
    kept = trace <= critical[:, 1]
    rank = int(kept.argmax()) if kept.any() else legs
    return Johansen(trace, max_eigen, eigenvalues, critical, of_largest[:legs][::-1], rank, n, None)


def squared_correlations(steps: FloatArray, levels: FloatArray, others: FloatArray) -> FloatArray:
    """Squared canonical correlations, largest first, of steps and levels, both freed of what the others explain.

    One column of the regression a row: float64[count, observations]. Empty when columns depend on each other.

    Source: Å. Björck and G. H. Golub, Mathematics of Computation 27, 1973.
    """
    products, solved = _cross(np.concatenate([others, levels, steps]), len(others), len(levels))
    if not solved:
        return np.empty(0)
    correlations = np.linalg.svd(products, compute_uv=False)
    return np.asarray(np.minimum(correlations, 1.0) ** 2, np.float64)


def _refused(n: int, reason: Reason | None) -> Johansen:
    none, no_rows = np.empty(0), np.empty((0, 3))
    return Johansen(none, none, none, no_rows, no_rows, 0, n, reason)


@kernel
def _columns(series: FloatArray, lags: int, constant: bool) -> tuple[FloatArray, FloatArray, FloatArray, int]:
    """Steps, the levels before them, and the lagged steps, all around their means where there is a constant."""
    legs, n = series.shape
    rows = n - 1 - lags
    steps = np.empty((legs, rows))
    levels = np.empty((legs, rows))
    others = np.empty((legs * lags, rows))
    for leg in range(legs):
        around, squares, _ = centred(series[leg])
        if squares == 0.0:
            return steps, levels, others, CONSTANT
        for t in range(rows):
            levels[leg, t] = around[lags + t] if constant else series[leg, lags + t]
            steps[leg, t] = series[leg, lags + t + 1] - series[leg, lags + t]
            for lag in range(1, lags + 1):
                others[leg * lags + lag - 1, t] = series[leg, lags + t + 1 - lag] - series[leg, lags + t - lag]
    if constant:
        centre(steps)
        centre(levels)
        centre(others)
    return steps, levels, others, SOLVED


@kernel
def _cross(columns: FloatArray, others: int, levels: int) -> tuple[FloatArray, bool]:
    """Products of orthonormal bases of levels and steps, both freed of the others, by triangular factors."""
    count = len(columns) - others - levels
    products = np.empty((levels, count))
    if not reflect(columns, others):
        return products, False
    freed = columns[others:, others:].copy()
    alone = freed[levels:].copy()
    if not reflect(alone, count) or not reflect(freed, levels):
        return products, False
    for j in range(count):
        for row in range(levels):
            value = freed[levels + j, row]
            for i in range(j):
                value -= products[row, i] * alone[j, i]
            products[row, j] = value / alone[j, j]
    return products, True
