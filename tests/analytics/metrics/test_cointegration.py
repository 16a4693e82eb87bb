from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.stattools import adfuller, coint
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from pairscope.analytics.entry.metric import entries_of
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.engle_granger import engle_granger_many
from pairscope.analytics.estimators.evidence import Evidence, weigh
from pairscope.analytics.metrics import cointegration, johansen, mean_reversion, stationarity
from pairscope.analytics.registry import CATALOGUE, pair_metrics, symbol_metrics
from pairscope.analytics.values import Reason, Value
from pairscope.base.model import FloatArray

OF_SYMBOLS = [metric.name for metric in entries_of(stationarity)]
OF_PAIRS = [metric.name for module in (cointegration, johansen, mean_reversion) for metric in entries_of(module)]

# Stretches of a series: its kind, its length.
STRETCHES = st.lists(
    st.tuples(st.sampled_from(["walk", "line", "constant", "missing", "huge", "tiny", "spike"]), st.integers(1, 80)),
    min_size=1,
    max_size=5,
)


def pair_of(seed: int, count: int, phi: float = 0.9) -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(seed)
    x = 11 + 1e-3 * np.cumsum(random.normal(size=count))
    spread = np.zeros(count)
    for t in range(1, count):
        spread[t] = phi * spread[t - 1] + 5e-4 * random.normal()
    return 0.8 * x + spread, x


def window_of(y: FloatArray, x: FloatArray, window: int | None = None) -> PairWindow:
    return PairWindow(y, x, 5, window or len(y), 31_536_000.0)


def symbol_window(close: FloatArray, window: int | None = None) -> SymbolWindow:
    nothing = np.empty(0)
    return SymbolWindow(close, nothing, nothing, nothing, np.empty(0, np.int64), 1.0, 5, window or len(close))


def stretched(stretches: list[tuple[str, int]], seed: int) -> FloatArray:
    random = np.random.default_rng(seed)
    made: dict[str, Callable[[int], FloatArray]] = {
        "walk": lambda n: 11 + np.cumsum(random.normal(size=n)),
        "line": lambda n: np.arange(float(n)) / 10.0,
        "constant": lambda n: np.full(n, 3.0),
        "missing": lambda n: np.full(n, random.choice([np.nan, np.inf, -np.inf])),
        "huge": lambda n: 1e200 * random.normal(size=n),
        "tiny": lambda n: 1e-300 * random.normal(size=n),
        "spike": lambda n: np.where(np.arange(n) == n // 2, 1e12, 0.0),
    }
    return np.concatenate([made[kind](n) for kind, n in stretches])


def assert_fit_to_leave(values: dict[str, Value]) -> None:
    for name, value in values.items():
        assert (value.value is None) == (value.reason is not None), name
        assert isinstance(value.value, str | None) or math.isfinite(value.value), name
        assert value.n >= 0, name


# --- the numbers are right ---


def test_metrics_of_a_pair_equal_statsmodels() -> None:
    y, x = pair_of(1, 300, phi=0.7)
    metrics = pair_metrics(window_of(y, x), OF_PAIRS)
    one, other = coint(y, x), coint(x, y)
    better = one if one.coint_t <= other.coint_t else other
    line = np.polynomial.Polynomial.fit(x, y, 1)
    naive = adfuller(y - line(x), result_object=True)
    together = coint_johansen(np.column_stack([y, x]), 0, 1)
    expected = {
        "coint_t": better.coint_t,
        "coint_p": 2 * better.pvalue,
        "coint_crit": better.critical_values[1],
        "spread_adf_stat": naive.statistic,
        "spread_adf_p": naive.pvalue,
        "spread_adf_lags": naive.lags,
        "spread_adf_aic": naive.icbest,
        "spread_adf_crit": naive.critical_values["5%"],
        "johansen_trace": together.trace_stat[0],
        "johansen_rank": 1.0,
    }
    for name, value in expected.items():
        assert metrics[name].value == pytest.approx(value, rel=1e-8), name
    assert metrics["coint_direction"].value == ("y_on_x" if better is one else "x_on_y")
    assert {metrics[name].n for name in OF_PAIRS} == {300}


def test_metrics_of_a_symbol_equal_statsmodels_on_log_closes() -> None:
    close = np.exp(pair_of(2, 300)[0])
    metrics = symbol_metrics(symbol_window(close), OF_SYMBOLS)
    expected = adfuller(np.log(close), result_object=True)
    assert metrics["adf_stat"].value == pytest.approx(expected.statistic, rel=1e-8)
    assert metrics["adf_pvalue"].value == pytest.approx(expected.pvalue, rel=1e-8)


@pytest.mark.parametrize("name", ["coint_crit", "spread_adf_crit"])
def test_critical_values_are_given_at_three_levels(name: str) -> None:
    window = window_of(*pair_of(3, 200))
    found = [CATALOGUE[name].compute(window, level=level).value for level in ("1", "5", "10")]
    assert found == sorted(found, key=lambda value: float(value or 0))
    assert CATALOGUE[name].compute(window) == CATALOGUE[name].compute(window, level="5")


def test_a_metric_has_the_bits_of_a_scan() -> None:
    series = np.array([*pair_of(4, 200), *pair_of(5, 200)])
    y, x = np.array([0, 2, 0]), np.array([1, 3, 2])
    scanned = engle_granger_many(series, y, x)
    for k in range(3):
        metrics = pair_metrics(window_of(series[y[k]], series[x[k]]), ["coint_t", "coint_p"])
        assert [metrics["coint_t"].value, metrics["coint_p"].value] == [scanned[k].statistic, scanned[k].p]


# --- what is computed when ---


def test_dear_metrics_are_computed_only_when_named() -> None:
    window = window_of(*pair_of(6, 100))
    assert not set(OF_PAIRS) & set(pair_metrics(window))
    assert not set(OF_SYMBOLS) & set(symbol_metrics(symbol_window(np.exp(window.y))))
    assert list(pair_metrics(window, OF_PAIRS)) == OF_PAIRS


def test_a_test_is_done_once_for_all_metrics_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def counted(y: FloatArray, x: FloatArray, fewest: int, intercept: bool) -> Evidence:
        calls.append(fewest)
        return weigh(y, x, fewest, intercept)

    monkeypatch.setattr(cointegration, "weigh", counted)
    pair_metrics(window_of(*pair_of(7, 100)), OF_PAIRS)
    assert calls == [50]


def test_naive_metrics_say_what_is_wrong_with_them() -> None:
    for name in OF_PAIRS:
        naive = name.startswith("spread_adf") or name.endswith("_naive")
        assert CATALOGUE[name].remark.startswith("Naive") == naive, name


# --- nothing looks ahead, live equals batch ---


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), end=st.integers(120, 240), before=st.integers(0, 60))
def test_neither_earlier_nor_later_closes_change_a_window(seed: int, end: int, before: int) -> None:
    y, x = pair_of(seed, 300)
    tail = slice(end - 120, end)
    expected = pair_metrics(window_of(y[tail].copy(), x[tail].copy(), 120), OF_PAIRS)
    longer = slice(max(0, end - 120 - before), end)
    assert pair_metrics(window_of(y[longer], x[longer], 120), OF_PAIRS) == expected
    close = np.exp(y)
    assert symbol_metrics(symbol_window(close[longer], 120), OF_SYMBOLS) == symbol_metrics(
        symbol_window(close[tail].copy(), 120), OF_SYMBOLS
    )


# --- null with a reason ---


@settings(deadline=None, max_examples=200)
@given(y=STRETCHES, x=STRETCHES, seed=st.integers(0, 2**32), window=st.integers(3, 200))
def test_no_metric_is_ever_nan_or_infinite(
    y: list[tuple[str, int]], x: list[tuple[str, int]], seed: int, window: int
) -> None:
    ys, xs = stretched(y, seed), stretched(x, seed + 1)
    count = min(len(ys), len(xs))
    assert_fit_to_leave(pair_metrics(window_of(ys[:count], xs[:count], window), OF_PAIRS))
    assert_fit_to_leave(symbol_metrics(symbol_window(ys, window), OF_SYMBOLS))


WALK = np.random.default_rng(8).normal(size=200).cumsum()


@pytest.mark.parametrize(("y", "x", "reasons"), [
    (WALK, np.full(200, 11.0), {Reason.CONSTANT}),
    (np.full(200, 11.0), WALK, {Reason.CONSTANT}),
    (2 * WALK + 1, WALK, {Reason.EXACT_FIT, Reason.COLLINEAR}),
    (WALK[:29], WALK[:29] ** 2, {Reason.TOO_FEW}),
    (np.where(np.arange(200) % 2 == 0, np.nan, WALK), np.sin(WALK), {Reason.TOO_FEW, Reason.GAPPY}),
])  # fmt: skip
def test_a_pair_that_says_nothing_has_a_reason_everywhere(y: FloatArray, x: FloatArray, reasons: set[Reason]) -> None:
    metrics = pair_metrics(window_of(y, x), OF_PAIRS)
    assert {metrics[name].value for name in OF_PAIRS} == {None}
    assert {metrics[name].reason for name in OF_PAIRS} <= reasons


def test_a_stretch_of_half_of_the_window_is_enough() -> None:
    y, x = pair_of(9, 200)
    y[:100] = np.nan
    assert pair_metrics(window_of(y, x), ["coint_t", "half_life"])["coint_t"].n == 100
    y[100] = np.nan
    assert pair_metrics(window_of(y, x), ["coint_t"])["coint_t"] == Value(None, 99, Reason.TOO_FEW)


def test_prices_that_are_not_positive_are_missing() -> None:
    close: Any = np.exp(pair_of(10, 200)[0])
    expected = symbol_metrics(symbol_window(close[20:].copy(), 180), ["adf_stat"])
    close[19] = -1.0
    close[:19] = 0.0
    assert symbol_metrics(symbol_window(close), ["adf_stat"]) == expected
