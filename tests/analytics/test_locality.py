"""What holds for every metric of the catalogue, present and to come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.catalogue import CATALOGUE, Metric, PairWindow, SymbolWindow
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]


def window_of(scope: str, y: FloatArray, x: FloatArray, window: int, first_index: int) -> SymbolWindow | PairWindow:
    if scope == "pair":
        return PairWindow(y, x, first_index, window, 525_600.0)
    traded = np.abs(y[-window:])
    counts = np.ones(len(traded), np.int64)
    return SymbolWindow(y, traded, traded, traded, counts, 525_600.0, first_index, window)


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: str(metric.name))
@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    window=st.integers(3, 130),
    before=st.integers(1, 150),
    missing=st.sampled_from([0.0, 0.0, 0.1]),
)
def test_bars_outside_the_window_change_no_bit(
    walks: Walks, metric: Metric, seed: int, window: int, before: int, missing: float
) -> None:
    y, x = walks(seed, before + window, 50.0, 0.1, missing)
    long = window_of(metric.scope, y, x, window, 7)
    alone = window_of(metric.scope, y[before:], x[before:], window, 7 + before)
    assert metric.compute(long) == metric.compute(alone)


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: str(metric.name))
def test_asking_changes_no_bar(walks: Walks, metric: Metric) -> None:
    y, x = walks(seed=1, count=150, offset=50.0, step=0.1)
    window = window_of(metric.scope, y, x, 150, 7)
    before = y.tobytes(), x.tobytes()
    assert metric.compute(window) == metric.compute(window)
    assert (y.tobytes(), x.tobytes()) == before
