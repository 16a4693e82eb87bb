"""How much may be asked of the exchange's REST API, and when.

The exchange counts request weight per address and UTC minute; who keeps asking after a 429 is banned. We take at
most a share of the limit for ourselves, and wait when others on the same address have used most of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from pairscope.base.clock import Clock, now_ms

log = structlog.get_logger()

MINUTE_MS = 60_000
DEFAULT_LIMIT = 2_400
OWN_SHARE = 0.5
TOTAL_SHARE = 0.9  # of everybody on this address together
BAN_MS = 2 * MINUTE_MS  # the shortest ban the exchange gives
SETTLE_MS = 250  # its clock and ours need not agree: do not come back on the very first instant of a minute


class WeightBudget:
    """Admits requests; `used` is what this process spent in the present minute."""

    def __init__(self, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.limit = DEFAULT_LIMIT
        self.used = 0
        self.used_by_all = 0
        self.most_used = 0  # in any minute so far, by this process
        self.banned_until_ms = 0
        self._clock = clock
        self._sleep = sleep
        self._minute = -1
        self._not_before_ms = 0

    @property
    def own_limit(self) -> int:
        return int(self.limit * OWN_SHARE)

    async def acquire(self, weight: int) -> None:
        """Wait until a request of this weight may be sent, and count it."""
        while (wait_ms := self._wait_ms(weight)) > 0:
            await self._sleep(wait_ms / 1000)
        self.used += weight
        self.used_by_all += weight
        self.most_used = max(self.most_used, self.used)

    def _wait_ms(self, weight: int) -> int:
        now = now_ms(self._clock)
        if now // MINUTE_MS != self._minute:
            self._minute, self.used, self.used_by_all = now // MINUTE_MS, 0, 0
        if now < self._not_before_ms:
            return self._not_before_ms - now
        full = self.used + weight > self.own_limit or self.used_by_all + weight > self.limit * TOTAL_SHARE
        # A request dearer than our whole share must not wait for ever: it goes first in a fresh minute.
        return self._next_minute_ms(now) - now if full and self.used > 0 else 0

    def told(self, used_by_all: int | None) -> None:
        """What the exchange says has been used in this minute; it can only raise our count."""
        if used_by_all is not None and now_ms(self._clock) // MINUTE_MS == self._minute:
            self.used_by_all = max(self.used_by_all, used_by_all)

    def too_many(self) -> None:
        """The exchange answered 429: nothing more until its next minute."""
        self._not_before_ms = max(self._not_before_ms, self._next_minute_ms(now_ms(self._clock)))
        log.warning("rest_limit_reached", used=self.used, used_by_all=self.used_by_all)

    def banned(self, seconds: float | None) -> None:
        """The exchange answered 418: nothing at all until the ban is over."""
        ban_ms = BAN_MS if seconds is None else max(BAN_MS, round(seconds * 1000))
        self.banned_until_ms = now_ms(self._clock) + ban_ms
        self._not_before_ms = max(self._not_before_ms, self.banned_until_ms)
        log.error("rest_banned", seconds=ban_ms / 1000)

    @staticmethod
    def _next_minute_ms(now: int) -> int:
        return (now // MINUTE_MS + 1) * MINUTE_MS + SETTLE_MS
