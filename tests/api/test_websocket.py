from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import msgspec
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from pairscope.api import wire
from pairscope.api.hub import ClientLimits
from tests.patience import EVENT_S

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Page, Served

BTC = "symbol:BTCUSDT:1s"
PAIR = "pair:ETHUSDT:BTCUSDT:1s:30:ols"


async def test_a_page_gets_a_snapshot_then_bars_metrics_status_and_pings(server: Served, market: MadeUpMarket) -> None:
    async with server.page() as page:
        for topic in (BTC, PAIR, "status"):
            await page.follow(topic, limit=20)
        first = await page.next(wire.SymbolSnapshot)
        second = await page.next(wire.PairSnapshot)
        assert len(first.bars.open) == len(second.series.y) == 20
        assert (await page.next(wire.StatusMessage)).status.source.label == "Simulated market"
        market.trade(1_000)
        closed = await page.next(wire.SymbolBar)
        assert closed.seq == first.seq + 1
        assert (await page.next(wire.PairMetrics)).metrics.keys() == second.metrics.keys()
        assert (await page.next(wire.Ping)).now_ms > 0


async def test_a_page_that_lost_its_connection_resumes_where_it_was(server: Served, market: MadeUpMarket) -> None:
    async with server.page() as page:
        await page.follow(PAIR)
        await page.next(wire.PairSnapshot)
        market.trade(1_000)
        seen = (await page.next(wire.PairBar)).seq
    market.trade(5_000)
    async with server.page() as page:
        await page.follow(PAIR, since=seen)
        missed = [await page.next(wire.PairSnapshot, wire.PairBar) for _ in range(5)]
        assert [one.seq for one in missed] == list(range(seen + 1, seen + 6))


async def test_a_bad_message_is_answered_and_the_connection_stays(server: Served) -> None:
    async with server.page() as page:
        await page.connection.send("hello")
        await page.connection.send(b"\x00\xff")
        await page.follow("symbol:BTCUSD:1s")
        for code in ("bad_message", "bad_message", "unknown_symbol"):
            assert (await page.next(wire.ErrorMessage)).error.code == code
        await page.follow(BTC)
        assert await page.next(wire.SymbolSnapshot)


async def test_a_page_that_sends_only_nonsense_is_closed(market: MadeUpMarket, server: Served) -> None:
    server.hub.limits = ClientLimits(bad_messages=3)
    async with server.page() as page:
        for _ in range(3):
            await page.connection.send("?")
        with pytest.raises(ConnectionClosedError) as closed:
            await page.next(wire.SymbolSnapshot)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


async def test_a_message_beyond_all_measure_closes_the_connection(server: Served) -> None:
    async with server.page() as page:
        await page.connection.send("x" * 100_000)
        with pytest.raises(ConnectionClosedError) as closed:
            await page.next(wire.SymbolSnapshot)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_one_client_too_many_is_refused_before_the_handshake(server: Served) -> None:
    server.hub.limits = ClientLimits(clients=1)
    async with server.page():
        with pytest.raises(InvalidStatus) as refused:
            async with server.page():
                pass
        assert refused.value.response.status_code == 503
        body = msgspec.json.decode(refused.value.response.body or b"", type=wire.ErrorAnswer)
        assert body.error.code == "busy"


async def test_clients_that_leave_are_forgotten(server: Served) -> None:
    for _ in range(3):
        async with server.page() as page:
            await page.follow("status")
            assert (await page.next(wire.StatusMessage)).status.clients.clients == 1


async def test_a_client_that_falls_behind_for_good_is_told_to_try_again_and_counted(
    server: Served, market: MadeUpMarket
) -> None:
    server.hub.limits = ClientLimits(waiting_messages=5)
    async with server.page() as page:
        await page.follow(BTC)
        await page.next(wire.SymbolSnapshot)
        market.trade(10_000)  # ten closed bars before the server could send one
        with pytest.raises(ConnectionClosedError) as closed:
            await page.next(wire.Status)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        assert server.hub.counters().cut_off == 1


async def closed_bar(page: Page) -> wire.SymbolBar:
    while True:
        bar: wire.SymbolBar = await page.next(wire.SymbolBar)
        if bar.bar.status == ["closed"]:
            return bar


class Stuck:
    """A client that shakes hands and asks for more and more, and never reads. Its receive buffer is small."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.setblocking(False)

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", self.port))
        handshake = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await loop.sock_sendall(self.socket, handshake.encode())
        assert (await loop.sock_recv(self.socket, 12)).startswith(b"HTTP/1.1 101")

    async def ask(self, topic: str) -> None:
        text = msgspec.json.encode({"op": "sub", "topic": topic, "limit": 5000})
        frame = bytes([0x81, 0x80 | len(text)]) + bytes(4) + text  # masked with zeros
        await asyncio.get_running_loop().sock_sendall(self.socket, frame)

    async def read_to_the_end(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while await loop.sock_recv(self.socket, 1 << 20):
                pass


async def test_a_client_that_does_not_read_is_cut_off_while_others_are_served(
    server: Served, market: MadeUpMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairscope.api.http_server.ABORT_S", 0.2)
    server.hub.limits = ClientLimits(longest_send_s=0.3)
    market.trade(3_000_000, burst_ms=3_000_000)
    stuck = Stuck(server.port)
    async with server.page() as page:
        await page.follow(BTC, limit=10)
        expected = (await page.next(wire.SymbolSnapshot)).seq
        await stuck.connect()
        heard = 0  # by the page, while the other was stuck
        async with asyncio.timeout(EVENT_S):
            while server.hub.counters().cut_off == 0:
                await stuck.ask(PAIR)
                market.trade(1_000)
                expected += 1
                assert (await closed_bar(page)).seq == expected
                heard += server.hub.counters().cut_off == 0
        assert heard > 0
        async with asyncio.timeout(EVENT_S):
            await stuck.read_to_the_end()  # the server has let go of the connection, not only of the client
        assert server.hub.counters().clients == 1
        market.trade(1_000)
        assert (await closed_bar(page)).seq == expected + 1
    stuck.socket.close()
