"""Many values against many conditions: each stands where it would stand alone."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pairscope.alerts.conditions import Bounds
from pairscope.alerts.machine import Level
from pairscope.alerts.rule import Clause, Comparison

CLEAR, NONE, BETWEEN, BREACH = Level


def clause(comparison: str, **ends: float) -> Clause:
    return msgspec.structs.replace(Clause(metric="m", comparison=Comparison(comparison)), **ends)


CASES = {
    ">": (clause(">", high=2.0, reset_high=0.5), {2.1: BREACH, 2.0: BETWEEN, 0.6: BETWEEN, 0.5: CLEAR, -9.0: CLEAR}),
    ">=": (clause(">=", high=2.0, reset_high=2.0), {2.0: BREACH, 1.9: CLEAR}),
    "<": (clause("<", low=-2.0, reset_low=-0.5), {-2.1: BREACH, -2.0: BETWEEN, -0.5: CLEAR}),
    "<=": (clause("<=", low=-2.0, reset_low=-0.5), {-2.0: BREACH, -1.9: BETWEEN, 3.0: CLEAR}),
    "outside": (
        clause("outside", low=-2.0, high=2.0, reset_low=-0.5, reset_high=0.5),
        {2.1: BREACH, -2.1: BREACH, 1.0: BETWEEN, -1.0: BETWEEN, 0.5: CLEAR, 0.0: CLEAR},
    ),
    "inside": (
        clause("inside", low=-1.0, high=1.0, reset_low=-2.0, reset_high=2.0),
        {1.0: BREACH, 0.0: BREACH, 1.5: BETWEEN, 2.0: BETWEEN, 2.1: CLEAR, -2.1: CLEAR},
    ),
    "is": (Clause(metric="health", comparison=Comparison.IS, word="broken"), {1.0: BREACH, 0.0: CLEAR}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_value_stands_where_its_condition_says(name: str) -> None:
    one, wanted = CASES[name]
    wanted = {**wanted, math.nan: NONE}
    found = Bounds.of([one] * len(wanted)).levels(np.array(list(wanted)))
    assert found.tolist() == list(wanted.values())


def test_a_condition_that_is_not_there_is_true() -> None:
    assert Bounds.of([None, None]).levels(np.array([0.0, -1e300])).tolist() == [BREACH, BREACH]


@given(some.lists(some.floats(-4, 4) | some.just(math.nan), min_size=1, max_size=20), some.data())
def test_many_at_once_stand_where_each_stands_alone(values: list[float], data: some.DataObject) -> None:
    clauses = [data.draw(some.sampled_from([one for one, _ in CASES.values()])) for _ in values]
    together = Bounds.of(clauses).levels(np.array(values))
    alone = [Bounds.of([one]).levels(np.array([value]))[0] for one, value in zip(clauses, values, strict=True)]
    assert together.tolist() == [int(each) for each in alone]


def test_what_has_to_cross_comes_from_the_other_side_and_never_out_of_a_gap() -> None:
    up, down = clause("crosses_above", high=2.0, reset_high=2.0), clause("crosses_below", low=2.0, reset_low=2.0)
    path = [math.nan, 3.0, 1.0, 2.0, 2.5, 3.0, math.nan, 3.0, 1.9, 2.1]

    def crossings(one: Clause) -> list[float]:
        bounds = Bounds.of([one])
        return [
            now
            for before, now in pairwise(path)
            if bounds.levels(np.array([now]))[0] == BREACH and bounds.entered(np.array([now]), np.array([before]))[0]
        ]

    assert crossings(up) == [2.5, 2.1]
    assert crossings(down) == [1.0, 1.9]
    assert Bounds.of([CASES[">"][0]]).entered(np.array([3.0]), np.array([math.nan])).tolist() == [True]
