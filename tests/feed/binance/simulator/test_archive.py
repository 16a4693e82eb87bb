"""Daily files of the simulated exchange: a day in pieces, made beside the event loop, the same bytes each time."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import threading
import zipfile
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from pairscope.base.interval import DAY_MS
from pairscope.feed.binance.simulator.archive import ArchiveDoor
from pairscope.feed.binance.simulator.market import AggTrades, SimulatedMarket

SYMBOL = "XRPUSDT"
DAY = 20_776 * DAY_MS  # 2026-11-19
FILE = f"/data/futures/um/daily/aggTrades/{SYMBOL}/{SYMBOL}-aggTrades-2026-11-19.zip"
TEN_MINUTES_MS = 600_000


class NotingMarket(SimulatedMarket):
    """Notes which times were asked for, and in which threads; few trades, so that a day is made in a moment."""

    def __init__(self) -> None:
        super().__init__(seed=1, rate=0.02)
        self.asked: list[tuple[int, int]] = []
        self.threads: set[int] = set()

    def trades(self, symbol: str, from_ms: int, to_ms: int) -> AggTrades:
        self.asked.append((from_ms, to_ms))
        self.threads.add(threading.get_ident())
        return super().trades(symbol, from_ms, to_ms)


@pytest.fixture
def market() -> NotingMarket:
    return NotingMarket()


@pytest.fixture
async def site(market: NotingMarket) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=ArchiveDoor(market, lambda: DAY + 2 * DAY_MS).routes)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://archive") as client:
        yield client


async def test_a_day_is_made_in_pieces_of_ten_minutes_at_most_in_another_thread(
    market: NotingMarket, site: httpx.AsyncClient
) -> None:
    packed = (await site.get(FILE)).content
    ends = [(DAY, DAY), *market.asked, (DAY + DAY_MS, DAY + DAY_MS)]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ends)), "the whole day, once"
    assert max(to_ms - from_ms for from_ms, to_ms in market.asked) <= TEN_MINUTES_MS
    assert market.threads.isdisjoint({threading.get_ident()}), "the event loop is this thread's"
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        (name,) = archive.namelist()
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open(name))))
    true = SimulatedMarket(seed=1, rate=0.02).trades(SYMBOL, DAY, DAY + DAY_MS)
    assert [int(row["agg_trade_id"]) for row in rows] == true.id.tolist()
    assert [int(row["transact_time"]) for row in rows] == true.time_ms.tolist()


async def test_the_checksum_is_that_of_the_bytes_which_are_made_once(
    market: NotingMarket, site: httpx.AsyncClient
) -> None:
    told = (await site.get(f"{FILE}.CHECKSUM")).text
    asked = len(market.asked)
    packed = (await site.get(FILE)).content
    assert told == f"{hashlib.sha256(packed).hexdigest()}  {FILE.rpartition('/')[2]}\n"
    assert len(market.asked) == asked
