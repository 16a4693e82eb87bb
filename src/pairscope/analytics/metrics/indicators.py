"""Indicators of one symbol that traders know by name: moving averages, RSI, trend, signal.

An average with a long memory begins at the first close of the window of the bar it is asked for, so that the value
depends on the bars of that window alone, live and for the past alike. What came before would matter little: with a
period of 20 and a window of 300 bars the first close has a weight of 1e-13.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import SymbolWindow
from pairscope.analytics.kernels.rolling import rolling_moments
from pairscope.analytics.metrics.price import price_z
from pairscope.analytics.values import Reason, Value, given, null
from pairscope.base.errors import RequestError
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray, IntArray
from pairscope.base.parameter import Parameter

Series: TypeAlias = tuple[FloatArray, IntArray]
_RISE_BARS = 5  # over which a trend's average must have moved


def _period(default: int, wants: int = 0) -> Parameter:
    return Parameter("period", "int", default, low=1, high=10_000, wants_each=wants)


def sma_series(close: FloatArray, period: int, first_index: int) -> Series:
    """Mean of the last ``period`` closes at each position, and how many were present: half of them must be.

    >>> sma_series(np.array([1.0, 2.0, 6.0]), 2, 0)[0].tolist()
    [nan, 1.5, 4.0]
    """
    if period == 1:
        return floats(close).copy(), np.isfinite(close).astype(np.int64)
    rolled = rolling_moments(close, period, first_index)
    return rolled.mean, rolled.n


def ema_series(close: FloatArray, period: int, window: int) -> Series:
    """Exponential average at each position, over the closes of the window that ends there, and their number.

    Seeded with the first close present; then ema += 2 / (period + 1) (close - ema), missing closes passed over.
    NaN with fewer than ``period`` closes present.

    >>> ema_series(np.array([1.0, 2.0, 3.0]), 2, 300)[0].round(6).tolist()
    [nan, 1.666667, 2.555556]
    """
    _check(period)
    out = np.full(len(close), np.nan)
    n = np.zeros(len(close), np.int64)
    _emas(floats(close), period, window, out, n)
    return out, n


def rsi_series(close: FloatArray, period: int, window: int) -> Series:
    """Wilder's relative strength at each position, over the window that ends there, and its number of closes.

    Averages of gains and losses begin with the plain means of the first ``period`` changes between closes present,
    then average = (average (period - 1) + change) / period::

        rsi = 100 - 100 / (1 + mean gain / mean loss)

    NaN with fewer than period + 1 closes present, and where no close changed.

    Reference: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978.

    >>> rsi_series(np.array([1.0, 2.0, 3.0, 2.0]), 2, 300)[0].tolist()
    [nan, nan, 100.0, 50.0]
    """
    _check(period)
    out = np.full(len(close), np.nan)
    n = np.zeros(len(close), np.int64)
    _rsis(floats(close), period, window, out, n)
    return out, n


@Metric(
    scope="symbol",
    title="Moving average",
    formula="mean of the last `period` closes",
    unit="price",
    remark="Needs half of the period.",
    parameters=(_period(20),),
    about="newest",
)
def sma(window: SymbolWindow, period: int = 20) -> Value:
    closes, first_index = _newest(window, period)
    if len(closes) < period:
        return null(Reason.TOO_FEW, int(np.isfinite(closes).sum()))
    mean, n = sma_series(closes, period, first_index)
    return _enough(float(mean[-1]), int(n[-1]))


@Metric(
    scope="symbol",
    title="Exponential average",
    formula="ema + 2 / (period + 1) · (close - ema), begun with the first close of the window",
    unit="price",
    remark="Wants a window of five periods or more, else its first close still weighs.",
    parameters=(_period(20, wants=5),),
    about="newest",
)
def ema(window: SymbolWindow, period: int = 20) -> Value:
    _check(period)
    closes, _ = _newest(window, window.window)
    return _enough(*_ema(floats(closes), period))


@Metric(
    scope="symbol",
    title="RSI",
    formula="100 · mean gain / (mean gain + mean loss), Wilder's averages, seeded with plain means",
    unit="1",
    reference="J. W. Wilder, New Concepts in Technical Trading Systems, 1978",
    remark="From 0 to 100. Wants a window of ten periods or more, else its first changes still weigh.",
    parameters=(_period(14, wants=10),),
    about="newest",
)
def rsi(window: SymbolWindow, period: int = 14) -> Value:
    _check(period)
    closes, _ = _newest(window, window.window)
    value, n = _rsi(floats(closes), period)
    return null(Reason.CONSTANT, n) if math.isnan(value) and n > period else _enough(value, n)


@Metric(
    scope="symbol",
    title="Trend",
    formula="uptrend when close > sma and sma rose over 5 bars; downtrend when both are reversed; else sideways",
    unit="word",
    parameters=(_period(20),),
    about="newest",
)
def trend(window: SymbolWindow, period: int = 20) -> Value:
    closes, first_index = _newest(window, period + _RISE_BARS)
    if len(closes) < period + _RISE_BARS:
        return null(Reason.TOO_FEW, int(np.isfinite(closes).sum()))
    mean, n = sma_series(closes, period, first_index)
    close, now, before, count = closes[-1], mean[-1], mean[-1 - _RISE_BARS], int(n[-1])
    if not (math.isfinite(now) and math.isfinite(before)):
        return null(Reason.TOO_FEW, count)
    if not math.isfinite(close):
        return null(Reason.STALE, count)
    if close > now > before:
        return Value("uptrend", count)
    return Value("downtrend" if close < now < before else "sideways", count)


@Metric(
    scope="symbol",
    title="Signal",
    formula="SHORT when price_z > threshold, LONG when price_z < -threshold, else NEUTRAL",
    unit="word",
    fewest=2,
    remark="A z beyond 2 in a short window is common in a price that returns nowhere; test the pair instead.",
    parameters=(Parameter("threshold", "float", 2.0, low=0.0, high=100.0),),
    about="newest",
)
def signal(window: SymbolWindow, threshold: float = 2.0) -> Value:
    z = price_z(window)
    if not isinstance(z.value, float):
        return z
    return Value("SHORT" if z.value > threshold else "LONG" if z.value < -threshold else "NEUTRAL", z.n)


def _newest(window: SymbolWindow, count: int) -> tuple[FloatArray, int]:
    """At most that many of the newest closes of the window, and the absolute index of the first."""
    count = min(count, window.window, len(window.close))
    first = len(window.close) - count
    return window.close[first:], window.first_index + first


def _enough(value: float, n: int) -> Value:
    return null(Reason.TOO_FEW, n) if math.isnan(value) else given(value, n)


def _check(period: int) -> None:
    if period < 1:
        raise RequestError(f"a period of {period} bars", cure="use at least 1 bar", code="bad_period")


@kernel
def _emas(close: FloatArray, period: int, window: int, out: FloatArray, n: IntArray) -> None:
    for t in range(len(close)):
        out[t], n[t] = _ema(close[max(0, t + 1 - window) : t + 1], period)


@kernel
def _rsis(close: FloatArray, period: int, window: int, out: FloatArray, n: IntArray) -> None:
    for t in range(len(close)):
        out[t], n[t] = _rsi(close[max(0, t + 1 - window) : t + 1], period)


@kernel
def _ema(closes: FloatArray, period: int) -> tuple[float, int]:
    share = 2.0 / (period + 1.0)
    average = np.nan
    n = 0
    for close in closes:
        if math.isfinite(close):
            average = close if n == 0 else average + share * (close - average)
            n += 1
    return (average if n >= period else np.nan), n


@kernel
def _rsi(closes: FloatArray, period: int) -> tuple[float, int]:
    gain = loss = 0.0
    previous = np.nan
    n = 0
    for close in closes:
        if not math.isfinite(close):
            continue
        n += 1
        if n > 1:
            up = max(0.0, close - previous)
            down = max(0.0, previous - close)
            if n <= period + 1:
                gain += up / period
                loss += down / period
            else:
                gain += (up - gain) / period
                loss += (down - loss) / period
        previous = close
    if n <= period or gain + loss == 0.0:
        return np.nan, n
    return 100.0 * gain / (gain + loss), n
