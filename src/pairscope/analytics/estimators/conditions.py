"""The state machine of a pair's health: the condition after each reading, with the memory that a word needs.

A single test wavers: of windows that hold 40 half-lives of a sound pair it passes 8 in 10, and of walks 1 in 20. So a
word is not taken from one reading but from a run of them, and `broken` is said only of a pair that was established.
"""

from __future__ import annotations

import enum

import numpy as np

from pairscope.base.jit import kernel
from pairscope.base.model import BoolArray, FloatArray, IntArray

PER_WINDOW = 20  # readings


class Condition(enum.StrEnum):
    COINTEGRATED = "cointegrated"
    WEAKENING = "weakening"
    BROKEN = "broken"
    NOT_SHOWN = "not_shown"
    UNRELATED = "unrelated"
    UNKNOWN = "unknown"


CONDITIONS = tuple(Condition)
HELD = (Condition.COINTEGRATED, Condition.WEAKENING)

# Conditions and causes as kernels have them.
COINTEGRATED, WEAKENING, BROKEN, NOT_SHOWN, UNRELATED, UNKNOWN = range(6)
NO_CAUSE, LINE_MOVED, NO_RETURN, LEG, APART = range(5)

GOOD_P, BAD_P, STRONG_P = 0.05, 0.10, 0.005
TO_ENTER = 10  # readings with a good p, from not_shown or broken
TO_RECOVER = 5  # the same, from weakening
TO_DOUBT = 5  # without one
TO_LEAVE = 10  # with a bad one
TO_ESTABLISH = 30  # strong ones, each weaker one taking two back
MOVED_BY = 5.0  # of `shift_of`
TO_MOVE = 3
FADE = 40  # readings until a broken pair is only one that is not shown
LEGS_UNRELATED = 5
LOW, HIGH = 0.15, 0.30  # correlation of returns
TO_PART = 5


@kernel
def replay(
    p: FloatArray, leg: BoolArray, correlation: FloatArray, shift: FloatArray, known: BoolArray
) -> tuple[IntArray, IntArray, IntArray]:
    """The condition at each reading, its cause, and the good readings in a row that count there, from `not_shown` on.

    Args:
        p: of the test of the pair; not read where a leg is stationary or nothing is known.
        leg: whether a leg is stationary by itself: such a reading says nothing for the pair and nothing against it.
        correlation: of returns; NaN counts neither as low nor as high.
        shift: of `shift.shift_of`.
        known: false where the test could not be done. Such a reading is `unknown`, and what was counted stays; after a
            window of them the machine starts anew.
    """
    conditions = np.full(len(p), UNKNOWN)
    causes = np.full(len(p), NO_CAUSE)
    goods = np.zeros(len(p), np.int64)
    state = NOT_SHOWN
    cause = NO_CAUSE
    good = doubt = bad = legs = moved = strong = age = low = high = unknown = 0
    established = parted = False
    for r in range(len(p)):
        if not known[r]:
            unknown += 1
            if unknown >= PER_WINDOW:
                state = NOT_SHOWN
                good = doubt = bad = legs = moved = strong = low = high = 0
                established = parted = False
            continue
        unknown = 0
        if leg[r]:
            legs = min(legs + 1, PER_WINDOW)
        else:
            legs = max(legs - 1, 0)
            good = good + 1 if p[r] < GOOD_P else 0
            doubt = 0 if p[r] < GOOD_P else doubt + 1
            bad = bad + 1 if p[r] >= BAD_P else 0
        moved = moved + 1 if shift[r] > MOVED_BY else 0
        low = low + 1 if correlation[r] < LOW else 0
        high = high + 1 if correlation[r] >= HIGH else 0
        if state in (COINTEGRATED, WEAKENING):
            if not leg[r]:
                strong = min(strong + 1, TO_ESTABLISH) if p[r] < STRONG_P else max(strong - 2, 0)
            established = established or strong == TO_ESTABLISH
            if established and (moved >= TO_MOVE or bad >= TO_LEAVE):
                state = BROKEN
                cause = LINE_MOVED if moved >= TO_MOVE else NO_RETURN
                age = 0
            elif bad >= TO_LEAVE or legs == PER_WINDOW:
                state = NOT_SHOWN
            elif doubt >= TO_DOUBT:
                state = WEAKENING
            elif good >= TO_RECOVER:
                state = COINTEGRATED
            if state in (BROKEN, NOT_SHOWN):
                good = strong = 0
                established = False
        elif state == BROKEN:
            age += 1
            if age >= TO_ENTER and good >= TO_ENTER and moved == 0:
                state = COINTEGRATED
            elif age >= FADE:
                state = NOT_SHOWN
                good = 0
        elif good >= TO_ENTER:
            state = COINTEGRATED
        if legs >= LEGS_UNRELATED or low >= TO_PART:
            parted = True
        elif legs == 0 and high >= TO_PART:
            parted = False
        conditions[r] = state
        goods[r] = good
        if state == BROKEN:
            causes[r] = cause
        elif state == NOT_SHOWN and parted:
            conditions[r] = UNRELATED
            causes[r] = LEG if legs > 0 else APART
    return conditions, causes, goods
