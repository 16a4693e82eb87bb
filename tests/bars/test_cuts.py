"""Which bars are whole, and what is known of a row of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.bars.cuts import MissingReason, cut_by_gaps, missing_along, missing_in, missing_share, settle
from pairscope.bars.merge import merge_bars
from pairscope.bars.rebuild import rebuild_bars
from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BAR, BarArray, BarStatus, Continuity, Cut, Gap, TradeBatch

SECOND, FIVE = Interval(1_000), Interval(5_000)
START_MS = 20_000 * DAY_MS + 3_600_000


def trades_at(*times_ms: int) -> TradeBatch:
    count = len(times_ms)
    return TradeBatch(
        symbol_id=np.zeros(count, np.int32),
        id=np.arange(1, count + 1),
        time_ms=START_MS + np.array(times_ms),
        price=np.ones(count),
        size=np.ones(count),
        buyer_is_maker=np.zeros(count, np.bool_),
        received_ns=np.zeros(count, np.int64),
    )


def gap(after_ms: int | None, before_ms: int | None, ids: int = 10) -> Gap:
    after_ms, before_ms = (None if at is None else START_MS + at for at in (after_ms, before_ms))
    return Gap("A", 1_000, 999 + ids, 0, GapReason.SKIPPED, after_ms=after_ms, before_ms=before_ms)


def seconds(gaps: list[Gap], ends: bool = False) -> BarArray:
    """Bars of a trade in the middle of each of twelve seconds."""
    times = [1_000 * i + 500 for i in range(12)]
    trades = trades_at(*times)
    return rebuild_bars([trades], [SECOND], gaps, ends_of(trades) if ends else None)


def ends_of(trades: TradeBatch) -> list[tuple[int, int]]:
    """Id and time of the first and the last one."""
    return [(int(trades.id[place]), int(trades.time_ms[place])) for place in (0, -1)]


def test_a_hole_within_a_bar_is_counted_and_cuts_nothing() -> None:
    bars = seconds([gap(3_400, 3_500)])
    assert bars["lost"].tolist() == [0, 0, 0, 10] + 8 * [0]
    assert set(bars["continuity"].tolist()) == {Continuity.PROVED}
    assert missing_share(bars) == (10 / 22, None)


def test_bars_on_both_sides_of_a_hole_are_partial_until_it_is_filled() -> None:
    bars = seconds([gap(3_500, 6_500)])
    assert {i: Cut(c) for i, c in enumerate(bars["cut"].tolist()) if c} == {3: Cut.HOLE_AFTER, 6: Cut.HOLE_BEFORE}
    assert bars["status"][3] == bars["status"][6] == BarStatus.PARTIAL
    assert missing_share(bars[:4]) == missing_share(bars[6:]) == (None, MissingReason.HOLE)
    assert missing_share(bars) == (10 / 22, None), (
        "the hole lies in this row of bars, whatever bar its trades belong to"
    )
    assert missing_share(bars[7:]) == (0.0, None)


def test_where_listening_began_and_ended_inside_a_bar_nobody_counts() -> None:
    bars = seconds([], ends=True)
    assert (bars["cut"][0], bars["cut"][-1]) == (Cut.BEGIN, Cut.END)
    assert missing_share(bars) == (None, MissingReason.BEGIN)
    assert missing_share(bars[1:]) == (None, MissingReason.END)
    assert missing_share(bars[1:-1]) == (0.0, None)
    assert missing_share(bars[:0]) == (None, MissingReason.NO_TRADES)


def test_what_reaches_to_the_end_of_a_day_is_whole() -> None:
    trades = trades_at(0, 1_000)
    bars = rebuild_bars([trades], [Interval(DAY_MS)], [], ends_of(trades))
    assert bars["cut"].tolist() == [0]


def test_a_bar_before_that_of_the_first_trade_is_partial_too_when_times_step_back() -> None:
    trades = trades_at(3_010, 2_990, 3_500, 4_000)
    bars = rebuild_bars([trades], [SECOND, FIVE], [], ends_of(trades)[:1])
    assert bars["cut"].tolist() == [Cut.BEGIN, Cut.BEGIN, 0, Cut.BEGIN]
    later = trades.take(trades.id > 1)  # what is held of an earlier time, and was before it, is none of its business
    assert rebuild_bars([later], [SECOND], [], [(3, START_MS + 3_500)])["cut"].tolist() == [0, Cut.BEGIN, 0]


def test_a_coarser_bar_is_partial_unless_the_hole_lies_inside_of_it() -> None:
    inside = merge_bars(seconds([gap(6_500, 8_500)]), FIVE)
    assert inside["cut"].tolist() == [0, 0, 0]
    assert inside["status"].tolist() == 3 * [BarStatus.CLOSED]
    assert inside["lost"].tolist() == [0, 10, 0]
    across = merge_bars(seconds([gap(3_500, 6_500), gap(8_400, 9_400)], ends=True), FIVE)
    assert [Cut(c) for c in across["cut"].tolist()] == [Cut.BEGIN | Cut.HOLE_AFTER, Cut.HOLE_BEFORE, Cut.END]
    assert set(across["status"].tolist()) == {BarStatus.PARTIAL}
    assert set(across["continuity"].tolist()) == {Continuity.PARTIAL}


@pytest.mark.parametrize("worse", [Continuity.SAMPLED, Continuity.UNPROVED])
def test_of_a_merged_bar_the_worst_part_counts(worse: Continuity) -> None:
    bars = seconds([])
    bars["continuity"][7] = worse
    assert merge_bars(bars, FIVE)["continuity"].tolist() == [Continuity.PROVED, worse, Continuity.PROVED]
    reason = {Continuity.SAMPLED: MissingReason.SAMPLED, Continuity.UNPROVED: MissingReason.NO_IDS}[worse]
    assert missing_share(bars) == (None, reason)


def test_bars_of_format_2_and_new_ones_are_whole_unless_told_otherwise() -> None:
    assert np.zeros(1, BAR)["continuity"][0] == Continuity.PROVED


def test_a_cut_bar_that_is_over_is_partial_one_that_is_open_stays_open_and_a_whole_one_is_no_longer_partial() -> None:
    bars = np.zeros(5, BAR)
    bars["status"] = [BarStatus.OPEN, BarStatus.CLOSED, BarStatus.REVISED, BarStatus.PARTIAL, BarStatus.REVISED]
    bars["cut"] = [Cut.BEGIN, Cut.BEGIN, Cut.HOLE_AFTER, Cut.NONE, Cut.NONE]
    settled = settle(bars)
    assert settled["status"].tolist() == [
        *(BarStatus.OPEN, BarStatus.PARTIAL, BarStatus.PARTIAL),
        *(BarStatus.CLOSED, BarStatus.REVISED),
    ]
    assert settled["continuity"].tolist() == 3 * [Continuity.PARTIAL] + 2 * [Continuity.PROVED]


def test_a_gap_that_is_closed_charges_and_cuts_no_bar() -> None:
    hole = gap(2_500, 4_500)
    assert cut_by_gaps([hole], 1_000, START_MS + 4_000) == (10, Cut.HOLE_BEFORE)
    assert cut_by_gaps([replace(hole, closed_ms=START_MS)], 1_000, START_MS + 4_000) == (0, Cut.NONE)


@pytest.mark.parametrize("best", [Continuity.SAMPLED, Continuity.UNPROVED])
def test_no_bar_is_better_than_what_can_be_proved_of_its_trades(best: Continuity) -> None:
    bars = seconds([gap(3_500, 6_500)])
    assert Continuity.PARTIAL in bars["continuity"]
    whole = settle(bars.copy(), best)
    assert set(whole["continuity"].tolist()) == {best}
    assert whole["status"].tolist() == bars["status"].tolist()  # it is cut all the same
    some = settle(bars.copy(), np.where(np.arange(len(bars)) < 5, best, Continuity.PROVED).astype(np.uint8))
    assert set(some["continuity"][:5].tolist()) == {best}
    assert some["continuity"][5:].tolist() == bars["continuity"][5:].tolist()


def test_of_sampled_bars_a_coarser_one_is_sampled_wherever_it_is_cut() -> None:
    bars = settle(seconds([gap(3_500, 6_500)]), Continuity.SAMPLED)
    assert set(merge_bars(bars, FIVE)["continuity"].tolist()) == {Continuity.SAMPLED}
    assert missing_share(bars) == (None, MissingReason.SAMPLED)


ANY_BAR = st.tuples(
    st.sampled_from([*3 * [Continuity.PROVED], Continuity.PARTIAL, Continuity.SAMPLED, Continuity.UNPROVED]),
    st.sampled_from([*6 * [0], 1, 2, 4, 8, 12, 9, 6]),
    st.sampled_from([0, 0, 0, 7]),
    st.integers(0, 20),
)


@given(st.lists(ANY_BAR, max_size=25), st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=30))
def test_many_rows_of_bars_miss_what_each_of_them_misses(
    told: list[tuple[Continuity, int, int, int]], rows: list[tuple[int, int]]
) -> None:
    bars = np.zeros(len(told), BAR)
    for name, column in zip(("continuity", "cut", "lost", "trades"), zip(*told, strict=True), strict=False):
        bars[name] = column
    ends = [sorted(min(each, len(bars)) for each in row) for row in rows]
    begin, end = np.array(ends, np.int64).reshape(-1, 2).T
    found = missing_along(bars, begin, end)
    for place, (first, last) in enumerate(ends):
        alone = missing_in(bars[first:last])
        share = float(found.share[place])
        assert (None if np.isnan(share) else share) == alone.share
        assert bool(found.is_cut[place]) == (alone.reason in (MissingReason.HOLE, MissingReason.END))
