from __future__ import annotations

import math

import numpy as np
import pytest

from pairscope.analytics.estimators.readings import PairHistory
from pairscope.analytics.estimators.suggestion import LEVEL, MOST_BARS, Rung, Suggestion, rungs, try_rung
from tests import paths

KEPT = [1_000, 60_000, 300_000, 3_600_000]


def first(draw: paths.Draw, seed: int, count: int = 4_801, window: int = 300) -> Suggestion | None:
    y, x = draw(np.random.default_rng([13, seed]), count)
    history = PairHistory(y, x, 10_000, 1_000)
    return next(filter(None, (try_rung(history, rung) for rung in rungs(window, 1_000, KEPT))), None)


def test_rungs_are_2_4_8_and_16_windows_of_the_same_bars_while_5000_are_enough() -> None:
    assert [rung.window for rung in rungs(300, 1_000, KEPT)] == [600, 1_200, 2_400, 4_800]
    assert {rung.bar_ms for rung in rungs(300, 1_000, KEPT)} == {1_000}
    assert rungs(1_440, 60_000, KEPT)[-1] == Rung(300_000, 4_608)


@pytest.mark.parametrize("window", [2, 30, 300, 1_000, 5_000])
@pytest.mark.parametrize("bar_ms", KEPT)
def test_no_rung_is_too_long_or_too_short(window: int, bar_ms: int) -> None:
    for rung in rungs(window, bar_ms, KEPT):
        assert 100 <= rung.window <= MOST_BARS
        assert rung.bar_ms >= bar_ms
        assert rung.bar_ms * rung.window > window * bar_ms


def test_what_is_suggested_passes_there() -> None:
    found = [first(paths.sound(300 / 15), seed) for seed in range(40)]
    assert None not in found
    for one in filter(None, found):
        assert one.p < LEVEL


def test_a_tape_that_is_shorter_supports_nothing() -> None:
    y, x = paths.sound(3.0)(np.random.default_rng(14), 4_801)
    y[: 4_801 - 500] = math.nan
    assert all(try_rung(PairHistory(y, x, 10_000, 1_000), rung) is None for rung in rungs(300, 1_000, KEPT))


def test_a_stationary_leg_is_suggested_nothing() -> None:
    assert sum(first(paths.stationary_leg(0.9), seed) is not None for seed in range(60)) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "least", "most"), [
    (paths.sound(300 / 7), 0.98, 1.0), (paths.sound(300 / 15), 0.98, 1.0), (paths.walks(0.7), 0.0, 0.05)
])  # fmt: skip
def test_true_pairs_are_suggested_a_window_and_walks_none(draw: paths.Draw, least: float, most: float) -> None:
    share = np.mean([first(draw, 1_000 + seed) is not None for seed in range(500)])
    assert least - paths.two_errors(least, 500) <= share <= most + paths.two_errors(most, 500)
