"""Metrics that say how soon the spread of a pair comes back."""

from __future__ import annotations

import math
from collections.abc import Callable

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow, once
from pairscope.analytics.estimators.half_life import HalfLife
from pairscope.analytics.estimators.half_life import half_life as half_life_of
from pairscope.analytics.estimators.hurst import FEWEST as FEWEST_OF_HURST
from pairscope.analytics.estimators.hurst import Hurst
from pairscope.analytics.estimators.hurst import hurst as hurst_of
from pairscope.analytics.estimators.terms import INTERCEPT, PRICES
from pairscope.analytics.estimators.variance_ratio import VarianceRatio
from pairscope.analytics.estimators.variance_ratio import variance_ratio as variance_ratio_of
from pairscope.analytics.metrics.cointegration import fitted_spread, raw_spread, refusal
from pairscope.analytics.metrics.stationarity import FEWEST
from pairscope.analytics.values import Flag, Reason, Value, given, null
from pairscope.base.parameter import Parameter

_YEAR_MS = 365 * 24 * 3600 * 1000
_KENDALL = "M. G. Kendall, Biometrika 41, 1954"
_NOISY = "J. Staudenmayer and J. P. Buonaccorsi, Journal of the American Statistical Association 100, 2005"
_LO_MACKINLAY = "A. W. Lo and A. C. MacKinlay, Review of Financial Studies 1, 1988"
_PENG = "C.-K. Peng and others, Physical Review E 49, 1994"
_FITTED = (
    "Of a fitted spread, which looks more reverting than it is: independent walks give values below 1/2 too. Null "
    "(out_of_range) outside 0 to 1."
)
_TERMS = (PRICES, INTERCEPT)
_LAG = Parameter("lag", "int", 10, low=2, high=1000)


@once
def _half_life(window: PairWindow) -> HalfLife:
    spread, n, reason = fitted_spread(window)
    found = half_life_of(spread)
    return found if reason is None else found._replace(n=n, reason=reason)


def _plain_half_life(window: PairWindow, number: Callable[[HalfLife], float]) -> Value:
    """A number of the plain AR(1) fit, which also stands where the better estimate has none."""
    found = _half_life(window)
    reason = refusal(window)
    if reason is not None:
        return null(reason, found.n)
    if not math.isfinite(found.ar1_phi):
        return null(found.reason or Reason.NOT_FINITE, found.n)
    bars = number(found)
    return given(bars, found.n, *_short(bars))


def _short(bars: float) -> tuple[Flag, ...]:
    return (Flag.BELOW_ONE_BAR,) if bars < 1.0 else ()


@once
def _hurst(window: PairWindow) -> Hurst:
    spread, n, reason = raw_spread(window)
    found = hurst_of(spread)
    return found if reason is None else found._replace(n=n, reason=reason)


def _variance_ratio(window: PairWindow, lag: int) -> VarianceRatio:
    spread, n, reason = fitted_spread(window)
    found = variance_ratio_of(spread, lag=lag)
    return found if reason is None else found._replace(n=n, reason=reason)


@Metric(
    scope="pair",
    title="Half-life",
    formula="-ln 2 / ln phi, phi = c2 / c1, autocovariances of the spread at two bars and at one",
    unit="bars",
    fewest=FEWEST,
    reference=_NOISY,
    remark="Given when coint_p < 0.10. Right on noisy closes too; a tenth too short in 100 half-lives of bars, "
    "more in fewer.",
    cadence="on_request",
    parameters=_TERMS,
)
def half_life(window: PairWindow) -> Value:
    return _of_half_life(window, lambda found: found.bars)


@Metric(
    scope="pair",
    title="Half-life, low end",
    formula="half-life at phi - 1.96 stderr(phi)",
    unit="bars",
    fewest=FEWEST,
    reference=_NOISY,
    cadence="on_request",
    parameters=_TERMS,
)
def half_life_low(window: PairWindow) -> Value:
    return _of_half_life(window, lambda found: found.low)


@Metric(
    scope="pair",
    title="Half-life, high end",
    formula="half-life at phi + 1.96 stderr(phi)",
    unit="bars",
    fewest=FEWEST,
    reference=_NOISY,
    remark="Null (not_finite) where that phi is 1 or more: the interval has no end.",
    cadence="on_request",
    parameters=_TERMS,
)
def half_life_high(window: PairWindow) -> Value:
    return _of_half_life(window, lambda found: found.high)


@Metric(
    scope="pair",
    title="Half-life in time",
    formula="half-life times the length of a bar",
    unit="ms",
    fewest=FEWEST,
    reference=_NOISY,
    cadence="on_request",
    parameters=_TERMS,
)
def half_life_ms(window: PairWindow) -> Value:
    return _of_half_life(window, lambda found: found.bars, _YEAR_MS / window.bars_per_year)


@Metric(
    scope="pair",
    title="Half-life of an AR(1) fit",
    formula="-ln 2 / ln phi, spread = c + phi spread before + e, by least squares",
    unit="bars",
    fewest=FEWEST,
    reference=_KENDALL,
    remark="Given when coint_p < 0.10. On noisy closes 2 to 5 times too short.",
    cadence="on_request",
    parameters=_TERMS,
)
def half_life_ar1(window: PairWindow) -> Value:
    return _plain_half_life(window, lambda found: found.ar1)


@Metric(
    scope="pair",
    title="Half-life by the rate of return",
    formula="-ln 2 / lambda, step of the spread = c + lambda spread before + e, by least squares",
    unit="bars",
    fewest=FEWEST,
    reference="E. P. Chan, Algorithmic Trading, 2013, chapter 2",
    remark="What books usually print: a little longer than half_life_ar1, and as wrong on noisy closes.",
    cadence="on_request",
    parameters=_TERMS,
)
def half_life_lambda(window: PairWindow) -> Value:
    return _plain_half_life(window, lambda found: found.by_rate)


@Metric(
    scope="pair",
    title="Variance ratio",
    formula="variance of moves of the spread over lag bars / (lag times that over one bar)",
    unit="1",
    fewest=FEWEST,
    reference=_LO_MACKINLAY,
    remark="Below 1: moves are taken back. Of a fitted spread, so independent walks give less than 1 too.",
    parameters=(_LAG, *_TERMS),
    cadence="on_request",
)
def variance_ratio(window: PairWindow, lag: int = 10) -> Value:
    found = _variance_ratio(window, lag)
    return given(found.ratio, found.n) if found.reason is None else null(found.reason, found.n)


@Metric(
    scope="pair",
    title="Variance ratio p-value",
    formula="two-sided normal probability of the robust z of variance_ratio = 1",
    unit="1",
    fewest=FEWEST,
    reference=_LO_MACKINLAY,
    remark="Of a fitted spread: too small for independent walks.",
    parameters=(_LAG, *_TERMS),
    cadence="on_request",
)
def variance_ratio_p(window: PairWindow, lag: int = 10) -> Value:
    found = _variance_ratio(window, lag)
    return given(found.p, found.n) if found.reason is None else null(found.reason, found.n)


@Metric(
    scope="pair",
    title="Hurst exponent",
    formula="slope of log fluctuation of the spread on log length, by detrended fluctuation analysis",
    unit="1",
    fewest=FEWEST_OF_HURST,
    reference=_PENG,
    remark=_FITTED,
    cadence="on_request",
    parameters=_TERMS,
)
def hurst(window: PairWindow) -> Value:
    return _of_hurst(window, lambda found: found.exponent)


@Metric(
    scope="pair",
    title="Hurst exponent, low end",
    formula="hurst - 1.96 deviation of random walks of this length",
    unit="1",
    fewest=FEWEST_OF_HURST,
    reference=_PENG,
    remark=_FITTED,
    cadence="on_request",
    parameters=_TERMS,
)
def hurst_low(window: PairWindow) -> Value:
    return _of_hurst(window, lambda found: found.low)


@Metric(
    scope="pair",
    title="Hurst exponent, high end",
    formula="hurst + 1.96 deviation of random walks of this length",
    unit="1",
    fewest=FEWEST_OF_HURST,
    reference=_PENG,
    remark=_FITTED,
    cadence="on_request",
    parameters=_TERMS,
)
def hurst_high(window: PairWindow) -> Value:
    return _of_hurst(window, lambda found: found.high)


def _of_half_life(window: PairWindow, number: Callable[[HalfLife], float], unit: float = 1.0) -> Value:
    found = _half_life(window)
    reason = refusal(window) or found.reason
    if reason is not None:
        return null(reason, found.n)
    bars = number(found)
    return given(bars * unit, found.n, *_short(min(bars, found.bars)))


def _of_hurst(window: PairWindow, number: Callable[[Hurst], float]) -> Value:
    found = _hurst(window)
    return given(number(found), found.n) if found.reason is None else null(found.reason, found.n)
