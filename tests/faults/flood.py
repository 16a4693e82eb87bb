"""An exchange in a process of its own that sends a given number of trades as fast as they are taken."""

from __future__ import annotations

import asyncio
import sys

from pairscope.base.clock import ManualClock
from pairscope.base.logs import set_up_logs
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.hub import FrameHub
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.binance.simulator.wire import Frame

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")
START_MS = 1_790_000_000_000
SLICE = 2_000
RATE = 100.0


class Flood(MarketSource):
    """Waits for a line on standard input before each wave, then sends it without a pause."""

    def __init__(self, waves: list[int]) -> None:
        super().__init__(SimulatedMarket(seed=1, rate=RATE), ManualClock(START_MS))
        self._waves = waves
        self._frames: list[Frame] = []

    def make(self) -> None:
        streams, from_ms = {f"{symbol.lower()}@aggTrade" for symbol in SYMBOLS}, START_MS
        while len(self._frames) < sum(self._waves):
            self._frames += self.due(streams, from_ms, from_ms + 10_000)
            from_ms += 10_000

    async def play(self, hub: FrameHub) -> None:
        start = 0
        for wave in self._waves:
            await asyncio.to_thread(sys.stdin.readline)
            for place in range(start, start + wave, SLICE):
                hub.publish(self._frames[place : min(place + SLICE, start + wave)])
                await hub.drained()
                await asyncio.sleep(0)
            start += wave
        await asyncio.Event().wait()


async def main() -> None:
    set_up_logs("error", None)
    flood = Flood([int(text) for text in sys.argv[1:]])
    flood.make()
    async with SimulatedExchange(flood) as exchange:
        print(exchange.ws_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
