"""What holds for every metric of the catalogue, present and to come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks, series_of
from pairscope.analytics.estimators.readings import PairHistory
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason
from pairscope.base.model import FloatArray

Walks = Callable[..., tuple[FloatArray, FloatArray]]


def window_of(scope: str, y: FloatArray, x: FloatArray, window: int, first_index: int) -> SymbolWindow | PairWindow:
    """With what comes beside the bars: the tapes of the window's time, and closed bars."""
    last = y[-window:], x[-window:]
    if scope == "pair":
        times_ms = (first_index + len(y) - len(last[0]) + np.arange(len(last[0]))) * 1_000
        ticks = PairTicks(*(series_of(times_ms, leg) for leg in last))
        history = PairHistory(*last, first_index + len(y) - 1, 60_000)
        return PairWindow(y, x, first_index, window, 525_600.0, ticks, history)
    traded = np.abs(last[0])
    counts = np.ones(len(traded), np.int64)
    return SymbolWindow(y, traded, traded, traded, counts, 525_600.0, first_index, window, np.tile(traded, 8), y, y)


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
    window = window_of(metric.scope, y, x, 150, 5)  # ends where a pair is read
    before = y.tobytes(), x.tobytes()
    value = metric.compute(window)
    assert metric.compute(window) == value
    assert value.reason not in (
        Reason.TOO_FEW,
        Reason.NO_TRADES,
    )  # else these tests would say little
    assert (y.tobytes(), x.tobytes()) == before
