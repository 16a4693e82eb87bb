"""The metrics of a pair (y, x): y is regressed on x, on log prices unless prices themselves are asked for."""

from __future__ import annotations

import math
from dataclasses import replace

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.terms import INTERCEPT, METHOD, PRICES
from pairscope.analytics.values import Flag, Reason, Value, given, null


def beta(window: PairWindow, method: str = "ols") -> Value:
    return of_quantities(window, _of_line(window, method, window.hedge(method).beta))


def of_quantities(window: PairWindow, value: Value) -> Value:
    """A hedge ratio with the flag that it is one of quantities, when it is of prices themselves."""
    if value.value is None or window.prices == "log":
        return value
    return replace(value, flags=(*value.flags, Flag.OF_QUANTITIES))


def alpha(window: PairWindow, method: str = "ols") -> Value:
    return _of_line(window, method, window.hedge(method).alpha)


def r2(window: PairWindow, method: str = "ols") -> Value:
    r = window.hedge(method).correlation
    return _of_line(window, method, r * r)


def spread(window: PairWindow, method: str = "ols") -> Value:
    return _of_line(window, method, window.hedge(method).spread)


def spread_mean(window: PairWindow, method: str = "ols") -> Value:
    return _of_line(window, method, window.hedge(method).spread_mean)


def spread_std(window: PairWindow, method: str = "ols") -> Value:
    return _of_line(window, method, window.hedge(method).spread_std)


def spread_z(window: PairWindow, method: str = "ols") -> Value:
    hedge = window.hedge(method)
    if hedge.spread_std == 0.0:
        return null(Reason.EXACT_FIT, hedge.n)
    return _of_line(window, method, hedge.spread_z)


def price_spread(window: PairWindow) -> Value:
    if not window.newest_is_present:
        return null(Reason.STALE, 0)
    logs = window.on("log", True)
    try:
        return given(math.exp(logs.y[-1]) - math.exp(logs.x[-1]), 1)
    except OverflowError:
        return null(Reason.NOT_FINITE, 1)


def correlation(window: PairWindow) -> Value:
    returns = window.returns
    return _of_enough(returns.correlation, returns.n, window.window - 1)


def correlation_levels(window: PairWindow) -> Value:
    line = window.on(window.prices, True)  # the other is no correlation
    return _of_line(line, "ols", line.hedge("ols").correlation)


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


_OLS = "W. H. Greene, Econometric Analysis, chapter 3"
_TERMS = (METHOD, PRICES, INTERCEPT)

METRICS = (
    Metric(
        name="beta",
        scope="pair",
        title="Hedge ratio",
        formula="Sxy / Sxx; Σ x y / Σ x² without an intercept",
        unit="y per x",
        function=beta,
        fewest=3,
        reference=_OLS,
        parameters=_TERMS,
        unit_on_levels="units of x per y",
    ),
    Metric(
        name="alpha",
        scope="pair",
        title="Intercept",
        formula="mean(y) - beta mean(x); 0 without an intercept",
        unit="ln",
        function=alpha,
        fewest=3,
        reference=_OLS,
        parameters=_TERMS,
        unit_on_levels="price",
    ),
    Metric(
        name="r2",
        scope="pair",
        title="R²",
        formula="Sxy² / (Sxx Syy)",
        unit="1",
        function=r2,
        fewest=3,
        remark="Share of the variance of y that the line explains; near 1 for any two trending series."
        " Without an intercept of the squares of y, (Σ x y)² / (Σ x² Σ y²): near 1 for any two prices.",
        reference=_OLS,
        parameters=_TERMS,
    ),
    Metric(
        name="spread",
        scope="pair",
        title="Spread",
        formula="y - alpha - beta x",
        unit="ln",
        function=spread,
        fewest=3,
        reference=_OLS,
        parameters=_TERMS,
        unit_on_levels="price",
        about="newest",
    ),
    Metric(
        name="spread_mean",
        scope="pair",
        title="Mean spread",
        formula="mean of the spread over the window",
        unit="ln",
        function=spread_mean,
        fewest=3,
        remark="Zero for least squares with an intercept.",
        reference=_OLS,
        parameters=_TERMS,
        unit_on_levels="price",
    ),
    Metric(
        name="spread_std",
        scope="pair",
        title="Spread deviation",
        formula="sqrt(Σ (spread - spread_mean)² / (n - 1))",
        unit="ln",
        function=spread_std,
        fewest=3,
        reference=_OLS,
        parameters=_TERMS,
        unit_on_levels="price",
    ),
    Metric(
        name="spread_z",
        scope="pair",
        title="Spread z",
        formula="(spread - spread_mean) / spread_std",
        unit="1",
        function=spread_z,
        fewest=3,
        remark="Where the newest bar lies beside the line, in deviations of the spread. Null when the line "
        "fits exactly. By rolling and kalman the line has not seen the bar.",
        reference=_OLS,
        parameters=_TERMS,
        about="newest",
    ),
    Metric(
        name="price_spread",
        scope="pair",
        title="Price spread",
        formula="y - x of plain prices",
        unit="price",
        function=price_spread,
        window=1,
        about="bar",
    ),
    Metric(
        name="correlation",
        scope="pair",
        title="Correlation of returns",
        formula="Pearson correlation of log returns over the window",
        unit="1",
        function=correlation,
        fewest=3,
        remark="Too low on bars shorter than the time between trades (Epps effect). Of log returns on any terms.",
    ),
    Metric(
        name="correlation_levels",
        scope="pair",
        title="Correlation of levels",
        formula="Pearson correlation of log prices, or of prices, over the window",
        unit="1",
        function=correlation_levels,
        fewest=3,
        remark="Prone to spurious values: two independent random walks often show 0.9.",
        parameters=(PRICES,),
    ),
)
