from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.clustering import cluster, correlation_matrix, distances
from pairscope.analytics.registry import pair_metrics
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray, IntArray


def groups(seed: int, sizes: tuple[int, ...], count: int = 301, missing: float = 0.0) -> FloatArray:
    """Log closes of symbols that move together within each group."""
    random = np.random.default_rng(seed)
    shared = [np.tile(random.normal(0, 1e-3, count), (size, 1)) for size in sizes]
    steps = np.concatenate(shared) + random.normal(0, 5e-4, (sum(sizes), count))
    closes = 11.0 + np.cumsum(steps, axis=1)
    closes[random.random(closes.shape) < missing] = np.nan
    return closes


def same_groups(one: IntArray, other: IntArray) -> bool:
    return np.array_equal(one[:, None] == one, other[:, None] == other)


@settings(deadline=None, max_examples=80)
@given(seed=st.integers(0, 2**32), k=st.integers(2, 40), cut=st.floats(0.0, 2.0))
def test_the_tree_equals_scipys(seed: int, k: int, cut: float) -> None:
    points = np.random.default_rng(seed).normal(0, 1, (k, 3))
    distance = np.sqrt(((points[:, None] - points) ** 2).sum(axis=2))
    tree = cluster(distance, cut)
    expected = linkage(squareform(distance, checks=False), "average")
    np.testing.assert_array_equal(np.column_stack([tree.left, tree.right, tree.size]), expected[:, [0, 1, 3]])
    np.testing.assert_allclose(tree.height, expected[:, 2], rtol=1e-12)
    assert same_groups(tree.label, fcluster(expected, cut, "distance"))
    assert sorted(tree.order.tolist()) == list(range(k))


def test_symbols_that_move_together_are_grouped() -> None:
    closes = groups(1, (4, 3, 1))[[0, 4, 7, 1, 5, 2, 6, 3]]
    tree = cluster(distances(correlation_matrix(closes, 300, 7).matrix))
    assert same_groups(tree.label, np.array([0, 1, 2, 0, 1, 0, 1, 0]))
    names = tree.label[tree.order]
    assert np.all(np.diff(names) >= 0)
    assert set(names.tolist()) == {0, 1, 2}


def test_equal_distances_are_all_joined() -> None:
    tree = cluster(1.0 - np.eye(5), cut=1.0)
    assert tree.label.tolist() == [0] * 5
    assert tree.height.tolist() == [1.0] * 4


def test_one_symbol_or_none_is_no_trouble() -> None:
    assert cluster(np.zeros((1, 1))).label.tolist() == [0]
    assert cluster(np.zeros((0, 0))).order.tolist() == []


@pytest.mark.parametrize(
    "distance", [np.zeros((2, 3)), np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([[0.0, np.nan], [np.nan, 0.0]])]
)
def test_what_is_no_matrix_of_distances_is_refused(distance: FloatArray) -> None:
    with pytest.raises(RequestError, match="symmetric square matrix"):
        cluster(distance)


def test_the_matrix_has_the_bits_of_the_pairs() -> None:
    closes = groups(2, (3, 3), missing=0.05)
    found = {on: correlation_matrix(closes, 200, 7, on) for on in ("returns", "levels")}
    names = {"returns": "correlation", "levels": "correlation_levels"}
    for y in range(6):
        for x in range(y + 1, 6):
            values = pair_metrics(PairWindow(closes[y], closes[x], 7, 200, 1.0), names.values())
            for on, name in names.items():
                assert found[on].matrix[y, x] == found[on].matrix[x, y] == values[name].value
                assert found[on].n[y, x] == found[on].n[x, y] == values[name].n


def test_what_is_not_known_is_not_a_number_and_of_middle_distance() -> None:
    closes = groups(3, (3, 1))
    closes[2, :200] = np.nan
    closes[3] = 11.0
    found = correlation_matrix(closes, 300, 0)
    assert np.isfinite(found.matrix[0, 1])
    assert np.isnan(found.matrix[[0, 0, 2], [2, 3, 2]]).all()
    assert np.diagonal(found.matrix)[[0, 1, 3]].tolist() == [1.0] * 3
    assert np.diagonal(found.n).tolist() == [299, 299, 100, 299]
    distance = distances(found.matrix)
    assert distance[0, 2] == np.sqrt(2.0)
    assert np.diagonal(distance).tolist() == [0.0] * 4


def test_a_correlation_beyond_one_is_no_distance_below_zero() -> None:
    assert distances(np.array([[1.0, 1.2], [1.2, 1.0]])).tolist() == [[0.0, 0.0], [0.0, 0.0]]
