"""A silent stream against what REST says of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.gaps import GapReason
from pairscope.base.model import SymbolTable, TradeKind
from pairscope.feed.binance import managed_connection
from pairscope.feed.binance.managed_connection import ConnectionOptions
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource, TradeQuery
from pairscope.feed.binance.simulator.wire import Frame
from pairscope.feed.binance.trade_stream import TradeStream
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.ingest.repair import silence_check
from pairscope.ingest.repair.silence_check import SilenceCheck
from tests.judged import judge
from tests.patience import WORK_S


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
            judge=judge(),
            sink=self.sink,
            options=ConnectionOptions(never_heard_s=2.0),
            is_quiet=self.is_quiet,
        )
        self.rest = BinanceRest(exchange.rest_url, clock)
        self.watch = SilenceCheck(stream=self.stream, rest=self.rest, tracker=self.tracker, symbols=table, clock=clock)

    async def is_quiet(self, symbols: Sequence[str]) -> bool:
        return await self.watch.is_quiet(symbols)

    def sink(self, judged: Judged) -> None:
        self.tracker.check(judged.rows, 0, GapReason.SKIPPED)


@pytest.fixture
async def exchange(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SimulatedExchange]:
    monkeypatch.setattr(silence_check, "CHECK_S", 0.1)
    monkeypatch.setattr(silence_check, "ASK_AGAIN_S", 0.2)
    monkeypatch.setattr(silence_check, "SLACK_MS", 1_000)
    async with SimulatedExchange(MarketSource(SimulatedMarket(seed=3, rate=200), SystemClock())) as running:
        yield running


@contextlib.asynccontextmanager
async def running(watched: Watched) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(watched.stream.run()), asyncio.create_task(watched.watch.run())]
    try:
        async with asyncio.timeout(WORK_S):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await watched.rest.aclose()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


async def test_a_deaf_stream_is_listened_to_anew_and_then_elsewhere_and_the_others_lose_nothing(
    exchange: SimulatedExchange,
) -> None:
    exchange.faults.silence("ethusdt@aggTrade")
    watched = Watched(exchange, ("BTCUSDT", "ETHUSDT"))
    async with running(watched):
        await until(lambda: len(exchange.hub.connections) == 2)
        shared, alone = watched.stream._lanes
        assert (shared.streams, alone.streams) == (["btcusdt@aggTrade"], ["ethusdt@aggTrade"])
        assert shared.reconnects == 0
        exchange.faults.speak()
        await until(lambda: watched.tracker.highest(1) is not None)
        assert shared.reconnects == 0
        assert watched.tracker.open_gaps(0) == []


async def test_a_symbol_the_exchange_does_not_have_is_quiet(exchange: SimulatedExchange) -> None:
    watched = Watched(exchange, ("BTCUSDT", "NOSUCHUSDT"))
    async with running(watched):
        await until(lambda: watched.watch.quiet == {"NOSUCHUSDT"})
        assert watched.stream.health.reconnects == 0


class DeadMarket(MarketSource):
    """A market whose LINKUSDT traded last half an hour ago."""

    ended_ms = 0

    def start(self) -> None:
        super().start()
        self.ended_ms = self.now_ms() - 30 * 60_000

    def agg_trades(self, query: TradeQuery, lag_ms: int) -> list[bytes]:
        if query.symbol != "LINKUSDT" or query.from_id is not None or query.start_ms is not None:
            return super().agg_trades(query, lag_ms)
        return super().agg_trades(TradeQuery(query.symbol, query.limit, None, None, self.ended_ms), 0)[-1:]

    def due(self, streams: set[str], from_ms: int, to_ms: int) -> list[Frame]:
        return super().due(streams - {"linkusdt@aggTrade"}, from_ms, to_ms)


@pytest.mark.parametrize("symbols", [("BTCUSDT", "LINKUSDT"), ("LINKUSDT",)])
async def test_a_symbol_quiet_for_longer_than_any_history_costs_no_connection(
    symbols: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence_check, "CHECK_S", 0.1)
    monkeypatch.setattr(silence_check, "ASK_AGAIN_S", 0.2)
    monkeypatch.setattr(managed_connection, "QUIET_S", 0.2)
    async with SimulatedExchange(DeadMarket(SimulatedMarket(seed=3, rate=20), SystemClock())) as exchange:
        watched = Watched(exchange, symbols)
        async with running(watched):
            asked: list[bool] = []
            judge = watched.watch._traded_unheard

            async def judged(symbol: str) -> bool:
                asked.append(await judge(symbol))
                return asked[-1]

            monkeypatch.setattr(watched.watch, "_traded_unheard", judged)
            await until(lambda: len(asked) > 3 and watched.stream.health.state == "live")
            assert not any(asked)
            assert watched.watch.quiet == {"LINKUSDT"}
            assert watched.stream.health.reconnects == 0
            assert len(exchange.hub.connections) == 1


async def test_a_connection_on_which_nothing_comes_although_all_trade_is_replaced(exchange: SimulatedExchange) -> None:
    exchange.faults.silence()
    watched = Watched(exchange, ("BTCUSDT", "ETHUSDT"))
    async with running(watched):
        await until(lambda: watched.stream.health.reconnects > 0)
