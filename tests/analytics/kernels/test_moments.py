from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import cast

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.kernels.moments import PriceMoments, price_moments, volume_sums
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(5, 400), missing=st.sampled_from([0.0, 0.2]))
def test_price_statistics_equal_pandas(walks: Walks, seed: int, count: int, missing: float) -> None:
    close, _ = walks(seed, count, offset=1_000.0, missing=missing)
    series = pd.Series(close)
    returns = pd.Series(np.log(close)).diff()
    expected = PriceMoments(
        n=int(series.count()),
        mean=series.mean(),
        median=series.median(),
        std=series.std(),
        minimum=series.min(),
        maximum=series.max(),
        skew=cast(float, series.skew()),
        kurtosis=cast(float, series.kurt()),
        last=close[-1],
        last_return=returns.iloc[-1],
        returns=int(returns.count()),
        returns_std=returns.std(),
    )
    found = price_moments(close)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found[:6], expected[:6], rtol=1e-10)


@pytest.mark.parametrize("offset", [0.0, 6e4, 1e9])
def test_moments_equal_fifty_digit_arithmetic_at_any_offset(walks: Walks, offset: float) -> None:
    close, _ = walks(seed=2, count=100, offset=offset, step=0.01)
    with mpmath.workdps(50):
        values = [mpmath.mpf(float(value)) for value in close]
        mean = mpmath.fsum(values) / 100
        m2, m3, m4 = (mpmath.fsum((value - mean) ** k for value in values) / 100 for k in (2, 3, 4))
        std = mpmath.sqrt(m2 * 100 / 99)
        skew = mpmath.sqrt(100 * 99) / 98 * m3 / m2**1.5
        kurtosis = mpmath.mpf(99) / (98 * 97) * (101 * m4 / m2**2 - 3 * 99)
    found = price_moments(close)
    expected = [float(value) for value in (mean, std, skew, kurtosis)]
    np.testing.assert_allclose([found.mean, found.std, found.skew, found.kurtosis], expected, rtol=1e-11)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), scale=st.floats(1e-3, 1e3))
def test_shape_does_not_depend_on_the_unit_of_price(walks: Walks, seed: int, scale: float) -> None:
    close, _ = walks(seed, 50, offset=500.0)
    one, other = price_moments(close), price_moments(close * scale)
    np.testing.assert_allclose(
        [other.skew, other.kurtosis, other.returns_std], [one.skew, one.kurtosis, one.returns_std], rtol=1e-7, atol=1e-9
    )
    assert other.std == pytest.approx(scale * one.std, rel=1e-9)


def test_a_constant_window_has_no_deviation_and_no_shape() -> None:
    moments = price_moments(np.full(10, 60_000.1))
    assert (moments.std, moments.returns_std, moments.last_return) == (0.0, 0.0, 0.0)
    assert math.isnan(moments.skew)
    assert math.isnan(moments.kurtosis)


@pytest.mark.parametrize(("count", "missing"), [(1, 4), (2, 3), (3, 1), (4, 0)])
def test_each_statistic_needs_its_fewest_closes(count: int, missing: int) -> None:
    moments = price_moments(np.array([1.0, 2.0, 4.0, 3.0])[:count])
    shapes = [moments.std, moments.returns_std, moments.skew, moments.kurtosis]
    assert int(np.isnan(shapes).sum()) == missing


def test_no_closes_have_no_statistics() -> None:
    for close in (np.empty(0), np.full(3, np.nan)):
        moments = price_moments(close)
        assert (moments.n, moments.returns) == (0, 0)
        assert math.isnan(moments.mean)
        assert math.isnan(moments.last)


def test_a_missing_newest_close_is_not_replaced_by_an_older_one() -> None:
    moments = price_moments(np.array([1.0, 2.0, np.nan]))
    assert math.isnan(moments.last)
    assert math.isnan(moments.last_return)
    assert math.isnan(price_moments(np.array([1.0, np.nan, 2.0])).last_return)


def test_a_price_that_is_not_positive_has_no_return() -> None:
    moments = price_moments(np.array([1.0, -1.0, 2.0, 4.0]))
    assert moments.returns == 1
    assert moments.last_return == math.log(2.0)
    assert moments.minimum == -1.0


@given(st.lists(st.integers(0, 10**9).map(lambda units: Decimal(units) / 1000), max_size=50))
def test_sums_come_out_as_decimals(sizes: list[Decimal]) -> None:
    column = np.array([float(size) for size in sizes])
    sums = volume_sums(column, 2.0 * column, 0.5 * column, np.ones(len(sizes), np.int64))
    assert sums.volume == float(sum(sizes))
    assert sums.quote_volume == float(2 * sum(sizes))
    assert sums.buy_volume == float(sum(sizes) / 2)
    assert (sums.n, sums.trades) == (len(sizes), len(sizes))


def test_a_missing_volume_is_not_counted() -> None:
    column = np.array([1.0, np.nan, 2.0])
    sums = volume_sums(column, column, column, np.array([1, 0, 1]))
    assert (sums.n, sums.volume, sums.trades) == (2, 3.0, 2)


def test_two_closes_have_a_return_and_one_has_none() -> None:
    assert price_moments(np.array([10.0, 20.0])).last_return == pytest.approx(math.log(2.0))
    assert math.isnan(price_moments(np.array([10.0])).last_return)
