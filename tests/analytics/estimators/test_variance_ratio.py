"""Variance ratios beside their definition and beside another package."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from statsmodels.datasets import macrodata

from pairscope.analytics.estimators.variance_ratio import variance_ratio
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray
from tests.autoregression import autoregression


def by_definition(values: FloatArray, lag: int) -> tuple[float, float]:
    """The formulas of Lo and MacKinlay, term by term."""
    count = len(values) - 1
    mu = (values[-1] - values[0]) / count
    short = [values[t] - values[t - 1] - mu for t in range(1, count + 1)]
    long = [values[t] - values[t - lag] - lag * mu for t in range(lag, count + 1)]
    variance = sum(move**2 for move in short) / (count - 1)
    long_variance = sum(move**2 for move in long) / (lag * (count - lag + 1) * (1 - lag / count))
    theta = 0.0
    for j in range(1, lag):
        delta = sum(short[t] ** 2 * short[t - j] ** 2 for t in range(j, count)) / sum(move**2 for move in short) ** 2
        theta += (2 * (lag - j) / lag) ** 2 * count * delta
    ratio = long_variance / variance
    return ratio, math.sqrt(count) * (ratio - 1) / math.sqrt(theta)


@pytest.mark.parametrize("lag", [2, 5, 10])
def test_variance_ratios_are_those_of_the_definition(lag: int) -> None:
    for values in (autoregression(4, 0.8, 300), np.random.default_rng(5).standard_t(3, size=300).cumsum()):
        ratio, z = by_definition(values, lag)
        found = variance_ratio(values, lag=lag)
        assert found.ratio == pytest.approx(ratio, rel=1e-10)
        assert found.z == pytest.approx(z, rel=1e-10)
        assert found.p == pytest.approx(float(mpmath.erfc(abs(z) / mpmath.sqrt(2))), rel=1e-10)


@pytest.mark.parametrize("lag", [2, 5, 10, 50])
@pytest.mark.parametrize("phi", [0.0, 0.8, 1.0])
def test_variance_ratios_equal_arch(lag: int, phi: float) -> None:
    unitroot = pytest.importorskip("arch.unitroot")
    values = 11.0 + 1e-3 * autoregression(10, phi, 400)
    expected = unitroot.VarianceRatio(values, lags=lag, robust=True, overlap=True, debiased=True)
    found = variance_ratio(values, lag=lag)
    assert [found.ratio, found.z] == pytest.approx([expected.vr, expected.stat], rel=1e-8)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-8)


def test_the_ratio_of_two_bars_is_one_plus_the_correlation_of_neighbours() -> None:
    inflation = macrodata.load_pandas().data["infl"].to_numpy(np.float64)
    move = np.diff(inflation)
    move -= move.mean()
    expected = 1 + (move[1:] @ move[:-1]) / (move @ move)
    assert variance_ratio(inflation, lag=2).ratio == pytest.approx(expected, abs=0.02)


def test_the_ratio_is_a_test_of_its_size_on_walks_of_changing_variance() -> None:
    random = np.random.default_rng(6)
    sizes = np.exp(np.sin(np.arange(500) / 50))
    found = [variance_ratio((sizes * random.normal(size=500)).cumsum(), lag=5) for _ in range(2000)]
    assert 0.035 < np.mean([one.p < 0.05 for one in found]) < 0.065
    assert np.mean([one.ratio for one in found]) == pytest.approx(1.0, abs=0.02)


def test_reverting_paths_have_small_ratios_and_trending_ones_large() -> None:
    assert variance_ratio(autoregression(7, 0.5, 500)).ratio < 0.3
    assert variance_ratio(autoregression(8, 0.5, 500).cumsum()).ratio > 2.0


def test_a_lag_of_one_bar_is_refused() -> None:
    with pytest.raises(RequestError, match="use at least 2 bars"):
        variance_ratio(np.arange(50.0), lag=1)
