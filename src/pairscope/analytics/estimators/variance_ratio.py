"""The ratio of a path's variances over long and short moves: does it come back, or run on."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.analytics.estimators.adf import EPSILON, centred, product_sum, reason_of, steps, unbroken
from pairscope.analytics.kernels.dickey_fuller import CONSTANT, SOLVED
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray

FEWEST = 30


class VarianceRatio(NamedTuple):
    """Variance ratio with its test of a random walk; NaN when there is a reason."""

    ratio: float
    z: float
    p: float  # two-sided
    n: int
    reason: Reason | None


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
