"""Which bars are whole: where trades may be missing that nobody counted, and what is known of a row of bars.

The ids of a hole are counted in the bar that holds the trade after it. When the hole lies within one bar this is the
whole truth; when it reaches over the border of bars, nobody knows how many belong to which, until it is filled.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairscope.base.interval import DAY_MS
from pairscope.base.model import BarArray, BarStatus, BoolArray, Continuity, Cut, FloatArray, Gap, IntArray

_HOLES = Cut.HOLE_AFTER | Cut.HOLE_BEFORE
Best = Continuity | NDArray[np.uint8]
BestOf = Callable[[IntArray], Best]  # by the integers of symbols


def proved(symbol_ids: IntArray) -> Best:
    """All that is counted is proved, as of the default venue."""
    return Continuity.PROVED


class MissingReason(enum.StrEnum):
    """Why the share of missing trades cannot be given."""

    NO_IDS = "no_trade_ids"  # bars that were not made of numbered trades
    SAMPLED = "sampled"  # trades that were polled
    BEGIN = "listening_began"  # inside a bar
    END = "listening_ended"  # inside a bar
    HOLE = "gap_across_bars"  # of known ids, and nobody knows how many belong to these bars
    NO_TRADES = "no_trades"  # no bar at all


def cut_by_gaps(gaps: Iterable[Gap], interval_ms: int, open_ms: int) -> tuple[int, Cut]:
    """Ids of open gaps that are charged to a bar, and whether a gap reaches over its borders."""
    lost, cut = 0, Cut.NONE
    for gap in gaps:
        if gap.closed_ms is not None:
            continue
        after, before = (None if at is None else at - at % interval_ms for at in (gap.after_ms, gap.before_ms))
        if before == open_ms:
            lost += gap.ids
        if after != before:
            cut |= Cut.HOLE_AFTER if after == open_ms else Cut.HOLE_BEFORE if before == open_ms else Cut.NONE
    return lost, cut


def ends_with_the_day(open_ms: int, interval_ms: int, cut: Cut) -> bool:
    """Whether the cut end of a bar is the end of an UTC day: an official file, or what is kept, reaches just so far."""
    return (open_ms if cut is Cut.BEGIN else open_ms + interval_ms) % DAY_MS == 0


def settle(bars: BarArray, best: Best = Continuity.PROVED) -> BarArray:
    """Bars over, made of numbered trades, with continuity and status as their cuts say.

    Args:
        best: what can be proved of the trades at best, of all bars or of each: only a proved bar is a part of one.
    """
    is_cut = bars["cut"] != 0
    of_proved = np.where(is_cut, Continuity.PARTIAL, Continuity.PROVED)
    bars["continuity"] = of_proved if best is Continuity.PROVED else np.where(np.asarray(best) > 0, best, of_proved)
    was_cut = bars["status"] == BarStatus.PARTIAL
    bars["status"][was_cut & ~is_cut] = BarStatus.CLOSED
    bars["status"][is_cut & (bars["status"] != BarStatus.OPEN)] = BarStatus.PARTIAL
    return bars


def merged_cuts(bars: BarArray, first: IntArray) -> IntArray:
    """The cut of each row of bars, which begin at the places `first`: a hole inside a row does not cut it."""
    cut = bars["cut"].astype(np.int64)
    places = np.arange(len(cut))
    by_hole = (cut & _HOLES) != 0
    earliest = np.minimum.reduceat(np.where(by_hole, places, len(cut)), first)
    latest = np.maximum.reduceat(np.where(by_hole, places, -1), first)
    begins = np.where(earliest < len(cut), cut[np.minimum(earliest, len(cut) - 1)] & Cut.HOLE_BEFORE, 0)
    ends = np.where(latest >= 0, cut[np.maximum(latest, 0)] & Cut.HOLE_AFTER, 0)
    others = np.bitwise_or.reduceat(cut & ~int(_HOLES), first)
    merged: IntArray = np.asarray(others | begins | ends, np.int64)
    return merged


def merged_continuity(bars: BarArray, first: IntArray, cut: IntArray) -> IntArray:
    """The worst continuity of the bars of each row, but for holes that lie inside of it."""
    of_parts = np.where(bars["continuity"] == Continuity.PARTIAL, Continuity.PROVED, bars["continuity"])
    of_whole = np.maximum.reduceat(of_parts, first)
    # Of sampled trades nothing is proved at the ends either.
    worst: IntArray = np.where((cut != 0) & (of_whole != Continuity.SAMPLED), Continuity.PARTIAL, of_whole)
    return worst


@dataclass(frozen=True, slots=True)
class Missing:
    """What is known of the trades that a row of bars misses."""

    share: float | None  # of its trade ids that are not on the tape
    reason: MissingReason | None  # why the share is None
    continuity: Continuity | None  # None: there is no bar


def missing_in(bars: BarArray) -> Missing:
    """Of a row of bars of one symbol, as if it were one bar."""
    if not len(bars):
        return Missing(None, MissingReason.NO_TRADES, None)
    first = np.zeros(1, np.int64)
    cut = merged_cuts(bars, first)
    continuity = Continuity(int(merged_continuity(bars, first, cut)[0]))
    reason = unknown(continuity, Cut(int(cut[0])))
    if reason is not None:
        return Missing(None, reason, continuity)
    lost, trades = int(bars["lost"].sum()), int(bars["trades"].sum())
    return Missing(lost / max(1, lost + trades), None, continuity)


@dataclass(frozen=True, slots=True)
class MissingAlong:
    """What is known of the trades that rows of bars miss, each row a part of one array."""

    share: FloatArray  # NaN where it is not known
    is_cut: BoolArray  # a hole reaches over an end of the row, or listening ended in it: too many may be missing


def missing_along(bars: BarArray, begin: IntArray, end: IntArray) -> MissingAlong:
    """`missing_in` of many rows of bars of one symbol at once: of ``bars[begin[i]:end[i]]`` for each i.

    >>> from pairscope.base.model import BAR
    >>> bars = np.zeros(3, BAR)
    >>> bars["trades"], bars["lost"] = [9, 5, 5], [1, 0, 0]
    >>> missing_along(bars, np.array([0, 1, 3]), np.array([2, 3, 3])).share.round(3).tolist()
    [0.067, 0.0, nan]
    """
    cut, continuity = bars["cut"].astype(np.int64), bars["continuity"]
    holes = np.flatnonzero((cut & _HOLES) != 0)
    if len(holes):
        first, last = np.searchsorted(holes, begin), np.searchsorted(holes, end) - 1
        has_hole = first <= last
        before = np.where(has_hole, cut[holes[np.minimum(first, len(holes) - 1)]] & Cut.HOLE_BEFORE, 0)
        after = np.where(has_hole, cut[holes[last]] & Cut.HOLE_AFTER, 0)
    else:
        before = after = np.zeros(len(begin), np.int64)
    begins, ends = (_counted((cut & flag) != 0, begin, end) > 0 for flag in (Cut.BEGIN, Cut.END))
    sampled, unproved = (
        _counted(continuity == each, begin, end) > 0 for each in (Continuity.SAMPLED, Continuity.UNPROVED)
    )
    is_partial = (before != 0) | (after != 0) | begins | ends
    is_known = ~is_partial & ~sampled & ~unproved & (end > begin)
    lost, trades = _counted(bars["lost"], begin, end), _counted(bars["trades"], begin, end)
    share = np.where(is_known, lost / np.maximum(1, lost + trades), np.nan)
    return MissingAlong(share, is_partial & ~begins & ~(sampled & ~unproved))


def _counted(column: NDArray[Any], begin: IntArray, end: IntArray) -> IntArray:
    sums = np.concatenate([[0], np.cumsum(column, dtype=np.int64)])
    found: IntArray = sums[end] - sums[begin]
    return found


def missing_share(bars: BarArray) -> tuple[float | None, MissingReason | None]:
    """Share of the trade ids of a row of bars that are not on the tape; None with the reason when it is not known."""
    found = missing_in(bars)
    return found.share, found.reason


def unknown(continuity: Continuity, cut: Cut) -> MissingReason | None:
    """Why a share of missing trades cannot be given; None when it can."""
    match continuity:
        case Continuity.PROVED:
            return None
        case Continuity.SAMPLED:
            return MissingReason.SAMPLED
        case Continuity.UNPROVED:
            return MissingReason.NO_IDS
    return MissingReason.BEGIN if cut & Cut.BEGIN else MissingReason.END if cut & Cut.END else MissingReason.HOLE
