"""Catching up after a lost connection: by REST, the trades of symbols that are not heard yet.

A missing trade shows itself by the one after it. A symbol that trades once in ten minutes would leave the trades of an
outage unknown for that long, and nobody would see that they are missing. So the exchange is asked for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import SymbolTable
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.feed.venue import Around, Pages
from pairscope.ingest.repair.repair import RepairStatus

log = structlog.get_logger()

LOOK_S = 0.25
GRACE_S = 2.0  # most symbols are heard by then, and REST may lag the stream by that much
REQUESTS_AT_ONCE = 4


class Subscribed(Protocol):
    """What is needed of a stream."""

    @property
    def subscribed_for_s(self) -> float | None: ...


class CatchUp:
    """Asks for the trades of silent symbols once after each subscription.

    Args:
        watched: the symbols to ask about, those that matter most first.
        take: receives rows in order of id; false when the tape is full.
        nothing_since: told of a symbol that has not traded since its newest trade.
    """

    def __init__(
        self,
        *,
        stream: Subscribed,
        pages: Pages,
        tracker: ContinuityTracker,
        symbols: SymbolTable,
        watched: Callable[[], Sequence[str]],
        take: Callable[[Judged], bool],
        clock: Clock,
        nothing_since: Callable[[int], None] = lambda symbol_id: None,
    ) -> None:
        self.trades = 0  # that came this way
        self._stream = stream
        self._pages = pages
        self._tracker = tracker
        self._symbols = symbols
        self._watched = watched
        self._take = take
        self._clock = clock
        self._nothing_since = nothing_since
        self._turn = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._had: dict[str, int] = {}  # the highest ids before the subscription
        self._done_s = float("-inf")  # begin of the subscription after which the exchange was asked
        self._asking = False

    def unsure(self) -> list[str]:
        """Symbols that may have traded unheard: not heard since the subscription, and not asked about after it yet."""
        for_s = self._stream.subscribed_for_s
        if for_s is None or (self._is_done(for_s) and not self._asking):
            return []
        now = self._highest()
        return [symbol for symbol, highest in self._had.items() if now.get(symbol) == highest]

    def _is_done(self, for_s: float) -> bool:
        return self._clock.monotonic_s() - for_s <= self._done_s + LOOK_S / 2

    def status(self) -> RepairStatus:
        return RepairStatus(name="catch-up", trades=self.trades)

    async def run(self) -> None:
        """Watch for subscriptions until cancelled."""
        self._had = self._highest()
        while True:
            await asyncio.sleep(LOOK_S)
            for_s = self._stream.subscribed_for_s
            if for_s is None or self._is_done(for_s):
                self._had = self._highest()
            elif for_s >= GRACE_S:
                self._done_s, self._asking = self._clock.monotonic_s() - for_s, True
                try:
                    await self._ask(self._had)
                finally:
                    self._asking = False
                self._had = self._highest()

    def _highest(self) -> dict[str, int]:
        """The highest id of each watched symbol that has one."""
        found = {symbol: self._tracker.highest(self._symbols.index(symbol)) for symbol in self._watched()}
        return {symbol: highest for symbol, highest in found.items() if highest is not None}

    async def _ask(self, had: dict[str, int]) -> None:
        now = self._highest()
        silent = [symbol for symbol, highest in had.items() if now.get(symbol) == highest]
        before = self.trades
        await asyncio.gather(*(self._catch_up(symbol, had[symbol]) for symbol in silent))
        log.info("caught_up", silent_symbols=len(silent), trades=self.trades - before)

    async def _catch_up(self, symbol: str, highest: int) -> None:
        symbol_id = self._symbols.index(symbol)
        after = Around(self._tracker.newest_ms(symbol_id))
        while True:
            async with self._turn:
                if self._tracker.highest(symbol_id) != highest:  # it was heard meanwhile: what is missing is known
                    return
                try:
                    page = await self._pages.page(symbol, symbol_id, highest + 1, around=after)
                except FeedUnavailable as error:  # the next trade will show what is missing
                    log.warning("catching_up_failed", symbol=symbol, cause=error.message)
                    return
            page = page.take(page.rows.id > highest)
            if not len(page):
                self._nothing_since(symbol_id)
            if not len(page) or not self._take(page):
                return
            self.trades += len(page)
            highest, after = int(page.rows.id[-1]), Around(int(page.rows.time_ms[-1]))
            if len(page) < self._pages.page_rows:
                return
