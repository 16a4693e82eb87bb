"""Where the frames of the simulated exchange come from: the interface, and the seeded market behind it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import SettingsError
from pairscope.base.reading import ascii_upper
from pairscope.feed.binance.simulator.data_faults import SimulatedInstrument
from pairscope.feed.binance.simulator.hub import FrameHub
from pairscope.feed.binance.simulator.listing import MINUTE_MS
from pairscope.feed.binance.simulator.market import FLUSH_MS, AggTrades, SimulatedMarket
from pairscope.feed.binance.simulator.wire import Frame, agg_frames, agg_rows, fill_frames

HORIZON_MS = 48 * 3_600_000  # how far REST reaches back
_TICK_S = 0.005
_PREPARE_S = 20.0
_LONGEST_SLICE_MS = 10_000


@dataclass(frozen=True, slots=True)
class TradeQuery:
    """A REST request for aggregate trades: from an id, or between two times (both inclusive), or the newest."""

    symbol: str
    limit: int
    from_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None


class TooOld(Exception):
    """The query reaches further back than the exchange keeps."""


class FrameSource(Protocol):
    """Plays frames to the hub, and remembers what it played for REST."""

    def start(self) -> None:
        """Get ready; called once, before anything else."""

    def now_ms(self) -> int:
        """The exchange's time."""

    def instruments(self) -> list[SimulatedInstrument]:
        """All that is listed."""

    def agg_trades(self, query: TradeQuery, lag_ms: int) -> list[bytes]:
        """Rows of aggregate trades in the order of their ids, as if it were ``lag_ms`` ago.

        Raises:
            TooOld: when the first row wanted is no longer kept.
        """

    async def play(self, hub: FrameHub) -> None:
        """Publish frames as their time comes, until the end or until cancelled."""


class MarketSource:
    """A seeded market in real time, or ``speed`` times as fast from a start moment (default: now)."""

    def __init__(
        self, market: SimulatedMarket, clock: Clock, *, speed: float = 1.0, start_ms: int | None = None
    ) -> None:
        if not speed > 0:
            raise SettingsError(f"a market cannot run at speed {speed}", cure="use 1 for real time, or more")
        self.market = market
        self.sent_ms = 0  # exchange time before which everything has been sent
        self._clock = clock
        self._speed = speed
        self._start_ms = start_ms
        self._anchor_ns = 0

    def start(self) -> None:
        self._anchor_ns = self._clock.now_ns()
        if self._start_ms is None:
            self._start_ms = now_ms(self._clock)
        self.sent_ms = self.now_ms()

    def now_ms(self) -> int:
        passed_ns = self._clock.now_ns() - self._anchor_ns
        return (self._start_ms or 0) + int(passed_ns * self._speed) // 1_000_000

    def instruments(self) -> list[SimulatedInstrument]:
        return [
            SimulatedInstrument(each.symbol, each.tick_size, each.step_size, each.price_decimals, each.size_decimals)
            for each in self.market.listings.values()
        ]

    def agg_trades(self, query: TradeQuery, lag_ms: int) -> list[bytes]:
        trades = self._sent_before(self._find(query), self.now_ms() - lag_ms)
        if query.from_id is None and query.start_ms is None:
            trades = trades.slice(max(len(trades) - query.limit, 0), len(trades))
        return agg_rows(self.market.listing(query.symbol), trades.slice(0, query.limit))

    def _find(self, query: TradeQuery) -> AggTrades:
        market, symbol, now = self.market, query.symbol, self.now_ms()
        oldest_ms = now - HORIZON_MS
        if query.from_id is not None:
            if query.from_id < market.first_id_at(symbol, oldest_ms):
                raise TooOld
            if query.from_id >= market.first_id_at(symbol, now):
                return market.trades(symbol, now, now)
            return market.by_id(symbol, query.from_id, query.limit)
        end_ms = now if query.end_ms is None else min(query.end_ms, now)
        if min(end_ms, query.start_ms or end_ms) < oldest_ms:
            raise TooOld
        if query.start_ms is None:
            end_id = market.first_id_at(symbol, end_ms + 1)
            # Some of the newest may not have been sent yet: take more than the limit.
            return market.by_id(symbol, end_id - query.limit - 1_000, query.limit + 1_000)
        if query.start_ms > end_ms:
            return market.trades(symbol, now, now)
        first_id = market.first_id_at(symbol, query.start_ms)
        count = market.first_id_at(symbol, end_ms + 1) - first_id
        return market.by_id(symbol, first_id, min(query.limit, count))

    @staticmethod
    def _sent_before(trades: AggTrades, time_ms: int) -> AggTrades:
        return trades.slice(0, int((trades.flush_ms < time_ms).sum()))

    async def play(self, hub: FrameHub) -> None:
        preparing = asyncio.create_task(self._prepare(hub))
        try:
            await self._publish_what_is_due(hub)
        finally:
            preparing.cancel()

    async def _publish_what_is_due(self, hub: FrameHub) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now = self.now_ms()
            while self.sent_ms < now:
                until_ms = min(now, self.sent_ms + _LONGEST_SLICE_MS)
                hub.publish(self.due(hub.wanted, self.sent_ms, until_ms))
                self.sent_ms = until_ms
                if until_ms < now:  # far behind: do not pile up more than the clients can take
                    await hub.drained()

    def due(self, streams: set[str], from_ms: int, to_ms: int) -> list[Frame]:
        """Frames of these streams with ``from_ms <= send time < to_ms``, by time."""
        timed: list[tuple[int, Frame]] = []
        for stream in sorted(streams):
            symbol, _, kind = stream.partition("@")
            listing = self.market.listings.get(ascii_upper(symbol))
            if listing is None:
                continue
            if kind == "aggTrade":
                timed += agg_frames(listing, self.market.flushed(listing.symbol, from_ms, to_ms))
            elif kind == "trade":
                fills = fill_frames(listing, self.market.trades(listing.symbol, from_ms - FLUSH_MS, to_ms))
                timed += [fill for fill in fills if from_ms <= fill[0] < to_ms]
        timed.sort(key=lambda each: each[0])
        return [frame for _, frame in timed]

    async def _prepare(self, hub: FrameHub) -> None:
        """Make the trades of minutes to come beside the loop, so that no tick waits for them."""
        while True:
            minute = self.now_ms() // MINUTE_MS + 1
            for symbol in {ascii_upper(stream.partition("@")[0]) for stream in hub.wanted} & set(self.market.listings):
                await asyncio.to_thread(self.market.minute, symbol, minute)
            await asyncio.sleep(_PREPARE_S / self._speed)
