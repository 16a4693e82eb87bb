"""How sure least squares is of a hedge ratio, if its residuals were independent: on prices they are not."""

from __future__ import annotations

import math

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.regression import sums_of_line, window_sums
from pairscope.analytics.estimators.terms import INTERCEPT, PRICES
from pairscope.analytics.kernels.student_t import two_sided
from pairscope.analytics.metrics.hedge import of_quantities
from pairscope.analytics.values import Reason, Value, given, null
from pairscope.base.jit import floats

_REFERENCE = "W. H. Greene, Econometric Analysis, chapter 4"
_WARNING = "Assumes independent, stationary residuals. Prices have neither, so it promises far too much."


def _estimated(window: PairWindow) -> int:
    """Parameters that least squares has estimated."""
    return 2 if window.intercept else 1


@Metric(
    scope="pair",
    title="Standard error of the hedge ratio",
    formula="sqrt(Σ spread² / (n - 2) / Sxx) of least squares; n - 1 and Σ x² without an intercept",
    unit="y per x",
    fewest=3,
    reference=_REFERENCE,
    remark=_WARNING,
    cadence="on_request",
    parameters=(PRICES, INTERCEPT),
    unit_on_levels="units of x per y",
)
def beta_stderr(window: PairWindow) -> Value:
    hedge = window.hedge("ols")
    if not math.isfinite(hedge.beta):
        return null(Reason.TOO_FEW if 2 * hedge.n < window.window else Reason.CONSTANT, hedge.n)
    if hedge.n < 3:
        return null(Reason.TOO_FEW, hedge.n)
    first = max(0, len(window.y) - window.window)
    sums = window_sums(floats(window.y[first:]), floats(window.x[first:]))
    _, xx, _ = sums_of_line(*sums, window.intercept)
    if window.intercept:
        error = hedge.spread_std * math.sqrt((hedge.n - 1) / (hedge.n - 2) / xx)
    else:  # the spread has a mean, whose squares count too
        about_mean = hedge.spread_std * math.sqrt(1.0 - 1.0 / hedge.n)
        error = math.hypot(about_mean, hedge.spread_mean) * math.sqrt(hedge.n / (hedge.n - 1) / xx)
    return of_quantities(window, given(error, hedge.n))


@Metric(
    scope="pair",
    title="t of the hedge ratio",
    formula="beta / beta_stderr of least squares",
    unit="1",
    fewest=3,
    reference=_REFERENCE,
    remark=_WARNING,
    cadence="on_request",
    parameters=(PRICES, INTERCEPT),
)
def beta_t(window: PairWindow) -> Value:
    error = beta_stderr(window)
    if not isinstance(error.value, float):
        return error
    if error.value == 0.0:
        return null(Reason.EXACT_FIT, error.n)
    return given(window.hedge("ols").beta / error.value, error.n)


@Metric(
    scope="pair",
    title="p of the hedge ratio",
    formula="two-sided p of beta_t by Student's distribution, n - 2 degrees of freedom (n - 1 without intercept)",
    unit="probability",
    fewest=3,
    reference=_REFERENCE,
    remark=_WARNING,
    cadence="on_request",
    parameters=(PRICES, INTERCEPT),
)
def beta_p(window: PairWindow) -> Value:
    t = beta_t(window)
    return given(two_sided(t.value, t.n - _estimated(window)), t.n) if isinstance(t.value, float) else t
