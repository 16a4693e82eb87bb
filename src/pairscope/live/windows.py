"""From bars to the windows that metrics are computed on.

Live values and answers about the past are both made here, with the same functions on the same grid: whether a
value is right can be checked by computing it again from the stored bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from pairscope.analytics.entry.metric import Unit
from pairscope.analytics.entry.request import MetricRequest
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks
from pairscope.analytics.estimators.hedge import SERIES
from pairscope.analytics.estimators.readings import PairHistory
from pairscope.analytics.estimators.terms import USUAL, Terms
from pairscope.analytics.kernels.rolling import rolling_pair
from pairscope.analytics.registry import CATALOGUE, PAIR_BAR, SYMBOL_BAR
from pairscope.analytics.values import Flag, Reason, Value
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.bars.cuts import MissingReason, missing_in
from pairscope.base.interval import Interval
from pairscope.base.jit import plain
from pairscope.base.model import BarArray, Continuity, FloatArray, IntArray
from pairscope.live.span import Span
from pairscope.live.workers import Check, never_abandoned


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric with everything it was computed from."""

    value: float | str | None
    unit: Unit
    window: int
    n: int
    as_of_ms: int | None
    missing: float | None
    reason: Reason | None
    backfilled: float = 0.0
    unknown: MissingReason | None = None  # why missing is None
    continuity: Continuity | None = None  # what is proved of the trades of its bars; None without one
    flags: tuple[Flag, ...] = ()


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
    carried: IntArray  # legs that did not trade in the bar: 1 is y, 2 is x, 3 both

    def newest(self, count: int) -> PairSeries:
        """The last rows."""
        return PairSeries(*(getattr(self, field.name)[-count:] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class SymbolSeries:
    """Metrics of a symbol at each bar of the grid, by name: numbers, words, or None where there is none."""

    open_time_ms: IntArray
    close: FloatArray
    metrics: Mapping[str, list[float | str | None]]


def bars_needed(window: int, wanted: Sequence[MetricRequest]) -> int:
    """Bars that metrics of a window need: those of closed bars may end one bar before the others."""
    return max([window, *(each.metric.window + 1 for each in wanted if "history" in each.metric.needs)])


def pair_series(y: BarArray, x: BarArray, span: Span, rows: range, terms: Terms = USUAL) -> PairSeries:
    """Rolling hedge ratio, spread, z and return correlation for each of the rows.

    Bars must reach back to `Span.first_needed_ms`. beta, alpha and spread are on the terms asked for, over the window
    of bars that end at the row; the correlation is of the window - 1 log returns inside them.
    """
    interval, window, start_ms = span.interval, span.window, span.start_ms(rows[0])
    grid, closes = align_closes([y, x], interval, start_ms, rows[-1], stale_limit_ms(interval))
    logs = np.log(closes)
    first_index = start_ms // interval.ms
    of = closes if terms.prices == "level" else logs
    rolled = SERIES[terms.method](of[0], of[1], window, first_index, terms.intercept)
    told = slice(window - 1, None)
    enough = rolled.n[told] >= CATALOGUE["beta"].fewest
    return PairSeries(
        open_time_ms=grid[told],
        y=closes[0][told],
        x=closes[1][told],
        beta=np.where(enough, rolled.beta[told], np.nan),
        alpha=np.where(enough, rolled.alpha[told], np.nan),
        spread=np.where(enough, rolled.spread[told], np.nan),
        spread_z=np.where(enough, rolled.spread_z[told], np.nan),
        correlation=_correlation(logs, window, first_index),
        carried=~np.isin(grid[told], y["open_time_ms"]) + 2 * ~np.isin(grid[told], x["open_time_ms"]),
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
    y: BarArray,
    x: BarArray,
    span: Span,
    at_ms: int,
    ticks: PairTicks | None = None,
    history: PairHistory | None = None,
) -> PairWindow:
    """The window of a pair that ends at the bar `at_ms`, and the bar before; bars reach back to `first_needed_ms`."""
    interval, window = span.interval, span.window
    start_ms = span.start_ms(at_ms) - interval.ms
    _, closes = align_closes([y, x], interval, start_ms, at_ms, stale_limit_ms(interval))
    first_index = start_ms // interval.ms
    return PairWindow.of_closes(closes[0], closes[1], first_index, window, interval.per_year, ticks, history)


def measure_pair(
    y: BarArray,
    x: BarArray,
    span: Span,
    at_ms: int,
    wanted: Sequence[MetricRequest] = PAIR_BAR[USUAL],
    check: Check = never_abandoned,
) -> dict[str, Measured]:
    """Metrics of the window of a pair that ends at the bar `at_ms`."""
    return measure_window(pair_window(y, x, span, at_ms), (y, x), span, at_ms, wanted, check)


def measure_window(
    window: PairWindow,
    legs: Sequence[BarArray],
    span: Span,
    at_ms: int,
    wanted: Sequence[MetricRequest],
    check: Check = never_abandoned,
) -> dict[str, Measured]:
    """Metrics of a window of `pair_window`, with what is missing in its bars."""
    values = _values(window, wanted, check)
    shares = _worse(*(share_of_ids(bars, span.start_ms(at_ms), at_ms) for bars in legs))
    return dict(_measured(wanted, values, span.window, at_ms, shares))


def measure_symbol(
    bars: BarArray,
    span: Span,
    at_ms: int,
    wanted: Sequence[MetricRequest] = SYMBOL_BAR,
    closed_ms: int | None = None,
    check: Check = never_abandoned,
) -> dict[str, Measured]:
    """Metrics of the window of a symbol that ends at the bar `at_ms`.

    Those of closed bars end at the bar `closed_ms` when that is earlier. Bars must reach back to `first_needed_ms` of
    `bars_needed`.
    """
    (one,) = _symbol_windows(bars, span, span.rows(at_ms, at_ms), wanted, closed_ms)
    values = _values(one, wanted, check)
    found = {}
    for each in wanted:
        own, end_ms = span, at_ms
        if "history" in each.metric.needs:
            own = replace(span, window=each.metric.window)
            end_ms = at_ms if closed_ms is None else min(at_ms, closed_ms)
        shares = share_of_ids(bars, own.start_ms(end_ms), end_ms)
        found[each.name] = _one_measured(each, values[each.name], own.window, end_ms, shares)
    return found


def symbol_series(
    bars: BarArray,
    span: Span,
    rows: range,
    wanted: Sequence[MetricRequest],
    closed_ms: int | None = None,
    check: Check = never_abandoned,
) -> SymbolSeries:
    """Metrics of a symbol at each of the rows, each of the window that ends there.

    `closed_ms` and the bars needed are those of `measure_symbol`.
    """
    windows = _symbol_windows(bars, span, rows, wanted, closed_ms)
    found = [_values(one, wanted, check) for one in windows]
    grid, closes = align_closes([bars], span.interval, rows[0], rows[-1], stale_limit_ms(span.interval))
    return SymbolSeries(grid, closes[0], {each.name: [row[each.name].value for row in found] for each in wanted})


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the trade ids of a window's bars those that are not on the tape, and of its trades those back-filled."""

    missing: float | None
    backfilled: float
    unknown: MissingReason | None  # why it cannot be told how many are missing
    continuity: Continuity | None  # the worst of its bars; None without one


def _worse(y: Shares, x: Shares) -> Shares:
    missing = None if y.missing is None or x.missing is None else max(y.missing, x.missing)
    known = [each.continuity for each in (y, x) if each.continuity is not None]
    continuity = max(known) if len(known) == 2 else None
    return Shares(missing, max(y.backfilled, x.backfilled), y.unknown or x.unknown, continuity)


def share_of_ids(bars: BarArray, start_ms: int, at_ms: int) -> Shares:
    """What is missing in the bars of a window."""
    first, last = np.searchsorted(bars["open_time_ms"], [start_ms, at_ms + 1])
    inside = bars[first:last]
    found = missing_in(inside)
    backfilled = int(inside["backfilled"].sum()) / max(1, int(inside["trades"].sum()))
    return Shares(found.share, backfilled, found.reason, found.continuity)


def _symbol_windows(
    bars: BarArray, span: Span, rows: range, wanted: Sequence[MetricRequest], closed_ms: int | None
) -> Iterator[SymbolWindow]:
    """The window that ends at each of the rows."""
    interval, window, start_ms = span.interval, span.window, span.start_ms(rows[0])
    grid, (close,) = align_closes([bars], interval, start_ms, rows[-1], stale_limit_ms(interval))
    histories = _histories(bars, interval, rows, wanted, closed_ms)
    columns = {name: plain(bars[name]) for name in ("volume", "quote_volume", "buy_volume", "trades")}
    needs = {name for each in wanted for name in each.metric.needs}
    high, low = (_on_grid(bars, name, grid, close) if name in needs else None for name in ("high", "low"))
    begins = np.searchsorted(bars["open_time_ms"], grid[: len(grid) - window + 1]).tolist()
    ends = np.searchsorted(bars["open_time_ms"], grid[window - 1 :], side="right").tolist()
    for row, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        yield SymbolWindow(
            close=close[row : row + window],
            **{name: column[begin:end] for name, column in columns.items()},
            bars_per_year=interval.per_year,
            first_index=start_ms // interval.ms + row,
            window=window,
            history=histories[row] if histories else None,
            high=None if high is None else high[row : row + window],
            low=None if low is None else low[row : row + window],
        )


def _on_grid(bars: BarArray, name: str, grid: IntArray, close: FloatArray) -> FloatArray:
    """A price of bars on the grid; where none was traded it is the close, which is carried."""
    found = close.copy()
    places = np.searchsorted(grid, bars["open_time_ms"])
    inside = (places < len(grid)) & (bars["open_time_ms"] >= grid[0])
    found[places[inside]] = bars[name][inside]
    found[~np.isfinite(close)] = np.nan
    return found


def _histories(
    bars: BarArray, interval: Interval, rows: range, wanted: Sequence[MetricRequest], closed_ms: int | None
) -> list[FloatArray]:
    """For each row the closes up to it or to the last that is closed; empty when no metric needs them."""
    count = max((each.metric.window for each in wanted if "history" in each.metric.needs), default=0)
    if not count:
        return []
    newest_ms = rows[-1] if closed_ms is None else closed_ms
    ends_ms = [min(end_ms, newest_ms) for end_ms in rows]
    start_ms = Span(interval, count).start_ms(ends_ms[0])
    _, (close,) = align_closes([bars], interval, start_ms, ends_ms[-1], stale_limit_ms(interval))
    firsts = [(end_ms - ends_ms[0]) // interval.ms for end_ms in ends_ms]
    return [close[first : first + count] for first in firsts]


def _values(window: PairWindow | SymbolWindow, wanted: Sequence[MetricRequest], check: Check) -> dict[str, Value]:
    values = {}
    for each in wanted:
        check()
        values[each.name] = each.compute(window)
    return values


def _measured(
    wanted: Sequence[MetricRequest], values: Mapping[str, Value], window: int, at_ms: int, shares: Shares
) -> Iterator[tuple[str, Measured]]:
    for each in wanted:
        yield each.name, _one_measured(each, values[each.name], window, at_ms, shares)


def _one_measured(wanted: MetricRequest, value: Value, window: int, at_ms: int, shares: Shares) -> Measured:
    return Measured(
        value=value.value,
        unit=wanted.metric.unit_of(wanted.parameters),
        window=window,
        n=value.n,
        as_of_ms=at_ms,
        missing=shares.missing,
        reason=value.reason,
        backfilled=shares.backfilled,
        unknown=shares.unknown,
        continuity=shares.continuity,
        flags=value.flags,
    )
