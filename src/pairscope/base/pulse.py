"""Lateness of the event loop: how late it comes to its work, and for how long it was really awake.

A process may stand still: the machine is busy, asleep, or a debugger holds it. What was not heard meanwhile is nobody
else's silence, so silence is counted in the seconds the loop was awake, and not in those that passed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import structlog

from pairscope.base.clock import Clock

log = structlog.get_logger()

BEAT_S = 0.05
LONGEST_BEAT_S = 0.5  # of what passes between two beats, no more counts as awake
KEPT_S = 60.0
TELL_S = 2.0  # standing still for longer is logged
# Beyond these, within the last minute, the process does not do its work as it should.
P99_LIMIT_MS = 2_000.0
LONGEST_LIMIT_MS = 10_000.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How late the loop came to its work within the last minute."""

    p50_ms: float
    p99_ms: float
    longest_ms: float

    @property
    def problem(self) -> str | None:
        """What is wrong, in words; None when nothing is."""
        if self.longest_ms > LONGEST_LIMIT_MS:
            return f"this process stood still for {self.longest_ms / 1000:.0f} s within the last minute"
        if self.p99_ms > P99_LIMIT_MS:
            return f"this process comes {self.p99_ms / 1000:.1f} s late to its work"
        return None


class Pulse:
    """Beats while `run` does; without it, everything counts as awake."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lags: deque[tuple[float, float]] = deque()  # when, and how late in seconds
        self._asleep_s = 0.0
        self._last_s: float | None = None

    def awake_s(self) -> float:
        """A time that goes on only while the loop does; for differences."""
        return self._clock.monotonic_s() - self._asleep_s - self._missed_s()

    def lag(self) -> Lag:
        self._forget()
        lags = sorted(lag_s for _, lag_s in self._lags)
        if not lags:
            return Lag(0.0, 0.0, 0.0)
        middle, high = (lags[min(len(lags) - 1, int(share * len(lags)))] for share in (0.5, 0.99))
        return Lag(*(round(each * 1000, 1) for each in (middle, high, lags[-1])))

    async def run(self) -> None:
        """Beat until cancelled."""
        self._last_s = self._clock.monotonic_s()
        try:
            while True:
                await asyncio.sleep(BEAT_S)
                self.beat()
        finally:
            self._last_s = None

    def beat(self) -> None:
        """The loop has come to its work once more."""
        now_s = self._clock.monotonic_s()
        if self._last_s is not None:
            lag_s = max(0.0, now_s - self._last_s - BEAT_S)
            self._asleep_s += self._missed_s()
            self._lags.append((now_s, lag_s))
            if lag_s > TELL_S:
                log.warning("stood_still", seconds=round(lag_s, 1))
        self._last_s = now_s
        self._forget()

    def _missed_s(self) -> float:
        """What has passed since the last beat beyond the longest one."""
        if self._last_s is None:
            return 0.0
        return max(0.0, self._clock.monotonic_s() - self._last_s - LONGEST_BEAT_S)

    def _forget(self) -> None:
        until_s = self._clock.monotonic_s() - KEPT_S
        while self._lags and self._lags[0][0] < until_s:
            self._lags.popleft()
