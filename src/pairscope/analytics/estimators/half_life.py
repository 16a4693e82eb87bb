"""The half-life of a spread's deviations: how soon it comes back, where it does."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.analytics.estimators.adf import EPSILON, centred, product_sum, reason_of, steps, unbroken
from pairscope.analytics.kernels.dickey_fuller import CONSTANT, EXACT_FIT, SOLVED
from pairscope.analytics.values import Reason
from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray

FEWEST = 30
_NO_MEMORY = 2.0  # standard errors of an autocorrelation
_NORMAL_95 = 1.959963984540054


class HalfLife(NamedTuple):
    """Half-lives in bars; NaN where there is a reason, which `ar1` and `by_rate` do not have when they are given."""

    bars: float  # of what persists in the spread, by phi
    low: float  # 95 % interval
    high: float
    phi: float  # ratio of the autocovariances at two bars and at one
    phi_stderr: float
    ar1: float  # of an AR(1) process fitted by least squares
    by_rate: float  # of the same, as books have it: -ln 2 / (phi - 1)
    ar1_phi: float
    ar1_stderr: float
    n: int
    reason: Reason | None


def half_life(spread: FloatArray, *, fewest: int = FEWEST) -> HalfLife:
    r"""Time in which half of a deviation from the mean is gone, in bars.

    With a_t the spread around its mean, and c_k the sum of a_t a_(t-k)::

        phi = c_2 / c_1        half-life = -ln 2 / ln phi

    A close carries noise: bid-ask bounce, rounding, the moment of the last trade. It weighs on c_0 alone, so that phi
    is that of what lies below; a plain AR(1) fit, which is c_1 / c_0, then gives a half-life 2 to 5 times too short. On
    a series without noise the two agree. `ar1` has the plain fit, spread_t = c + phi spread_(t-1) + e_t, and `by_rate`
    what is usually made from it: -ln 2 / (phi - 1), which is 1.5 to 4.5 % longer for half-lives of 20 to 8 bars.

    The interval is that of phi ± 1.96 stderr, carried through the same formula. It is that of the instrument
    a_(t-2) for a_(t-1), with errors that may depend on their neighbours, as those of a noisy close do. An end at a phi
    of 1 or more has no half-life: infinite.

    Whether there is any reversion is not decided here: the half-life of a walk is of the order of its window, and means
    nothing. Ask only for spreads of pairs that have been shown to be one.

    Args:
        spread: the values, float64[n]; the longest stretch without a missing one is used.
        fewest: values that stretch must have, at least 30.

    Returns:
        The half-life, or NaN with a reason: TOO_FEW, GAPPY, CONSTANT, EXACT_FIT, BELOW_ONE_BAR (c_1 is within two of
        its standard errors 1 / sqrt(n) of nothing, or c_2 is not positive) or UNCERTAIN (a phi of 1 or more).

    Source: M. G. Kendall, Biometrika 41, 1954, for the estimate that runs short in short windows; J. Staudenmayer and
    J. P. Buonaccorsi, Journal of the American Statistical Association 100, 2005, for noise and the ratio.

    >>> spread = np.sin(np.arange(200.0) / 7) + 0.3 * np.sin(np.arange(200.0) ** 2)
    >>> found = half_life(spread)
    >>> found.bars > 3 * found.ar1, found.reason
    (True, None)
    """
    nan = math.nan
    values, n, reason = unbroken(spread, max(FEWEST, fewest))
    if reason is not None:
        return HalfLife(nan, nan, nan, nan, nan, nan, nan, nan, nan, n, reason)
    gamma, gamma_stderr, outcome = _autoregression(values)
    if outcome != SOLVED:
        return HalfLife(nan, nan, nan, nan, nan, nan, nan, nan, nan, n, reason_of(outcome))
    phi, stderr, share = _persistence(values)
    plain = (_halving(gamma), _by_rate(gamma), 1.0 + gamma, gamma_stderr)
    if share * math.sqrt(n) <= _NO_MEMORY or not phi > 0.0:
        return HalfLife(nan, nan, nan, phi, stderr, *plain, n, Reason.BELOW_ONE_BAR)
    if phi >= 1.0:
        return HalfLife(nan, nan, nan, phi, stderr, *plain, n, Reason.UNCERTAIN)
    wide = _NORMAL_95 * stderr
    low, high = (_halving(phi - 1.0 + side) for side in (-wide, wide))
    return HalfLife(_halving(phi - 1.0), low, high, phi, stderr, *plain, n, None)


def _halving(gamma: float) -> float:
    """Half-life of phi = 1 + gamma: 0 for a phi of 0 or less, infinite for one of 1 or more."""
    if gamma >= 0.0:
        return math.inf
    return -math.log(2.0) / math.log1p(gamma) if gamma > -1.0 else 0.0


def _by_rate(gamma: float) -> float:
    return -math.log(2.0) / gamma if gamma < 0.0 else math.inf


@kernel
def _autoregression(values: FloatArray) -> tuple[float, float, int]:
    """phi - 1, its standard error, and an outcome."""
    around, squares, mean = centred(values)
    if squares == 0.0:
        return np.nan, np.nan, CONSTANT
    step, _, _ = centred(steps(values))
    before, squares_before, _ = centred(around[:-1])
    if squares_before == 0.0:
        return np.nan, np.nan, CONSTANT
    gamma = product_sum(before, step) / squares_before
    for t in range(len(step)):
        step[t] -= gamma * before[t]
    left = product_sum(step, step)
    if left <= len(step) * (EPSILON * (abs(mean) + math.sqrt(squares / len(values)))) ** 2:
        return np.nan, np.nan, EXACT_FIT
    return gamma, math.sqrt(left / (len(step) - 2.0) / squares_before), SOLVED


@kernel
def _persistence(values: FloatArray) -> tuple[float, float, float]:
    """phi as the ratio of two autocovariances, its standard error, and the autocorrelation of neighbours."""
    around, squares, _ = centred(values)
    n = len(around)
    one = product_sum(around[1 : n - 1], around[: n - 2])
    two = product_sum(around[2:], around[: n - 2])
    phi = two / one if one != 0.0 else np.nan
    variance = crossed = before = 0.0
    for t in range(2, n):
        weighed = around[t - 2] * (around[t] - phi * around[t - 1])
        variance += weighed * weighed
        crossed += weighed * before
        before = weighed
    if variance + 2.0 * crossed > 0.0:
        variance += 2.0 * crossed
    return phi, math.sqrt(variance) / abs(one) if one != 0.0 else np.nan, product_sum(around[1:], around[:-1]) / squares
