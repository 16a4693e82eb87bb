"""Shares frames out to the connections that want them."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from picows import WSCloseCode

from pairscope.base.clock import Clock
from pairscope.feed.binance.simulator.connection import ClientConnection, ConnectionLimits
from pairscope.feed.binance.simulator.faults import Faults
from pairscope.feed.binance.simulator.wire import Frame, Route, text_frame

_log = structlog.get_logger()


class FrameHub:
    """All connections, who wants which stream, and the faults on the way."""

    def __init__(self, clock: Clock, limits: ConnectionLimits, faults: Faults) -> None:
        self.connections: set[ClientConnection] = set()
        self.frames_sent = 0
        self.slow_clients_cut = 0
        self._clock = clock
        self._limits = limits
        self._faults = faults
        self._wanted: dict[str, set[ClientConnection]] = {}
        self._change = asyncio.Event()

    def accept(self, target: str) -> ClientConnection | None:
        """A connection for the path and query of a handshake, or None when no such path is served.

        ``/market/ws/<stream>/<stream>``, ``/market/stream?streams=<stream>/<stream>``, likewise ``/public`` and
        ``/private``; without a route the old paths, which serve what ``/public`` does.
        """
        url = urlsplit(target)
        route, mode, rest = _split(url.path)
        if mode == "ws":
            streams, combined = rest, False
        elif mode == "stream" and not rest:
            streams, combined = _streams_of_query(url.query), True
        else:
            return None
        return ClientConnection(
            route,
            streams,
            combined=combined,
            limits=self._limits,
            clock=self._clock,
            opened=self.connections.add,
            changed=self._subscriptions_changed,
            closed=self._gone,
        )

    @property
    def wanted(self) -> set[str]:
        """Streams at least one connection is subscribed to on the right route."""
        return set(self._wanted)

    async def changed(self) -> None:
        """Wait for the next change of any subscription."""
        self._change.clear()
        await self._change.wait()

    async def emptied(self) -> None:
        """Wait until all connections are gone."""
        while self.connections:
            await self.changed()

    def publish(self, frames: list[Frame]) -> None:
        """Send frames to all who want them, in this order, faults applied."""
        for garbage in self._faults.take_garbage():
            for connection in self.connections:
                connection.queue(text_frame(garbage))
        for frame in self._faults.apply(frames):
            raw = combined = b""
            for connection in self._wanted.get(frame.stream, ()):
                if connection.combined:
                    combined = combined or text_frame(frame.combined())
                    connection.queue(combined)
                else:
                    raw = raw or text_frame(frame.data)
                    connection.queue(raw)
                connection.frames_sent += 1
                self.frames_sent += 1
        for connection in list(self.connections):
            if not connection.flush():
                self.slow_clients_cut += 1
                _log.warning("slow_client_cut", streams=len(connection.streams))
                connection.abort()
            elif connection.frames_sent and self._faults.flaps(connection.frames_sent):
                connection.close(WSCloseCode.GOING_AWAY)

    async def drained(self) -> None:
        """Wait until no client is behind, so that playing at full speed loses nothing."""
        for connection in list(self.connections):
            await connection.writable.wait()

    def _subscriptions_changed(self, connection: ClientConnection, came: list[str], went: list[str]) -> None:
        for stream in came:
            self._wanted.setdefault(stream, set()).add(connection)
        for stream in went:
            wanting = self._wanted.get(stream, set())
            wanting.discard(connection)
            if not wanting:
                self._wanted.pop(stream, None)
        self._change.set()

    def _gone(self, connection: ClientConnection) -> None:
        self.connections.discard(connection)
        self._subscriptions_changed(connection, [], connection.streams)


def _split(path: str) -> tuple[Route, str, list[str]]:
    parts = [unquote(part) for part in path.split("/") if part]
    route = Route.PUBLIC
    if parts and parts[0] in set(Route):
        route = Route(parts.pop(0))
    return route, parts[0] if parts else "", parts[1:]


def _streams_of_query(query: str) -> list[str]:
    return [name for value in parse_qs(query).get("streams", []) for name in value.split("/") if name]
