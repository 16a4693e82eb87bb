"""A pair on prices themselves and without an intercept, beside statsmodels and fifty digits."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any, cast

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.stattools import adfuller
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.cusum import find_break, recursive_residuals
from pairscope.analytics.estimators.hedge import METHODS
from pairscope.analytics.estimators.kalman import log_likelihood
from pairscope.analytics.estimators.kalman_noise import fit_noise
from pairscope.analytics.estimators.line_shift import shift_of
from pairscope.analytics.estimators.readings import PairHistory, history_bars
from pairscope.analytics.estimators.regression import huber_rows
from pairscope.analytics.estimators.terms import ALL_TERMS, OF_QUANTITIES, USUAL, Prices, Terms
from pairscope.analytics.kernels.mackinnon import NO_CONSTANT_PAIR, critical_values, p_value
from pairscope.analytics.registry import CATALOGUE, pair_metrics
from pairscope.analytics.values import Flag, Reason
from pairscope.base.errors import PairscopeError, RequestError, UnknownName
from pairscope.base.model import FloatArray
from tests.fifty_digits import DIGITS, exact

COUNT = 260
VIEWS: list[tuple[Prices, bool]] = [("log", True), ("log", False), ("level", True), ("level", False)]
LINE = ["beta", "alpha", "r2", "spread", "spread_mean", "spread_std", "spread_z", "beta_stderr", "beta_t"]


def closes_of(seed: int, count: int = COUNT, phi: float = 0.6, above: float = 1.0) -> FloatArray:
    """Closes of a pair: x near 60,000 and y near 3,000, which is alpha + beta x of prices and a spread that returns."""
    random = np.random.default_rng([65, seed])
    x = 60_000.0 * np.exp(np.cumsum(random.normal(0, 0.002, count)))
    spread = np.zeros(count)
    for t in range(1, count):
        spread[t] = phi * spread[t - 1] + random.normal(0, 3.0)
    return np.array([600.0 * above + 0.04 * x + spread, x])


def window_of(closes: FloatArray, window: int | None = None, history: PairHistory | None = None) -> PairWindow:
    return PairWindow.of_closes(closes[0], closes[1], 7, window or closes.shape[1], 525_600.0, None, history)


def history_of(closes: FloatArray) -> PairHistory:
    logs = np.log(closes)
    return PairHistory(logs[0], logs[1], closes.shape[1] - 1, 60_000, closes)


def values(closes: FloatArray, prices: str) -> tuple[FloatArray, FloatArray]:
    of = closes if prices == "level" else np.log(closes)
    return of[0], of[1]


def design(x: FloatArray, intercept: bool) -> FloatArray:
    return sm.add_constant(x) if intercept else x[:, None]


# --- lines ---


@pytest.mark.parametrize(("prices", "intercept"), VIEWS)
def test_least_squares_equals_fifty_digits(prices: Prices, intercept: bool) -> None:
    closes = closes_of(1)
    found = {name: one.value for name, one in pair_metrics(window_of(closes).on(prices, intercept), LINE).items()}
    with mpmath.workdps(DIGITS):
        y, x = (exact(leg) for leg in values(closes, prices))
        n = len(y)
        mean_y, mean_x = (mpmath.fsum(leg) / n if intercept else mpmath.mpf(0) for leg in (y, x))
        sxx, sxy, syy = (
            mpmath.fsum((a - p) * (b - q) for a, b in zip(one, other, strict=True))
            for one, other, p, q in ((x, x, mean_x, mean_x), (x, y, mean_x, mean_y), (y, y, mean_y, mean_y))
        )
        beta = sxy / sxx
        left = [(b - mean_y) - beta * (a - mean_x) for a, b in zip(x, y, strict=True)]
        middle = mpmath.fsum(left) / n
        std = mpmath.sqrt(mpmath.fsum((each - middle) ** 2 for each in left) / (n - 1))
        stderr = mpmath.sqrt(mpmath.fsum(each**2 for each in left) / (n - 1 - intercept) / sxx)
        expected = {
            "beta": beta,
            "alpha": mean_y - beta * mean_x,
            "r2": sxy**2 / sxx / syy,
            "spread": left[-1],
            "spread_mean": middle,
            "spread_std": std,
            "spread_z": (left[-1] - middle) / std,
            "beta_stderr": stderr,
            "beta_t": beta / stderr,
        }
        scale = float(std)
        for name, value in expected.items():
            assert found[name] == pytest.approx(float(value), rel=1e-9, abs=1e-9 * scale), name
    assert intercept or found["alpha"] == 0.0


@pytest.mark.parametrize(("prices", "intercept"), VIEWS)
def test_least_squares_and_its_errors_equal_statsmodels(prices: Prices, intercept: bool) -> None:
    closes = closes_of(2)
    y, x = values(closes, prices)
    if intercept:  # around zero, where the oracle loses no digits
        y, x = y - y.mean(), x - x.mean()
    fit = sm.OLS(y, design(x, intercept)).fit()
    names = ["beta", "r2", "beta_stderr", "beta_t", "beta_p"]
    found = pair_metrics(window_of(closes).on(prices, intercept), names)
    expected = (fit.params[-1], fit.rsquared, fit.bse[-1], fit.tvalues[-1], fit.pvalues[-1])
    for name, value in zip(names, expected, strict=True):
        assert found[name].value == pytest.approx(value, rel=1e-8, abs=1e-300), name


def test_the_doubt_about_a_weak_line_counts_what_was_estimated() -> None:
    random = np.random.default_rng(4)
    x, noise = random.normal(size=(2, 12))
    window = PairWindow(0.4 * x + noise, x, 0, 12, 1.0)
    for intercept in (True, False):
        fit = sm.OLS(0.4 * x + noise, design(x, intercept)).fit()
        found = pair_metrics(window.on("log", intercept), ["beta_stderr", "beta_p"])
        assert found["beta_stderr"].value == pytest.approx(fit.bse[-1], rel=1e-9)
        assert found["beta_p"].value == pytest.approx(fit.pvalues[-1], rel=1e-9)
        assert fit.pvalues[-1] > 1e-3


@pytest.mark.parametrize("prices", ["log", "level"])
def test_the_line_of_total_least_squares_without_an_intercept_is_the_nearest_through_zero(
    prices: Prices,
) -> None:
    closes = closes_of(3)
    y, x = values(closes, prices)
    _, _, axes = np.linalg.svd(np.stack([x, y], axis=1), full_matrices=False)
    hedge = window_of(closes).on(prices, False).hedge("tls")
    assert hedge.beta == pytest.approx(axes[0, 1] / axes[0, 0], rel=1e-9)
    assert hedge.alpha == 0.0
    assert hedge.spread == pytest.approx(y[-1] - hedge.beta * x[-1], abs=1e-9 * hedge.spread_std)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prices", ["log", "level"])
def test_huber_without_an_intercept_equals_statsmodels(prices: Prices, seed: int) -> None:
    closes = closes_of(seed, phi=0.0, above=0.0)
    closes[0, ::9] *= 1.05  # outliers
    y, x = values(closes, prices)
    if prices == "log":  # a ray, where the logarithms of a pair have none
        y = 0.7 * x + np.random.default_rng(seed).standard_t(2, len(x)) * 1e-3
    scale = float(max(np.abs(y).max(), np.abs(x).max()))
    fit = sm.RLM(y / scale, x[:, None] / scale, M=sm.robust.norms.HuberT(1.345))
    expected = fit.fit(scale_est="mad", tol=1e-14, maxiter=500)
    rows, _ = huber_rows(y, x, len(y), 0, False)
    assert rows[0, -1] == pytest.approx(expected.params[0], rel=1e-8)
    assert rows[1, -1] == 0.0


def test_huber_without_an_intercept_is_exact_where_most_points_lie_on_a_ray() -> None:
    x = np.linspace(50.0, 60.0, 90)
    y = 0.3 * x
    y[::3] += 7.0
    rows, _ = huber_rows(y, x, 90, 0, False)
    assert rows[0, -1] == pytest.approx(0.3, rel=1e-13)


def test_the_rolling_line_without_an_intercept_forecasts_the_bar_from_those_before() -> None:
    closes = closes_of(4)
    y, x = values(closes, "level")
    hedge = window_of(closes).on("level", False).hedge("rolling")
    past = sm.OLS(y[:-1], x[:-1, None]).fit()
    assert hedge.beta == pytest.approx(past.params[0], rel=1e-10)
    assert hedge.spread == pytest.approx(y[-1] - past.params[0] * x[-1], rel=1e-8)
    z = (hedge.spread - past.resid.mean()) / past.resid.std(ddof=1)
    assert hedge.spread_z == pytest.approx(z, rel=1e-8)


@pytest.mark.parametrize(("phi", "drift"), [(0.97, 1e-4), (0.5, 1e-2), (-0.3, 1e-7)])
def test_the_likelihood_of_the_filter_without_an_intercept_is_that_of_two_states(phi: float, drift: float) -> None:
    random = np.random.default_rng(5)
    p, q = random.normal(0, 1, 120), 1.0 + np.cumsum(random.normal(0, 0.01, 120))
    # b and the spread as a plain filter has them
    state, covariance = np.zeros(2), np.diag([1e6, 1.0 / (1.0 - phi**2)])
    errors, variances = [], []
    for one, other in zip(p, q, strict=True):
        row = np.array([other, 1.0])
        s = row @ covariance @ row
        errors.append(one - row @ state)
        variances.append(s)
        gain = covariance @ row / s
        state = (state + gain * errors[-1]) * np.array([1.0, phi])
        covariance = covariance - np.outer(gain, row @ covariance)
        covariance = covariance * np.outer([1.0, phi], [1.0, phi]) + np.diag([drift, 1.0])
    e, s = np.array(errors[1:]), np.array(variances[1:])
    variance = float(np.mean(e**2 / s))
    expected = -0.5 * (len(e) * (math.log(2 * math.pi * variance) + 1) + np.log(s).sum())
    assert log_likelihood(p, q, phi, drift, False) == pytest.approx((expected, variance), rel=1e-6)


@pytest.mark.parametrize("prices", ["log", "level"])
def test_the_noise_of_a_filter_without_an_intercept_is_fitted_to_the_top(prices: str) -> None:
    y, x = values(closes_of(6, 200), prices)
    slope = float(x @ y / (x @ x))
    p = (y - slope * x) / math.sqrt(float(np.mean((y - slope * x) ** 2)))
    q = x / math.sqrt(float(np.mean(x**2)))
    phi, drift = fit_noise(p, q, False)
    found = log_likelihood(p, q, phi, drift, False)[0]

    def below(point: FloatArray) -> float:
        return -log_likelihood(p, q, math.tanh(point[0]), math.exp(point[1]), False)[0]

    starts = [(a, b) for a in (0.5, 1.5, 3.0) for b in (-14.0, -7.0, -2.0)]
    best = max(-minimize(below, start, method="Nelder-Mead").fun for start in starts)
    assert found >= best - 0.01


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("prices", ["log", "level"])
def test_no_method_has_an_alpha_without_an_intercept(prices: Prices, method: str) -> None:
    closes = closes_of(7)
    found = pair_metrics(window_of(closes), ["alpha", "beta", "spread", "spread_z"], Terms(method, prices, False))
    y, x = values(closes, prices)
    assert found["alpha"].value == 0.0
    beta, spread = found["beta"].value, found["spread"].value
    assert isinstance(beta, float)
    assert spread == pytest.approx(y[-1] - beta * x[-1], abs=1e-9 * abs(y[-1]))
    assert isinstance(found["spread_z"].value, float)


def test_the_textbook_filter_has_no_intercept_either_way() -> None:
    window = window_of(closes_of(8))
    with_one, without = (window.on("log", intercept).hedge("kalman_naive") for intercept in (True, False))
    assert with_one == without


# --- tests ---


@pytest.mark.parametrize(("prices", "intercept"), VIEWS)
def test_the_test_of_a_pair_takes_the_tables_of_its_line(prices: Prices, intercept: bool) -> None:
    closes = closes_of(9)
    legs = values(closes, prices)
    if intercept:
        legs = legs[0] - legs[0].mean(), legs[1] - legs[1].mean()
    most = int(12 * (COUNT / 100) ** 0.25)
    found = pair_metrics(window_of(closes).on(prices, intercept), ["coint_t_naive", "coint_p_naive"])
    tested = []
    for y, x in (legs, legs[::-1]):
        left = sm.OLS(y, design(x, intercept)).fit().resid
        tested.append(adfuller(left, maxlag=most, regression="n", autolag="AIC", result_object=False)[0])
    p = mackinnonp(min(tested), regression="c" if intercept else "n", N=2)
    assert found["coint_t_naive"].value == pytest.approx(min(tested), rel=1e-7)
    assert found["coint_p_naive"].value == pytest.approx(min(1.0, 2 * p), rel=1e-6)


@pytest.mark.parametrize(("prices", "intercept"), VIEWS)
def test_the_plain_test_of_the_spread_has_a_constant_where_the_line_has(prices: Prices, intercept: bool) -> None:
    closes = closes_of(10)
    y, x = values(closes, prices)
    if intercept:
        y, x = y - y.mean(), x - x.mean()
    left = sm.OLS(y, design(x, intercept)).fit().resid
    most = int(12 * (COUNT / 100) ** 0.25)
    expected = adfuller(left, maxlag=most, regression="c" if intercept else "n", autolag="AIC", result_object=False)
    names = ["spread_adf_stat", "spread_adf_p", "spread_adf_lags", "spread_adf_crit"]
    found = pair_metrics(window_of(closes).on(prices, intercept), names)
    assert [found[name].value for name in names[:3]] == pytest.approx(expected[:3], rel=1e-6)
    assert found["spread_adf_crit"].value == pytest.approx(expected[4]["5%"], rel=1e-6)


@pytest.mark.parametrize(("prices", "intercept"), VIEWS)
def test_johansen_has_a_constant_where_the_line_has(prices: Prices, intercept: bool) -> None:
    closes = closes_of(11)
    legs = np.array(values(closes, prices))
    expected = coint_johansen(legs.T, 0 if intercept else -1, 1)
    found = pair_metrics(window_of(closes).on(prices, intercept), ["johansen_trace_naive", "johansen_rank_naive"])
    assert found["johansen_trace_naive"].value == pytest.approx(expected.trace_stat[0], rel=1e-6)
    below = expected.trace_stat <= expected.trace_stat_crit_vals[:, 1]
    assert found["johansen_rank_naive"].value == (int(below.argmax()) if below.any() else 2)


def test_the_surface_of_two_series_without_a_constant_is_mackinnons() -> None:
    for statistic in np.linspace(-20.0, 1.6, 433):
        expected = mackinnonp(statistic, regression="n", N=2)
        assert p_value(statistic, NO_CONSTANT_PAIR) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    found = [p_value(value, NO_CONSTANT_PAIR) for value in critical_values(NO_CONSTANT_PAIR, 300)]
    assert found == pytest.approx([0.01, 0.05, 0.10], rel=1e-4)


def test_critical_values_without_an_intercept_are_those_of_its_table() -> None:
    window = window_of(closes_of(12))
    found = [CATALOGUE["coint_crit"].compute(window, intercept=word).value for word in ("true", "false")]
    assert found[1] == pytest.approx(-2.76192)
    assert isinstance(found[0], float)
    assert found[0] < -3.3


@pytest.mark.slow
@pytest.mark.parametrize("prices", ["log", "level"])
def test_the_doubled_test_without_an_intercept_keeps_its_size_on_walks(prices: Prices) -> None:
    draws, rejected = 1_000, 0
    for seed in range(draws):
        random = np.random.default_rng([66, seed])
        closes = np.exp(np.log([[3_000.0], [60_000.0]]) + np.cumsum(random.normal(0, 1e-3, (2, 300)), axis=1))
        p = pair_metrics(window_of(closes).on(prices, False), ["coint_p_naive"])["coint_p_naive"].value
        rejected += isinstance(p, float) and p < 0.05
    assert rejected / draws <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / draws)


def test_recursive_residuals_without_an_intercept_equal_statsmodels() -> None:
    y, x = values(closes_of(13, 150), "level")
    expected = sm.RecursiveLS(y / 1e3, x[:, None] / 1e3).fit()
    residuals = expected.resid_recursive[1:]
    np.testing.assert_allclose(recursive_residuals(y, x, intercept=False) / 1e3, residuals, rtol=1e-6)
    count = 149
    line = 0.948 * (np.sqrt(count) + 2 * np.arange(1, count + 1) / np.sqrt(count))
    sums = np.cumsum(residuals) / residuals.std(ddof=1)
    found = find_break(y, x, whiten=False, intercept=False)
    assert found.n == count
    assert found.ratio == pytest.approx(np.max(np.abs(sums) / line), rel=1e-6)


def test_the_shift_of_a_line_without_an_intercept_is_a_mean_residual_in_its_error() -> None:
    window = 130
    y, x = values(closes_of(14, 2 * window, above=0.0), "level")
    fit = sm.OLS(y[:window], x[:window, None]).fit()
    left, newest, lags = fit.resid, slice(-(window // 4), None), window // 8
    products = [float(left[k:] @ left[: window - k]) / window for k in range(lags + 1)]
    long_run = products[0] + 2 * sum((1 - k / (lags + 1)) * products[k] for k in range(1, lags + 1))
    spread = y[newest].mean() - fit.params[0] * x[newest].mean()
    size = 1 / (window // 4) + x[newest].mean() ** 2 / float(x[:window] @ x[:window])
    assert shift_of(y, x, window, False) == pytest.approx(abs(spread) / math.sqrt(long_run * size), rel=1e-7)


def test_a_pair_with_an_intercept_is_none_without() -> None:
    closes = closes_of(15, phi=0.8)
    names = ["coint_p", "half_life"]
    with_one = pair_metrics(window_of(closes), names, Terms(prices="level"))
    without = pair_metrics(window_of(closes), names, Terms(prices="level", intercept=False))
    assert isinstance(with_one["half_life"].value, float)
    assert without["half_life"].reason == Reason.NOT_REVERTING


def test_health_is_of_the_line_that_is_asked_for() -> None:
    window = 60
    closes = closes_of(16, history_bars(window), phi=0.3, above=9.0)
    one = window_of(closes[:, -window:], window, history_of(closes))
    found = {
        terms: CATALOGUE["health"].compute(one, prices=terms[0], intercept=terms[1]).value
        for terms in itertools.product(("log", "level"), ("true", "false"))
    }
    assert found["level", "true"] == "cointegrated"
    assert found["level", "false"] in ("not_shown", "unrelated")


# --- terms ---


def test_what_terms_do_not_touch_is_the_same_to_the_last_bit_and_says_so() -> None:
    window = window_of(closes_of(17))
    untouched = ["price_spread", "correlation"]
    for terms in ALL_TERMS:
        assert pair_metrics(window, untouched, terms) == pair_metrics(window, untouched)
        assert pair_metrics(window.on(terms.prices, terms.intercept), untouched) == pair_metrics(window, untouched)
    for name in (*untouched, "correlation_hy", "correlation_hy_naive", "lead_lag"):
        assert not {"prices", "intercept"} & {one.name for one in CATALOGUE[name].parameters}


def test_every_other_metric_of_a_pair_takes_both_prices() -> None:
    untouched = {"price_spread", "correlation", "correlation_hy", "correlation_hy_naive", "lead_lag"}
    for metric in CATALOGUE.values():
        if metric.scope == "pair" and metric.name not in untouched:
            taken = {one.name for one in metric.parameters}
            assert "prices" in taken, metric.name
            assert ("intercept" in taken) == (metric.name != "correlation_levels"), metric.name


@pytest.mark.parametrize("metric", [one for one in CATALOGUE.values() if one.scope == "pair"], ids=lambda one: one.name)
def test_parameters_of_a_metric_and_a_window_on_those_terms_are_one(metric: Any) -> None:
    closes = closes_of(18, history_bars(60))
    history = history_of(closes)
    taken = {one.name for one in metric.parameters}
    for prices, intercept in VIEWS:
        asked = {"prices": prices, "intercept": "true" if intercept else "false"}
        one = window_of(closes[:, -61:], 60, history)
        other = window_of(closes[:, -61:], 60, history)
        by_name = metric.compute(one, **{name: value for name, value in asked.items() if name in taken})
        assert by_name == metric.compute(other.on(prices, intercept))


def test_levels_are_the_closes_themselves_to_the_last_bit() -> None:
    closes = closes_of(19)
    view = window_of(closes).on("level", True)
    assert view.y.tobytes() == closes[0].tobytes()
    assert np.exp(np.log(closes[0])).tobytes() != closes[0].tobytes()  # which is why they are kept
    assert view.on("log", True).y.tobytes() == np.log(closes)[0].tobytes()
    assert view.on("log", True) is view.on("log", True)


def test_a_beta_of_prices_has_a_flag_a_unit_and_a_remark() -> None:
    window, beta = window_of(closes_of(20)), CATALOGUE["beta"]
    assert beta.compute(window).flags == ()
    assert beta.compute(window, prices="level").flags == (Flag.OF_QUANTITIES,)
    assert CATALOGUE["beta_stderr"].compute(window, prices="level").flags == (Flag.OF_QUANTITIES,)
    assert (beta.unit_of({}), beta.unit_of({"prices": "level"})) == ("y per x", "units of x per y")
    assert CATALOGUE["spread"].unit_of({"prices": "level"}) == "price"
    assert CATALOGUE["coint_p"].unit_of({"prices": "level"}) == CATALOGUE["coint_p"].unit
    assert Terms(prices="level").remarks == [OF_QUANTITIES]
    assert len(Terms(prices="level", intercept=False).remarks) == 2
    assert USUAL.remarks == []


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: ":".join(terms.parts))
def test_terms_are_read_back_from_their_parts_and_their_parameters(terms: Terms) -> None:
    assert Terms.read_parts(terms.parts[0], terms.parts[1:]) == terms
    assert Terms.read(terms.parameters) == terms


def test_words_of_others_and_empty_ones_are_understood() -> None:
    assert Terms.read({"prices": "LEVELS", "intercept": "0", "method": "Robust"}) == Terms("huber", "level", False)
    assert Terms.read({"prices": "", "intercept": ""}) == USUAL
    assert Terms.read_parts("ols", ["Intercept = No", "prices="]) == Terms(intercept=False)


@pytest.mark.parametrize(
    ("parts", "error", "told"),
    [
        (["prices=euro"], RequestError, "choose from log, level"),
        (["intercept=maybe"], RequestError, "choose from true, false"),
        (["prices=log", "prices=level"], RequestError, "give it once"),
        (["price=level"], UnknownName, "write prices=level"),
        (["level"], UnknownName, "known: prices, intercept"),
        (["method=tls"], UnknownName, "known: prices, intercept"),
        ([""], UnknownName, "known: prices, intercept"),
    ],
)
def test_what_is_no_part_is_refused_with_the_cure(parts: list[str], error: type[PairscopeError], told: str) -> None:
    with pytest.raises(error) as caught:
        Terms.read_parts("ols", parts)
    assert told in f"{caught.value.cure}"


def test_terms_cannot_be_built_wrong() -> None:
    with pytest.raises(PairscopeError):
        Terms(method="magic")
    with pytest.raises(PairscopeError):
        replace(USUAL, prices=cast(Prices, "cents"))
    with pytest.raises(UnknownName):
        Terms.read({"price": "level"})
