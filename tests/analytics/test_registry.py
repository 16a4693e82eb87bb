from __future__ import annotations

import inspect
import math
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics import registry, warm
from pairscope.analytics.entry.metric import Metric, collect
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.terms import INTERCEPT, PRICES
from pairscope.analytics.registry import CATALOGUE, by_scope, find, pair_metrics, symbol_metrics
from pairscope.analytics.values import Reason, Value
from pairscope.analytics.values import given as given_value
from pairscope.base.errors import UnknownName

DEGENERATE = st.one_of(
    st.just(math.nan),
    st.just(0.0),
    st.sampled_from([1.0, 11.0, 1e5, -3.0, 1e-300, 1e12]),
    st.floats(-1e12, 1e12),
)
COLUMNS = st.lists(DEGENERATE, max_size=40)


@Metric(scope="symbol", title="Half range", formula="(max - min) / 2", unit="price", fewest=2)
def half_range(window: SymbolWindow) -> Value:
    return given_value((window.prices.maximum - window.prices.minimum) / 2, window.prices.n)


def module_with(*functions: Any) -> ModuleType:
    """A module as those of `metrics` are."""
    module = ModuleType(functions[0].__module__)
    for i, function in enumerate(functions):
        setattr(module, f"function_{i}", function)
    return module


def symbol_window(close: list[float], volume: list[float], window: int) -> SymbolWindow:
    column = np.array(volume, np.float64)
    return SymbolWindow(
        np.array(close, np.float64), column, column, column, np.ones(len(volume), np.int64), 525_600.0, 3, window
    )


def assert_fit_to_leave(values: dict[str, Value]) -> None:
    for name, value in values.items():
        if isinstance(value.value, float):
            assert math.isfinite(value.value), name
        assert (value.value is None) == (value.reason is not None), name
        assert value.n >= 0, name


def test_a_metric_is_one_function_and_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    extended = {**CATALOGUE, **collect(module_with(half_range))}
    monkeypatch.setattr(registry, "CATALOGUE", extended)
    monkeypatch.setattr(registry, "BY_SCOPE", registry.by_scope(extended))
    metrics = symbol_metrics(symbol_window([1.0, 5.0], [1.0], 3))
    assert metrics["half_range"] == Value(2.0, 2)
    assert symbol_metrics(symbol_window([1.0], [1.0], 2), ["half_range"])["half_range"].value is None


def test_two_metrics_of_one_name_are_refused() -> None:
    another = Metric(scope="symbol", title="Another", formula="-", unit="1", name="half_range")(lambda _: Value(1.0, 1))
    with pytest.raises(ValueError, match="'half_range' twice"):
        collect(module_with(half_range, another))


def test_a_module_that_only_borrows_a_metric_does_not_declare_it() -> None:
    borrower = ModuleType("borrower")
    borrower.half_range = half_range  # type: ignore[attr-defined]
    assert not collect(borrower)


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["mine"] = CATALOGUE["beta"]  # type: ignore[index]


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: str(metric.name))
def test_every_entry_says_what_the_number_is(metric: Metric) -> None:
    assert metric.title
    assert metric.formula
    assert metric.unit
    assert metric.window >= 1
    assert metric.fewest >= (metric.name != "health")  # which is a word without a reading too
    assert CATALOGUE[metric.name] is metric


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: str(metric.name))
def test_the_parameters_of_an_entry_are_those_of_its_function(metric: Metric) -> None:
    _, *arguments = inspect.signature(metric.function).parameters.values()
    assert {argument.name: argument.default for argument in arguments} == {
        parameter.name: parameter.default
        for parameter in metric.parameters
        if parameter not in (PRICES, INTERCEPT)  # which choose the window that the function is given
    }
    for parameter in metric.parameters:
        assert parameter.kind != "choice" or parameter.default in parameter.choices


@settings(deadline=None, max_examples=300)
@given(close=COLUMNS, volume=COLUMNS, window=st.integers(2, 30))
def test_no_metric_of_a_symbol_is_ever_nan_or_infinite(close: list[float], volume: list[float], window: int) -> None:
    assert_fit_to_leave(symbol_metrics(symbol_window(close, volume, window)))


@settings(deadline=None, max_examples=300)
@given(rows=st.lists(st.tuples(DEGENERATE, DEGENERATE), max_size=40), window=st.integers(3, 30))
def test_no_metric_of_a_pair_is_ever_nan_or_infinite(rows: list[tuple[float, float]], window: int) -> None:
    y, x = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assert_fit_to_leave(pair_metrics(PairWindow(y, x, 3, window, 525_600.0)))


@pytest.mark.parametrize("window", [2, 3, 30])
@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_of_fewer_observations_than_a_metric_needs_nothing_else_is_said(window: int, slope: float) -> None:
    line = 5.0 + slope * np.arange(1.0, window + 1.0)
    apart = by_scope({name: metric for name, metric in CATALOGUE.items() if metric.about != "tape"})
    found = pair_metrics(PairWindow(line, line[::-1].copy(), 0, window, 1.0), apart["pair"])
    found |= symbol_metrics(symbol_window(list(line), [1.0] * window, window), apart["symbol"])
    reasons = {name: value.reason for name, value in found.items() if value.n < CATALOGUE[name].fewest}
    assert reasons == dict.fromkeys(reasons, Reason.TOO_FEW)


def test_only_the_named_metrics_are_computed_in_the_order_named() -> None:
    window = symbol_window([1.0, 2.0], [1.0], 2)
    assert list(symbol_metrics(window, ["vwap", "last_price"])) == ["vwap", "last_price"]


def test_an_unknown_metric_names_the_nearest_known_one() -> None:
    with pytest.raises(UnknownName, match="did you mean spread_z") as caught:
        find("spred_z")
    assert (caught.value.code, caught.value.http_status) == ("unknown_metric", 404)


def test_a_metric_of_a_pair_is_unknown_to_a_symbol_and_the_cure_says_where_it_is() -> None:
    with pytest.raises(UnknownName, match="no metric of a symbol named 'beta'") as caught:
        symbol_metrics(symbol_window([1.0], [1.0], 2), ["beta"])
    assert caught.value.cure == "it is one of a pair: ask /analytics/pair"
    with pytest.raises(UnknownName, match="no metric of a pair named 'rsi'") as caught:
        find("rsi", "pair")
    assert caught.value.cure == "it is one of a symbol: ask /analytics/{symbol}"


def test_an_unlike_name_is_answered_with_all_that_are_known() -> None:
    with pytest.raises(UnknownName, match="known: last_price, last_return"):
        find("???")


def test_every_metric_is_computed_without_the_libraries_of_the_tests() -> None:
    program = "import sys\n"
    program += "sys.modules |= dict.fromkeys(('scipy', 'pandas', 'statsmodels', 'arch', 'mpmath', 'pyarrow'))\n"
    program += "from pairscope.analytics import warm\nwarm.warm_up()\nprint('done')"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "done"


def test_warming_up_compiles_every_kernel() -> None:
    warm.warm_up()
