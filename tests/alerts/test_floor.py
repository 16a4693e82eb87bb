"""The floor of fires: by formula what counting finds on long paths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pairscope.alerts.floor import excursions_per_hour
from pairscope.alerts.rule import Clause, Comparison
from pairscope.alerts.simulated import returning
from pairscope.base.model import FloatArray

HALF_LIFE_MS = 300_000.0
HOURS = 4_000


def outside(low: float, high: float, reset_low: float, reset_high: float) -> Clause:
    return Clause(
        metric="spread_z",
        comparison=Comparison.OUTSIDE,
        low=low,
        high=high,
        reset_low=reset_low,
        reset_high=reset_high,
    )


def above(high: float, reset: float) -> Clause:
    return Clause(metric="spread_z", comparison=Comparison.ABOVE, high=high, reset_high=reset)


def below(low: float, reset: float) -> Clause:
    return Clause(metric="spread_z", comparison=Comparison.BELOW, low=low, reset_low=reset)


def path(bar_s: int) -> FloatArray:
    half_life = HALF_LIFE_MS / 1_000 / bar_s
    pushes = np.random.default_rng(5).standard_normal(HOURS * 3_600 // bar_s)
    return returning(math.sqrt(1.0 - 4.0 ** (-1.0 / half_life)) * pushes, half_life)


def counted(clause: Clause, z: FloatArray) -> float:
    """Fires an hour, one after the other."""
    low, high = clause.low or -math.inf, clause.high or math.inf
    reset_low = -math.inf if clause.reset_low is None else clause.reset_low
    reset_high = math.inf if clause.reset_high is None else clause.reset_high
    fires, is_out = 0, False
    for value in z.tolist():
        if is_out:
            is_out = not reset_low <= value <= reset_high
        elif not low <= value <= high:
            fires, is_out = fires + 1, True
    return fires / HOURS


@pytest.mark.parametrize(
    "clause",
    [
        outside(-2.0, 2.0, -0.5, 0.5),
        outside(-2.5, 2.5, -0.5, 0.5),
        outside(-1.0, 2.5, -0.2, 0.5),
        outside(-1.8, 1.8, -0.45, 0.45),
        above(2.0, 0.5),
        below(-1.5, 0.0),
    ],
)
def test_a_perfect_rule_fires_as_often_as_the_formula_says(clause: Clause) -> None:
    assert excursions_per_hour(clause, HALF_LIFE_MS, 10_000) == pytest.approx(counted(clause, path(10)), rel=0.06)


@pytest.mark.parametrize("bar_s", [1, 60])
def test_it_is_so_at_bars_of_any_length(bar_s: int) -> None:
    clause = outside(-2.0, 2.0, -0.5, 0.5)
    assert excursions_per_hour(clause, HALF_LIFE_MS, 1_000 * bar_s) == pytest.approx(
        counted(clause, path(bar_s)), rel=0.06
    )


def test_a_level_without_a_reset_is_crossed_again_and_again_though_not_without_end() -> None:
    clause = above(1.5, 1.5)
    assert excursions_per_hour(clause, HALF_LIFE_MS, 10_000) == pytest.approx(counted(clause, path(10)), rel=0.15)
    same = Clause(metric="spread_z", comparison=Comparison.ABOVE, high=1.5)
    assert excursions_per_hour(same, HALF_LIFE_MS, 10_000) == excursions_per_hour(clause, HALF_LIFE_MS, 10_000)


def test_sides_add_up_and_a_level_nobody_sees_is_never_crossed() -> None:
    one, other = (excursions_per_hour(each, HALF_LIFE_MS, 1_000) for each in (above(3.0, 0.0), below(-3.0, 0.0)))
    assert one == other
    both = excursions_per_hour(outside(-3.0, 3.0, 0.0, 0.0), HALF_LIFE_MS, 1_000)
    assert both == pytest.approx(one + other, rel=0.01)
    assert excursions_per_hour(above(20.0, 0.5), HALF_LIFE_MS, 1_000) == 0.0
    assert excursions_per_hour(outside(-20.0, 2.0, -0.5, 0.5), HALF_LIFE_MS, 1_000) == pytest.approx(
        excursions_per_hour(above(2.0, 0.5), HALF_LIFE_MS, 1_000), rel=0.5
    )
    nothing = Clause(metric="spread_z", comparison=Comparison.IS, word="x")
    assert excursions_per_hour(nothing, HALF_LIFE_MS, 1_000) == 0.0


def test_half_the_half_life_is_twice_as_many() -> None:
    clause = outside(-2.0, 2.0, -0.5, 0.5)
    assert excursions_per_hour(clause, 300_000.0, 10_000) == pytest.approx(
        2.0 * excursions_per_hour(clause, 600_000.0, 20_000)
    )
