"""Tools of the tests of analytics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pairscope.base.model import FloatArray


@pytest.fixture(scope="session")
def walks() -> Callable[..., tuple[FloatArray, FloatArray]]:
    """Makes two seeded walks y and x that share most of their steps; some positions may be missing."""

    def make(
        seed: int, count: int, offset: float = 0.0, step: float = 1.0, missing: float = 0.0
    ) -> tuple[FloatArray, FloatArray]:
        random = np.random.default_rng(seed)
        common = np.cumsum(random.normal(0, step, count))
        x = offset + common
        y = offset + 0.7 * common + np.cumsum(random.normal(0, 0.3 * step, count))
        y[random.random(count) < missing] = np.nan
        x[random.random(count) < missing] = np.nan
        return y, x

    return make
