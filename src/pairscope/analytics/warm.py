"""Compile this room's kernels ahead of their first use."""

from __future__ import annotations

import numpy as np

from pairscope.analytics.entry.window import PairWindow, SymbolWindow
from pairscope.analytics.estimators.clustering import cluster, correlation_matrix, distances
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks, series_of
from pairscope.analytics.estimators.hedge import METHODS
from pairscope.analytics.estimators.panel import pair_columns
from pairscope.analytics.registry import BY_SCOPE, pair_metrics, symbol_metrics


def warm_up_live() -> None:
    """Compile the kernels of what is computed for every bar, or load them from disk."""
    line = np.arange(1.0, 129.0)
    symbol_metrics(SymbolWindow(line, line, line, line, line.astype(np.int64), 1.0, 0, 128, None, line, line))
    pair_metrics(PairWindow(line, np.sin(line), 0, 128, 1.0))


def warm_up() -> None:
    """Compile every kernel, or load it from disk: seconds the first time, so call it in a background thread."""
    count = 128
    line = np.arange(1.0, count + 1.0)
    wave = np.sin(line)
    trades, history = line.astype(np.int64), 2.0 + np.sin(np.arange(600.0))
    symbol_metrics(SymbolWindow(line, line, line, line, trades, 1.0, 0, count, history, line, line), BY_SCOPE["symbol"])
    series = series_of(line.astype(np.int64) * 10_000, line)
    window = PairWindow(line, wave, 0, count, 1.0, PairTicks(series, series))
    pair_metrics(window, BY_SCOPE["pair"])
    for method in METHODS:
        for view in (window, window.on("log", False)):
            view.hedge(method)
    rows = np.array([line, wave])
    pair_columns(rows, np.array([0]), np.array([1]), count, 0)
    cluster(distances(correlation_matrix(rows, count, 0).matrix))
