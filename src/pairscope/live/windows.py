"""From bars to the windows that metrics are computed on.

Live values and answers about the past are both made here, with the same functions on the same grid: whether a
value is right can be checked by computing it again from the stored bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from pairscope.analytics.catalogue import CATALOGUE, PairWindow, SymbolWindow, Value
from pairscope.analytics.garch import BARS as GARCH_BARS
from pairscope.analytics.garch import GarchFit
from pairscope.analytics.hedge import SERIES
from pairscope.analytics.rolling import rolling_pair
from pairscope.analytics.ticks import PairTicks
from pairscope.analytics.wanted import PAIR_BAR, SYMBOL_BAR, Wanted
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.bars.cuts import missing_share
from pairscope.base.interval import Interval
from pairscope.base.kernel import plain
from pairscope.base.model import BarArray, FloatArray, IntArray
from pairscope.live.workers import Check, never_abandoned


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric with everything it was computed from."""

    value: float | str | None
    unit: str
    window: int
    n: int
    as_of_ms: int | None
    missing: float | None
    reason: str | None
    backfilled: float = 0.0
    unknown: str | None = None  # why missing is None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A GARCH fit, and the open time of the last bar it was made from."""

    fit: GarchFit
    as_of_ms: int


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


@dataclass(frozen=True, slots=True)
class SymbolSeries:
    """Metrics of a symbol at each bar of the grid, by name: numbers, words, or None where there is none."""

    open_time_ms: IntArray
    close: FloatArray
    metrics: Mapping[str, list[float | str | None]]


def first_needed_ms(first_ms: int, interval: Interval, window: int) -> int:
    """The earliest bar that can matter to a value at `first_ms`: its window, and a price carried into it."""
    return first_ms - (window - 1) * interval.ms - stale_limit_ms(interval) - interval.ms


def pair_series(
    y: BarArray, x: BarArray, interval: Interval, window: int, first_ms: int, last_ms: int, method: str = "ols"
) -> PairSeries:
    """Rolling hedge ratio, spread, z and return correlation for each grid bar of [first_ms, last_ms].

    Bars must reach back to `first_needed_ms`. beta, alpha and spread are of log prices over the `window` bars that end
    at the row; the correlation is of the window - 1 returns inside them.
    """
    start_ms = first_ms - (window - 1) * interval.ms
    grid, closes = align_closes([y, x], interval, start_ms, last_ms, stale_limit_ms(interval))
    logs = np.log(closes)
    first_index = start_ms // interval.ms
    rolled = SERIES[method](logs[0], logs[1], window, first_index)
    rows = slice(window - 1, None)
    enough = rolled.n[rows] >= CATALOGUE["beta"].fewest
    return PairSeries(
        open_time_ms=grid[rows],
        y=closes[0][rows],
        x=closes[1][rows],
        beta=np.where(enough, rolled.beta[rows], np.nan),
        alpha=np.where(enough, rolled.alpha[rows], np.nan),
        spread=np.where(enough, rolled.spread[rows], np.nan),
        spread_z=np.where(enough, rolled.spread_z[rows], np.nan),
        correlation=_correlation(logs, window, first_index),
    )


def _correlation(logs: FloatArray, window: int, first_index: int) -> FloatArray:
    """Of the returns inside each window; NaN where there are fewer than the metric needs."""
    rows = logs.shape[1] - window + 1
    if window <= CATALOGUE["correlation"].fewest:
        return np.full(rows, np.nan)
    returns = np.diff(logs, axis=1)
    rolled = rolling_pair(plain(returns[0]), plain(returns[1]), window - 1, first_index + 1)
    enough = rolled.n >= CATALOGUE["correlation"].fewest
    return np.where(enough, rolled.correlation, np.nan)[window - 2 :]


def pair_window(
    y: BarArray, x: BarArray, interval: Interval, window: int, at_ms: int, ticks: PairTicks | None = None
) -> PairWindow:
    """The window of a pair that ends at the bar `at_ms`; bars must reach back to `first_needed_ms`."""
    start_ms = at_ms - (window - 1) * interval.ms
    _, closes = align_closes([y, x], interval, start_ms, at_ms, stale_limit_ms(interval))
    logs = np.log(closes)
    return PairWindow(
        y=logs[0],
        x=logs[1],
        first_index=start_ms // interval.ms,
        window=window,
        bars_per_year=interval.per_year,
        ticks=ticks,
    )


def measure_pair(
    y: BarArray,
    x: BarArray,
    interval: Interval,
    window: int,
    at_ms: int,
    wanted: Sequence[Wanted] = PAIR_BAR["ols"],
    ticks: PairTicks | None = None,
    check: Check = never_abandoned,
) -> dict[str, Measured]:
    """Metrics of the window of a pair that ends at the bar `at_ms`."""
    values = _values(pair_window(y, x, interval, window, at_ms, ticks), wanted, check)
    start_ms = at_ms - (window - 1) * interval.ms
    shares = _worse(*(share_of_ids(bars, start_ms, at_ms) for bars in (y, x)))
    return dict(_measured(wanted, values, window, at_ms, shares))


def measure_symbol(
    bars: BarArray,
    interval: Interval,
    window: int,
    at_ms: int,
    wanted: Sequence[Wanted] = SYMBOL_BAR,
    garch: Fitted | None = None,
    check: Check = never_abandoned,
) -> dict[str, Measured]:
    """Metrics of the window of a symbol that ends at the bar `at_ms`; those of a fit are as old as the fit."""
    (one,) = _symbol_windows(bars, interval, window, at_ms, at_ms, garch)
    start_ms = at_ms - (window - 1) * interval.ms
    shares = share_of_ids(bars, start_ms, at_ms)
    found = dict(_measured(wanted, _values(one, wanted, check), window, at_ms, shares))
    if garch is not None:
        for each in wanted:
            if each.metric.needs == "fit":
                found[each.name] = _of_fit(found[each.name], garch)
    return found


def symbol_series(
    bars: BarArray,
    interval: Interval,
    window: int,
    first_ms: int,
    last_ms: int,
    wanted: Sequence[Wanted],
    check: Check = never_abandoned,
) -> SymbolSeries:
    """Metrics of a symbol at each grid bar of [first_ms, last_ms], each of the window that ends there.

    Bars must reach back to `first_needed_ms`.
    """
    rows = [_values(one, wanted, check) for one in _symbol_windows(bars, interval, window, first_ms, last_ms)]
    grid, closes = align_closes([bars], interval, first_ms, last_ms, stale_limit_ms(interval))
    return SymbolSeries(grid, closes[0], {each.name: [row[each.name].value for row in rows] for each in wanted})


def garch_returns(bars: BarArray, interval: Interval, at_ms: int) -> FloatArray:
    """The log returns a GARCH fit at the bar `at_ms` is made from; NaN where a close is missing."""
    start_ms = at_ms - (GARCH_BARS - 1) * interval.ms
    _, closes = align_closes([bars], interval, start_ms, at_ms, stale_limit_ms(interval))
    return np.diff(np.log(closes[0]))


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the trade ids of a window's bars those that are not on the tape, and of its trades those back-filled."""

    missing: float | None
    backfilled: float
    unknown: str | None  # why it cannot be told how many are missing


def _worse(y: Shares, x: Shares) -> Shares:
    missing = None if y.missing is None or x.missing is None else max(y.missing, x.missing)
    return Shares(missing, max(y.backfilled, x.backfilled), y.unknown or x.unknown)


def share_of_ids(bars: BarArray, start_ms: int, at_ms: int) -> Shares:
    """What is missing in the bars of a window."""
    first, last = np.searchsorted(bars["open_time_ms"], [start_ms, at_ms + 1])
    inside = bars[first:last]
    missing, unknown = missing_share(inside)
    return Shares(missing, int(inside["backfilled"].sum()) / max(1, int(inside["trades"].sum())), unknown)


def _symbol_windows(
    bars: BarArray, interval: Interval, window: int, first_ms: int, last_ms: int, garch: Fitted | None = None
) -> Iterator[SymbolWindow]:
    """The window that ends at each grid bar from `first_ms` to `last_ms`."""
    start_ms = first_ms - (window - 1) * interval.ms
    grid, (close,) = align_closes([bars], interval, start_ms, last_ms, stale_limit_ms(interval))
    columns = {name: plain(bars[name]) for name in ("volume", "quote_volume", "buy_volume", "trades")}
    begins = np.searchsorted(bars["open_time_ms"], grid[: len(grid) - window + 1]).tolist()
    ends = np.searchsorted(bars["open_time_ms"], grid[window - 1 :], side="right").tolist()
    for row, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        yield SymbolWindow(
            close=close[row : row + window],
            **{name: column[begin:end] for name, column in columns.items()},
            bars_per_year=interval.per_year,
            first_index=start_ms // interval.ms + row,
            window=window,
            garch=garch.fit if garch else None,
        )


def _values(window: PairWindow | SymbolWindow, wanted: Sequence[Wanted], check: Check) -> dict[str, Value]:
    values = {}
    for each in wanted:
        check()
        values[each.name] = each.compute(window)
    return values


def _measured(
    wanted: Sequence[Wanted], values: Mapping[str, Value], window: int, at_ms: int, shares: Shares
) -> Iterator[tuple[str, Measured]]:
    for each in wanted:
        value = values[each.name]
        yield (
            each.name,
            Measured(
                value=value.value,
                unit=each.metric.unit,
                window=window,
                n=value.n,
                as_of_ms=at_ms,
                missing=shares.missing,
                reason=value.reason,
                backfilled=shares.backfilled,
                unknown=shares.unknown,
            ),
        )


def _of_fit(measured: Measured, garch: Fitted) -> Measured:
    return replace(measured, window=GARCH_BARS, as_of_ms=garch.as_of_ms)
