"""The tails of Student's t distribution, without a statistics library at run time."""

from __future__ import annotations

import math

_STEPS = 10_000
_TINY = 1e-300
_PRECISION = 1e-15


def two_sided(t: float, freedom: float) -> float:
    """The probability that a t variable lies at least as far from 0 as ``t``.

    I_x(a, 1/2) with x = freedom / (freedom + t²), a = freedom / 2; NaN without a degree of freedom.

    >>> round(two_sided(2.228139, 10), 6)
    0.05
    """
    if not freedom > 0.0 or math.isnan(t):
        return math.nan
    square = t * t
    if square == 0.0 or math.isinf(square):
        return 1.0 if square == 0.0 else 0.0
    x = freedom / (freedom + square)
    rest = square / (freedom + square)
    a, b = freedom / 2.0, 0.5
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + b * math.log(rest)
    log_front += -a * math.log1p(square / freedom)
    if x < (a + 1.0) / (a + b + 2.0):
        return math.exp(log_front) * _fraction(x, a, b) / a
    return 1.0 - math.exp(log_front) * _fraction(rest, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method.

    Reference: NIST Digital Library of Mathematical Functions, 8.17.22.
    """
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    product = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            product *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return product


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
