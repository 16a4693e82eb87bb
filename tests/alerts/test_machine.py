"""The state machine of alerts: fires once when held, is over past the reset level, and is silent on the unknown."""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import pytest

from pairscope.alerts import machine
from pairscope.alerts.machine import Change, Level, Life, Patience, Reading, Stage, Veil, step, supersede
from tests.alerts.model import Model

CLEAR, NONE, BETWEEN, BREACH = Level
HELD = Patience(hold_ms=2_000, keep_ms=2_000, cooldown_ms=10_000, no_data_after_ms=5_000)
AT_ONCE = Patience()


def lived(levels: Sequence[Level], patience: Patience, first_s: int = 1) -> tuple[Life, list[tuple[int, str]]]:
    """One reading a second: how it ends, and what changed in which second."""
    life, told = Life(seen_ms=0), []
    for second, level in enumerate(levels, start=first_s):
        life, changes = step(life, Reading(1_000 * second, level), patience)
        told += [(second, each.value) for each in changes]
    return life, told


def test_a_condition_that_holds_fires_once_and_is_over_past_its_reset_level() -> None:
    levels = [CLEAR, BREACH, BREACH, BREACH, BREACH, BETWEEN, BREACH, BETWEEN, CLEAR, CLEAR, CLEAR, CLEAR]
    life, told = lived(levels, HELD)
    assert told == [(2, "pending"), (4, "fired"), (9, "recovering"), (11, "resolved")]
    assert life == Life(seen_ms=12_000, fired_ms=4_000)


def test_one_that_does_not_hold_is_dropped() -> None:
    assert lived([BREACH, BREACH, BETWEEN, BREACH], HELD)[1] == [(1, "pending"), (3, "dropped"), (4, "pending")]


def test_without_patience_it_fires_and_is_over_at_once() -> None:
    assert lived([BREACH, BREACH, BETWEEN, CLEAR, BREACH], AT_ONCE)[1] == [(1, "fired"), (4, "resolved"), (5, "fired")]


def test_what_breaks_out_again_while_it_recovers_is_the_same_episode() -> None:
    told = lived([BREACH] * 3 + [CLEAR, CLEAR, BETWEEN, CLEAR, CLEAR, CLEAR], HELD)[1]
    assert told[1:] == [(3, "fired"), (4, "recovering"), (6, "returned"), (7, "recovering"), (9, "resolved")]


def test_the_cooldown_counts_from_the_fire_and_what_still_holds_then_fires() -> None:
    patience = Patience(cooldown_ms=5_000)
    told = lived([BREACH, CLEAR, BREACH, BREACH, BREACH, BREACH, BREACH], patience)[1]
    assert told == [(1, "fired"), (2, "resolved"), (3, "pending"), (6, "fired")]


def test_a_gap_does_not_count_as_held() -> None:
    life, _ = step(Life(seen_ms=0), Reading(1_000, BREACH), HELD)
    life, changes = step(life, Reading(61_000, BREACH), HELD)
    assert (life.stage, life.held_ms, changes) == (Stage.PENDING, 0, ())
    assert lived([BREACH, BREACH, NONE, NONE, BREACH, BREACH], HELD)[1] == [(1, "pending"), (6, "fired")]


def test_no_data_is_told_in_its_own_name_and_neither_fires_nor_ends_anything() -> None:
    levels = [BREACH] * 3 + [NONE] * 7 + [BREACH, CLEAR, CLEAR, CLEAR]
    told = lived(levels, HELD)[1]
    assert told[2:] == [(8, "no_data"), (11, "data_back"), (12, "recovering"), (14, "resolved")]
    veiled, told = lived([BREACH] * 3 + [NONE] * 7, HELD)
    assert (veiled.stage, veiled.veil) == (Stage.FIRING, Veil.NO_DATA)
    assert lived([CLEAR] + [NONE] * 3 + [CLEAR], HELD)[1] == []  # it came back in time


def test_an_error_is_told_as_one() -> None:
    life, changes = step(Life(seen_ms=0), Reading(9_000, NONE, is_error=True), HELD)
    assert (life.veil, changes) == (Veil.ERROR, (Change.ERROR,))
    assert step(life, Reading(10_000, NONE), HELD) == (life, ())  # once, whatever the reason is later


def test_a_time_that_was_seen_changes_nothing() -> None:
    life, _ = step(Life(seen_ms=0), Reading(5_000, BREACH), HELD)
    for at_ms in (5_000, 4_000, -1):
        assert step(life, Reading(at_ms, CLEAR), HELD) == (life, ())


def test_what_has_to_cross_does_not_enter_by_standing_there() -> None:
    life, changes = step(Life(seen_ms=0), Reading(1_000, BREACH, enters=False), AT_ONCE)
    assert (life.stage, changes) == (Stage.INACTIVE, ())
    life, _ = step(Life(seen_ms=0), Reading(1_000, BREACH), HELD)
    _, changes = step(life, Reading(2_000, BREACH, enters=False), Patience(hold_ms=1_000))
    assert changes == (Change.FIRED,)  # it has crossed, and stays


def test_another_condition_ends_an_episode_without_saying_that_it_came_back() -> None:
    firing, _ = lived([BREACH] * 3, HELD)
    assert supersede(firing) == (Life(seen_ms=3_000, fired_ms=3_000), (Change.SUPERSEDED,))
    pending, _ = lived([BREACH], HELD)
    assert supersede(pending) == (Life(seen_ms=1_000), ())


def test_the_machine_knows_nothing_but_its_records() -> None:
    tree = ast.parse(Path(machine.__file__).read_text(encoding="utf-8"))
    named = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    named |= {name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names}
    assert named == {"__future__", "dataclasses", "enum"}


# --- against a second machine, written another way ----------------------------------------------------


def level_of(value: float, model: Model) -> Level:
    return BREACH if value > model.high else CLEAR if value <= model.low else BETWEEN


def interleave(seed: int) -> int:
    """A random life of a rule; both machines must tell the same after each event. How many changes there were."""
    chance = random.Random(seed)
    times = [0, 1_000, 2_000, 5_000, 30_000]
    low, (hold_ms, keep_ms, cooldown_ms) = chance.choice([0.5, 1.5, 2.0]), chance.choices(times, k=3)
    model = Model(2.0, low, hold_ms, keep_ms, cooldown_ms, 4_000, 1_000)
    patience = Patience(model.hold_ms, model.keep_ms, model.cooldown_ms, model.silence_ms, model.step_ms)
    life, clock_ms, value, count = Life(seen_ms=0), 0, 0.0, 0
    for _ in range(120):
        clock_ms += chance.choice([1_000] * 12 + [0, 500, 3_000, 60_000])
        at_ms = clock_ms - chance.choice([0] * 20 + [2_000, 90_000])  # a clock that jumps
        value = 0.8 * value + chance.gauss(0.0, 1.4)
        event = chance.random()
        if event < 0.82:
            told = model.value(at_ms, value)
            life, changes = step(life, Reading(at_ms, level_of(value, model)), patience)
        elif event < 0.93:
            why = chance.choice(["no_data", "error"])
            told = model.nothing(at_ms, why)
            life, changes = step(life, Reading(at_ms, NONE, is_error=why == "error"), patience)
        elif event < 0.96:
            told, (life, changes) = model.another_condition(), supersede(life)
        else:
            told, changes, life = [], (), Life(*astuple(life))  # a restart: only what is kept goes on
        assert [each.value for each in changes] == told, (seed, at_ms)
        assert life.stage == model.stage, (seed, at_ms)
        count += len(changes)
    return count


def test_random_lives_are_those_of_a_second_machine() -> None:
    assert sum(interleave(seed) for seed in range(500)) > 5_000


@pytest.mark.slow
def test_ten_thousand_random_lives_are_those_of_a_second_machine() -> None:
    assert sum(interleave(seed) for seed in range(1_000, 11_000)) > 100_000
