"""Spreads that are made up: they are what they are said to be, and what a rule hears of them is counted right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from pairscope.alerts import simulated
from pairscope.alerts.rule import AlertRule, Clause, Comparison
from pairscope.alerts.simulated import Hearing, MadeUpSpread, Stretch, Trial, excursions, heard, make_up, returning
from pairscope.base.model import FloatArray
from pairscope.live.workers import Abandoned

OUTSIDE = Clause(metric="spread_z", comparison=Comparison.OUTSIDE, low=-2.0, high=2.0, reset_low=-0.5, reset_high=0.5)
ABOVE = Clause(metric="spread_z", comparison=Comparison.ABOVE, high=2.0, reset_high=0.5)
BELOW = Clause(metric="spread_z", comparison=Comparison.BELOW, low=-3.0, reset_low=-0.5)


def rule(**given: Any) -> AlertRule:
    usual: dict[str, Any] = {"name": "", "scope": "pair", "first": OUTSIDE, "interval": "10s", "window": 360}
    return AlertRule(**(usual | given))


def test_a_path_is_that_of_the_recursion() -> None:
    pushes = np.random.default_rng(1).standard_normal(50_001)
    for half_life in (0.3, 5.0, 300.0, 7_000.0):
        expected = lfilter([1.0], [1.0, -(2.0 ** (-1.0 / half_life))], pushes)
        np.testing.assert_allclose(returning(pushes, half_life), expected, rtol=0, atol=1e-9 * math.sqrt(half_life))


@pytest.mark.parametrize(
    ("half_life_ms", "bar_ms", "steps"), [(300_000, 10_000, 10), (300_000, 1_000, 1), (5e5, 1_000, 1)]
)
def test_a_spread_has_deviation_1_and_its_half_life(half_life_ms: float, bar_ms: int, steps: int) -> None:
    made = make_up(3, half_life_ms, bar_ms, 1_000_000 // steps)
    assert made.steps == steps
    z, half_life = made.true_z, round(half_life_ms / bar_ms * steps)
    assert float(np.std(z)) == pytest.approx(1.0, abs=0.06)
    assert float(np.mean(z[half_life:] * z[:-half_life])) == pytest.approx(0.5, abs=0.06)
    np.testing.assert_allclose(made.y - made.x, z[steps - 1 :: steps], atol=1e-9)


def path(*values: float) -> FloatArray:
    return np.array(values)


def test_excursions_are_those_of_the_side_that_a_rule_looks_at_and_as_far_out_as_its_threshold() -> None:
    z = path(0, 2.6, 0.4, -2.6, -3.1, -0.6, -0.4, 3.5, 2.0)
    assert excursions(z, rule()) == [Stretch(1, 2), Stretch(3, 6)]
    assert excursions(z, rule(first=ABOVE)) == [Stretch(1, 2)]
    assert excursions(z, rule(first=BELOW)) == [Stretch(4, 6)]


def steps_up(*values: float) -> MadeUpSpread:
    """Of one step a bar."""
    return MadeUpSpread(path(*values), 1, path(*values), path(*values))


def test_what_is_firing_at_any_moment_of_an_excursion_catches_it() -> None:
    true = steps_up(0, 2.6, 2.0, 0.4, 0, 2.6, 2.0, 0.4, 0, 0, 2.6, 2.0, 0.4, 0)
    seen = path(0, 0, 2.1, 0.4, 0, 0, 0, 0.4, 2.1, 2.1, 1.9, 0.4, 0, 0)
    one = rule(cooldown_ms=0)
    assert heard(one, true, seen) == Hearing(hours=14 / 360, fires=2, excursions=3, caught=2)
    late = path(0, 0, 0, 0, 2.1, 0.4, 0, 0, 2.1, 2.1, 0.4, 0, 2.1, 0)  # when one is over, and up to where one begins
    assert heard(one, true, late) == Hearing(hours=14 / 360, fires=3, excursions=3, caught=0)
    assert heard(rule(cooldown_ms=0, hold_ms=20_000), true, seen).fires == 0
    assert heard(one, true, np.full(14, np.nan)) == Hearing(hours=0.0, fires=0, excursions=0, caught=0)


def test_of_an_open_end_what_is_firing_still_counts() -> None:
    true = steps_up(0, 0, 2.6, 2.6, 0.4)
    assert heard(rule(), true, path(np.nan, 0, 0, 2.1, 2.1)).caught == 1


def test_a_rule_that_comes_back_within_its_time_to_be_over_is_firing_again() -> None:
    true = steps_up(2.6, 0.4, 0, 2.6, 0.4, 0, 0)
    seen = path(2.1, 0.4, 0.4, 2.1, 0.4, 0.4, 0.4)
    assert heard(rule(keep_ms=30_000), true, seen) == Hearing(hours=7 / 360, fires=1, excursions=2, caught=2)


def test_a_rule_that_never_stops_firing_is_tried_for_less_long(monkeypatch: pytest.MonkeyPatch) -> None:
    textbook = rule(first=OUTSIDE, interval="1s", window=20, cooldown_ms=0)
    trial = Trial(300_000.0, half_lives=300)
    whole = trial.heard(textbook)
    monkeypatch.setattr(simulated, "MOST_FIRES", 200)
    part = trial.heard(textbook)
    assert (part.fires, whole.fires > 1_000) == (200, True)
    assert part.fires_an_hour == pytest.approx(whole.fires_an_hour, rel=0.2)
    assert part.excursions < whole.excursions


def test_the_same_trial_says_the_same() -> None:
    trial = Trial(300_000.0, half_lives=200)
    assert trial.heard(rule()) == trial.heard(rule())
    assert trial.heard(rule()) != Trial(300_000.0, seed=12, half_lives=200).heard(rule())


def test_other_lines_are_tried_as_they_are_and_hubers_as_least_squares() -> None:
    trial = Trial(300_000.0, half_lives=200)
    by = {
        method: trial.heard(
            rule(first=Clause(metric=f"spread_z:method={method}", comparison=Comparison.ABOVE, high=2.0))
        )
        for method in ("ols", "huber", "kalman")
    }
    assert by["huber"] == by["ols"] != by["kalman"]


def test_a_trial_that_nobody_waits_for_any_more_ends() -> None:
    def check() -> None:
        raise Abandoned

    with pytest.raises(Abandoned):
        Trial(300_000.0).heard(rule(), check)
