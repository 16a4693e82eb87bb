"""What a z may be read as: one rule for the API, the stream and the page.

A stretched spread is a signal only while the pair is shown to be one and both of its legs are heard.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pairscope.analytics.estimators.conditions import HELD, Condition
from pairscope.base.interval import Interval

THRESHOLD = 2.0  # |z| at which a spread counts as stretched
LATE_BARS, LATE_LEAST_MS, LATE_MOST_MS = 2, 3_000, 10_000  # of a symbol's silence, before it counts as late

Side = Literal["flat", "short", "long"]  # what is expected of the spread: nothing, to fall, to rise


class Muted(enum.StrEnum):
    """Why a signal is not to be acted on."""

    LEG_LATE = "leg_late"  # a leg is not heard
    NOT_NOW = "not_now"  # a tape, or a time that is past
    UNJUDGED = "unjudged"  # health is not known yet
    # The health of a pair that is not shown to be one.
    BROKEN = Condition.BROKEN.value
    NOT_SHOWN = Condition.NOT_SHOWN.value
    UNRELATED = Condition.UNRELATED.value
    UNKNOWN = Condition.UNKNOWN.value


# When the newest trade of a symbol reached us, by our clock; None while there is none since the start.
HeardAt = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Signal:
    side: Side | None  # None: the z is not known
    muted: Muted | None  # None: it is to be acted on
    late: tuple[str, ...] = ()  # legs that are not heard


def late_after_ms(interval: Interval) -> int:
    """How long a symbol may be silent: two bars, but never less than 3 s nor more than 10 s.

    >>> [late_after_ms(Interval.parse(text)) for text in ("1s", "2s", "1h")]
    [3000, 4000, 10000]
    """
    return min(max(LATE_BARS * interval.ms, LATE_LEAST_MS), LATE_MOST_MS)


def late_legs(legs: Sequence[str], heard_at: HeardAt, now_ms: int, interval: Interval) -> tuple[str, ...]:
    """Those of which nothing was heard for too long, or nothing at all."""
    limit_ms = late_after_ms(interval)
    heard = [(leg, heard_at(leg)) for leg in legs]
    return tuple(leg for leg, at_ms in heard if at_ms is None or now_ms - at_ms > limit_ms)


def signal_of(z: float, condition: Condition | None, late: Sequence[str], *, is_now: bool = True) -> Signal:
    """The signal of a pair.

    Args:
        z: of the spread; not finite where it is not known.
        condition: of the pair; None while it is not known yet.
        late: legs that are not heard.
        is_now: False of a tape or a moment that is past.

    >>> signal_of(2.5, Condition.COINTEGRATED, ())
    Signal(side='short', muted=None, late=())
    >>> signal_of(-2.5, Condition.NOT_SHOWN, ()).muted
    <Muted.NOT_SHOWN: 'not_shown'>
    >>> signal_of(-2.5, Condition.COINTEGRATED, ("ETHUSDT",))
    Signal(side='long', muted=<Muted.LEG_LATE: 'leg_late'>, late=('ETHUSDT',))
    """
    if not math.isfinite(z):
        side: Side | None = None
    elif abs(z) < THRESHOLD:
        side = "flat"
    else:
        side = "short" if z > 0 else "long"
    return Signal(side, _muted(condition, late, is_now), tuple(late))


def _muted(condition: Condition | None, late: Sequence[str], is_now: bool) -> Muted | None:
    if not is_now:
        return Muted.NOT_NOW
    if late:
        return Muted.LEG_LATE
    if condition is None:
        return Muted.UNJUDGED
    return None if condition in HELD else Muted(condition.value)
