"""The simulated exchange over real sockets, seen by a client library that is not ours."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import trustme
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pairscope.base.clock import ManualClock
from pairscope.base.errors import SettingsError
from pairscope.feed.binance.simulator.connection import ConnectionLimits
from pairscope.feed.binance.simulator.exchange import SimulatedExchange, serve
from pairscope.feed.binance.simulator.faults import FaultyDoor
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.binance.simulator.wire import Frame
from tests.loopback import http_client
from tests.patience import EVENT_S

START_MS = 1_790_000_000_000
PATIENCE_S = EVENT_S
BTC, ETH = "btcusdt@aggTrade", "ethusdt@aggTrade"


class Venue:
    """A running exchange with a seeded market, a clock moved by hand, and clients closed at the end."""

    def __init__(self) -> None:
        self.clock = ManualClock(START_MS)
        self.stack = AsyncExitStack()

    async def start(self, **options: Any) -> SimulatedExchange:
        self.source = MarketSource(SimulatedMarket(seed=1), self.clock)
        exchange = SimulatedExchange(self.source, clock=self.clock, **options)
        self.exchange = await self.stack.enter_async_context(exchange)
        return self.exchange

    async def open(self, path: str, **options: Any) -> Client:
        """Connect; the client reads all it can at once unless told otherwise, and does not wait long to close."""
        options = {"max_queue": None, "close_timeout": 0.2, **options}
        return Client(await self.stack.enter_async_context(connect(self.exchange.ws_url + path, **options)))

    async def all_sent(self) -> None:
        """Wait until the exchange has noticed the time and sent what was due."""
        while self.source.sent_ms < self.source.now_ms():
            await asyncio.sleep(0.001)

    async def rest_ids(self, **params: str | int) -> list[int]:
        async with http_client() as http:
            answer = await http.get(self.exchange.rest_url + "/fapi/v1/aggTrades", params=params)
        return [row["a"] for row in answer.raise_for_status().json()]


class Client:
    """Speaks to the exchange in decoded messages."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def hear(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return json.loads(await self.socket.recv())

    async def ids(self, count: int) -> list[int]:
        messages = [await self.hear() for _ in range(count)]
        return [message.get("data", message)["a"] for message in messages]

    async def say(self, method: str, *params: object, id_: int = 1) -> Any:
        """Send a control message; gives back the next message, which is the reply while the clock stands still."""
        await self.socket.send(json.dumps({"method": method, "params": params, "id": id_}))
        return await self.hear()

    async def close_code(self) -> tuple[int, str]:
        """Read to the end and tell how the exchange closed."""
        while True:
            try:
                await self.hear()
            except ConnectionClosed as closed:
                return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    venue = Venue()
    async with venue.stack:
        yield venue


# Routes and modes.


async def test_raw_and_combined_connections_get_the_same_trades_in_their_form(venue: Venue) -> None:
    await venue.start()
    raw, combined = await venue.open(f"/market/ws/{BTC}"), await venue.open(f"/market/stream?streams={BTC}/{ETH}")
    venue.clock.advance(2)
    plain = await raw.hear()
    wrapped = await combined.hear()
    while wrapped["stream"] != BTC:
        wrapped = await combined.hear()
    assert wrapped == {"stream": BTC, "data": plain}


@pytest.mark.parametrize("path", ["/public/ws/", "/ws/", "/private/ws/"])
async def test_a_wrong_route_is_acknowledged_and_silent(venue: Venue, path: str) -> None:
    await venue.start()
    wrong, right = await venue.open(path + ETH), await venue.open(f"/market/ws/{BTC}")
    assert await wrong.say("SUBSCRIBE", BTC) == {"result": None, "id": 1}
    venue.clock.advance(30)
    await right.ids(100)
    assert await wrong.say("LIST_SUBSCRIPTIONS", id_=2) == {"result": [ETH, BTC], "id": 2}


async def test_raw_fills_live_on_the_public_and_the_old_route_only(venue: Venue) -> None:
    await venue.start()
    public, old = await venue.open("/public/ws/btcusdt@trade"), await venue.open("/stream?streams=btcusdt@trade")
    market = await venue.open("/market/ws/btcusdt@trade")
    venue.clock.advance(5)
    fills = [await public.hear() for _ in range(50)]
    assert [fill["t"] for fill in fills] == list(range(fills[0]["t"], fills[0]["t"] + 50))
    assert (await old.hear())["data"] == fills[0]
    assert await market.say("LIST_SUBSCRIPTIONS") == {"result": ["btcusdt@trade"], "id": 1}


async def test_unknown_paths_are_not_found(venue: Venue) -> None:
    await venue.start()
    for path in ("/", "/market", "/secret/ws/x", "/market/stream/x"):
        with pytest.raises(InvalidStatus, match="404"):
            await venue.open(path)


async def test_the_streams_can_be_had_over_tls(venue: Venue) -> None:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    exchange = await venue.start(ssl_context=server)
    secure = await venue.open(f"/market/ws/{BTC}", ssl=client)
    venue.clock.advance(5)
    assert len(await secure.ids(10)) == 10
    async with httpx.AsyncClient(verify=client) as http:
        assert (await http.get(exchange.rest_url + "/fapi/v1/ping")).json() == {}


# Control messages.


async def test_subscriptions_come_and_go_on_an_open_connection(venue: Venue) -> None:
    await venue.start()
    client = await venue.open("/market/stream")
    assert await client.say("SUBSCRIBE", BTC, "BTCUSDT@aggTrade", "nosuch@aggTrade", id_=5) == {"result": None, "id": 5}
    assert await client.say("UNSUBSCRIBE", "never@had", id_=6) == {"result": None, "id": 6}
    venue.clock.advance(1)
    assert (await client.hear())["stream"] == BTC
    await client.say("UNSUBSCRIBE", BTC)
    while "result" not in await client.hear():
        pass
    venue.clock.advance(60)
    listed = await client.say("LIST_SUBSCRIPTIONS", id_=7)
    assert listed == {"result": ["BTCUSDT@aggTrade", "nosuch@aggTrade"], "id": 7}


async def test_the_form_of_frames_is_a_property(venue: Venue) -> None:
    await venue.start()
    client = await venue.open(f"/market/ws/{BTC}")
    assert await client.say("GET_PROPERTY", "combined") == {"result": False, "id": 1}
    assert await client.say("SET_PROPERTY", "combined", True) == {"result": None, "id": 1}
    venue.clock.advance(2)
    assert (await client.hear())["stream"] == BTC


async def test_bad_control_messages_get_an_error_and_the_connection_lives(venue: Venue) -> None:
    await venue.start()
    client = await venue.open("/market/ws")
    await client.socket.send("{")
    assert (await client.hear())["error"]["code"] == 3
    assert (await client.say("DANCE"))["error"]["code"] == 2
    assert (await client.say("SUBSCRIBE"))["error"]["code"] == 2
    assert (await client.say("SET_PROPERTY", "combined", "yes"))["error"]["code"] == 1
    assert (await client.say("GET_PROPERTY", "colour"))["error"]["code"] == 0
    assert await client.say("LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}


# Limits and life.


async def test_too_many_messages_in_a_second_end_the_connection(venue: Venue) -> None:
    await venue.start()
    client = await venue.open("/market/ws")
    for _ in range(11):
        await client.socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
    assert [await client.hear() for _ in range(10)] == [{"result": [], "id": 1}] * 10
    assert await client.close_code() == (1008, "Too many requests")


async def test_the_stream_too_many_loses_all_of_them(venue: Venue) -> None:
    await venue.start()
    client = await venue.open("/market/ws")
    assert await client.say("SUBSCRIBE", *[f"s{n}@aggTrade" for n in range(1024)]) == {"result": None, "id": 1}
    assert await client.say("SUBSCRIBE", BTC) == {"error": {"code": 4, "msg": "Too many subscriptions"}}
    assert await client.close_code() == (1008, "Invalid request")


async def test_errors_can_be_flat_as_documented(venue: Venue) -> None:
    await venue.start(limits=ConnectionLimits(flat_errors=True, streams=1))
    client = await venue.open(f"/market/ws/{BTC}/{ETH}")
    assert await client.hear() == {"code": 4, "msg": "Too many subscriptions"}


async def test_a_connection_is_pinged_with_the_time_and_lost_without_a_pong(venue: Venue) -> None:
    exchange = await venue.start(limits=ConnectionLimits(ping_every_s=0.02, pong_within_s=0.1))
    polite = await venue.open("/market/ws")
    reader, writer = await asyncio.open_connection(*exchange.ws_url.removeprefix("ws://").split(":"))
    writer.write(
        b"GET /market/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    async with asyncio.timeout(PATIENCE_S):
        received = await reader.read()  # until the exchange gives up
    writer.close()
    assert b"\x89\x0d%d" % START_MS in received
    assert await polite.say("LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}


async def test_an_exchange_that_stood_still_loses_nobody_whom_it_has_not_asked(venue: Venue) -> None:
    await venue.start(limits=ConnectionLimits(ping_every_s=0.02, pong_within_s=0.1))
    polite = await venue.open("/market/ws")
    time.sleep(0.3)  # noqa: ASYNC251 - everything stands still, as on a machine that is busy with others
    await asyncio.sleep(0.05)
    assert await polite.say("LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}


async def test_a_connection_ends_when_its_time_is_over(venue: Venue) -> None:
    await venue.start(limits=ConnectionLimits(life_s=0.05))
    assert await (await venue.open("/market/ws")).close_code() == (1001, "connection expired")


async def test_a_client_that_does_not_read_is_cut_off_and_counted(venue: Venue) -> None:
    exchange = await venue.start(limits=ConnectionLimits(buffered_bytes=200_000))
    await venue.open(f"/market/ws/{BTC}", max_queue=1)  # reads one message and no more
    await venue.open(f"/market/ws/{ETH}")
    while not exchange.hub.slow_clients_cut:
        venue.clock.advance(9)  # too short for the exchange to wait for its clients
        await asyncio.sleep(0.01)
    assert exchange.hub.slow_clients_cut == 1
    async with asyncio.timeout(PATIENCE_S):
        while len(exchange.hub.connections) > 1:  # cut, and gone a moment later
            await asyncio.sleep(0.01)
    assert [connection.streams for connection in exchange.hub.connections] == [[ETH]]


# Ids.


async def test_ids_go_on_over_a_reconnect_and_rest_has_those_in_between(venue: Venue) -> None:
    await venue.start()
    first = await venue.open(f"/market/ws/{BTC}")
    venue.clock.advance(20)
    before = await first.ids(100)
    assert before == list(range(before[0], before[0] + 100))
    await first.socket.close()
    venue.clock.advance(60)
    await venue.all_sent()
    second = await venue.open(f"/market/ws/{BTC}")
    venue.clock.advance(5)
    after = await second.ids(10)
    missed = await venue.rest_ids(symbol="BTCUSDT", fromId=before[-1] + 1, limit=1000)
    assert after[0] > before[-1] + 1
    assert missed[: after[0] - before[-1] - 1] == list(range(before[-1] + 1, after[0]))


async def test_rest_pages_equal_the_frames(venue: Venue) -> None:
    exchange = await venue.start()
    client = await venue.open(f"/market/ws/{ETH}")
    venue.clock.advance(30)
    frames = [await client.hear() for _ in range(150)]
    async with http_client() as http:
        url = exchange.rest_url + "/fapi/v1/aggTrades"
        pages = [
            (await http.get(url, params={"symbol": "ETHUSDT", "fromId": frames[at]["a"], "limit": 50})).json()
            for at in (0, 50, 100)
        ]
    rows = [row for page in pages for row in page]
    assert rows == [{key: frame[key] for key in rows[0]} for frame in frames]


# Misbehaviour.


async def test_frame_faults_reach_the_wire_and_rest_still_knows_the_truth(venue: Venue) -> None:
    exchange = await venue.start()
    client = await venue.open(f"/market/ws/{BTC}")
    exchange.faults.garbage(b"\xff\xfegarbage")
    exchange.faults.skip(3)
    exchange.faults.duplicate(1)
    venue.clock.advance(10)
    async with asyncio.timeout(PATIENCE_S):
        assert await client.socket.recv(decode=False) == b"\xff\xfegarbage"
    doubled, again, following = await client.ids(3)
    assert (again, following) == (doubled, doubled + 1)
    truth = await venue.rest_ids(symbol="BTCUSDT", startTime=START_MS - 200, limit=1000)
    assert doubled - 1 in truth


async def test_connections_can_be_closed_aborted_frozen_and_spoiled(venue: Venue) -> None:
    exchange = await venue.start()
    closed = await venue.open("/market/ws")
    exchange.drop_connections()
    assert (await closed.close_code())[0] == 1001
    aborted = await venue.open("/market/ws")
    exchange.drop_connections(abort=True)
    assert await aborted.close_code() == (1006, "")
    spoiled = await venue.open("/market/ws")
    exchange.send_octets(b"\xff" * 20)
    assert await spoiled.close_code() == (1006, "")
    frozen = await venue.open(f"/market/ws/{BTC}")
    exchange.freeze_connections()
    fresh = await venue.open(f"/market/ws/{BTC}")
    venue.clock.advance(5)
    await fresh.ids(10)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(frozen.socket.recv(), 0.05)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(await frozen.socket.ping(), 0.05)


@pytest.mark.parametrize("status", [403, 418, 429, 451])
async def test_clients_can_be_refused_at_both_doors(venue: Venue, status: int) -> None:
    exchange = await venue.start()
    exchange.faults.refuse(status, door=FaultyDoor.WS, times=1)
    exchange.faults.refuse(status, door=FaultyDoor.REST, times=1)
    with pytest.raises(InvalidStatus, match=str(status)):
        await venue.open("/market/ws")
    await venue.open("/market/ws")
    async with http_client() as http:
        answers = [await http.get(exchange.rest_url + "/fapi/v1/ping") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, 200]
    assert "msg" in answers[0].json()


async def test_a_restart_ends_all_connections_and_keeps_the_ports_and_the_ids(venue: Venue) -> None:
    exchange = await venue.start()
    urls = exchange.ws_url, exchange.rest_url
    first = await venue.open(f"/market/ws/{BTC}")
    venue.clock.advance(5)
    before = await first.ids(10)
    await exchange.restart()
    assert await first.close_code() == (1006, "")
    assert (exchange.ws_url, exchange.rest_url) == urls
    second = await venue.open(f"/market/ws/{BTC}")
    venue.clock.advance(5)
    assert (await second.ids(1))[0] > before[-1]
    assert len(await venue.rest_ids(symbol="BTCUSDT", fromId=before[0], limit=10)) == 10


async def test_what_was_sent_arrives_when_the_exchange_is_stopped(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pairscope.feed.binance.simulator.exchange._GOODBYE_S", PATIENCE_S
    )  # a busy machine reads slowly
    monkeypatch.setattr("pairscope.feed.binance.simulator.connection._CLOSING_S", PATIENCE_S)
    exchange = await venue.start()
    client = await venue.open(f"/market/ws/{BTC}", max_size=None)
    await client.say("LIST_SUBSCRIPTIONS")
    exchange.hub.publish([Frame(BTC, b"%d" % n + b" " * 5_000_000) for n in range(5)])
    stopping = asyncio.create_task(exchange.stop())
    assert [await client.hear() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert await client.close_code() == (1001, "")
    await stopping


async def test_a_port_in_use_is_told_with_its_cure(venue: Venue) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for name in ("port", "rest_port"):
            with pytest.raises(SettingsError, match="choose other ports"):
                await venue.start(**{name: taken.getsockname()[1]})


async def test_it_runs_alone_and_says_where() -> None:
    said: list[str] = []
    ready = asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            ready.set()

    task = asyncio.create_task(serve(port=0, rest_port=0, seed=3, rate=20, tell=say))
    async with asyncio.timeout(PATIENCE_S):
        await ready.wait()
        async with connect(said[0].split()[-1] + f"/market/ws/{BTC}") as client:
            assert json.loads(await client.recv())["s"] == "BTCUSDT"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
