"""Tools of the tests of analytics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pairscope.analytics.estimators.hayashi_yoshida import TradeSeries, series_of
from pairscope.base.model import FloatArray


@pytest.fixture(scope="session")
def walks() -> Callable[..., tuple[FloatArray, FloatArray]]:
    """Makes two seeded walks y and x that share most of their steps; some positions may be missing."""

    def make(
        seed: int, count: int, offset: float = 0.0, step: float = 1.0, missing: float = 0.0
    ) -> tuple[FloatArray, FloatArray]:
        random = np.random.default_rng(seed)
        common = np.cumsum(random.normal(0, step, count))
        x = offset + common
        y = offset + 0.7 * common + np.cumsum(random.normal(0, 0.3 * step, count))
        y[random.random(count) < missing] = np.nan
        x[random.random(count) < missing] = np.nan
        return y, x

    return make


@pytest.fixture(scope="session")
def diffusions() -> Callable[..., tuple[TradeSeries, TradeSeries]]:
    """Makes the seeded tapes y and x of an hour of two prices that move together; y may follow x by a lag."""

    def make(
        seed: int, rates: tuple[float, float] = (2.0, 0.5), correlation: float = 0.8, lag_ms: int = 0
    ) -> tuple[TradeSeries, TradeSeries]:
        random = np.random.default_rng(seed)
        span = 360_000  # of 10 ms
        common = random.normal(0, 1e-4, span)
        own = random.normal(0, 1e-4, span)
        steps = (common, correlation * common + np.sqrt(1 - correlation**2) * own)
        tapes = []
        for step, rate, delay in zip(steps, rates, (lag_ms, 0), strict=True):
            at = np.sort(random.choice(span, int(3_600 * rate), replace=False))
            tapes.append(series_of(at * 10 + delay, np.exp(np.cumsum(step)[at])))
        return tapes[0], tapes[1]

    return make
