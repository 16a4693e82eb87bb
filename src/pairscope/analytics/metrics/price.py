"""The metrics of one symbol."""

from __future__ import annotations

import math

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import SymbolWindow
from pairscope.analytics.values import Reason, Value, given, null


def mean_price(window: SymbolWindow) -> Value:
    return given(window.prices.mean, window.prices.n)


def median_price(window: SymbolWindow) -> Value:
    return given(window.prices.median, window.prices.n)


def std_price(window: SymbolWindow) -> Value:
    return given(window.prices.std, window.prices.n)


def min_price(window: SymbolWindow) -> Value:
    return given(window.prices.minimum, window.prices.n)


def max_price(window: SymbolWindow) -> Value:
    return given(window.prices.maximum, window.prices.n)


def skew(window: SymbolWindow) -> Value:
    return _of_moving(window, window.prices.skew)


def kurtosis(window: SymbolWindow) -> Value:
    return _of_moving(window, window.prices.kurtosis)


def last_price(window: SymbolWindow) -> Value:
    return _of_newest(window.prices.last, 1)


def last_return(window: SymbolWindow) -> Value:
    return _of_newest(window.prices.last_return, 1)


def volume(window: SymbolWindow) -> Value:
    return given(window.sums.volume, window.sums.n)


def quote_volume(window: SymbolWindow) -> Value:
    return given(window.sums.quote_volume, window.sums.n)


def buy_volume(window: SymbolWindow) -> Value:
    return given(window.sums.buy_volume, window.sums.n)


def trades(window: SymbolWindow) -> Value:
    return Value(window.sums.trades, window.sums.n)


def vwap(window: SymbolWindow) -> Value:
    sums = window.sums
    return given(sums.quote_volume / sums.volume, sums.n) if sums.volume > 0.0 else null(Reason.NO_VOLUME, sums.n)


def order_flow(window: SymbolWindow) -> Value:
    sums = window.sums
    if not sums.volume > 0.0:
        return null(Reason.NO_VOLUME, sums.n)
    sold = sums.volume - sums.buy_volume
    return given((sums.buy_volume - sold) / sums.volume, sums.n)


def volatility(window: SymbolWindow) -> Value:
    return _of_returns(window, window.prices.returns_std)


def volatility_annual(window: SymbolWindow) -> Value:
    return _of_returns(window, window.prices.returns_std * math.sqrt(window.bars_per_year))


def cv(window: SymbolWindow) -> Value:
    prices = window.prices
    return given(prices.std / prices.mean, prices.n) if prices.mean else null(Reason.NOT_FINITE, prices.n)


def price_z(window: SymbolWindow) -> Value:
    rolled = window.rolled
    n = int(rolled.n[-1]) if len(rolled.n) else 0
    if len(rolled.n) < window.window or 2 * n < window.window:
        return null(Reason.TOO_FEW, n)
    if not rolled.std[-1] > 0.0:
        return null(Reason.CONSTANT, n)
    return _of_newest(float(rolled.z[-1]), n)


def _of_returns(window: SymbolWindow, value: float) -> Value:
    """Returns need neighbours: half of the window may be there without half of its returns."""
    n = window.prices.returns
    return null(Reason.TOO_FEW, n) if 2 * n < window.window - 1 else given(value, n)


def _of_moving(window: SymbolWindow, value: float) -> Value:
    prices = window.prices
    return null(Reason.CONSTANT, prices.n) if prices.std == 0.0 else given(value, prices.n)


def _of_newest(value: float, n: int) -> Value:
    return Value(value, n) if math.isfinite(value) else null(Reason.STALE, 0)


_JOANES_GILL = "D. N. Joanes and C. A. Gill, The Statistician 47, 1998: G1 and G2"

METRICS = (
    Metric(
        name="last_price",
        scope="symbol",
        title="Last price",
        formula="close of the newest bar",
        unit="price",
        function=last_price,
        window=1,
        about="bar",
    ),
    Metric(
        name="last_return",
        scope="symbol",
        title="Last return",
        formula="ln(close / previous close)",
        unit="ln",
        function=last_return,
        window=2,
        about="bar",
    ),
    Metric(
        name="mean_price",
        scope="symbol",
        title="Mean price",
        formula="mean of closes",
        unit="price",
        function=mean_price,
    ),
    Metric(
        name="median_price",
        scope="symbol",
        title="Median price",
        formula="median of closes",
        unit="price",
        function=median_price,
    ),
    Metric(
        name="std_price",
        scope="symbol",
        title="Price deviation",
        formula="sample deviation of closes (ddof 1)",
        unit="price",
        function=std_price,
        fewest=2,
    ),
    Metric(
        name="min_price",
        scope="symbol",
        title="Lowest close",
        formula="minimum of closes",
        unit="price",
        function=min_price,
    ),
    Metric(
        name="max_price",
        scope="symbol",
        title="Highest close",
        formula="maximum of closes",
        unit="price",
        function=max_price,
    ),
    Metric(
        name="skew",
        scope="symbol",
        title="Skewness",
        formula="sqrt(n (n - 1)) / (n - 2) · m3 / m2^1.5 of closes",
        unit="1",
        function=skew,
        fewest=3,
        reference=_JOANES_GILL,
    ),
    Metric(
        name="kurtosis",
        scope="symbol",
        title="Excess kurtosis",
        formula="(n - 1) / ((n - 2)(n - 3)) · ((n + 1) m4 / m2² - 3 (n - 1)) of closes",
        unit="1",
        function=kurtosis,
        fewest=4,
        reference=_JOANES_GILL,
    ),
    Metric(
        name="volume",
        scope="symbol",
        title="Volume",
        formula="sum of sizes",
        unit="base",
        function=volume,
        remark="Window sum over bars that had trades.",
        about="tape",
    ),
    Metric(
        name="quote_volume",
        scope="symbol",
        title="Quote volume",
        formula="sum of price · size",
        unit="quote",
        function=quote_volume,
        about="tape",
    ),
    Metric(
        name="buy_volume",
        scope="symbol",
        title="Buy volume",
        formula="sum of sizes whose aggressor bought",
        unit="base",
        function=buy_volume,
        about="tape",
    ),
    Metric(
        name="trades",
        scope="symbol",
        title="Trades",
        formula="count of trades",
        unit="trades",
        function=trades,
        about="tape",
    ),
    Metric(
        name="vwap",
        scope="symbol",
        title="VWAP",
        formula="quote_volume / volume",
        unit="price",
        function=vwap,
        about="tape",
    ),
    Metric(
        name="order_flow",
        scope="symbol",
        title="Order flow",
        formula="(buy_volume - sell_volume) / volume",
        unit="1",
        function=order_flow,
        remark="From the aggressor flag: 1 when all aggressors bought, -1 when all sold.",
        about="tape",
    ),
    Metric(
        name="volatility",
        scope="symbol",
        title="Volatility",
        formula="sample deviation of log returns (ddof 1)",
        unit="ln per bar",
        function=volatility,
        fewest=2,
    ),
    Metric(
        name="volatility_annual",
        scope="symbol",
        title="Annual volatility",
        formula="volatility · sqrt(bars per year)",
        unit="ln per year",
        function=volatility_annual,
        fewest=2,
        remark="A year is 365 days of 24 hours.",
    ),
    Metric(
        name="cv",
        scope="symbol",
        title="Coefficient of variation",
        formula="std_price / mean_price",
        unit="1",
        function=cv,
        fewest=2,
        remark="What some dashboards call volatility.",
    ),
    Metric(
        name="price_z",
        scope="symbol",
        title="Price z",
        formula="(close - mean) / deviation over the window, the bar itself included",
        unit="1",
        function=price_z,
        fewest=2,
        remark="Needs at least half of the window; undefined for a constant window.",
        about="newest",
    ),
)
