"""The search for the noise of the walking line, beside other searches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from pairscope.analytics.estimators.kalman import log_likelihood
from pairscope.analytics.estimators.kalman_noise import (
    DRIFT_HIGH,
    DRIFT_LOW,
    LANES,
    PHI_BOUND,
    _mirrored,
    _top_of,
    fit_noise,
    likelihoods,
)
from pairscope.base.model import FloatArray
from tests.analytics.estimators.test_kalman import cointegrated

Series = tuple[FloatArray, FloatArray]


def scaled(y: FloatArray, x: FloatArray) -> Series:
    q = (x - x.mean()) / x.std()
    p = y - np.polyval(np.polyfit(q, y, 1), q)
    return p / p.std(), q


def level_at(p: FloatArray, q: FloatArray, point: FloatArray) -> float:
    return level(p, q, float(point[0]), float(point[1]))


def level(p: FloatArray, q: FloatArray, a: float, b: float) -> float:
    a, b = min(PHI_BOUND, max(-PHI_BOUND, a)), min(DRIFT_HIGH, max(DRIFT_LOW, b))
    return float(log_likelihood(p, q, math.tanh(a), math.exp(b), True)[0])


@pytest.mark.parametrize(("phi", "drift"), [(0.97, 0.0), (0.9, 1e-4), (0.3, 5e-4)])
def test_no_other_search_finds_a_likelier_noise(phi: float, drift: float) -> None:
    y, x, _ = cointegrated(seed=3, count=500, phi=phi, drift=drift)
    p, q = scaled(y, x)
    starts = [(a, b) for a in (0.2, 1.5, 2.5) for b in (-14.0, -8.0, -2.0)]
    best = min(minimize(lambda point: -level(p, q, *point), start, method="Nelder-Mead").fun for start in starts)
    assert log_likelihood(p, q, *fit_noise(p, q, True), True)[0] >= -best - 1e-5


def test_it_is_never_less_likely_than_where_the_search_of_0_1_0_stopped() -> None:
    for seed, (count, phi, drift) in enumerate(
        itertools.product((56, 259, 875), (-0.6, 0.5, 0.97, 0.999), (0.0, 1e-4, 5e-4))
    ):
        p, q = scaled(*cointegrated(seed, count, phi, drift)[:2])
        if seed % 3 == 0:
            p[np.random.default_rng(seed).random(count) < 0.1] = np.nan
        before = level(p, q, *simplex_search(partial(level_at, p, q)))
        found = log_likelihood(p, q, *fit_noise(p, q, True), True)[0]
        assert found >= before - 2e-9 * abs(before), seed  # it stopped at 1e-9


def simplex_search(of: Callable[[FloatArray], float]) -> FloatArray:
    """The highest point of a plane, by the textbook's simplex from the best point of a grid."""
    grid = [np.array([a, b]) for a in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0) for b in (-16.0, -11.0, -7.0, -3.0)]
    start = max(grid, key=of)
    corners: list[FloatArray] = [start, start + np.array([0.3, 0.0]), start + np.array([0.0, 1.5])]
    while True:
        corners.sort(key=of, reverse=True)
        best, middle, worst = map(of, corners)
        if best - worst <= 1e-9 * abs(best):
            return corners[0]
        centre = (corners[0] + corners[1]) / 2
        reflected = centre + (centre - corners[2])
        if of(reflected) > best:
            expanded = centre + 2 * (centre - corners[2])
            corners[2] = max(expanded, reflected, key=of)
        elif of(reflected) > middle:
            corners[2] = reflected
        else:
            contracted = centre + (0.5 if of(reflected) > worst else -0.5) * (centre - corners[2])
            if of(contracted) > max(of(reflected), worst):
                corners[2] = contracted
            else:
                corners[1:] = [(corner + corners[0]) / 2 for corner in corners[1:]]


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 40), missing=st.sampled_from([0.0, 0.3]))
def test_a_lane_is_the_single_likelihood_and_knows_nothing_of_its_neighbours(
    seed: int, count: int, missing: float
) -> None:
    random = np.random.default_rng(seed)
    p, q = random.normal(size=(2, count)).cumsum(axis=1)
    p[random.random(count) < missing] = np.nan
    phi, drift = np.tanh(random.uniform(-4.5, 4.5, LANES)), np.exp(random.uniform(-16, 2, LANES))
    found, turned = np.empty(LANES), np.empty(LANES)
    likelihoods(p, q, phi, drift, True, found)
    single = [log_likelihood(p, q, one, other, True)[0] for one, other in zip(phi, drift, strict=True)]
    assert found == pytest.approx(single, rel=1e-10, abs=1e-10)
    likelihoods(p, q, phi[::-1].copy(), drift[::-1].copy(), True, turned)
    assert turned[::-1].tolist() == found.tolist()


@given(
    top=st.tuples(st.floats(-2.5, 2.5), st.floats(-2.5, 2.5)),
    curves=st.tuples(st.floats(0.1, 10.0), st.floats(0.1, 10.0), st.floats(-0.9, 0.9)),
)
def test_the_top_of_a_parabola_is_found_from_the_square(
    top: tuple[float, float], curves: tuple[float, float, float]
) -> None:
    aa, bb, turn = curves
    ab = turn * math.sqrt(aa * bb)

    def height(a: float, b: float) -> float:
        a, b = a - top[0], b - top[1]
        return 7.0 - 0.5 * (aa * a * a + bb * b * b + 2.0 * ab * a * b)

    square = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    found = np.array([height(*point) for point in square] + [-100.0] * (LANES - 9))
    parabola = np.empty(5)
    assert _top_of(found, int(found.argmax()), 1e-9, parabola)
    assert parabola == pytest.approx([*top, 7.0 - found[0], -aa, -bb], rel=1e-6, abs=1e-6)
    assert not _top_of(-found, 0, 1e-9, parabola)  # a bowl has none


@given(st.floats(-40.0, 40.0))
def test_a_point_beyond_a_bound_is_thrown_back(value: float) -> None:
    thrown = _mirrored(value, -16.0, 2.0)
    assert -16.0 <= thrown <= 2.0
    if -16.0 <= value <= 2.0:
        assert thrown == pytest.approx(value, abs=1e-12)
    elif value > 2.0:
        assert thrown == pytest.approx(max(-16.0, 4.0 - value))


def test_too_few_or_constant_observations_still_give_parameters_within_the_bounds() -> None:
    for p in (np.zeros(0), np.zeros(2), np.zeros(50), np.full(50, np.nan)):
        phi, drift = fit_noise(p, np.arange(float(len(p))), True)
        assert abs(phi) < 1.0
        assert math.exp(DRIFT_LOW) <= drift <= math.exp(DRIFT_HIGH)
