"""Holes that are filled, split, closed and obstructed hold exactly the ids that are missing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.model import Gap
from pairscope.feed.open_holes import OpenHoles


def hole(first_id: int, last_id: int, before_ms: int | None = None) -> Gap:
    return Gap("BTCUSDT", first_id, last_id, found_ms=1, reason=GapReason.SKIPPED, before_ms=before_ms)


def holes(*gaps: Gap) -> OpenHoles:
    found = OpenHoles()
    found.put(0, gaps)
    return found


def ids_of(open_holes: OpenHoles) -> list[int]:
    return sorted(i for gap in open_holes.of(0) for i in range(gap.first_id, gap.last_id + 1))


def fill(open_holes: OpenHoles, *ids: int) -> tuple[list[Gap], list[bool]]:
    """Trades whose time is ten times their id."""
    changed, filled = open_holes.fill(0, np.array(ids), 10 * np.array(ids), 1_000)
    return changed, filled.tolist()


def test_only_ids_in_a_hole_fill_one() -> None:
    found = holes(hole(3, 5), hole(8, 9))
    assert fill(found, 2, 3, 6, 7, 8, 9, 10)[1] == [False, True, False, False, True, True, False]
    assert ids_of(found) == [4, 5]


def test_a_symbol_without_holes_has_nothing_to_fill_close_or_obstruct() -> None:
    found = OpenHoles()
    assert fill(found, 1, 2) == ([], [False, False])
    assert (found.close_without_trade(0, 1, 1), found.obstruct(0, 1, 2, Obstacle.TOO_OLD)) == ([], [])
    assert found.all() == []


def test_an_id_without_a_trade_is_a_closed_row_between_what_is_left() -> None:
    found = holes(hole(1, 5))
    changed = found.close_without_trade(0, 3, 1_000)
    assert [(gap.first_id, gap.last_id, gap.closed_ms, gap.reason) for gap in changed] == [
        (1, 2, None, GapReason.SKIPPED),
        (3, 3, 1_000, GapReason.NOT_A_TRADE),
        (4, 5, None, GapReason.SKIPPED),
    ]
    assert ids_of(found) == [1, 2, 4, 5]


def test_only_holes_that_had_no_end_get_one() -> None:
    early, ended, unended = hole(4, 4), hole(6, 6, before_ms=5), hole(8, 8)
    found = holes(early, ended, unended)
    assert [(gap.first_id, gap.before_ms) for gap in found.end(0, 6, 70)] == [(8, 70)]
    assert [gap.before_ms for gap in found.of(0)] == [None, 5, 70]


def test_one_of_two_equal_holes_is_forgotten() -> None:
    one, other = hole(1, 2), hole(1, 2)
    found = holes(one, other)
    found.forget(0, one)
    assert found.of(0) == (other,)
    assert found.of(0)[0] is other


IDS = st.integers(1, 40)
ACTS = st.one_of(
    st.tuples(st.just("fill"), st.lists(IDS, min_size=1, unique=True)),
    st.tuples(st.just("close"), st.lists(IDS, min_size=1, max_size=1)),
    st.tuples(st.just("obstruct"), st.lists(IDS, min_size=2, max_size=2)),
)


@given(st.lists(ACTS, max_size=12))
def test_whatever_happens_the_holes_are_the_missing_ids_and_a_copy_stays_as_it_was(
    acts: list[tuple[str, list[int]]],
) -> None:
    found = holes(hole(1, 12), hole(15, 15), hole(20, 40))
    missing = set(ids_of(found))
    for act, ids in acts:
        before = found.copy()
        held = before.of(0)
        if act == "fill":
            changed, filled = fill(found, *sorted(ids))
            assert filled == [each in missing for each in sorted(ids)]
            missing -= set(ids)
        elif act == "close":
            changed = found.close_without_trade(0, ids[0], 1_000)
            missing -= set(ids)
        else:
            changed = found.obstruct(0, min(ids), max(ids), Obstacle.TOO_OLD)
        assert ids_of(found) == sorted(missing), "each id once"
        told = {gap.first_id: gap for gap in changed}.values()  # the last of a first id is its state now
        assert {gap for gap in told if gap.closed_ms is None} <= set(found.of(0)), "what is told is what is held"
        assert before.of(0) == held
