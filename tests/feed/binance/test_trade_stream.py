"""The stream against the simulated exchange, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme

from pairscope.base.clock import SystemClock
from pairscope.base.model import SymbolTable, TradeKind
from pairscope.feed.binance.managed_connection import ConnectionOptions
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.faults import FaultyDoor
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.binance.trade_stream import TradeStream
from pairscope.feed.judge import Judged
from tests.judged import judge
from tests.patience import EVENT_S

SYMBOLS = ("BTCUSDT", "ETHUSDT")


class Listener:
    """Collects what a stream delivers, and waits for it."""

    def __init__(self) -> None:
        self.ids: dict[int, list[int]] = {}
        self._arrived = asyncio.Event()

    def sink(self, judged: Judged) -> None:
        for symbol, trade_id in zip(judged.rows.symbol_id.tolist(), judged.rows.id.tolist(), strict=True):
            self.ids.setdefault(symbol, []).append(trade_id)
        self._arrived.set()

    @property
    def count(self) -> int:
        return sum(map(len, self.ids.values()))

    async def more(self, trades: int) -> None:
        """Until so many more trades have come."""
        goal = self.count + trades
        while self.count < goal:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), EVENT_S)


async def until(condition: Callable[[], bool], seconds: float = EVENT_S) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def streaming(
    exchange: SimulatedExchange, watch: tuple[str, ...] = SYMBOLS, **options: Any
) -> AsyncIterator[tuple[TradeStream, Listener]]:
    listener = Listener()
    lane_options = {name: options.pop(name) for name in list(options) if name.endswith("_s")}
    stream = TradeStream(
        base_url=exchange.ws_url,
        kind=options.pop("kind", TradeKind.AGG),
        watch=watch,
        symbols=SymbolTable(watch),
        clock=SystemClock(),
        judge=judge(),
        sink=listener.sink,
        options=ConnectionOptions(**lane_options),
        **options,
    )
    task = asyncio.create_task(stream.run())
    try:
        yield stream, listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatedExchange]:
    """A busy market: two hundred times a usual day."""
    async with SimulatedExchange(MarketSource(SimulatedMarket(seed=3, rate=200), SystemClock())) as running:
        yield running


def assert_contiguous(ids: list[int]) -> None:
    assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_every_trade_arrives_once_and_in_order(exchange: SimulatedExchange) -> None:
    async with streaming(exchange) as (stream, listener):
        await listener.more(2_000)
        assert stream.health.state == "live"
    for ids in listener.ids.values():
        assert_contiguous(ids)
    assert stream.health.trades == listener.count
    assert not stream.health.rejected


async def test_raw_trades_come_by_the_other_route_with_contiguous_ids(exchange: SimulatedExchange) -> None:
    async with streaming(exchange, kind=TradeKind.RAW) as (_, listener):
        await listener.more(2_000)
    for ids in listener.ids.values():
        assert_contiguous(ids)


async def test_a_secure_connection_is_checked_against_its_authority() -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    source = MarketSource(SimulatedMarket(seed=3, rate=200), SystemClock())
    async with SimulatedExchange(source, ssl_context=server) as exchange:
        async with streaming(exchange) as (stream, _):
            await until(lambda: stream.health.last_error is not None)
            assert stream.health.trades == 0
        authority.configure_trust(client)
        async with streaming(exchange, tls=client) as (_, listener):
            await listener.more(100)


@pytest.mark.parametrize("abort", [False, True])
async def test_a_lost_connection_is_made_again_and_said_so(exchange: SimulatedExchange, abort: bool) -> None:
    async with streaming(exchange) as (stream, listener):
        await listener.more(100)
        exchange.drop_connections(abort=abort)
        await until(lambda: stream.health.state == "down")
        assert stream.health.next_retry_ms is not None
        await until(lambda: stream.health.state == "live")  # what had come before may still be read after the end
        await listener.more(100)
        assert stream.health.reconnects == 1


async def test_a_peer_that_is_gone_without_a_word_is_noticed(exchange: SimulatedExchange) -> None:
    async with streaming(exchange, stale_s=0.6) as (stream, listener):
        await listener.more(100)
        exchange.freeze_connections()
        await until(lambda: stream.health.reconnects == 1)
        await listener.more(100)


async def test_an_acknowledged_and_silent_stream_is_reported_by_name(exchange: SimulatedExchange) -> None:
    watch = ("BTCUSDT", "NOSUCHUSDT")
    async with streaming(exchange, watch, never_heard_s=0.5) as (stream, listener):
        await listener.more(100)
        await until(lambda: stream.silent_streams() == ["nosuchusdt@aggTrade"])
        assert stream.health.reconnects == 0


async def test_a_connection_that_only_acknowledges_is_given_up_with_the_reason(exchange: SimulatedExchange) -> None:
    async with streaming(exchange, ("NOSUCHUSDT",), stale_s=0.3, never_heard_s=0.6) as (stream, _):
        await until(lambda: stream.health.reconnects >= 1)
        assert "no trade ever came" in (stream.health.last_error or "")


@pytest.mark.parametrize("status", [451, 429, 403])
async def test_a_refused_handshake_tells_its_status(exchange: SimulatedExchange, status: int) -> None:
    exchange.faults.refuse(status, door=FaultyDoor.WS)
    async with streaming(exchange) as (stream, _):
        await until(lambda: stream.health.state == "down")
        assert f"HTTP {status}" in (stream.health.last_error or "")


async def test_an_exchange_that_restarts_is_found_again(exchange: SimulatedExchange) -> None:
    async with streaming(exchange) as (stream, listener):
        await listener.more(100)
        await exchange.restart(down_s=0.2)
        await listener.more(100)
        assert stream.health.reconnects >= 1


async def test_a_stall_without_a_close_is_noticed_although_pings_are_answered(exchange: SimulatedExchange) -> None:
    async with streaming(exchange, stale_s=0.6) as (stream, listener):
        await listener.more(500)
        exchange.faults.silence()
        await until(lambda: "no trade for" in (stream.health.last_error or ""))
        exchange.faults.speak()
        await listener.more(100)
        assert stream.health.state == "live"


async def test_garbage_is_counted_and_does_not_stop_the_feed(exchange: SimulatedExchange) -> None:
    async with streaming(exchange) as (stream, listener):
        await listener.more(100)
        exchange.faults.garbage(b"junk", b"\xff\xfe", b'{"e":"aggTrade"}')
        await until(lambda: stream.health.rejected.total() == 3)
        await listener.more(500)
        assert stream.health.rejected == {"undecodable": 3}
        assert stream.health.reconnects == 0
    for ids in listener.ids.values():
        assert_contiguous(ids)


def piece(kind: int, payload: bytes) -> bytes:
    """A frame of a message that goes on: 1 begins a text, 0 continues it."""
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7f" + len(payload).to_bytes(8, "big")
    return bytes([kind]) + length + payload


async def test_a_message_that_comes_in_pieces_is_read_and_one_that_never_ends_costs_the_connection(
    exchange: SimulatedExchange,
) -> None:
    async with streaming(exchange) as (stream, listener):
        await listener.more(100)
        exchange.send_octets(piece(1, b"ju") + piece(0, b"n") + b"\x80\x01k")
        await until(lambda: stream.health.rejected == {"undecodable": 1})
        assert stream.health.reconnects == 0
        exchange.send_octets(piece(1, b"x" * 600_000) + piece(0, b"x" * 600_000))
        await until(lambda: stream.health.reconnects == 1)
        await listener.more(500)
        assert stream.health.rejected == {"undecodable": 2}


async def test_a_connection_is_replaced_before_its_life_ends_without_losing_a_trade(
    exchange: SimulatedExchange,
) -> None:
    async with streaming(exchange, rotate_s=0.4, overlap_s=0.2) as (stream, listener):
        await until(lambda: stream.rotations >= 2)
        await listener.more(200)
        assert stream.health.reconnects == 0
    for ids in listener.ids.values():
        assert_contiguous(sorted(set(ids)))


async def test_many_symbols_are_spread_over_connections(exchange: SimulatedExchange) -> None:
    watch = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT")
    async with streaming(exchange, watch, per_connection=2) as (stream, listener):
        await until(lambda: len(listener.ids) == 5)
        assert stream.health.connections == 3
        assert stream.health.state == "live"


async def test_symbols_come_and_go_while_the_others_lose_nothing(exchange: SimulatedExchange) -> None:
    async with streaming(exchange, ("BTCUSDT",)) as (stream, listener):
        await listener.more(50)
        await stream.watch("ETHUSDT")
        await until(lambda: 1 in listener.ids)
        await stream.unwatch("ETHUSDT")
        before = -1
        while before != (before := len(listener.ids[1])):  # until what was under way has arrived
            await listener.more(200)
        assert stream.lag_ms("ETHUSDT") is None
        lag_ms = stream.lag_ms("BTCUSDT")
        assert lag_ms is not None
        assert 0 <= lag_ms < EVENT_S * 1_000
    assert_contiguous(listener.ids[0])


async def test_a_connection_whose_last_symbol_goes_is_ended(exchange: SimulatedExchange) -> None:
    async with streaming(exchange, ("BTCUSDT", "ETHUSDT"), per_connection=2) as (stream, listener):
        await listener.more(50)
        await stream.watch("SOLUSDT")
        await until(lambda: stream.health.connections == 2 and 2 in listener.ids)
        await stream.unwatch("SOLUSDT")
        await until(lambda: len(exchange.hub.connections) == 1)
        assert (stream.health.connections, stream.health.state) == (1, "live")
        await listener.more(50)
    assert_contiguous(listener.ids[0])


async def test_a_symbol_that_was_just_added_is_not_silent_yet(exchange: SimulatedExchange) -> None:
    async with streaming(exchange, ("BTCUSDT",), never_heard_s=0.3) as (stream, listener):
        await listener.more(50)
        await asyncio.sleep(0.4)
        await stream.watch("NOSUCHUSDT")
        assert stream.silent_streams() == []
        await until(lambda: stream.silent_streams() == ["nosuchusdt@aggTrade"])


async def test_many_changes_at_once_do_not_cost_the_connection(exchange: SimulatedExchange) -> None:
    others = ("ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT", "ADAUSDT")
    async with streaming(exchange, ("BTCUSDT",)) as (stream, listener):
        await listener.more(20)
        for change in (stream.watch, stream.unwatch, stream.watch):
            await asyncio.gather(*(change(symbol) for symbol in others))
        await until(lambda: len(listener.ids) == len(others) + 1)
        assert stream.health.reconnects == 0
