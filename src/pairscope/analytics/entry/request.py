"""Metrics as they are asked for in words: ``rsi``, ``rsi:period=21``, ``lead_lag:reach_ms=2000:step_ms=5``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.estimators.terms import ALL_TERMS, Terms
from pairscope.analytics.registry import CATALOGUE, find
from pairscope.analytics.values import Value
from pairscope.base.errors import RequestError, UnknownName, nearest
from pairscope.base.reading import ascii_lower

MOST_WANTED = 200
Scope = Literal["symbol", "pair"]


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """A metric with its parameters, under the name it was asked for by."""

    name: str
    metric: Metric
    parameters: Mapping[str, float | int | str]

    def compute(self, window: Any) -> Value:
        """The metric of a `SymbolWindow` or a `PairWindow`."""
        return self.metric.compute(window, **self.parameters)


def want(text: str, scope: Scope, terms: Terms | None = None) -> MetricRequest:
    """Read a metric's name with its parameters.

    Args:
        terms: of a pair, for metrics that name none of their own.

    Raises:
        UnknownName: for a metric or a parameter nobody knows, with the nearest one as the cure.
        RequestError: for a value outside of what the catalogue allows.

    >>> want("RSI:period=21", "symbol").name
    'rsi:period=21'
    >>> want("beta:intercept=false", "pair", Terms(method="huber")).parameters
    {'method': 'huber', 'prices': 'log', 'intercept': 'false'}
    """
    name, *given = (part.strip() for part in ascii_lower(text).split(":"))
    metric = find(name, scope)
    known = {parameter.name: parameter for parameter in metric.parameters}
    usual = {} if terms is None else terms.parameters
    values: dict[str, float | int | str] = {key: value for key, value in usual.items() if key in known}
    asked = _asked(given, metric, known)
    values |= {key: known[key].read(value) for key, value in asked.items()}
    own_name = ":".join([metric.name, *(f"{key}={values[key]}" for key in known if key in asked)])
    return MetricRequest(own_name, metric, values)


def want_all(names: Iterable[str], scope: Scope, terms: Terms | None = None) -> list[MetricRequest]:
    """Several metrics; ``bar`` stands for those of every bar and ``all`` for the whole catalogue of the scope.

    Raises:
        UnknownName, RequestError: as `want`.
    """
    wanted: dict[str, MetricRequest] = {}
    for name in names:
        for text in _spelled_out(ascii_lower(name.strip()), scope):
            one = want(text, scope, terms)
            wanted[one.name] = one
    if len(wanted) > MOST_WANTED:
        raise RequestError(f"{len(wanted)} metrics at once", cure=f"ask for at most {MOST_WANTED}")
    return list(wanted.values())


def _spelled_out(name: str, scope: Scope) -> Sequence[str]:
    if name == "bar":
        return [metric.name for metric in CATALOGUE.values() if metric.scope == scope and metric.cadence == "bar"]
    if name == "all":
        return [metric.name for metric in CATALOGUE.values() if metric.scope == scope]
    return [name]


def _asked(given: Iterable[str], metric: Metric, known: Mapping[str, object]) -> dict[str, str]:
    """The parameters given, read by the rule of every request: one without a value counts as not given."""
    asked: dict[str, str] = {}
    for key, value in (_named_value(part, metric, known) for part in given if part):
        if key in asked:
            raise RequestError(f"'{key}' of {metric.name} is given more than once", cure="give it once")
        asked[key] = value
    return {key: value for key, value in asked.items() if value}


def _named_value(text: str, metric: Metric, known: Mapping[str, object]) -> tuple[str, str]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if key in known and equals:
        return key, value
    guess = nearest(key, known)
    cure = f"did you mean {metric.name}:{guess}=...?" if guess else f"write {metric.name}:name=value"
    if not known:
        cure = "it takes none"
    elif not guess:
        cure += f"; known: {', '.join(known)}"
    raise UnknownName(f"{metric.name} has no parameter '{text[:40]}'", cure=cure, code="unknown_parameter")


# What is computed with every bar, and everything else that is said of a pair.
SYMBOL_BAR = tuple(want_all(["bar"], "symbol"))
PAIR_BAR: Mapping[Terms, tuple[MetricRequest, ...]] = {
    terms: tuple(want_all(["bar"], "pair", terms)) for terms in ALL_TERMS
}
_CRITICAL = [f"{name}:level={level}" for name in ("coint_crit", "spread_adf_crit") for level in ("1", "5", "10")]
PAIR_TESTS: Mapping[Terms, tuple[MetricRequest, ...]] = {
    terms: tuple(want_all(["all", *_CRITICAL], "pair", terms)) for terms in ALL_TERMS
}
