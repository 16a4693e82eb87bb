"""Sets of ids as runs, against Python's own sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.id_ranges import Runs, contains, holes, intersect, runs_of, size, subtract, union

IDS = st.lists(st.integers(0, 40), max_size=40)


def to_runs(ids: list[int]) -> Runs:
    return runs_of(np.array(ids, np.int64))


def to_set(runs: Runs) -> set[int]:
    assert (runs[:, 0] <= runs[:, 1]).all()
    assert (runs[1:, 0] > runs[:-1, 1] + 1).all(), "runs touch or overlap"
    return {each for first, last in runs.tolist() for each in range(first, last + 1)}


@given(IDS)
def test_runs_hold_just_the_ids_they_were_made_of(ids: list[int]) -> None:
    runs = to_runs(ids)
    assert to_set(runs) == set(ids)
    assert size(runs) == len(set(ids))
    everything = np.arange(-2, 45)
    assert everything[contains(runs, everything)].tolist() == sorted(set(ids))


@given(IDS, IDS)
def test_set_arithmetic_is_that_of_sets(one: list[int], two: list[int]) -> None:
    assert to_set(union(to_runs(one), to_runs(two))) == set(one) | set(two)
    assert to_set(intersect(to_runs(one), to_runs(two))) == set(one) & set(two)
    assert to_set(subtract(to_runs(one), to_runs(two))) == set(one) - set(two)


@given(IDS.filter(bool))
def test_holes_are_what_lies_between(ids: list[int]) -> None:
    assert to_set(holes(to_runs(ids))) == set(range(min(ids), max(ids) + 1)) - set(ids)
