from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.hedge import METHODS, REMARKS, SERIES, HedgeSeries
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]
NAMES = [field.name for field in fields(HedgeSeries)]
BY_METHOD = [metric for metric in CATALOGUE.values() if any(p.name == "method" for p in metric.parameters)]
DEGENERATE = st.one_of(
    st.just(math.nan), st.sampled_from([0.0, 1.0, 11.0, 1e5, -3.0, 1e-300, 1e12]), st.floats(-1e12, 1e12)
)


def bits(series: HedgeSeries, rows: Any) -> list[bytes]:
    return [getattr(series, name)[rows].tobytes() for name in NAMES]


def newest_bits(
    method: str, y: FloatArray, x: FloatArray, window: int, first_index: int, intercept: bool
) -> list[bytes]:
    hedge = METHODS[method](y, x, window, first_index, intercept)
    return [np.array([getattr(hedge, name)], np.int64 if name == "n" else np.float64).tobytes() for name in NAMES]


def test_every_method_has_both_forms_and_a_remark_and_is_offered() -> None:
    assert list(METHODS) == list(SERIES) == list(REMARKS)
    choices = {parameter.name: parameter.choices for metric in BY_METHOD for parameter in metric.parameters}
    assert choices == {"method": tuple(METHODS), "prices": ("log", "level"), "intercept": ("true", "false")}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2, 120),
    window=st.integers(2, 70),
    first_index=st.integers(0, 10**9),
    missing=st.sampled_from([0.0, 0.1]),
    offset=st.sampled_from([0.0, 11.0, 1e5]),
)
def test_the_newest_bar_of_a_window_has_the_bits_of_the_whole_history(
    walks: Walks,
    method: str,
    intercept: bool,
    seed: int,
    count: int,
    window: int,
    first_index: int,
    missing: float,
    offset: float,
) -> None:
    assume(window <= count)
    y, x = walks(seed, count, offset, 0.01, missing)
    whole = SERIES[method](y, x, window, first_index, intercept)
    for t in {window - 1, (window + count) // 2 - 1, count - 1}:
        tail, first = slice(t - window + 1, t + 1), first_index + t - window + 1
        assert newest_bits(method, y[tail], x[tail], window, first, intercept) == bits(whole, slice(t, t + 1))


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 299), max_size=5))
def test_a_history_in_pieces_gives_the_bits_of_the_whole(walks: Walks, method: str, seed: int, cuts: list[int]) -> None:
    y, x = walks(seed, 300, 11.0, 1e-3, 0.02)
    window, edges = 64, sorted({0, *cuts, 300})
    whole = SERIES[method](y, x, window, 7, True)
    for begin, end in itertools.pairwise(edges):
        first = max(0, begin - window + 1)
        piece = SERIES[method](y[first:end], x[first:end], window, 7 + first, True)
        rows = slice(max(begin, window - 1), end)
        if rows.start < end:
            assert bits(piece, slice(rows.start - first, None)) == bits(whole, rows)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), known=st.integers(1, 149))
def test_later_bars_never_change_an_earlier_line(walks: Walks, method: str, seed: int, known: int) -> None:
    y, x = walks(seed, 150, missing=0.05)
    past, later = slice(0, known), SERIES[method](y, x, 40, 7, True)
    assert bits(SERIES[method](y[past], x[past], 40, 7, True), past) == bits(later, past)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(DEGENERATE, DEGENERATE), max_size=50), window=st.integers(3, 45))
def test_no_method_is_ever_nan_or_infinite(method: str, rows: list[tuple[float, float]], window: int) -> None:
    y, x = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    pair = PairWindow(y, x, 3, window, 525_600.0)
    for metric in BY_METHOD:
        value = metric.compute(pair, method=method)
        assert (value.value is None) == (value.reason is not None), metric.name
        assert value.value is None or math.isfinite(float(value.value)), metric.name


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_x_gives_a_reason(method: str) -> None:
    pair = PairWindow(np.sin(np.arange(64.0)), np.full(64, 11.0), 0, 64, 1.0)
    assert CATALOGUE["beta"].compute(pair, method=method).reason == (
        None if method == "kalman_naive" else Reason.CONSTANT
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_missing_newest_price_leaves_the_line_and_no_spread(walks: Walks, method: str) -> None:
    y, x = walks(seed=1, count=64, offset=11.0, step=1e-3)
    x[-1] = np.nan
    pair = PairWindow(y, x, 0, 64, 1.0)
    assert CATALOGUE["beta"].compute(pair, method=method).value is not None
    assert CATALOGUE["spread"].compute(pair, method=method).reason == Reason.STALE
    assert CATALOGUE["spread_z"].compute(pair, method=method).reason == Reason.STALE


@pytest.mark.parametrize("method", METHODS)
def test_less_than_half_of_a_window_is_too_little(walks: Walks, method: str) -> None:
    y, x = walks(seed=2, count=100)
    y[:51] = np.nan
    assert CATALOGUE["beta"].compute(PairWindow(y, x, 0, 100, 1.0), method=method).reason == Reason.TOO_FEW


@pytest.mark.parametrize("method", METHODS)
def test_half_of_a_window_is_enough(walks: Walks, method: str) -> None:
    y, x = walks(seed=3, count=100)
    y[:50] = np.nan
    if method == "rolling":  # whose line has not seen the newest bar
        y[49] = 0.0
    if method == "kalman":  # whose noise is fitted on the first seven eighths
        y[38:50] = np.random.default_rng(1).normal(size=12)
    assert math.isfinite(METHODS[method](y, x, 100, 0, True).beta)


@pytest.mark.parametrize("method", METHODS)
def test_every_line_comes_with_the_correlation_of_what_it_was_laid_through(walks: Walks, method: str) -> None:
    y, x = walks(seed=4, count=96, offset=11.0, step=1e-3)
    seen = slice(None, -1) if method == "rolling" else slice(None)
    expected = np.corrcoef(y[seen], x[seen])[0, 1]
    assert METHODS[method](y, x, 96, 0, True).correlation == pytest.approx(expected, rel=1e-9)


def test_a_fit_that_finds_no_line_says_so() -> None:
    y, x = np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, -1.0])
    assert METHODS["tls"](y, x, 4, 0, True).reason == Reason.NOT_CONVERGED
    assert CATALOGUE["beta"].compute(PairWindow(y, x, 0, 4, 1.0), method="tls").reason == Reason.NOT_CONVERGED
    wave = np.sin(np.arange(64.0))
    assert METHODS["kalman"](1 + 2 * wave, wave, 64, 0, True).reason == Reason.EXACT_FIT
