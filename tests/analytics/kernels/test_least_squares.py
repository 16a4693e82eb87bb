from __future__ import annotations

import numpy as np
import pytest

from pairscope.analytics.kernels.least_squares import centre, reflect, squares_from


def test_reflecting_solves_least_squares_like_lapack() -> None:
    design = np.random.default_rng(1).normal(size=(5, 60))
    y = np.random.default_rng(2).normal(size=60)
    columns = np.concatenate([design, y[np.newaxis]])
    assert reflect(columns, 5)
    triangle = np.tril(columns[:5, :5]).T
    expected, squares, *_ = np.linalg.lstsq(design.T, y)
    np.testing.assert_allclose(np.linalg.solve(triangle, columns[5, :5]), expected, rtol=1e-12)
    assert squares_from(columns[5], 5) == pytest.approx(squares[0], rel=1e-12)
    np.testing.assert_allclose(triangle.T @ triangle, design @ design.T, rtol=1e-12, atol=1e-12)
    assert np.count_nonzero(np.triu(columns[:5], 1)) == 0


def test_dependent_columns_are_refused() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 40))
    assert not reflect(np.array([a, b, a - 2 * b, b]), 3)
    assert not reflect(np.array([np.zeros(40), b]), 1)


def test_a_column_that_is_nearly_an_axis_loses_no_digits() -> None:
    columns = np.array([[1.0, 1e-9, 0.0, 0.0], [0.0, 1.0, 0.0, 1e-9], [3.0, 4.0, 5.0, 0.0]])
    assert reflect(columns, 2)
    assert squares_from(columns[2], 2) == pytest.approx(25.0, rel=1e-12)
    assert np.isfinite(columns).all()


def test_as_many_columns_as_rows_are_allowed() -> None:
    columns = np.random.default_rng(4).normal(size=(4, 4))
    assert reflect(columns.copy(), 4)
    assert not reflect(np.concatenate([columns, columns[:1]]), 5)


def test_centring_keeps_the_digits_of_values_far_from_zero() -> None:
    small = np.random.default_rng(5).integers(-8, 8, size=(2, 63)) / 8.0
    columns = small + 2.0**33
    centre(columns)
    np.testing.assert_allclose(columns, small - small.mean(axis=1, keepdims=True), rtol=0, atol=1e-14)
