"""Least squares by Householder reflections: slower than normal equations, and exact where those lose their digits."""

from __future__ import annotations

import math

from pairscope.base.jit import kernel
from pairscope.base.model import FloatArray

# A pivot below this share of its column (times the square root of the rows) is rounding.
_RANK = 1e-13


@kernel
def centre(columns: FloatArray) -> None:
    """Take from each row of an array its mean, in place; twice, for the first mean is itself rounded."""
    rows = columns.shape[1]
    for column in columns:
        for _ in range(2):
            total = 0.0
            for value in column:
                total += value - column[0]
            mean = column[0] + total / rows
            for t in range(rows):
                column[t] -= mean


@kernel
def reflect(columns: FloatArray, count: int) -> bool:
    r"""Triangularise the first `count` columns, reflecting the others along; false when they are dependent.

    Columns of the regression are the rows of ``columns``, float64[columns, observations]. Afterwards entry (j, i) with
    i <= j < count is R[i, j], and the first `count` entries of every other column y are Q'y, so that the squares of
    the rest sum to the residual sum of squares.

    Source: G. H. Golub and C. F. Van Loan, Matrix Computations, 4th edition, algorithm 5.2.1.
    """
    rows = columns.shape[1]
    for j in range(count):
        pivot = columns[j]
        whole = 0.0
        for t in range(j):
            whole += pivot[t] * pivot[t]
        below = 0.0
        for t in range(j, rows):
            below += pivot[t] * pivot[t]
        if not math.sqrt(below) > _RANK * math.sqrt(rows * (whole + below)):
            return False
        corner = -math.copysign(math.sqrt(below), pivot[j])
        first = pivot[j] - corner
        pivot[j] = first
        half_square = -corner * first  # half the square of the reflection's vector
        for k in range(j + 1, len(columns)):
            other = columns[k]
            product = 0.0
            for t in range(j, rows):
                product += pivot[t] * other[t]
            product /= half_square
            for t in range(j, rows):
                other[t] -= product * pivot[t]
        pivot[j] = corner
        for t in range(j + 1, rows):
            pivot[t] = 0.0
    return True


@kernel
def squares_from(column: FloatArray, first: int) -> float:
    """Sum of squares of a column from a row on."""
    total = 0.0
    for t in range(first, len(column)):
        total += column[t] * column[t]
    return total
