"""A small exchange of its own kind, on loopback: what it trades is said by a test.

A coin's fills have ids that begin somewhere. They come by WebSocket, two in a message with the newest first, and by
HTTP between two times, the newest first and few at once; what is old is not served any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pairscope.base.clock import SystemClock, now_ms

PAGE = 7  # fills of one answer at most
Fill = tuple[int, int, float, float, str]  # id, time, price, size, side of the aggressor


class ToyExchange:
    """Use as ``async with ToyExchange() as toy``; `coins` are listed, with the id before their first fill."""

    def __init__(self, coins: dict[str, int]) -> None:
        self.fills: dict[str, list[Fill]] = {coin: [] for coin in coins}
        self.kept_from_ms = 0
        self.asked: list[tuple[str, int, int]] = []  # coin, and between which times
        self.port = 0
        self._next = {coin: before + 1 for coin, before in coins.items()}
        self._clients: dict[WebSocket, set[str]] = {}
        routes = [Route("/coins", self._coins), Route("/time", self._time), Route("/fills", self._page)]
        self._app = Starlette(routes=[*routes, WebSocketRoute("/stream", self._stream)])

    async def trade(self, coin: str, count: int, *, lost: bool = False) -> list[int]:
        """Trade; what is lost is not sent to anybody, and is served when it is asked for. Returns the ids."""
        fills: list[Fill] = []
        for trade_id in range(self._next[coin], self._next[coin] + count):
            latest_ms = self.fills[coin][-1][1] + 1 if self.fills[coin] else 0
            time_ms = max(now_ms(SystemClock()), latest_ms)
            price = 100.0 + trade_id % 5
            fills.append((trade_id, time_ms, price, 0.5, "sell" if trade_id % 2 else "buy"))
            self.fills[coin].append(fills[-1])
        self._next[coin] += count
        for first in range(0, 0 if lost else count, 2):
            message = json.dumps({"coin": coin, "fills": fills[first : first + 2][::-1]})
            for client, wanted in list(self._clients.items()):
                if coin in wanted:
                    await client.send_text(message)
        return [fill[0] for fill in fills]

    def forget(self) -> None:
        """Serve nothing any more of what was traded until now."""
        self.kept_from_ms = max(fills[-1][1] for fills in self.fills.values() if fills) + 1

    async def drop(self) -> None:
        """Cut every connection."""
        clients = list(self._clients)
        self._clients.clear()
        for client in clients:
            await client.close()

    def hears(self, coin: str) -> bool:
        """Whether somebody subscribed to a coin."""
        return any(coin in wanted for wanted in self._clients.values())

    async def _stream(self, client: WebSocket) -> None:
        await client.accept()
        wanted = self._clients[client] = set()
        try:
            while True:
                message = json.loads(await client.receive_text())
                (wanted.update if message["op"] == "sub" else wanted.difference_update)(message["coins"])
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._clients.pop(client, None)

    async def _coins(self, request: Request) -> Response:
        steps = {"tick_size": 0.5, "step_size": 0.1}
        return JSONResponse(
            [{"spelling": coin, "base": coin[:3].upper(), "quote": coin[4:].upper(), **steps} for coin in self.fills]
        )

    async def _time(self, request: Request) -> Response:
        return JSONResponse(now_ms(SystemClock()))

    async def _page(self, request: Request) -> Response:
        coin, asked = request.query_params["coin"], request.query_params
        if coin not in self.fills:
            return Response(status_code=404)
        from_ms, to_ms = int(asked["from"]), int(asked["to"])
        self.asked.append((coin, from_ms, to_ms))
        if to_ms < self.kept_from_ms:
            return Response(status_code=410)
        found = [fill for fill in self.fills[coin] if max(from_ms, self.kept_from_ms) <= fill[1] <= to_ms]
        return JSONResponse(found[::-1][:PAGE])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ToyExchange]:
        """Serve on a free port until left."""
        with socket.create_server(("127.0.0.1", self.port)) as listening:
            self.port = listening.getsockname()[1]
            config = uvicorn.Config(self._app, log_config=None, lifespan="off", ws="websockets-sansio")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                while not server.started:
                    await asyncio.sleep(0.01)
                yield self
            finally:
                server.should_exit = True
                await self.drop()
                await serving
