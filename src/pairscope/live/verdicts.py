"""What is known of a pair besides its bars, for those who look at it: kept up to date beside the stream.

Health rests on more bars than a window, and the correlation of trades on the tape: neither is computed with each bar,
nor on the event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import PairscopeError
from pairscope.live.analysis import Analyses, PairVerdict
from pairscope.live.kernels import WarmingUp
from pairscope.live.market import Market
from pairscope.live.span import PairKey

log = structlog.get_logger()

LOOK_S = 0.25
LEAST_S = 5.0  # between two verdicts of a pair; and after a close, not before


@dataclass(slots=True)
class _Asked:
    closed_ms: int
    at_s: float


class Verdicts:
    """Of the pairs that somebody follows. Lives on the event loop; `run` is its only task."""

    def __init__(self, live: Market, studies: Analyses, clock: Clock) -> None:
        self._live = live
        self._studies = studies
        self._clock = clock
        self._followers: Counter[PairKey] = Counter()
        self._known: dict[PairKey, PairVerdict] = {}
        self._asked: dict[PairKey, _Asked] = {}

    def follow(self, key: PairKey) -> None:
        self._followers[key] += 1

    def leave(self, key: PairKey) -> None:
        self._followers[key] -= 1
        if self._followers[key] <= 0:
            for kept in (self._followers, self._known, self._asked):
                kept.pop(key, None)

    def of(self, key: PairKey) -> PairVerdict | None:
        """The newest verdict; None before the first, and of a pair that nobody follows."""
        return self._known.get(key)

    async def run(self) -> None:
        """Judge what is due, one pair after the other, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Judge each pair of which a bar has closed since the last time."""
        for key in list(self._followers):
            if self._is_due(key):
                await self._judge(key)

    def _is_due(self, key: PairKey) -> bool:
        before = self._asked.get(key)
        if before is None:
            return True
        closed_ms = self._live.newest_closed_ms([key.y, key.x], key.interval)
        return closed_ms != before.closed_ms and self._clock.monotonic_s() - before.at_s >= LEAST_S

    async def _judge(self, key: PairKey) -> None:
        closed_ms = self._live.newest_closed_ms([key.y, key.x], key.interval)
        self._asked[key] = _Asked(closed_ms, self._clock.monotonic_s())
        try:
            verdict = await self._studies.verdict(key)
        except WarmingUp:
            self._asked.pop(key, None)
        except PairscopeError as error:  # the tape cannot be read: what was known stays
            log.warning("verdict_not_refreshed", y=key.y, x=key.x, cause=error.message)
        except Exception:  # of one pair; the others go on
            log.exception("verdict_failed", y=key.y, x=key.x)
        else:
            if key in self._followers:
                self._known[key] = verdict
