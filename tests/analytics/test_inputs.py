"""Public functions take any real numbers, and every example in a docstring is true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.adf import adf
from pairscope.analytics.estimators.clustering import cluster, correlation_matrix, distances
from pairscope.analytics.estimators.cusum import find_break, recursive_residuals
from pairscope.analytics.estimators.engle_granger import engle_granger, engle_granger_many, residual
from pairscope.analytics.estimators.garch import fit_garch
from pairscope.analytics.estimators.half_life import half_life
from pairscope.analytics.estimators.hayashi_yoshida import (
    PairTicks,
    TradeSeries,
    epps_curve,
    hayashi_yoshida,
    series_of,
)
from pairscope.analytics.estimators.hedge import METHODS, SERIES
from pairscope.analytics.estimators.hurst import hurst
from pairscope.analytics.estimators.johansen import johansen
from pairscope.analytics.estimators.kalman import kalman_rows, naive_rows
from pairscope.analytics.estimators.panel import correlations_of, pair_columns
from pairscope.analytics.estimators.regression import huber_rows, past_rows, tls_rows
from pairscope.analytics.estimators.variance_ratio import variance_ratio
from pairscope.analytics.kernels.moments import price_moments, volume_sums
from pairscope.analytics.kernels.rolling import last_pair, rolling_moments, rolling_pair
from pairscope.analytics.metrics.indicators import ema_series, rsi_series, sma_series
from pairscope.analytics.registry import CATALOGUE
from pairscope.base.jit import floats

COUNT = 160
RANDOM = np.random.default_rng(3)
X = 5_000 + np.cumsum(RANDOM.integers(-9, 10, COUNT))
Y = 2 * X - 5_000 + RANDOM.integers(-20, 21, COUNT)
BOTH = np.array([Y, X])
ONE, TWO = np.array([0]), np.array([1])

CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "adf": lambda y, x: (adf(y), adf(y, constant=False, lags=2)),
    "cluster": lambda y, x: cluster(distances(correlation_matrix(np.array([y, x]), COUNT, 0).matrix)),
    "cointegration": engle_granger,
    "cointegrations": lambda y, x: engle_granger_many(np.array([y, x]), ONE.astype(np.int32), TWO.astype(np.uint8)),
    "correlations": lambda y, x: correlations_of(np.array([y, x]), ONE, TWO, COUNT, 0, "returns"),
    "cusum": lambda y, x: (find_break(y, x), recursive_residuals(y, x)),
    "epps": lambda y, x: epps_curve(*tapes(y, x)),
    "garch": lambda y, x: fit_garch(y, fewest=10),
    "half_life": lambda y, x: half_life(y),
    "hayashi_yoshida": lambda y, x: hayashi_yoshida(*tapes(y, x)),
    "hurst": lambda y, x: hurst(y),
    "indicators": lambda y, x: (sma_series(y, 1, 0), sma_series(y, 5, 0), ema_series(y, 5, 50), rsi_series(y, 5, 50)),
    "johansen": lambda y, x: johansen(np.array([y, x])),
    "lines": lambda y, x: [rows(y, x, 40, 3) for rows in (tls_rows, huber_rows, past_rows, kalman_rows, naive_rows)],
    "methods": lambda y, x: [method(y, x, COUNT, 3, True) for method in METHODS.values()],
    "moments": lambda y, x: (price_moments(y), volume_sums(y, x, x, y)),
    "panel": lambda y, x: pair_columns(np.array([y, x]), ONE, TWO, COUNT, 0),
    "residual": residual,
    "rolling": lambda y, x: (rolling_pair(y, x, 20, 0), last_pair(y, x, 20, 0), rolling_moments(y, 20, 0)),
    "series": lambda y, x: [series(y, x, 40, 3, True) for series in SERIES.values()],
    "variance_ratio": lambda y, x: variance_ratio(y),
}


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.float32, np.uint16, "list", "strided", "read only"])
@pytest.mark.parametrize("name", CALLS)
def test_whole_numbers_of_any_kind_give_the_bits_of_floats(name: str, kind: Any) -> None:
    legs = [_as(kind, leg) for leg in (Y, X)]
    if kind == "list" and name in ("moments", "johansen", "lines", "indicators", "panel"):
        legs = [np.asarray(leg) for leg in legs]
    found, expected = CALLS[name](*legs), CALLS[name](Y.astype(np.float64), X.astype(np.float64))
    assert repr(found) == repr(expected)


def tapes(y: Any, x: Any) -> tuple[TradeSeries, TradeSeries]:
    times: Any = np.arange(COUNT, dtype=np.int32) * 1_000
    return series_of(times, y), series_of(times, x)


def _as(kind: Any, leg: Any) -> Any:
    if kind == "list":
        return leg.tolist()
    if kind == "strided":
        return np.repeat(leg.astype(np.float64), 2)[::2]
    if kind == "read only":
        fixed = leg.astype(np.float64)
        fixed.flags.writeable = False
        return fixed
    return leg.astype(kind)


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_metrics_of_windows_of_whole_numbers_are_those_of_floats(kind: Any) -> None:
    def window(scope: str, y: Any, x: Any) -> SymbolWindow | PairWindow:
        if scope == "pair":
            return PairWindow(y, x, 7, COUNT, 525_600.0, PairTicks(*tapes(y, x)))
        return SymbolWindow(y, x, x, x, np.ones(COUNT, np.int64), 525_600.0, 7, COUNT, np.tile(y, 5), y, y)

    differ = []
    for name, metric in CATALOGUE.items():
        found = metric.compute(window(metric.scope, (Y // 100).astype(kind), (X // 100).astype(kind)))
        plain = window(metric.scope, (Y // 100).astype(np.float64), (X // 100).astype(np.float64))
        differ += [name] if found != metric.compute(plain) else []
    assert differ == []


def test_numbers_become_floats_of_their_own_value() -> None:
    assert floats([1, 2.5]).tolist() == [1.0, 2.5]
    assert floats(np.array([0.1], np.float32)).tolist() == [float(np.float32(0.1))]


def test_functions_for_everybody_have_an_example() -> None:
    without = []
    for function in (adf, engle_granger, residual, recursive_residuals, fit_garch, hurst, half_life, johansen, floats):
        if ">>>" not in (function.__doc__ or ""):
            without.append(function)
    assert without == []
