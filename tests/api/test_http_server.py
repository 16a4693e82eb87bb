"""Before a request is one: connections beyond the limit, bytes that are no HTTP, clients that never finish."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
import pytest
from fastapi import FastAPI

from pairscope.api import wire
from pairscope.api.guard import SECURITY_HEADERS
from pairscope.api.http_server import Connections

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Serve, Served

PATIENCE_S = 20.0
HELLO = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"


def connections_of(app: FastAPI) -> Connections:
    found = app.state.connections
    assert isinstance(found, Connections)
    return found


def error_of(answer: bytes, status: int) -> wire.ErrorBody:
    """The error of a raw answer, which must be complete, guarded and in the one shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert first.split(" ")[1] == str(status), answer
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(body)
    for name, value in SECURITY_HEADERS:
        assert headers[name.decode()] == value.decode()
    error = msgspec.json.decode(body, type=wire.ErrorAnswer).error
    assert error.message
    assert error.cure
    return error


@contextlib.asynccontextmanager
async def connected(server: Served) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def fewer(connections: Connections, count: int) -> None:
    """Wait until fewer are open: closing takes a moment."""
    async with asyncio.timeout(PATIENCE_S):
        while connections.open >= count:
            await asyncio.sleep(0.01)


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes; it may do so while something is on its way to it, which is a reset."""
    told = b""
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionResetError):
            while some := await reader.read(65_536):
                told += some
    return told


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS, spoken to a port without it
        b"nonsense\r\n\r\n",
        b"GET /status\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET /st\xc3\xa4tus HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"a" * 100_000,
    ],
    ids=["tls", "nonsense", "no version", "no colon", "no length", "two hosts", "not ascii", "too long"],
)
async def test_what_is_no_http_is_told_so_in_the_error_shape(server: Served, sent: bytes) -> None:
    async with connected(server) as (reader, writer):
        writer.write(sent)
        assert error_of(await rest(reader), 400).code == "http_error"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (HELLO + b"Upgrade: websocket\r\n\r\n", 400),
        (HELLO + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n", 400),
        (HELLO + b"Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n\r\n", 400),
        (HELLO.replace(b"GET", b"POST") + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 405),
        (HELLO + b"Upgrade: websocket\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(200)) + b"\r\n", 400),
    ],
    ids=["no key", "short key", "old version", "post", "too many headers"],
)
async def test_a_handshake_that_fails_is_told_so_in_the_error_shape(
    server: Served, request_: bytes, status: int
) -> None:
    async with connected(server) as (reader, writer):
        writer.write(request_)
        assert error_of(await rest(reader), status).code == "http_error"


async def test_a_websocket_at_another_address_is_not_found_in_the_error_shape(server: Served) -> None:
    request = HELLO.replace(b"/ws", b"/nope") + b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    async with connected(server) as (reader, writer):
        writer.write(request + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert error_of(await rest(reader), 404).code == "not_found"


@pytest.mark.parametrize("host", [b"", b"Host:\r\n", b"Host: a b\r\n", b"Host: \xff\r\n", b"Host: localhost:x\r\n"])
async def test_a_host_that_is_none_is_refused_in_the_error_shape(server: Served, host: bytes) -> None:
    async with connected(server) as (reader, writer):
        writer.write(b"GET /status HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
        answer = await rest(reader)
        assert error_of(answer, int(answer.split(b" ")[1])).code in ("foreign_host", "http_error")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /sta",
        b"GET /status HTTP/1.1\r\nHost: localhost\r\n",
    ],
    ids=["nothing", "half a line", "half the headers"],
)
async def test_a_request_that_never_ends_is_given_up(market: MadeUpMarket, serve: Serve, sent: bytes) -> None:
    app = market.app()
    connections = connections_of(app)
    connections.unfinished_s = 0.2
    async with serve(app) as server, connected(server) as (reader, writer):
        writer.write(sent)
        assert error_of(await rest(reader), 408).code == "too_slow"
        assert connections.timed_out == 1


async def test_headers_that_come_one_by_one_do_not_put_the_deadline_off(market: MadeUpMarket, serve: Serve) -> None:
    app = market.app()
    connections_of(app).unfinished_s = 0.4
    async with serve(app) as server, connected(server) as (reader, writer):
        writer.write(b"GET /status HTTP/1.1\r\nHost: localhost\r\n")

        async def trickle() -> None:
            for i in range(10_000):
                writer.write(b"X-%d: y\r\n" % i)
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        answer = await rest(reader)
        trickling.cancel()
        assert error_of(answer, 408).code == "too_slow"


async def test_a_body_that_never_ends_is_given_up_though_it_was_answered(market: MadeUpMarket, serve: Serve) -> None:
    app = market.app()
    connections_of(app).unfinished_s = 0.2
    async with serve(app) as server, connected(server) as (reader, writer):
        writer.write(b"GET /symbols HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        with contextlib.suppress(ConnectionError):
            assert (await rest(reader)).startswith(b"HTTP/1.1 200")
        assert connections_of(app).timed_out == 1


async def test_a_connection_that_asks_nothing_more_is_closed(market: MadeUpMarket, serve: Serve) -> None:
    app = market.app()
    connections_of(app).idle_s = 1.0
    async with serve(app) as server, connected(server) as (reader, writer):
        writer.write(b"GET /symbols HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await rest(reader)).startswith(b"HTTP/1.1 200")


async def test_a_request_that_is_answered_slowly_is_not_given_up(
    market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = market.app()
    connections_of(app).unfinished_s = 0.1
    bars = market.store.bars

    def slow(*arguments: object, **options: object) -> object:
        time.sleep(0.5)
        return bars(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(market.store, "bars", slow)
    async with serve(app) as server:
        assert (await server.http.get("/ohlc/BTCUSDT/1s?stored=true")).status_code == 200
        assert connections_of(app).timed_out == 0


async def test_connections_beyond_the_limit_are_refused_and_counted(market: MadeUpMarket, serve: Serve) -> None:
    app = market.app()
    connections = connections_of(app)
    connections.most = 3
    async with serve(app) as server, contextlib.AsyncExitStack() as stack:
        await server.http.aclose()
        await fewer(connections, 1)
        for _ in range(3):
            reader, writer = await stack.enter_async_context(connected(server))
            writer.write(b"GET /symbols HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with connected(server) as (reader, _):
            answer = await rest(reader)
        assert error_of(answer, 503).code == "busy"
        assert b"\r\nretry-after: " in answer
        assert (connections.open, connections.refused) == (3, 1)
        writer.close()
        await fewer(connections, 3)
        async with connected(server) as (reader, writer):
            writer.write(b"GET /symbols HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_a_websocket_leaves_the_connections_of_http(market: MadeUpMarket, serve: Serve) -> None:
    app = market.app()
    async with serve(app) as server, server.page() as page:
        await page.follow("status")
        await page.next(wire.StatusMessage)
        before = connections_of(app).open
        assert before == 1  # that of the fixture
        assert (await server.http.get("/symbols")).status_code == 200


async def test_a_client_that_does_not_read_its_answer_is_cut_off(market: MadeUpMarket, serve: Serve) -> None:
    app = market.app()
    connections = connections_of(app)
    connections.unread_s = 0.2
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serve(app) as server:
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            silent.setblocking(False)
            await asyncio.get_running_loop().sock_connect(silent, ("127.0.0.1", server.port))
            await asyncio.get_running_loop().sock_sendall(silent, request * 200)
            async with asyncio.timeout(PATIENCE_S):
                while not connections.timed_out:
                    await asyncio.sleep(0.01)
        assert (await server.http.get("/symbols")).status_code == 200
