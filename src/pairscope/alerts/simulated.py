"""What a rule hears of a spread whose truth is known, because it is made up.

The spread returns with a half-life, as z[t] = φ z[t-1] + push[t], of deviation 1, at 300 steps of a half-life or more.
Each window lays its own line through two legs whose difference it is: x walks by 1.5 times the deviation of a push, and
y is x with the spread on it. A rule sees the closes of its bars alone, and is read by the state machine that runs live.

An excursion lasts from the first |true z| beyond 2.5, or beyond the threshold of a rule that lies further out, until
|true z| is below 0.5; it is caught when the rule is firing at any moment of it. Of a rule that looks at one side, the
excursions of that side count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairscope.alerts.machine import Change, Life
from pairscope.alerts.measuring import terms_of
from pairscope.alerts.relive import ValueRows, relive
from pairscope.alerts.rule import AlertRule
from pairscope.analytics.estimators.hedge import SERIES
from pairscope.base.model import FloatArray
from pairscope.live.workers import Check, never_abandoned

BEYOND, UNTIL = 2.5, 0.5  # deviations of excursions
STEPS_OF_HALF_LIFE = 300  # at least, for there is a way between two closes too
LEG = 1.5
MOST_STEPS = 2_000_000
MOST_FIRES = 5_000  # of a rule that fires more often, the first so many tell enough
_WARM_HALF_LIVES = 40
_BLOCK_HALF_LIVES = 10  # 2^10 takes three digits of sixteen


@dataclass(frozen=True, slots=True)
class MadeUpSpread:
    """A spread of deviation 1 along time, and what is seen of it at the ends of bars."""

    true_z: FloatArray  # at every step
    steps: int  # of a bar
    y: FloatArray  # at the ends of bars
    x: FloatArray


def steps_of(half_life_ms: float, bar_ms: int) -> int:
    """Of a bar."""
    return max(1, round(STEPS_OF_HALF_LIFE * bar_ms / half_life_ms))


def make_up(seed: int, half_life_ms: float, bar_ms: int, bars: int) -> MadeUpSpread:
    """A spread that returns with a half-life, along so many bars.

    >>> made = make_up(seed=1, half_life_ms=300_000.0, bar_ms=10_000, bars=1_000)
    >>> made.steps, len(made.true_z), len(made.y)
    (10, 10000, 1000)
    """
    steps = steps_of(half_life_ms, bar_ms)
    half_life = steps * half_life_ms / bar_ms
    chance = np.random.default_rng(seed)
    push = math.sqrt(1.0 - 4.0 ** (-1.0 / half_life))
    warm = math.ceil(_WARM_HALF_LIVES * half_life)
    true_z = returning(push * chance.standard_normal(bars * steps + warm), half_life)[warm:]
    x = np.cumsum(LEG * push * chance.standard_normal(bars * steps))[steps - 1 :: steps]
    return MadeUpSpread(true_z, steps, x + true_z[steps - 1 :: steps], x)


def returning(pushes: FloatArray, half_life: float) -> FloatArray:
    """The path z[t] = φ z[t-1] + push[t] from 0 on, with φ = 2^(-1 / half_life); a half-life is of so many steps.

    >>> returning(np.array([8.0, 0.0, 0.0, 1.0]), half_life=1.0).tolist()
    [8.0, 4.0, 2.0, 2.0]
    """
    size = max(1, min(len(pushes), int(_BLOCK_HALF_LIVES * half_life)))
    blocks = np.zeros((-(-len(pushes) // size), size))
    blocks.reshape(-1)[: len(pushes)] = pushes
    weight = np.exp2(np.arange(size) / half_life)
    path = np.cumsum(blocks * weight, axis=1) / weight
    kept, faded, last = 2.0 ** (-1.0 / half_life), 1.0 / weight, 0.0
    for block in path:  # each goes on from where the one before has ended
        block += last * kept * faded
        last = block[-1]
    found: FloatArray = path.reshape(-1)[: len(pushes)]
    return found


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one step to another, which is the first after it."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a rule did on a spread whose truth is known."""

    hours: float
    fires: int
    excursions: int
    caught: int

    @property
    def fires_an_hour(self) -> float:
        return self.fires / self.hours if self.hours else 0.0

    @property
    def share(self) -> float | None:
        """Of the excursions, those that it caught; None without one."""
        return self.caught / self.excursions if self.excursions else None


@dataclass(frozen=True, slots=True)
class Trial:
    """A spread that rules are tried on: the same for all that are compared."""

    half_life_ms: float
    seed: int = 11
    half_lives: int = 2_000

    def heard(self, rule: AlertRule, check: Check = never_abandoned) -> Hearing:
        """What a rule on spread_z does.

        By Huber's method it is reckoned with least squares, from which it differs little where no price strays.
        """
        bar_ms, terms = rule.bars.ms, terms_of(rule.first.metric)
        bars = math.ceil(self.half_lives * self.half_life_ms / bar_ms) + rule.window
        most = MOST_STEPS // steps_of(self.half_life_ms, bar_ms)
        made = make_up(self.seed, self.half_life_ms, bar_ms, min(bars, most))
        check()
        method = "ols" if terms.method == "huber" else terms.method
        z = SERIES[method](made.y, made.x, rule.window, 0, terms.intercept).spread_z
        check()
        return heard(rule, made, z)


def heard(rule: AlertRule, made: MadeUpSpread, z: FloatArray) -> Hearing:
    """What a rule on z does, and which excursions it is firing in.

    Args:
        z: at the ends of bars; NaN before the first window.
    """
    bar_ms, is_there = rule.bars.ms, np.isfinite(z)
    first = int(np.argmax(is_there)) if is_there.any() else len(z)
    times = np.arange(first + 1, len(z) + 1, dtype=np.int64) * bar_ms
    fires, spans, last = 0, list[Stretch](), len(z)
    begin: int | None = None
    for each in relive(rule, Life(seen_ms=first * bar_ms), ValueRows(times, z[None, first:])):
        step = (first + each.place + 1) * made.steps - 1
        for change in each.changes:
            fires += change is Change.FIRED
            if change in (Change.FIRED, Change.RETURNED):
                begin = step
            elif begin is not None and change in (Change.RECOVERING, Change.RESOLVED):
                spans.append(Stretch(begin, step))
                begin = None
        if fires >= MOST_FIRES:
            last = first + each.place + 1
            break
    end = last * made.steps
    if begin is not None:
        spans.append(Stretch(begin, end))
    true = [each for each in excursions(made.true_z[:end], rule) if each.begin >= first * made.steps]
    return Hearing((last - first) * bar_ms / 3_600_000, fires, len(true), _caught(true, spans))


def excursions(true_z: FloatArray, rule: AlertRule) -> list[Stretch]:
    """The excursions of a path that a rule is to hear. One that does not end is left out.

    >>> from pairscope.alerts.rule import Clause, Comparison
    >>> outside = Clause(metric="spread_z", comparison=Comparison.OUTSIDE, low=-2.0, high=2.0)
    >>> path = np.array([0.0, 2.6, 3.0, 1.0, 0.4, -2.7, 0.1, 4.0])
    >>> excursions(path, AlertRule(name="", scope="pair", first=outside))
    [Stretch(begin=1, end=4), Stretch(begin=5, end=6)]
    """
    low, high, beyond = rule.first.low, rule.first.high, beyond_of(rule)
    far, near = np.zeros(len(true_z), np.bool_), np.ones(len(true_z), np.bool_)
    if high is not None:
        far, near = far | (true_z > beyond), near & (true_z < UNTIL)
    if low is not None:
        far, near = far | (true_z < -beyond), near & (true_z > -UNTIL)
    begins, ends = np.flatnonzero(far), np.flatnonzero(near)
    found, at = list[Stretch](), 0
    while (place := int(np.searchsorted(begins, at))) < len(begins):
        begin = int(begins[place])
        back = int(np.searchsorted(ends, begin))
        if back == len(ends):
            break
        at = int(ends[back])
        found.append(Stretch(begin, at))
    return found


def beyond_of(rule: AlertRule) -> float:
    """How far excursions go that a rule is to hear."""
    return max(BEYOND, *(abs(each) for each in (rule.first.low, rule.first.high) if each is not None))


def _caught(true: Sequence[Stretch], spans: Sequence[Stretch]) -> int:
    ends = np.array([each.end for each in spans], np.int64)
    # Of the first span that ends within one or after it.
    places = np.searchsorted(ends, [each.begin for each in true], side="right")
    found = zip(places.tolist(), true, strict=True)
    return sum(place < len(spans) and spans[place].begin < each.end for place, each in found)
