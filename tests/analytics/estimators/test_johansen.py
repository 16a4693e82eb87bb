from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from pairscope.analytics.estimators.johansen import johansen, squared_correlations
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray
from tests.fifty_digits import DIGITS, around_mean, exact


def legs_of(seed: int, legs: int, count: int, reverting: int = 0, offset: float = 0.0) -> FloatArray:
    """Walks, the last ones of which are sums of the others and noise."""
    random = np.random.default_rng(seed)
    series = random.normal(size=(legs, count)).cumsum(axis=1)
    for leg in range(legs - reverting, legs):
        series[leg] = series[: legs - reverting].sum(axis=0) + random.normal(size=count)
    return np.asarray(series + offset)


@pytest.mark.parametrize(("legs", "count", "lags"), [(2, 50, 1), (2, 300, 1), (3, 300, 2), (5, 1000, 1), (12, 400, 1)])
@pytest.mark.parametrize("reverting", [0, 1])
def test_tests_equal_statsmodels(legs: int, count: int, lags: int, reverting: int) -> None:
    series = legs_of(legs + count, legs, count, reverting, offset=4.0)
    found, expected = johansen(series, lags=lags), coint_johansen(series.T, 0, lags)
    np.testing.assert_allclose(found.trace, expected.trace_stat, rtol=1e-8)
    np.testing.assert_allclose(found.max_eigen, expected.max_eig_stat, rtol=1e-8)
    np.testing.assert_allclose(found.eigenvalues, expected.eig, rtol=1e-8)
    np.testing.assert_array_equal(found.trace_critical, expected.trace_stat_crit_vals)
    np.testing.assert_array_equal(found.max_eigen_critical, expected.max_eig_stat_crit_vals)


@pytest.mark.data
def test_eigenvalues_equal_the_published_ones_of_danish_money_demand(data_dir: Path) -> None:
    expected = published(data_dir, "johansen_denmark")
    rows = np.genfromtxt(data_dir / "reference" / "denmark.csv", delimiter=",", names=True, dtype=None, encoding=None)
    levels = np.array([rows[name] for name in ("LRM", "LRY", "IBO", "IDE")], np.float64)
    step = np.diff(levels, axis=1)
    constant = np.ones((1, step.shape[1] - 1))
    found = squared_correlations(
        step[:, 1:], np.concatenate([levels[:, 1:-1], constant]), np.concatenate([step[:, :-1], seasons(levels)])
    )
    max_eigen = -step[:, 1:].shape[1] * np.log1p(-found)
    np.testing.assert_allclose(found, expected["eig"], atol=5e-9)
    np.testing.assert_allclose(max_eigen, expected["maxeig"], atol=5e-9)
    np.testing.assert_allclose(np.cumsum(max_eigen[::-1])[::-1], [49.14, 19.06, 8.69, 2.35], atol=0.006)


@pytest.mark.data
def test_eigenvalues_equal_those_of_british_purchasing_power(data_dir: Path) -> None:
    expected = published(data_dir, "johansen_UKpppuip")
    rows = np.genfromtxt(data_dir / "reference" / "UKpppuip.csv", delimiter=",", names=True)
    levels = np.array([rows[name] for name in ("p1", "p2", "e12", "i1", "i2")])
    oil = np.array([rows[name] for name in ("doilp0", "doilp1")])[:, 2:]
    step = np.diff(levels, axis=1)
    constant = np.ones((1, step.shape[1] - 1))
    found = squared_correlations(
        step[:, 1:], levels[:, 1:-1].copy(), np.concatenate([constant, step[:, :-1], seasons(levels), oil])
    )
    np.testing.assert_allclose(found, expected["eig"], atol=5e-9)


@pytest.mark.parametrize("offset", [0.0, 1e5, 1e9])
@pytest.mark.parametrize("size", [1.0, 1e-4])
def test_tests_equal_fifty_digit_arithmetic_far_from_zero_and_nearly_collinear(offset: float, size: float) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=60).cumsum()
    series = np.array([x + size * random.normal(size=60), x]) + offset
    with mpmath.workdps(DIGITS):
        expected = trace_exactly(series)
    assert johansen(series).trace[0] == pytest.approx(float(expected), rel=1e-8)


WALKS = legs_of(3, 2, 100)


@pytest.mark.parametrize(("series", "reason"), [
    (np.array([WALKS[0], np.full(100, 2.0)]), Reason.CONSTANT),
    (np.array([WALKS[0], 3 * WALKS[0] + 1]), Reason.COLLINEAR),
    (np.array([WALKS[0], WALKS[1], WALKS[0] - WALKS[1]]), Reason.COLLINEAR),
    (WALKS[:, :20], Reason.TOO_FEW),
    (np.empty((2, 0)), Reason.TOO_FEW),
    (np.where(np.arange(100) % 4 == 0, np.nan, WALKS), Reason.GAPPY),
    (np.array([0.9 ** np.arange(60.0), 0.8 ** np.arange(60.0)]), Reason.EXACT_FIT),
])  # fmt: skip
def test_legs_that_cannot_be_tested_say_why(series: FloatArray, reason: Reason) -> None:
    found = johansen(series, lags=0 if reason == Reason.EXACT_FIT else 1)
    assert (found.reason, len(found.trace), found.rank) == (reason, 0, 0)


def test_the_longest_stretch_where_all_are_present_is_tested() -> None:
    series = legs_of(4, 3, 200)
    gappy = series.copy()
    gappy[0, 20], gappy[2, 180] = np.nan, np.inf
    np.testing.assert_array_equal(johansen(gappy).trace, johansen(series[:, 21:180]).trace)


@pytest.mark.parametrize(("legs", "lags"), [(1, 1), (13, 1), (2, -1)])
def test_other_numbers_of_legs_or_lags_are_refused(legs: int, lags: int) -> None:
    with pytest.raises(RequestError, match="give 2 to 12 series"):
        johansen(np.zeros((legs, 100)), lags=lags)


def test_the_rank_counts_the_combinations_that_revert() -> None:
    ranks = [[johansen(legs_of(seed, 3, 300, reverting)).rank for seed in range(100)] for reverting in range(3)]
    assert [float(np.median(found)) for found in ranks] == [0.0, 1.0, 2.0]
    assert np.mean(np.array(ranks[0]) > 0) < 0.12
    stationary = np.random.default_rng(1).normal(size=(2, 300))
    assert johansen(stationary).rank == 2


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), power=st.integers(-20, 20), shift=st.floats(-12, 12))
def test_neither_scale_nor_shift_nor_order_changes_the_test(seed: int, power: int, shift: float) -> None:
    series = legs_of(seed, 2, 80)
    expected = pytest.approx(johansen(series).trace, rel=1e-9)
    assert johansen(series * [[2.0**power], [1.0]] + shift).trace == expected
    assert johansen(series[::-1]).trace == expected


def published(data_dir: Path, name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((data_dir / "reference" / "published_numbers.json").read_text())[name]
    return values["recomputed"]  # type: ignore[no-any-return]


def seasons(levels: FloatArray) -> FloatArray:
    """Centred seasonal dummies of quarters, for the rows that two lags leave."""
    quarter = np.arange(levels.shape[1]) % 4
    return np.array([(quarter == season) - 0.25 for season in (1, 2, 3)])[:, 2:]


def trace_exactly(series: FloatArray) -> Any:
    """-T ln det(1 - S_ll^-1 S_ls S_ss^-1 S_sl), with one lagged step and a constant."""
    levels = [exact(leg) for leg in series]
    step = [[after - before for before, after in pairwise(leg)] for leg in levels]
    others = [around_mean(leg[:-1]) for leg in step]
    steps = [around_mean(leg[1:]) for leg in step]
    before = [around_mean(leg[1:-1]) for leg in levels]
    inside = products(others, others) ** -1

    def freed(a: list[Any], b: list[Any]) -> Any:
        return products(a, b) - products(a, others) * inside * products(others, b)

    explained = freed(before, before) ** -1 * freed(before, steps) * freed(steps, steps) ** -1 * freed(steps, before)
    return -len(steps[0]) * mpmath.log(mpmath.det(mpmath.eye(len(series)) - explained))


def products(a: list[Any], b: list[Any]) -> Any:
    return mpmath.matrix([[mpmath.fdot(i, j) for j in b] for i in a])
