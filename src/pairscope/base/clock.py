"""Clocks: time is handed in, nothing below the wiring asks the machine what time it is."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time in integers with the unit in the name, and a monotonic time for durations."""

    def now_ns(self) -> int: ...

    def monotonic_s(self) -> float: ...


class SystemClock:
    """The machine's clocks."""

    # Bound to the C functions themselves: `now_ns` is called once for each read of a socket.
    now_ns = staticmethod(time.time_ns)
    monotonic_s = staticmethod(time.monotonic)


class ManualClock:
    """A clock that moves only when told to; for tests and simulations.

    >>> clock = ManualClock(start_ms=1_000)
    >>> clock.advance(0.5)
    >>> now_ms(clock), clock.monotonic_s()
    (1500, 0.5)
    """

    def __init__(self, start_ms: int = 0) -> None:
        self._wall_ns = start_ms * 1_000_000
        self._monotonic_s = 0.0

    def now_ns(self) -> int:
        return self._wall_ns

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._wall_ns += round(seconds * 1e9)
        self._monotonic_s += seconds

    def set_wall(self, ms: int) -> None:
        """Jump the wall clock, as an operator or NTP may; the monotonic time does not move."""
        self._wall_ns = ms * 1_000_000


def now_ms(clock: Clock) -> int:
    """Wall time in whole milliseconds."""
    return clock.now_ns() // 1_000_000
