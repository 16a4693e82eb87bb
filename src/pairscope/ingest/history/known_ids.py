"""Which ids a tape has of a symbol and which it knows to be missing, before and after some are brought to it.

The rule that must hold at any moment, a kill between two commits included: every id between the first and the last is
on the tape, or in an open gap. So whoever brings ids first writes them down as missing, with the obstacle `IMPORTING`
that keeps others from fetching them too, then puts the trades, then closes the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pairscope.base.gaps import OF_IMPORTS, GapReason, Obstacle
from pairscope.base.id_ranges import Runs, holes, intersect, no_runs, run, subtract, union
from pairscope.base.model import Gap
from pairscope.feed.judge import Refusal

RefusedIds = Mapping[Refusal, Runs]  # ids that exist and whose rows are no trades, by the reason

# Obstacles: why they are not fetched for now.


@dataclass(frozen=True, slots=True)
class KnownIds:
    """What the tape has of a symbol: the run of ids its trades span, and the open gaps."""

    symbol: str
    span: Runs  # from the first to the last trade; none without trades
    gaps: Sequence[Gap]  # open ones
    no_trades: Runs = field(default_factory=no_runs)  # ids the exchange told to be no trades

    @property
    def missing(self) -> Runs:
        return union(*(run(gap.first_id, gap.last_id) for gap in self.gaps))

    @property
    def missed(self) -> Runs:
        """Ids that were listened for and not heard."""
        return union(*(run(gap.first_id, gap.last_id) for gap in self.gaps if gap.reason not in OF_IMPORTS))

    @property
    def present(self) -> Runs:
        return subtract(self.span, self.missing)


def announce(coverage: KnownIds, brings: Runs, now_ms: int) -> list[Gap]:
    """The rows to write before `brings` is put: what will come, and what will then lie between it and the rest."""
    inside = [
        row
        for gap in coverage.gaps
        for row in _split(gap, brings, lambda part: replace(part, obstacle=Obstacle.IMPORTING))
    ]
    known = union(coverage.span, coverage.missing)
    fresh = subtract(brings, union(known, coverage.no_trades))
    rows = [_gap(coverage, ends, now_ms, GapReason.IMPORTED, Obstacle.IMPORTING) for ends in fresh.tolist()]
    for ends in subtract(holes(union(known, brings)), coverage.no_trades).tolist():
        own_hole = len(brings) > 0 and brings[0, 0] < ends[0] and ends[1] < brings[-1, 1]
        reason = GapReason.ARCHIVE_HOLE if own_hole else GapReason.NEVER_RECORDED
        obstacle = Obstacle.NOT_IN_ARCHIVE if own_hole else Obstacle.NOT_IMPORTED
        rows.append(_gap(coverage, ends, now_ms, reason, obstacle))
    return [*inside, *rows]


def _announced(gap: Gap) -> Gap:
    return replace(gap, obstacle=Obstacle.IMPORTING)


def _gap(coverage: KnownIds, ends: list[int], now_ms: int, reason: GapReason, obstacle: Obstacle) -> Gap:
    first_id, last_id = ends
    return Gap(coverage.symbol, first_id, last_id, now_ms, reason, obstacle=obstacle)


def conclude(gaps: Iterable[Gap], brought: Runs, refused: RefusedIds, brings: Runs, now_ms: int) -> list[Gap]:
    """The gaps after: what came is closed, what was announced and did not come can be fetched by others.

    Args:
        gaps: the open gaps as they stand on the tape.
        brought: ids that are on the tape now.
        refused: ids whose rows are no trades: closed where the exchange says so itself, else open for that reason.
        brings: what had been announced.
    """
    rows: list[Gap] = []
    for gap in gaps:
        parts = _split(gap, brought, lambda part: replace(part, closed_ms=now_ms, obstacle=None)) or [gap]
        for refusal, ids in refused.items():
            parts = [row for part in parts for row in _refused(part, refusal, ids, now_ms)]
        rows += [row for part in parts for row in _released(part, brings)]
    return rows


def _refused(part: Gap, refusal: Refusal, ids: Runs, now_ms: int) -> list[Gap]:
    if part.closed_ms is not None:
        return [part]
    if refusal.is_no_trade:
        return _split(
            part, ids, lambda row: replace(row, closed_ms=now_ms, reason=GapReason.NOT_A_TRADE, obstacle=None)
        ) or [part]
    reason = GapReason.ARCHIVE_HOLE if part.reason == GapReason.IMPORTED else part.reason  # nobody had listened for it
    return _split(part, ids, lambda row: replace(row, reason=reason, obstacle=Obstacle(refusal.value))) or [part]


def _released(part: Gap, brings: Runs) -> list[Gap]:
    """What did not come: the exchange may still have it."""
    if part.closed_ms is not None or part.obstacle != Obstacle.IMPORTING:
        return [part]
    obstacle = Obstacle.NOT_IMPORTED if part.reason == GapReason.IMPORTED else None
    return _split(part, brings, lambda row: replace(row, obstacle=obstacle)) or [part]


def _split(gap: Gap, runs: Runs, change: Callable[[Gap], Gap]) -> list[Gap]:
    """The parts of a gap inside some runs, changed, and those outside; empty when none is inside.

    The times around a part are no longer those around the gap, and are found anew when the rows are written.
    """
    whole = run(gap.first_id, gap.last_id)
    inside = intersect(whole, runs)
    if not len(inside):
        return []
    outside = subtract(whole, runs)
    parts = [change(_part(gap, ends)) for ends in inside.tolist()] + [_part(gap, ends) for ends in outside.tolist()]
    return sorted(parts, key=lambda part: part.first_id)


def _part(gap: Gap, ends: list[int]) -> Gap:
    first_id, last_id = ends
    return replace(
        gap,
        first_id=first_id,
        last_id=last_id,
        after_ms=gap.after_ms if first_id == gap.first_id else None,
        before_ms=gap.before_ms if last_id == gap.last_id else None,
    )


def edges(gaps: Iterable[Gap]) -> Runs:
    """The ids right before and right after open gaps: the times of their trades belong into the rows."""
    ids = [run(each, each) for gap in gaps if gap.closed_ms is None for each in (gap.first_id - 1, gap.last_id + 1)]
    return union(*ids) if ids else no_runs()


def with_times(gaps: Sequence[Gap], times: dict[int, int]) -> list[Gap]:
    """Gaps that tell between which times they lie, as far as the trades around them are known."""
    return [
        replace(
            gap,
            after_ms=times.get(gap.first_id - 1, gap.after_ms),
            before_ms=times.get(gap.last_id + 1, gap.before_ms),
        )
        if gap.closed_ms is None
        else gap
        for gap in gaps
    ]
