"""Where a pair that one window does not show can be seen: a longer window, of longer bars if it would be too long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pairscope.analytics.estimators.evidence import closes_to_test, weigh
from pairscope.analytics.estimators.readings import PairHistory

TIMES = (2, 4, 8, 16)
LEVEL = 0.05 / len(TIMES)  # each; so that walks are suggested anything in no more than 5 of 100
MOST_BARS = 5_000
FEWEST_BARS = 100


@dataclass(frozen=True, slots=True)
class Rung:
    """An interval and a window in which a pair may be tested."""

    bar_ms: int
    window: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An interval and a window in which the tape itself shows a pair."""

    bar_ms: int
    window: int
    p: float


def rungs(window: int, bar_ms: int, kept_ms: Sequence[int]) -> list[Rung]:
    """2, 4, 8 and 16 times as long as a window, in the shortest kept bars of which 5,000 are enough.

    >>> rungs(1_000, 1_000, [1_000, 60_000])[1:3]
    [Rung(bar_ms=1000, window=4000), Rung(bar_ms=60000, window=133)]
    """
    found = []
    for times in TIMES:
        span_ms = times * window * bar_ms
        fitting = [each for each in sorted(kept_ms) if each >= bar_ms and span_ms // each <= MOST_BARS]
        if fitting and span_ms // fitting[0] >= FEWEST_BARS:
            found.append(Rung(fitting[0], span_ms // fitting[0]))
    return found


def try_rung(history: PairHistory, rung: Rung) -> Suggestion | None:
    """The suggestion of a rung, when its window is full and its test says so at 1.25 %."""
    if len(history.y) < rung.window or not math.isfinite(history.y[-rung.window] + history.x[-rung.window]):
        return None  # the tape is shorter
    closes = closes_to_test(history.y, history.x, rung.window)
    found = weigh(closes.y, closes.x, (rung.window + 1) // 2, history.intercept).believed
    if found.reason is not None or not found.p < LEVEL:
        return None
    return Suggestion(rung.bar_ms, rung.window, found.p)
