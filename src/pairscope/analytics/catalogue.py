"""Every metric by its name: the one list that API, alerts, exports, dashboard and documentation are made from.

To add a metric, write one function that takes a window and returns a `Value`, and one `Metric` entry in the ``METRICS``
of its module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from pairscope.analytics import pairs, prices
from pairscope.analytics.metric import Metric, Parameter, collect
from pairscope.analytics.values import Reason, Value
from pairscope.analytics.windows import PairWindow, SymbolWindow
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
]

CATALOGUE: Mapping[str, Metric] = collect(prices.METRICS, pairs.METRICS)


def symbol_metrics(window: SymbolWindow, names: Iterable[str] | None = None) -> dict[str, Value]:
    """Metrics of a symbol by name: the named ones, or all.

    Raises:
        UnknownName: with the nearest metric of a symbol as the cure.
    """
    return {metric.name: metric.compute(window) for metric in _chosen("symbol", names)}


def pair_metrics(window: PairWindow, names: Iterable[str] | None = None) -> dict[str, Value]:
    """Metrics of a pair by name: the named ones, or all; with default parameters.

    Raises:
        UnknownName: with the nearest metric of a pair as the cure.
    """
    return {metric.name: metric.compute(window) for metric in _chosen("pair", names)}


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
    kind = f" of a {scope}" if scope else ""
    raise UnknownName(f"no metric{kind} named '{name[:40]}'", cure=cure, code="unknown_metric")


def warm_up() -> None:
    """Compile every kernel, or load it from disk: seconds the first time, so call it in a background thread."""
    line = np.arange(4.0)
    symbol_metrics(SymbolWindow(line, line, line, line, line.astype(np.int64), 1.0, 0, 4))
    pair_metrics(PairWindow(line, line * line, 0, 4, 1.0))


def by_scope(metrics: Mapping[str, Metric]) -> Mapping[str, Mapping[str, Metric]]:
    """The metrics of symbols and those of pairs apart."""
    return {
        scope: {name: metric for name, metric in metrics.items() if metric.scope == scope}
        for scope in ("symbol", "pair")
    }


_BY_SCOPE = by_scope(CATALOGUE)


def _chosen(scope: Literal["symbol", "pair"], names: Iterable[str] | None) -> Iterable[Metric]:
    return _BY_SCOPE[scope].values() if names is None else [find(name, scope) for name in names]
