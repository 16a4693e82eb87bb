"""Which symbols move together: a matrix of correlations, and the groups it falls into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pairscope.analytics.estimators.panel import correlations_of
from pairscope.base.errors import RequestError
from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray, IntArray

DEFAULT_CUT = 0.9  # joins symbols whose correlations average about 0.6


@dataclass(frozen=True, slots=True)
class Correlations:
    """Correlation of every symbol with every other, and how many positions each was computed from."""

    matrix: FloatArray  # float64[k, k]; NaN where it cannot be given
    n: IntArray  # int64[k, k]


@dataclass(frozen=True, slots=True)
class Clusters:
    """A tree of symbols, and the groups below one height of it."""

    label: IntArray  # the group of each symbol, numbered from 0 in the order of `order`
    order: IntArray  # symbols from left to right under the tree: neighbours are alike
    left: IntArray  # the two clusters of each join: a symbol below k, else k + the join that made it
    right: IntArray
    height: FloatArray  # mean distance of the two, never falling
    size: IntArray  # symbols in the joined cluster


def correlation_matrix(
    log_close: FloatArray, window: int, first_index: int, on: Literal["returns", "levels"] = "returns"
) -> Correlations:
    """Pearson correlations over the newest window, with the bits of the pairs' own `correlation`.

    Args:
        log_close: log closes on one grid of bars, float64[symbols, bars], oldest first, NaN where missing.
        window: bars in the window, at least 3.
        first_index: absolute index of the first bar.
        on: returns between neighbouring bars, or levels, which are prone to spurious values.

    Each pair uses the positions where both are present, and is NaN when they are less than half of the window or when
    one does not move. Of a symbol with itself the correlation is 1.
    """
    k = len(log_close)
    rows, columns = np.triu_indices(k, 1)
    n, found = correlations_of(log_close, rows, columns, window, first_index, on)
    matrix = np.full((k, k), np.nan)
    counts = np.zeros((k, k), np.int64)
    matrix[rows, columns] = matrix[columns, rows] = found
    counts[rows, columns] = counts[columns, rows] = n
    newest = log_close[:, max(0, log_close.shape[1] - window) :]
    present = np.isfinite(newest if on == "levels" else np.diff(newest, axis=1))
    np.fill_diagonal(counts, present.sum(axis=1))
    np.fill_diagonal(matrix, np.where(2 * np.diagonal(counts) >= window - (on == "returns"), 1.0, np.nan))
    return Correlations(matrix, counts)


def distances(correlation: FloatArray) -> FloatArray:
    """sqrt(2 (1 - correlation)): 0 for the same movement, 2 for the opposite; sqrt(2) where it is not known.

    Reference: R. N. Mantegna, "Hierarchical structure in financial markets", European Physical Journal B 11, 1999.

    >>> distances(np.array([[1.0, 0.5], [0.5, 1.0]])).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    known = np.where(np.isfinite(correlation), np.clip(correlation, -1.0, 1.0), 0.0)
    distance = np.sqrt(2.0 * (1.0 - known))
    np.fill_diagonal(distance, 0.0)
    return distance


def cluster(distance: FloatArray, cut: float = DEFAULT_CUT) -> Clusters:
    """Average linkage (UPGMA) by chains of nearest neighbours, cut at a distance.

    Two clusters are as far apart as their members are on average. Groups are what is joined at a height <= cut.

    Args:
        distance: symmetric, finite, zeros on the diagonal, float64[k, k].
        cut: the height.

    Raises:
        RequestError: when the distances are not such a matrix.

    Reference: F. Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The Computer
    Journal 26, 1983; D. Müllner, arXiv 1109.2378.

    >>> tree = cluster(np.array([[0.0, 0.1, 1.0], [0.1, 0.0, 0.8], [1.0, 0.8, 0.0]]), cut=0.5)
    >>> tree.label.tolist(), tree.height.round(3).tolist()
    ([1, 1, 0], [0.1, 0.9])
    """
    k = len(distance)
    if distance.shape != (k, k) or not np.all(np.isfinite(distance)) or not np.array_equal(distance, distance.T):
        raise RequestError(
            f"distances of shape {distance.shape}", cure="give a symmetric square matrix of finite numbers"
        )
    joins, heights = _chain(distance.copy())
    ascending = np.argsort(heights, kind="stable")
    left, right, size, label = _tree(joins[ascending], heights[ascending], k, cut)
    order = _leaves(left, right, k)
    _, first_seen = np.unique(label[order], return_index=True)
    names = np.empty(k, np.int64)
    names[label[order][np.sort(first_seen)]] = np.arange(len(first_seen))
    return Clusters(names[label], order, left, right, heights[ascending], size)


@kernel
def _chain(distance: FloatArray) -> tuple[IntArray, FloatArray]:
    """Pairs of representatives in the order they were joined, and the heights; destroys the distances."""
    k = len(distance)
    joins = np.zeros((max(0, k - 1), 2), np.int64)
    heights = np.zeros(max(0, k - 1))
    size = np.ones(k)
    alive = np.ones(k, np.bool_)
    chain = np.zeros(k, np.int64)
    length = 0
    for done in range(k - 1):
        if length == 0:
            chain[0] = np.argmax(alive)
            length = 1
        while True:
            at = chain[length - 1]
            before = chain[length - 2] if length > 1 else -1
            nearest = before
            least = distance[at, before] if length > 1 else np.inf
            for other in range(k):
                if alive[other] and other != at and distance[at, other] < least:
                    least = distance[at, other]
                    nearest = other
            if nearest == before:
                break
            chain[length] = nearest
            length += 1
        length -= 2
        keep = max(at, before)
        gone = min(at, before)
        joins[done, 0] = gone
        joins[done, 1] = keep
        heights[done] = least
        total = size[keep] + size[gone]
        for other in range(k):
            if alive[other] and other not in (keep, gone):
                mean = (size[keep] * distance[keep, other] + size[gone] * distance[gone, other]) / total
                distance[keep, other] = mean
                distance[other, keep] = mean
        alive[gone] = False
        size[keep] = total
    return joins, heights


@kernel
def _tree(joins: IntArray, heights: FloatArray, k: int, cut: float) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Clusters and sizes of each join in the order of heights, and for each symbol a number its group shares."""
    left = np.zeros(len(joins), np.int64)
    right = np.zeros(len(joins), np.int64)
    size = np.zeros(len(joins), np.int64)
    parent = np.arange(k)
    name = np.arange(k)
    members = np.ones(k, np.int64)
    label = np.arange(k)
    for i in range(len(joins)):
        a = _root(parent, joins[i, 0])
        b = _root(parent, joins[i, 1])
        left[i] = min(name[a], name[b])
        right[i] = max(name[a], name[b])
        parent[a] = b
        members[b] += members[a]
        size[i] = members[b]
        name[b] = k + i
        if heights[i] <= cut:
            for symbol in range(k):
                if _root(parent, symbol) == b:
                    label[symbol] = b
    return left, right, size, label


@kernel
def _root(parent: IntArray, symbol: int) -> int:
    while parent[symbol] != symbol:
        symbol = parent[symbol]
    return symbol


def _leaves(left: IntArray, right: IntArray, k: int) -> IntArray:
    order = []
    open_nodes = [k + len(left) - 1] if k else []
    while open_nodes:
        node = open_nodes.pop()
        if node < k:
            order.append(node)
        else:
            open_nodes += [int(right[node - k]), int(left[node - k])]
    return np.array(order, np.int64)
