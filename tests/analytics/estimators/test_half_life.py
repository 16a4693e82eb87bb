from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.estimators.half_life import half_life
from pairscope.analytics.estimators.variance_ratio import variance_ratio
from pairscope.analytics.values import Reason
from pairscope.base.model import FloatArray
from tests.autoregression import autoregression
from tests.fifty_digits import DIGITS, around_mean, degenerate_series, exact


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_the_plain_half_life_is_that_of_statsmodels_autoregression(phi: float) -> None:
    spread = autoregression(1, phi, 500)
    fit = sm.OLS(spread[1:], sm.add_constant(spread[:-1])).fit()
    found = half_life(spread)
    assert found.ar1_phi == pytest.approx(fit.params[1], rel=1e-8, abs=1e-10)
    assert found.ar1_stderr == pytest.approx(fit.bse[1], rel=1e-8)
    fitted = fit.params[1]
    assert found.ar1 == pytest.approx(math.log(2) / -math.log(fitted) if fitted > 0 else 0.0, rel=1e-6)
    assert found.by_rate == pytest.approx(math.log(2) / (1 - fitted), rel=1e-6)


def test_the_plain_half_life_of_a_decay_is_that_of_its_rate() -> None:
    wobble = 1e-9 * np.sin(np.arange(120.0) ** 2)
    assert half_life(0.95 ** np.arange(120.0) + wobble).ar1 == pytest.approx(math.log(2) / -math.log(0.95), rel=1e-6)


def test_a_wobble_of_a_few_units_in_the_last_place_is_no_exact_fit() -> None:
    wobble = 1e-15 * np.sin(np.arange(120.0) ** 2)
    assert half_life(0.95 ** np.arange(120.0) + wobble).ar1_phi == pytest.approx(0.95, rel=1e-9)


@pytest.mark.parametrize("name", degenerate_series(8, 1))
def test_autoregressions_of_degenerate_series_equal_fifty_digit_arithmetic(name: str) -> None:
    series = degenerate_series(80, 2)[name]
    with mpmath.workdps(DIGITS):
        values = exact(series)
        before, after = around_mean(values[:-1]), around_mean(values[1:])
        phi = mpmath.fdot(before, after) / mpmath.fdot(before, before)
        left = mpmath.fsum((b - phi * a) ** 2 for a, b in zip(before, after, strict=True))
        stderr = mpmath.sqrt(left / 77 / mpmath.fdot(before, before))
        around = around_mean(values)
        one, two = mpmath.fdot(around[1:-1], around[:-2]), mpmath.fdot(around[2:], around[:-2])
        size = mpmath.fdot(around, around)
    found = half_life(series)
    assert found.ar1_phi - 1.0 == pytest.approx(float(phi - 1), rel=1e-6, abs=1e-12)
    assert found.ar1_stderr == pytest.approx(float(stderr), rel=1e-8)
    assert found.phi == pytest.approx(float(two / one), rel=1e-6, abs=1e-9 * float(size / abs(one)))


def noisy(seed: int, phi: float, count: int, noise: float) -> FloatArray:
    return autoregression(seed, phi, count) + noise * np.random.default_rng([77, seed]).normal(size=count)


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.5])
def test_noise_on_the_closes_leaves_the_half_life_where_it_is(noise: float) -> None:
    truth = math.log(2) / -math.log(0.9)
    found = [half_life(noisy(seed, 0.9, 1000, noise)) for seed in range(300)]
    assert all(one.reason is None for one in found)
    assert np.median([one.bars for one in found]) == pytest.approx(truth, rel=0.06)
    plain = float(np.median([one.ar1 for one in found])) / truth
    assert plain == pytest.approx({0.0: 0.97, 0.5: 0.72, 1.5: 0.27}[noise], abs=0.06)


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_the_interval_holds_the_true_half_life_in_nearly_95_of_100(noise: float) -> None:
    truth = math.log(2) / -math.log(0.9)
    found = [half_life(noisy(seed, 0.9, 1000, noise)) for seed in range(1000, 1400)]
    share = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.92 < share <= 0.98


def test_a_spread_without_memory_is_told_as_such() -> None:
    reasons = [half_life(np.random.default_rng(seed).normal(size=300)).reason for seed in range(200)]
    assert reasons.count(Reason.BELOW_ONE_BAR) > 190
    assert half_life(autoregression(2, -0.5, 300)).reason == Reason.BELOW_ONE_BAR
    assert half_life(autoregression(2, 0.4, 300)).bars < 1.0


def test_what_does_not_decay_has_no_half_life() -> None:
    found = half_life(np.cos(np.arange(500.0) * np.pi) * 2.0 + autoregression(3, 0.999, 500))
    assert found.reason == Reason.UNCERTAIN
    assert math.isnan(found.bars)
    assert math.isfinite(found.ar1)


# --- with variance ratios ---


@pytest.mark.parametrize(("values", "reason"), [
    (np.full(50, 3.0), Reason.CONSTANT),
    (np.arange(20.0), Reason.TOO_FEW),
    (np.empty(0), Reason.TOO_FEW),
    (np.where(np.arange(200) % 10 == 0, np.nan, 1.0), Reason.GAPPY),
])  # fmt: skip
def test_series_that_say_nothing_are_refused(values: FloatArray, reason: Reason) -> None:
    assert half_life(values).reason == reason
    assert variance_ratio(values).reason == reason
    assert math.isnan(half_life(values).bars)
    assert math.isnan(variance_ratio(values).ratio)


def test_a_straight_line_has_no_ratio_and_a_pure_decay_no_interval() -> None:
    assert variance_ratio(1e5 + 0.1 * np.arange(100.0)).reason == Reason.CONSTANT
    assert half_life(0.9 ** np.arange(60.0)).reason == Reason.EXACT_FIT


def test_the_longest_stretch_without_a_gap_is_used() -> None:
    values = autoregression(9, 0.8, 300)
    gappy = values.copy()
    gappy[40] = math.nan
    assert half_life(gappy) == half_life(values[41:])
    assert variance_ratio(gappy) == variance_ratio(values[41:])


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), power=st.integers(-30, 30), shift=st.floats(-1e3, 1e3))
def test_neither_scale_nor_shift_changes_them(seed: int, power: int, shift: float) -> None:
    values = autoregression(seed, 0.7, 100, start=5)
    assert str(half_life(values * 2.0**power)) == str(half_life(values))
    assert variance_ratio(values * 2.0**power) == variance_ratio(values)
    assert half_life(values + shift).phi == pytest.approx(half_life(values).phi, rel=1e-7)
    assert variance_ratio(values + shift).z == pytest.approx(variance_ratio(values).z, rel=1e-8, abs=1e-9)
