"""The simulated exchange: Binance USD-M's wire protocol on two loopback ports.

A client connects to it as it would to the exchange, over real sockets; nothing in the client knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

import structlog
import uvicorn
from picows import (
    WSCloseCode,
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from pairscope.base.clock import Clock, SystemClock
from pairscope.base.errors import SettingsError
from pairscope.base.net import listening_socket
from pairscope.base.saying import say
from pairscope.feed.binance.simulator.archive import ArchiveDoor
from pairscope.feed.binance.simulator.connection import ConnectionLimits
from pairscope.feed.binance.simulator.faults import Faults, FaultyDoor
from pairscope.feed.binance.simulator.hub import FrameHub
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.replay import RecordingSource
from pairscope.feed.binance.simulator.rest import RestApi, refusal_body
from pairscope.feed.binance.simulator.source import FrameSource, MarketSource

_log = structlog.get_logger()
_GOODBYE_S = 2.0  # how long stopping waits for clients to take what was sent and to close


class _RestServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to the program the exchange runs in."""
        yield


class SimulatedExchange:
    """Listens while it is entered (or between `start` and `stop`).

    Args:
        source: what it plays: a `MarketSource` or a `RecordingSource`.
        host, port, rest_port: where it listens; port 0 takes any free one.
        limits, weight_per_minute: what it allows its clients.
        ssl_context: serve ``wss`` and ``https`` with it.
    """

    def __init__(
        self,
        source: FrameSource,
        *,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        rest_port: int = 0,
        limits: ConnectionLimits | None = None,
        weight_per_minute: int = 2400,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.source = source
        self.faults = Faults()
        self.hub = FrameHub(clock, limits or ConnectionLimits(), self.faults)
        self.rest = RestApi(source, clock, self.faults, weight_per_minute=weight_per_minute)
        self.archive: ArchiveDoor | None = None  # the daily files of a seeded market, under the address of REST
        if isinstance(source, MarketSource):
            self.archive = ArchiveDoor(source.market, source.now_ms)
            self.rest.app.router.routes.extend(self.archive.routes)
        self._host, self._port, self._rest_port = host, port, rest_port
        self._ssl = ssl_context
        self._sockets: asyncio.Server | None = None
        self._rest_server: _RestServer | None = None
        self._rest_task: asyncio.Task[None] | None = None
        self._play_task: asyncio.Task[None] | None = None

    @property
    def ws_url(self) -> str:
        return f"{'wss' if self._ssl else 'ws'}://{self._host}:{self._port}"

    @property
    def rest_url(self) -> str:
        return f"{'https' if self._ssl else 'http'}://{self._host}:{self._rest_port}"

    async def start(self) -> None:
        """Open the source, listen and begin to play.

        Raises:
            SettingsError: when a port cannot be had.
            RecordingError: when a recording cannot be used.
        """
        self.source.start()
        await self._listen()
        self._play_task = asyncio.create_task(self._play())
        _log.info("simulator_started", ws=self.ws_url, rest=self.rest_url)

    async def stop(self) -> None:
        """Close everything, what was sent arriving first; may be called twice."""
        if self._play_task is not None:
            self._play_task.cancel()
            await asyncio.gather(self._play_task, return_exceptions=True)
            self._play_task = None
        self._shut_door()
        self.drop_connections()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self.hub.emptied()
        await self._silence()

    async def __aenter__(self) -> SimulatedExchange:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # Misbehaviour of connections; that of frames and requests is in `faults`.

    def drop_connections(self, *, abort: bool = False) -> None:
        """End all connections: with a close frame, or by tearing TCP down."""
        for connection in list(self.hub.connections):
            if abort:
                connection.abort()
            else:
                connection.close(WSCloseCode.GOING_AWAY)

    def freeze_connections(self) -> None:
        """Leave all present connections open and dead: nothing is read or sent any more. New ones are well."""
        for connection in self.hub.connections:
            connection.freeze()

    def send_octets(self, octets: bytes) -> None:
        """Put bytes on every connection that are no WebSocket frame."""
        for connection in self.hub.connections:
            connection.write_raw(octets)

    async def restart(self, down_s: float = 0.0) -> None:
        """Go away without a word and come back on the same ports; the market goes on meanwhile."""
        await self._silence()
        await asyncio.sleep(down_s)
        await self._listen()

    # Sockets.

    async def _listen(self) -> None:
        try:
            self._sockets = await ws_create_server(self._accept, self._host, self._port, ssl=self._ssl)
            self._port = self._sockets.sockets[0].getsockname()[1]
            rest_socket = listening_socket(self._host, self._rest_port)
        except OSError as error:
            await self._silence()
            raise SettingsError(
                f"the simulator cannot listen on {self._host}:{self._port} and :{self._rest_port}: {error.strerror}",
                cure="choose other ports, or 0 for any free one",
            ) from None
        self._rest_port = rest_socket.getsockname()[1]
        context = self._ssl
        self._rest_server = _RestServer(
            uvicorn.Config(
                self.rest.app,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                ssl_context_factory=(lambda config, default: context) if context else None,
            )
        )
        self._rest_task = asyncio.create_task(self._rest_server.serve([rest_socket]))

    async def _silence(self) -> None:
        self._shut_door()
        self.drop_connections(abort=True)
        if self._rest_server is not None and self._rest_task is not None:
            self._rest_server.should_exit = True
            self._rest_server.force_exit = True
            await self._rest_task
            self._rest_server = self._rest_task = None

    def _shut_door(self) -> None:
        if self._sockets is not None:
            self._sockets.close()
            self._sockets = None

    def _accept(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        status = self.faults.refusal(FaultyDoor.WS)
        if status is not None:
            response = WSUpgradeResponse.create_error_response(
                status,
                refusal_body(status),
                {"Content-Type": "application/json", **self.faults.refusal_headers(FaultyDoor.WS)},
            )
            return WSUpgradeResponseWithListener(response, None)
        return self.hub.accept(request.path.decode("utf-8", "replace"))

    async def _play(self) -> None:
        try:
            await self.source.play(self.hub)
        except Exception:  # the edge of the task: nobody awaits it, so the cause is told here
            _log.exception("simulator_failed")
            self.drop_connections()
            raise


async def serve(
    *,
    port: int = 9443,
    rest_port: int = 9444,
    seed: int = 1,
    speed: float = 1.0,
    rate: float = 1.0,
    recordings: Sequence[Path] = (),
    times: Literal["kept", "now"] = "now",
    tell: Callable[[str], None] = say,
    started: Callable[[str, str], None] = lambda ws_url, rest_url: None,
) -> None:
    """Run the exchange alone until cancelled, or until the recordings are played to the end."""
    clock = SystemClock()
    replay = RecordingSource(recordings, clock, speed=speed, times=times) if recordings else None
    source = replay or MarketSource(SimulatedMarket(seed, rate), clock, speed=speed)
    async with SimulatedExchange(source, clock=clock, port=port, rest_port=rest_port) as exchange:
        tell(f"streams  {exchange.ws_url}")
        tell(f"REST     {exchange.rest_url}")
        started(exchange.ws_url, exchange.rest_url)
        await (replay.finished if replay else asyncio.Event()).wait()
