from __future__ import annotations

import numpy as np
import pytest

from pairscope.analytics.entry.metric import entries_of
from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.engle_granger import residual
from pairscope.analytics.estimators.half_life import half_life
from pairscope.analytics.estimators.hurst import hurst
from pairscope.analytics.estimators.variance_ratio import variance_ratio
from pairscope.analytics.metrics import mean_reversion
from pairscope.analytics.registry import CATALOGUE, pair_metrics
from pairscope.analytics.values import Flag, Reason
from pairscope.base.model import FloatArray

NAMES = [metric.name for metric in entries_of(mean_reversion)]


def window_of(spread: FloatArray, per_year: float = 525_600.0) -> PairWindow:
    x = 11 + 1e-3 * np.random.default_rng(1).normal(size=len(spread)).cumsum()
    return PairWindow(0.8 * x + spread, x, 5, len(spread), per_year)


def reverting(count: int, phi: float = 0.8) -> FloatArray:
    random = np.random.default_rng(2)
    spread = np.zeros(count)
    for t in range(1, count):
        spread[t] = phi * spread[t - 1] + 5e-4 * random.normal()
    return spread


def test_metrics_are_those_of_the_fitted_spread() -> None:
    window = window_of(reverting(300))
    spread = residual(window.y, window.x).spread
    life, path = half_life(spread), hurst(spread)
    expected = {
        "half_life": life.bars,
        "half_life_low": life.low,
        "half_life_high": life.high,
        "half_life_ms": life.bars * 60_000,
        "half_life_ar1": life.ar1,
        "half_life_lambda": life.by_rate,
        "variance_ratio": variance_ratio(spread).ratio,
        "variance_ratio_p": variance_ratio(spread).p,
        "hurst": path.exponent,
        "hurst_low": path.low,
        "hurst_high": path.high,
    }
    metrics = pair_metrics(window, NAMES)
    assert {name: value.value for name, value in metrics.items()} == pytest.approx(expected, rel=1e-12)


def test_the_lag_of_the_variance_ratio_can_be_chosen() -> None:
    window = window_of(reverting(300))
    spread = residual(window.y, window.x).spread
    assert CATALOGUE["variance_ratio"].compute(window, lag=3).value == variance_ratio(spread, lag=3).ratio
    assert CATALOGUE["variance_ratio_p"].compute(window, lag=200).reason == Reason.TOO_FEW


def test_the_half_life_of_a_walk_is_refused_and_the_hurst_exponent_is_not() -> None:
    metrics = pair_metrics(window_of(1e-3 * np.random.default_rng(5).normal(size=300).cumsum()), NAMES)
    assert {metrics[name].reason for name in NAMES if name.startswith("half_life")} == {Reason.NOT_REVERTING}
    assert metrics["hurst"].reason is None


def test_a_half_life_is_given_exactly_when_a_pair_is_claimed() -> None:
    for seed in range(60):
        random = np.random.default_rng([11, seed])
        x = random.normal(size=300).cumsum()
        spread = np.zeros(300)
        for t in range(1, 300):
            spread[t] = 0.9 * spread[t - 1] + random.normal()
        y = x + spread if seed % 3 == 0 else random.normal(size=300).cumsum() if seed % 3 == 1 else spread
        metrics = pair_metrics(PairWindow(y, x, 0, 300, 525_600.0), ["coint_p", *NAMES])
        p = metrics["coint_p"].value
        claimed = isinstance(p, float) and p < 0.10
        for name in ("half_life", "half_life_ms", "half_life_ar1", "half_life_lambda"):
            assert (metrics[name].value is not None) == claimed, (seed, name)
            if not claimed:
                assert metrics[name].reason in {Reason.NOT_REVERTING, Reason.LEG_IS_STATIONARY}


def test_the_hurst_exponent_needs_more_bars_than_the_half_life() -> None:
    metrics = pair_metrics(window_of(reverting(80)), NAMES)
    assert metrics["hurst"].reason == Reason.TOO_FEW
    assert metrics["half_life"].reason is None


def test_a_half_life_below_one_bar_is_told_as_such() -> None:
    short, long = reverting(2_000, 0.3), reverting(300)  # of 0.6 bars, and of 3
    nothing = np.random.default_rng(3).normal(0, 1e-3, 300)  # no deviation is left at the next bar
    assert CATALOGUE["half_life"].compute(window_of(nothing)).reason == Reason.BELOW_ONE_BAR
    for name in ("half_life", "half_life_low", "half_life_high", "half_life_ms"):
        told = CATALOGUE[name].compute(window_of(short))
        assert (told.reason, told.flags) == (None, (Flag.BELOW_ONE_BAR,))
        assert CATALOGUE[name].compute(window_of(long)).flags == ()
    for name in ("half_life_ar1", "half_life_lambda"):
        told = CATALOGUE[name].compute(window_of(short))
        assert isinstance(told.value, float)
        assert told.flags == ((Flag.BELOW_ONE_BAR,) if told.value < 1.0 else ())
    assert CATALOGUE["half_life_ar1"].compute(window_of(short)).flags == (Flag.BELOW_ONE_BAR,)
    assert half_life(residual(window_of(short).y, window_of(short).x).spread).bars < 1.0
