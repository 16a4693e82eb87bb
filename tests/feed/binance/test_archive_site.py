"""Downloads of official files from a simulated exchange's archive, over a real socket."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import date
from functools import partial
from pathlib import Path

import httpx
import pytest

from pairscope.base.clock import ManualClock, SystemClock
from pairscope.base.errors import ArchiveError, FeedUnavailable
from pairscope.base.interval import DAY_MS
from pairscope.feed.access import http_client
from pairscope.feed.archive_files import ArchiveKind
from pairscope.feed.binance import archive_site
from pairscope.feed.binance.archive import archive_file
from pairscope.feed.binance.archive_site import ArchiveSite
from pairscope.feed.binance.archive_trades import TradesFile
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from tests.judged import judge

DAY, DAY_START_MS = date(2026, 11, 18), 20_775 * DAY_MS
AGG = ArchiveKind.AGG


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture
async def exchange() -> AsyncIterator[SimulatedExchange]:
    clock = ManualClock(DAY_START_MS + 2 * DAY_MS)
    async with SimulatedExchange(MarketSource(SimulatedMarket(seed=3, rate=0.01), clock), clock=clock) as opened:
        yield opened


@pytest.fixture
async def site(exchange: SimulatedExchange) -> AsyncIterator[ArchiveSite]:
    async with ArchiveSite(exchange.rest_url, SystemClock()) as opened:
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
    truth = SimulatedMarket(seed=3, rate=0.01).trades("XRPUSDT", DAY_START_MS, DAY_START_MS + DAY_MS)
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
    async with ArchiveSite(exchange.rest_url, SystemClock()) as site:
        first = await site.checksum("XRPUSDT", AGG, DAY)
        assert await site.checksum("XRPUSDT", AGG, DAY) == first
        assert exchange.archive is not None
        exchange.archive.replaced.add("XRPUSDT-aggTrades-2026-11-18")
        assert await site.checksum("XRPUSDT", AGG, DAY) != first


async def test_a_site_out_of_reach_is_told() -> None:
    async with ArchiveSite("http://127.0.0.1:1", SystemClock()) as site:
        with pytest.raises(FeedUnavailable, match="cannot be reached"):
            await site.checksum("XRPUSDT", AGG, DAY)


class Refusing:
    """A site that answers everything with one status until it is `well`; what it was asked is kept."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.asked: list[str] = []
        self.well = False
        self._status, self._headers = status, headers

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return httpx.Response(404) if self.well else httpx.Response(self._status, headers=self._headers)

    def site(self, monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> ArchiveSite:
        monkeypatch.setattr(
            archive_site, "http_client", partial(http_client, transport=httpx.MockTransport(self.answer))
        )
        return ArchiveSite("https://files.example", clock)


@pytest.mark.parametrize("download", [False, True])
@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (503, {"Retry-After": "120"}, 120.0),
        (429, {"Retry-After": "5"}, 5.0),
        (429, {}, 60.0),
        (503, {"Retry-After": "Wed, 18 Nov 2026 00:01:00 GMT", "Date": "Wed, 18 Nov 2026 00:00:00 GMT"}, 60.0),
        (403, {}, None),
    ],
)
async def test_a_site_that_asks_to_wait_is_left_alone_for_so_long(
    status: int,
    headers: dict[str, str],
    wait_s: float | None,
    download: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, refusing = ManualClock(DAY_START_MS), Refusing(status, headers)

    async with refusing.site(monkeypatch, clock) as here:
        fetched = here.fetch("XRPUSDT", AGG, DAY, "0" * 64, tmp_path) if download else None
        with pytest.raises(FeedUnavailable) as first:
            await (fetched or here.checksum("XRPUSDT", AGG, DAY))
        assert (first.value.code, first.value.retry_after_s) == (f"http_{status}", wait_s)
        refusing.well = True
        if wait_s is not None:
            clock.advance(wait_s - 0.5)
            with pytest.raises(FeedUnavailable, match=f"HTTP {status}.*asked again at 2026-11-18 00:0") as second:
                await here.checksum("XRPUSDT", AGG, DAY)
            assert second.value.code == "asked_to_wait"
            assert len(refusing.asked) == 1
            clock.advance(0.5)
        assert await here.checksum("XRPUSDT", AGG, DAY) is None
    assert names(tmp_path) == []


async def test_where_the_site_does_not_serve_a_proxy_is_among_the_cures(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Refusing(451, {}).site(monkeypatch, ManualClock(DAY_START_MS)) as here:
        with pytest.raises(FeedUnavailable) as refused:
            await here.checksum("XRPUSDT", AGG, DAY)
    assert "--proxy" in refused.value.cure
