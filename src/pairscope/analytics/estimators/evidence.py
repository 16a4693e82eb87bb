"""What one window says for a pair: the test of cointegration on closes without spike bars, and whether a leg is
stationary by itself.

A stationary leg reverts whatever the other leg does, and so does any combination in which it prevails: the test of
Engle and Granger then rejects with hardly any pair in it. So a small probability is not believed when one of the legs
alone reverts at least four fifths as clearly as the spread.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.analytics.estimators.adf import adf_test, longest_stretch, reason_of
from pairscope.analytics.estimators.engle_granger import DIRECTIONS, FEWEST, Cointegration, pair_test
from pairscope.analytics.estimators.spikes import without_spikes
from pairscope.analytics.kernels import dickey_fuller as df
from pairscope.analytics.kernels.mackinnon import p_value
from pairscope.analytics.values import Reason
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray, IntArray

CLAIM_P = 0.10  # a pair is claimed below it, and only then is a half-life given
LEG_P = 0.05
LEG_SHARE = 0.8  # of the statistic of the spread

# Kernels are given these, for literals would have the regressions compiled once more.
_BY_SCHWERT = -1
_CONSTANT = 1
_NO_CONSTANT = 0


class Tested(NamedTuple):
    """The closes of a window as its tests see them, and the places in the window where spike bars were replaced."""

    y: FloatArray
    x: FloatArray
    y_spikes: IntArray
    x_spikes: IntArray


class Evidence(NamedTuple):
    """The test of a pair, and whether a stationary leg takes away what it says."""

    test: Cointegration  # whatever the legs do
    leg_is_stationary: bool

    @property
    def believed(self) -> Cointegration:
        """The test, with the reason LEG_IS_STATIONARY and no number when a leg is."""
        if not self.leg_is_stationary:
            return self.test
        return self.test._replace(statistic=math.nan, p=math.nan, beta=math.nan, reason=Reason.LEG_IS_STATIONARY)


def closes_to_test(y: FloatArray, x: FloatArray, window: int) -> Tested:
    """The last `window` closes without spikes; one close before them, where it is given, tells if the first is one."""
    tail = slice(max(0, len(y) - window - 1), None)
    before = max(0, len(y[tail]) - window)
    (y_clean, y_places), (x_clean, x_places) = (without_spikes(floats(leg[tail])) for leg in (y, x))
    y_places, x_places = (places[places >= before] - before for places in (y_places, x_places))
    return Tested(y_clean[before:], x_clean[before:], y_places, x_places)


def weigh(y: FloatArray, x: FloatArray, fewest: int = FEWEST, intercept: bool = True) -> Evidence:
    """The evidence of closes without spikes: Engle-Granger in the better direction, and the rule for a stationary leg.

    The rule stands when p < 0.10, the smaller statistic of the two legs' own augmented Dickey-Fuller tests has p < 0.05
    and is at most 0.8 times that of the spread; a leg's own test has a constant, whatever the line has. It takes
    85-100 % of the windows with a stationary leg that the test alone passes, and under 1 % of sound pairs whose spread
    moves no more than x does.

    >>> x = np.cumsum(np.sin(np.arange(300.0) ** 2))
    >>> weigh(x + np.cos(np.arange(300.0) ** 3), x).leg_is_stationary
    False
    >>> found = weigh(np.cos(np.arange(300.0) ** 3), x)
    >>> found.test.p < 0.001, found.believed.reason
    (True, <Reason.LEG_IS_STATIONARY: 'leg_is_stationary'>)
    """
    found = weigh_closes(floats(y), floats(x), max(4, fewest), intercept)
    statistic, p, used, least, beta, direction, n, outcome, leg = found
    test = Cointegration(statistic, p, used, least, beta, DIRECTIONS[direction], n, reason_of(outcome), intercept)
    return Evidence(test, leg)


def leg_prevails(y: FloatArray, x: FloatArray, statistic: float) -> bool:
    """Whether a leg alone reverts at least four fifths as clearly as a spread of this statistic."""
    return _leg_prevails(floats(y), floats(x), statistic)


@kernel
def weigh_closes(
    y: FloatArray, x: FloatArray, fewest: int, intercept: bool
) -> tuple[float, float, int, float, float, int, int, int, bool]:
    """What `cointegration.pair_test` finds, and whether a leg takes it away."""
    statistic, p, used, least, beta, direction, n, outcome = pair_test(
        y, x, _BY_SCHWERT, df.AIC, _NO_CONSTANT, True, intercept, fewest
    )
    leg = outcome == df.SOLVED and p < CLAIM_P and _leg_prevails(y, x, statistic)
    return statistic, p, used, least, beta, direction, n, outcome, leg


@kernel
def _leg_prevails(y: FloatArray, x: FloatArray, statistic: float) -> bool:
    first, end, _ = longest_stretch(y, x)
    least = np.inf
    for leg in (y[first:end], x[first:end]):
        own = adf_test(leg, _BY_SCHWERT, df.AIC, _CONSTANT, 4)[0]
        if own < least:  # NaN is not
            least = own
    return p_value(least, 1) < LEG_P and least <= LEG_SHARE * statistic
