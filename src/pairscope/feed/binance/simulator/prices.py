"""The log price of every symbol as a function of seed and time, on a grid of 100 ms.

A symbol with a walk of its own is a Brownian motion, built from coarse to fine so that any minute can be
looked up alone: days first, then the minutes of a day bridged between two days, then the 100 ms steps bridged
between two minutes. Over months the days are drawn back to the listed price (half-life 60 days), which nobody
can see within a day and which keeps prices and ticks in proportion for ever.

A symbol that follows another is alpha + beta times the other's path plus its spread. The spread is an
Ornstein-Uhlenbeck process: its minutes start from zero a day earlier (at least 30 half-lives, so that less
than 1e-9 of the start is left), its seconds are bridged between two minutes.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from pairscope.base.model import FloatArray
from pairscope.feed.binance.simulator.listing import Listing, Relation, Truth
from pairscope.feed.binance.simulator.noise import Noise
from pairscope.feed.binance.simulator.rhythm import DAY_MINUTES, busyness

STEP_MS = 100
STEPS = 60_000 // STEP_MS
FIRST_DAY = 18_262  # 2020-01-01, counted from 1970: nothing traded before
_LONGEST_HALF_LIFE_S = 1_800
_DAYS_PER_CELL = 512
_DRAWN_BACK = 0.5 ** (1 / 60)  # what is left of a day's distance from the listed price after a day


class PriceModel:
    """Log prices without ticks, spreads between bid and ask, or trades: what the truth is about."""

    def __init__(self, listings: tuple[Listing, ...], truth: Truth, noise: Noise) -> None:
        self._listings = {listing.symbol: listing for listing in listings}
        self._relations = {relation.y: relation for relation in truth.relations}
        self._correlated = {y: (x, beta) for y, x, beta in truth.correlated}
        for relation in truth.relations:
            if relation.half_life_s > _LONGEST_HALF_LIFE_S:
                raise ValueError(f"half-life of {relation.y}/{relation.x} above {_LONGEST_HALF_LIFE_S} s")
        self._noise = noise
        self._walk_day = lru_cache(maxsize=4 * len(listings))(self._make_walk_day)
        self._spread_day = lru_cache(maxsize=4 * len(listings))(self._make_spread_day)
        self.minute = lru_cache(maxsize=8 * len(listings))(self._make_minute)

    def log_prices(self, symbol: str, times_ms: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray:
        """Model log prices at any times; for checking, one minute after the other."""
        out = np.empty(len(times_ms))
        minutes = times_ms // 60_000
        for minute in np.unique(minutes):
            here = minutes == minute
            out[here] = at_times(self.minute(symbol, int(minute)), times_ms[here] - minute * 60_000)
        return out

    def _make_minute(self, symbol: str, minute: int) -> FloatArray:
        """Log prices at the 601 ends of the 100 ms steps of a minute counted from 1970."""
        listing = self._listings[symbol]
        level = math.log(listing.price)
        if symbol in self._relations:
            relation = self._relations[symbol]
            return level + relation.beta * self._move(relation.x, minute) + self._spread(relation, minute)
        path = level + self._walk(listing, minute)
        if symbol in self._correlated:
            x, beta = self._correlated[symbol]
            path += beta * self._move(x, minute)
        return path

    def _move(self, symbol: str, minute: int) -> FloatArray:
        """How far a symbol is from its listed level."""
        path: FloatArray = self.minute(symbol, minute) - math.log(self._listings[symbol].price)
        return path

    # The walk of a symbol of its own: days, minutes, 100 ms.

    def _walk(self, listing: Listing, minute: int) -> FloatArray:
        day, of_day = divmod(minute, DAY_MINUTES)
        ends, sd = self._walk_day(listing.symbol, day)
        steps = self._noise.cell(f"{listing.symbol}/walk", minute).standard_normal(STEPS)
        steps *= sd[of_day] / math.sqrt(STEPS)
        return _bridged(steps, None, ends[of_day], ends[of_day + 1])

    def _make_walk_day(self, symbol: str, day: int) -> tuple[FloatArray, FloatArray]:
        """The walk at the 1,441 ends of the minutes of a day, and its standard deviation in each minute."""
        volatility = self._listings[symbol].daily_volatility
        weights = busyness(self._noise, symbol, day)
        sd = volatility * np.sqrt(weights / DAY_MINUTES)
        steps = sd * self._noise.cell(f"{symbol}/walk/day", day).standard_normal(DAY_MINUTES)
        start, end = self._midnights(symbol, day)
        return _bridged(steps, sd**2, start, end), sd

    def _midnights(self, symbol: str, day: int) -> tuple[float, float]:
        """The walk at the two ends of a day: every day since the first is gone through, which is cheap."""
        volatility = self._listings[symbol].daily_volatility
        level, before = 0.0, 0.0
        days = day - FIRST_DAY + 1
        for cell in range(0, days, _DAYS_PER_CELL):
            moves = self._noise.cell(f"{symbol}/walk/days", cell).standard_normal(_DAYS_PER_CELL)
            for move in moves[: days - cell].tolist():
                before, level = level, _DRAWN_BACK * level + volatility * move
        return before, level

    # The spread of a symbol that follows another: minutes, seconds.

    def _spread(self, relation: Relation, minute: int) -> FloatArray:
        day, of_day = divmod(minute, DAY_MINUTES)
        states = self._spread_day(relation, day)
        keep, sd = _pull(relation, _broken(relation, minute), seconds=1)
        shocks = sd * self._noise.cell(f"{relation.y}/spread", minute).standard_normal(60)
        free = np.concatenate([[0.0], _decays(keep) @ shocks])
        second = np.arange(61)
        if keep == 1.0:
            towards_end = second / 60
        else:
            towards_end = keep ** (60 - second) * (1 - keep ** (2 * second)) / (1 - keep**120)
        start, end = states[of_day], states[of_day + 1]
        path: FloatArray = start * keep**second + free + towards_end * (end - start * keep**60 - free[60])
        return np.interp(np.arange(STEPS + 1) / (STEPS / 60), second, path)

    def _make_spread_day(self, relation: Relation, day: int) -> FloatArray:
        """The spread at the 1,441 ends of the minutes of a day."""
        label = f"{relation.y}/spread/day"
        pulls = {broken: _pull(relation, broken, seconds=60) for broken in (False, True)}
        state = 0.0
        states = []
        for each in (day - 1, day):
            states = [state]
            shocks = self._noise.cell(label, each).standard_normal(DAY_MINUTES).tolist()
            for of_day, shock in enumerate(shocks):
                keep, sd = pulls[_broken(relation, each * DAY_MINUTES + of_day)]
                state = keep * state + sd * shock
                states.append(state)
        return np.array(states)


def at_times(path: FloatArray, offsets_ms: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray:
    """A minute's path at times within the minute, straight between two grid points."""
    step, rest = np.divmod(offsets_ms, STEP_MS)
    prices: FloatArray = path[step] + (path[step + 1] - path[step]) * (rest / STEP_MS)
    return prices


def _bridged(steps: FloatArray, variances: FloatArray | None, start: float, end: float) -> FloatArray:
    """A walk of given steps bent so that it runs from ``start`` to ``end``: a Brownian bridge."""
    walk = np.concatenate([[0.0], np.cumsum(steps)])
    if variances is None:
        share = np.linspace(0.0, 1.0, len(walk))
    else:
        share = np.concatenate([[0.0], np.cumsum(variances)])
        share /= share[-1]
    bridged: FloatArray = start + walk + share * (end - start - walk[-1])
    return bridged


def _broken(relation: Relation, minute: int) -> bool:
    return relation.breaks is not None and relation.breaks.at(minute)


def _pull(relation: Relation, broken: bool, seconds: int) -> tuple[float, float]:
    """What is left of a spread after some seconds, and the standard deviation of what is new."""
    if broken and relation.breaks is not None:
        return 1.0, relation.breaks.volatility_per_minute * math.sqrt(seconds / 60)
    keep = 0.5 ** (seconds / relation.half_life_s)
    return keep, relation.spread_sd * math.sqrt(1 - keep**2)


@lru_cache(maxsize=64)
def _decays(keep: float) -> FloatArray:
    """The matrix that turns 60 shocks into the process they drive."""
    lag = np.subtract.outer(np.arange(60), np.arange(60))
    decays: FloatArray = np.tril(keep ** np.maximum(lag, 0).astype(float))
    return decays
