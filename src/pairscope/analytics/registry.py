"""Every metric by its name: the one list that API, alerts, exports, dashboard and documentation are made from.

To add a metric, write one function that takes a window and returns a `Value`, and one `Metric` entry in the ``METRICS``
of its module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from pairscope.analytics.entry.metric import Metric, Parameter, collect
from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators import cusum
from pairscope.analytics.estimators.clustering import cluster, correlation_matrix, distances
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks, tape_of
from pairscope.analytics.estimators.hedge import METHODS
from pairscope.analytics.estimators.panel import pair_columns
from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.metrics import asynchronous as trade_pairs
from pairscope.analytics.metrics import cointegration as stationarity
from pairscope.analytics.metrics import health, indicators, significance, volatility
from pairscope.analytics.metrics import hedge as pairs
from pairscope.analytics.metrics import mean_reversion as reversion
from pairscope.analytics.metrics import price as prices
from pairscope.analytics.values import Reason, Value
from pairscope.base.errors import UnknownName, nearest

__all__ = [
    "CATALOGUE",
    "Metric",
    "PairWindow",
    "Parameter",
    "Reason",
    "SymbolWindow",
    "Value",
    "find",
    "pair_metrics",
    "symbol_metrics",
    "warm_up",
    "warm_up_live",
]

CATALOGUE: Mapping[str, Metric] = collect(
    prices.METRICS,
    indicators.METRICS,
    volatility.METRICS,
    pairs.METRICS,
    significance.METRICS,
    stationarity.METRICS,
    reversion.METRICS,
    cusum.METRICS,
    trade_pairs.METRICS,
    health.METRICS,
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
    known = CATALOGUE if scope is None else _BY_SCOPE[scope]
    if name in known:
        return known[name]
    guess = nearest(name, known)
    cure = f"did you mean {guess}?" if guess else f"known: {', '.join(known)}"
    if name in CATALOGUE:
        other = CATALOGUE[name].scope
        cure = f"it is one of a {other}: ask /analytics/{'pair' if other == 'pair' else '{symbol}'}"
    kind = f" of a {scope}" if scope else ""
    raise UnknownName(f"no metric{kind} named '{name[:40]}'", cure=cure, code="unknown_metric")


def warm_up_live() -> None:
    """Compile the kernels of what is computed for every bar, or load them from disk."""
    line = np.arange(1.0, 129.0)
    symbol_metrics(SymbolWindow(line, line, line, line, line.astype(np.int64), 1.0, 0, 128))
    pair_metrics(PairWindow(line, np.sin(line), 0, 128, 1.0))


def warm_up() -> None:
    """Compile every kernel, or load it from disk: seconds the first time, so call it in a background thread."""
    count = 128
    line = np.arange(1.0, count + 1.0)
    wave = np.sin(line)
    trades, history = line.astype(np.int64), 2.0 + np.sin(np.arange(600.0))
    symbol_metrics(SymbolWindow(line, line, line, line, trades, 1.0, 0, count, history), _BY_SCOPE["symbol"])
    tape = tape_of(line.astype(np.int64) * 10_000, line)
    window = PairWindow(line, wave, 0, count, 1.0, PairTicks(tape, tape))
    pair_metrics(window, _BY_SCOPE["pair"])
    for method in METHODS:
        for view in (window, window.on("log", False)):
            view.hedge(method)
    rows = np.array([line, wave])
    pair_columns(rows, np.array([0]), np.array([1]), count, 0)
    cluster(distances(correlation_matrix(rows, count, 0).matrix))


def by_scope(metrics: Mapping[str, Metric]) -> Mapping[str, Mapping[str, Metric]]:
    """The metrics of symbols and those of pairs apart."""
    return {
        scope: {name: metric for name, metric in metrics.items() if metric.scope == scope}
        for scope in ("symbol", "pair")
    }


_BY_SCOPE = by_scope(CATALOGUE)


def _chosen(scope: Literal["symbol", "pair"], names: Iterable[str] | None) -> Iterable[Metric]:
    if names is None:
        return [metric for metric in _BY_SCOPE[scope].values() if metric.cadence == "bar"]
    return [find(name, scope) for name in names]
