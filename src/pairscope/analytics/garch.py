"""GARCH(1,1): how large the next bar's return is likely to be, given the last ones.

The fit is done by the `arch` package, which brings scipy, pandas and statsmodels along: 100 MB and a second to import.
So `fit_garch` is meant for a worker process, and imports it when called, never when this module is loaded.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pairscope.analytics.rolling import moves
from pairscope.base.errors import Meanings, PairscopeError
from pairscope.base.model import FloatArray

BARS = 1_000  # in the window of a fit
FEWEST_RETURNS = 100
_SCALE = 100.0  # omega and the likelihood are those of returns in per cent
_TOLERANCE = 1e-10


class MissingLibrary(PairscopeError):
    """A fit that needs a package which is not installed."""

    code = "missing_library"
    meanings: ClassVar[Meanings] = {
        "missing_library": ("a library of an optional part is not installed", "install what the cure names")
    }
    http_status = 501


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
    converged: bool
    message: str  # what the optimiser said, or why there was nothing to fit


def fit_garch(returns: FloatArray, mean: float | None = None) -> GarchFit:
    """Fit sigma²_t = omega + alpha e²_(t-1) + beta sigma²_(t-1) by maximum likelihood with normal e.

    e are the finite log returns times 100, less their mean. Before the first return, e² and sigma² are the mean of e².
    The search is done on e of unit deviation and its omega scaled back: the optimum is the same, but on the tiny
    returns of one second the optimiser would stop where it began and call that convergence.

    Args:
        returns: log returns, float64[n], oldest first; values that are not finite are left out.
        mean: what to subtract from the returns; their own mean when not given.

    Returns:
        The fit; not converged and all NaN with fewer than 100 returns or returns without movement. A fit whose
        optimiser did not come to rest keeps its numbers, with ``converged`` False.

    Raises:
        MissingLibrary: when `arch` is not installed.

    Reference: T. Bollerslev, "Generalized autoregressive conditional heteroskedasticity", Journal of
    Econometrics 31, 1986; convention of G. Fiorentini, G. Calzolari and L. Panattoni, Journal of Applied
    Econometrics 11, 1996.
    """
    present = returns[np.isfinite(returns)]
    n = len(present)
    if n < FEWEST_RETURNS:
        return _nothing(n, f"{n} returns, of at least {FEWEST_RETURNS}")
    shift = float(present.mean()) if mean is None else mean
    centred = present - shift
    squares = float(centred @ centred)
    if not (moves(squares, n, shift) and math.isfinite(squares)):
        return _nothing(n, "the returns do not move")
    deviation = math.sqrt(squares / n)
    return _fit(centred / deviation, deviation)


def _fit(e: FloatArray, deviation: float) -> GarchFit:
    """Fit to returns of mean square 1, given the deviation they were divided by."""
    try:
        from arch import arch_model
    except ImportError as error:
        raise MissingLibrary(
            "GARCH needs the package arch", cure="install it with: pip install 'pairscope[garch]'"
        ) from error
    model = arch_model(e, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is in the convergence flag
        result = model.fit(disp="off", show_warning=False, tol=_TOLERANCE, backcast=1.0, options={"maxiter": 1000})
    omega, alpha, beta = (float(value) for value in result.params)
    last = float(result.conditional_volatility[-1])
    following = math.sqrt(omega + alpha * float(e[-1]) ** 2 + beta * last**2)
    scale = _SCALE * deviation
    numbers = (
        omega * scale**2,
        alpha,
        beta,
        float(result.loglikelihood) - len(e) * math.log(scale),
        last * deviation,
        following * deviation,
    )
    converged = result.convergence_flag == 0 and all(math.isfinite(number) for number in numbers)
    return GarchFit(len(e), *numbers, converged=converged, message=str(result.optimization_result.message))


def _nothing(n: int, message: str) -> GarchFit:
    nan = math.nan
    return GarchFit(n, nan, nan, nan, nan, nan, nan, converged=False, message=message)
