from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.datasets import macrodata
from statsmodels.tsa.stattools import adfuller

from pairscope.analytics.estimators.adf import Lags, adf
from pairscope.analytics.kernels.dickey_fuller import most_lags
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from tests.fifty_digits import DIGITS, adf_exactly, degenerate_series, exact


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("lags", ["aic", "bic", 0, 5])
@pytest.mark.parametrize("count", [40, 250, 1000])
def test_tests_equal_statsmodels(count: int, lags: Lags, constant: bool) -> None:
    random = np.random.default_rng(count)
    for series in (
        np.cumsum(random.normal(size=count)),
        random.normal(size=count),
        random.normal(size=count).cumsum() ** 2,
    ):
        fixed = isinstance(lags, int)
        expected = adfuller(
            series,
            regression="c" if constant else "n",
            maxlag=lags if fixed else None,
            autolag=None if fixed else lags,
            result_object=True,
        )
        found = adf(series, constant=constant, lags=lags)
        assert found.lags == expected.lags
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-8, abs=1e-8)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-8, abs=1e-12)
        assert list(found.critical) == pytest.approx(list(expected.critical_values.values()), rel=1e-12)
        assert found.criterion == pytest.approx(math.nan if fixed else expected.icbest, rel=1e-8, nan_ok=True)


@pytest.mark.parametrize(("column", "constant", "lags", "statistic", "p"), [
    ("realgdp", True, 4, 0.97505319, 0.99399563),
    ("realgdp", False, 4, 3.5227498, None),
    ("infl", True, 1, -4.3346988, 0.00038661),
    ("infl", False, 1, -2.4511596, 0.013747),
])  # fmt: skip
def test_tests_equal_what_stata_prints(
    column: str, constant: bool, lags: int, statistic: float, p: float | None
) -> None:
    series = macrodata.load_pandas().data[column].to_numpy(np.float64)
    found = adf(series, constant=constant, lags=lags)
    assert found.statistic == pytest.approx(statistic, abs=5e-6)  # Stata held the data in single precision
    assert p is None or found.p == pytest.approx(p, rel=1e-4)


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("count", [30, 60, 200])
@pytest.mark.parametrize("name", degenerate_series(8, 1))
def test_tests_of_degenerate_series_equal_fifty_digit_arithmetic(name: str, count: int, constant: bool) -> None:
    series = degenerate_series(count, 1)[name]
    with mpmath.workdps(DIGITS):
        statistic, lags = adf_exactly(exact(series), most_lags(count, int(constant)), constant)
    found = adf(series, constant=constant)
    assert found.lags == lags
    assert found.statistic == pytest.approx(float(statistic), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(("series", "reason"), [
    (np.full(100, 7.0), Reason.CONSTANT),
    (1e9 + 1e-7 * np.sin(np.arange(100.0)), Reason.CONSTANT),
    (np.arange(100.0), Reason.COLLINEAR),
    (0.1 * np.arange(100.0), Reason.EXACT_FIT),
    (np.tile([1.0, -1.0], 50), Reason.COLLINEAR),
    (np.eye(100)[99], Reason.COLLINEAR),
    (np.arange(3.0), Reason.TOO_FEW),
    (np.empty(0), Reason.TOO_FEW),
    (np.full(100, np.nan), Reason.TOO_FEW),
    (np.full(100, np.inf), Reason.TOO_FEW),
    (np.where(np.arange(100) % 3 == 0, np.nan, np.arange(100.0) ** 2), Reason.GAPPY),
])  # fmt: skip
def test_a_series_that_cannot_be_tested_says_why(series: Any, reason: Reason) -> None:
    found = adf(series, fewest=20 if reason == Reason.GAPPY else 4)
    assert found.reason == reason
    assert math.isnan(found.statistic)
    assert math.isnan(found.p)


def test_a_test_that_could_not_be_made_has_no_lags() -> None:
    for series in (np.full(100, 7.0), np.arange(3.0), np.tile([1.0, -1.0], 50)):
        assert adf(series).lags == 0
    assert adf(np.arange(10.0) ** 2, lags=8).lags == 0


def test_the_longest_stretch_without_a_gap_is_tested() -> None:
    series = np.random.default_rng(1).normal(size=200).cumsum()
    gappy = series.copy()
    gappy[[5, 150]] = math.nan, math.inf
    assert adf(gappy) == adf(series[6:150])
    assert adf(gappy).n == 144


def test_the_first_stretch_is_tested_whole_when_it_is_the_longest() -> None:
    series = np.random.default_rng(4).normal(size=200).cumsum()
    gappy = series.copy()
    gappy[150] = math.nan
    assert adf(gappy) == adf(series[:150])


@pytest.mark.parametrize(("present", "reason"), [(20, Reason.GAPPY), (19, Reason.TOO_FEW)])
def test_a_series_is_gappy_when_it_has_as_many_values_as_needed(present: int, reason: Reason) -> None:
    series = np.full(2 * present, math.nan)
    series[::2] = np.arange(float(present)) ** 2
    assert adf(series, fewest=20).reason == reason


def test_the_newest_of_two_equal_stretches_is_tested() -> None:
    series = np.random.default_rng(2).normal(size=101).cumsum()
    series[50] = math.nan
    assert adf(series) == adf(series[51:])


@pytest.mark.parametrize("lags", [-1, "hqic"])
def test_lags_that_mean_nothing_are_refused(lags: Any) -> None:
    with pytest.raises(RequestError, match="use aic, bic, or a number"):
        adf(np.arange(50.0), lags=lags)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), power=st.integers(-40, 40), shift=st.sampled_from([1.0, -11.0, 1e5]))
def test_neither_scale_nor_shift_changes_the_test(seed: int, power: int, shift: float) -> None:
    series = np.random.default_rng(seed).normal(size=120).cumsum()
    found = adf(series)
    assert adf(series * 2.0**power)[:3] == found[:3]
    assert adf(-series)[:3] == found[:3]
    assert adf(series + shift).statistic == pytest.approx(found.statistic, rel=1e-6, abs=1e-8)
