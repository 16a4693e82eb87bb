"""Bar intervals: any whole number of seconds, minutes or hours that divides a day."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pairscope.base.errors import UnknownName

DAY_MS = 86_400_000
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "S": 1_000, "H": 3_600_000, "D": DAY_MS}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdSHD])")
_MONTHS = re.compile(r"([0-9]{1,6})\s*(?:M|mo|mon|month|months)", re.ASCII)
_LONGER = re.compile(r"[0-9]{1,6}\s*(?:w|W|week|weeks|y|Y|year|years)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """The length of a bar.

    >>> Interval.parse("5m").ms, str(Interval(3_600_000))
    (300000, '1h')
    """

    ms: int

    def __post_init__(self) -> None:
        if self.ms < 1_000 or self.ms % 1_000 or DAY_MS % self.ms:
            raise UnknownName(
                f"an interval of {self.ms} ms cannot be built",
                cure="use whole seconds, minutes or hours that divide a day, such as 1s, 5s, 1m, 15m or 1h",
                code="unknown_interval",
            )

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Read ``1s 5s 1m 15m 1h 1d``; upper case but for M and spaces around are accepted.

        Raises:
            UnknownName: when the text is no interval, or one that does not divide a day.
        """
        ms = duration_ms(text)
        if ms is None:
            number = text.strip()
            whole = number.isascii() and number.isdigit()
            raise UnknownName(
                f"'{text[:40]}' is no interval" + (": it has no unit" if whole else ""),
                cure=f"did you mean {int(number)}s?"
                if whole and len(number) <= 6 and int(number)
                else "write a number and s, m, h or d, such as 1s, 5s, 1m or 1h",
                code="unknown_interval",
            )
        return cls(ms)

    @property
    def per_year(self) -> float:
        """Bars in a year of 365 days of 24 hours: crypto never closes."""
        return 365 * DAY_MS / self.ms

    def floor(self, time_ms: int) -> int:
        """The open time of the bar that holds ``time_ms``."""
        return time_ms - time_ms % self.ms

    def __str__(self) -> str:
        for unit in ("d", "h", "m"):
            if self.ms % _UNIT_MS[unit] == 0:
                return f"{self.ms // _UNIT_MS[unit]}{unit}"
        return f"{self.ms // 1_000}s"


def duration_ms(text: str) -> int | None:
    """The length of ``60s 15m 4h 1d``; None for what is no duration.

    Raises:
        UnknownName: for months, which M means to others, and what is longer than that.

    >>> duration_ms("4H"), duration_ms("90"), duration_ms("5min")
    (14400000, None, None)
    """
    text = text.strip()
    if match := _DURATION.fullmatch(text):
        return int(match[1]) * _UNIT_MS[match[2]]
    if match := _MONTHS.fullmatch(text):
        raise UnknownName("months are not built", cure=f"did you mean {int(match[1])}m?", code="unknown_interval")
    if _LONGER.fullmatch(text):
        raise UnknownName("weeks and years are not built", cure="the longest bar is 1d", code="unknown_interval")
    return None
