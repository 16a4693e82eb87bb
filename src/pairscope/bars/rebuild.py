"""Bars again, from the trades of a tape: what an import needs, and what a check compares with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pairscope.bars.builder import BarBuilder
from pairscope.bars.cuts import ends_with_the_day, settle
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, BoolArray, Continuity, Cut, Gap, IntArray, TradeBatch, join_bars

# What a bar is, apart from when it was written and where it came from.
VALUES = tuple(name for name in BAR.names or () if name not in ("status", "source"))
End = tuple[int, int]  # id and time of a trade
_END_OF_TIME_MS = np.iinfo(np.int64).max


def rebuild_bars(
    stretches: Iterable[TradeBatch],
    intervals: Sequence[Interval],
    gaps: Sequence[Gap],
    ends: Sequence[End] | None = None,
    best: Continuity = Continuity.PROVED,
) -> BarArray:
    """The bars of all intervals from trades of one symbol, in stretches of time that follow one another.

    A hole is charged to the bar that holds the trade right after it, as it is in live bars: ``gaps`` are the open ones.

    Args:
        ends: the first and the last trade of all, where listening began and ended; left out, it went on.
        best: what can be proved of the trades at best.

    Returns:
        Bars sorted by interval and open time.
    """
    builders = [BarBuilder(interval) for interval in intervals]
    parts: list[list[BarArray]] = [[] for _ in builders]
    for trades in stretches:
        # By time, so that no trade comes after a later bar began; within a bar ids decide.
        ordered = (
            trades if (np.diff(trades.time_ms) >= 0).all() else trades.take(np.lexsort((trades.id, trades.time_ms)))
        )
        for builder, closed in zip(builders, parts, strict=True):
            closed.append(builder.update(ordered).closed)
    found = [join_bars([*closed, b.close_until(_END_OF_TIME_MS)]) for b, closed in zip(builders, parts, strict=True)]
    return charged(join_bars(found), gaps, ends, best)


def charged(
    bars: BarArray,
    gaps: Sequence[Gap],
    ends: Sequence[End] | None = None,
    best: Continuity = Continuity.PROVED,
) -> BarArray:
    """Bars of one symbol with the ids that are missing right before a trade of theirs counted as lost.

    Bars that are not whole are marked: where a hole crosses their borders, where listening began or ended.
    """
    bars["lost"] = 0
    bars["cut"] = 0
    for interval_ms in np.unique(bars["interval_ms"]).tolist():
        places = np.flatnonzero(bars["interval_ms"] == interval_ms)
        opens = bars["open_time_ms"][places]
        for gap in gaps:
            if gap.closed_ms is not None:
                continue
            after, before = (_holds(opens, interval_ms, at_ms) for at_ms in (gap.after_ms, gap.before_ms))
            if before is not None:
                bars["lost"][places[before]] += gap.ids
            if after is None or after != before:
                for place, cut in ((after, Cut.HOLE_AFTER), (before, Cut.HOLE_BEFORE)):
                    if place is not None:
                        bars["cut"][places[place]] |= cut
        for end, cut in zip(ends or (), (Cut.BEGIN, Cut.END), strict=False):
            at_the_end = _at(end, cut, opens, bars["first_id"][places], interval_ms)
            for place in np.flatnonzero(at_the_end).tolist():
                if not ends_with_the_day(int(opens[place]), interval_ms, cut):
                    bars["cut"][places[place]] |= cut
    return settle(bars, best)


def _at(end: End, cut: Cut, opens: IntArray, first_ids: IntArray, interval_ms: int) -> BoolArray:
    """The bars in which listening began or ended.

    Times step back a little now and then: a bar before that of the first trade may hold trades that came after it.
    """
    trade_id, at_ms = end
    begun: BoolArray = (opens <= at_ms) & (first_ids >= trade_id)
    return begun if cut is Cut.BEGIN else (opens <= at_ms) & (at_ms < opens + interval_ms)


def _holds(opens: IntArray, interval_ms: int, at_ms: int | None) -> int | None:
    """The place of the bar that holds a time."""
    if at_ms is None:
        return None
    place = int(np.searchsorted(opens, at_ms, side="right")) - 1
    return place if place >= 0 and at_ms < opens[place] + interval_ms else None


def same_bars(one: BarArray, other: BarArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which bars of two arrays of equal length are equal to the bit, but for status and source."""
    equal = np.ones(len(one), np.bool_)
    for name in VALUES:
        equal &= one[name] == other[name]
    return equal
