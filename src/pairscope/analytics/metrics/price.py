"""The metrics of one symbol."""

from __future__ import annotations

import math

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import SymbolWindow
from pairscope.analytics.values import Reason, Value, given, null

_JOANES_GILL = "D. N. Joanes and C. A. Gill, The Statistician 47, 1998: G1 and G2"


@Metric(
    scope="symbol",
    title="Last price",
    formula="close of the newest bar",
    unit="price",
    window=1,
    about="bar",
)
def last_price(window: SymbolWindow) -> Value:
    return _of_newest(window.prices.last, 1)


@Metric(
    scope="symbol",
    title="Last return",
    formula="ln(close / previous close)",
    unit="ln",
    window=2,
    about="bar",
    is_centred=True,
)
def last_return(window: SymbolWindow) -> Value:
    return _of_newest(window.prices.last_return, 1)


@Metric(
    scope="symbol",
    title="Mean price",
    formula="mean of closes",
    unit="price",
)
def mean_price(window: SymbolWindow) -> Value:
    return given(window.prices.mean, window.prices.n)


@Metric(
    scope="symbol",
    title="Median price",
    formula="median of closes",
    unit="price",
)
def median_price(window: SymbolWindow) -> Value:
    return given(window.prices.median, window.prices.n)


@Metric(
    scope="symbol",
    title="Price deviation",
    formula="sample deviation of closes (ddof 1)",
    unit="price",
    fewest=2,
)
def std_price(window: SymbolWindow) -> Value:
    return given(window.prices.std, window.prices.n)


@Metric(
    scope="symbol",
    title="Lowest close",
    formula="minimum of closes",
    unit="price",
)
def min_price(window: SymbolWindow) -> Value:
    return given(window.prices.minimum, window.prices.n)


@Metric(
    scope="symbol",
    title="Highest close",
    formula="maximum of closes",
    unit="price",
)
def max_price(window: SymbolWindow) -> Value:
    return given(window.prices.maximum, window.prices.n)


@Metric(
    scope="symbol",
    title="Skewness",
    formula="sqrt(n (n - 1)) / (n - 2) · m3 / m2^1.5 of closes",
    unit="1",
    fewest=3,
    reference=_JOANES_GILL,
)
def skew(window: SymbolWindow) -> Value:
    return _of_moving(window, window.prices.skew)


@Metric(
    scope="symbol",
    title="Excess kurtosis",
    formula="(n - 1) / ((n - 2)(n - 3)) · ((n + 1) m4 / m2² - 3 (n - 1)) of closes",
    unit="1",
    fewest=4,
    reference=_JOANES_GILL,
)
def kurtosis(window: SymbolWindow) -> Value:
    return _of_moving(window, window.prices.kurtosis)


@Metric(
    scope="symbol",
    title="Volume",
    formula="sum of sizes",
    unit="base",
    remark="Window sum over bars that had trades.",
    about="tape",
)
def volume(window: SymbolWindow) -> Value:
    return given(window.sums.volume, window.sums.n)


@Metric(
    scope="symbol",
    title="Quote volume",
    formula="sum of price · size",
    unit="quote",
    about="tape",
)
def quote_volume(window: SymbolWindow) -> Value:
    return given(window.sums.quote_volume, window.sums.n)


@Metric(
    scope="symbol",
    title="Buy volume",
    formula="sum of sizes whose aggressor bought",
    unit="base",
    about="tape",
)
def buy_volume(window: SymbolWindow) -> Value:
    return given(window.sums.buy_volume, window.sums.n)


@Metric(
    scope="symbol",
    title="Trades",
    formula="count of trades",
    unit="trades",
    about="tape",
)
def trades(window: SymbolWindow) -> Value:
    return Value(window.sums.trades, window.sums.n)


@Metric(
    scope="symbol",
    title="VWAP",
    formula="quote_volume / volume",
    unit="price",
    about="tape",
)
def vwap(window: SymbolWindow) -> Value:
    sums = window.sums
    return given(sums.quote_volume / sums.volume, sums.n) if sums.volume > 0.0 else null(Reason.NO_VOLUME, sums.n)


@Metric(
    scope="symbol",
    title="Order flow",
    formula="(buy_volume - sell_volume) / volume",
    unit="1",
    remark="From the aggressor flag: 1 when all aggressors bought, -1 when all sold.",
    about="tape",
)
def order_flow(window: SymbolWindow) -> Value:
    sums = window.sums
    if not sums.volume > 0.0:
        return null(Reason.NO_VOLUME, sums.n)
    sold = sums.volume - sums.buy_volume
    return given((sums.buy_volume - sold) / sums.volume, sums.n)


@Metric(
    scope="symbol",
    title="Volatility",
    formula="sample deviation of log returns (ddof 1)",
    unit="ln per bar",
    fewest=2,
)
def volatility(window: SymbolWindow) -> Value:
    return _of_returns(window, window.prices.returns_std)


@Metric(
    scope="symbol",
    title="Annual volatility",
    formula="volatility · sqrt(bars per year)",
    unit="ln per year",
    fewest=2,
    remark="A year is 365 days of 24 hours.",
)
def volatility_annual(window: SymbolWindow) -> Value:
    return _of_returns(window, window.prices.returns_std * math.sqrt(window.bars_per_year))


@Metric(
    scope="symbol",
    title="Coefficient of variation",
    formula="std_price / mean_price",
    unit="1",
    fewest=2,
    remark="What some dashboards call volatility.",
)
def cv(window: SymbolWindow) -> Value:
    prices = window.prices
    return given(prices.std / prices.mean, prices.n) if prices.mean else null(Reason.NOT_FINITE, prices.n)


@Metric(
    scope="symbol",
    title="Price z",
    formula="(close - mean) / deviation over the window, the bar itself included",
    unit="1",
    fewest=2,
    remark="Needs at least half of the window; undefined for a constant window.",
    about="newest",
    is_centred=True,
)
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
