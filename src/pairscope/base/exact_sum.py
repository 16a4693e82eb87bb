"""Exact sums of decimal numbers: they come out as they would be written with a pencil."""

from __future__ import annotations

import numpy as np

from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray

# Powers of ten that a float holds exactly.
_POWERS = np.array([float(f"1e{k}") for k in range(23)])
_DIGITS = 15


@kernel
def add_exactly(total: float, carry: float, term: float) -> tuple[float, float]:
    """One step of Neumaier's compensated sum; the sum so far is ``total + carry``.

    Reference: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974.
    """
    new_total = total + term
    if abs(total) >= abs(term):
        carry += (total - new_total) + term
    else:
        carry += (term - new_total) + total
    return new_total, carry


def decimal(values: FloatArray) -> FloatArray:
    """The floats nearest to the values written with 15 significant digits.

    Sizes and prices are short decimals, so a compensated sum of them is off by a few units in the
    last place at most, and this gives the float of the true decimal sum. Values must be >= 0.

    >>> float(decimal(np.array([0.1 + 0.2]))[0])
    0.3
    """
    exponent = np.floor(np.log10(np.maximum(values, 1e-8)))
    decimals = np.clip(_DIGITS - 1 - exponent, 0, 22).astype(np.int64)
    scale = _POWERS[decimals]
    return np.asarray(np.rint(values * scale) / scale, dtype=np.float64)
