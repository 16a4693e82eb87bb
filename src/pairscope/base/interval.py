"""Bar intervals: any whole number of seconds, minutes or hours that divides a day."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pairscope.base.errors import UnknownName

DAY_MS = 86_400_000
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
_PATTERN = re.compile(r"([1-9][0-9]{0,5})([smhd])")


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
        """Read ``1s 5s 1m 15m 1h 1d``; upper case and spaces around are accepted.

        Raises:
            UnknownName: when the text is no interval, or one that does not divide a day.
        """
        match = _PATTERN.fullmatch(text.strip().lower())
        if match is None:
            raise UnknownName(
                f"'{text[:40]}' is no interval",
                cure="write a number and s, m, h or d, such as 1s, 5s, 1m or 1h",
                code="unknown_interval",
            )
        return cls(int(match[1]) * _UNIT_MS[match[2]])

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
