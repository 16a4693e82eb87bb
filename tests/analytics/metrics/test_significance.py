from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.registry import CATALOGUE, pair_metrics
from pairscope.analytics.values import Reason
from pairscope.base.model import FloatArray
from tests.fifty_digits import line_exactly

Walks = Callable[..., tuple[FloatArray, FloatArray]]
NAMES = ["beta_stderr", "beta_t", "beta_p"]


@pytest.mark.parametrize(("count", "missing"), [(3, 0.0), (30, 0.0), (300, 0.1)])
def test_metrics_equal_fifty_digit_arithmetic(walks: Walks, count: int, missing: float) -> None:
    y, x = walks(seed=1, count=count, missing=missing)
    both = np.isfinite(y) & np.isfinite(x)
    line = line_exactly(y[both], x[both])
    t = line.beta / line.beta_stderr
    found = pair_metrics(PairWindow(y, x, 5, count, 1.0), NAMES)
    expected = [line.beta_stderr, t, 2 * student.sf(abs(t), both.sum() - 2)]
    assert [found[name].value for name in NAMES] == pytest.approx(expected, rel=1e-8)
    assert [found[name].n for name in NAMES] == [both.sum()] * 3


@pytest.mark.data
def test_the_standard_error_is_the_certified_one_of_norris(data_dir: Path) -> None:
    y, x = np.loadtxt(data_dir / "reference" / "norris.csv", delimiter=",", skiprows=1, unpack=True)
    found = pair_metrics(PairWindow(y, x, 0, len(y), 1.0), ["beta", "alpha", "beta_stderr"])
    expected = [1.00211681802045, -0.262323073774029, 0.000429796848199937]
    assert [value.value for value in found.values()] == pytest.approx(expected, rel=1e-10)


def test_an_exact_line_has_no_t() -> None:
    x = np.sin(np.arange(50.0))
    found = pair_metrics(PairWindow(1.0 + 2.0 * x, x, 0, 50, 1.0), NAMES)
    assert found["beta_stderr"].value == 0.0
    assert [found[name].reason for name in NAMES[1:]] == [Reason.EXACT_FIT] * 2


def test_two_points_have_no_standard_error() -> None:
    window = PairWindow(np.array([1.0, 2.0, math.nan]), np.array([1.0, 3.0, 2.0]), 0, 3, 1.0)
    assert {value.reason for value in pair_metrics(window, NAMES).values()} == {Reason.TOO_FEW}


def test_no_line_has_no_standard_error(walks: Walks) -> None:
    y, _ = walks(seed=2, count=50)
    constant = pair_metrics(PairWindow(y, np.ones(50), 0, 50, 1.0), NAMES)
    assert {value.reason for value in constant.values()} == {Reason.CONSTANT}
    short = pair_metrics(PairWindow(y, y, 0, 200, 1.0), NAMES)
    assert {value.reason for value in short.values()} == {Reason.TOO_FEW}


def test_independent_walks_look_significant_which_is_why_there_is_a_warning() -> None:
    random = np.random.default_rng(3)
    pairs = np.cumsum(random.normal(0, 1, (200, 2, 300)), axis=2)
    p = [pair_metrics(PairWindow(y, x, 0, 300, 1.0), ["beta_p"])["beta_p"].value for y, x in pairs]
    assert np.mean([value < 0.05 for value in p if isinstance(value, float)]) > 0.7
    assert "stationary" in CATALOGUE["beta_p"].remark
