"""The sign of life: an address that is called every minute while all is well, so that somebody misses it otherwise.

What watches must not lie on this machine: a dead pairscope tells nobody that it is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pairscope.alerts.delivery.channel import read_url
from pairscope.alerts.delivery.outcome import Outcome
from pairscope.alerts.delivery.webhook import Poster
from pairscope.base.clock import Clock, now_ms

log = structlog.get_logger()

EVERY_S = 60.0
MOST_S = 30.0  # of one call


@dataclass(frozen=True, slots=True)
class HeartbeatStatus:
    """``error`` is why the last call did not arrive; of a call that was left out, nothing is known."""

    last_ms: int | None  # when one arrived
    left_out: int  # because all was not well
    error: str | None


class Heartbeat:
    """Calls an address every minute; ``is_well`` says whether it may."""

    def __init__(self, url: str, poster: Poster, clock: Clock, is_well: Callable[[], bool]) -> None:
        self._url = read_url(url)
        self._poster = poster
        self._clock = clock
        self._is_well = is_well
        self._last_ms: int | None = None
        self._left_out = 0
        self._error: str | None = None

    def status(self) -> HeartbeatStatus:
        return HeartbeatStatus(self._last_ms, self._left_out, self._error)

    async def run(self) -> None:
        """Call until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(EVERY_S)

    async def beat(self) -> None:
        """Call once, when all is well."""
        if not self._is_well():
            self._left_out += 1
            return
        try:
            async with asyncio.timeout(MOST_S):
                outcome = await self._poster.ask("GET", self._url, {}, b"")
        except TimeoutError:
            outcome = Outcome("no answer in time")
        if outcome.is_sent:
            self._last_ms = now_ms(self._clock)
        elif outcome.error != self._error:
            log.warning("heartbeat_not_sent", cause=outcome.error)
        self._error = outcome.error
