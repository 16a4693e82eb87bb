"""A silent stream against what REST says of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.model import SymbolTable, TradeKind
from pairscope.feed.binance import quiet
from pairscope.feed.binance.lane import LaneOptions
from pairscope.feed.binance.protocol import Decoded
from pairscope.feed.binance.quiet import QuietWatch
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.binance.stream import TradeStream
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.simulator.exchange import SimulatedExchange
from pairscope.feed.simulator.market import Market
from pairscope.feed.simulator.source import MarketSource


class Watched:
    """A stream of two symbols with everything a quiet watch needs."""

    def __init__(self, exchange: SimulatedExchange, symbols: tuple[str, ...]) -> None:
        clock = SystemClock()
        table = SymbolTable(symbols)
        self.tracker = ContinuityTracker(table)
        self.stream = TradeStream(
            base_url=exchange.ws_url,
            kind=TradeKind.AGG,
            watch=symbols,
            symbols=table,
            clock=clock,
            sink=self.sink,
            options=LaneOptions(never_heard_s=0.5),
        )
        self.rest = BinanceRest(exchange.rest_url, clock)
        self.watch = QuietWatch(stream=self.stream, rest=self.rest, tracker=self.tracker, symbols=table, clock=clock)

    def sink(self, decoded: Decoded) -> None:
        self.tracker.check(decoded.trades, 0, "test")


@pytest.fixture
async def exchange(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimulatedExchange]:
    monkeypatch.setattr(quiet, "CHECK_S", 0.1)
    async with SimulatedExchange(MarketSource(Market(seed=3, rate=200), SystemClock())) as running:
        yield running


async def until_ended(watched: Watched, done: asyncio.Future[None]) -> None:
    tasks = [asyncio.create_task(watched.stream.run()), asyncio.create_task(watched.watch.run())]
    try:
        await asyncio.wait_for(done, 20)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await watched.rest.aclose()


async def reached(condition: asyncio.Future[None], watched: Watched, name: str) -> None:
    while True:
        if name == "reconnected" and watched.stream.health.reconnects:
            break
        if name == "quiet" and watched.watch.quiet:
            break
        await asyncio.sleep(0.02)
    condition.set_result(None)


@pytest.mark.parametrize(
    ("symbols", "silenced", "outcome"),
    [
        (("BTCUSDT", "ETHUSDT"), "ethusdt@aggTrade", "reconnected"),
        (("BTCUSDT", "NOSUCHUSDT"), None, "quiet"),
    ],
)
async def test_a_deaf_stream_gets_a_new_connection_and_a_quiet_one_does_not(
    exchange: SimulatedExchange, symbols: tuple[str, ...], silenced: str | None, outcome: str
) -> None:
    if silenced:
        exchange.faults.silence(silenced)
    watched = Watched(exchange, symbols)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(reached(done, watched, outcome))
    await until_ended(watched, done)
    await waiting
    if outcome == "quiet":
        assert watched.watch.quiet == {"NOSUCHUSDT"}
        assert watched.stream.health.reconnects == 0
    assert np.asarray(watched.stream.health.trades) > 0
