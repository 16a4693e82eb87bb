"""A receiver of webhooks on this machine that does what real ones do: answer, refuse, be slow, hang, break off."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

BREAKS_OFF = -1
HANGS = -2  # reads all of it and says nothing
TRICKLES = -3  # begins its answer and does not come to its end


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> Any:
        return msgspec.json.decode(self.body)["data"]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Sequence[tuple[str, str]] = ()


OK = Answer(200)


@dataclass
class Receiver:
    """``answer`` decides by what was received; the last requests of all are in ``received``."""

    answer: Callable[[Received], Answer] = lambda _: OK
    port: int = 0
    received: list[Received] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.received]

    async def comes(self, count: int, seconds: float = 20.0) -> None:
        """Wait for so many requests in all."""
        async with asyncio.timeout(seconds):
            while len(self.received) < count:
                self.news.clear()
                await self.news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):  # the test has ended
            await self._serve(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = first.split(" ")
        request = Received(method, path, headers, body)
        self.received.append(request)
        self.news.set()
        answer = self.answer(request)
        if answer.status == BREAKS_OFF:
            writer.transport.abort()
        elif answer.status == HANGS:
            await reader.read()
        elif answer.status == TRICKLES:
            for letter in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000:
                writer.write(bytes([letter]))
                await writer.drain()
                await asyncio.sleep(0.02)
        else:
            told = "".join(
                f"{name}: {value}\r\n" for name, value in {"Content-Length": "2", **dict(answer.headers)}.items()
            )
            writer.write(f"HTTP/1.1 {answer.status} Told\r\n{told}\r\nno".encode())
            await writer.drain()


@contextlib.asynccontextmanager
async def receiving(
    answer: Callable[[Received], Answer] | Answer = OK,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    trusted: ssl.SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    """A receiver that listens until the end of the block."""
    receiver = Receiver((lambda _: answer) if isinstance(answer, Answer) else answer)
    server = await asyncio.start_server(receiver.serve, host, port, ssl=trusted)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
