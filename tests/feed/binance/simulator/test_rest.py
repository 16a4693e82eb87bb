"""REST of the simulated exchange: windows, weights, bans and the exchange's own error codes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from pairscope.base.clock import ManualClock
from pairscope.feed.binance.simulator.faults import Faults, FaultyDoor
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.rest import RestApi
from pairscope.feed.binance.simulator.source import HORIZON_MS, MarketSource
from tests.loopback import http_client

NOW_MS = 1_790_000_000_000
MARKET = SimulatedMarket(seed=1)


class Desk:
    """The API without a socket, with a clock moved by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW_MS)
        self.faults = Faults()
        source = MarketSource(MARKET, self.clock)
        source.start()
        self.api = RestApi(source, self.clock, self.faults, weight_per_minute=2400)
        self.client = http_client(transport=httpx.ASGITransport(self.api.app), base_url="http://exchange")

    async def get(self, path: str, **params: str | int) -> httpx.Response:
        return await self.client.get("/fapi/v1/" + path, params=params)

    async def ids(self, **params: str | int) -> list[int]:
        return [row["a"] for row in (await self.get("aggTrades", symbol="BTCUSDT", **params)).json()]

    async def error(self, **params: str | int) -> tuple[int, int]:
        answer = await self.get("aggTrades", **params)
        return answer.status_code, answer.json()["code"]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    async with desk.client:
        yield desk


async def test_time_is_the_exchange_time_and_exchange_info_is_stale(desk: Desk) -> None:
    assert (await desk.get("ping")).json() == {}
    assert (await desk.get("time")).json() == {"serverTime": NOW_MS}
    info = (await desk.get("exchangeInfo")).json()
    assert info["serverTime"] < NOW_MS - 3_600_000
    assert info["rateLimits"][0]["limit"] == 2400
    bitcoin = info["symbols"][0]
    assert (bitcoin["symbol"], bitcoin["status"], bitcoin["contractType"]) == ("BTCUSDT", "TRADING", "PERPETUAL")
    steps = {each["filterType"]: each.get("tickSize") or each["stepSize"] for each in bitcoin["filters"]}
    assert steps == {"PRICE_FILTER": "0.10", "LOT_SIZE": "0.001", "MARKET_LOT_SIZE": "0.001"}


async def test_without_a_window_the_newest_trades_come(desk: Desk) -> None:
    sent = MARKET.flushed("BTCUSDT", NOW_MS - 3_600_000, NOW_MS).id.tolist()
    assert await desk.ids() == sent[-500:]
    assert await desk.ids(limit=3) == sent[-3:]


async def test_pages_by_id_begin_with_the_id_and_end_with_the_newest(desk: Desk) -> None:
    newest = (await desk.ids(limit=1))[0]
    assert await desk.ids(fromId=newest - 1000, limit=1000) == list(range(newest - 1000, newest))
    assert await desk.ids(fromId=newest - 4, limit=1000) == list(range(newest - 4, newest + 1))
    assert await desk.ids(fromId=newest + 1) == []
    assert await desk.ids(fromId=newest + 10_000_000) == []


async def test_windows_of_time_include_both_ends(desk: Desk) -> None:
    trades = MARKET.trades("BTCUSDT", NOW_MS - 60_000, NOW_MS - 30_000)
    first, last = int(trades.time_ms[0]), int(trades.time_ms[-1])
    assert await desk.ids(startTime=first, endTime=last, limit=1000) == trades.id.tolist()[:1000]
    assert await desk.ids(startTime=first, limit=5) == trades.id.tolist()[:5]
    assert await desk.ids(endTime=last, limit=5) == trades.id.tolist()[-5:]
    assert await desk.ids(startTime=last, endTime=first) == []


async def test_rest_may_lag_behind_the_streams(desk: Desk) -> None:
    newest = (await desk.ids(limit=1))[0]
    desk.faults.rest_lag_ms = 10_000
    behind = (await desk.ids(limit=1))[0]
    assert behind < newest
    assert await desk.ids(fromId=newest) == []
    desk.clock.advance(10)
    assert newest in await desk.ids(fromId=behind)


async def test_nothing_older_than_two_days_is_served(desk: Desk) -> None:
    oldest = MARKET.first_id_at("BTCUSDT", NOW_MS - HORIZON_MS)
    assert (await desk.ids(fromId=oldest, limit=1)) == [oldest]
    too_old = (400, -4166)
    assert await desk.error(symbol="BTCUSDT", fromId=oldest - 1) == too_old
    assert await desk.error(symbol="BTCUSDT", startTime=NOW_MS - HORIZON_MS - 1) == too_old
    assert await desk.error(symbol="BTCUSDT", endTime=NOW_MS - HORIZON_MS - 1) == too_old


async def test_bad_parameters_get_the_exchanges_own_codes(desk: Desk) -> None:
    assert await desk.error(symbol="NOSUCH") == (400, -1121)
    assert await desk.error(symbol="btcusdt") == (400, -1121)
    assert await desk.error() == (400, -1102)
    for limit in ("0", "1001", "-1", "many"):
        assert await desk.error(symbol="BTCUSDT", limit=limit) == (400, -1130)
    assert await desk.error(symbol="BTCUSDT", fromId=1, startTime=1) == (400, -1128)


async def test_weights_are_counted_by_the_clock_minute_for_refused_requests_too(desk: Desk) -> None:
    used = "X-MBX-USED-WEIGHT-1M"
    assert (await desk.get("ping")).headers[used] == "1"
    assert (await desk.get("aggTrades", symbol="BTCUSDT", limit=1)).headers[used] == "21"
    assert (await desk.get("aggTrades", symbol="NOSUCH")).headers[used] == "41"
    desk.clock.advance(60)
    assert (await desk.get("ping")).headers[used] == "1"


async def test_above_the_weight_comes_429_and_who_keeps_asking_is_banned(desk: Desk) -> None:
    statuses = [(await desk.get("aggTrades", symbol="NOSUCH")).status_code for _ in range(133)]
    assert statuses == [400] * 120 + [429] * 11 + [418] * 2
    desk.clock.advance(60)
    assert (await desk.get("ping")).status_code == 418
    desk.clock.advance(61)
    assert (await desk.get("ping")).status_code == 200


async def test_who_waits_for_the_next_minute_after_a_429_is_served(desk: Desk) -> None:
    for _ in range(121):
        answer = await desk.get("aggTrades", symbol="NOSUCH")
    assert answer.status_code == 429
    desk.clock.advance(60)
    assert (await desk.get("ping")).status_code == 200


async def test_a_refusal_costs_no_weight_and_ends(desk: Desk) -> None:
    desk.faults.refuse(451, door=FaultyDoor.REST, times=1)
    refused = await desk.get("ping")
    assert refused.status_code == 451
    assert "restricted location" in refused.json()["msg"]
    assert (await desk.get("ping")).headers["X-MBX-USED-WEIGHT-1M"] == "1"
