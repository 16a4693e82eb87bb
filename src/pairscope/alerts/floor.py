"""The floor: how often a rule would fire that knew the truth about a spread, which no rule does.

A spread that returns with a half-life is taken as an Ornstein-Uhlenbeck process of deviation 1 whose z is known
exactly. An excursion begins when z leaves the threshold behind, and is over when it is back past the reset level; a
perfect rule fires once at each. Between two of them z has to come back and to go out again, and how long that takes on
average is known: with θ = ln 2 / half-life, from a up to b > a the mean first passage takes

    (1/θ) ∫ₐᵇ exp(y²/2) ∫₋∞ʸ exp(-s²/2) ds dy

and down again the same with the inner integral from y to ∞ (L. M. Ricciardi and S. Sato, "First-passage-time density
and moments of the Ornstein-Uhlenbeck process", Journal of Applied Probability 25, 1988). Of one threshold u with a
reset level r the two add up to √(2π)/θ ∫ᵣᵘ exp(y²/2) dy. Of a band the way in between ends at the one end or the other,
by the scale function S(x) = ∫ exp(y²/2) dy; which of them depends on where the last excursion has ended.

A rule sees z at the ends of bars alone, and finds it a little beyond each level when it finds it there at all: every
level is moved by 0.5826 steps, -ζ(1/2)/√(2π) of the deviation of a step between two bars (M. Broadie, P. Glasserman and
S. Kou, "A continuity correction for discrete barrier options", Mathematical Finance 7, 1997).
"""

from __future__ import annotations

import math

import numpy as np

from pairscope.alerts.rule import Clause
from pairscope.base.model import FloatArray

HOUR_MS = 3_600_000
_OVERSHOOT = 0.5826
_TOO_FAR = 12.0  # deviations: not once in 10^20 half-lives
_POINTS = 4_001


def excursions_per_hour(clause: Clause, half_life_ms: float, bar_ms: int) -> float:
    """How often an hour a perfect rule fires on a spread of a half-life whose z is read once a bar.

    Args:
        clause: a threshold on z, or the outside of a band, with its reset levels.

    >>> from pairscope.alerts.rule import Comparison
    >>> z = Clause(metric="spread_z", comparison=Comparison.OUTSIDE, low=-2, high=2, reset_low=-0.5, reset_high=0.5)
    >>> [round(excursions_per_hour(z, 300_000.0, 1_000 * seconds), 2) for seconds in (1, 60)]
    [1.46, 0.89]
    """
    pace = math.log(2.0) * HOUR_MS / half_life_ms
    step = math.sqrt(1.0 - 4.0 ** (-bar_ms / half_life_ms))
    moved = _OVERSHOOT * step
    above = None if clause.high is None else (_or(clause.reset_high, clause.high) - moved, clause.high + moved)
    below = None if clause.low is None else (-_or(clause.reset_low, clause.low) - moved, moved - clause.low)
    if above is not None and below is not None:
        return pace / _cycle_of_band(-below[1], -below[0], *above)
    one = above or below
    return pace / _cycle_of_one(*one) if one is not None else 0.0


def _or(level: float | None, other: float) -> float:
    return other if level is None else level


def _cycle_of_one(reset: float, threshold: float) -> float:
    """From one excursion beyond a threshold to the next, in units of 1/θ."""
    if threshold > _TOO_FAR:
        return math.inf
    y = np.linspace(reset, threshold, _POINTS)
    return float(math.sqrt(2.0 * math.pi) * _integral(np.exp(y * y / 2.0), y)[-1])


def _cycle_of_band(low: float, reset_low: float, reset_high: float, high: float) -> float:
    """The same beyond either end of a band."""
    low, high = max(low, -_TOO_FAR), min(high, _TOO_FAR)
    y = np.linspace(low, high, _POINTS)
    weight = np.exp(y * y / 2.0)
    below = math.sqrt(math.pi / 2.0) * np.array([1.0 + math.erf(each / math.sqrt(2.0)) for each in y.tolist()])
    scale, up, down = (
        _integral(weight * each, y) for each in (np.ones(_POINTS), below, math.sqrt(2.0 * math.pi) - below)
    )

    def at(values: FloatArray, level: float) -> float:
        return float(np.interp(level, y, values))

    out_above = {level: at(scale, level) / scale[-1] for level in (reset_low, reset_high)}
    within = {level: share * up[-1] - at(up, level) for level, share in out_above.items()}
    # Of all excursions those above: one follows either after one above or after one below.
    above = out_above[reset_low] / (1.0 - out_above[reset_high] + out_above[reset_low])
    back_down, back_up = down[-1] - at(down, reset_high), at(up, reset_low)
    return float(above * (back_down + within[reset_high]) + (1.0 - above) * (back_up + within[reset_low]))


def _integral(values: FloatArray, over: FloatArray) -> FloatArray:
    """From the first point up to each."""
    steps = (values[1:] + values[:-1]) / 2.0 * np.diff(over)
    summed: FloatArray = np.concatenate([[0.0], np.cumsum(steps)])
    return summed
