"""How busy a symbol is in each minute: the shape of the day, quiet and hectic spells, sudden bursts."""

from __future__ import annotations

import numpy as np

from pairscope.base.model import FloatArray
from pairscope.feed.binance.simulator.noise import Noise

DAY_MINUTES = 1440
_MEMORY = 180  # minutes over which a hectic spell dies away
_MARKET = "market"


def busyness(noise: Noise, symbol: str, day: int) -> FloatArray:
    """Relative activity of the 1,440 minutes of a day (counted from 1970); the mean is 1."""
    together = _spells(noise, _MARKET, day)
    alone = _spells(noise, symbol, day)
    weights: FloatArray = _day_shape() * np.exp(0.45 * together + 0.35 * alone)
    draw = noise.cell(f"{symbol}/bursts", day)
    burst = draw.random(DAY_MINUTES) < 0.012
    weights *= np.where(burst, draw.lognormal(1.1, 0.4, DAY_MINUTES), 1.0)
    weights *= draw.gamma(25.0, 1 / 25.0, DAY_MINUTES)
    weights /= weights.mean()
    return weights


def _day_shape() -> FloatArray:
    """Busiest when America opens, lesser peaks at the funding hours 00, 08 and 16 UTC."""
    hour = np.arange(DAY_MINUTES) / 60.0
    shape = np.full(DAY_MINUTES, 0.7)
    for peak, height, width in ((14.5, 1.0, 1.8), (0.2, 0.4, 0.7), (8.2, 0.4, 1.0), (16.2, 0.3, 0.7)):
        distance = np.abs(hour - peak)
        shape += height * np.exp(-0.5 * (np.minimum(distance, 24 - distance) / width) ** 2)
    return shape


def _spells(noise: Noise, label: str, day: int) -> FloatArray:
    """A slowly changing series of unit variance that runs on over midnight."""
    kernel = np.exp(-np.arange(_MEMORY) / 30.0)
    kernel /= np.sqrt(np.sum(kernel**2))
    before = noise.cell(f"{label}/spells", day - 1).standard_normal(DAY_MINUTES)
    today = noise.cell(f"{label}/spells", day).standard_normal(DAY_MINUTES)
    return np.convolve(np.concatenate([before[1 - _MEMORY :], today]), kernel, mode="valid")
