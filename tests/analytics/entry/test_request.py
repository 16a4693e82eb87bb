"""Metrics asked for in words."""

from __future__ import annotations

import numpy as np
import pytest

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.hedge import METHODS
from pairscope.analytics.estimators.terms import ALL_TERMS, USUAL, Terms
from pairscope.analytics.registry import (
    CATALOGUE,
    MOST_REQUESTS,
    PAIR_BAR,
    PAIR_TESTS,
    SYMBOL_BAR,
    metric_request,
    metric_requests,
)
from pairscope.base.errors import PairscopeError


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
def test_every_metric_can_be_asked_for_with_each_default_written_out(metric) -> None:  # type: ignore[no-untyped-def]
    given = "".join(f":{one.name}={one.default}" for one in metric.parameters)
    wanted = metric_request(f" {metric.name.upper()}{given} ", metric.scope)
    assert wanted.metric is metric
    assert wanted.parameters == {one.name: one.default for one in metric.parameters}
    assert metric_request(wanted.name, metric.scope) == wanted


@pytest.mark.parametrize(
    ("text", "message", "cure"),
    [
        ("rsii", "no metric of a symbol named 'rsii'", "did you mean rsi?"),
        ("beta", "no metric of a symbol named 'beta'", "it is one of a pair"),
        ("rsi:perod=3", "rsi has no parameter 'perod=3'", "did you mean rsi:period=...?"),
        ("rsi:zzzz=3", "rsi has no parameter 'zzzz=3'", "write rsi:name=value; known: period"),
        ("rsi:period", "rsi has no parameter 'period'", "did you mean rsi:period=...?"),
        ("vwap:period=3", "vwap has no parameter 'period=3'", "it takes none"),
        ("rsi:period=0", "'period' cannot be '0'", "give a whole number from 1 to 10,000"),
        ("rsi:period=2.5", "'period' cannot be '2.5'", "give a whole number from 1 to 10,000"),
        ("rsi:period=3:period=", "'period' of rsi is given more than once", "give it once"),
        ("rsi:period=1_4", "'period' cannot be '1_4'", "give a whole number from 1 to 10,000"),
        ("rsi:period=١", "'period' cannot be '١'", "give a whole number from 1 to 10,000"),
        ("signal:threshold=nan", "'threshold' cannot be 'nan'", "give a number from 0.0 to 100.0"),
        ("signal:threshold=1e9", "'threshold' cannot be '1e9'", "give a number from 0.0 to 100.0"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_the_cure(text: str, message: str, cure: str) -> None:
    with pytest.raises(PairscopeError) as caught:
        metric_request(text, "symbol")
    assert caught.value.message == message
    assert caught.value.cure.startswith(cure)


def test_a_choice_outside_of_the_catalogue_is_refused() -> None:
    with pytest.raises(PairscopeError, match="choose from ols, huber"):
        metric_request("beta:method=ransac", "pair")


def test_the_method_of_a_request_is_that_of_every_metric_that_names_none() -> None:
    wanted = metric_requests(["beta", "spread:method=tls", "correlation"], "pair", Terms("huber"))
    usual = {"prices": "log", "intercept": "true"}
    assert [one.parameters for one in wanted] == [{"method": "huber"} | usual, {"method": "tls"} | usual, {}]
    assert [one.name for one in wanted] == ["beta", "spread:method=tls", "correlation"]


def test_groups_stand_for_their_metrics_and_nothing_is_computed_twice() -> None:
    names = [one.name for one in metric_requests(["bar", "all", "RSI", "rsi:period=3"], "symbol")]
    assert names == [*(name for name, metric in CATALOGUE.items() if metric.scope == "symbol"), "rsi:period=3"]


def test_too_many_metrics_at_once_are_refused() -> None:
    with pytest.raises(PairscopeError, match=f"at most {MOST_REQUESTS}"):
        metric_requests([f"rsi:period={period}" for period in range(1, MOST_REQUESTS + 2)], "symbol")


def test_what_is_computed_with_each_bar_needs_bars_alone() -> None:
    assert not any({"trades", "history"} & set(one.metric.needs) for one in (*SYMBOL_BAR, *PAIR_BAR[USUAL]))
    assert {one.metric.cadence for one in (*SYMBOL_BAR, *PAIR_BAR[USUAL])} == {"bar"}


@pytest.mark.parametrize("terms", ALL_TERMS, ids=lambda terms: ":".join(terms.parts))
def test_the_tests_of_a_pair_are_the_whole_catalogue_and_all_critical_values(terms: Terms) -> None:
    names = {one.name for one in PAIR_TESTS[terms]}
    assert names >= {name for name, metric in CATALOGUE.items() if metric.scope == "pair"}
    assert names >= {"coint_crit:level=1", "coint_crit:level=5", "spread_adf_crit:level=10"}


def test_parameters_reach_the_function() -> None:
    rng = np.random.default_rng(1)
    x = np.cumsum(rng.normal(size=100))
    window = PairWindow(0.5 * x + rng.standard_t(2, size=100), x, 0, 100, 1.0)
    found = {method: metric_request(f"beta:method={method}", "pair").compute(window).value for method in METHODS}
    assert found["huber"] == window.hedge("huber").beta
    assert len(set(found.values())) == len(METHODS)


def test_a_parameter_without_a_value_counts_as_not_given() -> None:
    assert (
        metric_request("rsi:period=", "symbol") == metric_request("rsi:", "symbol") == metric_request("rsi", "symbol")
    )


def test_a_method_is_known_by_the_name_others_give_it() -> None:
    assert metric_request("beta:method=Robust", "pair").parameters == {"method": "huber"}
