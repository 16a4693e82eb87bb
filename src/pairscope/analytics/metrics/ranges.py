"""Metrics of what prices reached inside bars: they need the highest and the lowest trade of each."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import SymbolWindow
from pairscope.analytics.values import Reason, Value, given, null
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray
from pairscope.base.parameter import Parameter


@Metric(
    scope="symbol",
    title="High",
    formula="highest price of a trade in the window's bars",
    unit="price",
    needs=("high",),
)
def high(window: SymbolWindow) -> Value:
    return _extreme(_of(window, window.high), np.max)


@Metric(
    scope="symbol",
    title="Low",
    formula="lowest price of a trade in the window's bars",
    unit="price",
    needs=("low",),
)
def low(window: SymbolWindow) -> Value:
    return _extreme(_of(window, window.low), np.min)


@Metric(
    scope="symbol",
    title="Average true range",
    formula="Wilder's average of max(high, close before) - min(low, close before), seeded with the plain mean",
    unit="price",
    reference="J. W. Wilder, New Concepts in Technical Trading Systems, 1978",
    remark="A bar without trades has the range 0. Wants a window of ten periods or more, else its first ranges still "
    "weigh.",
    parameters=(Parameter("period", "int", 14, low=1, high=10_000, wants_each=10),),
    needs=("high", "low"),
    about="newest",
)
def atr(window: SymbolWindow, period: int = 14) -> Value:
    high, low, close = (_of(window, prices) for prices in (window.high, window.low, window.close))
    average, n = average_true_range(high, low, close, period)
    return null(Reason.TOO_FEW, n) if n < period else given(average, n)


def average_true_range(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> tuple[float, int]:
    """Wilder's average of the true ranges of bars, at the last of them, and how many ranges there are.

    The true range is what a bar spans together with the close before it; bars without a price are passed over, and the
    first bar has none. The mean of the first ``period`` ranges begins the average, then
    average = (average (period - 1) + range) / period. NaN below ``period`` ranges.

    >>> average_true_range(np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 2.0]), np.array([1.5, 2.5, 3.0]), 2)
    (1.75, 2)
    """
    average, n = _average_true_range(floats(high), floats(low), floats(close), period)
    return (average if n >= period else math.nan), n


@kernel
def _average_true_range(high: FloatArray, low: FloatArray, close: FloatArray, period: int) -> tuple[float, int]:
    average = 0.0
    before = np.nan
    n = 0
    for t in range(len(close)):
        if not (math.isfinite(high[t]) and math.isfinite(low[t]) and math.isfinite(close[t])):
            continue
        if math.isfinite(before):
            span = max(high[t], before) - min(low[t], before)
            n += 1
            average += span / period if n <= period else (span - average) / period
        before = close[t]
    return average, n


def _of(window: SymbolWindow, prices: FloatArray | None) -> FloatArray:
    """The prices of the window's own bars; none where they were not handed in."""
    return np.full(min(window.window, len(window.close)), np.nan) if prices is None else prices[-window.window :]


def _extreme(prices: FloatArray, choose: Callable[[FloatArray], float]) -> Value:
    present = prices[np.isfinite(prices)]
    return given(float(choose(present)), len(present)) if len(present) else null(Reason.TOO_FEW, 0)
