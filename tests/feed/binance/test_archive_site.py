"""Downloads of official files from a simulated exchange's archive, over a real socket."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from pairscope.base.clock import ManualClock
from pairscope.base.errors import ArchiveError, FeedUnavailable
from pairscope.base.interval import DAY_MS
from pairscope.feed.binance.archive import ArchiveKind, archive_file
from pairscope.feed.binance.archive_site import ArchiveSite
from pairscope.feed.binance.archive_trades import TradesFile
from pairscope.feed.simulator.exchange import SimulatedExchange
from pairscope.feed.simulator.market import Market
from pairscope.feed.simulator.source import MarketSource
from tests.judged import judge

DAY, DAY_START_MS = date(2026, 11, 18), 20_775 * DAY_MS
AGG = ArchiveKind.AGG


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatedExchange]:
    clock = ManualClock(DAY_START_MS + 2 * DAY_MS)
    async with SimulatedExchange(MarketSource(Market(seed=3, rate=0.01), clock), clock=clock) as opened:
        yield opened


@pytest.fixture
async def site(exchange: SimulatedExchange) -> AsyncIterator[ArchiveSite]:
    async with ArchiveSite(exchange.rest_url) as opened:
        yield opened


async def test_a_day_comes_whole_and_holds_what_was_traded(site: ArchiveSite, tmp_path: Path) -> None:
    sha256 = await site.checksum("XRPUSDT", AGG, DAY)
    assert sha256 is not None
    path = await site.fetch("XRPUSDT", AGG, DAY, sha256, tmp_path / "new")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert names(path.parent) == ["XRPUSDT-aggTrades-2026-11-18.zip"]
    file = archive_file(path)
    assert file is not None
    trades = TradesFile(file, 0, judge())
    report = trades.examine()
    truth = Market(seed=3, rate=0.01).trades("XRPUSDT", DAY_START_MS, DAY_START_MS + DAY_MS)
    (batch,) = trades.batches(0, report.ids)
    assert batch.id.tolist() == truth.id.tolist()
    assert batch.price.tolist() == truth.price.tolist()
    assert batch.size.tolist() == truth.size.tolist()
    assert batch.time_ms.tolist() == truth.time_ms.tolist()


@pytest.mark.parametrize(
    ("symbol", "day"), [("XRPUSDT", date(2026, 11, 20)), ("NOPEUSDT", DAY), ("XRPUSDT", date(2030, 1, 1))]
)
async def test_a_file_that_is_not_there_yet_is_none(site: ArchiveSite, symbol: str, day: date) -> None:
    assert await site.checksum(symbol, AGG, day) is None


async def test_a_download_that_is_not_the_official_file_leaves_nothing(site: ArchiveSite, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="came damaged"):
        await site.fetch("XRPUSDT", AGG, DAY, "0" * 64, tmp_path)
    assert names(tmp_path) == []


async def test_the_same_day_is_the_same_bytes_and_a_replaced_one_is_not(exchange: SimulatedExchange) -> None:
    async with ArchiveSite(exchange.rest_url) as site:
        first = await site.checksum("XRPUSDT", AGG, DAY)
        assert await site.checksum("XRPUSDT", AGG, DAY) == first
        assert exchange.archive is not None
        exchange.archive.replaced.add("XRPUSDT-aggTrades-2026-11-18")
        assert await site.checksum("XRPUSDT", AGG, DAY) != first


async def test_a_site_out_of_reach_is_told() -> None:
    async with ArchiveSite("http://127.0.0.1:1") as site:
        with pytest.raises(FeedUnavailable, match="cannot be reached"):
            await site.checksum("XRPUSDT", AGG, DAY)
