"""Tools of the API's tests: a small market on a real tape, and a real server in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect

from pairscope.api import wire
from pairscope.api.endpoint import Rooms
from pairscope.api.hub import Hub
from pairscope.api.server import create_app, make_server
from pairscope.api.status import NO_REQUESTS
from pairscope.bars.memory import BarMemory
from pairscope.base.clock import Clock, ManualClock, SystemClock
from pairscope.base.interval import Interval
from pairscope.base.model import BarStatus, FloatArray, IntArray, TradeBatch, TradeKind
from pairscope.base.settings import Settings
from pairscope.jobs.executor import InProcess
from pairscope.jobs.job import Hand, Job
from pairscope.jobs.queue import Jobs
from pairscope.live.market import Market
from pairscope.store.tape import Tape
from tests.api.alert_room import AlertRoom
from tests.judged import good
from tests.loopback import http_client
from tests.patience import ANSWER_S, EVENT_S

START_MS = 1_723_075_200_000  # 2024-08-08 00:00 UTC
JOB_ID = 1_790_000_000_000  # of the examples
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


class MadeUpMarket:
    """Trades made up by a seed, on a real tape and in real bars; every symbol trades four times a second."""

    def __init__(self, folder: Path, clock: Clock, **settings: Any) -> None:
        given: dict[str, Any] = {"symbols": SYMBOLS, "window": 30, "data_dir": folder, **settings}
        self.settings = Settings(**{"alert_hosts_allowed": ("127.0.0.1",)} | given)
        self.store = Tape.open(folder / "tape.duckdb", kind=TradeKind.AGG, clock=clock, commit_ms=10)
        for symbol in SYMBOLS:
            self.store.symbols.add(symbol)
        self.memory = BarMemory(self.settings.interval_list(), self.settings.history_bars)
        self.live = Market(
            symbols=self.store.symbols, memory=self.memory, pairs=self.settings.pair_list, reader=self.store
        )
        self.clock = clock
        self.room = AlertRoom(self.settings, self.live, clock)
        self.room.begin()
        self.now_ms = START_MS
        self.changes: list[str] = []  # of the watched symbols, as they were asked for
        self.jobs = Jobs(InProcess(), ManualClock(JOB_ID), most_waiting=3)
        self.jobs.submit("verify", "verify BTCUSDT", self._nothing)  # that of the examples
        self._random = np.random.default_rng(7)
        self._last_ids = [0] * len(SYMBOLS)

    def state_of_things(self) -> list[Any]:
        """What anybody may have changed by the API."""
        return [*self.changes, [(job.id, job.state) for job in self.jobs.all()], self.room.all_there_is()]

    @staticmethod
    async def _nothing(hand: Hand) -> str:
        return "nothing was to be done"

    def download(self, symbol: str, first: str, last: str) -> Job:
        self.changes.append(f"download {symbol} {first} {last}")
        return self.jobs.submit("import", f"import {symbol}", self._nothing)

    def bring(self, files: Sequence[str]) -> Job:
        self.changes.append(f"bring {' '.join(files)}")
        return self.jobs.submit("import", f"import {files[0]}", self._nothing)

    def verify(self, symbols: Sequence[str], first: str | None, last: str | None) -> Job:
        chosen = [self.store.symbols.name(self.store.symbols.index(symbol)) for symbol in symbols]
        self.changes.append(f"verify {' '.join(chosen)} {first} {last}")
        return self.jobs.submit("verify", "verify", self._nothing)

    def trade(self, milliseconds: int, symbols: tuple[str, ...] = SYMBOLS, burst_ms: int = 250) -> None:
        """Let time pass, and every symbol trade each 250 ms of it; in bursts."""
        end_ms = self.now_ms + milliseconds
        while self.now_ms < end_ms:
            times = np.arange(self.now_ms, min(self.now_ms + burst_ms, end_ms), 250)
            self._take(np.repeat(times, len(symbols)), symbols * len(times))
            self.now_ms = int(times[-1]) + 250

    def trade_at(self, time_ms: int, *symbols: str, then_ms: int | None = None) -> None:
        """One trade of each symbol at a time of its own, and in the same burst one more of each at another."""
        times = [time_ms] if then_ms is None else [time_ms, then_ms]
        self._take(np.repeat(times, len(symbols)), symbols * len(times))

    def _take(self, times_ms: IntArray, symbols: tuple[str, ...]) -> None:
        symbol_ids = np.array([self.store.symbols.index(symbol) for symbol in symbols], np.int32)
        ids = np.zeros(len(symbols), np.int64)
        for symbol_id in np.unique(symbol_ids).tolist():
            own = symbol_ids == symbol_id
            ids[own] = self._last_ids[symbol_id] + 1 + np.arange(own.sum())
            self._last_ids[symbol_id] += int(own.sum())
        trades = TradeBatch(
            symbol_id=symbol_ids,
            id=ids,
            time_ms=times_ms,
            price=self.prices(len(ids)),
            size=np.full(len(ids), 0.5),
            buyer_is_maker=np.zeros(len(ids), np.bool_),
            received_ns=(times_ms + 20) * 1_000_000,
        )
        change = self.memory.add(trades, np.zeros(len(ids), np.int64))
        self.store.put_trades(good(trades))
        self.store.put_bars(change.closed)
        self.memory.publish(change.touched)

    def prices(self, count: int) -> FloatArray:
        """The prices of the next trades, one symbol after the other."""
        return 100 + 10 * self._random.normal(size=count)

    def revise(self, symbol: str, interval: Interval, back: int, close: float) -> None:
        """Change the close of a bar that was closed long ago, as a late trade would."""
        bars = self.live.bars(symbol, interval, back + 1)[:1].copy()
        bars["close"], bars["status"] = close, BarStatus.REVISED
        self.memory.put(bars)
        self.memory.publish(bars)

    def close(self) -> None:
        self.store.close()
        self.room.state.close()

    def app(self, **options: Any) -> FastAPI:
        parts: dict[str, Any] = {"watched": self, "board": self, "tape_jobs": self, "alerts": self.room.alerts}
        parts |= {name: options.pop(name) for name in parts if name in options}
        rooms = Rooms(self.live, self.store, **parts, clock=SystemClock())
        return create_app(self.settings, rooms, **options)

    def telling(self, health: Callable[[], wire.Health]) -> SimpleNamespace:
        """What it says of itself, with another health."""
        return SimpleNamespace(status=self.status, config=self.config, tape=self.tape, health=health)

    def health(self) -> wire.Health:
        return wire.Health(status="ok", version="0", problems=[])

    def status(self) -> wire.Status:
        return msgspec.convert(STATUS, wire.Status)

    def tape(self) -> wire.TapeStatus:
        return msgspec.convert(TAPE, wire.TapeStatus)

    async def add(self, symbol: str) -> None:
        self.changes.append(f"+{symbol}")

    async def remove(self, symbol: str) -> None:
        self.changes.append(f"-{symbol}")

    def config(self) -> wire.Config:
        infos = [wire.SymbolInfo(symbol=s, tick_size=0.1, price_decimals=1, step_size=0.001) for s in SYMBOLS]
        return wire.Config(
            version="0",
            symbols=infos,
            pairs=[f"{y}/{x}" for y, x in self.live.pairs],
            legs=[wire.Legs(y=y, x=x) for y, x in self.live.pairs],
            intervals=list(self.settings.intervals),
            metric_interval=self.settings.metric_interval,
            window=self.settings.window,
            max_bars=5000,
            trade_kind="aggTrade",
            opening=wire.Opening(
                pair="ETHUSDT/BTCUSDT",
                legs=wire.Legs(y="ETHUSDT", x="BTCUSDT"),
                interval=self.settings.metric_interval,
                window=self.settings.window,
            ),
        )


TAPE: dict[str, Any] = {
    "totals": {
        "state": "empty",
        "ids": 0,
        "trades": 0,
        "backfilled": 0,
        "backfilled_share": None,
        "ids_missing": 0,
        "gaps_open": 0,
        "gaps_closed": 0,
    },
    "symbols": [],
    "gaps": [],
    "backfill": {
        "ids_waiting": 0,
        "pages": 0,
        "trades": 0,
        "failures": 0,
        "last_error": None,
        "weight_used": 0,
        "weight_allowed": 1200,
        "weight_limit": 2400,
        "banned_until_ms": None,
        "archive_ids": 0,
        "archive_files": 0,
        "archive_trades": 0,
        "archive_error": None,
    },
    "disk": {
        "open_bytes": 1,
        "trades_bytes": 0,
        "bars_bytes": 0,
        "free_bytes": 1,
        "sealed_days": 0,
        "damaged": [],
        "quarantined": [],
        "damaged_logs": [],
        "state_bytes": 4096,
        "damaged_states": [],
        "state_error": None,
        "used_bytes": None,
        "most_bytes": None,
        "is_near_bound": False,
        "made_room": [],
        "let_go": [],
        "keep_data_days": 7,
        "keep_bar_days": 365,
        "keep_imported_days": None,
    },
}
STATUS: dict[str, Any] = {
    "version": "0",
    "now_ms": START_MS,
    "started_ms": START_MS,
    "uptime_s": 0.0,
    "warming_up": False,
    "kernels": {"preparing": [], "compiled_here": 0},
    "loop": {"lag_ms_p50": 0.1, "lag_ms_p99": 1.0, "lag_ms_longest": 2.0},
    "memory_bytes": 1,
    "notices": [],
    "exchange": {
        "proxy": None,
        "next_allowed_ms": None,
        "next_allowed_why": None,
        "stream_next_allowed_ms": None,
        "archive_next_allowed_ms": None,
        "connections": 1,
        "connections_allowed": 300,
        "clock_offset_ms": None,
        "clock_checked_ms": None,
        "gone": [],
        "halted": {},
    },
    "source": {
        "kind": "simulator",
        "requested": "auto",
        "label": "Simulated market",
        "banner": None,
        "reason": None,
        "detail": None,
        "finished": False,
    },
    "feed": {
        "state": "live",
        "since_ms": START_MS,
        "connections": 1,
        "reconnects": 0,
        "last_error": None,
        "next_retry_ms": None,
        "last_frame_ms": None,
        "frames": 0,
        "trades": 0,
        "trades_per_s": 0.0,
        "lag_ms_p50": None,
        "lag_ms_p95": None,
        "duplicates": 0,
        "conflicting": 0,
        "rejected": {},
        "rejected_by_origin": {},
        "noted": {},
        "frames_waiting": 0,
        "frames_limit": 1,
        "silent": [],
    },
    "store": {
        "path": "tape.duckdb",
        "trades_committed": 0,
        "rows_waiting": 0,
        "rows_limit": 1,
        "rows_refused": 0,
        "commit_ms_p50": float("nan"),
        "commit_ms_p99": None,
        "last_commit_ms": None,
        "commits_retried": 0,
        "reads_waiting": 0,
        "reads_repeated": 0,
        "database_bytes": 1,
        "error": None,
    },
    "clients": {"clients": 0, "topics": 0, "sent": 0, "conflated": 0, "cut_off": 0},
    "requests": msgspec.to_builtins(NO_REQUESTS),
    "symbols": [],
    "pairs_computed": 3,
    "pairs_possible": 3,
}


class Page:
    """A WebSocket client that follows topics."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: dict[str, Any]) -> None:
        await self.connection.send(msgspec.json.encode(message).decode())

    async def follow(self, topic: str, **options: Any) -> None:
        await self.send({"op": "sub", "topic": topic, **options})

    async def next(self, *kinds: type[wire.Wire]) -> Any:
        """The next message of some kinds; others are passed over."""
        async with asyncio.timeout(EVENT_S):
            while True:
                message = msgspec.json.decode(await self.connection.recv(), type=wire.ServerMessage)
                if isinstance(message, kinds):
                    return message


class Served:
    """A running server, and ways to talk to it."""

    def __init__(self, app: FastAPI, port: int) -> None:
        self.app = app
        self.hub: Hub = app.state.hub
        self.port = port
        self.http = http_client(base_url=f"http://127.0.0.1:{port}", timeout=ANSWER_S)

    def connect(self, **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/ws", compression=None, max_size=None, **options)

    @contextlib.asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        async with self.connect() as connection:
            yield Page(connection)

    async def raw(self, request: bytes, most: int = -1) -> bytes:
        """The answer, or its first bytes, to a request that no well-behaved client would send."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(most), EVENT_S)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        return answer


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


Markets = Callable[..., MadeUpMarket]


@pytest.fixture
def markets(tmp_path: Path) -> Iterator[Markets]:
    """Opens markets without a trade, with settings of their own, and closes them at the end."""
    opened: list[MadeUpMarket] = []

    def open_(**settings: Any) -> MadeUpMarket:
        opened.append(MadeUpMarket(tmp_path / str(len(opened)), SystemClock(), **settings))
        return opened[-1]

    yield open_
    for market in opened:
        market.close()


@pytest.fixture
def new_market(markets: Markets) -> MadeUpMarket:
    """A market without a trade."""
    return markets()


@pytest.fixture
def market(new_market: MadeUpMarket) -> MadeUpMarket:
    """A market two minutes old."""
    new_market.trade(120_000, burst_ms=120_000)
    return new_market


Serve = Callable[[FastAPI], contextlib.AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve() -> Serve:
    """Serves an application on loopback, as the real one is served."""

    @contextlib.asynccontextmanager
    async def served(app: FastAPI) -> AsyncIterator[Served]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = make_server(app, [listening])
            running = asyncio.create_task(server.serve(sockets=[listening]))
            one = Served(app, listening.getsockname()[1])
            try:
                await one.http.get("/health")
                yield one
            finally:
                await one.http.aclose()
                server.should_exit = True
                await running

    return served


@pytest.fixture
async def server(market: MadeUpMarket, serve: Serve) -> AsyncIterator[Served]:
    """The market's application, served."""
    await market.store.flushed()
    async with serve(market.app()) as served:
        yield served
