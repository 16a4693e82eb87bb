"""Seeded paths of pairs whose truth is known: sound ones, walks, stationary legs, and what breaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from scipy.signal import lfilter

from pairscope.base.model import FloatArray

Pair: TypeAlias = tuple[FloatArray, FloatArray]
Draw: TypeAlias = Callable[[np.random.Generator, int], Pair]
Break = Literal["jump", "beta", "walk", "leaves"]
_RUN_IN = 500


def phi_of(half_life: float) -> float:
    return float(2.0 ** (-1.0 / half_life))


def autoregression(errors: FloatArray, phi: float) -> FloatArray:
    return np.asarray(lfilter([1.0], [1.0, -phi], errors), np.float64)


def sound(half_life: float, size: float = 1.0, steps: float = math.inf) -> Draw:
    """A walk, and the same with a spread whose errors are `size` steps; t-distributed for a finite `steps`."""

    def draw(random: np.random.Generator, count: int) -> Pair:
        errors = _errors(random, count + _RUN_IN, steps)
        x = _errors(random, count, steps).cumsum()
        return x + size * autoregression(errors, phi_of(half_life))[_RUN_IN:], x

    return draw


def walks(correlation: float = 0.0, steps: float = math.inf) -> Draw:
    def draw(random: np.random.Generator, count: int) -> Pair:
        shared, own = _errors(random, count, steps), _errors(random, count, steps)
        return (correlation * shared + math.sqrt(1 - correlation**2) * own).cumsum(), shared.cumsum()

    return draw


def stationary_leg(phi: float, correlation: float = 0.0) -> Draw:
    """y reverts by itself, beside a walk."""

    def draw(random: np.random.Generator, count: int) -> Pair:
        shared, own = random.normal(size=(2, count + _RUN_IN))
        y = autoregression(correlation * shared + math.sqrt(1 - correlation**2) * own, phi)
        return y[_RUN_IN:], shared[_RUN_IN:].cumsum()

    return draw


def noisy(draw: Draw, noise: float) -> Draw:
    """White noise of so many steps on each close, as bounce between bid and ask makes it."""

    def drawn(random: np.random.Generator, count: int) -> Pair:
        y, x = draw(random, count)
        return y + noise * random.normal(size=count), x + noise * random.normal(size=count)

    return drawn


def spiked(draw: Draw, size: float) -> Draw:
    """One bar of y leaps by so many steps and is back with the next."""

    def drawn(random: np.random.Generator, count: int) -> Pair:
        y, x = draw(random, count)
        y[int(random.integers(count // 10, count - count // 10))] -= size
        return y, x

    return drawn


def broken(half_life: float, kind: Break, size: float, at: int) -> Draw:
    """Sound until a bar: there the line jumps, or turns, or the spread becomes a walk, or y leaves x for good."""
    phi = phi_of(half_life)

    def drawn(random: np.random.Generator, count: int) -> Pair:
        x = random.normal(size=count).cumsum()
        spread = autoregression(random.normal(size=count + _RUN_IN), phi)[_RUN_IN:]
        after = np.arange(count) >= at
        errors = np.where(after, random.normal(size=count), 0.0)
        y = x + spread
        if kind == "jump":
            return y + after * size / math.sqrt(1 - phi * phi), x
        if kind == "beta":
            return y + after * size * (x - x[at]), x
        if kind == "walk":
            return x + np.where(after, spread[at - 1] + errors.cumsum(), spread), x
        return np.where(after, y[at - 1] + math.sqrt(2.0) * errors.cumsum(), y), x

    return drawn


def windows(draw: Draw, count: int, draws: int, *seed: int) -> tuple[FloatArray, FloatArray]:
    """Rows of y and rows of x, each draw from a seed of its own."""
    found = [draw(np.random.default_rng([*seed, i]), count) for i in range(draws)]
    return np.array([y for y, _ in found]), np.array([x for _, x in found])


def two_errors(share: float, draws: int) -> float:
    """Two standard errors of a share among so many independent draws."""
    return 2.0 * math.sqrt(max(share * (1.0 - share), 1.0 / draws) / draws)


def _errors(random: np.random.Generator, count: int, steps: float) -> FloatArray:
    return random.normal(size=count) if math.isinf(steps) else random.standard_t(steps, size=count)
