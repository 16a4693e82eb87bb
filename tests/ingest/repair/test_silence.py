"""What a stream reports as silent, in virtual time: each false alarm would cost weight that holes need."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from pairscope.base.model import SymbolTable, TradeKind
from pairscope.feed.binance.connection import Connection, Frames
from pairscope.feed.binance.managed_connection import ConnectionOptions
from pairscope.feed.binance.trade_stream import TradeStream
from tests.faults.truth import invented
from tests.faults.virtual import VirtualClock, run_virtually
from tests.faults.wire import Switchboard
from tests.judged import judge

START_MS = 1_790_000_000_000


class WithoutSocket(TradeStream):
    """A trade stream on connections handed out by a switchboard."""

    exchange: Switchboard

    async def _connect(self, frames: Frames) -> Connection:
        return await self.exchange.connect(frames)


class Pond:
    """Two busy symbols and a quiet one, with the seconds between their trades."""

    def __init__(self) -> None:
        self.exchange = Switchboard()
        self.speaking = {"BUSYUSDT": 0.5, "STEADYUSDT": 1.0, "QUIETUSDT": 60.0}
        self.stream = WithoutSocket(
            base_url="ws://exchange",
            kind=TradeKind.AGG,
            watch=list(self.speaking),
            symbols=SymbolTable(list(self.speaking)),
            clock=VirtualClock(START_MS),
            judge=judge(),
            sink=lambda rows: None,
            options=ConnectionOptions(),
            rng=random.Random(1),
        )
        self.stream.exchange = self.exchange

    async def trade(self, symbol: str) -> None:
        truth = invented(symbol, 20_000, START_MS, START_MS + 7_200_000, random.Random(1))
        for trade_id in range(truth.first_id, truth.last_id):
            await asyncio.sleep(self.speaking[symbol])
            self.exchange.deliver([truth.frame(trade_id)])

    async def live(self, story: Callable[[Pond], Awaitable[None]]) -> None:
        tasks = [asyncio.create_task(self.trade(symbol)) for symbol in self.speaking]
        tasks.append(asyncio.create_task(self.stream.run()))
        await story(self)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def told(story: Callable[[Pond], Awaitable[None]]) -> None:
    async def main() -> None:
        await Pond().live(story)

    run_virtually(main())


def test_a_busy_symbol_that_goes_silent_is_named_and_the_quiet_one_is_not() -> None:
    async def story(pond: Pond) -> None:
        await asyncio.sleep(1_800)
        assert pond.stream.silent_streams() == []
        pond.speaking["BUSYUSDT"] = 10_000.0
        await asyncio.sleep(15)
        assert pond.stream.silent_streams() == ["busyusdt@aggTrade"]

    told(story)


def test_nobody_is_called_silent_while_there_is_no_connection_nor_right_after() -> None:
    async def story(pond: Pond) -> None:
        await asyncio.sleep(600)
        pond.exchange.refusing = True
        pond.exchange.open[0].end("dropped")
        for _ in range(60):
            await asyncio.sleep(1)
            assert pond.stream.silent_streams() == []
        pond.exchange.refusing = False
        for _ in range(60):
            await asyncio.sleep(1)
            assert pond.stream.silent_streams() == []
        assert pond.stream.health.state == "live"

    told(story)
