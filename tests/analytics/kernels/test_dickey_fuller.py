from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from pairscope.analytics.kernels import dickey_fuller as df
from pairscope.base.model import FloatArray

Way = Callable[[FloatArray, FloatArray, int, int, int, float], tuple[float, int, float, int]]


def walk(seed: int, count: int) -> tuple[FloatArray, FloatArray]:
    level = np.cumsum(np.random.default_rng(seed).normal(size=count))
    level -= level.mean()
    return level, np.diff(level)


def test_the_most_lags_are_those_of_schwert() -> None:
    for n in range(1, 6000):
        for constant in (0, 1):
            expected = min(n // 2 - constant - 1, int(np.ceil(12.0 * np.power(n / 100.0, 0.25))))
            assert df.most_lags(n, constant) == expected, n


@pytest.mark.parametrize("constant", [0, 1])
@pytest.mark.parametrize("criterion", [df.FIXED, df.AIC, df.BIC])
@pytest.mark.parametrize("lags", [0, 1, 3, 4, 17])
def test_products_and_reflections_give_one_answer(constant: int, criterion: int, lags: int) -> None:
    for seed in range(5):
        level, step = walk(seed, 300)
        statistic, chosen, least, outcome = df._by_products(level, step, lags, constant, criterion, 0.0)
        other = df._by_reflections(level, step, lags, constant, criterion, 0.0)
        assert (outcome, chosen) == (df.SOLVED, other[1])
        assert statistic == pytest.approx(other[0], rel=1e-10)
        assert math.isnan(least) == (criterion == df.FIXED)
        assert least == pytest.approx(other[2], rel=1e-10, nan_ok=True)


def test_products_of_a_steep_line_are_left_to_reflections() -> None:
    noise = np.random.default_rng(1).normal(size=300)
    level = np.arange(300.0) + 1e-6 * noise
    assert df._by_products(level - level.mean(), np.diff(level), 4, 1, df.AIC, 0.0)[3] == df.COLLINEAR
    assert df.dickey_fuller(level - level.mean(), np.diff(level), 4, 1, df.AIC, 0.0)[3] == df.SOLVED


@pytest.mark.parametrize(("count", "lags", "constant", "solved"), [
    (4, 0, 1, True), (3, 0, 1, False), (7, 2, 0, True), (6, 2, 0, False), (50, -1, 0, False),
])  # fmt: skip
def test_a_regression_without_a_spare_row_is_refused(count: int, lags: int, constant: int, solved: bool) -> None:
    level, step = walk(3, count)
    outcome = df.dickey_fuller(level, step, lags, constant, df.FIXED, 0.0)[3]
    assert outcome == (df.SOLVED if solved else df.TOO_FEW)


@pytest.mark.parametrize("criterion", [df.FIXED, df.AIC])
def test_columns_that_depend_on_each_other_are_refused(criterion: int) -> None:
    level = np.tile([1.0, 0.0, -1.0, 0.0], 50)
    assert df.dickey_fuller(level, np.diff(level), 6, 1, criterion, 0.0)[3] == df.COLLINEAR


@pytest.mark.parametrize("criterion", [df.FIXED, df.AIC])
def test_residuals_no_larger_than_rounding_are_an_exact_fit(criterion: int) -> None:
    level = 0.9 ** np.arange(60.0)
    assert df.dickey_fuller(level, np.diff(level), 0, 0, criterion, 1e-16)[3] == df.EXACT_FIT


def test_the_fewest_lags_are_taken_among_equal_criteria() -> None:
    nothing = np.zeros(4)
    assert df._best_lags(nothing, 1.0, 3, 10, 0, df.AIC)[0] == 0
    assert df._best_lags(nothing, 0.0, 3, 10, 0, df.AIC) == (0, -math.inf)
    explained = np.sqrt(np.array([0.0, 0.0, math.exp(0.6) - 1.0, 0.0]))
    assert df._best_lags(explained, 1.0, 3, 10, 0, df.AIC)[0] == 2


@pytest.mark.parametrize("count", [40, 300])
@pytest.mark.parametrize("way", [df._by_products, df._by_reflections])
def test_a_fit_is_exact_when_its_residuals_are_as_small_as_the_grain_on_average(way: Way, count: int) -> None:
    level, step = walk(5, count)  # of steps with deviation 1
    for grain, outcome in ((1.5, df.EXACT_FIT), (0.6, df.SOLVED)):
        assert way(level, step, 2, 0, df.FIXED, grain)[3] == outcome
