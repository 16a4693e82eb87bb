"""The edge between the hub and a WebSocket: one reader, one writer, and the cutting of a client that does not read."""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from starlette.types import Receive, Scope, Send

from pairscope.api.errors import Busy
from pairscope.api.guard import refuse
from pairscope.api.hub import Follower, Hub
from pairscope.api.mailbox import MailboxOverflow

log = structlog.get_logger()

LONGEST_CLOSE_S = 0.5
TRY_AGAIN_LATER = 1013
POLICY_VIOLATION = 1008


class Socket:
    """Serves ``/ws``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            client = self._hub.connect()
        except Busy as busy:
            await refuse(scope, receive, send, busy)
            return
        try:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            await self._converse(client, receive, send)
        finally:
            self._hub.disconnect(client)

    async def _converse(self, client: Follower, receive: Receive, send: Send) -> None:
        """Read and write until either side ends it."""
        reader = asyncio.create_task(self._read(client, receive), name="ws_read")
        writer = asyncio.create_task(self._write(client, send), name="ws_write")
        try:
            done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            code = next((task.result() for task in done if task.result() is not None), None)
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
        if code is not None:
            await self._close(code, send)

    async def _read(self, client: Follower, receive: Receive) -> int | None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return None
            if not self._hub.receive(client, message.get("text") or message.get("bytes") or ""):
                return POLICY_VIOLATION

    async def _write(self, client: Follower, send: Send) -> int | None:
        try:
            while True:
                text = await client.mailbox.next()
                async with asyncio.timeout(self._hub.limits.longest_send_s):
                    await send({"type": "websocket.send", "text": text})
                self._hub.count_sent()
        except (MailboxOverflow, TimeoutError) as error:
            self._hub.count_cut_off()
            log.warning("client_cut_off", reason=type(error).__name__, topics=len(client.topics))
            return TRY_AGAIN_LATER
        except OSError:  # the peer is gone; the reader is told of it too
            return None

    async def _close(self, code: int, send: Send) -> None:
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(LONGEST_CLOSE_S):
                await send({"type": "websocket.close", "code": code})
