"""Connections without a socket: what a lane needs of one, and an exchange that hands them out, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import numpy as np

from pairscope.base.errors import FeedUnavailable
from pairscope.feed.binance.connection import Connection, Frames


class ScriptedConnection:
    """As `Connection`. `frozen` is half-open: nothing comes any more, and nobody says so."""

    def __init__(self, frames: Frames, *, ping_s: float) -> None:
        self.frozen = False
        self.requests: list[bytes] = []
        self._frames = frames
        self._ping_s = ping_s
        self._texts = 0
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def as_connection(self) -> Connection:
        return cast(Connection, self)

    @property
    def is_open(self) -> bool:
        return not self._ended.done()

    @property
    def heard(self) -> bool:
        return self._texts > len(self.requests)

    def send(self, request: bytes) -> None:
        if self.is_open:
            self.requests.append(request)
            self.deliver([b'{"result":null,"id":1}'])

    def close(self) -> None:
        self.end("closed by us")

    async def ended(self) -> str:
        return await asyncio.shield(self._ended)

    def end(self, cause: str) -> None:
        if self.is_open:
            self._ended.set_result(cause)

    def freeze(self) -> None:
        """No ping is answered from now on, which the client notices."""
        self.frozen = True
        asyncio.get_running_loop().call_later(self._ping_s, self.end, "no answer to a ping")

    def deliver(self, frames: Sequence[bytes]) -> None:
        if self.is_open and not self.frozen:
            self._texts += len(frames)
            self._frames.waiting.extend(frames)
            self._frames.end_of_read()


class Switchboard:
    """Opens connections for lanes, or refuses."""

    def __init__(self, *, ping_s: float = 5.0) -> None:
        self.made: list[ScriptedConnection] = []
        self.tried_s: list[float] = []
        self.refusing = False
        self.retry_after_s: float | None = None  # told with a refusal
        self.deaf = False  # connections are acknowledged, and nothing ever comes on those made meanwhile
        self._ping_s = ping_s
        self._silent: set[int] = set()

    @property
    def open(self) -> list[ScriptedConnection]:
        return [connection for connection in self.made if connection.is_open]

    async def connect(self, frames: Frames) -> Connection:
        self.tried_s.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.05)
        if self.refusing:
            told = "the exchange refused the stream with HTTP 503"
            raise FeedUnavailable(told, code="http_503", retry_after_s=self.retry_after_s)
        connection = ScriptedConnection(frames, ping_s=self._ping_s)
        if self.deaf:
            self._silent.add(len(self.made))
        self.made.append(connection)
        return connection.as_connection()

    def deliver(self, frames: Sequence[bytes]) -> None:
        """Send to everybody who listens."""
        for number, connection in enumerate(self.made):
            if number not in self._silent:
                connection.deliver(frames)

    def gaps_s(self) -> list[float]:
        """Between the tries to connect."""
        return np.diff(self.tried_s).tolist()
