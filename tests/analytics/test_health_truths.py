"""What health must say of pairs whose truth is known: the targets of the rule, on paths it was not chosen on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pairscope.analytics.estimators.conditions import (
    BROKEN,
    COINTEGRATED,
    NOT_SHOWN,
    PER_WINDOW,
    UNRELATED,
    WEAKENING,
    replay,
)
from pairscope.analytics.estimators.readings import READINGS, PairHistory, read_at, step_of
from pairscope.base.model import IntArray
from tests import paths

MINUTE_MS = 60_000
RUN_IN = 2 * PER_WINDOW
SEED = 7309


def verdicts(draw: paths.Draw, window: int, readings: int, *seed: int) -> IntArray:
    """The condition at each reading of a path, each from the last hundred readings, as `judge` replays them."""
    step = step_of(window)
    count = window + step * (readings - 1)
    y, x = draw(np.random.default_rng([SEED, *seed]), count)
    index = np.arange(window - 1, count, step)
    found = read_at(PairHistory(y, x, count - 1, MINUTE_MS), window, index)
    known = found.outcome == 0
    states = np.empty(len(found), np.int64)
    for end in range(1, len(found) + 1):
        rows = slice(max(0, end - READINGS), end)
        states[end - 1] = replay(
            found.p[rows], found.leg[rows], found.correlation[rows], found.shift[rows], known[rows]
        )[0][-1]
    return states


@dataclass(frozen=True)
class Standing:
    """A truth that lasts, and bounds on the shares of readings, and on the changes in a window."""

    name: str
    draw: paths.Draw
    window: int
    broken: float
    cointegrated: float = 0.0  # at least
    not_shown: float = 0.0  # at least
    unrelated: float = 0.0  # at least
    held: float = 1.0  # at most
    changes: float = 1.0


def _sound(lives: float, window: int, steps: float = np.inf) -> paths.Draw:
    return paths.sound(window / lives, steps=steps)


def standing(window: int) -> list[Standing]:
    w = window
    bounce = paths.noisy(_sound(60, w), 0.5)
    return [
        Standing("7 half-lives", _sound(7, w), w, broken=0.01, not_shown=0.95, changes=0.15),
        Standing("30 half-lives", _sound(30, w), w, broken=0.01),
        Standing("60 half-lives", _sound(60, w), w, broken=0.01, cointegrated=0.95, changes=0.15),
        Standing("60 half-lives, t steps", _sound(60, w, 3), w, broken=0.015, cointegrated=0.95, changes=0.15),
        Standing("60 half-lives, noise", bounce, w, broken=0.015, cointegrated=0.95, changes=0.15),
        Standing("100 half-lives", _sound(100, w), w, broken=0.005, cointegrated=0.99, changes=0.15),
        Standing("walks", paths.walks(), w, broken=0.001, held=0.01, changes=0.15),
        Standing("walks of a common factor", paths.walks(0.7), w, broken=0.001, held=0.01, changes=0.15),
        Standing("walks with noise", paths.noisy(paths.walks(0.7), 1.0), w, broken=0.001, held=0.04, changes=0.3),
        Standing("a leg AR 0.5", paths.stationary_leg(0.5), w, broken=0.001, unrelated=0.97, held=0.02, changes=0.15),
        Standing("a leg AR 0.9", paths.stationary_leg(0.9), w, broken=0.001, unrelated=0.97, held=0.02, changes=0.15),
        Standing("a leg AR 0.98", paths.stationary_leg(0.98), w, broken=0.001, unrelated=0.97, held=0.02),
    ]


def ids(case: Standing | Breaking) -> str:
    return f"{case.name}, {case.window} bars"


def assert_stands(case: Standing, draws: int, windows: int) -> None:
    readings = RUN_IN + windows * PER_WINDOW
    rows = [verdicts(case.draw, case.window, readings, case.window, i)[RUN_IN:] for i in range(draws)]
    found = np.array(rows)
    share = {state: (found == state).mean(axis=1) for state in range(6)}
    held = share[COINTEGRATED] + share[WEAKENING]
    changes = (found[:, 1:] != found[:, :-1]).mean(axis=1) * PER_WINDOW

    def at_most(measured: np.ndarray, most: float) -> bool:
        return float(measured.mean()) <= most + tolerance(measured)

    def at_least(measured: np.ndarray, least: float) -> bool:
        return float(measured.mean()) >= least - tolerance(measured)

    assert at_most(share[BROKEN], case.broken), share[BROKEN].mean()
    assert at_most(held, case.held), held.mean()
    assert at_most(changes, case.changes), changes.mean()
    assert at_least(share[COINTEGRATED], case.cointegrated), share[COINTEGRATED].mean()
    assert at_least(share[NOT_SHOWN], case.not_shown), share[NOT_SHOWN].mean()
    assert at_least(share[UNRELATED], case.unrelated), share[UNRELATED].mean()


def tolerance(measured: np.ndarray) -> float:
    """Two standard errors of a mean over paths: readings of one path are not independent, paths are."""
    return float(2.0 * measured.std(ddof=1) / np.sqrt(len(measured)))


@dataclass(frozen=True)
class Breaking:
    """A break after five windows of a sound pair, and the shares of held pairs that must be called out in one."""

    name: str
    kind: paths.Break
    size: float
    lives: float
    window: int
    broken: float
    not_sound: float = 0.0  # no longer `cointegrated`


def breaking(window: int) -> list[Breaking]:
    at_100 = [
        Breaking("the spread becomes a walk", "walk", 1.0, 100, window, 0.95),
        Breaking("y leaves x", "leaves", 1.0, 100, window, 0.95),
        Breaking("a jump of 5 deviations", "jump", 5.0, 100, window, 0.95),
        Breaking("a jump of 3 deviations", "jump", 3.0, 100, window, 0.85),
        Breaking("beta from 1 to 0", "beta", -1.0, 100, window, 0.85),
        Breaking("beta from 1 to 1.5", "beta", 0.5, 100, window, 0.70),
    ]
    at_60 = [Breaking(f"{case.name}, at 60", case.kind, case.size, 60, window, 0.60, 0.85) for case in at_100[:5]]
    return at_100 + at_60


def assert_called_out(case: Breaking, draws: int) -> None:
    window = case.window
    draw = paths.broken(window / case.lives, case.kind, case.size, 5 * window)
    before = 4 * PER_WINDOW + 1  # readings up to the last bar before the break
    seed = (window, int(case.lives), int(abs(case.size) * 10), len(case.kind))
    rows = np.array([verdicts(draw, window, before + PER_WINDOW, *seed, i) for i in range(draws)])
    rows = rows[np.isin(rows[:, before - 1], (COINTEGRATED, WEAKENING))]
    assert len(rows) > 0.9 * draws
    broken = float((rows[:, before:] == BROKEN).any(axis=1).mean())
    not_sound = float((rows[:, before:] != COINTEGRATED).any(axis=1).mean())
    assert broken >= case.broken - paths.two_errors(case.broken, len(rows)), broken
    assert not_sound >= case.not_sound - paths.two_errors(case.not_sound, len(rows)), not_sound


@pytest.mark.parametrize("case", [case for case in standing(300) if case.name in {
    "7 half-lives", "60 half-lives", "walks of a common factor", "a leg AR 0.9"
}], ids=ids)  # fmt: skip
def test_health_stands_on_what_stands(case: Standing) -> None:
    assert_stands(case, 30, 4)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*standing(300), *standing(1000)], ids=ids)
def test_health_stands_on_what_stands_by_200_paths(case: Standing) -> None:
    assert_stands(case, 200, 13)


@pytest.mark.parametrize("case", breaking(300)[:5:2], ids=ids)
def test_a_break_is_called_out_within_a_window(case: Breaking) -> None:
    assert_called_out(case, 60)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*breaking(300), *breaking(1000)], ids=ids)
def test_a_break_is_called_out_within_a_window_by_300_paths(case: Breaking) -> None:
    assert_called_out(case, 300)
