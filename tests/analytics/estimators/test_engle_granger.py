from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.datasets import macrodata
from statsmodels.tsa.stattools import coint

from pairscope.analytics.estimators.adf import Lags, adf
from pairscope.analytics.estimators.engle_granger import Cointegrations, engle_granger, engle_granger_many, residual
from pairscope.analytics.kernels.dickey_fuller import most_lags
from pairscope.analytics.kernels.mackinnon import critical_values
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray, IntArray
from tests.fifty_digits import DIGITS, engle_granger_exactly


def independent_walks(seed: int, series: int, count: int) -> FloatArray:
    return np.asarray(np.random.default_rng(seed).normal(size=(series, count)).cumsum(axis=1))


def reverting_pair(seed: int, count: int, offset: float = 0.0, size: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """y = 0.7 x + a spread of the given size that partly reverts."""
    random = np.random.default_rng(seed)
    x = random.normal(size=count).cumsum()
    y = 0.7 * x + size * (0.1 * random.normal(size=count).cumsum() + random.normal(size=count))
    return y + offset, x + offset


def neighbours(count: int) -> tuple[IntArray, IntArray]:
    """0 with 1, 2 with 3, ..."""
    rows = np.arange(count)
    return rows[::2], rows[1::2]


def bits(tests: Cointegrations, order: Any = slice(None)) -> list[bytes]:
    return [column[order].tobytes() for column in (tests.statistic, tests.p, tests.criterion, tests.beta)] + [
        column[order].tobytes() for column in (tests.lags, tests.direction, tests.n, tests.outcome)
    ]


# --- the numbers are right ---


@pytest.mark.parametrize("lags", ["aic", "bic", 0, 3])
@pytest.mark.parametrize("count", [40, 250, 1000])
def test_tests_of_one_direction_equal_statsmodels(count: int, lags: Lags) -> None:
    pairs = [reverting_pair(seed, count) for seed in range(4)] + [tuple(independent_walks(9, 2, count))]
    for y, x in pairs:
        fixed = isinstance(lags, int)
        expected = coint(y, x, maxlag=lags if fixed else None, autolag=None if fixed else lags)
        found = engle_granger(y, x, lags=lags, both=False)
        assert found.statistic == pytest.approx(expected.coint_t, rel=1e-8)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-8, abs=1e-12)
        assert list(found.critical) == pytest.approx(list(expected.critical_values), rel=1e-12)
        assert found.beta == pytest.approx(np.polyfit(x - x.mean(), y, 1)[0], rel=1e-9)


def test_the_better_direction_is_kept_and_its_probability_doubled() -> None:
    kept = set()
    for seed in range(20):
        y, x = independent_walks(seed, 2, 120)
        one, other = engle_granger(y, x, both=False), engle_granger(x, y, both=False)
        both = engle_granger(y, x)
        better = one if one.statistic <= other.statistic else other._replace(direction="x_on_y")
        assert both == better._replace(p=min(1.0, 2 * better.p))
        kept.add(both.direction)
    assert kept == {"y_on_x", "x_on_y"}


def test_a_doubled_probability_is_at_most_one() -> None:
    assert engle_granger(np.exp(np.arange(60.0) / 9), np.arange(60.0) ** 0.5).p <= 1.0
    assert engle_granger_many(independent_walks(1, 200, 100), *neighbours(200)).p.max() == 1.0


def test_tests_equal_what_stata_prints() -> None:
    random = np.random.RandomState(123)
    common = random.randn(200).cumsum()
    y = random.randn(200, 4)
    y[:, :2] += common[:, np.newaxis]
    y = np.round(y + np.array([1, 0, 0.5, 0]), 4)
    found = engle_granger(y[:, 0], y[:, 1], lags=4, both=False)
    assert found.statistic == pytest.approx(-5.760696844656, rel=1e-12)
    assert found.critical[1:] == pytest.approx([-3.367006313729, -3.065831247948], rel=1e-6)


def test_the_test_of_consumption_on_income_equals_the_published_one() -> None:
    data = macrodata.load_pandas().data
    y, x = data["realcons"].to_numpy(np.float64), data["realgdp"].to_numpy(np.float64)
    assert engle_granger(y, x, lags=0, both=False).statistic == pytest.approx(-1.830170986148, rel=1e-11)


@pytest.mark.parametrize("offset", [0.0, 11.0, 1e5, 1e9])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-4, 1e-5])
def test_nearly_collinear_pairs_equal_fifty_digit_arithmetic(offset: float, size: float) -> None:
    y, x = reverting_pair(1, 90, offset, size)
    with mpmath.workdps(DIGITS):
        statistic, lags = engle_granger_exactly(y, x, most_lags(90, 0))
    found = engle_granger(y, x, both=False)
    assert found.lags == lags
    assert found.statistic == pytest.approx(float(statistic), rel=1e-8)


def test_the_residual_is_the_one_that_is_tested() -> None:
    y, x = reverting_pair(2, 300, offset=11.0)
    spread, n, reason = residual(y, x)
    line = np.polynomial.Polynomial.fit(x, y, 1)
    np.testing.assert_allclose(spread, y - line(x), atol=1e-12)
    assert (n, reason) == (300, None)
    tested, naive = engle_granger(y, x, both=False), adf(spread, constant=False)
    assert naive.lags == tested.lags
    assert naive.criterion == pytest.approx(tested.criterion, rel=1e-9)
    assert naive.statistic == pytest.approx(tested.statistic, rel=1e-12)


# --- null with a reason ---

LINE = np.arange(100.0)
WALK = independent_walks(4, 1, 100)[0]


@pytest.mark.parametrize(("y", "x", "reason"), [
    (LINE, np.full(100, 3.0), Reason.CONSTANT),
    (np.full(100, 3.0), LINE, Reason.CONSTANT),
    (2 * WALK + 1, WALK, Reason.EXACT_FIT),
    (1e9 + WALK, -3e9 + 2 * WALK, Reason.EXACT_FIT),
    (WALK + 1e-8 * np.sin(LINE), WALK, Reason.EXACT_FIT),
    (np.tile([1.0, 0.0, -1.0, 0.0], 25), WALK * 0 + LINE, Reason.COLLINEAR),
    (LINE[:20], WALK[:20], Reason.TOO_FEW),
    (np.empty(0), np.empty(0), Reason.TOO_FEW),
    (np.where(LINE % 4 == 0, np.nan, LINE**2), WALK, Reason.GAPPY),
    (np.where(LINE % 2 == 0, np.nan, LINE**2), np.where(LINE % 2 == 1, np.inf, WALK), Reason.TOO_FEW),
])  # fmt: skip
def test_a_pair_that_cannot_be_tested_says_why(y: FloatArray, x: FloatArray, reason: Reason) -> None:
    found = engle_granger(y, x, both=False)
    assert found.reason == reason
    assert math.isnan(found.statistic)
    assert math.isnan(found.p)


def test_a_direction_that_cannot_be_tested_leaves_the_other() -> None:
    decay = 0.9 ** np.arange(100.0)
    beside = WALK - np.polynomial.Polynomial.fit(decay, WALK, 1)(decay)  # has nothing in common with the decay
    assert engle_granger(decay, beside, lags=1, both=False).reason == Reason.EXACT_FIT
    one_way, both = engle_granger(beside, decay, lags=1, both=False), engle_granger(decay, beside, lags=1)
    assert (both.statistic, both.p, both.lags) == (one_way.statistic, min(1.0, 2 * one_way.p), 1)
    assert (both.direction, both.reason) == ("x_on_y", None)


def test_a_residual_that_cannot_be_given_is_empty_and_says_why() -> None:
    for y, reason in ((2 * WALK, Reason.EXACT_FIT), (WALK * 0, Reason.CONSTANT), (WALK * np.nan, Reason.TOO_FEW)):
        found = residual(y, WALK)
        assert (len(found.spread), found.reason) == (0, reason)


def test_the_longest_stretch_where_both_are_present_is_tested() -> None:
    y, x = reverting_pair(5, 300)
    gappy_y, gappy_x = y.copy(), x.copy()
    gappy_y[10], gappy_x[250] = math.nan, math.inf
    assert engle_granger(gappy_y, gappy_x) == engle_granger(y[11:250], x[11:250])
    np.testing.assert_array_equal(residual(gappy_y, gappy_x).spread, residual(y[11:250], x[11:250]).spread)


@pytest.mark.parametrize(("series", "y", "x"), [
    (np.zeros((2, 50)), [0], [2]),
    (np.zeros((2, 50)), [-1], [0]),
    (np.zeros((2, 50)), [0, 1], [1]),
    (np.zeros(50), [0], [1]),
])  # fmt: skip
def test_pairs_beyond_the_series_are_refused(series: FloatArray, y: list[int], x: list[int]) -> None:
    with pytest.raises(RequestError):
        engle_granger_many(series, np.array(y), np.array(x))


def test_two_series_of_different_lengths_are_refused() -> None:
    with pytest.raises(RequestError, match="100 and 99 values"):
        engle_granger(WALK, WALK[1:])


# --- one pair, many pairs: the same bits ---


def test_a_pair_has_the_same_bits_alone_and_among_others_in_any_order_and_on_any_threads() -> None:
    series = independent_walks(6, 60, 300)
    series[3] = series[4] * 2
    series[7, :40] = math.nan
    series[8] = 5.0
    y, x = (np.array(rows) for rows in zip(*itertools.combinations(range(60), 2), strict=True))
    together = engle_granger_many(series, y, x)
    order = np.random.default_rng(7).permutation(len(y))
    assert bits(engle_granger_many(series, y[order], x[order], threads=2)) == bits(together, order)
    for k in np.random.default_rng(8).choice(len(y), 60, replace=False):
        assert str(engle_granger(series[y[k]], series[x[k]])) == str(together[k])
    assert {str(together[k].reason) for k in range(len(together))} == {"None", "exact_fit", "constant_series"}


def test_memory_layout_changes_nothing() -> None:
    series = independent_walks(9, 10, 200)
    frozen = np.asfortranarray(series)
    frozen.flags.writeable = False
    assert bits(engle_granger_many(frozen, *neighbours(10))) == bits(engle_granger_many(series, *neighbours(10)))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), y_power=st.integers(-20, 20), x_power=st.integers(-20, 20), shift=st.floats(-12, 12))
def test_neither_scale_nor_shift_changes_the_test(seed: int, y_power: int, x_power: int, shift: float) -> None:
    y, x = reverting_pair(seed, 100)
    found = engle_granger(y, x)
    scaled = engle_granger(y * 2.0**y_power, x * 2.0**x_power)
    assert (scaled.statistic, scaled.p, scaled.lags, scaled.direction) == (
        found.statistic, found.p, found.lags, found.direction,
    )  # fmt: skip
    assert engle_granger(y + shift, x - shift).statistic == pytest.approx(found.statistic, rel=1e-8)


# --- truths of simulation ---


@pytest.mark.parametrize("count", [250, 1000])
def test_independent_walks_are_found_cointegrated_as_often_as_promised(count: int) -> None:
    series = independent_walks(count, 12_000, count)
    one_direction = engle_granger_many(series, *neighbours(12_000), both=False)
    assert 0.04 <= (one_direction.p < 0.05).mean() <= 0.06
    assert 0.04 <= (one_direction.statistic < critical_values(2, count - 1).percent_5).mean() <= 0.06
    assert (engle_granger_many(series, *neighbours(12_000)).p < 0.05).mean() <= 0.06


@pytest.mark.slow
@pytest.mark.parametrize("count", [5000, 20_000])
def test_long_walks_are_found_cointegrated_as_often_as_promised(count: int) -> None:
    series = independent_walks(count, 4_000, count)
    tests = engle_granger_many(series, *neighbours(4_000), both=False, threads=2)
    assert 0.04 <= (tests.p < 0.05).mean() <= 0.06


@pytest.mark.parametrize("count", [250, 1000])
def test_plain_dickey_fuller_on_residuals_cries_wolf(count: int) -> None:
    series = independent_walks(count, 4_000, count)
    found = [adf(residual(y, x).spread).p < 0.05 for y, x in zip(*series[np.array(neighbours(4_000))], strict=True)]
    assert 0.14 <= np.mean(found) <= 0.19


def test_a_scan_of_thirty_walks_finds_many_pairs_that_are_none() -> None:
    walks = np.random.default_rng(11).normal(size=(30, 500)).cumsum(axis=1)
    y, x = (np.array(rows) for rows in zip(*itertools.combinations(range(30), 2), strict=True))
    honest = engle_granger_many(walks, y, x, both=False).p < 0.05
    naive = [adf(residual(walks[i], walks[j]).spread).p < 0.05 for i, j in zip(y, x, strict=True)]
    assert (np.sum(naive), honest.sum()) == (81, 45)


def test_a_pair_that_reverts_is_found() -> None:
    random = np.random.default_rng(13)
    x = random.normal(size=(500, 500)).cumsum(axis=1)
    spread = np.zeros((500, 500))
    for t in range(1, 500):
        spread[:, t] = 0.8 * spread[:, t - 1] + random.normal(size=500)
    tests = engle_granger_many(np.concatenate([2 * x + spread, x]), np.arange(500), np.arange(500, 1000))
    assert (tests.p < 0.05).mean() > 0.99
    assert np.median(tests.beta[tests.direction == 0]) == pytest.approx(2.0, abs=0.02)


def test_a_constant_series_is_counted_though_not_tested() -> None:
    found = engle_granger(np.arange(60.0) ** 2, np.full(60, 3.0))
    assert (found.n, found.reason) == (60, Reason.CONSTANT)


def test_a_pair_is_gappy_when_it_has_as_many_values_as_needed() -> None:
    y, x = independent_walks(3, 2, 80)
    y[::2] = math.nan
    assert engle_granger(y, x, fewest=40).reason == Reason.GAPPY
    y[1] = math.nan
    assert engle_granger(y, x, fewest=40).reason == Reason.TOO_FEW


@pytest.mark.parametrize(("noise", "reason"), [(3e-7, Reason.EXACT_FIT), (1.5e-6, Reason.EXACT_FIT), (2.2e-6, None)])
def test_a_spread_of_up_to_eight_rounding_units_of_a_series_is_an_exact_fit(
    noise: float, reason: Reason | None
) -> None:
    random = np.random.default_rng(4)
    x = 1e9 + 1e-3 * random.normal(size=200).cumsum()
    assert engle_granger(x + noise * random.normal(size=200), x, both=False).reason == reason
