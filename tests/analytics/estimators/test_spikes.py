from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.evidence import closes_to_test
from pairscope.analytics.estimators.spikes import without_spikes
from pairscope.analytics.registry import CATALOGUE
from pairscope.base.model import FloatArray
from tests import paths


def walk(seed: int, count: int = 300) -> FloatArray:
    return np.random.default_rng(seed).normal(size=count).cumsum()


def test_a_spike_is_replaced_by_the_mean_of_its_neighbours() -> None:
    values = walk(1)
    spiked = values.copy()
    spiked[100] -= 178.0
    cleaned, places = without_spikes(spiked)
    assert places.tolist() == [100]
    assert cleaned[100] == 0.5 * (values[99] + values[101])
    assert np.array_equal(np.delete(cleaned, 100), np.delete(values, 100))


@pytest.mark.parametrize("draw", [
    paths.walks(0.7), paths.walks(0.7, steps=3), paths.noisy(paths.walks(0.7), 1.0), paths.noisy(paths.walks(0.7), 3.0)
])  # fmt: skip
def test_windows_without_a_spike_keep_their_bits(draw: paths.Draw) -> None:
    for row in np.concatenate(paths.windows(draw, 300, 500, 901)):
        cleaned, places = without_spikes(row)
        assert len(places) == 0
        assert np.array_equal(cleaned, row)


def test_a_jump_that_stays_is_no_spike() -> None:
    values = walk(2)
    values[100:] += 178.0
    assert len(without_spikes(values)[1]) == 0


def test_a_leap_of_which_half_remains_is_no_spike() -> None:
    values = walk(3)
    values[100] += 178.0
    values[101:] += 120.0
    assert len(without_spikes(values)[1]) == 0


def test_what_leaps_twice_to_the_same_level_has_one_spike_and_then_a_jump() -> None:
    values = np.sin(np.arange(100.0) ** 2)
    values[50] += 100.0
    values[52:] += 100.0
    cleaned, places = without_spikes(values)
    assert places.tolist() == [50]
    assert abs(cleaned[50]) < 2.0


def test_next_to_a_gap_nothing_is_called_a_spike() -> None:
    values = walk(4)
    values[100] += 178.0
    for gap in (99, 101):
        gappy = values.copy()
        gappy[gap] = math.nan
        assert len(without_spikes(gappy)[1]) == 0


def test_a_price_that_seldom_moves_is_measured_by_the_steps_by_which_it_moves() -> None:
    random = np.random.default_rng(5)
    ticks = np.where(random.random(600) < 0.2, random.choice([-1.0, 1.0], 600), 0.0)
    still = ticks.cumsum()
    assert len(without_spikes(still)[1]) == 0
    still[300] += 50.0
    assert without_spikes(still)[1].tolist() == [300]


def test_the_only_move_of_a_price_is_a_spike_when_it_is_taken_back() -> None:
    values = np.full(300, 3.0)
    values[100] = 2.0
    cleaned, places = without_spikes(values)
    assert places.tolist() == [100]
    assert set(cleaned.tolist()) == {3.0}


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 9.0], [math.nan] * 5, [math.inf, 1.0, -math.inf, 2.0, 1e308]])
def test_what_has_no_neighbours_is_left_alone(values: list[float]) -> None:
    cleaned, places = without_spikes(np.array(values))
    assert len(places) == 0
    assert np.array_equal(cleaned, np.array(values), equal_nan=True)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), scale=st.integers(-30, 30), at=st.integers(1, 198), far=st.floats(40, 1e6))
def test_a_spike_is_found_wherever_it_is_and_whatever_the_scale(seed: int, scale: int, at: int, far: float) -> None:
    values = walk(seed, 200)
    values[at] += far
    assert without_spikes(values * 2.0**scale)[1].tolist() == [at]


def test_the_close_before_the_window_tells_whether_its_first_is_a_spike() -> None:
    y, x = walk(6, 301), walk(7, 301)
    y[1] -= 178.0
    longer = closes_to_test(y, x, 300)
    assert longer.y_spikes.tolist() == [0]
    assert len(longer.y) == len(longer.x) == 300
    assert len(closes_to_test(y[1:], x[1:], 300).y_spikes) == 0


def test_spikes_of_both_legs_are_counted_by_a_metric_and_touch_no_other_number() -> None:
    y, x = walk(8), walk(9)
    spiked = y.copy()
    spiked[100] -= 178.0
    window = PairWindow(spiked, x, 0, 300, 1.0)
    assert CATALOGUE["spike_bars"].compute(window).value == 1.0
    x[200] += 178.0
    assert CATALOGUE["spike_bars"].compute(PairWindow(spiked, x, 0, 300, 1.0)).value == 2.0
    line = np.polynomial.Polynomial.fit(x, spiked, 1)
    assert CATALOGUE["spread"].compute(PairWindow(spiked, x, 0, 300, 1.0)).value == pytest.approx(
        spiked[-1] - line(x[-1]), rel=1e-6
    )
