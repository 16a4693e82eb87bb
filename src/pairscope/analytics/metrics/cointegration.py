"""Metrics that test whether a price, or a combination of prices, comes back: unit roots and cointegration."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from pairscope.analytics.entry.metric import Metric, Parameter
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.adf import UnitRoot, adf
from pairscope.analytics.estimators.engle_granger import Cointegration, Residual, engle_granger, residual
from pairscope.analytics.estimators.evidence import CLAIM_P, Evidence, Tested, closes_to_test, leg_prevails, weigh
from pairscope.analytics.estimators.johansen import Johansen, johansen
from pairscope.analytics.estimators.terms import INTERCEPT, PRICES
from pairscope.analytics.kernels.mackinnon import Critical
from pairscope.analytics.values import Reason, Value, given, null
from pairscope.base.jit import floats

FEWEST = 30
LEVELS = ("1", "5", "10")  # percent

_W = TypeVar("_W", SymbolWindow, PairWindow)
_T = TypeVar("_T")


def once(function: Callable[[_W], _T]) -> Callable[[_W], _T]:
    """Keep what a function says of a window with the window, as a cached property of it would be."""
    name = f"_{function.__module__}.{function.__qualname__}"

    @functools.wraps(function)
    def kept(window: _W) -> _T:
        known = vars(window)
        if name not in known:
            known[name] = function(window)
        answer: _T = known[name]
        return answer

    return kept


def enough(window: SymbolWindow | PairWindow) -> int:
    """Bars a stretch without a gap must have: half of the window, as for other metrics."""
    return max(FEWEST, (window.window + 1) // 2)


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
def _price_test(window: SymbolWindow) -> UnitRoot:
    close = floats(window.close[-window.window :])
    return adf(np.log(close, where=close > 0.0, out=np.full(len(close), np.nan)), fewest=enough(window))


@once
def _evidence(window: PairWindow) -> Evidence:
    return weigh(tested(window).y, tested(window).x, enough(window), window.intercept)


def cointegration(window: PairWindow) -> Cointegration:
    """The test that decides, with a reason instead of a number when a leg is stationary by itself."""
    return _evidence(window).believed


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


@once
def _johansen(window: PairWindow) -> Johansen:
    """With the rule for a stationary leg, which a rank of 2 does not show: a third of sound pairs have it."""
    closes = tested(window)
    test = johansen(np.array([closes.y, closes.x]), fewest=enough(window), constant=window.intercept)
    evidence = _evidence(window)
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


def adf_stat(window: SymbolWindow) -> Value:
    return _of(_price_test(window), lambda test: test.statistic)


def adf_pvalue(window: SymbolWindow) -> Value:
    return _of(_price_test(window), lambda test: test.p)


def coint_t(window: PairWindow) -> Value:
    return _of(cointegration(window), lambda test: test.statistic)


def coint_p(window: PairWindow) -> Value:
    return _of(cointegration(window), lambda test: test.p)


def coint_lags(window: PairWindow) -> Value:
    return _of(cointegration(window), lambda test: test.lags)


def coint_crit(window: PairWindow, level: str = "5") -> Value:
    return _of(cointegration(window), lambda test: _at(test.critical, level))


def coint_direction(window: PairWindow) -> Value:
    test = cointegration(window)
    return Value(test.direction, test.n) if test.reason is None else null(test.reason, test.n)


def coint_t_naive(window: PairWindow) -> Value:
    return _of(_naive_cointegration(window), lambda test: test.statistic)


def coint_p_naive(window: PairWindow) -> Value:
    return _of(_naive_cointegration(window), lambda test: test.p)


def spike_bars(window: PairWindow) -> Value:
    closes = tested(window)
    return _of(_evidence(window).test, lambda _: float(len(closes.y_spikes) + len(closes.x_spikes)))


def spread_adf_stat(window: PairWindow) -> Value:
    return _of(_naive_test(window), lambda test: test.statistic)


def spread_adf_p(window: PairWindow) -> Value:
    return _of(_naive_test(window), lambda test: test.p)


def spread_adf_lags(window: PairWindow) -> Value:
    return _of(_naive_test(window), lambda test: test.lags)


def spread_adf_aic(window: PairWindow) -> Value:
    return _of(_naive_test(window), lambda test: test.criterion)


def spread_adf_crit(window: PairWindow, level: str = "5") -> Value:
    return _of(_naive_test(window), lambda test: _at(test.critical, level))


def johansen_trace(window: PairWindow) -> Value:
    return _of(_johansen(window), lambda test: float(test.trace[0]))


def johansen_rank(window: PairWindow) -> Value:
    return _of(_johansen(window), lambda test: test.rank)


def johansen_trace_naive(window: PairWindow) -> Value:
    return _of(_naive_johansen(window), lambda test: float(test.trace[0]))


def johansen_rank_naive(window: PairWindow) -> Value:
    return _of(_naive_johansen(window), lambda test: test.rank)


_Test = TypeVar("_Test", UnitRoot, Cointegration, Johansen)


def _of(test: _Test, number: Callable[[_Test], float]) -> Value:
    return given(number(test), test.n) if test.reason is None else null(test.reason, test.n)


def _at(critical: Critical, level: str) -> float:
    return critical[LEVELS.index(level)]


_DICKEY_FULLER = "D. A. Dickey and W. A. Fuller, Journal of the American Statistical Association 74, 1979"
_ENGLE_GRANGER = "R. F. Engle and C. W. J. Granger, Econometrica 55, 1987; surface of J. G. MacKinnon, 2010"
_JOHANSEN = "S. Johansen, Econometrica 59, 1991"
_NAIVE = "Naive: a fitted spread looks stationary; independent walks pass at 5 % in 14 to 19 % of cases. Use coint_p."
_AS_THEY_ARE = "Naive: closes as they are, spike bars among them, and no regard to a leg that is stationary by itself."
_LEG = "Null when a leg is stationary by itself: it then reverts without the other."
_LEVEL = Parameter("level", "choice", "5", choices=LEVELS)
_TERMS = (PRICES, INTERCEPT)

METRICS = (
    Metric(
        name="adf_stat",
        scope="symbol",
        title="ADF statistic",
        formula="t of gamma in step = c + gamma level + lagged steps, of log closes; lags by AIC",
        unit="1",
        function=adf_stat,
        fewest=FEWEST,
        reference=_DICKEY_FULLER,
        remark="The longest stretch without a gap is tested.",
        cadence="scan",
    ),
    Metric(
        name="adf_pvalue",
        scope="symbol",
        title="ADF p-value",
        formula="MacKinnon probability of adf_stat when there is a unit root",
        unit="1",
        function=adf_pvalue,
        fewest=FEWEST,
        reference=_DICKEY_FULLER,
        remark="Small: the price comes back to its mean in this window.",
        cadence="scan",
    ),
    Metric(
        name="coint_t",
        scope="pair",
        title="Cointegration statistic",
        formula="smaller ADF statistic of the residuals of y on x and x on y; lags by AIC",
        unit="1",
        function=coint_t,
        fewest=FEWEST,
        reference=_ENGLE_GRANGER,
        remark=f"The longest stretch without a gap is tested, spike bars replaced. {_LEG}",
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="coint_p",
        scope="pair",
        title="Cointegration p-value",
        formula="MacKinnon probability for two series of coint_t, doubled for the two directions",
        unit="1",
        function=coint_p,
        fewest=FEWEST,
        reference=_ENGLE_GRANGER,
        remark="This decides. Among many pairs some are small by chance: a scan must control the false discovery rate."
        f" {_LEG}",
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="coint_lags",
        scope="pair",
        title="Cointegration lags",
        formula="lagged steps chosen by AIC among 0 ... 12 (n / 100)^(1/4)",
        unit="bars",
        function=coint_lags,
        fewest=FEWEST,
        reference=_ENGLE_GRANGER,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="coint_crit",
        scope="pair",
        title="Cointegration critical value",
        formula="MacKinnon critical value for two series and n - 1 observations",
        unit="1",
        function=coint_crit,
        fewest=FEWEST,
        reference=_ENGLE_GRANGER,
        remark="Of one direction: with two, coint_p is the stricter.",
        parameters=(_LEVEL, *_TERMS),
        cadence="scan",
    ),
    Metric(
        name="coint_direction",
        scope="pair",
        title="Cointegration direction",
        formula="y_on_x or x_on_y: the regression whose residual reverts more clearly",
        unit="name",
        function=coint_direction,
        fewest=FEWEST,
        reference=_ENGLE_GRANGER,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="spike_bars",
        scope="pair",
        title="Spike bars",
        formula="bars of a leg that leap beyond 8 deviations of a step and are taken back by the next, in both legs",
        unit="bars",
        function=spike_bars,
        remark="Replaced by the mean of their neighbours for the tests and the half-life, and nowhere else.",
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="coint_t_naive",
        scope="pair",
        title="Naive cointegration statistic",
        formula="coint_t of the closes as they are",
        unit="1",
        function=coint_t_naive,
        fewest=FEWEST,
        reference=_ENGLE_GRANGER,
        remark=_AS_THEY_ARE,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="coint_p_naive",
        scope="pair",
        title="Naive cointegration p-value",
        formula="MacKinnon probability for two series of coint_t_naive, doubled for the two directions",
        unit="1",
        function=coint_p_naive,
        fewest=FEWEST,
        reference=_ENGLE_GRANGER,
        remark=_AS_THEY_ARE,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="spread_adf_stat",
        scope="pair",
        title="Naive ADF of the spread",
        formula="ADF statistic, with a constant, of the residual of y on x",
        unit="1",
        function=spread_adf_stat,
        fewest=FEWEST,
        reference=_DICKEY_FULLER,
        remark=_NAIVE,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="spread_adf_p",
        scope="pair",
        title="Naive ADF p-value",
        formula="MacKinnon probability for one given series of spread_adf_stat",
        unit="1",
        function=spread_adf_p,
        fewest=FEWEST,
        reference=_DICKEY_FULLER,
        remark=_NAIVE,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="spread_adf_lags",
        scope="pair",
        title="Naive ADF lags",
        formula="lagged steps chosen by AIC",
        unit="bars",
        function=spread_adf_lags,
        fewest=FEWEST,
        reference=_DICKEY_FULLER,
        remark=_NAIVE,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="spread_adf_aic",
        scope="pair",
        title="Naive ADF criterion",
        formula="least AIC among the numbers of lags",
        unit="1",
        function=spread_adf_aic,
        fewest=FEWEST,
        reference=_DICKEY_FULLER,
        remark=_NAIVE,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="spread_adf_crit",
        scope="pair",
        title="Naive ADF critical value",
        formula="MacKinnon critical value for one given series",
        unit="1",
        function=spread_adf_crit,
        fewest=FEWEST,
        reference=_DICKEY_FULLER,
        remark=_NAIVE,
        parameters=(_LEVEL, *_TERMS),
        cadence="scan",
    ),
    Metric(
        name="johansen_trace",
        scope="pair",
        title="Johansen trace",
        formula="-T sum ln(1 - lambda_i): no combination reverts, against some; constant, one lagged step",
        unit="1",
        function=johansen_trace,
        fewest=FEWEST,
        reference=_JOHANSEN,
        remark=_LEG,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="johansen_rank",
        scope="pair",
        title="Johansen rank",
        formula="combinations that revert, by the trace at 5 %",
        unit="1",
        function=johansen_rank,
        fewest=FEWEST,
        reference=_JOHANSEN,
        remark=f"{_LEG} A rank of 2 does not tell: a third of sound pairs have it.",
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="johansen_trace_naive",
        scope="pair",
        title="Naive Johansen trace",
        formula="johansen_trace of the closes as they are",
        unit="1",
        function=johansen_trace_naive,
        fewest=FEWEST,
        reference=_JOHANSEN,
        remark=_AS_THEY_ARE,
        cadence="scan",
        parameters=_TERMS,
    ),
    Metric(
        name="johansen_rank_naive",
        scope="pair",
        title="Naive Johansen rank",
        formula="johansen_rank of the closes as they are",
        unit="1",
        function=johansen_rank_naive,
        fewest=FEWEST,
        reference=_JOHANSEN,
        remark=_AS_THEY_ARE,
        cadence="scan",
        parameters=_TERMS,
    ),
)
