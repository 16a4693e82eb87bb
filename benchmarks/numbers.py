"""A process that computes the same statistics with pairscope and with the usual libraries, turn by turn.

``python -m benchmarks.numbers ROUNDS SYMBOLS``. Each contest first checks that both give the same numbers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from arch import arch_model
from statsmodels.tsa.statespace.mlemodel import MLEModel
from statsmodels.tsa.stattools import adfuller, coint

from benchmarks.processes import BenchmarkError, say
from pairscope.analytics.estimators.adf import adf
from pairscope.analytics.estimators.engle_granger import engle_granger, engle_granger_many
from pairscope.analytics.estimators.garch import fit_garch
from pairscope.analytics.estimators.hayashi_yoshida import TradeSeries, hayashi_yoshida
from pairscope.analytics.estimators.kalman import kalman_rows, log_likelihood
from pairscope.analytics.estimators.kalman_noise import fit_noise
from pairscope.analytics.estimators.panel import pair_columns
from pairscope.analytics.estimators.regression import huber_rows, window_sums
from pairscope.analytics.kernels.rolling import rolling_pair
from pairscope.base.model import FloatArray

BARS = 1_000
LONG_BARS = 100_000
WINDOW = 300
TICKS = 250_000  # of each leg
AGREEMENT = 1e-8
FITTED_AGREEMENT = 1e-4  # of parameters found by two searches


@dataclass(frozen=True, slots=True)
class Way:
    """One way to compute something: what to call, how often for one measurement, and how many results that gives."""

    who: str
    call: Callable[[], object]
    times: int = 1
    results: int = 1


def main() -> None:
    rounds, symbols = map(int, sys.argv[1:])
    random = np.random.default_rng(1)
    steps = random.normal(0, 1e-3, (symbols, BARS)) + random.normal(0, 1e-3, BARS)
    panel = 4.0 + np.cumsum(steps, axis=1)
    for task, ways in (
        ("cointegration", _cointegration(panel)),  # in the order that `analytics.py` expects
        ("adf", _adf(panel[0])),
        ("rolling", _rolling(np.random.default_rng(2))),
        ("kalman", _kalman(np.random.default_rng(2))),
        ("kalman_pass", _kalman_pass(np.random.default_rng(2))),
        ("garch", _garch(np.random.default_rng(2))),
        ("huber", _huber(np.random.default_rng(2))),
        ("bar_50", _bar(panel[:60], 50)),
        ("bar_1000", _bar(panel[:60], 1_000)),
        ("hayashi_yoshida", _hayashi_yoshida(np.random.default_rng(2))),
    ):
        for way in ways:
            way.call()
        found: dict[str, list[tuple[float, float]]] = {way.who: [] for way in ways}
        for turn in range(rounds):
            start = turn % len(ways)
            for way in ways[start:] + ways[:start]:  # nobody always comes first
                found[way.who].append(_timed(way))
        say("measured", task=task, seconds=found)


def _timed(way: Way) -> tuple[float, float]:
    """Wall and processor seconds for one result."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(way.times):
        way.call()
    results = way.times * way.results
    return (time.perf_counter() - wall_s) / results, (time.process_time() - cpu_s) / results


def _agree(what: str, ours: object, theirs: object, within: float = AGREEMENT) -> None:
    if not np.allclose(np.asarray(ours), np.asarray(theirs), rtol=within, atol=within):
        raise BenchmarkError(f"{what}: {ours} beside {theirs}")


def _cointegration(panel: FloatArray) -> list[Way]:
    y, x = np.triu_indices(len(panel), 1)
    one, other = panel[0], panel[1]
    _agree("engle_granger", engle_granger(one, other, both=False).statistic, coint(one, other, autolag="aic")[0])
    return [
        Way("pairscope", lambda: engle_granger_many(panel, y, x), results=len(y)),
        Way("statsmodels", lambda: (coint(one, other, autolag="aic"), coint(other, one, autolag="aic")), times=5),
    ]


def _adf(values: FloatArray) -> list[Way]:
    theirs = adfuller(values, autolag="AIC", result_object=False)
    ours = adf(values)
    _agree("adf", (ours.statistic, ours.lags), (theirs[0], theirs[2]))
    return [
        Way("pairscope", lambda: adf(values), times=1_000),
        Way("statsmodels", lambda: adfuller(values, autolag="AIC", result_object=False), times=5),
    ]


def _rolling(random: np.random.Generator) -> list[Way]:
    common = np.cumsum(random.normal(0, 1e-3, LONG_BARS))
    y, x = (common + np.cumsum(random.normal(0, 1e-3, LONG_BARS)) for _ in range(2))
    frame_y, frame_x = pd.Series(y), pd.Series(x)

    def usual() -> tuple[pd.Series, ...]:
        rolled_y, rolled_x = frame_y.rolling(WINDOW), frame_x.rolling(WINDOW)
        covariance = rolled_y.cov(frame_x)
        beta = covariance / rolled_x.var()
        spread = (frame_y - rolled_y.mean()) - beta * (frame_x - rolled_x.mean())
        deviation = np.sqrt(rolled_y.var() - beta * covariance)
        return beta, spread, spread / deviation, rolled_y.corr(frame_x)

    ours = rolling_pair(y, x, WINDOW, 0)
    columns = (ours.beta, ours.spread, ours.spread_z, ours.correlation)
    for mine, theirs in zip(columns, usual(), strict=True):
        _agree("rolling", mine[WINDOW:], theirs[WINDOW:], 1e-5)  # pandas carries its sums along and drifts
    return [
        Way("pairscope", lambda: rolling_pair(y, x, WINDOW, 0), times=5),
        Way("pandas", usual),
    ]


class _WalkingLine(MLEModel):  # type: ignore[misc]
    """The model of `kalman_rows`: a constant, a slope that walks, a spread AR(1); the variance is concentrated out."""

    def __init__(self, p: FloatArray, q: FloatArray) -> None:
        super().__init__(p, k_states=3, k_posdef=3, loglikelihood_burn=2)
        self["design"] = np.stack([np.ones_like(q), q, np.ones_like(q)])[None]
        self["selection"] = np.eye(3)
        self["obs_cov"] = np.zeros((1, 1))
        self.ssm.filter_concentrated = True

    @property
    def start_params(self) -> FloatArray:
        return np.array([1.5, -7.0])

    def update(self, params: FloatArray, **options: object) -> None:
        phi, drift = np.tanh(params[0]), np.exp(min(2.0, max(-16.0, float(params[1]))))
        self["transition"] = np.diag([1.0, 1.0, phi])
        self["state_cov"] = np.diag([0.0, drift, 1.0])
        self.ssm.initialize_known(np.zeros(3), np.diag([1e6, 1e6, 1.0 / (1.0 - phi * phi)]))


def _pair(random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Log prices whose slope walks and whose spread returns."""
    x = 11.0 + np.cumsum(random.normal(0, 1e-3, BARS))
    spread = np.zeros(BARS)
    for t, noise in enumerate(random.normal(0, 5e-4, BARS - 1)):
        spread[t + 1] = 0.95 * spread[t] + noise
    slope = 0.9 + np.cumsum(random.normal(0, 2e-3, BARS))
    return 11.0 + slope * (x - 11.0) + spread, x


def _scaled(y: FloatArray, x: FloatArray, past: int) -> tuple[FloatArray, FloatArray]:
    """Around the means of the past, in units of its deviations."""
    n, mean_y, mean_x, syy, sxx, sxy = window_sums(y[:past], x[:past])
    slope = sxy / sxx
    p = (y - mean_y) - slope * (x - mean_x)
    return p / np.sqrt((syy - slope * sxy) / n), (x - mean_x) / np.sqrt(sxx / n)


def _kalman(random: np.random.Generator) -> list[Way]:
    y, x = _pair(random)
    past = BARS // 8 * 7
    p, q = _scaled(y, x, past)

    def usual() -> FloatArray:
        """The noise fitted on the past, then the filter over all bars."""
        fitted = _WalkingLine(p[:past], q[:past]).fit(disp=False, cov_type="none")
        _WalkingLine(p, q).filter(fitted.params, cov_type="none")
        found: FloatArray = fitted.params
        return found

    mine, theirs = fit_noise(p[:past], q[:past], True), usual()
    reached = log_likelihood(p[:past], q[:past], float(np.tanh(theirs[0])), float(np.exp(theirs[1])), True)[0]
    _agree("kalman", log_likelihood(p[:past], q[:past], *mine, True)[0], reached, FITTED_AGREEMENT)
    return [
        Way("pairscope", lambda: kalman_rows(y, x, BARS, 0), times=20),
        Way("statsmodels", usual),
    ]


def _garch(random: np.random.Generator) -> list[Way]:
    returns, variance = np.empty(BARS - 1), 1.0
    for t, noise in enumerate(random.normal(0, 1, len(returns))):
        returns[t] = np.sqrt(variance) * noise
        variance = 0.05 + 0.1 * returns[t] ** 2 + 0.85 * variance
    per_cent = 0.1 * (returns - returns.mean())  # 0.1 % a bar
    model = arch_model(per_cent, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)

    def usual() -> object:
        return model.fit(disp="off", show_warning=False)

    ours = fit_garch(per_cent / 100.0)
    theirs = model.fit(disp="off", show_warning=False, backcast=float(np.mean(per_cent**2)))  # begun as ours is
    if not ours.log_likelihood >= theirs.loglikelihood - FITTED_AGREEMENT * len(returns):
        raise BenchmarkError(f"garch: {ours} beside {theirs}")
    return [
        Way("pairscope", lambda: fit_garch(per_cent / 100.0), times=20),
        Way("arch", usual, times=5),
    ]


def _kalman_pass(random: np.random.Generator) -> list[Way]:
    p, q = _scaled(*_pair(random), BARS)
    model = _WalkingLine(p, q)
    params = np.array([1.8, -6.0])
    ours = log_likelihood(p, q, float(np.tanh(1.8)), float(np.exp(-6.0)), True)[0]
    model.update(params)
    _agree("kalman_pass", ours, model.ssm.loglike())
    return [
        Way("pairscope", lambda: log_likelihood(p, q, 0.95, 1e-3, True), times=200),
        Way("statsmodels", model.ssm.loglike, times=20),
    ]


def _huber(random: np.random.Generator) -> list[Way]:
    x = np.cumsum(random.normal(0, 1e-3, BARS))
    y = 0.1 + 0.9 * x + random.normal(0, 1e-3, BARS)
    y[::50] += 0.05
    design = sm.add_constant(x)
    robust = sm.RLM(y, design, M=sm.robust.norms.HuberT()).fit(tol=1e-13, maxiter=500)
    _agree("huber", huber_rows(y, x, BARS, 0)[0][0, -1], robust.params[1], 1e-7)
    return [
        Way("pairscope", lambda: huber_rows(y, x, BARS, 0), times=50),
        Way("statsmodels", lambda: sm.RLM(y, design, M=sm.robust.norms.HuberT()).fit(), times=3),
    ]


def _bar(panel: FloatArray, pairs: int) -> list[Way]:
    y, x = (legs[:pairs] for legs in np.triu_indices(len(panel), 1))
    return [Way("pairscope", lambda: pair_columns(panel, y, x, WINDOW, 0), times=50)]


def _hayashi_yoshida(random: np.random.Generator) -> list[Way]:
    y, x = (
        TradeSeries(np.sort(random.choice(4 * TICKS, TICKS, replace=False)), np.cumsum(random.normal(0, 1e-5, TICKS)))
        for _ in range(2)
    )
    return [Way("pairscope", lambda: hayashi_yoshida(y, x), results=2 * TICKS)]


if __name__ == "__main__":
    main()
