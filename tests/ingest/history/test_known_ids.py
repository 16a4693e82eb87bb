"""Which ids are missing while and after trades are brought to a tape, against plain sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.id_ranges import Runs, no_runs, run, runs_of, subtract
from pairscope.base.model import Gap
from pairscope.feed.judge import Refusal
from pairscope.ingest.history import known_ids
from pairscope.ingest.history.known_ids import KnownIds, announce, conclude

IDS = st.sets(st.integers(0, 60), max_size=40)
Rows = dict[int, Gap]


def runs(ids: set[int]) -> Runs:
    return runs_of(np.array(sorted(ids), np.int64))


def ids_of(gaps: list[Gap]) -> set[int]:
    every = [i for gap in gaps for i in range(gap.first_id, gap.last_id + 1)]
    assert len(every) == len(set(every)), "two gaps share an id"
    return set(every)


def gap(first_id: int, last_id: int) -> Gap:
    return Gap("BTCUSDT", first_id, last_id, found_ms=1, reason=GapReason.START)


def series_of(ids: set[int]) -> KnownIds:
    """A tape as the feed leaves it: what is between its first and its last trade and not there is an open gap."""
    span = run(min(ids), max(ids)) if ids else no_runs()
    return KnownIds("BTCUSDT", span, [gap(a, b) for a, b in subtract(span, runs(ids)).tolist()])


def written(rows: Rows, gaps: list[Gap]) -> Rows:
    """What is stored: a row replaces the one with the same first id."""
    return {**rows, **{row.first_id: row for row in gaps}}


def still_open(rows: Rows) -> list[Gap]:
    return [row for row in rows.values() if row.closed_ms is None]


@given(has=IDS, brings=IDS, blank=IDS, arrives=st.integers(0, 60))
def test_every_id_is_on_the_tape_or_in_an_open_gap_at_any_moment(
    has: set[int], brings: set[int], blank: set[int], arrives: int
) -> None:
    blank = blank - has - brings
    tape = series_of(has)
    announced = announce(tape, runs(brings | blank), now_ms=5)
    during = written({each.first_id: each for each in tape.gaps}, announced)
    reach = has | brings | blank
    whole = set(range(min(reach), max(reach) + 1)) if reach else set()
    assert ids_of(still_open(during)) == whole - has

    came = {i for i in brings if i < arrives}  # all of them, or as far as it got
    after = written(
        during,
        conclude(still_open(during), runs(came), {Refusal.NOT_POSITIVE: runs(blank)}, runs(brings | blank), now_ms=6),
    )
    assert ids_of(still_open(after)) == whole - has - came - blank
    assert Obstacle.IMPORTING not in {row.obstacle for row in after.values()}
    no_trades = [row for row in after.values() if row.reason == GapReason.NOT_A_TRADE]
    assert ids_of(no_trades) == blank - has


def test_what_lies_between_an_import_and_the_tape_is_a_gap_with_its_reason() -> None:
    rows = announce(series_of({50, 51}), runs({1, 2, 5}), now_ms=9)
    assert {(row.first_id, row.last_id, row.reason, row.obstacle) for row in rows} == {
        (1, 2, GapReason.IMPORTED, Obstacle.IMPORTING),
        (3, 4, GapReason.ARCHIVE_HOLE, Obstacle.NOT_IN_ARCHIVE),
        (5, 5, GapReason.IMPORTED, Obstacle.IMPORTING),
        (6, 49, GapReason.NEVER_RECORDED, Obstacle.NOT_IMPORTED),
    }


def test_a_gap_of_the_feed_keeps_its_story_when_part_of_it_is_imported() -> None:
    tape = KnownIds("BTCUSDT", run(1, 99), [gap(10, 30)])
    rows = conclude(announce(tape, run(15, 20), now_ms=5), run(15, 20), {}, run(15, 20), now_ms=6)
    assert [(row.first_id, row.last_id, row.closed_ms, row.obstacle, row.reason) for row in rows] == [
        (10, 14, None, None, "start"),
        (15, 20, 6, None, "start"),
        (21, 30, None, None, "start"),
    ]


def test_rows_learn_between_which_times_they_lie() -> None:
    rows = known_ids.with_times([gap(10, 14)], {9: 900, 15: 1_500})
    assert [(row.after_ms, row.before_ms) for row in rows] == [(900, 1_500)]
