"""From bars to the windows that metrics are computed on.

Live values and answers about the past are both made here, with the same functions on the same grid: whether a
value is right can be checked by computing it again from the stored bars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from pairscope.analytics.catalogue import CATALOGUE, PairWindow, SymbolWindow, Value, pair_metrics, symbol_metrics
from pairscope.analytics.rolling import rolling_pair
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric with everything it was computed from."""

    value: float | str | None
    unit: str
    window: int
    n: int
    as_of_ms: int | None
    missing: float
    reason: str | None
    backfilled: float = 0.0


@dataclass(frozen=True, slots=True)
class PairSeries:
    """A pair on the common grid; row i uses nothing later than bar i. NaN where a number cannot be given."""

    open_time_ms: IntArray
    y: FloatArray
    x: FloatArray
    beta: FloatArray
    alpha: FloatArray
    spread: FloatArray
    spread_z: FloatArray
    correlation: FloatArray

    def newest(self, count: int) -> PairSeries:
        """The last rows."""
        return PairSeries(*(getattr(self, field.name)[-count:] for field in fields(self)))


def first_needed_ms(first_ms: int, interval: Interval, window: int) -> int:
    """The earliest bar that can matter to a value at `first_ms`: its window, and a price carried into it."""
    return first_ms - (window - 1) * interval.ms - stale_limit_ms(interval) - interval.ms


def pair_series(y: BarArray, x: BarArray, interval: Interval, window: int, first_ms: int, last_ms: int) -> PairSeries:
    """Rolling hedge ratio, spread, z and return correlation for each grid bar of [first_ms, last_ms].

    Bars must reach back to `first_needed_ms`. beta, alpha and spread are of log prices over the `window` bars that end
    at the row; the correlation is of the window - 1 returns inside them.
    """
    start_ms = first_ms - (window - 1) * interval.ms
    grid, closes = align_closes([y, x], interval, start_ms, last_ms, stale_limit_ms(interval))
    logs = np.log(closes)
    first_index = start_ms // interval.ms
    rolled = rolling_pair(logs[0], logs[1], window, first_index)
    returns = np.diff(logs, axis=1)
    correlated = rolling_pair(
        np.ascontiguousarray(returns[0]), np.ascontiguousarray(returns[1]), window - 1, first_index + 1
    )
    rows = slice(window - 1, None)
    return PairSeries(
        open_time_ms=grid[rows],
        y=closes[0][rows],
        x=closes[1][rows],
        beta=rolled.beta[rows],
        alpha=rolled.alpha[rows],
        spread=rolled.spread[rows],
        spread_z=rolled.spread_z[rows],
        correlation=correlated.correlation[window - 2 :],
    )


def measure_pair(y: BarArray, x: BarArray, interval: Interval, window: int, at_ms: int) -> dict[str, Measured]:
    """Every pair metric of the window that ends at the bar `at_ms`."""
    start_ms = at_ms - (window - 1) * interval.ms
    _, closes = align_closes([y, x], interval, start_ms, at_ms, stale_limit_ms(interval))
    logs = np.log(closes)
    values = pair_metrics(
        PairWindow(
            y=logs[0],
            x=logs[1],
            first_index=start_ms // interval.ms,
            window=window,
            bars_per_year=interval.per_year,
        )
    )
    shares = [_shares(bars, start_ms, at_ms) for bars in (y, x)]
    worse = (max(missing for missing, _ in shares), max(backfilled for _, backfilled in shares))
    return _measured(values, window, at_ms, worse)


def measure_symbol(bars: BarArray, interval: Interval, window: int, at_ms: int) -> dict[str, Measured]:
    """Every symbol metric of the window that ends at the bar `at_ms`."""
    start_ms = at_ms - (window - 1) * interval.ms
    _, closes = align_closes([bars], interval, start_ms, at_ms, stale_limit_ms(interval))
    inside = _inside(bars, start_ms, at_ms)
    values = symbol_metrics(
        SymbolWindow(
            close=closes[0],
            volume=np.ascontiguousarray(inside["volume"]),
            quote_volume=np.ascontiguousarray(inside["quote_volume"]),
            buy_volume=np.ascontiguousarray(inside["buy_volume"]),
            trades=np.ascontiguousarray(inside["trades"]),
            bars_per_year=interval.per_year,
            first_index=start_ms // interval.ms,
            window=window,
        )
    )
    return _measured(values, window, at_ms, _shares(bars, start_ms, at_ms))


def _inside(bars: BarArray, start_ms: int, at_ms: int) -> BarArray:
    first, last = np.searchsorted(bars["open_time_ms"], [start_ms, at_ms + 1])
    inside: BarArray = bars[first:last]
    return inside


def _shares(bars: BarArray, start_ms: int, at_ms: int) -> tuple[float, float]:
    """Share of the trade ids of these bars that are not on the tape, and of its trades that were back-filled."""
    inside = _inside(bars, start_ms, at_ms)
    lost, trades = int(inside["lost"].sum()), int(inside["trades"].sum())
    return lost / max(1, lost + trades), int(inside["backfilled"].sum()) / max(1, trades)


def _measured(values: Mapping[str, Value], window: int, at_ms: int, shares: tuple[float, float]) -> dict[str, Measured]:
    missing, backfilled = shares
    return {
        name: Measured(
            value=value.value,
            unit=CATALOGUE[name].unit,
            window=window,
            n=value.n,
            as_of_ms=at_ms,
            missing=missing,
            reason=value.reason,
            backfilled=backfilled,
        )
        for name, value in values.items()
    }
