"""Recorded frames played over a real socket arrive as they were recorded, once, in order."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from pairscope.base.clock import ManualClock, SystemClock
from pairscope.base.errors import RecordingError
from pairscope.feed.binance.simulator.connection import ConnectionLimits
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.replay import RecordingSource
from pairscope.feed.recording import FrameWriter, read_frames
from tests.loopback import http_client
from tests.patience import EVENT_S

PATIENCE_S = EVENT_S
NOW_MS = 1_790_000_000_000
THEN_MS = 1_700_000_000_000


def agg(id_: int, time_ms: int, symbol: str = "BTCUSDT") -> bytes:
    stream = f"{symbol.lower()}@aggTrade".encode()
    data = b'"e":"aggTrade","E":%d,"a":%d,"s":"%b","p":"1.50","q":"2.0","f":%d,"l":%d,"T":%d,"m":true' % (
        time_ms + 150, id_, symbol.encode(), 3 * id_, 3 * id_ + 2, time_ms,
    )  # fmt: skip
    return b'{"stream":"%b","data":{%b}}' % (stream, data)


def recorded(folder: Path, payloads: Iterable[bytes], step_ms: int = 100) -> Path:
    path = folder / "recording.zst"
    with FrameWriter(path) as writer:
        for number, payload in enumerate(payloads):
            writer.write((THEN_MS + number * step_ms) * 1_000_000, payload)
    return path


TEN = [agg(id_, THEN_MS + id_ * 100) for id_ in range(10)]


async def play(source: RecordingSource, paths: Sequence[str]) -> list[list[bytes]]:
    """Everything clients on these paths receive until the recording is at its end."""
    received: list[list[bytes]] = [[] for _ in paths]

    async def listen(url: str, into: list[bytes]) -> None:
        async with connect(url, max_queue=None) as socket:
            async for message in socket:
                into.append(message if isinstance(message, bytes) else message.encode())

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as clients, SimulatedExchange(source) as exchange:
        for path, into in zip(paths, received, strict=True):
            clients.create_task(listen(exchange.ws_url + path, into))
        await source.finished.wait()
    return received


async def test_combined_frames_arrive_byte_for_byte_and_raw_ones_without_their_envelope(tmp_path: Path) -> None:
    source = RecordingSource(recorded(tmp_path, TEN), SystemClock(), speed=0)
    combined, raw = await play(source, ["/market/stream?streams=btcusdt@aggTrade", "/market/ws/btcusdt@aggTrade"])
    assert combined == TEN
    assert [json.loads(each) for each in raw] == [json.loads(each)["data"] for each in TEN]
    assert source.frames_played == 10


async def test_each_stream_goes_to_those_who_want_it_on_its_route(tmp_path: Path) -> None:
    memory = b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"1","a":"2"}}'
    depth = b'{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","b":[],"a":[["1","2"]]}}'
    kline = b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}}'
    source = RecordingSource(recorded(tmp_path, [memory, kline, TEN[0], depth]), SystemClock(), speed=0)
    names = "btcusdt@bookTicker/btcusdt@kline_1m/btcusdt@aggTrade/btcusdt@depth@0ms"
    market, public = await play(source, [f"/market/stream?streams={names}", f"/public/stream?streams={names}"])
    assert market == [kline, TEN[0]]
    assert public == [memory, depth]


async def test_raw_recordings_are_played_too(tmp_path: Path) -> None:
    bare = [json.dumps(json.loads(each)["data"], separators=(",", ":")).encode() for each in TEN]
    source = RecordingSource(recorded(tmp_path, bare), SystemClock(), speed=0)
    assert await play(source, ["/market/stream?streams=btcusdt@aggTrade"]) == [TEN]


async def test_recorded_nonsense_is_played_as_it_is(tmp_path: Path) -> None:
    nonsense = [
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":"soon","a":1,"s":"BTCUSDT"}}',
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1,"a":1,"s":"BTCUSDT","p":5}}',
        b'{"stream":"btcusdt@aggTrade","data":null}',
    ]
    mute = b'{"e":"depthUpdate","s":"BTCUSDT"}'
    source = RecordingSource(recorded(tmp_path, [*nonsense, mute, TEN[0]]), SystemClock(), speed=0)
    assert await play(source, ["/market/stream?streams=btcusdt@aggTrade"]) == [[*nonsense, TEN[0]]]
    assert source.frames_left_out == 1


async def test_nothing_is_played_before_the_wanted_streams_are_subscribed(tmp_path: Path) -> None:
    both = list(itertools.chain.from_iterable(zip(TEN, [agg(n, THEN_MS, "ETHUSDT") for n in range(10)], strict=True)))
    wanted = ("btcusdt@aggTrade", "ethusdt@aggTrade")
    source = RecordingSource(recorded(tmp_path, both), SystemClock(), speed=0, wait_for=wanted)
    async with (
        asyncio.timeout(PATIENCE_S),
        SimulatedExchange(source) as exchange,
        connect(exchange.ws_url + "/market/stream") as client,
    ):
        for stream in wanted:
            assert source.frames_played == 0
            await client.send(json.dumps({"method": "SUBSCRIBE", "params": [stream], "id": 1}))
            assert json.loads(await client.recv()) == {"result": None, "id": 1}
        assert [(await client.recv(decode=False)) for _ in range(20)] == both


async def test_playing_starts_after_the_last_trades_that_were_had(tmp_path: Path) -> None:
    eth = [agg(id_, THEN_MS + id_ * 100, "ETHUSDT") for id_ in range(10)]
    both = list(itertools.chain.from_iterable(zip(TEN, eth, strict=True)))
    had = {"btcusdt@aggTrade": 3, "ethusdt@aggTrade": 6}
    source = RecordingSource(recorded(tmp_path, both), SystemClock(), speed=0, start_after=had)
    (received,) = await play(source, ["/market/stream?streams=btcusdt@aggTrade/ethusdt@aggTrade"])
    assert received == [each for each in both if each in TEN[4:] or each in eth[7:]]


async def test_what_came_before_the_first_new_trade_is_not_played(tmp_path: Path) -> None:
    kline = b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}}'
    payloads = [kline, TEN[0], kline, *TEN[1:], kline]
    source = RecordingSource(recorded(tmp_path, payloads), SystemClock(), speed=0, start_after={"btcusdt@aggTrade": 4})
    (received,) = await play(source, ["/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m"])
    assert received == [*TEN[5:], kline]


async def test_full_speed_waits_for_a_client_that_takes_its_time(tmp_path: Path) -> None:
    large = [TEN[0].replace(b"true", b'true,"padding":"%s"' % (b"x" * 10_000)) for _ in range(4_000)]
    source = RecordingSource(recorded(tmp_path, large), SystemClock(), speed=0)
    limits = ConnectionLimits(buffered_bytes=5_000_000)  # an eighth of it all
    async with (
        asyncio.timeout(PATIENCE_S),
        SimulatedExchange(source, limits=limits) as exchange,
        connect(exchange.ws_url + "/market/stream?streams=btcusdt@aggTrade", max_queue=1) as client,
    ):
        (connection,) = exchange.hub.connections
        while connection.writable.is_set():
            await asyncio.sleep(0.001)
        assert [await client.recv(decode=False) for _ in large] == large
        assert exchange.hub.slow_clients_cut == 0


async def test_a_recording_had_completely_is_finished_at_once(tmp_path: Path) -> None:
    source = RecordingSource(recorded(tmp_path, TEN), SystemClock(), speed=0, start_after={"btcusdt@aggTrade": 9})
    assert await play(source, ["/market/stream?streams=btcusdt@aggTrade"]) == [[]]


async def played_by_hand(source: RecordingSource, clock: ManualClock, seconds: Sequence[float]) -> list[list[Any]]:
    """What arrives after each move of the clock."""
    arrived: list[list[Any]] = []
    async with (
        asyncio.timeout(PATIENCE_S),
        SimulatedExchange(source, clock=clock) as exchange,
        connect(exchange.ws_url + "/market/ws/btcusdt@aggTrade") as client,
    ):
        for step_s in seconds:
            clock.advance(step_s)
            arrived.append([])
            while not arrived[-1] or arrived[-1][-1] < source.frames_played - 1:
                arrived[-1].append(json.loads(await client.recv())["a"])
            await asyncio.sleep(0.05)  # give what is not due the chance to come
            assert sum(map(len, arrived)) == source.frames_played
    return arrived


@pytest.mark.parametrize(("speed", "steps"), [(1.0, (0, 0.25, 0.5)), (2.0, (0, 0.125, 0.25))])
async def test_frames_keep_their_distances_divided_by_the_speed(
    tmp_path: Path, speed: float, steps: Sequence[float]
) -> None:
    clock = ManualClock(NOW_MS)
    source = RecordingSource(recorded(tmp_path, TEN), clock, speed=speed, settle_s=0.01)
    assert await played_by_hand(source, clock, steps) == [[0], [1, 2], [3, 4, 5, 6, 7]]


async def test_times_can_be_moved_to_now_by_one_constant(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    source = RecordingSource(recorded(tmp_path, TEN), clock, speed=0, times="now")
    (received,) = await play(source, ["/market/ws/btcusdt@aggTrade"])
    moved = [json.loads(each) for each in received]
    shift_ms = NOW_MS - (THEN_MS + 150)
    expected = [json.loads(each)["data"] for each in TEN]
    assert moved == [{**each, "E": each["E"] + shift_ms, "T": each["T"] + shift_ms} for each in expected]


async def test_rest_tells_what_was_played_and_no_more(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    source = RecordingSource(
        recorded(tmp_path, TEN), clock, settle_s=0.01, times="now", start_after={"btcusdt@aggTrade": 1}
    )

    async def rows(client: httpx.AsyncClient, **params: int) -> list[int]:
        answer = await client.get("/fapi/v1/aggTrades", params={"symbol": "BTCUSDT", **params})
        return [row["a"] for row in answer.json()]

    async with (
        asyncio.timeout(PATIENCE_S),
        SimulatedExchange(source, clock=clock) as exchange,
        http_client(base_url=exchange.rest_url) as rest,
        connect(exchange.ws_url + "/market/ws/btcusdt@aggTrade") as client,
    ):
        first = json.loads(await client.recv())
        clock.advance(0.45)
        while source.frames_played < 5:
            await client.recv()
        assert await rows(rest) == [0, 1, 2, 3, 4, 5, 6]
        assert await rows(rest, fromId=3, limit=2) == [3, 4]
        assert await rows(rest, limit=2) == [5, 6]
        assert await rows(rest, startTime=first["T"], limit=2) == [2, 3]
        assert await rows(rest, endTime=first["T"]) == [0, 1, 2]
        info = (await rest.get("/fapi/v1/exchangeInfo")).json()
        assert [each["symbol"] for each in info["symbols"]] == ["BTCUSDT"]


def test_an_unusable_recording_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot read"):
        RecordingSource(tmp_path / "missing", SystemClock()).start()


def trade_payloads(paths: Sequence[Path], wanted: Callable[[bytes], bool]) -> list[bytes]:
    return [frame.payload for frame in read_frames(paths) if wanted(frame.payload)]


@pytest.mark.data
async def test_the_trades_of_2024_arrive_completely_in_order_and_unchanged(data_dir: Path) -> None:
    paths = [data_dir / "usdm-trades-2024-08-08" / f"usdm_{coin}usdt_20240808.gz" for coin in ("btc", "eth")]
    expected = trade_payloads(paths, lambda payload: b"@trade" in payload[:40])
    source = RecordingSource(paths, SystemClock(), speed=0)
    (received,) = await play(source, ["/public/stream?streams=btcusdt@trade/ethusdt@trade"])
    assert len(received) == 21_313 + 14_076
    assert received == expected


@pytest.mark.data
async def test_aggregates_and_klines_of_2021_arrive_completely_in_order_and_unchanged(data_dir: Path) -> None:
    path = data_dir / "usdm-frames-2021-07-22" / "BINANCE_FUTURES.ws.1.0.gz"
    names = [f"{coin}usdt@{kind}" for coin in ("sushi", "akro", "keep", "ctk") for kind in ("aggTrade", "kline_1m")]
    expected = trade_payloads([path], lambda payload: b"@aggTrade" in payload[:40] or b"@kline" in payload[:40])
    source = RecordingSource(path, SystemClock(), speed=0)
    (received,) = await play(source, ["/market/stream?streams=" + "/".join(names)])
    assert len(received) == 91 + 67
    assert received == expected
    steps = {each.symbol: (each.tick_size, each.step_size) for each in source.instruments()}
    assert steps["CTKUSDT"] == ("0.00001", "1")
