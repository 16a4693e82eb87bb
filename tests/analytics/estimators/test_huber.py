"""Huber's line against statsmodels, and where it must stand whatever the outliers are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm

from pairscope.analytics.estimators.hedge import METHODS
from pairscope.analytics.estimators.huber import HUBER_K, huber_line
from pairscope.analytics.estimators.regression import huber_rows
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]
BETA, ALPHA, CORRELATION, SPREAD, MEAN, STD, Z = range(7)


def with_outliers(y: FloatArray, every: int = 20) -> FloatArray:
    y = y.copy()
    y[::every] += 50.0 * np.std(np.diff(y))
    return y


@pytest.mark.parametrize(("offset", "count"), [(0.0, 60), (11.0, 300), (100.0, 1_000)])
def test_hubers_line_equals_statsmodels(walks: Walks, offset: float, count: int) -> None:
    y, x = walks(seed=1, count=count, offset=offset)
    y = with_outliers(y)
    centred = x - x.mean()  # where the oracle does not lose digits
    norm = sm.robust.norms.HuberT(1.345)
    fit = sm.RLM(y - y.mean(), sm.add_constant(centred), M=norm).fit(tol=1e-13, maxiter=2_000, conv="coefs")
    beta = fit.params[1]
    rows, n = huber_rows(y, x, count, 0)
    assert n[-1] == count
    assert rows[[ALPHA, BETA], -1] == pytest.approx([fit.params[0] + y.mean() - beta * x.mean(), beta], rel=1e-8)
    assert rows[SPREAD, -1] == pytest.approx(fit.resid[-1], rel=1e-8)
    assert rows[MEAN, -1] == pytest.approx(fit.resid.mean(), rel=1e-8)
    assert rows[STD, -1] == pytest.approx(fit.resid.std(ddof=1), rel=1e-8)
    assert rows[Z, -1] == pytest.approx((fit.resid[-1] - fit.resid.mean()) / fit.resid.std(ddof=1), rel=1e-8)


def test_hubers_line_stands_where_outliers_pull_least_squares_away() -> None:
    random = np.random.default_rng(2)
    x = np.cumsum(random.normal(0, 1, 500))
    y = 3.0 + 2.0 * x + random.normal(0, 0.1, 500)
    y[-50:] += 8.0
    robust, plain = huber_rows(y, x, 500, 0)[0][BETA, -1], np.polyfit(x, y, 1)[0]
    assert abs(robust - 2.0) < 0.2 * abs(plain - 2.0)


def test_hubers_line_goes_through_the_points_when_most_of_them_lie_on_one() -> None:
    x = np.arange(50.0)
    y = 1.0 + 2.0 * x
    y[5::12] += 7.0
    rows, _ = huber_rows(y, x, 50, 0)
    assert rows[[BETA, ALPHA], -1] == pytest.approx([2.0, 1.0], abs=1e-6)


def test_hubers_line_is_that_of_least_squares_without_outliers() -> None:
    x = np.arange(8.0)
    y = 2.0 * x + np.array([1.0, -1.0] * 4)
    assert huber_rows(y, x, 8, 0)[0][BETA, -1] == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-12)


def test_the_size_of_prices_does_not_change_hubers_slope(walks: Walks) -> None:
    y, x = walks(seed=9, count=300)
    y = with_outliers(y)
    small = huber_rows(y * 2.0**-30, x * 2.0**-30, 300, 0)[0][:, -1]
    assert small[BETA] == huber_rows(y, x, 300, 0)[0][BETA, -1]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("level", [0.0, 11.0, 6e4])
@pytest.mark.parametrize("outliers", ["above", "both", "far", "leverage"])
def test_hubers_line_is_the_one_through_two_thirds_of_the_points(outliers: str, level: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = level + np.cumsum(random.normal(0, 1e-3, 90))
    y = level + 0.75 * (x - level)
    off = random.permutation(90)[:30]
    size = {"above": 1e-3, "both": 1e-3, "far": 10.0, "leverage": 1e-2}[outliers]
    shift = size * (1.0 + random.random(30))
    y[off] += np.where(np.arange(30) % 2 == 0, shift, -shift) if outliers == "both" else shift
    if outliers == "leverage":
        x[off[:5]] += 3e-3
    rows, n = huber_rows(y, x, 90, 0)
    assert n[-1] == 90
    assert rows[0, -1] == pytest.approx(0.75, abs=1e-8)
    assert rows[1, -1] + 0.75 * level == pytest.approx(level, rel=1e-8, abs=1e-9)
    hedge = METHODS["huber"](y, x, 90, 0, True)
    assert (hedge.beta, hedge.reason) == (rows[0, -1], None)


def test_at_rest_the_weighted_residuals_balance_around_the_line() -> None:
    """The two equations the line is defined by: of residuals cut off at k deviations, and of these times q."""
    random = np.random.default_rng(4)
    q = random.normal(0, 1, 200)
    p = 0.5 * q + random.standard_t(2, 200)
    q, p = q - q.mean(), p - p.mean()
    beta, shift, at_rest = huber_line(p, q, float(p @ q / (q @ q)), 1e-14, True)
    assert at_rest
    left = p - shift - beta * q
    limit = HUBER_K * np.median(np.abs(left)) / 0.6744897501960817
    cut = np.clip(left, -limit, limit)
    assert [cut.mean(), (cut * q).mean()] == pytest.approx([0.0, 0.0], abs=1e-11 * limit)


def test_a_line_through_zero_has_no_shift() -> None:
    random = np.random.default_rng(5)
    q = 10.0 + random.normal(0, 1, 60)
    p = 3.0 * q + random.normal(0, 0.1, 60)
    beta, shift, at_rest = huber_line(p, q, float(p @ q / (q @ q)), 1e-14, False)
    assert (shift, at_rest) == (0.0, True)
    assert beta == pytest.approx(3.0, abs=0.01)
