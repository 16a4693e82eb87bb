"""The toy venue through the whole product: real sockets, a real tape, the API; ids that are not proved."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pairscope.app import Parts, opened
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import Continuity, Gap, Origin, TradeBatch, TradeKind
from pairscope.base.settings import Settings
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol
from tests.judged import good
from tests.loopback import http_client
from tests.patience import START_S, WORK_S
from tests.toy.server import ToyExchange
from tests.toy.venue import NAME, Toy

ETH, BTC = "TOY.ETH_USDT", "TOY.BTC_USDT"
COINS = {"eth_usdt": 7_000_011, "btc_usdt": 40}  # the ids before the first ones
LINES = 150


class Running:
    """The product with the toy exchange."""

    def __init__(self, toy: ToyExchange, parts: Parts) -> None:
        self.toy = toy
        self.parts = parts
        self._http = http_client(
            transport=httpx.ASGITransport(parts.api.app), base_url="http://localhost:8000", timeout=WORK_S
        )

    async def ask(self, path: str) -> Any:
        answer = await self._http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, condition: Callable[[], bool | Awaitable[bool]]) -> None:
        async with asyncio.timeout(WORK_S):
            while True:
                met = condition()
                if met if isinstance(met, bool) else await met:
                    return
                await asyncio.sleep(0.02)

    async def next_second(self) -> None:
        begun_s = now_ms(SystemClock()) // 1_000
        await self.until(lambda: now_ms(SystemClock()) // 1_000 > begun_s)

    async def heard(self, symbol: str, trade_id: int) -> None:
        index = self.parts.tape.symbols.index(symbol)
        await self.until(lambda: (self.parts.ingest.tracker.highest(index) or 0) >= trade_id)

    async def whole(self) -> None:
        """Until nothing is missing any more, and the tape says so."""
        await self.until(lambda: not self.parts.ingest.tracker.all_open())
        await self.until(self._none_open)

    async def _none_open(self) -> bool:
        return all(gap.closed_ms is not None for gap in await self.gaps())

    async def trade(self, coin: str, count: int, *, lost: bool = False) -> list[int]:
        ids = await self.toy.trade(coin, count, lost=lost)
        if not lost:
            await self.heard(f"{NAME}.{coin.upper()}", ids[-1])
        return ids

    async def ids(self, symbol: str) -> list[int]:
        await self.parts.tape.flushed()
        found: list[int] = self.parts.tape.trades(symbol).id.tolist()
        return found

    async def gaps(self) -> list[Gap]:
        await self.parts.tape.flushed()
        return self.parts.tape.gaps()

    async def reasons(self, trade_id: int) -> set[str]:
        return {gap.reason.value for gap in await self.gaps() if gap.first_id <= trade_id <= gap.last_id}

    async def has_gap(self, condition: Callable[[Gap], bool]) -> bool:
        return any(condition(gap) for gap in await self.gaps())


@contextlib.asynccontextmanager
async def running(toy: ToyExchange, folder: Path, **settings: Any) -> AsyncIterator[Running]:
    given: dict[str, Any] = {"symbols": (ETH, BTC), "source": "live", "data_dir": folder, "window": 10, "commit_ms": 10}
    given |= {"history_minutes": 0, "intervals": ("1s", "5s"), "flush_ms": 10, **settings}
    clock = SystemClock()
    venues = {NAME: Toy(f"127.0.0.1:{toy.port}", clock)}
    async with opened(Settings(**given), clock, venues) as parts:
        task = asyncio.create_task(parts.run())
        try:
            async with asyncio.timeout(START_S):
                while not toy.hears("eth_usdt"):
                    assert not task.done(), task.result()
                    await asyncio.sleep(0.02)
            yield Running(toy, parts)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def toy() -> AsyncIterator[ToyExchange]:
    async with ToyExchange(COINS).running() as exchange:
        yield exchange


async def test_trades_come_in_order_of_their_own_ids_and_all_that_is_made_of_them_is_sampled(
    toy: ToyExchange, tmp_path: Path
) -> None:
    async with running(toy, tmp_path) as product:
        for _ in range(3):
            await product.trade("eth_usdt", 6)
            await product.trade("btc_usdt", 3)
            await product.next_second()  # so that its bar is over
        assert await product.ids(ETH) == list(range(7_000_012, 7_000_030))
        assert await product.ids(BTC) == list(range(41, 50))
        bars = (await product.ask(f"/ohlc/{ETH}/1s"))["bars"]
        assert sum(bars["trades"]) == 18
        assert set(bars["continuity"]) == {"sampled"}
        assert set(bars["missing"]) == {None}
        assert set(bars["missing_reason"]) == {"sampled"}
        symbol = await product.ask(f"/analytics/{ETH.lower()}")
        pair = await product.ask(f"/analytics/pair?y={ETH}&x={BTC}")
        for metrics in (symbol["metrics"], pair["metrics"]):
            assert {each["continuity"] for each in metrics.values() if each["as_of_ms"]} == {"sampled"}
        config = await product.ask("/config")
        told = [(each["symbol"], each["native"], each["base"], each["quote"]) for each in config["symbols"]]
        assert told == [(ETH, "eth_usdt", "ETH", "USDT"), (BTC, "btc_usdt", "BTC", "USDT")]
        assert config["pairs"] == [f"{BTC}/{ETH}"]


async def test_what_was_lost_on_the_way_is_found_and_asked_for_by_time(toy: ToyExchange, tmp_path: Path) -> None:
    async with running(toy, tmp_path) as product:
        await product.trade("eth_usdt", 4)
        lost = await product.trade("eth_usdt", 23, lost=True)  # more than one answer of the venue holds
        await product.trade("eth_usdt", 1)
        await product.until(lambda: product.has_gap(lambda gap: gap.closed_ms is not None))
        await product.whole()
        assert await product.ids(ETH) == list(range(7_000_012, 7_000_040))
        before, after = toy.fills["eth_usdt"][3], toy.fills["eth_usdt"][27]
        assert ("eth_usdt", before[1], after[1]) in toy.asked, "between the trades around the hole"
        rest = [int(origin) for origin in product.parts.tape.trades(ETH).origin]
        assert rest.count(1) == len(lost)
        status = await product.ask("/status/tape")
        assert {gap["reason"] for gap in status["gaps"]} <= {"restart", "skipped"}
        await product.until(lambda: bool((product.parts.market.bars(ETH, Interval(1_000), 9)["backfilled"] > 0).any()))
        assert set(product.parts.market.bars(ETH, Interval(1_000), 9)["continuity"]) == {Continuity.SAMPLED}


async def test_what_the_venue_serves_no_more_stays_a_gap_that_says_so(toy: ToyExchange, tmp_path: Path) -> None:
    async with running(toy, tmp_path) as product:
        await product.trade("eth_usdt", 2)
        lost = await product.trade("eth_usdt", 3, lost=True)
        toy.forget()
        await product.trade("eth_usdt", 2)
        await product.until(lambda: product.has_gap(lambda gap: gap.obstacle is not None))
        (gap,) = await product.gaps()
        assert (gap.first_id, gap.last_id, gap.closed_ms) == (lost[0], lost[-1], None)
        assert (gap.symbol, gap.obstacle) == (ETH, "not_served_by_rest")


async def test_a_broken_connection_and_a_restart_lose_nothing(toy: ToyExchange, tmp_path: Path) -> None:
    async with running(toy, tmp_path) as product:
        await product.trade("eth_usdt", 3)
        await toy.drop()
        away = await toy.trade("eth_usdt", 5, lost=True)
        await product.until(lambda: toy.hears("eth_usdt"))
        await product.trade("eth_usdt", 1)
        await product.whole()
        assert product.parts.ingest.stream.health.reconnects >= 1
        assert {gap.reason for gap in await product.gaps() if gap.first_id <= away[0] <= gap.last_id} == {
            "disconnected"
        }
    missed = await toy.trade("eth_usdt", 12, lost=True)
    async with running(toy, tmp_path) as product:
        await product.trade("eth_usdt", 1)
        await product.whole()
        found = await product.ids(ETH)
        assert found == list(range(7_000_012, 7_000_012 + len(toy.fills["eth_usdt"])))
        assert await product.reasons(missed[0]) == {"restart"}
        path = product.parts.tape.path
    tape = Tape.open(path, kind=TradeKind.AGG, clock=SystemClock(), commit_ms=10)
    try:
        index = tape.symbols.index(ETH)
        assert tape.symbols.best(index) is Continuity.SAMPLED
        verdict = verify_symbol(tape, ETH, kind=TradeKind.AGG, intervals=[Interval(1_000), Interval(5_000)])
        assert not verdict.differences
    finally:
        tape.close()


async def test_a_symbol_is_added_and_its_history_is_fetched_by_time(toy: ToyExchange, tmp_path: Path) -> None:
    await toy.trade("btc_usdt", 17)
    async with running(toy, tmp_path, symbols=(ETH,), history_minutes=5) as product:
        answer = await product._http.put(f"/symbols/{BTC.lower()}")
        assert (answer.status_code, answer.json()["symbols"]) == (200, [ETH, BTC])
        await product.until(lambda: toy.hears("btc_usdt"))
        await product.trade("btc_usdt", 1)
        await product.whole()
        assert await product.ids(BTC) == list(range(41, 59))
        refused = await product._http.put("/symbols/BTC-USDT")
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_symbol")
        assert "letters, digits and _" in refused.json()["error"]["cure"]


async def test_sealed_days_lie_in_the_folder_of_the_venue(toy: ToyExchange, tmp_path: Path) -> None:
    async with running(toy, tmp_path) as product:
        await product.trade("eth_usdt", 4)
        await product.parts.tape.flushed()
        path = product.parts.tape.path
    tape = Tape.open(path, kind=TradeKind.AGG, clock=SystemClock(), commit_ms=10)
    try:
        newest_ms = int(tape.trades(ETH).time_ms[-1])
        later = [(7_000_016, newest_ms + 2 * DAY_MS, 100.0, 1.0, False)]
        symbol_id = tape.symbols.index(ETH)
        assert tape.put_trades(good(TradeBatch.of_symbol(symbol_id, later, 0, Origin.WS)))
        await tape.flushed()
        await asyncio.to_thread(tape.seal, newest_ms + 2 * DAY_MS)
        parts = {str(part).split("/", 2)[0]: part for part in tape.days()}
        assert "trades" in parts
        assert all("/venue=TOY/symbol=ETH_USDT/" in str(part) for part in tape.days())
        assert tape.trades(ETH).id.tolist() == list(range(7_000_012, 7_000_017))
    finally:
        tape.close()


def test_the_toy_venue_is_short() -> None:
    lines = (Path(__file__).parent / "venue.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES
    assert not list(itertools.filterfalse(lambda line: "feed.binance" not in line, lines))
