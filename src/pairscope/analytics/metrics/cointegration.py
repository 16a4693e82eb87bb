"""Metrics that test whether a combination of two prices comes back, by the residuals of a line through them."""

from __future__ import annotations

import enum

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow, once
from pairscope.analytics.estimators.adf import UnitRoot, adf
from pairscope.analytics.estimators.engle_granger import Cointegration, Residual, engle_granger, residual
from pairscope.analytics.estimators.evidence import CLAIM_P, Evidence, Tested, closes_to_test, weigh
from pairscope.analytics.estimators.terms import INTERCEPT, PRICES
from pairscope.analytics.kernels.mackinnon import Critical
from pairscope.analytics.metrics.stationarity import DICKEY_FULLER, FEWEST, enough, of_test
from pairscope.analytics.values import Reason, Value, null
from pairscope.base.parameter import Parameter

LEVELS = ("1", "5", "10")  # percent
_ENGLE_GRANGER = "R. F. Engle and C. W. J. Granger, Econometrica 55, 1987; surface of J. G. MacKinnon, 2010"
_NAIVE = "Naive: a fitted spread looks stationary; independent walks pass at 5 % in 14 to 19 % of cases. Use coint_p."
AS_THEY_ARE = "Naive: closes as they are, spike bars among them, and no regard to a leg that is stationary by itself."
LEG = "Null when a leg is stationary by itself: it then reverts without the other."
_LEVEL = Parameter("level", "choice", "5", choices=LEVELS)
TERMS = (PRICES, INTERCEPT)


class Rejection(enum.StrEnum):
    """At which level walks that go apart are rejected in favour of cointegration."""

    AT_1 = "at_1_percent"
    AT_5 = "at_5_percent"
    AT_10 = "at_10_percent"
    NOT = "not_rejected"


def rejection_of(p: float) -> Rejection:
    """What the probability of a test is read as.

    >>> [rejection_of(p).value for p in (0.009, 0.01, 0.05, 0.1)]
    ['at_1_percent', 'at_5_percent', 'at_10_percent', 'not_rejected']
    """
    levels = zip((0.01, 0.05, CLAIM_P), (Rejection.AT_1, Rejection.AT_5, Rejection.AT_10), strict=True)
    return next((rejection for below, rejection in levels if p < below), Rejection.NOT)


@once
def tested(window: PairWindow) -> Tested:
    """The closes of the window without spike bars."""
    return closes_to_test(window.y, window.x, window.window)


@once
def fitted_spread(window: PairWindow) -> Residual:
    """What least squares leaves of y beside x in the window, spike bars replaced."""
    return residual(tested(window).y, tested(window).x, enough(window), window.intercept)


@once
def raw_spread(window: PairWindow) -> Residual:
    """The same of the closes as they are."""
    return residual(window.y[-window.window :], window.x[-window.window :], enough(window), window.intercept)


@once
def evidence_of(window: PairWindow) -> Evidence:
    return weigh(tested(window).y, tested(window).x, enough(window), window.intercept)


def cointegration(window: PairWindow) -> Cointegration:
    """The test that decides, with a reason instead of a number when a leg is stationary by itself."""
    return evidence_of(window).believed


def refusal(window: PairWindow) -> Reason | None:
    """Why nothing may be claimed of a spread that reverts; None when it may."""
    test = cointegration(window)
    if test.reason is not None:
        return test.reason
    return None if test.p < CLAIM_P else Reason.NOT_REVERTING


@once
def _naive_cointegration(window: PairWindow) -> Cointegration:
    y, x = window.y[-window.window :], window.x[-window.window :]
    return engle_granger(y, x, fewest=enough(window), intercept=window.intercept)


@once
def _naive_test(window: PairWindow) -> UnitRoot:
    spread, n, reason = raw_spread(window)
    test = adf(spread, constant=window.intercept)
    return test._replace(n=n, reason=reason) if reason is not None else test


@Metric(
    scope="pair",
    title="Cointegration statistic",
    formula="smaller ADF statistic of the residuals of y on x and x on y; lags by AIC",
    unit="1",
    fewest=FEWEST,
    reference=_ENGLE_GRANGER,
    remark=f"The longest stretch without a gap is tested, spike bars replaced. {LEG}",
    cadence="on_request",
    parameters=TERMS,
)
def coint_t(window: PairWindow) -> Value:
    return of_test(cointegration(window), lambda test: test.statistic)


@Metric(
    scope="pair",
    title="Cointegration p-value",
    formula="MacKinnon probability for two series of coint_t, doubled for the two directions",
    unit="1",
    fewest=FEWEST,
    reference=_ENGLE_GRANGER,
    remark="This decides. Among many pairs some are small by chance: a scan must control the false discovery rate."
    f" {LEG}",
    cadence="on_request",
    parameters=TERMS,
)
def coint_p(window: PairWindow) -> Value:
    return of_test(cointegration(window), lambda test: test.p)


@Metric(
    scope="pair",
    title="Cointegration lags",
    formula="lagged steps chosen by AIC among 0 ... 12 (n / 100)^(1/4)",
    unit="bars",
    fewest=FEWEST,
    reference=_ENGLE_GRANGER,
    cadence="on_request",
    parameters=TERMS,
)
def coint_lags(window: PairWindow) -> Value:
    return of_test(cointegration(window), lambda test: test.lags)


@Metric(
    scope="pair",
    title="Cointegration critical value",
    formula="MacKinnon critical value for two series and n - 1 observations",
    unit="1",
    fewest=FEWEST,
    reference=_ENGLE_GRANGER,
    remark="Of one direction: with two, coint_p is the stricter.",
    parameters=(_LEVEL, *TERMS),
    cadence="on_request",
)
def coint_crit(window: PairWindow, level: str = "5") -> Value:
    return of_test(cointegration(window), lambda test: _at(test.critical, level))


@Metric(
    scope="pair",
    title="Cointegration direction",
    formula="y_on_x or x_on_y: the regression whose residual reverts more clearly",
    unit="name",
    fewest=FEWEST,
    reference=_ENGLE_GRANGER,
    cadence="on_request",
    parameters=TERMS,
)
def coint_direction(window: PairWindow) -> Value:
    test = cointegration(window)
    return Value(test.direction, test.n) if test.reason is None else null(test.reason, test.n)


@Metric(
    scope="pair",
    title="Spike bars",
    formula="bars of a leg that leap beyond 8 deviations of a step and are taken back by the next, in both legs",
    unit="bars",
    remark="Replaced by the mean of their neighbours for the tests and the half-life, and nowhere else.",
    cadence="on_request",
    parameters=TERMS,
)
def spike_bars(window: PairWindow) -> Value:
    closes = tested(window)
    return of_test(evidence_of(window).test, lambda _: float(len(closes.y_spikes) + len(closes.x_spikes)))


@Metric(
    scope="pair",
    title="Naive cointegration statistic",
    formula="coint_t of the closes as they are",
    unit="1",
    fewest=FEWEST,
    reference=_ENGLE_GRANGER,
    remark=AS_THEY_ARE,
    cadence="on_request",
    parameters=TERMS,
)
def coint_t_naive(window: PairWindow) -> Value:
    return of_test(_naive_cointegration(window), lambda test: test.statistic)


@Metric(
    scope="pair",
    title="Naive cointegration p-value",
    formula="MacKinnon probability for two series of coint_t_naive, doubled for the two directions",
    unit="1",
    fewest=FEWEST,
    reference=_ENGLE_GRANGER,
    remark=AS_THEY_ARE,
    cadence="on_request",
    parameters=TERMS,
)
def coint_p_naive(window: PairWindow) -> Value:
    return of_test(_naive_cointegration(window), lambda test: test.p)


@Metric(
    scope="pair",
    title="Naive ADF of the spread",
    formula="ADF statistic, with a constant, of the residual of y on x",
    unit="1",
    fewest=FEWEST,
    reference=DICKEY_FULLER,
    remark=_NAIVE,
    cadence="on_request",
    parameters=TERMS,
)
def spread_adf_stat(window: PairWindow) -> Value:
    return of_test(_naive_test(window), lambda test: test.statistic)


@Metric(
    scope="pair",
    title="Naive ADF p-value",
    formula="MacKinnon probability for one given series of spread_adf_stat",
    unit="1",
    fewest=FEWEST,
    reference=DICKEY_FULLER,
    remark=_NAIVE,
    cadence="on_request",
    parameters=TERMS,
)
def spread_adf_p(window: PairWindow) -> Value:
    return of_test(_naive_test(window), lambda test: test.p)


@Metric(
    scope="pair",
    title="Naive ADF lags",
    formula="lagged steps chosen by AIC",
    unit="bars",
    fewest=FEWEST,
    reference=DICKEY_FULLER,
    remark=_NAIVE,
    cadence="on_request",
    parameters=TERMS,
)
def spread_adf_lags(window: PairWindow) -> Value:
    return of_test(_naive_test(window), lambda test: test.lags)


@Metric(
    scope="pair",
    title="Naive ADF criterion",
    formula="least AIC among the numbers of lags",
    unit="1",
    fewest=FEWEST,
    reference=DICKEY_FULLER,
    remark=_NAIVE,
    cadence="on_request",
    parameters=TERMS,
)
def spread_adf_aic(window: PairWindow) -> Value:
    return of_test(_naive_test(window), lambda test: test.criterion)


@Metric(
    scope="pair",
    title="Naive ADF critical value",
    formula="MacKinnon critical value for one given series",
    unit="1",
    fewest=FEWEST,
    reference=DICKEY_FULLER,
    remark=_NAIVE,
    parameters=(_LEVEL, *TERMS),
    cadence="on_request",
)
def spread_adf_crit(window: PairWindow, level: str = "5") -> Value:
    return of_test(_naive_test(window), lambda test: _at(test.critical, level))


def _at(critical: Critical, level: str) -> float:
    return critical[LEVELS.index(level)]
