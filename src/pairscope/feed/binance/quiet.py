"""Is a silent stream a quiet market or a broken stream? The exchange's REST API knows."""

from __future__ import annotations

import asyncio

import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import SymbolTable
from pairscope.base.reading import ascii_upper
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.binance.stream import TradeStream
from pairscope.feed.continuity import ContinuityTracker

log = structlog.get_logger()

CHECK_S = 5.0
ASK_AGAIN_S = 60.0  # each question costs as much as a page of trades


class QuietWatch:
    """Asks about streams silent for longer than they ever are, and has a deaf connection replaced."""

    def __init__(
        self,
        *,
        stream: TradeStream,
        rest: BinanceRest,
        tracker: ContinuityTracker,
        symbols: SymbolTable,
        clock: Clock,
    ) -> None:
        self.quiet: set[str] = set()  # silent, and the exchange agrees
        self._stream = stream
        self._rest = rest
        self._tracker = tracker
        self._symbols = symbols
        self._clock = clock
        self._asked_s: dict[str, float] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            silent = [ascii_upper(name.partition("@")[0]) for name in self._stream.silent_streams()]
            self.quiet &= set(silent)
            for symbol in silent:
                if self._clock.monotonic_s() - self._asked_s.get(symbol, -ASK_AGAIN_S) >= ASK_AGAIN_S:
                    self._asked_s[symbol] = self._clock.monotonic_s()
                    await self._ask(symbol)

    async def _ask(self, symbol: str) -> None:
        had = self._tracker.highest(self._symbols.index(symbol))
        try:
            newest = await self._rest.newest_id(symbol)
        except FeedUnavailable as error:
            log.warning("silent_stream_unchecked", symbol=symbol, cause=error.message)
            return
        if newest is not None and (had is None or newest > had):
            log.error("stream_deaf", symbol=symbol, had=had, exchange_has=newest)
            self._stream.replace_connection(symbol, f"{symbol} traded, and its stream was silent")
        else:
            self.quiet.add(symbol)
