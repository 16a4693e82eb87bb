"""Metrics that test whether the price of one symbol comes back: a unit root."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow, SymbolWindow, once
from pairscope.analytics.estimators.adf import UnitRoot, adf
from pairscope.analytics.estimators.engle_granger import Cointegration
from pairscope.analytics.estimators.johansen import Johansen
from pairscope.analytics.values import Value, given, null
from pairscope.base.jit import floats

FEWEST = 30
DICKEY_FULLER = "D. A. Dickey and W. A. Fuller, Journal of the American Statistical Association 74, 1979"
_Test = TypeVar("_Test", UnitRoot, Cointegration, Johansen)


def enough(window: SymbolWindow | PairWindow) -> int:
    """Bars a stretch without a gap must have: half of the window, as for other metrics."""
    return max(FEWEST, (window.window + 1) // 2)


@once
def _price_test(window: SymbolWindow) -> UnitRoot:
    close = floats(window.close[-window.window :])
    return adf(np.log(close, where=close > 0.0, out=np.full(len(close), np.nan)), fewest=enough(window))


@Metric(
    scope="symbol",
    title="ADF statistic",
    formula="t of gamma in step = c + gamma level + lagged steps, of log closes; lags by AIC",
    unit="1",
    fewest=FEWEST,
    reference=DICKEY_FULLER,
    remark="The longest stretch without a gap is tested.",
    cadence="on_request",
)
def adf_stat(window: SymbolWindow) -> Value:
    return of_test(_price_test(window), lambda test: test.statistic)


@Metric(
    scope="symbol",
    title="ADF p-value",
    formula="MacKinnon probability of adf_stat when there is a unit root",
    unit="1",
    fewest=FEWEST,
    reference=DICKEY_FULLER,
    remark="Small: the price comes back to its mean in this window.",
    cadence="on_request",
)
def adf_pvalue(window: SymbolWindow) -> Value:
    return of_test(_price_test(window), lambda test: test.p)


def of_test(test: _Test, number: Callable[[_Test], float]) -> Value:
    """A number of a test, or null with the reason why there is none."""
    return given(number(test), test.n) if test.reason is None else null(test.reason, test.n)
