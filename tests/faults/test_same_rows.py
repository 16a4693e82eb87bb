"""The same rows by every way in: one tape, one account of what was refused."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.server import ServerConnection, serve

from pairscope.bars.memory import BarMemory
from pairscope.base.clock import ManualClock, SystemClock
from pairscope.base.gaps import GapReason
from pairscope.base.id_ranges import Runs, run, runs_of, size, union
from pairscope.base.interval import Interval
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.feed.binance.archive import archive_file
from pairscope.feed.binance.decoding import BurstDecoder
from pairscope.feed.binance.protocol import Decoder
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.replay import RecordingSource
from pairscope.feed.binance.trade_stream import TradeStream
from pairscope.feed.binance.usual import UsualReader
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.feed.recording import FrameWriter
from pairscope.ingest.history.file_import import FileImport
from pairscope.ingest.history.merge import Merge
from pairscope.ingest.intake import Intake
from pairscope.store.imports import ImportList
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol
from tests.archives import AGG_HEADER, START_MS, write_csv
from tests.judged import judge
from tests.patience import WORK_S

SYMBOL, STREAM = "BTCUSDT", "btcusdt@aggTrade"
ROWS = 10_000
FIRST_ID = 5_000
CLOCK_MS = START_MS + 86_400_000
INTERVALS = [Interval.parse("1m")]
HOSTILE: list[dict[str, Any]] = [
    {"p": "0"},
    {"q": "0.000"},
    {"p": "0.00", "q": "0"},
    {"p": "-1"},
    {"q": "1e-16"},
    {"p": "nan"},
    {"q": "inf"},
    {"p": "much"},
    {"q": ""},
    {"T": 1_000 * START_MS},
    {"T": CLOCK_MS + 3_600_001},
    {"T": 0},
    {"T": "soon"},
    {"m": "maybe"},
    {"a": 10**12 + 7},
    {"a": -5},
    {"a": 0},
    {"a": FIRST_ID + 40_000_000},
]


def told() -> list[dict[str, Any]]:
    """Rows of which one in ten is hostile, each beside good ones."""
    chance = random.Random(8)
    hostile = dict(zip(chance.sample(range(6, ROWS - 5), ROWS // 10), itertools.cycle(HOSTILE), strict=False))
    rows = []
    for place in range(ROWS):
        row: dict[str, Any] = {
            "a": FIRST_ID + place,
            "p": f"{60_000 + chance.randrange(100)}.{chance.randrange(10)}",
            "q": f"0.{1 + chance.randrange(900):03d}",
            "T": START_MS + 5 * place,
            "m": chance.random() < 0.5,
        }
        rows.append({**row, **hostile.get(place, {})})
    return rows


class Way:
    """A tape of its own, and what came of the rows on it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(CLOCK_MS)
        self.store = Tape.open(folder / "tape.duckdb", kind=TradeKind.AGG, clock=self.clock, commit_ms=5)
        self.store.symbols.add(SYMBOL)
        self.judge = judge(self.store.symbols, self.clock)
        memory = BarMemory(INTERVALS, 2_000)
        self.intake = Intake(
            store=self.store,
            tracker=ContinuityTracker(self.store.symbols),
            judge=self.judge,
            memory=memory,
            clock=self.clock,
        )

    def take(self, rows: Judged) -> None:
        assert self.intake.take(rows)

    async def outcome(self) -> tuple[TradeBatch, dict[str, Runs], Counter[str]]:
        """Trades, the ids of open and closed rows of gaps by their reason, and the counters."""
        self.intake.write_gaps()
        await self.store.flushed()
        trades = self.store.trades(SYMBOL)
        gaps: dict[str, Runs] = {}
        for gap in self.store.gaps(SYMBOL):
            if gap.closed_ms is not None and gap.reason != GapReason.NOT_A_TRADE:
                continue
            why: str = gap.reason if gap.closed_ms is not None else (gap.obstacle or gap.reason)
            why = "absent" if why in ("start", "restart", "not_in_archive") else why
            gaps[why] = union(gaps.get(why, run(1, 0)), run(gap.first_id, gap.last_id))
        verdict = verify_symbol(self.store, SYMBOL, kind=TradeKind.AGG, intervals=[])
        assert verdict.told == []
        return trades, gaps, self.judge.tally.by_reason()


def frames_of(rows: list[dict[str, Any]]) -> list[bytes]:
    """In the order and spelling of the exchange."""
    fills = {"f": 1, "l": 1}
    events = [
        {"e": "aggTrade", "E": 1, "a": row["a"], "s": SYMBOL, "p": row["p"], "q": row["q"], **fills}
        | {"T": row["T"], "m": row["m"]}
        for row in rows
    ]
    return [json.dumps({"stream": STREAM, "data": event}, separators=(",", ":")).encode() for event in events]


async def by_single_frames(way: Way, rows: list[dict[str, Any]], folder: Path) -> None:
    decode_to(way, Decoder(TradeKind.AGG, way.store.symbols), rows)


async def by_bursts(way: Way, rows: list[dict[str, Any]], folder: Path) -> None:
    decoder = BurstDecoder(TradeKind.AGG, way.store.symbols)
    decode_to(way, decoder, rows)
    usual = UsualReader(TradeKind.AGG, way.store.symbols).read(frames_of(rows))
    assert usual is not None
    assert usual.count >= 0.9 * len(rows)


def decode_to(way: Way, decoder: Decoder | BurstDecoder, rows: list[dict[str, Any]]) -> None:
    told = frames_of(rows)
    for start in range(0, len(rows), 97):
        frames = told[start : start + 97]
        way.take(way.judge.judge(decoder.decode(frames, np.zeros(len(frames), np.int64)).rows))


async def listen(way: Way, url: str, count: int) -> None:
    """Take what a stream at this address delivers, until so many rows have come."""
    came, everything = 0, asyncio.Event()

    def sink(rows: Judged) -> None:
        nonlocal came
        way.take(rows)
        came += len(rows)
        if came >= count:
            everything.set()

    stream = TradeStream(
        base_url=url,
        kind=TradeKind.AGG,
        watch=[SYMBOL],
        symbols=way.store.symbols,
        clock=SystemClock(),
        judge=way.judge,
        sink=sink,
    )
    running = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(WORK_S):
            await everything.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert came == count
    assert stream.health.rejected == {}


async def by_wire(way: Way, rows: list[dict[str, Any]], folder: Path) -> None:
    async def deliver(connection: ServerConnection) -> None:
        request = json.loads(await connection.recv())
        await connection.send(json.dumps({"result": None, "id": request["id"]}))
        for frame in frames_of(rows):
            await connection.send(frame.decode())
        await connection.wait_closed()

    async with serve(deliver, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await listen(way, f"ws://127.0.0.1:{port}", len(rows))


async def by_replay(way: Way, rows: list[dict[str, Any]], folder: Path) -> None:
    path = folder / "recording.zst"
    with FrameWriter(path) as writer:
        for number, frame in enumerate(frames_of(rows)):
            writer.write((START_MS + number) * 1_000_000, frame)
    source = RecordingSource(path, SystemClock(), speed=0, wait_for=[STREAM])
    async with SimulatedExchange(source) as exchange:
        await listen(way, exchange.ws_url, len(rows))
    assert source.frames_left_out == 0


async def by_rest(way: Way, rows: list[dict[str, Any]], folder: Path) -> None:
    for start in range(0, len(rows), 1_000):
        body = json.dumps(rows[start : start + 1_000])
        answer = httpx.MockTransport(lambda _, body=body: httpx.Response(200, text=body))
        async with BinanceRest("http://exchange", way.clock, judge=way.judge, transport=answer) as rest:
            way.take(await rest.page(SYMBOL, 0, 1))


async def by_file(way: Way, rows: list[dict[str, Any]], folder: Path) -> None:
    lines = [f"{r['a']},{r['p']},{r['q']},1,1,{r['T']},{str(r['m']).lower()}" for r in rows]
    path = write_csv(folder / "BTCUSDT-aggTrades-2024-08-08.csv", lines, AGG_HEADER)
    importer = Merge(way.store, INTERVALS, way.clock, way.judge)
    done = ImportList(way.store.path)
    history = FileImport(
        store=way.store, importer=importer, done=done, clock=way.clock, progress=lambda name, rows, total: None
    )
    file = archive_file(path)
    assert file is not None
    await history.take(file)


WAYS = (by_single_frames, by_bursts, by_wire, by_replay, by_rest, by_file)


async def test_ten_thousand_rows_leave_the_same_tape_gaps_and_counts_by_every_way_in(tmp_path: Path) -> None:
    rows = told()
    outcomes = []
    for bring in WAYS:
        folder = tmp_path / bring.__name__
        folder.mkdir()
        way = Way(folder)
        try:
            await bring(way, rows, folder)
            outcomes.append(await way.outcome())
        finally:
            way.store.close()
    first = outcomes[0]
    assert size(runs_of(first[0].id)) == len(first[0]) > 8_900
    assert len(first[2]) >= 6
    for bring, (trades, gaps, counts) in zip(WAYS[1:], outcomes[1:], strict=True):
        for column in ("id", "price", "size", "time_ms", "buyer_is_maker"):
            assert np.array_equal(getattr(trades, column), getattr(first[0], column)), (column, bring)
        assert {why: ids.tolist() for why, ids in gaps.items()} == {why: ids.tolist() for why, ids in first[1].items()}
        assert counts == first[2], bring
