"""Weekly windows in a zone of the earth: ``Mon-Fri 08:00-22:00 Europe/Berlin``."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from pairscope.base.errors import RequestError, nearest

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(r"(\S+)\s+(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)(?:\s+(\S+))?", re.ASCII)
_CURE = "write it as Mon-Fri 08:00-22:00 Europe/Berlin"
_DAY_MINUTES = 24 * 60
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Weekly:
    """Some days of the week, from one time of the day to another, by the clocks of a zone.

    The end is not part of it. One that ends at or before its beginning goes on into the next day. When the clocks of
    the zone are changed, it goes by what they show.
    """

    days: frozenset[int]  # 0 is Monday; those on which it begins
    from_minute: int
    to_minute: int
    zone: str

    @classmethod
    @cache
    def parse(cls, text: str) -> Weekly:
        """Read ``Mon-Fri 08:00-22:00 Europe/Berlin``; days are a list of days and ranges, or ``daily``.

        Without a zone it is UTC.

        Raises:
            RequestError: for anything else, with the cure.

        >>> Weekly.parse("Sat,Sun 22:00-06:00").days
        frozenset({5, 6})
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise _refused(text, "it is no weekly window")
        begin, end = (_minute(text, match[i], match[i + 1]) for i in (2, 4))
        if begin == _DAY_MINUTES:
            raise _refused(text, "no day begins at 24:00")
        return cls(frozenset(_days(text, match[1])), begin, end, _zone(match[6] or "UTC"))

    def holds(self, at_ms: int) -> bool:
        """Whether a moment lies in it."""
        at = datetime.fromtimestamp(at_ms / 1_000, ZoneInfo(self.zone))
        minute, day = at.hour * 60 + at.minute, at.weekday()
        if self.from_minute < self.to_minute:
            return day in self.days and self.from_minute <= minute < self.to_minute
        is_late = day in self.days and minute >= self.from_minute
        return is_late or ((day - 1) % 7 in self.days and minute < self.to_minute)

    def opens_ms(self, at_ms: int) -> int:
        """The first moment from one on that lies in it.

        >>> Weekly.parse("daily 08:00-22:00").opens_ms(0) // 3_600_000
        8
        """
        if self.holds(at_ms):
            return at_ms
        zone = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(at_ms / 1_000, zone).date()
        hours, minutes = divmod(self.from_minute, 60)
        begins = (datetime.combine(today + timedelta(days=later), time(hours, minutes), zone) for later in range(8))
        found = [round(1_000 * begin.timestamp()) for begin in begins]
        # A beginning that the clocks leap over is an hour later by them.
        return next(each for each in found if each >= at_ms and (self.holds(each) or self.holds(each + _HOUR_MS)))


def _days(text: str, given: str) -> set[int]:
    if given.lower() == "daily":
        return set(range(7))
    found: set[int] = set()
    for part in given.lower().split(","):
        first, _, last = part.partition("-")
        ends = [each[:3] for each in (first, last or first)]
        if not all(each in DAYS for each in ends):
            raise _refused(text, f"'{part[:20]}' is no day")
        begin, end = (DAYS.index(each) for each in ends)
        found |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return found


def _minute(text: str, hours: str, minutes: str) -> int:
    found = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or found > _DAY_MINUTES:
        raise _refused(text, f"{hours}:{minutes} is no time of a day")
    return found


def _zone(name: str) -> str:
    with contextlib.suppress(ValueError, OSError, KeyError):  # what is no path below the zones is refused as a value
        return ZoneInfo(name).key
    guess = nearest(name, available_timezones())
    cure = f"did you mean {guess}?" if guess else "give one such as UTC, Europe/Berlin or America/New_York"
    raise RequestError(f"no zone of the earth is called '{name[:40]}'", cure=cure, code="bad_parameter")


def _refused(text: str, why: str) -> RequestError:
    return RequestError(f"'windows' cannot hold '{text[:60]}': {why}", cure=_CURE, code="bad_parameter")
