"""A path that forgets where it was, at a known pace."""

from __future__ import annotations

import numpy as np

from pairscope.base.model import FloatArray


def autoregression(seed: int, phi: float, count: int, start: int = 200) -> FloatArray:
    """`count` values of an AR(1) process, after `start` that are left out."""
    noise = np.random.default_rng(seed).normal(size=count + start)
    values = np.zeros(count + start)
    for t in range(1, count + start):
        values[t] = phi * values[t - 1] + noise[t]
    return values[start:]
