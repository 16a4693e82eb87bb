from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.model import Gap, SymbolTable, TradeBatch
from pairscope.feed.continuity import LARGEST_HOLE, ContinuityTracker, IdCheck


def batch(ids: Sequence[int], symbols: Sequence[int] | None = None) -> TradeBatch:
    """Trades whose time is ten times their id."""
    n = len(ids)
    return TradeBatch(
        symbol_id=np.array(symbols or [0] * n, np.int32),
        id=np.array(ids, np.int64),
        time_ms=10 * np.array(ids, np.int64),
        price=np.ones(n),
        size=np.ones(n),
        buyer_is_maker=np.zeros(n, np.bool_),
        received_ns=np.zeros(n, np.int64),
    )


class WrittenIds:
    """A tracker of one symbol and the ids it let through."""

    def __init__(self, restored: int | None = None) -> None:
        self.tracker = ContinuityTracker(SymbolTable(["BTCUSDT"]))
        self.kept: list[int] = []
        self.lost = 0
        if restored is not None:
            self.tracker.restore(0, restored, 0)

    def add(self, *ids: int) -> IdCheck:
        found = self.tracker.check(batch(ids), 1_000, GapReason.SKIPPED)
        self.kept += [i for i, fresh in zip(ids, found.fresh.tolist(), strict=True) if fresh]
        self.lost += int(found.lost.sum())
        return found

    @property
    def missing(self) -> set[int]:
        return {i for gap in self.tracker.open_gaps(0) for i in range(gap.first_id, gap.last_id + 1)}


def test_the_first_id_opens_no_gap() -> None:
    found = WrittenIds().add(100, 101)
    assert found.gaps == []
    assert found.fresh.all()


def test_a_skipped_id_is_a_gap_at_once_and_is_charged_to_the_trade_after_it() -> None:
    tape = WrittenIds()
    found = tape.add(1, 2, 5)
    assert [(g.first_id, g.last_id, g.reason) for g in found.gaps] == [(3, 4, GapReason.SKIPPED)]
    assert found.lost.tolist() == [0, 0, 2]


def test_the_highest_id_decides_so_disorder_leaves_no_gap_behind() -> None:
    tape = WrittenIds()
    tape.add(1, 3, 2, 4)
    assert tape.kept == [1, 3, 2, 4]
    assert tape.missing == set()


def test_a_repeated_id_is_a_duplicate_also_in_the_same_burst() -> None:
    tape = WrittenIds()
    assert tape.add(1, 1, 2).duplicates == 1
    assert tape.add(2, 1, 3).duplicates == 2
    assert tape.kept == [1, 2, 3]


def test_a_late_id_in_the_middle_of_a_hole_splits_it() -> None:
    tape = WrittenIds()
    tape.add(1, 10)
    found = tape.add(5)
    assert [(g.first_id, g.last_id, g.closed_ms) for g in found.gaps] == [
        (2, 4, None),
        (5, 5, 1_000),
        (6, 9, None),
    ]


def test_a_late_id_at_the_start_of_a_hole_closes_the_row_and_opens_the_rest() -> None:
    tape = WrittenIds()
    tape.add(1, 5)
    found = tape.add(2)
    assert [(g.first_id, g.last_id, g.closed_ms) for g in found.gaps] == [(2, 2, 1_000), (3, 4, None)]


def test_the_last_missing_id_closes_the_gap() -> None:
    tape = WrittenIds()
    tape.add(1, 3)
    found = tape.add(2)
    assert [(g.first_id, g.closed_ms) for g in found.gaps] == [(2, 1_000)]
    assert tape.tracker.open_gaps(0) == []


def test_a_restart_finds_the_hole_between_the_tape_and_the_first_live_trade() -> None:
    found = WrittenIds(restored=41).add(45)
    assert [(g.first_id, g.last_id) for g in found.gaps] == [(42, 44)]


def test_a_batch_the_tape_refused_never_came_and_what_follows_shows_the_hole() -> None:
    tape = WrittenIds()
    tape.add(1, 2, 5)
    refused = tape.add(3, 6, 9)
    tape.tracker.rewind(refused, batch([3, 6, 9]), GapReason.DISK_QUEUE_FULL)
    assert [(g.first_id, g.last_id) for g in tape.tracker.open_gaps(0)] == [(3, 4)]
    (hole,) = tape.add(10).opened
    assert (hole.first_id, hole.last_id, hole.reason, hole.after_ms) == (6, 9, "disk_queue_full", 50)
    (next_hole,) = tape.add(12).opened
    assert next_hole.reason is GapReason.SKIPPED


def test_what_came_before_a_hole_and_was_not_written_is_a_hole_too() -> None:
    tape = WrittenIds()
    rows = [
        Gap("BTCUSDT", first, last, found_ms=1, reason=GapReason.SKIPPED, before_ms=9)
        for first, last in ((48, 50), (55, 60))
    ]
    shown = tape.tracker.restore(0, 42, 420, rows)
    assert [(gap.first_id, gap.last_id) for gap in shown] == [(43, 47), (51, 54)]
    assert tape.missing == set(range(43, 61))
    assert tape.add(61).opened == []


def test_a_restart_never_opens_a_hole_over_one_that_is_open() -> None:
    """The rows of gaps reach the disk before the trades that show them; a kill in between leaves them ahead."""
    tape = WrittenIds()
    ahead = Gap("BTCUSDT", 43, 60, found_ms=1, reason=GapReason.SKIPPED, before_ms=610)
    tape.tracker.restore(0, 42, 420, [ahead])
    (hole,) = tape.add(70).opened
    assert (hole.first_id, hole.last_id, hole.after_ms) == (61, 69, 610)
    assert tape.add(50).fresh.all()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=120))
def test_kept_and_missing_ids_are_exactly_the_range_whatever_the_order(ids: list[int]) -> None:
    tape = WrittenIds(restored=0)
    for start in range(0, len(ids), 7):
        tape.add(*ids[start : start + 7])
    assert sorted(tape.kept) == sorted(set(ids))
    assert tape.missing == set(range(1, max(ids) + 1)) - set(ids)
    assert len(tape.kept) == len(set(tape.kept))


def test_many_symbols_do_not_mix() -> None:
    tracker = ContinuityTracker(SymbolTable([f"S{i}" for i in range(51)]))
    found = tracker.check(batch([7, 900, 8, 902], [0, 50, 0, 50]), 0, GapReason.SKIPPED)
    assert [(g.symbol, g.first_id, g.last_id) for g in found.gaps] == [("S50", 901, 901)]
    assert tracker.highest(0) == 8
    assert tracker.highest(3) is None


def test_a_hole_lies_between_the_times_of_the_trades_around_it() -> None:
    (gap,) = WrittenIds().add(1, 2, 9).gaps
    assert (gap.after_ms, gap.before_ms) == (20, 90)


def test_a_part_of_a_hole_that_is_filled_lies_between_its_own_trades() -> None:
    tape = WrittenIds()
    tape.add(1, 2, 20)
    left, middle, right = tape.add(8, 9, 10).gaps
    assert (left.first_id, left.after_ms, left.before_ms) == (3, 20, 80)
    assert (middle.first_id, middle.last_id, middle.after_ms, middle.before_ms) == (8, 10, 80, 100)
    assert (right.last_id, right.after_ms, right.before_ms) == (19, 100, 200)
    (closed,) = tape.add(3, 4, 5, 6, 7).gaps
    assert (closed.after_ms, closed.before_ms) == (20, 80)


def test_a_filled_hole_has_no_obstacle_any_more() -> None:
    tape = WrittenIds()
    tape.add(1, 4)
    tape.tracker.obstruct(0, 2, 3, Obstacle.TOO_OLD)
    (closed,) = tape.add(2, 3).gaps
    assert (closed.closed_ms, closed.obstacle) == (1_000, None)


def test_a_reason_told_beforehand_is_that_of_the_next_trade_only() -> None:
    tape = WrittenIds(restored=41)
    tape.tracker.expect(0, GapReason.UNWATCHED)
    assert [hole.reason for hole in tape.add(40, 41).opened + tape.add(45).opened] == ["unwatched"]
    tape.tracker.expect(0, GapReason.UNWATCHED)
    assert tape.add(46).opened == []
    assert [hole.reason for hole in tape.add(48).opened] == [GapReason.SKIPPED]


def test_an_id_nobody_can_believe_changes_nothing() -> None:
    tape = WrittenIds()
    tape.add(1, 2)
    found = tape.add(3 + 2 * LARGEST_HOLE, 3)
    assert (found.implausible, found.duplicates) == (1, 0)
    assert tape.kept == [1, 2, 3]
    assert tape.missing == set()


def test_an_id_nobody_can_believe_is_believed_when_the_next_one_says_the_same() -> None:
    """A tape that was not continued for a month must not reject every trade from then on."""
    tape = WrittenIds(restored=100)
    far = 100 + 2 * LARGEST_HOLE
    found = tape.add(far, far + 1, far + 2)
    assert found.implausible == 1
    assert tape.kept == [far + 1, far + 2]
    assert [(g.first_id, g.last_id) for g in tape.tracker.open_gaps(0)] == [(101, far)]


def test_two_damaged_ids_that_have_nothing_to_do_with_each_other_are_not_believed() -> None:
    tape = WrittenIds(restored=100)
    assert tape.add(100 + 3 * LARGEST_HOLE, 100 + 2 * LARGEST_HOLE, 101).implausible == 2
    assert tape.kept == [101]


def test_an_obstacle_splits_a_hole_and_can_be_taken_back() -> None:
    tape = WrittenIds()
    tape.add(1, 100)
    changed = tape.tracker.obstruct(0, 40, 60, Obstacle.TOO_OLD)
    assert [(g.first_id, g.last_id, g.obstacle) for g in changed] == [
        (2, 39, None),
        (40, 60, "too_old_for_rest"),
        (61, 99, None),
    ]
    assert tape.missing == set(range(2, 100))
    tape.add(50)
    assert tape.missing == set(range(2, 100)) - {50}


def test_a_page_of_late_ids_is_one_closed_row_not_a_thousand() -> None:
    tape = WrittenIds()
    tape.add(1, 5_000)
    found = tape.add(*range(3_001, 4_001))
    assert found.fresh.all()
    assert [(g.first_id, g.last_id, g.closed_ms) for g in found.gaps] == [
        (2, 3_000, None),
        (3_001, 4_000, 1_000),
        (4_001, 4_999, None),
    ]
