"""The health of a pair: whether tests show that its prices belong together, and whether that still holds.

The word comes from readings at closed bars that are replayed over five windows (`readings`, `conditions`), so that it
is a function of the bars alone: the same live and from the past, before a restart and after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.window import PairWindow, once
from pairscope.analytics.estimators import conditions as by
from pairscope.analytics.estimators.adf import reason_of
from pairscope.analytics.estimators.conditions import CONDITIONS, HELD, PER_WINDOW, Condition, replay
from pairscope.analytics.estimators.readings import FEWEST, READINGS, WINDOWS, PairHistory, Readings, read
from pairscope.analytics.estimators.terms import INTERCEPT, PRICES
from pairscope.analytics.values import Reason, Value, given, null
from pairscope.base.model import IntArray

# Of a window the longest half-life that 4 of 5 cases show at 5 %, as a share.
SEEN_IN_4_OF_5 = 41.0
_RUN_IN = PER_WINDOW  # readings until the start of the machine no longer matters
_REACHES = WINDOWS + 2  # windows of bars


@dataclass(frozen=True, slots=True)
class Health:
    """The condition of a pair at its newest reading, what speaks against it, and how long it has been so."""

    condition: Condition
    reasons: tuple[str, ...] = ()
    doubts: int = 0  # of the reasons, the first so many speak against the pair; others tell what is not known
    as_of_ms: int | None = None  # open time of the bar of the newest reading
    since_ms: int | None = None  # of the reading at which it began, or of the oldest one that counts
    is_since_before: bool = False  # it began before that
    held_until_ms: int | None = None  # of the last reading at which a pair that is not held any more was
    shares: Mapping[Condition, float] = field(default_factory=dict)  # of the readings that count
    windows: float = 0.0  # that were replayed, at most five
    visible_half_life: float | None = None  # bars: what this window shows in 4 of 5 cases

    @property
    def is_held(self) -> bool:
        return self.condition in HELD


def judge(history: PairHistory, window: int) -> Health:
    """The condition of a pair at the newest reading of its closed bars.

    - ``cointegrated``: p < 0.05 in ten readings in a row;
    - ``weakening``: it was, and p >= 0.05 in five readings in a row;
    - ``broken``: it was established (p < 0.005 in thirty readings), and the line has moved, or p >= 0.10 in ten;
    - ``not_shown``: neither; the window may be too short for this pair;
    - ``unrelated``: not shown, and a leg is stationary by itself or the returns do not move together;
    - ``unknown``: the newest reading has no test.

    A reading is made every twentieth of a window.
    """
    readings = read(history, window)
    if len(readings) == 0 or window < FEWEST:
        return Health(Condition.UNKNOWN, (_too_short(history, window),))
    known = readings.outcome == 0
    states, causes, goods = replay(readings.p, readings.leg, readings.correlation, readings.shift, known)
    condition = CONDITIONS[states[-1]]
    counted = states[_RUN_IN:] if len(states) > _RUN_IN else states[-1:]
    same = _run(states)
    first = max(len(states) - same, len(states) - len(counted))
    doubts = _WORDS[condition](readings, int(causes[-1]), int(goods[-1]))
    return Health(
        condition,
        (*doubts, *_short_tape(readings, condition)),
        doubts=0 if condition is Condition.UNKNOWN else len(doubts),
        as_of_ms=int(readings.index[-1]) * history.bar_ms,
        since_ms=int(readings.index[first]) * history.bar_ms,
        is_since_before=same >= len(counted) and len(states) == READINGS,
        held_until_ms=_held_until_ms(readings, states, history.bar_ms),
        shares={each: float(np.mean(counted == number)) for number, each in enumerate(CONDITIONS)},
        windows=len(states) / PER_WINDOW,
        visible_half_life=window / SEEN_IN_4_OF_5 if condition is Condition.NOT_SHOWN else None,
    )


def _run(states: IntArray) -> int:
    """How many of the newest readings have one condition."""
    others = np.flatnonzero(states != states[-1])
    return len(states) if len(others) == 0 else len(states) - 1 - int(others[-1])


def _held_until_ms(readings: Readings, states: IntArray, bar_ms: int) -> int | None:
    held = np.flatnonzero((states == by.COINTEGRATED) | (states == by.WEAKENING))
    if len(held) == 0 or held[-1] == len(states) - 1:
        return None
    return int(readings.index[held[-1]]) * bar_ms


# --- in words -----------------------------------------------------------------------------------------


def _too_short(history: PairHistory, window: int) -> str:
    if window < FEWEST:
        return f"a window of {window} bars cannot be tested: choose {FEWEST} or more"
    both = int(np.count_nonzero(np.isfinite(history.y) & np.isfinite(history.x)))
    return f"the two have {min(both, window - 1)} closed bars in common, of the {window:,} of a window"


def _short_tape(readings: Readings, state: Condition) -> list[str]:
    """That the word rests on less than is wanted, which does not speak against the pair."""
    if len(readings) == READINGS or state is Condition.UNKNOWN:
        return []
    return [f"the tape holds {len(readings) / PER_WINDOW:.2g} of the {WINDOWS} windows that are replayed"]


def _of_cointegrated(readings: Readings, cause: int, good: int) -> list[str]:
    return []


def _of_weakening(readings: Readings, cause: int, good: int) -> list[str]:
    return [f"cointegration is not seen at 5 % any more: {_newest_p(readings)}"]


def _of_broken(readings: Readings, cause: int, good: int) -> list[str]:
    if cause == by.LINE_MOVED:
        found = float(readings.shift[-1])
        now = f", now by {found:.1f}" if found > by.MOVED_BY else ""
        return [f"the line has moved: by more than {by.MOVED_BY:.0f} standard errors{now}"]
    return [f"the spread no longer returns: p of 0.10 or more for half a window, now {_newest_p(readings)}"]


def _of_not_shown(readings: Readings, cause: int, good: int) -> list[str]:
    p = readings.p[-1]
    if p < by.GOOD_P:
        return [f"{_newest_p(readings)}, but for {good} of the {by.TO_ENTER} readings in a row that are wanted"]
    return [f"cointegration is not shown: {_newest_p(readings)}"]


def _of_unrelated(readings: Readings, cause: int, good: int) -> list[str]:
    if cause == by.LEG:
        return ["a leg is stationary: it returns by itself, and needs no other"]
    together = float(readings.correlation[-1])
    told = f": correlation {together:.2f}" if math.isfinite(together) else ""
    return [f"returns hardly move together{told}"]


def _of_unknown(readings: Readings, cause: int, good: int) -> list[str]:
    reason = reason_of(int(readings.outcome[-1]))
    return [_WHY_UNKNOWN.get(reason, "cointegration could not be tested")]


def _newest_p(readings: Readings) -> str:
    p = float(readings.p[-1])
    return f"p = {p:.2g}" if math.isfinite(p) else "no p, for a leg is stationary"


_WORDS: Mapping[Condition, Callable[[Readings, int, int], list[str]]] = {
    Condition.COINTEGRATED: _of_cointegrated,
    Condition.WEAKENING: _of_weakening,
    Condition.BROKEN: _of_broken,
    Condition.NOT_SHOWN: _of_not_shown,
    Condition.UNRELATED: _of_unrelated,
    Condition.UNKNOWN: _of_unknown,
}
_WHY_UNKNOWN: Mapping[Reason | None, str] = {
    Reason.TOO_FEW: "less than half of the window has bars of both legs",
    Reason.GAPPY: "the window has gaps: no stretch of half of it is without one",
    Reason.CONSTANT: "the price of a leg did not move",
    Reason.EXACT_FIT: "the line fits exactly: one leg repeats the other",
    Reason.COLLINEAR: "one series repeats the other",
}


# --- as metrics ---------------------------------------------------------------------------------------


@once
def health_of(window: PairWindow) -> Health | None:
    """The health of a window that carries the history of its pair."""
    return judge(window.history, window.window) if window.history is not None else None


@Metric(
    scope="pair",
    title="Health",
    formula="cointegrated, weakening, broken, not_shown, unrelated or unknown, read every window / 20 bars",
    unit="word",
    fewest=0,  # without a reading it is unknown, and that is the word
    remark="Of closed bars, replayed over five windows. Broken is said only of a pair that was established.",
    cadence="on_request",
    needs=("history",),
    parameters=(PRICES, INTERCEPT),
    about="tape",
)
def health(window: PairWindow) -> Value:
    return _value(window, lambda found: found.condition.value)


@Metric(
    scope="pair",
    title="Share of this health",
    formula="readings with the present health / all readings of the last four windows",
    unit="1",
    cadence="on_request",
    needs=("history",),
    parameters=(PRICES, INTERCEPT),
    about="tape",
)
def health_share(window: PairWindow) -> Value:
    return _value(window, lambda found: found.shares.get(found.condition, 0.0))


def _value(window: PairWindow, part: Callable[[Health], str | float]) -> Value:
    found = health_of(window)
    if found is None:
        return null(Reason.TOO_FEW, 0)
    read = round(found.windows * PER_WINDOW)
    value = part(found)
    if isinstance(value, str):
        return Value(value, read)
    return given(value, read) if read else null(Reason.TOO_FEW, 0)
