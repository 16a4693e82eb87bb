from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm

from pairscope.analytics.estimators.line_shift import shift_of
from pairscope.base.model import FloatArray
from tests import paths

WINDOW = 200


def pair(seed: int, draw: paths.Draw | None = None) -> tuple[FloatArray, FloatArray]:
    return (draw or paths.sound(4.0))(np.random.default_rng([6, seed]), 2 * WINDOW)


def test_it_is_the_mean_residual_in_its_long_run_error() -> None:
    y, x = pair(1)
    fit = sm.OLS(y[:WINDOW], sm.add_constant(x[:WINDOW])).fit()
    left, newest = fit.resid, slice(-WINDOW // 4, None)
    lags = WINDOW // 8
    products = [float(left[k:] @ left[: WINDOW - k]) / WINDOW for k in range(lags + 1)]
    long_run = products[0] + 2 * sum((1 - k / (lags + 1)) * products[k] for k in range(1, lags + 1))
    away = x[newest].mean() - x[:WINDOW].mean()
    spread = y[newest].mean() - fit.params[0] - fit.params[1] * x[newest].mean()
    size = 1 / 50 + 1 / WINDOW + away**2 / np.sum((x[:WINDOW] - x[:WINDOW].mean()) ** 2)
    assert shift_of(y, x, WINDOW, True) == pytest.approx(abs(spread) / math.sqrt(long_run * size), rel=1e-9)


def test_sound_pairs_stay_below_five_and_jumps_do_not() -> None:
    sound = [shift_of(*pair(seed), WINDOW, True) for seed in range(500)]
    assert np.mean([shift > 5.0 for shift in sound]) < 0.02
    jump = paths.broken(4.0, "jump", 5.0, 2 * WINDOW - 60)
    assert np.mean([shift_of(*pair(seed, jump), WINDOW, True) > 5.0 for seed in range(200)]) > 0.75


def test_scale_and_shift_of_the_prices_change_nothing() -> None:
    y, x = pair(2)
    expected = shift_of(y, x, WINDOW, True)
    assert shift_of(y * 1024.0, x, WINDOW, True) == pytest.approx(expected, rel=1e-9)
    assert shift_of(1e4 + y, x - 1e4, WINDOW, True) == pytest.approx(expected, rel=1e-6)


def test_without_two_windows_it_is_nothing() -> None:
    y, x = pair(3)
    assert shift_of(y[1:], x[1:], WINDOW, True) == 0.0
    y[: WINDOW // 2 + 1] = math.nan
    assert shift_of(y, x, WINDOW, True) == 0.0
    y, x = pair(3)
    y[-WINDOW // 8 - 1 :] = math.nan
    assert shift_of(y, x, WINDOW, True) == 0.0


def test_a_few_missing_bars_hardly_change_it() -> None:
    y, x = pair(4)
    expected = shift_of(y, x, WINDOW, True)
    y[[10, 50, 130, -3]] = math.nan
    assert shift_of(y, x, WINDOW, True) == pytest.approx(expected, abs=0.3)


def test_a_line_that_is_none_or_fits_exactly_has_no_shift() -> None:
    _, x = pair(5)
    assert shift_of(2 * x, x, WINDOW, True) == 0.0
    assert shift_of(x, np.full(2 * WINDOW, 3.0), WINDOW, True) == 0.0
