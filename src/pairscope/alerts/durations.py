"""Times of a rule: durations, or multiples of the half-life of its pair."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval, duration_ms

MOST_MS = 30 * 86_400_000
BARS_OF_HALF_LIFE = (5, 50)  # a half-life is of so many bars at least, and at most
USUAL_BARS = 30
_HALF_LIVES = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(?:hl|half[- ]?li(?:fe|ves))", re.ASCII)
# The bars that are chosen for half-lives: those that divide a day, and that people know.
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400)
_STEPS_MS = tuple(1_000 * each for each in _STEPS_S)


@dataclass(frozen=True, slots=True)
class HalfLives:
    """So many half-lives."""

    count: float


def read_duration(key: str, value: Any) -> int | HalfLives:
    """Milliseconds of ``10s 5m 1h``, of a number of seconds, or so many ``half-lives`` (``hl``).

    Raises:
        RequestError: for anything else; the cure tells the forms.

    >>> read_duration("for", "10s"), read_duration("for", 0), read_duration("for", "0.5 hl")
    (10000, 0, HalfLives(count=0.5))
    """
    text = str(value).strip() if not isinstance(value, bool) else ""
    if match := _HALF_LIVES.fullmatch(text):
        return HalfLives(float(match[1]))
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_MS / 1_000:
        return round(value * 1_000)
    if text == "0":
        return 0
    found = duration_ms(text)
    if found is None or found > MOST_MS:
        cure = "give a duration such as 10s, 5m or 1h, at most 30d, or half-lives: 0.5 half-lives"
        raise RequestError(f"'{key}' cannot be '{text[:40]}'", cure=cure, code="bad_parameter")
    return found


def whole_ms(given: int | HalfLives, half_life_ms: float | None, step_ms: int = 1_000) -> int:
    """Milliseconds of a duration; half-lives are rounded to whole steps.

    >>> whole_ms(HalfLives(0.5), 301_000.0)
    151000
    """
    if not isinstance(given, HalfLives):
        return given
    assert half_life_ms is not None, "a rule in half-lives has one"
    return max(0, int(given.count * half_life_ms / step_ms + 0.5)) * step_ms


def bars_of_half_life(half_life_ms: float, kept: Sequence[Interval] = (Interval(1_000),)) -> Interval:
    """The bars in which a half-life is read: the shortest of which it is at most 30, which is 5 to 50 of them.

    ``kept`` are those that others are made of; the finest one when a half-life is shorter than five of any.

    >>> [str(bars_of_half_life(1_000.0 * seconds)) for seconds in (5, 300, 3_600, 86_400)]
    ['1s', '10s', '2m', '1h']
    >>> str(bars_of_half_life(300_000.0, [Interval(60_000)]))
    '1m'
    """
    made = [step for step in map(Interval, _STEPS_MS) if any(step.ms % each.ms == 0 for each in kept)]
    fitting = [step for step in made if half_life_ms >= BARS_OF_HALF_LIFE[0] * step.ms]
    usual = [step for step in fitting if half_life_ms <= USUAL_BARS * step.ms]
    return usual[0] if usual else fitting[-1] if fitting else min(kept, key=lambda each: each.ms)
