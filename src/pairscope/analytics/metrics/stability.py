"""Metrics that say whether the line of a pair has moved inside its window."""

from __future__ import annotations

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.cusum import FEWEST_RESIDUALS, find_break
from pairscope.analytics.estimators.terms import INTERCEPT, PRICES
from pairscope.analytics.values import Value, null

_REFERENCE = "R. L. Brown, J. Durbin and J. M. Evans, Journal of the Royal Statistical Society B 37, 1975"


@Metric(
    scope="pair",
    title="Break of the line",
    formula="largest |Σ recursive residuals| / its 5 % line, on series whitened by the spread's AR(1)",
    unit="1",
    fewest=FEWEST_RESIDUALS,
    reference=_REFERENCE,
    remark="Above 1 the hedge ratio or intercept has probably moved inside the window.",
    cadence="on_request",
    parameters=(PRICES, INTERCEPT),
)
def cusum(window: PairWindow) -> Value:
    return _value(window, True)


@Metric(
    scope="pair",
    title="Break of the line (naive)",
    formula="largest |Σ recursive residuals| / its 5 % line",
    unit="1",
    fewest=FEWEST_RESIDUALS,
    reference=_REFERENCE,
    remark="Takes residuals for independent: above 1 in 94 % of windows of a sound pair with phi = 0.9.",
    cadence="on_request",
    parameters=(PRICES, INTERCEPT),
)
def cusum_naive(window: PairWindow) -> Value:
    return _value(window, False)


def _value(window: PairWindow, whiten: bool) -> Value:
    first = max(0, len(window.y) - window.window)
    found = find_break(window.y[first:], window.x[first:], whiten=whiten, intercept=window.intercept)
    return Value(found.ratio, found.n) if found.reason is None else null(found.reason, found.n)
