"""Which of two symbols moves first, and by how many milliseconds, from their trades."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pairscope.analytics.estimators.hayashi_yoshida import FEWEST_CHANGES, TradeSeries, common_span, overlap_sums
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray, IntArray

REACH_MS = 1_000
STEP_MS = 10
_BLOCKS = 50
_FEWEST_BLOCKS = 10
_BLOCK_REACHES = 10  # a block lasts at least so many times the longest lag
_DRAWS = 1_000
_TAILS = (2.5, 97.5)  # per cent


@dataclass(frozen=True, slots=True)
class LeadLag:
    """By how much x leads y. A positive lag means that y follows x; a negative one that x follows y."""

    lag_ms: float  # NaN when it cannot be given
    low_ms: float  # its 95 % interval
    high_ms: float
    leader: Literal["y", "x"] | None  # None when the interval contains 0
    contrast: float  # at the lag
    lags_ms: IntArray
    contrasts: FloatArray  # textbook Hayashi-Yoshida correlations with x moved later by each lag
    n: int  # price changes of the leg with fewer of them
    reason: Reason | None


def lag_grid(reach_ms: int = REACH_MS, step_ms: int = STEP_MS) -> IntArray:
    """Lags from -reach to reach.

    >>> lag_grid(20, 10).tolist()
    [-20, -10, 0, 10, 20]
    """
    if step_ms < 1 or reach_ms < step_ms:
        raise RequestError(f"lags up to {reach_ms} ms in steps of {step_ms} ms", cure="use a step of 1 ms to the reach")
    return np.arange(-(reach_ms // step_ms), reach_ms // step_ms + 1, dtype=np.int64) * step_ms


def lead_lag(y: TradeSeries, x: TradeSeries, lags_ms: IntArray | None = None, seed: int = 0) -> LeadLag:
    """The lag at which the contrast of y with an x moved later by it is largest in size.

    The contrast is the Hayashi-Yoshida correlation without a reach. It is there to tell lags apart: bounce and delays
    that vary make it far smaller than the correlation of the two prices.

    The interval is the middle 95 % of the lags found in 1,000 drawings, with replacement, of 10 to 50 equal blocks of
    the span; a block lasts ten times the longest lag or more.

    Args:
        y, x: tapes, of which the common span is used.
        lags_ms: ascending lags to try; -1,000 to 1,000 in steps of 10 when not given.
        seed: of the drawings: the same trades give the same interval.

    Returns:
        The lag, or NaN with a reason: NO_TRADES (fewer than 30 changes in a leg, a span below ten blocks, or a price
        that does not move) or UNCERTAIN (the interval covers more than half of the lags tried).

    Raises:
        RequestError: for lags that do not ascend.

    Reference: M. Hoffmann, M. Rosenbaum and N. Yoshida, "Estimation of the lead-lag parameter from
    non-synchronous data", Bernoulli 19, 2013.
    """
    lags = lag_grid() if lags_ms is None else lags_ms.astype(np.int64)
    if not len(lags) or np.any(np.diff(lags) <= 0):
        raise RequestError("lags that do not ascend", cure="give each lag once, the smallest first")
    y, x = common_span(y, x)
    n = max(0, min(len(y), len(x)) - 1)
    span_ms = int(y.time_ms[-1] - y.time_ms[0]) if len(y) else 0
    longest = max(1, int(np.max(np.abs(lags))))
    blocks = min(_BLOCKS, span_ms // (_BLOCK_REACHES * longest))
    size = math.sqrt(_squares(y) * _squares(x))
    if n < FEWEST_CHANGES or blocks < _FEWEST_BLOCKS or not size > 0.0:
        return _unknown(lags, np.full(len(lags), np.nan), n, Reason.NO_TRADES)
    sums = _contrasts(y.time_ms, y.log_price, x.time_ms, x.log_price, lags, blocks)
    contrasts = sums.sum(axis=1) / size
    low, high = _interval(sums, lags, seed)
    if high - low > 0.5 * (lags[-1] - lags[0]):
        return _unknown(lags, contrasts, n, Reason.UNCERTAIN)
    best = int(np.argmax(np.abs(contrasts)))
    return LeadLag(
        lag_ms=float(lags[best]),
        low_ms=low,
        high_ms=high,
        leader="x" if low > 0.0 else "y" if high < 0.0 else None,
        contrast=float(contrasts[best]),
        lags_ms=lags,
        contrasts=contrasts,
        n=n,
        reason=None,
    )


def _interval(sums: FloatArray, lags: IntArray, seed: int) -> tuple[float, float]:
    blocks = sums.shape[1]
    drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1.0 / blocks), size=_DRAWS)
    found = lags[np.argmax(np.abs(sums @ drawn.T), axis=0)]
    low, high = np.percentile(found, _TAILS)
    return float(low), float(high)


def _squares(tape: TradeSeries) -> float:
    return float(np.sum(np.diff(tape.log_price) ** 2))


def _unknown(lags: IntArray, contrasts: FloatArray, n: int, reason: Reason) -> LeadLag:
    return LeadLag(math.nan, math.nan, math.nan, None, math.nan, lags, contrasts, n, reason)


@kernel
def _contrasts(
    y_ms: IntArray, y_log: FloatArray, x_ms: IntArray, x_log: FloatArray, lags_ms: IntArray, blocks: int
) -> FloatArray:
    sums = np.zeros((len(lags_ms), blocks))
    for k in range(len(lags_ms)):
        overlap_sums(y_ms, y_log, x_ms, x_log, lags_ms[k], 0, sums[k])
    return sums
