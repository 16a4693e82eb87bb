from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.hurst import _WALKS, _fluctuation, hurst
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason
from pairscope.base.model import FloatArray


def fractional_path(seed: int, exponent: float, count: int) -> FloatArray:
    """Fractional Brownian motion, by the circulant embedding of its increments' covariance."""
    lag = np.arange(count + 1.0)
    covariance = 0.5 * ((lag + 1) ** (2 * exponent) - 2 * lag ** (2 * exponent) + abs(lag - 1) ** (2 * exponent))
    circle = np.concatenate([covariance, covariance[-2:0:-1]])
    random = np.random.default_rng(seed)
    noise = random.normal(size=len(circle)) + 1j * random.normal(size=len(circle))
    steps = np.fft.fft(np.sqrt(np.fft.fft(circle).real.clip(0) / len(circle)) * noise).real[:count]
    return np.asarray(steps.cumsum(), np.float64)


def test_the_fluctuation_is_the_mean_square_around_lines() -> None:
    path = np.random.default_rng(1).normal(size=103).cumsum()
    for length in (8, 10, 25):
        starts = [*range(0, 103 - length + 1, length)]
        starts += [103 - length - start for start in starts]
        squares = [
            (box - np.polynomial.Polynomial.fit(np.arange(length), box, 1)(np.arange(length))) ** 2
            for box in (path[start : start + length] for start in starts)
        ]
        assert _fluctuation(path, length) == pytest.approx(np.mean(squares), rel=1e-10)


def test_the_fluctuation_of_walks_is_as_the_formula_has_it() -> None:
    path = np.random.default_rng(2).normal(size=200_000).cumsum()
    for length in (8, 16, 40):
        assert _fluctuation(path, length) == pytest.approx((length**2 - 4) / (15 * length), rel=0.03)


@pytest.mark.parametrize("exponent", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_fractional_motions_have_the_exponent_they_were_made_with(exponent: float) -> None:
    found = [hurst(fractional_path(seed, exponent, 2000)).exponent for seed in range(60)]
    assert np.mean(found) == pytest.approx(exponent, abs=0.03)


def test_short_boxes_do_not_bend_the_exponent_of_walks() -> None:
    walks = np.random.default_rng(3).normal(size=(1000, 400)).cumsum(axis=1)
    assert np.mean([hurst(walk).exponent for walk in walks]) == pytest.approx(0.493, abs=0.006)


@pytest.mark.parametrize("count", [100, 300, 1000])
def test_the_interval_holds_the_exponent_of_walks_as_often_as_promised(count: int) -> None:
    walks = np.random.default_rng(count).normal(size=(1500, count)).cumsum(axis=1)
    held = [found.low <= 0.5 <= found.high for found in map(hurst, walks)]
    assert 0.92 < np.mean(held) < 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("count", "deviation"), _WALKS)
def test_the_deviations_on_walks_are_those_of_the_table(count: int, deviation: float) -> None:
    random = np.random.default_rng(count)
    found = [hurst(random.normal(size=count).cumsum()).exponent for _ in range(3000)]
    assert np.std(found) == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize(("path", "reason"), [
    (np.full(200, 5.0), Reason.CONSTANT),
    (np.arange(99.0), Reason.TOO_FEW),
    (np.empty(0), Reason.TOO_FEW),
    (np.where(np.arange(400) % 50 == 0, np.nan, 1.0), Reason.GAPPY),
])  # fmt: skip
def test_paths_that_say_nothing_are_refused(path: FloatArray, reason: Reason) -> None:
    found = hurst(path)
    assert found.reason == reason
    assert math.isnan(found.exponent)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), power=st.integers(-30, 30), shift=st.floats(-1e3, 1e3))
def test_neither_scale_nor_shift_changes_it(seed: int, power: int, shift: float) -> None:
    path = np.random.default_rng(seed).normal(size=120).cumsum()
    found = hurst(path).exponent
    assert hurst(path * 2.0**power).exponent == pytest.approx(found, rel=1e-12)
    assert hurst(path + shift).exponent == pytest.approx(found, rel=1e-8)
    assert hurst(path[::-1]).exponent == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize(
    "path",
    [
        np.sin(np.arange(400.0) / 200.0),
        np.exp(np.arange(300.0) / 300.0),
        np.arange(500.0) ** 2,
        np.cumsum(np.cumsum(np.random.default_rng(5).normal(size=400))),
        np.where(np.arange(400) % 2 == 0, 1.0, -1.0) * np.linspace(2.0, 1.0, 400),
    ],
)
def test_a_path_without_such_an_exponent_is_refused(path: FloatArray) -> None:
    found = hurst(path)
    assert (found.reason, found.n) == (Reason.OUT_OF_RANGE, len(path))
    assert math.isnan(found.exponent)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_the_exponents_of_walks_are_never_refused() -> None:
    walks = np.random.default_rng(6).normal(size=(500, 100)).cumsum(axis=1)
    assert {hurst(walk).reason for walk in walks} == {None}


def test_a_smooth_spread_has_no_exponent(cases_dir: Path) -> None:
    y, x = (
        np.log(np.loadtxt(cases_dir / "statistics" / f"{name}-1m-2026-11-24.csv", delimiter=",", skiprows=1)[:, 4])
        for name in ("EXPUSDT", "LINEUSDT")
    )
    window = PairWindow(y[-300:], x[-300:], 0, 300, 525_600.0)
    values = [CATALOGUE[each].compute(window) for each in ("hurst", "hurst_low", "hurst_high")]
    assert {value.value for value in values} == {None}
    assert {value.reason for value in values} == {Reason.OUT_OF_RANGE}
