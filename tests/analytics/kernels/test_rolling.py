from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.regression.rolling import RollingOLS

from pairscope.analytics.kernels.rolling import RollingMoments, RollingPair, last_pair, rolling_moments, rolling_pair
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray
from tests.fifty_digits import line_exactly

Walks = Callable[..., tuple[FloatArray, FloatArray]]
NUMBERS = [field.name for field in fields(RollingPair) if field.name != "n"]


def bits(rolled: RollingPair | RollingMoments, rows: Any) -> list[bytes]:
    return [getattr(rolled, field.name)[rows].tobytes() for field in fields(rolled)]


# --- the numbers are right ---


def test_hedge_ratios_equal_statsmodels_rolling_ols(walks: Walks) -> None:
    y, x = walks(seed=1, count=500)  # around zero: elsewhere the oracle loses digits
    rolled = rolling_pair(y, x, window=60, first_index=17)
    design = np.column_stack([np.ones_like(x), x])
    expected = RollingOLS(y, design, window=60).fit().params
    np.testing.assert_allclose(rolled.alpha, expected[:, 0], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(rolled.beta, expected[:, 1], rtol=1e-8)


def test_hedge_ratios_far_from_zero_equal_fifty_digit_arithmetic(walks: Walks) -> None:
    y, x = walks(seed=1, count=500, offset=100.0)
    rolled = rolling_pair(y, x, window=60, first_index=17)
    for t in range(59, 500, 40):
        line = line_exactly(y[t - 59 : t + 1], x[t - 59 : t + 1])
        assert [rolled.alpha[t], rolled.beta[t]] == pytest.approx([line.alpha, line.beta], rel=1e-10)


def test_correlations_equal_pandas(walks: Walks) -> None:
    y, x = walks(seed=2, count=500, missing=0.1)
    expected = pd.Series(y).rolling(50, min_periods=25).corr(pd.Series(x)).to_numpy()
    correlation = rolling_pair(y, x, 50, 3).correlation
    np.testing.assert_allclose(correlation[49:], expected[49:], rtol=1e-9, atol=1e-12)


def test_spreads_equal_the_residuals_of_a_line_through_each_window(walks: Walks) -> None:
    y, x = walks(seed=3, count=300, offset=11.0, step=1e-3, missing=0.05)
    rolled = rolling_pair(y, x, 40, 5)
    for t in range(39, 300):
        window = slice(t - 39, t + 1)
        both = np.isfinite(y[window]) & np.isfinite(x[window])
        ys, xs = y[window][both], x[window][both]
        beta, centre = np.polyfit(xs - xs.mean(), ys, 1)
        residuals = ys - centre - beta * (xs - xs.mean())
        assert rolled.n[t] == both.sum()
        assert rolled.beta[t] == pytest.approx(beta, rel=1e-9)
        assert rolled.spread_std[t] == pytest.approx(residuals.std(ddof=1), rel=1e-9)
        if both[-1]:
            assert rolled.spread[t] == pytest.approx(residuals[-1], rel=1e-7, abs=1e-14)
            assert rolled.spread_z[t] == pytest.approx(residuals[-1] / residuals.std(ddof=1), rel=1e-7, abs=1e-9)
        else:
            assert np.isnan([rolled.spread[t], rolled.spread_z[t]]).all()


def test_moments_equal_pandas(walks: Walks) -> None:
    values, _ = walks(seed=4, count=500, offset=1_000.0, missing=0.1)
    rolled = rolling_moments(values, 50, 3)
    series = pd.Series(values).rolling(50, min_periods=25)
    mean, std = series.mean().to_numpy(), series.std().to_numpy()
    np.testing.assert_allclose(rolled.mean[49:], mean[49:], rtol=1e-12)
    np.testing.assert_allclose(rolled.std[49:], std[49:], rtol=1e-9)
    np.testing.assert_allclose(rolled.z[49:], ((values - mean) / std)[49:], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e5, 1e9])
def test_numbers_equal_fifty_digit_arithmetic_at_any_offset(walks: Walks, offset: float) -> None:
    y, x = walks(seed=5, count=64, offset=offset)
    rolled = rolling_pair(y, x, 64, 29)
    with mpmath.workdps(50):
        ys, xs = [mpmath.mpf(float(v)) for v in y], [mpmath.mpf(float(v)) for v in x]
        mean_y, mean_x = mpmath.fsum(ys) / 64, mpmath.fsum(xs) / 64
        sxx = mpmath.fsum((v - mean_x) ** 2 for v in xs)
        syy = mpmath.fsum((v - mean_y) ** 2 for v in ys)
        sxy = mpmath.fsum((a - mean_y) * (b - mean_x) for a, b in zip(ys, xs, strict=True))
        beta = sxy / sxx
        std = mpmath.sqrt((syy - beta * sxy) / 63)
        z = (ys[-1] - mean_y - beta * (xs[-1] - mean_x)) / std
        expected = [beta, std, z, sxy / mpmath.sqrt(sxx * syy)]
    found = [rolled.beta[-1], rolled.spread_std[-1], rolled.spread_z[-1], rolled.correlation[-1]]
    np.testing.assert_allclose(found, [float(v) for v in expected], rtol=1e-12)


def test_nothing_drifts_over_a_million_bars_at_a_large_offset(walks: Walks) -> None:
    y, x = walks(seed=6, count=1_000_000, offset=1e5, step=0.01)
    rolled = rolling_pair(y, x, 300, 11)
    moments = rolling_moments(y, 300, 11)
    for t in [299, 500_000, *range(999_900, 1_000_000)]:
        ys = y[t - 299 : t + 1].astype(np.longdouble)
        xs = x[t - 299 : t + 1].astype(np.longdouble)
        dy, dx = ys - ys.mean(), xs - xs.mean()
        beta = (dy @ dx) / (dx @ dx)
        std = np.sqrt(((dy - beta * dx) ** 2).sum() / 299)
        assert rolled.beta[t] == pytest.approx(float(beta), rel=1e-9)
        assert rolled.spread_z[t] == pytest.approx(float((dy[-1] - beta * dx[-1]) / std), rel=1e-9, abs=1e-9)
        assert moments.std[t] == pytest.approx(float(np.sqrt((dy @ dy) / 299)), rel=1e-9)


# --- live equals batch, and nothing looks ahead ---


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2, 120),
    window=st.integers(2, 40),
    first_index=st.integers(0, 10**9),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    offset=st.sampled_from([0.0, 11.0, 1e5]),
)
def test_the_last_window_alone_gives_the_bits_of_the_whole_history(
    walks: Walks, seed: int, count: int, window: int, first_index: int, missing: float, offset: float
) -> None:
    assume(window <= count)
    y, x = walks(seed, count, offset, 0.01, missing)
    whole = rolling_pair(y, x, window, first_index)
    moments = rolling_moments(y, window, first_index)
    for t in range(window - 1, count):
        tail, first = slice(t - window + 1, t + 1), first_index + t - window + 1
        assert bits(rolling_pair(y[tail], x[tail], window, first), [-1]) == bits(whole, [t])
        assert bits(rolling_moments(y[tail], window, first), [-1]) == bits(moments, [t])


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), known=st.integers(1, 99), window=st.integers(2, 30))
def test_later_values_never_change_an_earlier_number(walks: Walks, seed: int, known: int, window: int) -> None:
    y, x = walks(seed, 100, missing=0.1)
    past, later = slice(0, known), rolling_pair(y, x, window, 7)
    assert bits(rolling_pair(y[past], x[past], window, 7), past) == bits(later, past)
    assert bits(rolling_moments(y[past], window, 7), past) == bits(rolling_moments(y, window, 7), past)


def test_the_last_position_alone_has_the_bits_of_the_rolling_numbers(walks: Walks) -> None:
    y, x = walks(seed=12, count=333, offset=11.0, missing=0.05)
    rolled = rolling_pair(y, x, 50, 9)
    n, *numbers = last_pair(y, x, 50, 9)
    assert n == rolled.n[-1]
    assert np.array(numbers).tobytes() == np.array([getattr(rolled, name)[-1] for name in NUMBERS]).tobytes()


def test_columns_of_any_memory_layout_give_the_same_bits(walks: Walks) -> None:
    y, x = walks(seed=7, count=50)
    matrix = np.column_stack([y, x])
    matrix.flags.writeable = False
    assert bits(rolling_pair(matrix[:, 0], matrix[:, 1], 20, 3), slice(None)) == bits(
        rolling_pair(y, x, 20, 3), slice(None)
    )


# --- symmetries ---


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), power=st.integers(-20, 20))
def test_scaling_a_series_by_a_power_of_two_scales_its_numbers_exactly(walks: Walks, seed: int, power: int) -> None:
    y, x = walks(seed, 60)
    plain, scaled = rolling_pair(y, x, 30, 0), rolling_pair(y * 2.0**power, x, 30, 0)
    np.testing.assert_array_equal(scaled.beta, plain.beta * 2.0**power)
    np.testing.assert_array_equal(scaled.spread, plain.spread * 2.0**power)
    np.testing.assert_array_equal(scaled.spread_z, plain.spread_z)
    np.testing.assert_array_equal(scaled.correlation, plain.correlation)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), shift=st.floats(-1e4, 1e4))
def test_shifting_a_series_moves_only_the_intercept(walks: Walks, seed: int, shift: float) -> None:
    y, x = walks(seed, 60)
    plain, shifted = rolling_pair(y, x, 30, 0), rolling_pair(y + shift, x, 30, 0)
    np.testing.assert_allclose(shifted.beta, plain.beta, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(shifted.spread_z, plain.spread_z, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(shifted.alpha, plain.alpha + shift, rtol=1e-7, atol=1e-7)


def test_correlation_does_not_care_which_series_comes_first(walks: Walks) -> None:
    y, x = walks(seed=8, count=80)
    one, other = rolling_pair(y, x, 30, 2).correlation, rolling_pair(x, y, 30, 2).correlation
    np.testing.assert_allclose(one, other, rtol=1e-12)
    assert np.nanmax(np.abs(one)) <= 1.0


# --- where a number cannot be given ---


def test_a_window_is_given_when_half_of_it_is_present() -> None:
    y = np.array([np.nan, np.nan, 1.0, 3.0, np.nan])
    x = np.array([1.0, np.nan, 2.0, 3.0, 4.0])
    rolled = rolling_pair(y, x, 4, 0)
    assert rolled.n.tolist() == [0, 0, 0, 2, 2]
    assert rolled.beta[3] == 2.0
    y[2] = np.nan
    assert np.isnan(rolling_pair(y, x, 4, 0).beta).all()
    assert rolling_pair(y, x, 4, 0).n.tolist() == [0, 0, 0, 1, 1]


def test_fewer_values_than_a_window_give_nothing(walks: Walks) -> None:
    y, x = walks(seed=9, count=9)
    rolled, moments = rolling_pair(y, x, 10, 0), rolling_moments(y, 10, 0)
    assert all(np.isnan(getattr(rolled, name)).all() for name in NUMBERS)
    assert np.isnan([moments.mean, moments.std, moments.z]).all()


def test_no_values_give_no_numbers() -> None:
    assert len(rolling_pair(np.empty(0), np.empty(0), 10, 0).beta) == 0
    assert len(rolling_moments(np.empty(0), 10, 0).mean) == 0


@pytest.mark.parametrize("level", [0.0, 0.1, 11.5, 1e5, 1e9])
def test_a_constant_x_has_no_hedge_ratio(level: float) -> None:
    rolled = rolling_pair(np.arange(50.0), np.full(50, level), 20, 13)
    assert all(np.isnan(getattr(rolled, name)).all() for name in NUMBERS)
    assert rolled.n[-1] == 20


@pytest.mark.parametrize("level", [0.1, 11.5, 1e5])
def test_a_series_that_moves_by_rounding_only_is_constant(level: float) -> None:
    flicker = np.where(np.arange(50) % 3 == 0, level, np.nextafter(level, np.inf))
    assert np.isnan(rolling_pair(np.arange(50.0), flicker, 20, 0).beta).all()
    moments = rolling_moments(flicker, 20, 0)
    assert (moments.std[19:] == 0.0).all()
    assert np.isnan(moments.z).all()


def test_the_smallest_real_movement_is_not_constant() -> None:
    x = 1e5 + 1e-7 * np.arange(50.0)
    np.testing.assert_allclose(rolling_pair(2.0 * x, x, 20, 0).beta[19:], 2.0, rtol=1e-9)


def test_a_constant_y_has_a_flat_line_and_no_z() -> None:
    rolled = rolling_pair(np.full(30, 7.0), np.arange(30.0), 10, 4)
    assert (rolled.beta[9:] == 0.0).all()
    assert (rolled.alpha[9:] == 7.0).all()
    assert (rolled.spread_std[9:] == 0.0).all()
    assert np.isnan([rolled.spread_z, rolled.correlation]).all()


def test_an_exact_fit_has_no_deviation_and_no_z(walks: Walks) -> None:
    _, x = walks(seed=10, count=60, offset=11.0)
    rolled = rolling_pair(3.0 - 0.5 * x, x, 20, 4)
    assert (rolled.spread_std[19:] == 0.0).all()
    assert np.isnan(rolled.spread_z).all()
    np.testing.assert_allclose(rolled.correlation[19:], -1.0, rtol=1e-12)


def test_an_infinite_value_counts_as_missing(walks: Walks) -> None:
    y, x = walks(seed=11, count=40)
    missing = y.copy()
    y[20], missing[20] = np.inf, np.nan
    assert bits(rolling_pair(y, x, 15, 0), slice(None)) == bits(rolling_pair(missing, x, 15, 0), slice(None))


def test_a_window_of_one_bar_is_refused() -> None:
    with pytest.raises(RequestError, match="at least 2 bars"):
        rolling_pair(np.ones(3), np.ones(3), 1, 0)
    with pytest.raises(RequestError, match="at least 2 bars"):
        rolling_moments(np.ones(3), 1, 0)


def test_series_of_different_lengths_are_refused() -> None:
    with pytest.raises(RequestError, match="two series of 3 and 4 values"):
        rolling_pair(np.ones(3), np.ones(4), 2, 0)
