"""A made-up market behind a real server on a port of its own, for what asks from outside."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from pairscope.api.server import make_server
from pairscope.base.clock import SystemClock
from tests.api.conftest import MadeUpMarket
from tests.loopback import http_client


@contextlib.contextmanager
def two_minutes_old(folder: Path) -> Iterator[MadeUpMarket]:
    """Three symbols."""
    market = MadeUpMarket(folder, SystemClock())
    market.trade(120_000, burst_ms=10_000)
    try:
        yield market
    finally:
        market.close()


@contextlib.asynccontextmanager
async def serving(market: MadeUpMarket) -> AsyncIterator[str]:
    """Its address, which it has announced beside the tape."""
    await market.store.flushed()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = make_server(market.app(), [listening])
        running = asyncio.create_task(server.serve(sockets=[listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with http_client(base_url=url) as http:
            await http.get("/health")
        market.store.announce(url)
        try:
            yield url
        finally:
            server.should_exit = True
            await running
