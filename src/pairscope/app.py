"""Wiring only: settings in, a running system out. The one place that knows every room."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
import uvicorn

from pairscope.analytics import warm as analytics_warm
from pairscope.api.server import create_app
from pairscope.api.status import StatusBoard
from pairscope.bars import warm as bars_warm
from pairscope.base.clock import Clock, SystemClock
from pairscope.base.errors import SettingsError
from pairscope.base.settings import Settings
from pairscope.feed.binance.protocol import Decoded
from pairscope.feed.binance.stream import TradeStream
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.source import Source, open_source
from pairscope.live.book import BarBook
from pairscope.live.intake import Intake
from pairscope.live.state import Live
from pairscope.store.tape import Store

log = structlog.get_logger()


def tape_path(settings: Settings, source: Source) -> Path:
    """Each source keeps its own tape: simulated trades never mix with real ones."""
    if settings.database_path is None:
        return settings.data_dir / source.folder / "tape.duckdb"
    if source.kind == "live":
        return settings.database_path
    path = settings.database_path
    return path.with_name(f"{path.stem}.{source.folder}{path.suffix}")


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else is started.

    Raises:
        SettingsError: when it is taken or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(128)
    except OSError as error:
        taken.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            cure=f"stop what uses the port, or choose another: --port {port + 1 if port < 65535 else 8000}",
        ) from None
    return taken


class System:
    """Everything that runs for one set of settings."""

    def __init__(self, settings: Settings, source: Source, store: Store, clock: Clock) -> None:
        self.settings = settings
        self.source = source
        self.store = store
        for symbol in source.symbols:
            store.symbols.add(symbol)
        self.tracker = ContinuityTracker(store.symbols)
        self.book = BarBook(settings.interval_list(), settings.history_bars)
        self.live = Live(symbols=store.symbols, book=self.book, pairs=source.pairs, reader=store)
        self.intake = Intake(store=store, tracker=self.tracker, book=self.book, live=self.live, clock=clock)
        self.stream = TradeStream(
            base_url=source.ws_url,
            kind=source.trade_kind,
            watch=source.symbols,
            symbols=store.symbols,
            clock=clock,
            sink=self._sink,
            flush_s=settings.flush_ms / 1000,
            stale_s=settings.stale_s,
        )
        self.board = StatusBoard(
            settings=settings,
            source=source,
            stream=self.stream,
            intake=self.intake,
            tracker=self.tracker,
            store=store,
            live=self.live,
            clock=clock,
        )
        self.app = create_app(
            settings=settings,
            live=self.live,
            store=store,
            status=self.board.status,
            health=self.board.health,
            config=self.board.config,
            clock=clock,
        )

    def _sink(self, decoded: Decoded) -> None:
        self.intake.take(decoded.trades, decoded.keep)

    async def run(self) -> None:
        """Warm up, go on from the tape, then follow the market until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            await asyncio.to_thread(warm_up)
            self.intake.restore()
            self.board.warm = True
            tasks.create_task(self.intake.revise_for_ever(), name="revise")
            stream = tasks.create_task(self.stream.run(), name="feed")
            await self.source.begin(self.store.last_trades())
            await self.source.finished()
            stream.cancel()
            self.stream.finish()


def warm_up() -> None:
    """Compile, or load from the cache, every kernel of the hot path."""
    bars_warm.warm_up()
    analytics_warm.warm_up()


@contextlib.asynccontextmanager
async def opened(settings: Settings, clock: Clock) -> AsyncIterator[System]:
    """A system with its source and its tape open; both are closed again whatever happens."""
    async with open_source(settings, clock) as source:
        store = await asyncio.to_thread(
            Store.open,
            tape_path(settings, source),
            kind=source.trade_kind,
            clock=clock,
            commit_ms=settings.commit_ms,
            queue_rows=settings.queue_rows,
        )
        try:
            yield System(settings, source, store, clock)
        finally:
            await asyncio.to_thread(store.close)


async def serve(settings: Settings, clock: Clock | None = None) -> None:
    """Run until interrupted: the API and the dashboard on one port, the market behind them."""
    clock = clock or SystemClock()
    taken = listen(settings.host, settings.port)
    with taken:
        async with opened(settings, clock) as system:
            url = f"http://{'localhost' if settings.host == '127.0.0.1' else settings.host}:{settings.port}"
            system.store.announce(url)
            config = uvicorn.Config(
                system.app,
                log_config=None,
                access_log=False,
                ws="websockets-sansio",
                ws_max_size=65_536,
                timeout_graceful_shutdown=3,
                server_header=False,
            )
            server = uvicorn.Server(config)
            market = asyncio.create_task(system.run(), name="market")
            market.add_done_callback(lambda task: _stop_on_failure(task, server))
            log.info("serving", url=url, source=system.source.label, tape=str(tape_path(settings, system.source)))
            print(f"pairscope is on {url}  ({system.source.label})  stop it with Ctrl-C", flush=True)
            try:
                await server.serve(sockets=[taken])
            finally:
                market.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await market


def _stop_on_failure(task: asyncio.Task[None], server: uvicorn.Server) -> None:
    """A market that died must not leave a page that looks alive."""
    if not task.cancelled() and task.exception() is not None:
        server.should_exit = True
