"""The likelihood of GARCH and its derivatives against fifty digits, and what a climb may end at."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.analytics.estimators.garch_search import (
    LEAST_OMEGA,
    LEAST_TOTAL,
    MOST_OMEGA,
    _step_in_box,
    climb,
    derivatives,
    log_likelihood,
)
from pairscope.base.model import FloatArray
from tests.analytics.estimators.test_garch import relative_squares, simulated
from tests.fifty_digits import DIGITS, exact


def exactly(squares: FloatArray, at: list[Any]) -> Any:
    omega, alpha, beta = at
    variance, total = omega + alpha + beta, mpmath.mpf(0)
    for square in exact(squares):
        total += mpmath.log(2 * mpmath.pi) + mpmath.log(variance) + square / variance
        variance = omega + alpha * square + beta * variance
    return -total / 2


@pytest.mark.parametrize(
    "at", [(0.05, 0.1, 0.85), (0.7, 0.2, 0.1), (1e-6, 0.02, 0.98), (0.4, 0.0, 0.5), (2.0, 0.9, 0.0)]
)
def test_likelihood_gradient_and_hessian_equal_fifty_digit_arithmetic(at: tuple[float, float, float]) -> None:
    squares = relative_squares(simulated(5, 40))
    slope, hessian, information = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    level, last, following = derivatives(squares, *at, slope, hessian, information)
    with mpmath.workdps(DIGITS):
        expected = exactly(squares, [mpmath.mpf(value) for value in at])

        def moved(*steps: Any) -> Any:
            return exactly(squares, [mpmath.mpf(value) + step for value, step in zip(at, steps, strict=True)])

        for i in range(3):
            once = tuple(int(k == i) for k in range(3))
            assert slope[i] == pytest.approx(float(mpmath.diff(moved, (0, 0, 0), once)), rel=1e-10, abs=1e-10)
            for j in range(3):
                twice = tuple(int(k == i) + int(k == j) for k in range(3))
                assert hessian[i, j] == pytest.approx(float(mpmath.diff(moved, (0, 0, 0), twice)), rel=1e-9, abs=1e-8)
    assert level == pytest.approx(float(expected), rel=1e-14)
    assert log_likelihood(squares, *at) == level
    variances = [at[0] + at[1] + at[2]]
    for square in squares:
        variances.append(at[0] + at[1] * square + at[2] * variances[-1])
    assert [last, following] == pytest.approx(variances[-2:], rel=1e-13)


def test_fishers_information_is_what_minus_the_hessian_is_expected_to_be() -> None:
    squares = np.random.default_rng(6).chisquare(1, 400_000)
    at = (0.1, 0.1, 0.8)
    variance = 1.0
    for t in range(len(squares)):
        squares[t] *= variance
        variance = at[0] + at[1] * squares[t] + at[2] * variance
    hessian, information = np.empty((3, 3)), np.empty((3, 3))
    derivatives(squares, *at, np.empty(3), hessian, information)
    assert -hessian == pytest.approx(information, rel=0.05)
    assert information == pytest.approx(information.T, rel=0.0)


@given(
    seed=st.integers(0, 2**32 - 1),
    low=st.tuples(*[st.floats(-2.0, 0.0)] * 3),
    high=st.tuples(*[st.floats(0.0, 2.0)] * 3),
)
def test_a_step_is_the_best_of_the_box(
    seed: int, low: tuple[float, float, float], high: tuple[float, float, float]
) -> None:
    random = np.random.default_rng(seed)
    root = random.normal(size=(3, 3))
    bent, slope = root @ root.T + 0.01 * np.eye(3), random.normal(size=3)
    ends = np.array(low), np.array(high)
    step = np.empty(3)
    assert _step_in_box(bent, slope, np.zeros(3), *ends, step)

    def gain(at: FloatArray) -> float:
        return float(slope @ at - 0.5 * at @ bent @ at)

    assert (step >= ends[0] - 1e-9).all()
    assert (step <= ends[1] + 1e-9).all()
    others = ends[0] + random.random((500, 3)) * (ends[1] - ends[0])
    corners = [np.array(corner) for corner in itertools.product(*zip(low, high, strict=True))]
    assert max(map(gain, [*others, *corners])) <= gain(step) + 1e-9
    near = np.clip(step + random.normal(0, 1e-3, (100, 3)), *ends)
    assert max(map(gain, near)) <= gain(step) + 1e-9


def test_there_is_no_step_to_the_top_of_a_bowl() -> None:
    wide = -np.ones(3), np.ones(3)
    assert not _step_in_box(-np.eye(3), np.ones(3), np.zeros(3), *wide, np.empty(3))


@given(
    seed=st.integers(0, 2**32 - 1), count=st.integers(10, 200), share=st.floats(0.0, 1.0), total=st.floats(0.05, 1.0)
)
def test_a_climb_never_ends_below_its_start_nor_outside_of_the_bounds(
    seed: int, count: int, share: float, total: float
) -> None:
    squares = relative_squares(np.random.default_rng(seed).standard_t(3, count))
    alpha, beta = share * total, (1.0 - share) * total
    found = climb(squares, alpha, beta)
    start = log_likelihood(squares, max(LEAST_OMEGA, 1.0 - total), alpha, beta)
    assert found.log_likelihood >= start - 1e-9 * abs(start)
    assert LEAST_OMEGA <= found.omega <= MOST_OMEGA
    assert found.alpha >= 0.0
    assert found.beta >= 0.0
    assert LEAST_TOTAL - 1e-15 <= found.alpha + found.beta <= 1.0 + 1e-12
    again = log_likelihood(squares, found.omega, found.alpha, found.beta)
    assert found.log_likelihood == pytest.approx(again, rel=1e-11)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_at_a_maximum_no_small_step_leads_up(place: int) -> None:
    for seed in range(20):
        squares = relative_squares(simulated(seed, 600))
        found = climb(squares, 0.05, 0.94)
        if not found.is_definite or found.alpha + found.beta >= 1.0 - 1e-3:
            continue
        at = [found.omega, found.alpha, found.beta]
        for step in (1e-4, -1e-4):
            moved = list(at)
            moved[place] += step * max(0.1, moved[place])
            if min(moved) > 0.0:
                assert log_likelihood(squares, moved[0], moved[1], moved[2]) <= found.log_likelihood + 1e-6
