from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from statsmodels.datasets import nile
from statsmodels.tsa.statespace.kalman_filter import KalmanFilter

from pairscope.analytics.estimators.hedge import SERIES
from pairscope.analytics.estimators.kalman import FEWEST_BARS, REFITS, kalman_rows, log_likelihood, naive_rows
from pairscope.analytics.estimators.kalman_noise import fit_noise
from pairscope.analytics.estimators.regression import window_sums
from pairscope.base.model import FloatArray

BETA, ALPHA, CORRELATION, SPREAD, MEAN, STD, Z = range(7)


def cointegrated(
    seed: int, count: int, phi: float = 0.97, drift: float = 0.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log prices y and x, and the spread that y has beside x."""
    random = np.random.default_rng(seed)
    x = np.cumsum(random.normal(0, 0.001, count))
    spread = np.zeros(count)
    for t, noise in enumerate(random.normal(0, 0.0005, count - 1)):
        spread[t + 1] = phi * spread[t] + noise
    beta = 0.9 + np.cumsum(random.normal(0, drift, count))
    return 11.0 + 0.1 + beta * x + spread, 11.0 + x, spread


def statsmodels_filter(p: FloatArray, q: FloatArray, phi: float, drift: float) -> KalmanFilter:
    design = np.stack([np.ones_like(q), q, np.ones_like(q)])[None]
    model = KalmanFilter(
        k_endog=1,
        k_states=3,
        design=design,
        transition=np.diag([1.0, 1.0, phi]),
        selection=np.eye(3),
        state_cov=np.diag([0.0, drift, 1.0]),
        obs_cov=np.zeros((1, 1)),
        nobs=len(p),
    )
    model.bind(p.copy())
    model.initialize_known(np.zeros(3), np.diag([1e6, 1e6, 1 / (1 - phi**2)]))
    return model.filter()


def correlation(one: FloatArray, other: FloatArray) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[both], other[both])[0, 1])


# --- the numbers are right ---


@pytest.mark.parametrize(("count", "missing"), [(200, 0), (200, 37), (5, 0), (9, 4)])
@pytest.mark.parametrize(("phi", "drift"), [(0.97, 1e-4), (0.5, 1e-2), (-0.3, 1e-7), (0.2, 50.0)])
def test_the_likelihood_equals_statsmodels(phi: float, drift: float, count: int, missing: int) -> None:
    random = np.random.default_rng(1)
    p, q = random.normal(0, 1, count), np.cumsum(random.normal(0, 0.1, count))
    p[count // 2 : count // 2 + missing] = np.nan
    result = statsmodels_filter(p, q, phi, drift)
    e, s = result.forecasts_error[0][2:], result.forecasts_error_cov[0, 0][2:]
    present = np.isfinite(e)
    e, s = e[present], s[present]
    variance = float(np.mean(e**2 / s))
    expected = -0.5 * (len(e) * (math.log(2 * math.pi * variance) + 1) + np.log(s).sum())
    assert log_likelihood(p, q, phi, drift, True) == pytest.approx((expected, variance), rel=1e-8)


def test_the_line_equals_statsmodels_with_the_fitted_noise() -> None:
    y, x, _ = cointegrated(seed=2, count=400, drift=1e-4)
    window, block = 400, 50
    past = block * (REFITS - 1)
    rows, n = kalman_rows(y, x, window, 0)
    cut = 350  # of the last bar: 399 // 50 * 50
    before = slice(cut - past, cut)
    count, mean_y, mean_x, syy, sxx, sxy = window_sums(y[before], x[before])
    slope, unit_x = sxy / sxx, math.sqrt(sxx / count)
    unit_y = math.sqrt((syy - slope * sxy) / count)
    p, q = (y - mean_y - slope * (x - mean_x)) / unit_y, (x - mean_x) / unit_x
    phi, drift = fit_noise(p[before], q[before], True)
    variance = log_likelihood(p[before], q[before], phi, drift, True)[1]
    result = statsmodels_filter(p[cut - past :], q[cut - past :], phi, drift)
    a, b, s = result.filtered_state[:, -1]
    beta = slope + b * unit_y / unit_x
    expected = {
        BETA: beta,
        ALPHA: mean_y + a * unit_y - beta * mean_x,
        SPREAD: s * unit_y,
        MEAN: 0.0,
        STD: unit_y * math.sqrt(variance / (1 - phi**2)),
        Z: result.forecasts_error[0, -1] / math.sqrt(result.forecasts_error_cov[0, 0, -1] * variance),
    }
    assert n[-1] == 400
    for row, value in expected.items():
        assert rows[row, -1] == pytest.approx(value, rel=1e-7), row
    assert rows[SPREAD, -1] == pytest.approx(y[-1] - rows[ALPHA, -1] - rows[BETA, -1] * x[-1], abs=1e-9)


def test_the_fitted_spread_returns_as_fast_as_the_true_one() -> None:
    y, x, _ = cointegrated(seed=4, count=3_000)
    q = (x - x.mean()) / x.std()
    p = y - np.polyval(np.polyfit(q, y, 1), q)
    phi, _ = fit_noise(p / p.std(), q, True)
    assert phi == pytest.approx(0.97, abs=0.02)


# --- the truth is found ---


def test_the_spread_follows_the_true_one_where_the_textbook_filter_does_not() -> None:
    found: dict[str, list[float]] = {name: [] for name in ("kalman", "rolling", "kalman_naive")}
    for seed in range(8):
        y, x, spread = cointegrated(seed, 4_000)
        for name, values in found.items():
            values.append(correlation(SERIES[name](y, x, 1_500, 7, True).spread, spread))
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    assert mean["kalman"] >= 0.95
    assert mean["kalman"] > mean["rolling"]
    assert mean["kalman_naive"] < 0.2


def test_a_beta_that_walks_is_followed() -> None:
    for seed in range(3):
        random = np.random.default_rng(seed)
        x, spread = np.zeros(4_000), np.zeros(4_000)
        for t in range(1, 4_000):
            x[t] = 0.98 * x[t - 1] + random.normal(0, 0.005)
            spread[t] = 0.9 * spread[t - 1] + random.normal(0, 0.0005)
        beta = 0.9 + np.cumsum(random.normal(0, 0.003, 4_000))
        y = 11.0 + beta * x + spread
        kalman, rolling = (SERIES[name](y, 11.0 + x, 1_000, 7, True) for name in ("kalman", "rolling"))
        assert correlation(kalman.beta, beta) > 0.85
        assert correlation(kalman.spread, spread) > 0.85
        assert correlation(rolling.spread, spread) < correlation(kalman.spread, spread) - 0.1


def test_innovations_are_standard_and_white() -> None:
    y, x, _ = cointegrated(seed=5, count=5_000)
    z = kalman_rows(y, x, 1_000, 3)[0][Z]
    z = z[np.isfinite(z)]
    assert z.std() == pytest.approx(1.0, abs=0.05)
    assert abs(np.corrcoef(z[1:], z[:-1])[0, 1]) < 0.05


def test_the_textbook_filter_is_the_textbooks() -> None:
    y, x, _ = cointegrated(seed=6, count=80)
    beta, certainty, spreads = 0.0, 1.0, []
    for price_y, price_x in zip(y, x, strict=True):
        certainty += 1e-4 / (1 - 1e-4)
        variance = price_x**2 * certainty + 1e-3
        error = price_y - beta * price_x
        gain = certainty * price_x / variance
        beta += gain * error
        certainty *= 1 - gain * price_x
        spreads.append(price_y - beta * price_x)
    rows, n = naive_rows(y, x, 80, 0)
    assert n[-1] == 80
    assert rows[[BETA, ALPHA], -1] == pytest.approx([beta, 0.0], rel=1e-12)
    assert rows[[SPREAD, MEAN], -1] == pytest.approx([spreads[-1], np.mean(spreads)], rel=1e-9)
    assert rows[STD, -1] == pytest.approx(np.std(spreads, ddof=1), rel=1e-9)
    assert rows[Z, -1] == pytest.approx(error / math.sqrt(variance), rel=1e-9)


# --- where a number cannot be given ---


def test_a_window_too_short_for_a_fit_has_no_line() -> None:
    y, x, _ = cointegrated(seed=7, count=100)
    assert np.isnan(kalman_rows(y, x, FEWEST_BARS - 1, 0)[0]).all()
    assert np.isfinite(kalman_rows(y, x, FEWEST_BARS, 0)[0][BETA, FEWEST_BARS - 1 :]).all()


def test_two_observations_have_no_likelihood() -> None:
    for values in (np.array([1.0, 2.0]), np.array([1.0, np.nan, 2.0]), np.zeros(9)):
        assert log_likelihood(values, np.arange(float(len(values))), 0.5, 1e-3, True) == (-math.inf, 0.0)


def test_a_fit_needs_half_of_its_own_bars() -> None:
    y, x, _ = cointegrated(seed=10, count=96)
    y[2:44] = np.nan  # 42 of the 84 before the last eighth are left
    assert np.isfinite(kalman_rows(y, x, 96, 0)[0][BETA, -1])
    y[1] = np.nan
    assert np.isnan(kalman_rows(y, x, 96, 0)[0][BETA, -1])


def test_a_missing_bar_is_passed_over() -> None:
    y, x, _ = cointegrated(seed=8, count=300)
    whole = kalman_rows(y, x, 300, 0)[1][-1]
    y[-1] = np.nan
    rows, n = kalman_rows(y, x, 300, 0)
    assert n[-1] == whole - 1
    assert np.isfinite(rows[[BETA, ALPHA, STD], -1]).all()
    assert np.isnan(rows[[SPREAD, Z], -1]).all()


@pytest.mark.parametrize("kind", ["constant", "exact", "absent"])
def test_nothing_to_fit_gives_no_line(kind: str) -> None:
    y, x, _ = cointegrated(seed=9, count=100)
    if kind == "constant":
        x[:] = 11.0
    elif kind == "exact":
        y = 1.0 + 2.0 * x
    else:
        y[:70] = np.nan
    assert np.isnan(kalman_rows(y, x, 100, 0)[0][:, -1]).all()


def test_the_likelihood_of_the_nile_peaks_at_the_published_variances() -> None:
    """Durbin and Koopman's local level model: a walking level is a beta that walks beside an x that stands at 1."""
    flow = nile.load_pandas().data["volume"].to_numpy(np.float64)
    # One more observation teaches alpha, so that the first of the river teaches beta.
    p, q = np.concatenate([[0.0], flow]), np.concatenate([[0.0], np.ones(len(flow))])
    found = minimize_scalar(
        lambda ln: -log_likelihood(p, q, 0.0, math.exp(ln), True)[0], bounds=(-8.0, 2.0), method="bounded"
    )
    best, noise = log_likelihood(p, q, 0.0, math.exp(found.x), True)
    assert noise == pytest.approx(15_099, rel=1e-3)
    assert noise * math.exp(found.x) == pytest.approx(1_469.1, rel=1e-3)
    assert best == pytest.approx(-632.54, abs=0.01)
