from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.exact_sum import add_exactly, decimal

SIZES = st.lists(st.integers(1, 10**9).map(lambda units: Decimal(units) / 1000), min_size=1, max_size=50)


@given(sizes=SIZES)
def test_a_sum_of_decimals_is_the_float_of_their_true_sum(sizes: list[Decimal]) -> None:
    total = carry = 0.0
    for size in sizes:
        total, carry = add_exactly(total, carry, float(size))
    assert decimal(np.array([total + carry]))[0] == float(sum(sizes))


def test_a_small_term_between_large_ones_is_not_lost() -> None:
    total = carry = 0.0
    for term in (1.0, 1e100, 1.0, -1e100):
        total, carry = add_exactly(total, carry, term)
    assert total + carry == 2.0


def test_rounding_to_decimals_keeps_whole_and_zero_values() -> None:
    values = np.array([0.0, 1.0, 123456789.0, 1e15, 3e17, 1e-8])
    assert decimal(values).tolist() == values.tolist()
