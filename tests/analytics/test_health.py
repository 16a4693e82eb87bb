from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from pairscope.analytics.catalogue import CATALOGUE, PairWindow
from pairscope.analytics.health import Condition, assess, judge
from pairscope.base.model import FloatArray

SOUND = {"p": 0.01, "half": 20.0, "together": 0.7, "moved": 0.5}


@pytest.mark.parametrize(
    ("changed", "condition", "reason"),
    [
        ({"p": 0.1}, Condition.BROKEN, "no cointegration: p = 0.1"),
        ({"p": 0.05}, Condition.WEAKENING, "cointegration is doubtful: p = 0.05"),
        ({"moved": 1.3}, Condition.BROKEN, "the line has moved: CUSUM at 1.3 of its 5 % line"),
        ({"moved": 1.1}, Condition.WEAKENING, "the line has probably moved: CUSUM at 1.1 of its 5 % line"),
        ({"half": None}, Condition.WEAKENING, "the spread may not return: no half-life"),
        ({"half": 80.0}, Condition.WEAKENING, "the spread returns slowly: half-life of 80 bars in a window of 300"),
        ({"together": 0.1}, Condition.WEAKENING, "returns hardly move together: correlation 0.10"),
        ({"p": None}, Condition.UNKNOWN, "cointegration could not be tested"),
        ({"p": math.nan}, Condition.UNKNOWN, "cointegration could not be tested"),
    ],
)
def test_one_fault_gives_its_word_and_its_reason(
    changed: dict[str, float | None], condition: Condition, reason: str
) -> None:
    found = assess(**{**SOUND, **changed}, window=300)
    assert (found.condition, found.reasons) == (condition, (reason,))


def test_nothing_speaks_against_a_sound_pair() -> None:
    found = assess(**SOUND, window=300)
    assert (found.condition, found.reasons) == (Condition.COINTEGRATED, ())
    assert assess(0.01, 20.0, None, None, 300).condition == Condition.COINTEGRATED


def test_the_worst_word_stands_and_all_reasons_are_given() -> None:
    found = assess(0.5, None, 0.1, 1.1, 300)
    assert found.condition == Condition.BROKEN
    assert len(found.reasons) == 4
    assert found.reasons[0] == "no cointegration: p = 0.5"


def test_a_line_that_has_moved_is_broken_even_when_nothing_else_is_known() -> None:
    assert assess(None, None, None, 2.0, 300).condition == Condition.BROKEN


def pair(seed: int, phi: float) -> PairWindow:
    random = np.random.default_rng(seed)
    x = np.cumsum(random.normal(0, 1e-3, 500))
    spread: FloatArray = np.zeros(500)
    for t in range(1, 500):
        spread[t] = phi * spread[t - 1] + random.normal(0, 5e-4)
    return PairWindow(11.0 + x + spread, 11.0 + x, 0, 500, 525_600.0)


def words(phi: float, make: Callable[[int, float], PairWindow] = pair) -> list[str]:
    return [judge(make(seed, phi)).condition.value for seed in range(40)]


def test_sound_pairs_are_mostly_found_sound_and_walks_broken() -> None:
    assert words(0.8).count("cointegrated") >= 32
    assert words(1.0).count("cointegrated") <= 4
    assert words(1.0).count("broken") >= 24


def test_the_metric_is_the_word() -> None:
    window = pair(1, 0.8)
    value = CATALOGUE["health"].compute(window)
    assert (value.value, value.n) == (judge(window).condition.value, 500)
    short = PairWindow(window.y[:20], window.x[:20], 0, 300, 1.0)
    assert CATALOGUE["health"].compute(short).value == "unknown"
