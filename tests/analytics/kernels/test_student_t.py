from __future__ import annotations

import math

import pytest
from scipy.stats import t as student

from pairscope.analytics.kernels.student_t import two_sided


@pytest.mark.parametrize("freedom", [1, 2, 5, 10, 98, 298, 9_998, 1_000_000])
@pytest.mark.parametrize("t", [1e-9, 0.01, 0.5, 1.0, 2.0, 5.0, 20.0, 37.0])
def test_probabilities_equal_scipys(t: float, freedom: int) -> None:
    assert two_sided(t, freedom) == pytest.approx(2 * student.sf(t, freedom), rel=1e-8)
    assert two_sided(-t, freedom) == two_sided(t, freedom)


def test_the_ends_of_the_scale() -> None:
    assert two_sided(0.0, 10) == 1.0
    assert two_sided(1e200, 10) == 0.0
    assert math.isnan(two_sided(1.0, 0))
    assert math.isnan(two_sided(math.nan, 5))
