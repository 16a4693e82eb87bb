"""Our clock against the exchange's: lags, gaps in time and what is asked for by time are wrong by what they differ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable

log = structlog.get_logger()

MOST_OFF_MS = 1_000.0
CHECK_S = 600.0
AGAIN_S = 30.0  # after a try without an answer
LOOK_S = 1.0  # for a jump of our own clock
JUMP_MS = 250.0
TRIES = 3  # the answer that came fastest counts
FAST_MS = 200.0


class ClockCheck:
    """Measures the difference for ever; `ask` tells the exchange's time in milliseconds.

    While a question is under way, so is its answer: the time told is taken to be that of half way, and the difference
    is known to within half of the time it took.

    Args:
        corrected: told when it turns out that times were judged by another time than the exchange's: at the first
            answer, and when a later one differs by more than is told to people.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[int]], clock: Clock, corrected: Callable[[], None] = lambda: None
    ) -> None:
        self.checked_ms: int | None = None
        self._ask = ask
        self._clock = clock
        self._corrected = corrected
        self._measured_ms: float | None = None
        self._base_ms = 0.0  # wall less monotonic time when it was measured
        self._told = False
        self._start_ms, self._start_s = now_ms(clock), clock.monotonic_s()

    def latest_ms(self) -> int:
        """The time it may be at the exchange at the latest, whatever became of our own clock.

        While nothing is known of the exchange's, ours counts, and once it was set back the time that passed since.
        """
        if self.offset_ms is not None:
            return round(now_ms(self._clock) - self.offset_ms)
        passed_ms = round((self._clock.monotonic_s() - self._start_s) * 1_000)
        return max(now_ms(self._clock), self._start_ms + passed_ms)

    @property
    def offset_ms(self) -> float | None:
        """Our clock less the exchange's; None while it is not known. A jump of our clock since then is counted."""
        return None if self._measured_ms is None else self._measured_ms + self._now_base_ms() - self._base_ms

    @property
    def notice(self) -> str | None:
        """What to tell people, when the clocks differ by too much."""
        offset_ms = self.offset_ms
        if offset_ms is None or abs(offset_ms) <= MOST_OFF_MS:
            return None
        direction = "ahead of" if offset_ms > 0 else "behind"
        return (
            f"This machine's clock is {_seconds(abs(offset_ms))} {direction} the exchange's: "
            "lags are wrong by that much. Set it by NTP."
        )

    async def run(self) -> None:
        """Measure until cancelled; at once after a jump of our own clock."""
        while True:
            known = await self.measure()
            self._tell()
            base_ms, until_s = self._now_base_ms(), self._clock.monotonic_s() + (CHECK_S if known else AGAIN_S)
            while self._clock.monotonic_s() < until_s and abs(self._now_base_ms() - base_ms) < JUMP_MS:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
            if abs(self._now_base_ms() - base_ms) >= JUMP_MS:
                self._tell()

    async def measure(self) -> bool:
        """Ask a few times, and fewer when an answer comes fast; whether any came."""
        best: tuple[float, float, float] | None = None
        for _ in range(TRIES):
            started_s = self._clock.monotonic_s()
            try:
                exchange_ms = await self._ask()
            except FeedUnavailable as error:
                log.info("clock_not_compared", cause=error.message)
                break
            took_ms = (self._clock.monotonic_s() - started_s) * 1_000
            offset_ms = now_ms(self._clock) - took_ms / 2 - exchange_ms
            best = min(best or (took_ms, offset_ms, self._now_base_ms()), (took_ms, offset_ms, self._now_base_ms()))
            if took_ms < FAST_MS:
                break
        if best is None:
            return False
        before_ms = self.offset_ms
        _, self._measured_ms, self._base_ms = best
        self.checked_ms = now_ms(self._clock)
        if before_ms is None or abs(self._measured_ms - before_ms) > MOST_OFF_MS:
            self._corrected()
        return True

    def _tell(self) -> None:
        notice = self.notice
        if notice and not self._told:
            log.warning("clock_off", offset_ms=round(self.offset_ms or 0.0), told=notice)
        elif self._told and not notice:
            log.info("clock_agrees", offset_ms=round(self.offset_ms or 0.0))
        self._told = notice is not None

    def _now_base_ms(self) -> float:
        return self._clock.now_ns() / 1e6 - self._clock.monotonic_s() * 1_000


def _seconds(ms: float) -> str:
    """A duration for people.

    >>> _seconds(1_234), _seconds(3_600_000), _seconds(90_000_000)
    ('1.2 s', '60 min', '25 h')
    """
    if ms < 120_000:
        return f"{ms / 1_000:.1f} s"
    return f"{ms / 60_000:.0f} min" if ms < 7_200_000 else f"{ms / 3_600_000:.0f} h"
