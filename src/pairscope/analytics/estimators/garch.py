"""GARCH(1,1): how large the next bar's return is likely to be, given the last ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pairscope.analytics.estimators.garch_search import Climb, climb, log_likelihood
from pairscope.analytics.kernels.rolling import moves
from pairscope.analytics.values import Reason
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray

BARS = 1_000  # in the window of a fit
FEWEST_RETURNS = 500  # of 120 returns three quarters tell nothing from a constant variance, of 300 a third
# (alpha, beta) of the starts: nearly integrated, as usual, and far from persistent. Each finds maxima that others miss.
STARTS = ((0.01, 0.98), (0.05, 0.94), (0.2, 0.1))
NEAR = 0.01  # log-likelihoods that differ by less are of one maximum
RIVAL = 2.0  # below the best, within which another maximum is nearly as likely
LEAST_GAIN = 3.0  # over a constant variance; independent returns gain more in 1 of 100 windows
_GAIN_AT_TOP = 1e-6
_SCALE = 100.0  # omega and the likelihood are those of returns in per cent


class Rival(NamedTuple):
    """Another maximum of the likelihood that lies close below the best."""

    log_likelihood: float
    alpha: float
    beta: float
    forecast: float  # conditional deviation of the next return, ln per bar


@dataclass(frozen=True, slots=True)
class GarchFit:
    """A fitted GARCH(1,1); NaN where a number cannot be given. Variances are of per cent, deviations of ln."""

    n: int  # returns used
    omega: float
    alpha: float
    beta: float
    log_likelihood: float
    volatility: float  # conditional deviation of the last return, ln per bar
    forecast: float  # conditional deviation of the next return, ln per bar
    gain: float  # of log-likelihood over a constant variance
    converged: bool  # a maximum: no step within the bounds leads up, and the likelihood bends down
    starts_agreeing: int  # of `STARTS` that have ended at this maximum
    rival: Rival | None = None
    no_arch: bool = False  # no better than a constant variance, which is what the deviations then are
    integrated: bool = False  # alpha + beta = 1: the forecast is good, a long-run variance does not exist
    reason: Reason | None = None  # why there is no fit


def fit_garch(returns: FloatArray, mean: float | None = None, fewest: int = FEWEST_RETURNS) -> GarchFit:
    r"""Fit GARCH(1,1) by maximum likelihood with normal errors, the best of three climbs.

    With e the finite log returns times 100, less their mean, and before the first of them e² = sigma² = mean(e²)::

        sigma²_t = omega + alpha e²_(t-1) + beta sigma²_(t-1)
        log L = - sum over t of (ln 2 pi + ln sigma²_t + e²_t / sigma²_t) / 2

    within omega >= 1e-8 mean(e²), alpha >= 0, beta >= 0 and alpha + beta <= 1. The likelihood often has several
    maxima, and nothing at a maximum tells whether there is a higher one: so three climbs are made from fixed points
    far from each other, and none from an earlier fit, so that the answer depends on these returns alone.

    What is known of the answer is told apart. ``converged``: it is a maximum. ``starts_agreeing``: how many climbs have
    ended there; one is enough. ``rival``: another maximum is nearly as likely (within 2 of log-likelihood), and the
    forecast may change to its at the next bar. ``no_arch``: the gain over a constant variance is below 3, which
    independent returns reach in 1 of 100 windows; then alpha and beta mean nothing, and both deviations are the plain
    one. ``integrated``: alpha + beta is 1.

    Args:
        returns: log returns, float64[n], oldest first; values that are not finite are left out.
        mean: what to subtract from the returns; their own mean when not given.
        fewest: returns there must be, at least 10.

    Returns:
        The fit; all NaN with a reason: TOO_FEW, or CONSTANT (returns without movement, but for rounding). A fit whose
        climb did not come to rest keeps its numbers, with ``converged`` False.

    Source: T. Bollerslev, "Generalized autoregressive conditional heteroskedasticity", Journal of Econometrics 31,
    1986; convention of G. Fiorentini, G. Calzolari and L. Panattoni, Journal of Applied Econometrics 11, 1996.

    >>> calm, wild = 1e-3 * np.sin(np.arange(300.0) ** 2), 5e-3 * np.sin(np.arange(300.0) ** 2)
    >>> fit = fit_garch(np.concatenate([calm, wild, calm]))
    >>> fit.converged, fit.no_arch, bool(fit.forecast < 2e-3)
    (True, False, True)
    """
    values = floats(returns)
    present = values[np.isfinite(values)]
    n = len(present)
    if n < max(10, fewest):
        return _nothing(n, Reason.TOO_FEW)
    squares, deviation = _relative_squares(present, math.nan if mean is None else float(mean))
    if not (deviation > 0.0 and math.isfinite(deviation)):
        return _nothing(n, Reason.CONSTANT)
    climbs = [climb(squares, alpha, beta) for alpha, beta in STARTS]
    best = max(climbs, key=lambda each: each.log_likelihood)
    below = [best.log_likelihood - each.log_likelihood for each in climbs]
    gain = best.log_likelihood - log_likelihood(squares, 1.0, 0.0, 0.0)
    no_arch = not gain >= LEAST_GAIN
    last, following = (1.0, 1.0) if no_arch else (best.last, best.following)
    scale = _SCALE * deviation
    return GarchFit(
        n=n,
        omega=best.omega * scale * scale,
        alpha=best.alpha,
        beta=best.beta,
        log_likelihood=best.log_likelihood - n * math.log(scale),
        volatility=math.sqrt(last) * deviation,
        forecast=math.sqrt(following) * deviation,
        gain=gain,
        converged=_is_maximum(best),
        starts_agreeing=sum(short < NEAR for short in below),
        rival=None if no_arch else _rival(climbs, below, scale, deviation, n),
        no_arch=no_arch,
        integrated=not no_arch and best.alpha + best.beta >= 1.0 - 1e-12,
    )


def _is_maximum(found: Climb) -> bool:
    """Both must be asked: where no step can be made the promise is 0, and the likelihood does not bend down."""
    return bool(found.is_definite and found.gain < _GAIN_AT_TOP and math.isfinite(found.log_likelihood))


def _rival(climbs: list[Climb], below: list[float], scale: float, deviation: float, n: int) -> Rival | None:
    """The highest maximum that is not the best, when it is close."""
    others = [(short, each) for short, each in zip(below, climbs, strict=True) if NEAR <= short <= RIVAL]
    others = [(short, each) for short, each in others if _is_maximum(each)]
    if not others:
        return None
    _, other = min(others, key=lambda one: one[0])
    level = other.log_likelihood - n * math.log(scale)
    return Rival(level, other.alpha, other.beta, math.sqrt(other.following) * deviation)


def _nothing(n: int, reason: Reason) -> GarchFit:
    nan = math.nan
    return GarchFit(n, nan, nan, nan, nan, nan, nan, nan, converged=False, starts_agreeing=0, reason=reason)


@kernel
def _relative_squares(returns: FloatArray, mean: float) -> tuple[FloatArray, float]:
    """Squares around the mean (their own when NaN) in units of their mean, and its root; 0 without movement.

    One sum after the other: NumPy's depend on the processor in their last digits. In units of the largest, so that
    no square over- or underflows.
    """
    n = len(returns)
    reference = returns[0]
    shift = 0.0
    for value in returns:
        shift += (value - reference) / n
    shift = reference + shift if math.isnan(mean) else mean
    largest = 0.0
    for value in returns:
        largest = max(largest, abs(value - shift))
    squares = np.zeros(n)
    if not (largest > 0.0 and math.isfinite(largest)):
        return squares, 0.0
    total = 0.0
    for t in range(n):
        around = (returns[t] - shift) / largest
        squares[t] = around * around
        total += squares[t]
    if not moves(total, n, shift / largest):
        return squares, 0.0
    for t in range(n):
        squares[t] *= n / total
    return squares, largest * math.sqrt(total / n)
