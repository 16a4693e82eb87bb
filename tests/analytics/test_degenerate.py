"""Every metric of the catalogue on series that say little: a number or a reason, never NaN, infinity or a warning."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks, series_of
from pairscope.analytics.estimators.variance_ratio import variance_ratio
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason, Value
from pairscope.base.model import FloatArray
from tests.fifty_digits import DIGITS, around_mean, degenerate_series, exact

COUNT = 128
EXTREMES = (math.nan, math.inf, -math.inf, 0.0, 1e300, -1e300, 1e-300, 5e-324)


def _corpus() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Pairs y and x, taken as log prices by the metrics of a pair and as prices by those of a symbol."""
    random = np.random.default_rng(1)
    y, x = random.normal(0, 1e-3, (2, COUNT)).cumsum(axis=1) + 4.0
    time = np.arange(float(COUNT))
    third = np.arange(COUNT) % 3 == 0
    odd = np.arange(COUNT) % 2 == 1
    late = time >= COUNT - 20
    corpus = {
        "nothing": (y[:0], x[:0]),
        "one bar": (y[:1], x[:1]),
        "two bars": (y[:2], x[:2]),
        "one bar too few for tests": (y[:29], x[:29]),
        "constant x": (y, np.full(COUNT, 4.0)),
        "constant y": (np.full(COUNT, 4.0), x),
        "both constant": (np.full(COUNT, 4.0), np.full(COUNT, 0.1)),
        "zeros": (np.zeros(COUNT), np.zeros(COUNT)),
        "the same series": (x, x),
        "one line": (1.0 + 2.0 * x, x),
        "nearly one line": (1.0 + 2.0 * x + 1e-12 * y, x),
        "straight lines": (time, 1.0 + 0.1 * time),
        "every third missing": (np.where(third, np.nan, y), x),
        "never together": (np.where(odd, np.nan, y), np.where(odd, x, np.nan)),
        "stale": (np.where(late, np.nan, y), x),
        "only lately": (np.where(late, y, np.nan), np.where(late, x, np.nan)),
        "all missing": (np.full(COUNT, np.nan), np.full(COUNT, np.nan)),
        "far from zero": (1e9 + y, 1e9 + x),
        "so far that steps are rounding": (1e15 + y, 1e15 + x),
        "tiny steps": (4.0 + 1e-13 * y, 4.0 + 1e-13 * x),
        "tiny": (1e-300 * y, 1e-300 * x),
        "denormal": (5e-324 * np.round(y * 1e3), 5e-324 * np.round(x * 1e3)),
        "huge": (1e300 * y, 1e300 * x),
        "huge and tiny": (1e300 * y, 1e-300 * x),
        "beyond squares": (1e160 * (y - 4.0), 1e160 * (x - 4.0)),
        "negative": (-y, -x),
        "one step": (np.where(time < 64, 0.0, 1.0), np.where(time < 60, 0.0, 1.0)),
        "one spike": (np.where(time == 64, 1e6, y), x),
        "alternating": (np.where(odd, 1.0, -1.0), np.where(third, 1.0, -1.0)),
        "exploding": (1.5**time, 1.4**time),
        "decaying": (0.5**time, 0.6**time),
        "two prices": (np.where(random.random(COUNT) < 0.5, 4.0, 4.1), x),
    }
    for value in EXTREMES:
        corpus[f"{value} in the middle"] = (np.where(time == 64, value, y), x)
        corpus[f"{value} at the end of both"] = (np.where(time == 127, value, y), np.where(time == 127, value, x))
    return corpus


CORPUS = _corpus()


def window_of(scope: str, y: FloatArray, x: FloatArray, window: int) -> SymbolWindow | PairWindow:
    if scope == "pair":
        with np.errstate(over="ignore"):
            tapes = [series_of(np.arange(len(logs)) * 10_000, np.exp(logs)) for logs in (y, x)]
        return PairWindow(y, x, 7, window, 525_600.0, PairTicks(*tapes))
    volume, trades = np.abs(x), np.arange(len(y))
    return SymbolWindow(y, volume, volume, volume, trades, 525_600.0, 7, window, np.tile(y, 8)[-1_000:], y, y)


def choices_of(metric: Metric) -> list[dict[str, Any]]:
    """The defaults, and then each choice and each end of the range of each parameter."""
    values: dict[str, list[Any]] = {
        parameter.name: [*parameter.choices, *(end for end in (parameter.low, parameter.high) if end is not None)]
        for parameter in metric.parameters
    }
    whole = {parameter.name for parameter in metric.parameters if parameter.kind == "int"}
    return [{}] + [{name: int(value) if name in whole else value} for name, some in values.items() for value in some]


def assert_fit_to_leave(value: Value, what: str) -> None:
    assert (value.value is None) == (value.reason is not None), what
    assert value.n >= 0, what
    if value.value is None:
        assert value.reason in list(Reason), what
    elif not isinstance(value.value, str):
        assert math.isfinite(value.value), what


@pytest.mark.parametrize("name", CORPUS)
def test_every_metric_gives_a_number_or_a_reason(name: str) -> None:
    y, x = CORPUS[name]
    for scope, bars in itertools.product(("symbol", "pair"), (COUNT, 40, 5, 3, 2)):
        window = window_of(scope, y, x, bars)
        for metric in CATALOGUE.values():
            if metric.scope == scope:
                for parameters in choices_of(metric):
                    assert_fit_to_leave(metric.compute(window, **parameters), f"{metric.name} {parameters} {bars}")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, 0.0])
def test_one_bad_price_at_any_place_is_no_harm(value: float) -> None:
    y, x = (series[:48].copy() for series in CORPUS["nearly one line"])
    y[7] += 1e-3
    for place in range(48):
        bad = y.copy()
        bad[place] = value
        for metric in CATALOGUE.values():
            window = window_of(metric.scope, bad, x, 48) if metric.scope == "pair" else _without_fit(bad, x)
            assert_fit_to_leave(metric.compute(window), f"{metric.name} at {place}")


def _without_fit(y: FloatArray, x: FloatArray) -> SymbolWindow:
    return SymbolWindow(y, np.abs(x), np.abs(y), np.abs(x), np.arange(len(y)), 525_600.0, 7, max(2, len(y)), None, y, y)


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(list(CORPUS)),
    window=st.integers(2, COUNT),
    places=st.lists(st.tuples(st.integers(0, 1), st.integers(0, COUNT - 1), st.sampled_from(EXTREMES)), max_size=6),
    scale=st.sampled_from([1.0, -1.0, 1e-200, 1e200]),
)
def test_damage_to_any_series_is_no_harm(
    name: str, window: int, places: list[tuple[int, int, float]], scale: float
) -> None:
    with np.errstate(all="ignore"):
        legs = [np.clip(leg * scale, -1e307, 1e307) for leg in CORPUS[name]]
    for leg, place, value in places:
        legs[leg][place:][:1] = value
    y, x = legs
    pair, symbol = window_of("pair", y, x, window), _without_fit(y, x)
    for metric in CATALOGUE.values():
        assert_fit_to_leave(metric.compute(pair if metric.scope == "pair" else symbol), metric.name)


# --- and the number is right where it is defined ---


@pytest.mark.parametrize("name", degenerate_series(8, 1))
@pytest.mark.parametrize("lag", [2, 10])
def test_variance_ratios_of_degenerate_series_equal_fifty_digit_arithmetic(name: str, lag: int) -> None:
    series = degenerate_series(80, 3)[name]
    with mpmath.workdps(DIGITS):
        values = exact(series)
        count = len(values) - 1
        mu = (values[-1] - values[0]) / count
        short = [after - before - mu for before, after in itertools.pairwise(values)]
        long = [values[t + lag] - values[t] - lag * mu for t in range(count - lag + 1)]
        squares = mpmath.fsum(move**2 for move in short)
        variance = squares / (count - 1)
        ratio = (
            mpmath.fsum(move**2 for move in long) / (lag * (count - lag + 1) * (1 - mpmath.mpf(lag) / count)) / variance
        )
        theta = mpmath.fsum(
            (mpmath.mpf(2 * (lag - k)) / lag) ** 2
            * count
            * mpmath.fsum(short[t] ** 2 * short[t - k] ** 2 for t in range(k, count))
            / squares**2
            for k in range(1, lag)
        )
        z = mpmath.sqrt(count) * (ratio - 1) / mpmath.sqrt(theta)
    found = variance_ratio(series, lag=lag)
    assert found.ratio == pytest.approx(float(ratio), rel=1e-8, abs=1e-12)
    assert found.z == pytest.approx(float(z), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("names", list(itertools.combinations(degenerate_series(8, 1), 2)), ids=" and ".join)
def test_lines_through_degenerate_series_equal_fifty_digit_arithmetic(names: tuple[str, str]) -> None:
    y, x = (degenerate_series(80, seed)[name] for name, seed in zip(names, (4, 5), strict=True))
    with mpmath.workdps(DIGITS):
        ys, xs = around_mean(exact(y)), around_mean(exact(x))
        syy, sxx, sxy = mpmath.fdot(ys, ys), mpmath.fdot(xs, xs), mpmath.fdot(ys, xs)
        beta = sxy / sxx
        deviation = mpmath.sqrt((syy - beta * sxy) / 79)
        expected = {
            "beta": beta,
            "correlation_levels": sxy / mpmath.sqrt(sxx) / mpmath.sqrt(syy),
            "spread": ys[-1] - beta * xs[-1],
            "spread_std": deviation,
            "spread_z": (ys[-1] - beta * xs[-1]) / deviation,
        }
        sizes = {"beta": mpmath.sqrt(syy / sxx), "spread": deviation}
    window = PairWindow(y, x, 7, 80, 525_600.0)
    for name, value in expected.items():
        found = CATALOGUE[name].compute(window).value
        assert found == pytest.approx(float(value), rel=1e-8, abs=1e-8 * float(sizes.get(name, 1))), name
