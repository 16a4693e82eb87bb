from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.cusum import FEWEST_RESIDUALS, find_break, recursive_residuals
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason, Value
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]


def sound(seed: int, phi: float, count: int = 300) -> tuple[FloatArray, FloatArray]:
    """A pair whose line stands still, with an AR(1) spread."""
    random = np.random.default_rng(seed)
    x = np.cumsum(random.normal(0, 2, count))
    spread = np.empty(count)
    spread[0] = random.normal() / np.sqrt(1 - phi**2)
    for t in range(1, count):
        spread[t] = phi * spread[t - 1] + random.normal()
    return 3.0 + 0.9 * x + spread, x


def share_above_line(phi: float, *, whiten: bool) -> float:
    return float(np.mean([find_break(*sound(seed, phi), whiten=whiten).ratio > 1 for seed in range(300)]))


@pytest.mark.parametrize("offset", [0.0, 11.0])
def test_recursive_residuals_and_their_sum_equal_statsmodels(walks: Walks, offset: float) -> None:
    y, x = walks(seed=1, count=200, offset=offset)
    expected = sm.RecursiveLS(y - y.mean(), sm.add_constant(x - x.mean())).fit()  # where the oracle loses no digits
    np.testing.assert_allclose(recursive_residuals(y, x), expected.resid_recursive[2:], rtol=1e-6, atol=1e-8)
    sums, count = expected.cusum, 198
    line = 0.948 * (np.sqrt(count) + 2 * np.arange(1, count + 1) / np.sqrt(count))
    found = find_break(y, x, whiten=False)
    assert found.n == count
    assert found.ratio == pytest.approx(np.max(np.abs(sums) / line), rel=1e-8)


def test_recursive_residuals_are_errors_of_forecasting_from_the_past(walks: Walks) -> None:
    y, x = walks(seed=2, count=60)
    residuals = recursive_residuals(y, x)
    for t in (2, 30, 59):
        centre = x[:t].mean()
        past = sm.add_constant(x[:t] - centre)
        params = np.linalg.lstsq(past, y[:t], rcond=None)[0]
        row = np.array([1.0, x[t] - centre])
        spread = 1.0 + row @ np.linalg.inv(past.T @ past) @ row
        assert residuals[t - 2] == pytest.approx((y[t] - row @ params) / np.sqrt(spread), rel=1e-7)


def test_residuals_wait_until_x_moves(walks: Walks) -> None:
    y, x = walks(seed=3, count=60)
    x[:10] = x[0]
    residuals = recursive_residuals(y, x)
    assert len(residuals) == 60 - 11
    assert np.isfinite(residuals).all()


def test_the_plain_test_cries_wolf_over_sound_pairs_and_the_whitened_one_does_not() -> None:
    assert share_above_line(0.0, whiten=False) == pytest.approx(0.05, abs=0.03)
    assert share_above_line(0.9, whiten=False) > 0.85
    assert share_above_line(0.0, whiten=True) == pytest.approx(0.05, abs=0.03)
    assert share_above_line(0.9, whiten=True) == pytest.approx(0.05, abs=0.03)


def test_a_break_is_found() -> None:
    found = []
    for seed in range(50):
        y, x = sound(seed, 0.5, 1_000)
        y[600:] += 5.0
        found.append(find_break(y, x).ratio > 1)
    assert np.mean(found) > 0.9


def test_missing_positions_are_left_out_when_not_whitened(walks: Walks) -> None:
    y, x = walks(seed=3, count=100)
    gappy_y, gappy_x = np.insert(y, [5, 50], np.nan), np.insert(x, [5, 50], 7.0)
    assert find_break(gappy_y, gappy_x, whiten=False) == pytest.approx(find_break(y, x, whiten=False))
    assert find_break(gappy_y, gappy_x).n == 95  # 99 pairs of neighbours, less those at two gaps, less two


def test_the_metrics_are_of_the_window_alone(walks: Walks) -> None:
    y, x = walks(seed=4, count=200)
    long, short = PairWindow(y, x, 0, 100, 1.0), PairWindow(y[100:], x[100:], 100, 100, 1.0)
    for name, whiten in (("cusum", True), ("cusum_naive", False)):
        found = find_break(y[100:], x[100:], whiten=whiten)
        assert CATALOGUE[name].compute(long) == CATALOGUE[name].compute(short) == Value(found.ratio, found.n)


def test_what_cannot_be_tested_has_a_reason(walks: Walks) -> None:
    y, x = walks(seed=5, count=100)
    short = slice(0, FEWEST_RESIDUALS + 1)
    checkered = np.where(np.arange(100) % 2, np.nan, y)
    for whiten in (True, False):
        assert find_break(y[short], x[short], whiten=whiten).reason == Reason.TOO_FEW
        assert find_break(y, np.ones(100), whiten=whiten).reason == Reason.CONSTANT
        assert find_break(np.ones(100), x, whiten=whiten).reason == Reason.CONSTANT
        assert find_break(1 + 2 * x, x, whiten=whiten).reason == Reason.EXACT_FIT
    assert find_break(checkered, x, whiten=False).reason is None
    assert find_break(checkered, x).reason == Reason.TOO_FEW
