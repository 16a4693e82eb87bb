"""The metrics of a symbol that a fit in the background gives: the window carries the fit, when there is one."""

from __future__ import annotations

from pairscope.analytics.garch import BARS, FEWEST_RETURNS
from pairscope.analytics.metric import Metric
from pairscope.analytics.values import Reason, Value, given, null
from pairscope.analytics.windows import SymbolWindow


def garch_forecast(window: SymbolWindow) -> Value:
    return _of_fit(window, "forecast")


def garch_volatility(window: SymbolWindow) -> Value:
    return _of_fit(window, "volatility")


def _of_fit(window: SymbolWindow, name: str) -> Value:
    fit = window.garch
    if fit is None:
        return null(Reason.NOT_FITTED, 0)
    if fit.n < FEWEST_RETURNS:
        return null(Reason.TOO_FEW, fit.n)
    return given(getattr(fit, name), fit.n) if fit.converged else null(Reason.NOT_CONVERGED, fit.n)


_REFERENCE = "T. Bollerslev, Journal of Econometrics 31, 1986"
_REMARK = "Fitted in the background on demeaned log returns times 100, not at each bar; null when it does not converge."

METRICS = (
    Metric(
        name="garch_forecast",
        scope="symbol",
        title="GARCH forecast",
        formula="deviation of the next return by GARCH(1,1), sqrt(omega + alpha e² + beta sigma²)",
        unit="ln per bar",
        function=garch_forecast,
        window=BARS,
        reference=_REFERENCE,
        remark=_REMARK,
        cadence="scan",
        needs="fit",
    ),
    Metric(
        name="garch_volatility",
        scope="symbol",
        title="GARCH volatility",
        formula="deviation of the last return of the fit by GARCH(1,1), given those before it",
        unit="ln per bar",
        function=garch_volatility,
        window=BARS,
        reference=_REFERENCE,
        remark=_REMARK,
        cadence="scan",
        needs="fit",
    ),
)
