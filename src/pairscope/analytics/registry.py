"""Every metric by its name: the one list that API, alerts, exports, dashboard and documentation are made from.

To add a metric, write one function that takes a window and returns a `Value` into a module of `metrics`, and declare it
with `Metric`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pairscope.analytics.entry.metric import Metric, collect
from pairscope.analytics.entry.request import MetricRequest, Scope, request_of
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.terms import ALL_TERMS, Terms
from pairscope.analytics.metrics import (
    asynchronous,
    cointegration,
    health,
    hedge,
    indicators,
    johansen,
    mean_reversion,
    price,
    ranges,
    significance,
    stability,
    stationarity,
    volatility,
)
from pairscope.analytics.values import Value
from pairscope.base.errors import RequestError, UnknownName, nearest
from pairscope.base.reading import ascii_lower

MOST_REQUESTS = 200

CATALOGUE: Mapping[str, Metric] = collect(
    price,
    indicators,
    ranges,
    volatility,
    hedge,
    significance,
    stationarity,
    cointegration,
    johansen,
    mean_reversion,
    stability,
    asynchronous,
    health,
)


def symbol_metrics(window: SymbolWindow, names: Iterable[str] | None = None) -> dict[str, Value]:
    """Metrics of a symbol by name: the named ones, or all that are computed with each bar.

    Raises:
        UnknownName: with the nearest metric of a symbol as the cure.
    """
    return {metric.name: metric.compute(window) for metric in _chosen("symbol", names)}


def pair_metrics(
    window: PairWindow, names: Iterable[str] | None = None, terms: Terms | None = None
) -> dict[str, Value]:
    """Metrics of a pair by name: the named ones, or all that are computed with each bar; on the terms of the window,
    or on others.

    Raises:
        UnknownName: with the nearest metric of a pair as the cure.
    """
    own = {} if terms is None else terms.parameters
    values = {}
    for metric in _chosen("pair", names):
        taken = {parameter.name for parameter in metric.parameters}
        values[metric.name] = metric.compute(window, **{key: value for key, value in own.items() if key in taken})
    return values


def find(name: str, scope: Literal["symbol", "pair"] | None = None) -> Metric:
    """The entry of a metric, of any scope or of the given one.

    Raises:
        UnknownName: with the nearest known metric as the cure.
    """
    known = CATALOGUE if scope is None else BY_SCOPE[scope]
    if name in known:
        return known[name]
    guess = nearest(name, known)
    cure = f"did you mean {guess}?" if guess else f"known: {', '.join(known)}"
    if name in CATALOGUE:
        other = CATALOGUE[name].scope
        cure = f"it is one of a {other}: ask /analytics/{'pair' if other == 'pair' else '{symbol}'}"
    kind = f" of a {scope}" if scope else ""
    raise UnknownName(f"no metric{kind} named '{name[:40]}'", cure=cure, code="unknown_metric")


def by_scope(metrics: Mapping[str, Metric]) -> Mapping[str, Mapping[str, Metric]]:
    """The metrics of symbols and those of pairs apart."""
    return {
        scope: {name: metric for name, metric in metrics.items() if metric.scope == scope}
        for scope in ("symbol", "pair")
    }


BY_SCOPE = by_scope(CATALOGUE)


def metric_request(text: str, scope: Scope, terms: Terms | None = None) -> MetricRequest:
    """Read a metric's name with its parameters.

    Args:
        terms: of a pair, for metrics that name none of their own.

    Raises:
        UnknownName: for a metric or a parameter nobody knows, with the nearest one as the cure.
        RequestError: for a value outside of what the catalogue allows.

    >>> metric_request("RSI:period=21", "symbol").name
    'rsi:period=21'
    >>> metric_request("beta:intercept=false", "pair", Terms(method="huber")).parameters
    {'method': 'huber', 'prices': 'log', 'intercept': 'false'}
    """
    name, *given = (part.strip() for part in ascii_lower(text).split(":"))
    return request_of(find(name, scope), given, terms)


def metric_requests(names: Iterable[str], scope: Scope, terms: Terms | None = None) -> list[MetricRequest]:
    """Several metrics; ``bar`` stands for those of every bar and ``all`` for the whole catalogue of the scope.

    Raises:
        UnknownName, RequestError: as `metric_request`.
    """
    requests: dict[str, MetricRequest] = {}
    for name in names:
        for text in _spelled_out(ascii_lower(name.strip()), scope):
            one = metric_request(text, scope, terms)
            requests[one.name] = one
    if len(requests) > MOST_REQUESTS:
        raise RequestError(f"{len(requests)} metrics at once", cure=f"ask for at most {MOST_REQUESTS}")
    return list(requests.values())


def _spelled_out(name: str, scope: Scope) -> Sequence[str]:
    if name == "bar":
        return [metric.name for metric in CATALOGUE.values() if metric.scope == scope and metric.cadence == "bar"]
    if name == "all":
        return [metric.name for metric in CATALOGUE.values() if metric.scope == scope]
    return [name]


def _chosen(scope: Literal["symbol", "pair"], names: Iterable[str] | None) -> Iterable[Metric]:
    if names is None:
        return [metric for metric in BY_SCOPE[scope].values() if metric.cadence == "bar"]
    return [find(name, scope) for name in names]


# What is computed with every bar, and everything else that is said of a pair.
SYMBOL_BAR = tuple(metric_requests(["bar"], "symbol"))
PAIR_BAR: Mapping[Terms, tuple[MetricRequest, ...]] = {
    terms: tuple(metric_requests(["bar"], "pair", terms)) for terms in ALL_TERMS
}
_CRITICAL = [f"{name}:level={level}" for name in ("coint_crit", "spread_adf_crit") for level in ("1", "5", "10")]
PAIR_TESTS: Mapping[Terms, tuple[MetricRequest, ...]] = {
    terms: tuple(metric_requests(["all", *_CRITICAL], "pair", terms)) for terms in ALL_TERMS
}
