"""How text that people write is read: parameters of requests, topics, arguments of metrics, settings.

One rule for each kind of thing, wherever it is written. Only the letters A to Z are folded: other scripts have letters
whose other case is a different word ("ß" becomes "SS", a dotless "ı" an "I").
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

from pairscope.base.errors import RequestError, UnknownName
from pairscope.base.interval import Interval, duration_ms

SMALLEST_WINDOW, LARGEST_WINDOW = 2, 5_000  # bars
FIRST_MS = 10**11  # times from here on are in ms (from 1973), as 0 is; smaller ones are taken for seconds
LAST_MS = 10**14 - 1  # in ms the year 5138; larger ones are taken for µs

_UPPER = {letter: letter - 32 for letter in range(ord("a"), ord("z") + 1)}
_LOWER = {letter - 32: letter for letter in _UPPER}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,40}))?)?(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))?)?"
)
# A plus sign that was not escaped in an address arrives as a space: 2024-08-08T00:00:00 00:00.
_LOST_PLUS = re.compile(r"(.*[0-9]{2}:[0-9]{2}.*) ([0-9]{2}:?[0-9]{2})")


def ascii_upper(text: str) -> str:
    """Upper case of a to z; every other letter as it is.

    >>> ascii_upper("btc_ß币usdt")
    'BTC_ß币USDT'
    """
    return text.translate(_UPPER)


def ascii_lower(text: str) -> str:
    """Lower case of A to Z; every other letter as it is."""
    return text.translate(_LOWER)


def read_integer(name: str, text: str, low: float | None = None, high: float | None = None) -> int:
    """A whole number within bounds, in ASCII digits.

    Raises:
        RequestError: with the bounds as the cure.
    """
    if _INTEGER.fullmatch(text) and _inside(int(text), low, high):
        return int(text)
    raise _cannot_be(name, text, f"give a whole number{_bounds(low, high)}")


def read_number(name: str, text: str, low: float | None = None, high: float | None = None) -> float:
    """A finite number within bounds, in ASCII digits.

    Raises:
        RequestError: with the bounds as the cure.
    """
    if _NUMBER.fullmatch(text) and math.isfinite(value := float(text)) and _inside(value, low, high):
        return value
    raise _cannot_be(name, text, f"give a number{_bounds(low, high)}")


def read_choice(name: str, text: str, choices: Sequence[str], others: Mapping[str, str] | None = None) -> str:
    """One of several words, in any case; `others` are further names of them.

    Raises:
        RequestError: with the choices as the cure.

    >>> read_choice("method", "Robust", ("ols", "huber"), {"robust": "huber"})
    'huber'
    """
    word = ascii_lower(text)
    word = (others or {}).get(word, word)
    if word in choices:
        return word
    raise _cannot_be(name, text, f"choose from {', '.join(choices)}")


def read_window(name: str, text: str, interval: Interval) -> int:
    """Bars in a window: a number of bars, or a duration that is a whole number of them.

    Raises:
        RequestError: for anything else, and for a window beyond the bounds.

    >>> read_window("window", "300", Interval(1_000)), read_window("window", "4h", Interval(300_000))
    (300, 48)
    """
    bounds = f"from {SMALLEST_WINDOW} to {LARGEST_WINDOW:,}"
    try:
        span_ms = duration_ms(text)
    except UnknownName as error:
        raise _cannot_be(name, text, error.cure, why=error.message) from None
    if span_ms is None:
        if _INTEGER.fullmatch(text) and SMALLEST_WINDOW <= int(text) <= LARGEST_WINDOW:
            return int(text)
        raise _cannot_be(name, text, f"give bars {bounds}, or a duration such as 60s or 4h")
    bars, rest = divmod(span_ms, interval.ms)
    if rest:
        raise _cannot_be(name, text, f"give a multiple of {interval}, or bars", why=f"bars are of {interval}")
    if not SMALLEST_WINDOW <= bars <= LARGEST_WINDOW:
        why = f"it is {bars:,} bar{'s' * (bars != 1)} of {interval}"
        raise _cannot_be(name, text, f"a window has {bounds[5:]} bars: choose another, or other bars", why=why)
    return bars


def read_time_ms(name: str, text: str) -> int:
    """Milliseconds since 1970, of such a number or of a time as RFC 3339 writes it; UTC when no zone is named.

    A fraction finer than a millisecond counts as the next one: times of trades are whole milliseconds, and those at or
    after a time are the same then.

    Raises:
        RequestError: when it is neither, and when a number must be of another unit.

    >>> read_time_ms("from", "2024-08-08t02:00:00.0001+02:00")
    1723075200001
    """
    value = _whole_ms(name, text) if _INTEGER.fullmatch(text) else _of_calendar(text)
    if value is None or value < 0:
        raise _cannot_be(
            name, text, "give milliseconds since 1970 or a time such as 2024-08-08T23:55:00Z; UTC when no zone is named"
        )
    return value


def _whole_ms(name: str, text: str) -> int:
    value = int(text)
    if 0 < value < FIRST_MS:
        raise _cannot_be(name, text, f"write milliseconds: {value * 1_000}", why="it must be in seconds")
    if value > LAST_MS:
        unit, divisor = ("microseconds", 10**3) if value < 10**17 else ("nanoseconds", 10**6)
        raise _cannot_be(name, text, f"write milliseconds: {value // divisor}", why=f"it must be in {unit}")
    return value


def _of_calendar(text: str) -> int | None:
    lost = _LOST_PLUS.fullmatch(text)
    match = _TIME.fullmatch(f"{lost[1]}+{lost[2]}" if lost else text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    leap = second == 60
    try:
        zone = _zone(match[8], match[9], match[10])
        at = datetime(year, month, day, hour, minute, second - leap, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if leap and (at.hour, at.minute) != (23, 59):  # leap seconds are the last ones of a UTC day
        return None
    seconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) + leap
    fraction = Fraction(int(match[7]), 10 ** len(match[7])) if match[7] else Fraction(0)
    return math.ceil((seconds + fraction) * 1_000)


def utc_text(at_ms: int) -> str:
    """A time for people, which `read_time_ms` reads too.

    >>> utc_text(1723075200000), utc_text(1723075200250)
    ('2024-08-08T00:00:00Z', '2024-08-08T00:00:00.250Z')
    """
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds" if at_ms % 1_000 else "seconds").replace("+00:00", "Z")


def _zone(sign: str | None, hours: str | None, minutes: str | None) -> timezone:
    if sign is None or hours is None or minutes is None:
        return UTC
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if sign == "-" else offset)


def _inside(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _bounds(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f" of {low:,} or more" if low is not None else f" of {high:,} or less"
    return f" from {low:,} to {high:,}"


def _cannot_be(name: str, text: str, cure: str, why: str = "") -> RequestError:
    told = f": {why}" if why else ""
    return RequestError(f"'{name}' cannot be '{text[:40]}'{told}", cure=cure, code="bad_parameter")
