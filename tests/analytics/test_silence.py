"""The one rule for what is stale and what is short, over the whole catalogue."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks, series_of
from pairscope.analytics.estimators.readings import PairHistory
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason, Value
from pairscope.base.model import BoolArray, FloatArray

WINDOW = 240
NEWEST = [each for each in CATALOGUE.values() if each.about == "newest"]
OF_WINDOW = [each for each in CATALOGUE.values() if each.about == "window"]
OF_BAR = [each for each in CATALOGUE.values() if each.about == "bar"]
ON_TAPE = [each for each in CATALOGUE.values() if each.about == "tape"]


def by_name(metric: Metric) -> str:
    return metric.name


def legs_of(seed: int, phi: float = 0.5) -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng([71, seed])
    x = 11.0 + np.cumsum(random.normal(0, 1e-3, WINDOW))
    spread = np.zeros(WINDOW)
    for t in range(1, WINDOW):
        spread[t] = phi * spread[t - 1] + random.normal(0, 1e-3)
    return x - 3.0 + spread, x


def window_of(metric: Metric, there: BoolArray, leg: str = "y", seed: int = 1) -> SymbolWindow | PairWindow:
    """A window whose closes are missing where they are not there, of y and of a symbol."""
    y, x = legs_of(seed)
    gone = np.where(there, y, np.nan)
    if metric.scope == "symbol":
        traded = np.where(there, 1.0, 0.0)[there]
        counts = np.ones(len(traded), np.int64)
        close = np.exp(gone)
        return SymbolWindow(
            close, traded, traded, traded, counts, 525_600.0, 7, WINDOW, np.tile(close, 3), close, close
        )
    tape = series_of(np.arange(WINDOW) * 60_000, np.exp(x))
    legs = (gone, x) if leg == "y" else (x, gone)
    past = np.tile(legs, 8)
    history = PairHistory(past[0], past[1], 8 * WINDOW - 1, 60_000)
    return PairWindow(legs[0], legs[1], 7, WINDOW, 525_600.0, PairTicks(tape, tape), history)


def told(metric: Metric, there: BoolArray, **parameters: Any) -> Value:
    return metric.compute(window_of(metric, there), **parameters)


def missing(*stretches: tuple[int, int]) -> BoolArray:
    there = np.ones(WINDOW, np.bool_)
    for first, end in stretches:
        there[first:end] = False
    return there


def test_every_metric_is_under_the_rule_or_reads_something_else() -> None:
    assert {each.name for each in OF_BAR} == {"last_price", "last_return", "price_spread"}
    of_volumes = {"volume", "quote_volume", "buy_volume", "trades", "vwap", "order_flow"}
    others = {each.name for each in ON_TAPE} - of_volumes
    assert {CATALOGUE[name].needs for name in others} == {("trades",), ("history",)}
    assert {each.name for each in NEWEST} == {
        *("price_z", "sma", "ema", "rsi", "atr", "trend", "signal", "spread", "spread_z"),
    }


def test_with_all_bars_there_every_metric_says_something() -> None:
    for metric in CATALOGUE.values():
        value = told(metric, missing())
        assert value.reason not in (Reason.STALE, Reason.TOO_FEW), metric.name


@pytest.mark.parametrize("metric", [*NEWEST, *OF_BAR], ids=by_name)
@pytest.mark.parametrize("halted", [1, 30, WINDOW // 2, WINDOW // 2 + 1, WINDOW - 1])
def test_while_a_price_is_missing_nothing_is_said_of_it(metric: Metric, halted: int) -> None:
    assert (told(metric, missing((WINDOW - halted, WINDOW))).value, Reason.STALE) == (
        None,
        told(metric, missing((WINDOW - halted, WINDOW))).reason,
    )


@pytest.mark.parametrize("metric", [each for each in NEWEST if each.scope == "pair"], ids=by_name)
@pytest.mark.parametrize("leg", ["y", "x"])
def test_a_late_leg_of_either_side_is_enough(metric: Metric, leg: str) -> None:
    assert metric.compute(window_of(metric, missing((WINDOW - 1, WINDOW)), leg)).reason == Reason.STALE


@pytest.mark.parametrize("metric", [*NEWEST, *OF_WINDOW], ids=by_name)
@pytest.mark.parametrize("back", [1, 20, WINDOW // 2 - 1])
def test_after_a_halt_that_took_half_of_the_window_nothing_is_said_either(metric: Metric, back: int) -> None:
    value = told(metric, missing((0, WINDOW - back)))
    assert (value.value, value.reason) == (None, Reason.TOO_FEW)
    value = told(metric, missing((back, WINDOW - back))) if 4 * back < WINDOW else value
    assert (value.value, value.reason) == (None, Reason.TOO_FEW)


@pytest.mark.parametrize("metric", [*NEWEST, *OF_WINDOW], ids=by_name)
def test_half_of_the_window_in_one_piece_is_enough(metric: Metric) -> None:
    value = told(metric, missing((0, WINDOW // 2 - 1)))  # with half of its returns
    assert value.reason not in (Reason.STALE, Reason.TOO_FEW), value


@pytest.mark.parametrize("metric", [*NEWEST, *OF_WINDOW], ids=by_name)
def test_without_any_close_there_are_too_few(metric: Metric) -> None:
    assert told(metric, missing((0, WINDOW))).reason == Reason.TOO_FEW


@pytest.mark.parametrize("name", ["rsi", "ema", "sma", "trend", "signal"])
def test_what_is_null_for_a_z_is_null_for_every_indicator_for_the_same_reason(name: str) -> None:
    random = np.random.default_rng(72)
    for _ in range(200):
        first, end = sorted(random.integers(0, WINDOW + 1, 2).tolist())
        there = missing((first, end), (0, int(random.integers(0, WINDOW)) * int(random.random() < 0.3)))
        z, one = told(CATALOGUE["price_z"], there), told(CATALOGUE[name], there)
        if z.value is None:
            assert (one.value, one.reason) == (None, z.reason), (first, end)


def test_a_line_outlives_a_missing_newest_close_and_says_of_how_many_bars_it_is() -> None:
    for name in ("beta", "mean_price", "correlation"):
        value = told(CATALOGUE[name], missing((WINDOW - 1, WINDOW)))
        assert isinstance(value.value, float), name
        assert value.n in (WINDOW - 1, WINDOW - 2), name


def test_half_of_the_closes_may_be_there_without_half_of_their_returns() -> None:
    there = np.arange(WINDOW) % 2 == 1
    for name in ("volatility", "volatility_annual", "correlation"):
        assert told(CATALOGUE[name], there).reason == Reason.TOO_FEW, name
    assert told(CATALOGUE["mean_price"], there).value is not None


def test_metrics_that_remember_say_how_many_bars_they_want_and_are_settled_then() -> None:
    wants = {
        metric.name: one.wants_each for metric in CATALOGUE.values() for one in metric.parameters if one.wants_each
    }
    assert wants == {"ema": 5, "rsi": 10, "atr": 10}
    random = np.random.default_rng(73)
    for name, each in wants.items():
        for period in (5, 14, 50, 200):
            close = 60_000.0 * np.exp(np.cumsum(random.normal(0, 1e-3, 30 * each * period)))
            nothing, none = np.zeros(0), np.zeros(0, np.int64)
            found = []
            for bars in (each * period, len(close)):
                newest = close[-bars:]
                window = SymbolWindow(
                    newest, nothing, nothing, nothing, none, 1.0, 0, bars, high=newest * 1.001, low=newest * 0.999
                )
                value = CATALOGUE[name].compute(window, period=period).value
                assert isinstance(value, float)
                found.append(value)
            size = 100.0 if name == "rsi" else found[1]
            assert math.isclose(found[0], found[1], abs_tol=1e-4 * size), (name, period)
