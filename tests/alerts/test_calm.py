"""The first preset is calm and hears: few fires an hour, and most excursions of a spread whose truth is known.

A spread returns with a half-life of 300 s. The rule sees closes of its bars alone: of the spread itself, or of two legs
through which each window lays its own line.
"""

from __future__ import annotations

import pytest

from pairscope.alerts.presets import STRETCHED
from pairscope.alerts.simulated import Hearing, Trial, heard, make_up
from pairscope.analytics.kernels.rolling import rolling_moments
from tests.alerts.test_reading import rule_of

RULE = rule_of(STRETCHED)
HALF_LIFE_MS, HOUR_MS = 300_000, 3_600_000


def calm(seed: int, hours: int, is_fitted: bool) -> Hearing:
    if is_fitted:
        return Trial(HALF_LIFE_MS, seed, hours * HOUR_MS // HALF_LIFE_MS).heard(RULE)
    made = make_up(seed, HALF_LIFE_MS, RULE.bars.ms, hours * HOUR_MS // RULE.bars.ms)
    return heard(RULE, made, rolling_moments(made.y - made.x, RULE.window, 0).z)


@pytest.mark.parametrize("is_fitted", [False, True])
def test_the_first_preset_is_calm_and_hears(is_fitted: bool) -> None:
    found = calm(7, 150, is_fitted)
    assert found.fires_an_hour <= 2.5
    assert found.caught >= 0.85 * found.excursions > 0


@pytest.mark.slow
@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_it_is_so_in_400_hours_of_each_of_five_seeds(seed: int, is_fitted: bool) -> None:
    found = calm(seed, 400, is_fitted)
    assert found.hours > 390
    assert found.fires_an_hour <= 2.5
    assert found.caught >= 0.85 * found.excursions > 0


def test_the_textbook_rule_is_not_calm() -> None:
    """Two deviations of 20 bars of a second, and over when it is below them."""
    textbook = {"metric": "spread_z", "condition": "outside", "threshold": 2, "reset": 2, "cooldown": 0, "window": 20}
    assert Trial(HALF_LIFE_MS, half_lives=100).heard(rule_of(textbook)).fires_an_hour > 150.0
