"""Metrics along time: of every bar what is said of it when it closes, without asking for each bar anew."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pairscope.analytics.entry.request import MetricRequest
from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.readings import PairHistory, history_bars
from pairscope.analytics.estimators.terms import PARAMETERS, Terms
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.bars.cuts import missing_along
from pairscope.base.model import BarArray, BoolArray, FloatArray
from pairscope.live.span import Span
from pairscope.live.windows import bars_needed, pair_series
from pairscope.live.workers import Check, never_abandoned

Column = list[float | str | None]
_IN_SERIES = ("beta", "alpha", "spread", "spread_z", "correlation")  # which come all at once


@dataclass(frozen=True, slots=True)
class MissedRows:
    """What the windows that end at rows miss; of a pair the worse of its legs."""

    share: FloatArray  # of their trades; NaN where it is not known
    is_cut: BoolArray  # it is not known for a hole over an end of the window: too many may be missing


def reach(span: Span, wanted: Sequence[MetricRequest], *, is_pair: bool) -> Span:
    """The span whose bars reach back as far as metrics of every row need, live and here."""
    if not is_pair:
        return replace(span, window=bars_needed(span.window, wanted))
    needs_more = any("history" in each.metric.needs for each in wanted)
    return replace(span, window=history_bars(span.window)) if needs_more else span


def pair_columns(
    legs: Sequence[BarArray], span: Span, rows: range, wanted: Sequence[MetricRequest], check: Check = never_abandoned
) -> Mapping[str, Column]:
    """Metrics of a pair at each of the rows, by name: those of `measure_window` there, with closed bars up to there.

    Bars must reach back to `Span.first_needed_ms` of the first row, in the span of `reach`.
    """
    found: dict[str, Column] = {}
    y, x = legs
    for terms in dict.fromkeys(_terms_of(each) for each in wanted if each.metric.name in _IN_SERIES):
        check()
        series = pair_series(y, x, span, rows, terms)
        for each in wanted:
            if each.metric.name in _IN_SERIES and _terms_of(each) == terms:
                column = getattr(series, each.metric.name).tolist()
                found[each.name] = [value if math.isfinite(value) else None for value in column]
    others = [each for each in wanted if each.name not in found]
    if others:
        found |= {each.name: [] for each in others}
        for window in _pair_windows(y, x, span, rows, others):
            for each in others:
                check()
                found[each.name].append(each.compute(window).value)
    return found


def missed_by(legs: Sequence[BarArray], span: Span, rows: range) -> MissedRows:
    """What is missing in the window of each row."""
    ends = np.arange(rows[0], rows[-1] + 1, span.interval.ms, dtype=np.int64)
    share, is_cut = np.zeros(len(rows)), np.zeros(len(rows), np.bool_)
    for bars in reversed(legs):  # what is not known of the first one counts before the other's
        opens = bars["open_time_ms"]
        begin = np.searchsorted(opens, ends - (span.window - 1) * span.interval.ms)
        own = missing_along(bars, begin, np.searchsorted(opens, ends, side="right"))
        share, is_cut = np.maximum(share, own.share), np.where(np.isnan(own.share), own.is_cut, is_cut)
    return MissedRows(share, is_cut)


def _terms_of(request: MetricRequest) -> Terms:
    return Terms.read({name: str(value) for name, value in request.parameters.items() if name in PARAMETERS})


def _pair_windows(
    y: BarArray, x: BarArray, span: Span, rows: range, wanted: Sequence[MetricRequest]
) -> Iterator[PairWindow]:
    """The window that ends at each of the rows, and the bar before, as `pair_window` has it."""
    interval, window = span.interval, span.window
    count = history_bars(window) if any("history" in each.metric.needs for each in wanted) else 0
    first_ms = rows[0] - max(window, count - 1) * interval.ms
    _, closes = align_closes([y, x], interval, first_ms, rows[-1], stale_limit_ms(interval))
    whole = PairWindow.of_closes(closes[0], closes[1], first_ms // interval.ms, window, interval.per_year)
    logs: FloatArray = np.log(closes)
    for end_ms in rows:
        end = (end_ms - first_ms) // interval.ms + 1
        begin = end - window - 1
        history = None
        if count:
            told = slice(end - count, end)
            history = PairHistory(
                logs[0, told], logs[1, told], end_ms // interval.ms, interval.ms, closes[:, told].copy()
            )
        yield PairWindow(
            whole.y[begin:end],
            whole.x[begin:end],
            whole.first_index + begin,
            window,
            interval.per_year,
            history=history,
            closes=closes[:, begin:end].copy(),
        )
