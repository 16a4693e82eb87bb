from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import SymbolWindow
from pairscope.analytics.metrics.indicators import ema_series, rsi_series, sma_series
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason, Value
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]

# StockCharts' worked example of RSI(14).
CLOSES = [
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931,
    46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521,
    45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
]  # fmt: skip
PUBLISHED_RSI = [
    70.5328, 66.3186, 66.5498, 69.4063, 66.3552, 57.9749, 62.9296, 63.2571, 56.0593, 62.3771,
    54.7076, 50.4228, 39.9898, 41.4605, 41.8689, 45.4632, 37.3040, 33.0795, 37.7730,
]  # fmt: skip


def window_of(close: Any, window: int = 300, first_index: int = 11) -> SymbolWindow:
    close = np.array(close, np.float64)
    empty = np.zeros(0)
    return SymbolWindow(close, empty, empty, empty, np.zeros(0, np.int64), 525_600.0, first_index, window)


def metric(name: str, close: Any, window: int = 300, **parameters: Any) -> Value:
    return CATALOGUE[name].compute(window_of(close, window), **parameters)


def test_rsi_equals_the_published_values() -> None:
    values, n = rsi_series(np.array(CLOSES), 14, 300)
    assert np.isnan(values[:14]).all()
    np.testing.assert_allclose(values[14:], PUBLISHED_RSI, atol=1e-4)
    assert n.tolist() == list(range(1, 34))
    assert metric("rsi", CLOSES, window=33) == Value(values[-1], 33)


def test_ema_equals_pandas(walks: Walks) -> None:
    close, _ = walks(seed=1, count=250, offset=60_000.0)
    expected = pd.Series(close).ewm(span=20, adjust=False).mean().to_numpy()
    np.testing.assert_allclose(ema_series(close, 20, 300)[0][19:], expected[19:], rtol=1e-12)


def test_sma_equals_pandas(walks: Walks) -> None:
    close, _ = walks(seed=2, count=250, offset=60_000.0, missing=0.1)
    expected = pd.Series(close).rolling(20, min_periods=10).mean().to_numpy()
    np.testing.assert_allclose(sma_series(close, 20, 7)[0][19:], expected[19:], rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    window=st.integers(1, 60),
    period=st.integers(1, 30),
    missing=st.sampled_from([0.0, 0.2]),
    first_index=st.integers(0, 10**9),
)
def test_the_newest_value_has_the_bits_of_the_whole_history(
    walks: Walks, seed: int, window: int, period: int, missing: float, first_index: int
) -> None:
    close, _ = walks(seed, 120, 60_000.0, missing=missing)
    averages = sma_series(close, period, first_index)[0]
    ema, rsi = (series(close, period, window)[0] for series in (ema_series, rsi_series))
    for t in (window - 1, 80, 119):
        if t < window - 1:
            continue
        tail = window_of(close[t - window + 1 : t + 1], window, first_index + t - window + 1)
        said = 2 * np.isfinite(tail.close).sum() >= window and np.isfinite(close[t])
        for name, series in (("ema", ema), ("rsi", rsi)):
            value = CATALOGUE[name].compute(tail, period=period).value
            assert value == (series[t] if said and np.isfinite(series[t]) else None), name
        if period <= window:
            value = CATALOGUE["sma"].compute(tail, period=period).value
            assert value == (averages[t] if said and np.isfinite(averages[t]) else None)


@pytest.mark.parametrize("known", [1, 57, 99])
def test_later_closes_never_change_an_earlier_value(walks: Walks, known: int) -> None:
    close, _ = walks(seed=3, count=100, missing=0.1)
    for series, arguments in ((sma_series, (10, 7)), (ema_series, (10, 40)), (rsi_series, (10, 40))):
        assert series(close[:known], *arguments)[0].tobytes() == series(close, *arguments)[0][:known].tobytes()


def test_the_first_close_of_a_window_hardly_weighs_by_default(walks: Walks) -> None:
    close, _ = walks(seed=4, count=600, offset=60_000.0)
    for series, period in ((ema_series, 20), (rsi_series, 14)):
        assert series(close, period, 300)[0][-1] == pytest.approx(series(close, period, 600)[0][-1], rel=1e-6)


def test_missing_closes_are_passed_over() -> None:
    gappy = [np.nan, 1.0, np.nan, 2.0, 3.0]
    for name in ("ema", "rsi"):
        assert metric(name, gappy, window=5, period=2) == metric(name, [1.0, 2.0, 3.0], window=3, period=2)


def test_rsi_is_at_its_ends_when_all_changes_are_alike_and_null_without_one() -> None:
    line = np.arange(30.0)
    assert metric("rsi", line, window=30).value == 100.0
    assert metric("rsi", -line, window=30).value == 0.0
    assert metric("rsi", np.ones(30), window=30) == Value(None, 30, Reason.CONSTANT)


@pytest.mark.parametrize(("name", "short"), [("sma", 19), ("ema", 19), ("rsi", 14), ("trend", 24)])
def test_too_few_closes_give_a_reason(name: str, short: int) -> None:
    assert metric(name, np.arange(1.0, short + 1), window=short) == Value(None, short, Reason.TOO_FEW)
    assert metric(name, np.arange(1.0, short + 2), window=short + 1).value is not None
    assert metric(name, []) == Value(None, 0, Reason.TOO_FEW)


def test_an_average_over_more_than_the_window_is_too_much() -> None:
    assert metric("sma", np.arange(50.0), window=10, period=20).reason == Reason.TOO_FEW


def test_a_trend_needs_the_close_and_its_average_on_one_side() -> None:
    rising = np.arange(1.0, 41.0)
    assert metric("trend", rising, window=40).value == "uptrend"
    assert metric("trend", rising[::-1], window=40).value == "downtrend"
    assert metric("trend", [*rising, 5.0], window=40).value == "sideways"
    assert metric("trend", np.ones(40), window=40).value == "sideways"
    assert metric("trend", [*rising, np.nan], window=40).reason == Reason.STALE


def test_a_signal_goes_against_a_far_price() -> None:
    quiet = [1.0, -1.0] * 20
    assert metric("signal", [*quiet, 9.0], window=41).value == "SHORT"
    assert metric("signal", [*quiet, -9.0], window=41).value == "LONG"
    assert metric("signal", quiet, window=40).value == "NEUTRAL"
    assert metric("signal", [*quiet, 9.0], window=41, threshold=50.0).value == "NEUTRAL"
    assert metric("signal", np.ones(40), window=40).reason == Reason.CONSTANT


def test_a_period_below_one_bar_is_refused() -> None:
    for series in (ema_series, rsi_series):
        with pytest.raises(RequestError, match="at least 1 bar"):
            series(np.ones(3), 0, 3)
