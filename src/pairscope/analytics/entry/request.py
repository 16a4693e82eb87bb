"""Metrics as they are asked for in words: ``rsi``, ``rsi:period=21``, ``lead_lag:reach_ms=2000:step_ms=5``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.values import Value
from pairscope.base.errors import RequestError, UnknownName, nearest

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


def request_of(metric: Metric, given: Iterable[str], terms: Terms | None = None) -> MetricRequest:
    """A metric with the parameters that are given in words, ``period=21``.

    Args:
        terms: of a pair, for metrics that name none of their own.

    Raises:
        UnknownName: for a parameter nobody knows, with the nearest one as the cure.
        RequestError: for a value outside of what the parameter allows.
    """
    known = {parameter.name: parameter for parameter in metric.parameters}
    usual = {} if terms is None else terms.parameters
    values: dict[str, float | int | str] = {key: value for key, value in usual.items() if key in known}
    asked = _asked(given, metric, known)
    values |= {key: known[key].read(value) for key, value in asked.items()}
    own_name = ":".join([metric.name, *(f"{key}={values[key]}" for key in known if key in asked)])
    return MetricRequest(own_name, metric, values)


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
