"""Statistics of one window of prices and volumes, in two passes: first the mean, then what lies around it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pairscope.analytics.kernels.rolling import moves
from pairscope.base.exact_sum import add_exactly, decimal
from pairscope.base.jit import floats, kernel
from pairscope.base.model import FloatArray, IntArray


class PriceMoments(NamedTuple):
    """Of the finite closes of a window: NaN where there are too few; see `price_moments`."""

    n: int
    mean: float
    median: float
    std: float
    minimum: float
    maximum: float
    skew: float
    kurtosis: float
    last: float
    last_return: float
    returns: int  # log returns between neighbours that are both present
    returns_std: float


class VolumeSums(NamedTuple):
    """Totals of the bars of a window."""

    n: int
    volume: float
    quote_volume: float
    buy_volume: float
    trades: int


def price_moments(close: FloatArray) -> PriceMoments:
    """Statistics of the finite closes of one window.

    Sample deviation (ddof 1); skewness and excess kurtosis bias-corrected, with central moments
    m_k = mean((x - mean)^k)::

        skew = sqrt(n (n - 1)) / (n - 2) m3 / m2^1.5
        kurtosis = (n - 1) / ((n - 2) (n - 3)) ((n + 1) m4 / m2² - 3 (n - 1))

    Fewest closes: 1; deviation 2, skew 3, kurtosis 4; NaN below. In a window without movement std is 0, skew and
    kurtosis are NaN. ``last`` and ``last_return`` are NaN unless the last one or two positions are present; a return
    also needs positive prices.

    Reference: D. N. Joanes and C. A. Gill, "Comparing measures of sample skewness and kurtosis",
    The Statistician 47, 1998.

    >>> moments = price_moments(np.array([1.0, 2.0, 3.0, 6.0]))
    >>> moments.mean, moments.median, round(moments.skew, 6), round(moments.kurtosis, 6)
    (3.0, 2.5, 1.19034, 1.5)
    """
    return PriceMoments(*_price_moments(floats(close)))


def volume_sums(volume: FloatArray, quote_volume: FloatArray, buy_volume: FloatArray, trades: IntArray) -> VolumeSums:
    """Compensated sums of the finite values, as the nearest decimal of 15 digits; n counts finite volumes."""
    columns = np.empty((3, len(volume)))
    columns[0], columns[1], columns[2] = volume, quote_volume, buy_volume
    totals, n = _sum_rows(columns)
    total, quote, bought = decimal(totals).tolist()
    return VolumeSums(n, total, quote, bought, int(trades.sum()))


@kernel
def _price_moments(
    close: FloatArray,
) -> tuple[int, float, float, float, float, float, float, float, float, float, int, float]:
    present = close[np.isfinite(close)]
    n = len(present)
    nan = np.nan
    last = close[-1] if len(close) > 0 and math.isfinite(close[-1]) else nan
    returns = np.empty(max(0, len(close) - 1))
    for i in range(len(returns)):
        returns[i] = math.log(close[i + 1]) - math.log(close[i]) if close[i] > 0.0 and close[i + 1] > 0.0 else nan
    last_return = returns[-1] if len(returns) > 0 and math.isfinite(returns[-1]) else nan
    returns = returns[np.isfinite(returns)]
    _, returns_m2, _, _ = _central_moments(returns)
    returns_std = math.sqrt(returns_m2 / (len(returns) - 1.0)) if len(returns) > 1 else nan
    if n == 0:
        return 0, nan, nan, nan, nan, nan, nan, nan, last, last_return, len(returns), returns_std
    mean, s2, s3, s4 = _central_moments(present)
    std = math.sqrt(s2 / (n - 1.0)) if n > 1 else nan
    skew = nan
    kurtosis = nan
    if s2 > 0.0 and n > 2:
        m2 = s2 / n
        skew = math.sqrt(n * (n - 1.0)) / (n - 2.0) * (s3 / n) / m2**1.5
        if n > 3:
            kurtosis = (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * (s4 / n) / m2**2 - 3.0 * (n - 1.0))
    return (
        n, mean, np.median(present), std, present.min(), present.max(), skew, kurtosis,
        last, last_return, len(returns), returns_std,
    )  # fmt: skip


@kernel
def _central_moments(values: FloatArray) -> tuple[float, float, float, float]:
    """The mean, and the sums of the second to fourth powers around it; zeros without movement."""
    n = len(values)
    if n == 0:
        return np.nan, 0.0, 0.0, 0.0
    reference = values[0]
    mean = 0.0
    for value in values:
        mean += value - reference
    mean /= n
    s2 = s3 = s4 = 0.0
    for value in values:
        d = value - reference - mean
        s2 += d * d
        s3 += d * d * d
        s4 += d * d * d * d
    if not moves(s2, n, reference + mean):
        return reference + mean, 0.0, 0.0, 0.0
    return reference + mean, s2, s3, s4


@kernel
def _sum_rows(columns: FloatArray) -> tuple[FloatArray, int]:
    totals = np.zeros(len(columns))
    n = 0
    for row in range(len(columns)):
        carry = 0.0
        for value in columns[row]:
            if math.isfinite(value):
                totals[row], carry = add_exactly(totals[row], carry, value)
                n += row == 0
        totals[row] += carry
    return totals, n
