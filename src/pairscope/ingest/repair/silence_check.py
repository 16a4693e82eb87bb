"""Checks of silent streams: a quiet market or a broken stream, which the exchange's REST API knows.

What decides is the time of the newest trade: a symbol whose newest trade is older than the subscription was silent by
right, however much older that trade is than all the history we hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import SymbolTable
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.venue import Rest, Stream
from pairscope.ingest.repair.repair import RepairStatus

log = structlog.get_logger()

CHECK_S = 5.0
ASK_AGAIN_S = 60.0  # each question costs as much as a page of trades
SLACK_MS = 2_000  # between a trade and our hearing of it, and between the two clocks
MOST_ASKED = 5  # symbols of a connection that is silent altogether: one that traded is enough


class SilenceCheck:
    """Asks about streams silent for longer than they ever are, and has the deaf ones listened to anew.

    Args:
        clock_offset_ms: our clock less the exchange's, as far as it is known.
    """

    def __init__(
        self,
        *,
        stream: Stream,
        rest: Rest,
        tracker: ContinuityTracker,
        symbols: SymbolTable,
        clock: Clock,
        clock_offset_ms: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.quiet: set[str] = set()  # silent, and the exchange agrees
        self._stream = stream
        self._rest = rest
        self._tracker = tracker
        self._symbols = symbols
        self._clock = clock
        self._clock_offset_ms = clock_offset_ms
        self._asked_s: dict[str, float] = {}

    def status(self) -> RepairStatus:
        return RepairStatus(name="silence")

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            silent = self._stream.silent()
            self.quiet &= set(silent)
            for symbol in silent:
                if self._clock.monotonic_s() - self._asked_s.get(symbol, -ASK_AGAIN_S) >= ASK_AGAIN_S:
                    self._asked_s[symbol] = self._clock.monotonic_s()
                    await self._ask(symbol)

    async def _ask(self, symbol: str) -> None:
        try:
            traded = await self._traded_unheard(symbol)
        except FeedUnavailable as error:
            log.warning("silent_stream_unchecked", symbol=symbol, cause=error.message)
            return
        if traded:
            log.error("stream_deaf", symbol=symbol, had=self._tracker.highest(self._symbols.index(symbol)))
            await self._stream.listen_anew(symbol, f"{symbol} traded, and its stream was silent")
        else:
            self.quiet.add(symbol)

    async def _traded_unheard(self, symbol: str) -> bool:
        """Whether a trade came since the symbol is listened to that was not heard.

        Raises:
            FeedUnavailable: when the exchange cannot be asked.
        """
        newest = await self._rest.newest_trade(symbol)
        listening_s = self._stream.listening_for_s(symbol)
        if newest is None or listening_s is None:  # no such symbol any more; or the connection was lost meanwhile
            return False
        newest_id, time_ms = newest
        exchange_ms = now_ms(self._clock) - (self._clock_offset_ms() or 0.0)
        if self._had(symbol, newest_id) or time_ms <= exchange_ms - listening_s * 1_000 + SLACK_MS:
            return False
        # It may be on its way at this moment.
        await asyncio.sleep(min(SLACK_MS, max(0.0, time_ms + SLACK_MS - exchange_ms)) / 1_000)
        return not self._had(symbol, newest_id) and self._stream.listening_for_s(symbol) is not None

    def _had(self, symbol: str, trade_id: int) -> bool:
        highest = self._tracker.highest(self._symbols.index(symbol))
        return highest is not None and highest >= trade_id

    async def is_quiet(self, symbols: Sequence[str]) -> bool:
        """Whether none of the first of these traded since they are listened to; false when that cannot be known."""
        try:
            for symbol in symbols[:MOST_ASKED]:
                self._asked_s[symbol] = self._clock.monotonic_s()
                if await self._traded_unheard(symbol):
                    return False
                self.quiet.add(symbol)
        except FeedUnavailable as error:
            log.warning("silent_stream_unchecked", cause=error.message)
            return False
        return True
