"""Does a spread come back, and how soon: the half-life of its deviations, and the ratio of its variances."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.analytics.dickey_fuller import CONSTANT, EXACT_FIT, SOLVED
from pairscope.analytics.mackinnon import critical_values
from pairscope.analytics.unitroot import EPSILON, centred, product_sum, reason_of, steps, unbroken
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.kernel import kernel
from pairscope.base.model import FloatArray

FEWEST = 30
_NORMAL_95 = 1.959963984540054


class HalfLife(NamedTuple):
    """Half-life in bars with its 95 % interval; NaN when there is a reason. phi and its t are given when known."""

    bars: float
    low: float
    high: float
    phi: float
    phi_stderr: float
    n: int
    reason: Reason | None


class VarianceRatio(NamedTuple):
    """Variance ratio with its test of a random walk; NaN when there is a reason."""

    ratio: float
    z: float
    p: float  # two-sided
    n: int
    reason: Reason | None


def half_life(spread: FloatArray, *, fitted: bool = True, fewest: int = FEWEST) -> HalfLife:
    r"""Time in which half of a deviation from the mean is gone, in bars.

    By least squares, spread_t = c + phi spread_(t-1) + e_t; then::

        half-life = -ln 2 / ln phi

    (0 for a phi at or below 0). The interval is that of phi ± 1.96 stderr(phi), carried through the same formula.

    It is refused as NOT_REVERTING when a phi of 1 cannot be excluded. There the t ratio (phi - 1) / stderr(phi) is not
    normal but Dickey and Fuller's: 1 belongs to the interval unless t lies below MacKinnon's critical value at 5 %,
    of two series for the residual of a regression. The estimate runs short, by about (1 + 3 phi) / n in phi (Kendall);
    more so where most samples would be refused, for then the shortest are those that pass.

    Args:
        spread: the values, float64[n]; the longest stretch without a missing one is used.
        fitted: whether it is the residual of a regression of two series, rather than given.
        fewest: values that stretch must have, at least 30.

    Returns:
        The half-life, or NaN with a reason: TOO_FEW, GAPPY, CONSTANT, EXACT_FIT or NOT_REVERTING.

    Source: M. G. Kendall, Biometrika 41, 1954; J. G. MacKinnon, working paper 1227, 2010.

    >>> found = half_life(np.sin(np.arange(200.0) ** 2))
    >>> found.bars < 1.0, found.reason
    (True, None)
    """
    values, n, reason = unbroken(spread, max(FEWEST, fewest))
    if reason is not None:
        return HalfLife(math.nan, math.nan, math.nan, math.nan, math.nan, n, reason)
    gamma, stderr, outcome = _autoregression(values)
    if outcome != SOLVED:
        return HalfLife(math.nan, math.nan, math.nan, math.nan, math.nan, n, reason_of(outcome))
    if not gamma / stderr < critical_values(2 if fitted else 1, n - 1).percent_5:
        return HalfLife(math.nan, math.nan, math.nan, 1.0 + gamma, stderr, n, Reason.NOT_REVERTING)
    wide = _NORMAL_95 * stderr
    return HalfLife(_halving(gamma), _halving(gamma - wide), _halving(gamma + wide), 1.0 + gamma, stderr, n, None)


def variance_ratio(values: FloatArray, *, lag: int = 10, fewest: int = FEWEST) -> VarianceRatio:
    r"""Variance of moves over `lag` bars beside `lag` times that of one bar: 1 for a random walk, less for reversion.

    With N one-bar moves of mean mu, overlapping moves, and the corrections for bias::

        var_1 = sum (move - mu)² / (N - 1)
        var_q = sum (move over q bars - q mu)² / (q (N - q + 1) (1 - q / N))
        ratio = var_q / var_1
        z = sqrt(N) (ratio - 1) / sqrt(theta)
        theta = sum over k < q of (2 (q - k) / q)² N sum (d_t² d_(t-k)²) / (sum d_t²)²,   d = move - mu

    z is standard normal for uncorrelated moves, whatever the changes in their variance.

    Args:
        values: the path, float64[n]; the longest stretch without a missing value is used.
        lag: q, from 2 bars.
        fewest: values that stretch must have; never below 30 or 2 lags + 2.

    Returns:
        The ratio, or NaN with a reason: TOO_FEW, GAPPY or CONSTANT (also a straight line).

    Raises:
        RequestError: for a lag below 2.

    Source: A. W. Lo and A. C. MacKinlay, Review of Financial Studies 1, 1988.

    >>> round(variance_ratio(np.sin(np.arange(200.0) ** 2), lag=2).ratio, 2)
    0.45
    """
    if lag < 2:
        raise RequestError(f"a variance ratio of {lag} bars", cure="use at least 2 bars", code="bad_lag")
    path, n, reason = unbroken(values, max(FEWEST, fewest, 2 * lag + 2))
    if reason is not None:
        return VarianceRatio(math.nan, math.nan, math.nan, n, reason)
    ratio, z, outcome = _variance_ratio(path, lag)
    return VarianceRatio(ratio, z, math.erfc(abs(z) / math.sqrt(2.0)), n, reason_of(outcome))


def _halving(gamma: float) -> float:
    return -math.log(2.0) / math.log1p(gamma) if gamma > -1.0 else 0.0


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
def _variance_ratio(values: FloatArray, lag: int) -> tuple[float, float, int]:
    _, squares, mean = centred(values)
    move, squares_of_moves, mu = centred(steps(values))
    count = len(move)
    grain = EPSILON * (abs(mean) + math.sqrt(squares / len(values)))
    if squares == 0.0 or squares_of_moves <= count * grain * grain:
        return np.nan, np.nan, CONSTANT
    longer = 0.0
    for t in range(len(values) - lag):
        long_move = values[t + lag] - values[t] - lag * mu
        longer += long_move * long_move
    ratio = longer / (lag * (count - lag + 1.0) * (1.0 - lag / count)) / (squares_of_moves / (count - 1.0))
    for t in range(count):
        move[t] *= move[t] * (
            count / squares_of_moves
        )  # in units of their mean: fourth powers neither over- nor underflow
    theta = 0.0
    for k in range(1, lag):
        theta += (2.0 * (lag - k) / lag) ** 2 * product_sum(move[k:], move[: count - k])
    return ratio, math.sqrt(count) * (ratio - 1.0) / math.sqrt(theta / count), SOLVED
