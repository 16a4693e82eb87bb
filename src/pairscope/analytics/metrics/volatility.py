"""The metrics of a GARCH fit to the closed bars of a symbol."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pairscope.analytics.entry.metric import Metric, Unit
from pairscope.analytics.entry.window import SymbolWindow, once
from pairscope.analytics.estimators.garch import BARS, FEWEST_RETURNS, STARTS, GarchFit, fit_garch
from pairscope.analytics.values import Flag, Reason, Value, given, null
from pairscope.base.jit import floats

_REFERENCE = "T. Bollerslev, Journal of Econometrics 31, 1986"
_WINDOW = "Of the newest closed bars, at each close, whatever window is asked for."


def _garch(title: str, formula: str, unit: Unit, remark: str) -> Metric:
    return Metric(
        scope="symbol",
        title=title,
        formula=formula,
        unit=unit,
        window=BARS,
        fewest=FEWEST_RETURNS,
        reference=_REFERENCE,
        remark=f"{remark} {_WINDOW}".strip(),
        cadence="close",
        needs=("history",),
        about="tape",
    )


@once
def _fit(window: SymbolWindow) -> GarchFit | None:
    """The fit to the newest closed bars; None when the last of them has no price, or no bars are at hand."""
    if window.history is None or len(window.history) == 0 or not window.history[-1] > 0.0:
        return None
    close = floats(window.history[-BARS:])
    log_close = np.log(close, where=close > 0.0, out=np.full(len(close), np.nan))
    with np.errstate(invalid="ignore"):  # two infinite prices
        return fit_garch(np.diff(log_close))


@_garch(
    "GARCH forecast",
    "deviation of the next return by GARCH(1,1), sqrt(omega + alpha e² + beta sigma²)",
    "ln per bar",
    "The best of three maximum-likelihood fits. The plain deviation where that is as good (flag no_arch); "
    "with another fit nearly as likely the next value may jump (flag rival).",
)
def garch_forecast(window: SymbolWindow) -> Value:
    return _deviation(window, lambda fit: fit.forecast)


@_garch(
    "GARCH volatility",
    "deviation of the last return of the fit by GARCH(1,1), given those before it",
    "ln per bar",
    "As garch_forecast.",
)
def garch_volatility(window: SymbolWindow) -> Value:
    return _deviation(window, lambda fit: fit.volatility)


@_garch(
    "GARCH forecast of a rival",
    "garch_forecast at another maximum of the likelihood, within 2 below the highest",
    "ln per bar",
    "Null with the reason no_rival when there is none.",
)
def garch_rival(window: SymbolWindow) -> Value:
    def forecast(fit: GarchFit) -> Value:
        return null(Reason.NO_RIVAL, fit.n) if fit.rival is None else given(fit.rival.forecast, fit.n)

    return _of_parameters(window, forecast)


@_garch(
    "GARCH alpha",
    "weight of the last squared return in the next variance",
    "1",
    "Null where a constant variance is as good.",
)
def garch_alpha(window: SymbolWindow) -> Value:
    return _of_parameters(window, lambda fit: given(fit.alpha, fit.n))


@_garch(
    "GARCH beta",
    "weight of the last variance in the next variance",
    "1",
    "Null where a constant variance is as good. With alpha + beta = 1 (flag integrated of the forecast) a "
    "long-run variance does not exist.",
)
def garch_beta(window: SymbolWindow) -> Value:
    return _of_parameters(window, lambda fit: given(fit.beta, fit.n))


@_garch(
    "GARCH starts agreeing",
    f"of the {len(STARTS)} fits those that have ended at the highest likelihood",
    "1",
    "One is enough: most windows reached by one alone were right.",
)
def garch_starts(window: SymbolWindow) -> Value:
    return _of_parameters(window, lambda fit: given(float(fit.starts_agreeing), fit.n))


@_garch(
    "GARCH gain",
    "log-likelihood of the fit less that of a constant variance",
    "1",
    "Independent returns gain 3 or more in 1 of 100 windows; below, the flag no_arch.",
)
def garch_gain(window: SymbolWindow) -> Value:
    return _of_fit(window, lambda fit: given(fit.gain, fit.n))


def _deviation(window: SymbolWindow, number: Callable[[GarchFit], float]) -> Value:
    """A deviation that the fit gives, or a constant one, with what is to be known of it."""

    def told(fit: GarchFit) -> Value:
        if fit.no_arch:
            return given(number(fit), fit.n, Flag.NO_ARCH)
        if not fit.converged:
            return null(Reason.NOT_CONVERGED, fit.n)
        rival = (Flag.RIVAL,) if fit.rival is not None else ()
        integrated = (Flag.INTEGRATED,) if fit.integrated else ()
        return given(number(fit), fit.n, *rival, *integrated)

    return _of_fit(window, told)


def _of_parameters(window: SymbolWindow, told: Callable[[GarchFit], Value]) -> Value:
    """What means something only of a model that is better than a constant variance."""

    def of_model(fit: GarchFit) -> Value:
        if fit.no_arch:
            return null(Reason.NO_ARCH, fit.n)
        return told(fit) if fit.converged else null(Reason.NOT_CONVERGED, fit.n)

    return _of_fit(window, of_model)


def _of_fit(window: SymbolWindow, told: Callable[[GarchFit], Value]) -> Value:
    fit = _fit(window)
    if fit is None:
        is_there = window.history is not None and len(window.history) > 0
        return null(Reason.STALE if is_there else Reason.TOO_FEW, 0)
    return told(fit) if fit.reason is None else null(fit.reason, fit.n)
