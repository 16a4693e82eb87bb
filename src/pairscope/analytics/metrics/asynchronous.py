"""The metrics of a pair that are computed from its trades: the window carries the tapes, when they are at hand."""

from __future__ import annotations

import math

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.hayashi_yoshida import FEWEST_CHANGES, REACH_MS, hayashi_yoshida
from pairscope.analytics.estimators.lead_lag import REACH_MS as LEAD_REACH_MS
from pairscope.analytics.estimators.lead_lag import STEP_MS as LEAD_STEP_MS
from pairscope.analytics.values import Flag, Reason, Value, given, is_beyond_one, null
from pairscope.base.parameter import Parameter


@Metric(
    scope="pair",
    title="Correlation of trades",
    formula="cov(y, x) / sqrt(cov(y, y) cov(x, x)), cov = Σ dy dx over price changes within reach of each other",
    unit="1",
    fewest=FEWEST_CHANGES,
    reference="J. E. Griffin and R. C. A. Oomen, Journal of Econometrics 160, 2011",
    remark="Free of the Epps effect: the honest number below one minute. An estimate that is not bound to ±1: "
    "beyond, the flag beyond_one.",
    parameters=(Parameter("reach_ms", "int", REACH_MS, low=0, high=60_000),),
    cadence="on_request",
    needs=("trades",),
    about="tape",
)
def correlation_hy(window: PairWindow, reach_ms: int = REACH_MS) -> Value:
    if window.ticks is None:
        return null(Reason.NO_TRADES, 0)
    found = hayashi_yoshida(window.ticks.y, window.ticks.x, reach_ms)
    if math.isfinite(found.correlation):
        return given(found.correlation, found.n, *((Flag.BEYOND_ONE,) if is_beyond_one(found.correlation) else ()))
    return null(Reason.NO_TRADES if found.n < FEWEST_CHANGES else Reason.NO_VARIANCE, found.n)


@Metric(
    scope="pair",
    title="Correlation of trades (naive)",
    formula="Σ dy dx over price changes whose spans overlap / sqrt(Σ dy² Σ dx²)",
    unit="1",
    fewest=FEWEST_CHANGES,
    reference="T. Hayashi and N. Yoshida, Bernoulli 11, 2005",
    remark="Without a reach: bid-ask bounce, and one price following the other, make it far too small.",
    cadence="on_request",
    needs=("trades",),
    about="tape",
)
def correlation_hy_naive(window: PairWindow) -> Value:
    return correlation_hy(window, 0)


@Metric(
    scope="pair",
    title="Lead of x over y",
    formula="lag of x at which the size of correlation_hy_naive is largest",
    unit="ms",
    fewest=FEWEST_CHANGES,
    reference="M. Hoffmann, M. Rosenbaum and N. Yoshida, Bernoulli 19, 2013",
    remark="Positive when y follows x. Null when the trades do not tell one lag from another.",
    parameters=(
        Parameter("reach_ms", "int", LEAD_REACH_MS, low=10, high=60_000),
        Parameter("step_ms", "int", LEAD_STEP_MS, low=1, high=1_000),
    ),
    cadence="on_request",
    needs=("trades",),
    about="tape",
)
def lead_lag(window: PairWindow, reach_ms: int = LEAD_REACH_MS, step_ms: int = LEAD_STEP_MS) -> Value:
    found = window.lead(reach_ms, step_ms)
    if found is None:
        return null(Reason.NO_TRADES, 0)
    return Value(found.lag_ms, found.n) if found.reason is None else null(found.reason, found.n)
