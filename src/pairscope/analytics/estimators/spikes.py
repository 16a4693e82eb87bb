"""Bars whose price leaps away and is back with the next one: a bad print, or one trade through an empty book.

A single such bar makes independent walks look cointegrated, for nothing reverts as clearly as what is taken back at
once. Tests of a pair, and the half-life, are therefore made without them; everything else has the closes as they are.
"""

from __future__ import annotations

import math

import numpy as np

from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray, IntArray

FAR = 8.0  # deviations of a step
_TAKEN_BACK = 0.5  # what two opposite steps may leave, as a share of the smaller
_NORMAL = 1.4826  # deviation of a normal variable whose absolute value has a median of 1
_FEWEST_MOVES = 8  # fewer say nothing of how far this price usually moves


@kernel
def without_spikes(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """The values with each spike replaced by the mean of its neighbours, and the places replaced.

    A position is a spike when the steps to it and from it are both beyond eight deviations, of opposite sign, and leave
    less than half of the smaller one. The deviation is that of the steps by which the price moves at all, from their
    median size; the median of all steps is 0 for a symbol that is seldom traded. A price that moves fewer than eight
    times has no usual step, and every move it takes back is a spike.

    Nothing is changed, to the last bit, where there is none. Neither the first nor the last position can be one.

    >>> values, places = without_spikes(np.array([0.0, 1.0, 3.0, 2.0, 1.0, -90.0, 3.0, 4.0, 6.0, 5.0]))
    >>> values.tolist(), places.tolist()
    ([0.0, 1.0, 3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 6.0, 5.0], [5])
    """
    cleaned = values.copy()
    places = np.empty(len(values), np.int64)
    count = 0
    far = _far(values)
    for t in range(1, len(values) - 1):
        there = values[t] - cleaned[t - 1]
        back = values[t + 1] - values[t]
        if not (abs(there) > far and abs(back) > far and there * back < 0.0):  # nor where one is missing
            continue
        if math.isfinite(there + back) and abs(there + back) < _TAKEN_BACK * min(abs(there), abs(back)):
            cleaned[t] = 0.5 * (cleaned[t - 1] + values[t + 1])
            places[count] = t
            count += 1
    return cleaned, places[:count]


@kernel
def _far(values: FloatArray) -> float:
    """The size beyond which a step is far."""
    sizes = np.empty(len(values))
    count = 0
    for t in range(1, len(values)):
        size = abs(values[t] - values[t - 1])
        if size > 0.0 and math.isfinite(size):
            sizes[count] = size
            count += 1
    if count < _FEWEST_MOVES:
        return 0.0
    return FAR * _NORMAL * np.median(sizes[:count])
