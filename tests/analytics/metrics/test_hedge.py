from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.kernels.rolling import rolling_pair
from pairscope.analytics.registry import pair_metrics
from pairscope.analytics.values import Reason, Value
from pairscope.base.model import FloatArray
from tests.fifty_digits import line_exactly

Walks = Callable[..., tuple[FloatArray, FloatArray]]

NAMES = [
    "beta",
    "alpha",
    "r2",
    "spread",
    "spread_mean",
    "spread_std",
    "spread_z",
    "price_spread",
    "correlation",
    "correlation_levels",
]


def window_of(y: Any, x: Any, window: int | None = None, first_index: int = 5) -> PairWindow:
    y, x = np.array(y, np.float64), np.array(x, np.float64)
    return PairWindow(y, x, first_index, window or len(y), 31_536_000.0)


def test_every_metric_of_a_pair_is_there(walks: Walks) -> None:
    assert list(pair_metrics(window_of(*walks(seed=1, count=20)))) == NAMES


def test_metrics_equal_fifty_digit_arithmetic(walks: Walks) -> None:
    y, x = walks(seed=2, count=300, offset=11.0, step=1e-3)
    line, returns = line_exactly(y, x), line_exactly(np.diff(y), np.diff(x))
    metrics = pair_metrics(window_of(y, x))
    expected = {
        "alpha": line.alpha,
        "beta": line.beta,
        "r2": line.r2,
        "spread": line.residuals[-1],
        "spread_std": line.residual_std,
        "spread_z": line.residuals[-1] / line.residual_std,
        "price_spread": math.exp(y[-1]) - math.exp(x[-1]),
        "correlation": returns.correlation,
        "correlation_levels": line.correlation,
    }
    for name, value in expected.items():
        assert metrics[name].value == pytest.approx(value, rel=1e-10), name
    assert metrics["spread_mean"] == Value(0.0, 300)
    assert [metrics[name].n for name in ("beta", "price_spread", "correlation")] == [300, 1, 299]


def test_metrics_are_the_newest_numbers_of_the_whole_history(walks: Walks) -> None:
    y, x = walks(seed=3, count=400, offset=11.0, step=1e-3, missing=0.02)
    levels = rolling_pair(y, x, 100, 7)
    returns = rolling_pair(np.diff(y), np.diff(x), 99, 8)
    for t in (99, 137, 250, 399):
        metrics = pair_metrics(window_of(y[t - 99 : t + 1], x[t - 99 : t + 1], 100, 7 + t - 99))
        for name in ("beta", "alpha", "spread", "spread_std", "spread_z"):
            expected = float(getattr(levels, name)[t])
            assert metrics[name].value == (expected if math.isfinite(expected) else None), name
        assert metrics["correlation"].value == returns.correlation[t - 1]


def test_closes_before_the_window_change_nothing(walks: Walks) -> None:
    y, x = walks(seed=4, count=150)
    assert pair_metrics(window_of(y, x, 100, 7)) == pair_metrics(window_of(y[50:], x[50:], 100, 57))


def test_a_constant_x_gives_a_reason() -> None:
    metrics = pair_metrics(window_of(np.arange(20.0), np.full(20, 11.0)))
    for name in ("beta", "alpha", "r2", "spread", "spread_std", "spread_z", "correlation", "correlation_levels"):
        assert metrics[name].value is None
        assert metrics[name].reason == Reason.CONSTANT
    assert metrics["price_spread"].value is not None


def test_an_exact_fit_has_no_z(walks: Walks) -> None:
    _, x = walks(seed=5, count=50)
    metrics = pair_metrics(window_of(1.0 + 2.0 * x, x))
    assert metrics["spread_std"] == Value(0.0, 50)
    assert metrics["spread_z"] == Value(None, 50, Reason.EXACT_FIT)


def test_less_than_half_of_a_window_is_too_little(walks: Walks) -> None:
    y, x = walks(seed=6, count=100)
    y[:51] = np.nan
    metrics = pair_metrics(window_of(y, x))
    assert metrics["beta"] == Value(None, 49, Reason.TOO_FEW)
    assert metrics["correlation"] == Value(None, 48, Reason.TOO_FEW)


def test_a_history_shorter_than_the_window_is_too_little(walks: Walks) -> None:
    metrics = pair_metrics(window_of(*walks(seed=7, count=99), window=100))
    reasons = {name: value.reason for name, value in metrics.items()}
    assert reasons == {**dict.fromkeys(NAMES, Reason.TOO_FEW), "price_spread": None}


def test_no_closes_at_all_give_reasons() -> None:
    metrics = pair_metrics(window_of([], [], window=100))
    reasons = {name: value.reason for name, value in metrics.items()}
    assert reasons == {**dict.fromkeys(NAMES, Reason.TOO_FEW), "price_spread": Reason.STALE}


@pytest.mark.parametrize("leg", [0, 1])
def test_a_missing_newest_price_leaves_the_line_and_no_spread(walks: Walks, leg: int) -> None:
    legs = walks(seed=8, count=50)
    legs[leg][-1] = np.nan
    metrics = pair_metrics(window_of(*legs))
    assert metrics["beta"].n == 49
    assert metrics["beta"].value is not None
    for name in ("spread", "spread_z", "price_spread"):
        assert metrics[name].reason == Reason.STALE


def test_prices_beyond_all_floats_give_a_reason() -> None:
    metrics = pair_metrics(window_of([0.0, 1.0, 800.0], [0.0, 1.0, 3.0]))
    assert metrics["price_spread"] == Value(None, 1, Reason.NOT_FINITE)
