"""Hedge ratios of one window: a line y = alpha + beta x by one of several methods, and the spread beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pairscope.analytics.rolling import last_pair
from pairscope.base.model import FloatArray


class Hedge(NamedTuple):
    """A line through a window, and where its newest bar lies beside it; NaN where a number cannot be given."""

    n: int  # positions where both values are present
    beta: float
    alpha: float
    correlation: float
    spread: float
    spread_mean: float
    spread_std: float
    spread_z: float


def ols_hedge(y: FloatArray, x: FloatArray, window: int, first_index: int) -> Hedge:
    """Ordinary least squares: the last position of `rolling_pair`. The residuals of such a line have mean zero.

    >>> import numpy as np
    >>> hedge = ols_hedge(np.array([1.0, 3.0, 4.0, 8.0]), np.arange(4.0), window=4, first_index=0)
    >>> round(hedge.beta, 12), round(hedge.spread, 12)
    (2.2, 0.7)
    """
    n, beta, alpha, spread, spread_std, spread_z, correlation = last_pair(y, x, window, first_index)
    spread_mean = 0.0 if math.isfinite(beta) else math.nan
    return Hedge(n, beta, alpha, correlation, spread, spread_mean, spread_std, spread_z)


# (y, x, window, first_index) -> Hedge. A new method is one function and one line here.
METHODS: Mapping[str, Callable[[FloatArray, FloatArray, int, int], Hedge]] = MappingProxyType({"ols": ols_hedge})
