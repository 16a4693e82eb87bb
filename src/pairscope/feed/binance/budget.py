"""How much may be asked of the exchange's REST API, and when.

The exchange counts request weight per address and minute of its own clock; who keeps asking after a 429 is banned. We
take at most a share of the limit for ourselves in any sixty seconds, wherever its minutes begin and whatever happens to
our wall clock, and wait when others on the same address have used most of it. What was used before the first answer
came may have been used by ourselves, before a restart: until that minute is over it counts as ours.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice

import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.feed.limits import HostAccess, Limits
from pairscope.feed.retry_after import until_text

log = structlog.get_logger()

MINUTE_S = 60.0
DEFAULT_LIMIT = 2_400
OWN_SHARE = 0.5
TOTAL_SHARE = 0.9  # of everybody on this address together
LIGHT = 1  # of weight: questions of a start, which a back-fill before it must not hold up
KEPT_FOR_LIGHT = 20  # of our share: ten starts in a minute
SHORTEST_WAIT_S = 0.01
BAN_S = 120.0  # the shortest ban the exchange gives
SETTLE_S = 0.25  # its clock and ours need not agree: do not come back on the very first instant of a minute


class WeightBudget:
    """Admits requests; `used` is what this process spent in the last sixty seconds.

    `door` keeps until when the exchange asked us to wait, across a restart too.
    """

    def __init__(
        self,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        door: HostAccess | None = None,
    ) -> None:
        self.door = door or Limits(clock).door("")
        self.limit = DEFAULT_LIMIT
        self.most_used = 0  # in any sixty seconds so far
        self.banned_until_ms = 0  # for people; waiting goes by the monotonic clock
        self._clock = clock
        self._sleep = sleep
        self._under_way = 0  # weight of requests without an answer yet
        self._spent: deque[tuple[float, int]] = deque()  # when each request was answered, and its weight
        self._inherited = 0  # used in the minute of the first answer by whoever was here before us
        self._inherited_until_s: float | None = None  # None before that answer
        self._answered = False
        self._used_by_all = 0
        self._minute_over_s = 0.0  # when that figure no longer says anything

    @property
    def own_limit(self) -> int:
        return int(self.limit * OWN_SHARE)

    @property
    def used(self) -> int:
        # An answered request was counted by the exchange before its answer came, and after sixty seconds no more.
        oldest_s = self._clock.monotonic_s() - MINUTE_S
        while self._spent and self._spent[0][0] <= oldest_s:
            self._spent.popleft()
        return self._under_way + sum(weight for _, weight in self._spent)

    def _counted(self) -> int:
        """What may have been used by ourselves, before a restart too."""
        over = self._inherited_until_s is None or self._clock.monotonic_s() >= self._inherited_until_s
        return self.used + (0 if over else self._inherited)

    @asynccontextmanager
    async def spend(self, weight: int, *, patience_s: float = math.inf) -> AsyncIterator[None]:
        """Wait until a request of this weight may be sent; the request itself goes inside.

        Raises:
            FeedUnavailable: when the exchange asked us to wait for longer than `patience_s`.
        """
        while (wait_s := self._wait_s(weight)) > 0:
            if self.door.wait_s > patience_s:
                raise self._asked_to_wait()
            await self._sleep(wait_s)
        self._under_way += weight
        self.most_used = max(self.most_used, self.used)
        try:
            yield
        finally:
            self._under_way -= weight
            self._answered = True
            self._spent.append((self._clock.monotonic_s(), weight))

    def _wait_s(self, weight: int) -> float:
        if (wait_s := self.door.wait_s) > 0:
            return wait_s
        now_s = self._clock.monotonic_s()
        if now_s < self._minute_over_s and self._used_by_all + weight > self.limit * TOTAL_SHARE:
            return self._minute_over_s - now_s
        if not self._answered and self._under_way:  # the first answer tells how much is left
            return SHORTEST_WAIT_S
        used = self._counted()
        share = self.own_limit if weight <= LIGHT else self.own_limit - KEPT_FOR_LIGHT
        # A request dearer than our whole share must not wait for ever: it goes when nothing else was spent.
        if used == 0 or used + weight <= share:
            return 0.0
        freed_s = [] if self._inherited_until_s is None else [self._inherited_until_s]
        freed_s += [time_s + MINUTE_S for time_s, _ in islice(self._spent, 1)]
        return max(SHORTEST_WAIT_S, min((each for each in freed_s if each > now_s), default=now_s) - now_s)

    def told(self, used_by_all: int | None) -> None:
        """What the exchange says has been used in its present minute by everybody on this address."""
        if self._inherited_until_s is None:
            self._inherited = max(0, (used_by_all or 0) - self.used)
            self._inherited_until_s = self._next_minute_s()
        if used_by_all is not None:
            self._used_by_all = used_by_all
            self._minute_over_s = self._next_minute_s()

    def too_many(self, seconds: float | None = None) -> None:
        """The exchange answered 429: nothing more until its next minute, or for as long as it asks."""
        minute_s = self._next_minute_s() - self._clock.monotonic_s()
        wait_s = minute_s if seconds is None else max(minute_s, seconds + SETTLE_S)
        self.door.forbid(wait_s, "HTTP 429")
        log.warning("rest_limit_reached", used=self.used, used_by_all=self._used_by_all, wait_s=round(wait_s, 1))

    def banned(self, seconds: float | None) -> None:
        """The exchange answered 418: nothing at all until the ban is over."""
        ban_s = BAN_S if seconds is None else max(BAN_S, seconds)
        self.banned_until_ms = now_ms(self._clock) + round(ban_s * 1_000)
        self.door.forbid(ban_s + SETTLE_S, "HTTP 418")
        log.error("rest_banned", seconds=ban_s)

    def busy(self, seconds: float, status: int) -> None:
        """The exchange answered that it cannot just now, and when it may be asked again."""
        self.door.forbid(seconds + SETTLE_S, f"HTTP {status}")
        log.warning("rest_asked_to_wait", status=status, seconds=seconds)

    def _asked_to_wait(self) -> FeedUnavailable:
        return FeedUnavailable(
            f"the exchange asked us to wait ({self.door.why}): "
            f"its REST API is asked again at {until_text(self.door.next_allowed_ms)}",
            cure="wait; live trades are not affected",
            code="asked_to_wait",
            retry_after_s=self.door.wait_s,
        )

    def _next_minute_s(self) -> float:
        """When the exchange's next minute begins, in monotonic time: the wall clock may jump meanwhile."""
        left_s = MINUTE_S - now_ms(self._clock) / 1_000 % MINUTE_S
        return self._clock.monotonic_s() + left_s + SETTLE_S
