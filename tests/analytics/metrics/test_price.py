from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pairscope.analytics.entry.window import SymbolWindow
from pairscope.analytics.kernels.rolling import rolling_moments
from pairscope.analytics.registry import CATALOGUE, symbol_metrics
from pairscope.analytics.values import Reason, Value
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]

NAMES = [
    "last_price",
    "last_return",
    "mean_price",
    "median_price",
    "std_price",
    "min_price",
    "max_price",
    "skew",
    "kurtosis",
    "volume",
    "quote_volume",
    "buy_volume",
    "trades",
    "vwap",
    "order_flow",
    "volatility",
    "volatility_annual",
    "cv",
    "price_z",
]


def window_of(close: Any, **changed: Any) -> SymbolWindow:
    close = np.array(close, np.float64)
    count = len(close)
    fields = {
        "close": close,
        "volume": np.full(count, 2.0),
        "quote_volume": np.full(count, 30.0),
        "buy_volume": np.full(count, 0.5),
        "trades": np.full(count, 3),
        "bars_per_year": 31_536_000.0,
        "first_index": 1_700_000_000,
        "window": count,
    }
    return SymbolWindow(**{**fields, **changed})


def test_every_metric_of_a_symbol_is_there() -> None:
    assert list(symbol_metrics(window_of([1.0, 2.0, 3.0])))[: len(NAMES)] == NAMES


def test_metrics_of_a_small_window_equal_figures_worked_by_hand() -> None:
    metrics = symbol_metrics(window_of([10.0, 20.0, 20.0, 40.0]))
    log2, std = math.log(2.0), math.sqrt(475.0 / 3.0)
    returns_std = log2 / math.sqrt(3.0)  # of ln 2, 0, ln 2
    expected = {
        "last_price": (40.0, 1),
        "last_return": (log2, 1),
        "mean_price": (22.5, 4),
        "median_price": (20.0, 4),
        "std_price": (std, 4),
        "min_price": (10.0, 4),
        "max_price": (40.0, 4),
        "skew": (1.1293, 4),
        "kurtosis": (2.2271, 4),
        "volume": (8.0, 4),
        "quote_volume": (120.0, 4),
        "buy_volume": (2.0, 4),
        "trades": (12, 4),
        "vwap": (15.0, 4),
        "order_flow": (-0.5, 4),
        "volatility": (returns_std, 3),
        "volatility_annual": (returns_std * math.sqrt(31_536_000.0), 3),
        "cv": (std / 22.5, 4),
        "price_z": (17.5 / std, 4),
    }
    for name, (value, n) in expected.items():
        assert (metrics[name].n, metrics[name].reason) == (n, None), name
        assert metrics[name].value == pytest.approx(value, rel=1e-4 if name in ("skew", "kurtosis") else 1e-12), name


def test_the_z_of_a_price_is_the_newest_one_of_the_whole_history(walks: Walks) -> None:
    close, _ = walks(seed=1, count=500, offset=60_000.0)
    history = rolling_moments(close, 100, 7)
    for t in (99, 250, 499):
        first = t - 99
        window = window_of(close[first : t + 1], window=100, first_index=7 + first)
        assert symbol_metrics(window)["price_z"].value == history.z[t]


def test_closes_before_the_window_change_nothing(walks: Walks) -> None:
    close, _ = walks(seed=2, count=150, offset=60_000.0)
    sums = {name: np.ones(100) for name in ("volume", "quote_volume", "buy_volume")}
    long = window_of(close, window=100, first_index=50, trades=np.ones(100, np.int64), **sums)
    short = window_of(close[50:], window=100, first_index=100, trades=np.ones(100, np.int64), **sums)
    assert symbol_metrics(long) == symbol_metrics(short)


def test_a_constant_window_has_a_deviation_of_zero_and_no_z_or_shape() -> None:
    metrics = symbol_metrics(window_of([60_000.1] * 20))
    assert metrics["std_price"] == Value(0.0, 20)
    assert metrics["volatility"] == Value(0.0, 19)
    for name in ("price_z", "skew", "kurtosis"):
        assert metrics[name] == Value(None, 20, Reason.CONSTANT)


def test_an_empty_window_gives_reasons() -> None:
    metrics = symbol_metrics(window_of([], window=300), NAMES)
    assert {name: value.reason for name, value in metrics.items() if value.value is None} == {
        **dict.fromkeys(NAMES, Reason.TOO_FEW),
        **dict.fromkeys(["last_price", "last_return"], Reason.STALE),
        **dict.fromkeys(["vwap", "order_flow"], Reason.NO_VOLUME),
    }


def test_a_single_bar_gives_what_one_bar_can() -> None:
    metrics = symbol_metrics(window_of([10.0], window=2))
    assert metrics["mean_price"] == Value(10.0, 1)
    assert metrics["std_price"] == Value(None, 1, Reason.TOO_FEW)
    assert metrics["volatility"] == Value(None, 0, Reason.TOO_FEW)
    assert metrics["last_return"] == Value(None, 0, Reason.STALE)


def test_a_z_needs_half_of_its_window() -> None:
    close = np.full(300, np.nan)
    close[-149:] = np.arange(149.0)
    assert symbol_metrics(window_of(close))["price_z"] == Value(None, 149, Reason.TOO_FEW)
    close[-150] = 1.0
    assert symbol_metrics(window_of(close))["price_z"].n == 150


def test_a_missing_newest_price_is_stale() -> None:
    metrics = symbol_metrics(window_of([1.0, 2.0, 3.0, np.nan]))
    assert [metrics[name].reason for name in ("last_price", "last_return", "price_z")] == [Reason.STALE] * 3
    assert metrics["mean_price"] == Value(2.0, 3)


def test_no_volume_has_no_average_price() -> None:
    metrics = symbol_metrics(window_of([1.0, 2.0], volume=np.zeros(2)))
    assert metrics["vwap"].reason == metrics["order_flow"].reason == Reason.NO_VOLUME
    assert metrics["volume"] == Value(0.0, 2)


def test_order_flow_is_one_when_every_aggressor_bought() -> None:
    metrics = symbol_metrics(window_of([1.0, 2.0], buy_volume=np.full(2, 2.0)))
    assert metrics["order_flow"].value == 1.0


def test_a_mean_of_zero_has_no_coefficient_of_variation() -> None:
    assert symbol_metrics(window_of([-1.0, 1.0]))["cv"] == Value(None, 2, Reason.NOT_FINITE)


def test_the_units_of_prices_and_volumes_are_named() -> None:
    assert {CATALOGUE[name].unit for name in ("vwap", "volume", "quote_volume")} == {"price", "base", "quote"}
