"""Handshakes that are refused: what is told of them, and that nobody knocks before the time the exchange named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import SymbolTable, TradeKind
from pairscope.feed.access import Access
from pairscope.feed.binance.connection import Connection, Frames, connect
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.faults import FaultyDoor
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.binance.trade_stream import TradeStream
from tests.judged import judge
from tests.patience import EVENT_S


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(MarketSource(SimulatedMarket(seed=3, rate=1), SystemClock())) as opened:
        yield opened


async def knock(exchange: SimulatedExchange, access: Access) -> Connection:
    frames = Frames(SystemClock(), lambda: None)
    url = f"{exchange.ws_url}/market/stream"
    return await connect(url, frames, stale_s=5, tls=None, clock=SystemClock(), access=access)


@pytest.mark.parametrize(
    ("status", "retry_after", "wait_s"),
    [
        (429, "300", 300),
        (418, "7200", 7_200),
        (503, "30", 30),
        (503, "99999999999", 999_999_999),
        (503, "soon", None),
        (429, None, None),
        (403, None, None),
    ],
)
async def test_a_handshake_is_not_tried_again_before_the_time_its_refusal_names(
    exchange: SimulatedExchange, status: int, retry_after: str | None, wait_s: float | None
) -> None:
    access = Access.direct(SystemClock())
    door = access.limits.door(exchange.ws_url)
    exchange.faults.refuse(status, door=FaultyDoor.WS, retry_after=retry_after)
    with pytest.raises(FeedUnavailable) as refused:
        await knock(exchange, access)
    assert (refused.value.code, refused.value.retry_after_s) == (f"http_{status}", wait_s)
    assert f"HTTP {status}" in refused.value.message
    exchange.faults.refuse(0, door=FaultyDoor.WS)
    if wait_s is None:
        (await knock(exchange, access)).close()
        return
    assert "asked again at 20" in refused.value.message
    with pytest.raises(FeedUnavailable) as later:
        await knock(exchange, access)
    assert later.value.code == "asked_to_wait"
    assert f"HTTP {status}" in later.value.message
    assert later.value.retry_after_s == pytest.approx(min(wait_s, 3 * 86_400), abs=EVENT_S)
    assert door.connections == 1
    assert not exchange.hub.connections


async def test_where_the_exchange_does_not_serve_a_proxy_is_named_for_the_stream_too(
    exchange: SimulatedExchange,
) -> None:
    exchange.faults.refuse(451, door=FaultyDoor.WS)
    with pytest.raises(FeedUnavailable, match=r"451.*--proxy"):
        await knock(exchange, Access.direct(SystemClock()))


async def test_a_stream_that_is_asked_to_wait_says_until_when_and_waits(exchange: SimulatedExchange) -> None:
    exchange.faults.refuse(503, door=FaultyDoor.WS, retry_after="300")
    stream = TradeStream(
        base_url=exchange.ws_url,
        kind=TradeKind.AGG,
        watch=["BTCUSDT"],
        symbols=SymbolTable(["BTCUSDT"]),
        clock=SystemClock(),
        sink=lambda judged: None,
        judge=judge(),
    )
    running = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(EVENT_S):
            while stream.health.state != "down":
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    earliest_ms = now_ms(SystemClock()) + (300 - EVENT_S) * 1_000
    assert (stream.health.next_retry_ms or 0) > earliest_ms
    assert (stream.door.next_allowed_ms or 0) > earliest_ms
    assert "asked again at" in (stream.health.last_error or "")
