"""Metrics of Johansen's test: how many combinations of two prices come back."""

from __future__ import annotations

import numpy as np

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow, once
from pairscope.analytics.estimators.evidence import leg_prevails
from pairscope.analytics.estimators.johansen import Johansen, johansen
from pairscope.analytics.metrics.cointegration import AS_THEY_ARE, LEG, TERMS, evidence_of, tested
from pairscope.analytics.metrics.stationarity import FEWEST, enough, of_test
from pairscope.analytics.values import Reason, Value

_JOHANSEN = "S. Johansen, Econometrica 59, 1991"


@once
def _johansen(window: PairWindow) -> Johansen:
    """With the rule for a stationary leg, which a rank of 2 does not show: a third of sound pairs have it."""
    closes = tested(window)
    test = johansen(np.array([closes.y, closes.x]), fewest=enough(window), constant=window.intercept)
    evidence = evidence_of(window)
    if evidence.test.reason is Reason.EXACT_FIT:  # what is left is rounding, whatever it does
        return test._replace(reason=Reason.EXACT_FIT)
    if test.reason is not None or evidence.test.reason is not None:
        return test
    leg = evidence.leg_is_stationary or (test.rank > 0 and leg_prevails(closes.y, closes.x, evidence.test.statistic))
    return test._replace(reason=Reason.LEG_IS_STATIONARY) if leg else test


@once
def _naive_johansen(window: PairWindow) -> Johansen:
    legs = np.array([window.y[-window.window :], window.x[-window.window :]])
    return johansen(legs, fewest=enough(window), constant=window.intercept)


@Metric(
    scope="pair",
    title="Johansen trace",
    formula="-T sum ln(1 - lambda_i): no combination reverts, against some; constant, one lagged step",
    unit="1",
    fewest=FEWEST,
    reference=_JOHANSEN,
    remark=LEG,
    cadence="on_request",
    parameters=TERMS,
)
def johansen_trace(window: PairWindow) -> Value:
    return of_test(_johansen(window), lambda test: float(test.trace[0]))


@Metric(
    scope="pair",
    title="Johansen rank",
    formula="combinations that revert, by the trace at 5 %",
    unit="1",
    fewest=FEWEST,
    reference=_JOHANSEN,
    remark=f"{LEG} A rank of 2 does not tell: a third of sound pairs have it.",
    cadence="on_request",
    parameters=TERMS,
)
def johansen_rank(window: PairWindow) -> Value:
    return of_test(_johansen(window), lambda test: test.rank)


@Metric(
    scope="pair",
    title="Naive Johansen trace",
    formula="johansen_trace of the closes as they are",
    unit="1",
    fewest=FEWEST,
    reference=_JOHANSEN,
    remark=AS_THEY_ARE,
    cadence="on_request",
    parameters=TERMS,
)
def johansen_trace_naive(window: PairWindow) -> Value:
    return of_test(_naive_johansen(window), lambda test: float(test.trace[0]))


@Metric(
    scope="pair",
    title="Naive Johansen rank",
    formula="johansen_rank of the closes as they are",
    unit="1",
    fewest=FEWEST,
    reference=_JOHANSEN,
    remark=AS_THEY_ARE,
    cadence="on_request",
    parameters=TERMS,
)
def johansen_rank_naive(window: PairWindow) -> Value:
    return of_test(_naive_johansen(window), lambda test: test.rank)
