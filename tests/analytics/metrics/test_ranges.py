from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import SymbolWindow
from pairscope.analytics.metrics.ranges import average_true_range
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason, Value
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]


def window_of(high: list[float], low: list[float], close: list[float], window: int) -> SymbolWindow:
    empty = np.zeros(0)
    return SymbolWindow(
        np.array(close), empty, empty, empty, np.zeros(0, np.int64), 525_600.0, 11, window,
        high=np.array(high), low=np.array(low),
    )  # fmt: skip


def bars(walks: Walks, seed: int, count: int, missing: float = 0.0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Highs, lows and closes around a walk."""
    close, other = walks(seed, count, 60_000.0, missing=missing)
    reach = np.abs(np.diff(other, prepend=other[0]))
    return close + np.nan_to_num(reach), close - 2 * np.nan_to_num(reach), close


def wilder_by_pandas(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> float:
    frame = pd.DataFrame({"high": high, "low": low, "close": close}).dropna()
    before = frame["close"].shift()
    spans = pd.concat(
        [frame["high"] - frame["low"], (frame["high"] - before).abs(), (frame["low"] - before).abs()], axis=1
    )
    true = spans.max(axis=1)[1:].to_numpy()
    seeded = pd.Series([true[:period].mean(), *true[period:]])
    return float(seeded.ewm(alpha=1 / period, adjust=False).mean().iloc[-1])


@pytest.mark.parametrize("period", [1, 2, 14])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_average_true_range_equals_that_of_pandas(walks: Walks, period: int, missing: float) -> None:
    columns = bars(walks, 3, 200, missing)
    found, n = average_true_range(*columns, period)
    assert found == pytest.approx(wilder_by_pandas(*columns, period), rel=1e-12)
    assert n == int(np.isfinite(columns[2]).sum()) - 1


def test_a_gap_between_bars_counts_into_the_range() -> None:
    # 10 to 11, then 15 to 16: the second bar spans from the close before it.
    assert average_true_range(np.array([11.0, 16.0]), np.array([10.0, 15.0]), np.array([10.5, 15.5]), 1) == (5.5, 1)


def test_a_range_needs_a_close_before_it_and_an_average_its_period() -> None:
    window = window_of([2.0, 3.0], [1.0, 2.0], [1.5, 2.5], 2)
    assert CATALOGUE["atr"].compute(window, period=1) == Value(1.5, 1)
    assert CATALOGUE["atr"].compute(window, period=2) == Value(None, 1, Reason.TOO_FEW)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), period=st.integers(1, 20), window=st.integers(30, 80))
def test_only_the_bars_of_the_window_matter(walks: Walks, seed: int, period: int, window: int) -> None:
    high, low, close = (column[-window:] for column in bars(walks, seed, 120))
    alone = average_true_range(high, low, close, period)
    assert CATALOGUE["atr"].compute(window_of([*high], [*low], [*close], window), period=period).value == alone[0]


def test_high_and_low_are_of_trades_and_not_of_closes() -> None:
    window = window_of([2.0, 9.0, math.nan, 4.0], [0.5, 2.0, math.nan, 3.0], [1.5, 2.5, math.nan, 3.5], 4)
    assert CATALOGUE["high"].compute(window) == Value(9.0, 3)
    assert CATALOGUE["low"].compute(window) == Value(0.5, 3)
    assert CATALOGUE["max_price"].compute(window) == Value(3.5, 3)


def test_without_prices_there_is_none() -> None:
    window = window_of([math.nan] * 3, [math.nan] * 3, [math.nan] * 3, 3)
    for name in ("high", "low", "atr"):
        assert CATALOGUE[name].compute(window) == Value(None, 0, Reason.TOO_FEW), name
