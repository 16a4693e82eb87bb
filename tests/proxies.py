"""A proxy of this machine that leads names which do not exist to the simulated exchange, and counts what it led."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Mapping


class ConnectProxy:
    """Speaks CONNECT, nothing else. `refuse` is the status it answers; with `login`, only who tells it comes in."""

    def __init__(self, roads: Mapping[str, int], *, login: str | None = None, refuse: int | None = None) -> None:
        self.asked: list[str] = []
        self.port = 0
        self.deaf = False  # takes connections and never answers
        self._roads = roads
        self._login = login
        self._refuse = refuse
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        self.asked.append(f"{method} {target}")
        if self.deaf:
            await asyncio.Event().wait()
        status = self._status(method, target, head)
        writer.write(f"HTTP/1.1 {status} told\r\n\r\n".encode())
        await writer.drain()
        if status == 200:
            there, back = await asyncio.open_connection("127.0.0.1", self._roads[target])
            try:
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
            finally:
                back.transport.abort()

    def _status(self, method: str, target: str, head: str) -> int:
        told = base64.b64encode((self._login or "").encode()).decode()
        if self._login and f"Proxy-Authorization: Basic {told}\r\n".lower() not in head.lower():
            return 407
        if self._refuse or method != "CONNECT":
            return self._refuse or 405
        return 200 if target in self._roads else 502

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports close in the next turn of the loop


class SocksProxy(ConnectProxy):
    """Speaks SOCKS5 and is told names, not addresses; a login is asked for when there is one."""

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        wanted = 2 if self._login else 0
        if version != 5 or wanted not in offered:
            writer.write(b"\x05\xff")
            await writer.drain()
            return
        writer.write(bytes((5, wanted)))
        if self._login:
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            right = b"%b:%b" % (user, password) == self._login.encode()
            writer.write(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                await writer.drain()
                return
        _, _, _, kind, length = await reader.readexactly(5)
        assert kind == 3, "a name is what is asked for: nobody here knows its address"
        name = (await reader.readexactly(length)).decode()
        target = f"{name}:{int.from_bytes(await reader.readexactly(2))}"
        self.asked.append(f"SOCKS {target}")
        writer.write(bytes((5, 0 if target in self._roads else 4, 0, 1, 0, 0, 0, 0, 0, 0)))
        await writer.drain()
        if target in self._roads:
            there, back = await asyncio.open_connection("127.0.0.1", self._roads[target])
            try:
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
            finally:
                back.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def listening(proxy: ConnectProxy) -> AsyncIterator[ConnectProxy]:
    server = await asyncio.start_server(proxy.answer, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
