"""The metrics of a pair (y, x): y is regressed on x, on log prices unless prices themselves are asked for."""

from __future__ import annotations

import math
from dataclasses import replace

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.regression import FEWEST_OF_LINE
from pairscope.analytics.estimators.terms import INTERCEPT, METHOD, PRICES
from pairscope.analytics.values import Flag, Reason, Value, given, null

_OLS = "W. H. Greene, Econometric Analysis, chapter 3"
_TERMS = (METHOD, PRICES, INTERCEPT)


@Metric(
    scope="pair",
    title="Hedge ratio",
    formula="Sxy / Sxx; Σ x y / Σ x² without an intercept",
    unit="y per x",
    fewest=FEWEST_OF_LINE,
    reference=_OLS,
    parameters=_TERMS,
    unit_on_levels="units of x per y",
)
def beta(window: PairWindow, method: str = "ols") -> Value:
    return of_quantities(window, _of_line(window, method, window.hedge(method).beta))


@Metric(
    scope="pair",
    title="Intercept",
    formula="mean(y) - beta mean(x); 0 without an intercept",
    unit="ln",
    fewest=FEWEST_OF_LINE,
    reference=_OLS,
    parameters=_TERMS,
    unit_on_levels="price",
)
def alpha(window: PairWindow, method: str = "ols") -> Value:
    return _of_line(window, method, window.hedge(method).alpha)


@Metric(
    scope="pair",
    title="R²",
    formula="Sxy² / (Sxx Syy)",
    unit="1",
    fewest=FEWEST_OF_LINE,
    remark="Share of the variance of y that the line explains; near 1 for any two trending series."
    " Without an intercept of the squares of y, (Σ x y)² / (Σ x² Σ y²): near 1 for any two prices.",
    reference=_OLS,
    parameters=_TERMS,
)
def r2(window: PairWindow, method: str = "ols") -> Value:
    r = window.hedge(method).correlation
    return _of_line(window, method, r * r)


@Metric(
    scope="pair",
    title="Spread",
    formula="y - alpha - beta x",
    unit="ln",
    fewest=FEWEST_OF_LINE,
    reference=_OLS,
    parameters=_TERMS,
    unit_on_levels="price",
    about="newest",
    is_centred=True,
)
def spread(window: PairWindow, method: str = "ols") -> Value:
    return _of_line(window, method, window.hedge(method).spread)


@Metric(
    scope="pair",
    title="Mean spread",
    formula="mean of the spread over the window",
    unit="ln",
    fewest=FEWEST_OF_LINE,
    remark="Zero for least squares with an intercept.",
    reference=_OLS,
    parameters=_TERMS,
    unit_on_levels="price",
)
def spread_mean(window: PairWindow, method: str = "ols") -> Value:
    return _of_line(window, method, window.hedge(method).spread_mean)


@Metric(
    scope="pair",
    title="Spread deviation",
    formula="sqrt(Σ (spread - spread_mean)² / (n - 1))",
    unit="ln",
    fewest=FEWEST_OF_LINE,
    reference=_OLS,
    parameters=_TERMS,
    unit_on_levels="price",
)
def spread_std(window: PairWindow, method: str = "ols") -> Value:
    return _of_line(window, method, window.hedge(method).spread_std)


@Metric(
    scope="pair",
    title="Spread z",
    formula="(spread - spread_mean) / spread_std",
    unit="1",
    fewest=FEWEST_OF_LINE,
    remark="Where the newest bar lies beside the line, in deviations of the spread. Null when the line "
    "fits exactly. By rolling and kalman the line has not seen the bar.",
    reference=_OLS,
    parameters=_TERMS,
    about="newest",
    is_centred=True,
)
def spread_z(window: PairWindow, method: str = "ols") -> Value:
    hedge = window.hedge(method)
    if hedge.spread_std == 0.0:
        return null(Reason.EXACT_FIT, hedge.n)
    return _of_line(window, method, hedge.spread_z)


@Metric(
    scope="pair",
    title="Price spread",
    formula="y - x of plain prices",
    unit="price",
    window=1,
    about="bar",
)
def price_spread(window: PairWindow) -> Value:
    if not window.newest_is_present:
        return null(Reason.STALE, 0)
    logs = window.on("log", True)
    try:
        return given(math.exp(logs.y[-1]) - math.exp(logs.x[-1]), 1)
    except OverflowError:
        return null(Reason.NOT_FINITE, 1)


@Metric(
    scope="pair",
    title="Correlation of returns",
    formula="Pearson correlation of log returns over the window",
    unit="1",
    fewest=FEWEST_OF_LINE,
    remark="Too low on bars shorter than the time between trades (Epps effect). Of log returns on any terms.",
)
def correlation(window: PairWindow) -> Value:
    returns = window.returns
    return _of_enough(returns.correlation, returns.n, window.window - 1)


@Metric(
    scope="pair",
    title="Correlation of levels",
    formula="Pearson correlation of log prices, or of prices, over the window",
    unit="1",
    fewest=FEWEST_OF_LINE,
    remark="Prone to spurious values: two independent random walks often show 0.9.",
    parameters=(PRICES,),
)
def correlation_levels(window: PairWindow) -> Value:
    line = window.on(window.prices, True)  # the other is no correlation
    return _of_line(line, "ols", line.hedge("ols").correlation)


def of_quantities(window: PairWindow, value: Value) -> Value:
    """A hedge ratio with the flag that it is one of quantities, when it is of prices themselves."""
    if value.value is None or window.prices == "log":
        return value
    return replace(value, flags=(*value.flags, Flag.OF_QUANTITIES))


def _of_line(window: PairWindow, method: str, value: float) -> Value:
    hedge = window.hedge(method)
    if hedge.reason is not None:
        return null(hedge.reason, hedge.n)
    return _of_enough(value, hedge.n, window.window)


def _of_enough(value: float, n: int, window: int) -> Value:
    """A number that is NaN when less than half of the window is present, or when a series does not move in it."""
    if math.isfinite(value):
        return Value(value, n)
    return null(Reason.TOO_FEW if 2 * n < window else Reason.CONSTANT, n)
