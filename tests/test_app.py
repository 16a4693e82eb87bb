"""The whole system in front of the simulated market: symbols come and go over the API while it runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from pairscope.app import Parts, opened
from pairscope.base.clock import SystemClock
from pairscope.base.errors import DataFolderError, FeedUnavailable
from pairscope.base.gaps import Obstacle
from pairscope.base.interval import Interval
from pairscope.base.model import Gap
from pairscope.base.settings import Settings
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.live import kernels
from pairscope.store.state import State
from tests.loopback import http_client
from tests.patience import START_S, WORK_S


class Door:
    """The API of a running system, without a socket of its own."""

    def __init__(self, system: Parts) -> None:
        self.system = system
        transport = httpx.ASGITransport(system.api.app)
        self.http = http_client(transport=transport, base_url="http://localhost:8000")

    async def ask(self, method: str, path: str) -> tuple[int, Any]:
        answer = await self.http.request(method, path)
        return answer.status_code, answer.json()

    async def watched(self) -> list[str]:
        _, config = await self.ask("GET", "/config")
        _, status = await self.ask("GET", "/status")
        names = [one["symbol"] for one in config["symbols"]]
        assert [one["symbol"] for one in status["symbols"]] == names
        assert (await self.ask("GET", "/symbols"))[1] == names
        return names

    def highest(self, symbol: str) -> int:
        return self.system.ingest.tracker.highest(self.system.tape.symbols.index(symbol)) or 0

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WORK_S):
            while not condition():
                await asyncio.sleep(0.02)

    async def trading(self, symbol: str) -> None:
        """Until a symbol was heard anew."""
        ingest = self.system.ingest
        before = self.highest(symbol) if ingest.lag_ms(symbol) is not None else None
        await self.until(lambda: ingest.lag_ms(symbol) is not None and self.highest(symbol) != before)  # a live trade


def settings_of(folder: Path, **settings: Any) -> Settings:
    given: dict[str, Any] = {"symbols": ("BTCUSDT", "ETHUSDT"), "window": 20, "history_minutes": 1, "commit_ms": 20}
    given |= {"source": "simulator", "data_dir": folder} | settings
    return Settings(**given)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Door]:
    async with opened(settings, SystemClock()) as system:
        task = asyncio.create_task(system.run())
        try:
            door = Door(system)
            async with asyncio.timeout(START_S):
                while system.ingest.stream.health.state != "live":
                    assert not task.done(), task.result()
                    await asyncio.sleep(0.02)
            yield door
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_a_symbol_is_added_with_its_history_and_its_pairs_and_the_others_lose_nothing(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as door:
        status, answer = await door.ask("PUT", "/symbols/solusdt")
        assert (status, answer["symbols"]) == (200, ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
        assert answer["pairs"] == ["ETHUSDT/BTCUSDT", "SOLUSDT/BTCUSDT", "SOLUSDT/ETHUSDT"]
        config = door.system.board.config()
        assert door.system.board.config() is config  # built once
        assert (config.opening.pair, config.opening.interval, config.opening.window) == ("ETHUSDT/BTCUSDT", "1s", 20)
        told = [(each.symbol, each.base, each.quote, each.kind) for each in config.symbols]
        assert ("ETHUSDT", "ETH", "USDT", "perpetual") in told  # the page needs no list of currencies
        assert (await door.ask("PUT", "/symbols/SOLUSDT")) == (200, answer)
        assert await door.watched() == answer["symbols"]
        await door.system.ingest.watch.look()
        assert door.system.board.config() is not config  # what it shows of the symbols may have changed
        await door.trading("SOLUSDT")
        await door.until(lambda: not door.system.ingest.tracker.all_open())
        _, tape = await door.ask("GET", "/status/tape")
        (gap,) = [gap for gap in tape["gaps"] if gap["symbol"] == "SOLUSDT"]
        assert gap["reason"] == "history"
        assert {gap["reason"] for gap in tape["gaps"]} == {"history"}
        _, analytics = await door.ask("GET", "/analytics/SOLUSDT")
        assert analytics["symbol"] == "SOLUSDT"
        _, status_now = await door.ask("GET", "/status")
        assert status_now["feed"]["reconnects"] == 0


async def test_the_market_is_heard_while_pairs_are_still_compiled_so_that_their_first_answer_has_a_z(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, compiled = asyncio.Event(), asyncio.Event()

    async def compile_apart(part: str, **_: Any) -> None:
        if part != "symbols":
            await (compiled if part == "pairs" else later).wait()

    monkeypatch.setattr(kernels, "compile_apart", compile_apart)
    pair = "/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s&window=60"
    async with running(settings_of(tmp_path)) as door:
        bars = partial(door.system.market.bars, interval=Interval(1_000), limit=60)
        await door.until(lambda: min(len(bars("BTCUSDT")), len(bars("ETHUSDT"))) >= 40)  # the history is there too
        status, answer = await door.ask("GET", pair)
        assert (status, answer["error"]["code"]) == (503, "warming_up")
        assert (await door.ask("GET", "/health"))[1]["status"] == "starting"
        compiled.set()
        await door.until(lambda: door.system.market.kernels.has("pairs"))
        status, answer = await door.ask("GET", pair)
        assert status == 200
        assert answer["metrics"]["spread_z"]["value"] is not None, answer["metrics"]["spread_z"]
        assert not (await door.ask("GET", "/status"))[1]["warming_up"]


async def test_a_change_is_kept_for_the_next_start_and_what_was_not_heard_meanwhile_is_filled(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as door:
        await door.trading("ETHUSDT")
        assert (await door.ask("DELETE", "/symbols/ethusdt"))[0] == 200
        await door.ask("PUT", "/symbols/XRPUSDT")
        await door.trading("BTCUSDT")
        left = door.highest("ETHUSDT")

    async with running(settings_of(tmp_path)) as door:
        assert await door.watched() == ["BTCUSDT", "XRPUSDT"]
        assert list(door.system.market.pairs) == [("XRPUSDT", "BTCUSDT")]
        await door.trading("XRPUSDT")
        assert door.highest("ETHUSDT") == left
        await door.ask("PUT", "/symbols/ETHUSDT")
        await door.trading("ETHUSDT")
        await door.until(lambda: not door.system.ingest.tracker.all_open())
        await door.system.tape.flushed()
        _, tape = await door.ask("GET", "/status/tape")
        reasons = {gap["reason"] for gap in tape["gaps"] if gap["symbol"] == "ETHUSDT" and gap["first_id"] > left}
        assert reasons == {"unwatched"}

    async with running(settings_of(tmp_path, symbols=("BNBUSDT",))) as door:
        assert await door.watched() == ["BNBUSDT"]


@pytest.mark.parametrize(
    ("method", "path", "status", "cure"),
    [
        ("PUT", "/symbols/BTCUSD", 404, "did you mean BTCUSDT?"),
        ("PUT", "/symbols/%27%20or%201", 422, "a symbol is letters, digits"),
        ("PUT", "/symbols/..%2F..%2Fetc", 404, ""),
        ("PUT", "/symbols/" + "A" * 500, 422, "a symbol is letters, digits"),
        ("PUT", "/symbols/SOLUSDT?pair=yes", 422, "it takes none"),
        ("PUT", "/symbols/SOLUSDT", 409, "raise most_symbols"),
        ("DELETE", "/symbols/SOLUSDT", 404, "watched: BTCUSDT, ETHUSDT"),
        ("DELETE", "/symbols/ETHUSDT", 409, "take it out of pairs first"),
    ],
)
async def test_what_cannot_be_changed_is_refused_with_its_cure_and_changes_nothing(
    tmp_path: Path, method: str, path: str, status: int, cure: str
) -> None:
    settings = settings_of(tmp_path, pairs=("ETHUSDT/BTCUSDT",), most_symbols=2 if status == 409 else 9)
    async with opened(settings, SystemClock()) as system, system.ingest.rest:
        door = Door(system)
        answered, body = await door.ask(method, path)
        assert answered == status, body
        assert cure in body["error"]["cure"]
        assert await door.watched() == ["BTCUSDT", "ETHUSDT"]
    with State.look(tmp_path / "state.sqlite") as state:
        assert state.rows("select * from watched") == []


async def test_a_list_of_symbols_that_cannot_be_read_stops_the_start_with_its_cure(tmp_path: Path) -> None:
    folder = tmp_path / "simulator-1-aggTrade"
    folder.mkdir()
    (folder / "tape.duckdb.symbols.json").write_text('{"format": 1, "watched": 7}')
    with pytest.raises(DataFolderError, match="move it away"):
        async with opened(settings_of(tmp_path), SystemClock()):
            pass


async def test_the_exchange_says_how_much_may_be_asked_of_it(tmp_path: Path) -> None:
    clock = SystemClock()
    async with SimulatedExchange(MarketSource(SimulatedMarket(1), clock), weight_per_minute=600) as exchange:
        addresses: dict[str, Any] = {"exchange_ws_url": exchange.ws_url, "exchange_rest_url": exchange.rest_url}
        settings = Settings(source="live", symbols=("BTCUSDT", "ETHUSDT"), data_dir=tmp_path, **addresses)
        async with opened(settings, clock) as system:
            budget = system.ingest.source.venue.budget
            assert (budget.limit, budget.own_limit) == (600, 300)
            assert budget.used == 2, "the questions of the start are counted"


async def test_whoever_hears_that_bars_can_be_computed_finds_those_of_the_tape(tmp_path: Path) -> None:
    found: list[bool] = []
    async with opened(settings_of(tmp_path), SystemClock()) as system:
        compiled, ingest = system.market.kernels, system.ingest
        compiled.when_ready(lambda: found.append(ingest.restored.is_set()) if compiled.has("symbols") else None)
        task = asyncio.create_task(system.run())
        async with asyncio.timeout(START_S):
            await compiled.until("symbols", "pairs")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert found
    assert all(found)


class BehindClock(SystemClock):
    """Five hours behind: to it, trades of now are of the future."""

    def now_ns(self) -> int:
        return super().now_ns() - 5 * 3_600_000_000_000


async def test_trades_refused_for_their_time_by_a_wrong_clock_are_fetched_once_the_exchange_has_told_its_own(
    tmp_path: Path,
) -> None:
    async def nobody() -> int:
        raise FeedUnavailable("no answer yet")

    source = MarketSource(SimulatedMarket(seed=5, rate=40), SystemClock())
    async with SimulatedExchange(source) as exchange:
        settings = settings_of(
            tmp_path,
            source="live",
            exchange_ws_url=exchange.ws_url,
            exchange_rest_url=exchange.rest_url,
            history_minutes=0,
        )
        async with opened(settings, BehindClock()) as system:
            ask, system.ingest.clock_check._ask = system.ingest.clock_check._ask, nobody
            task = asyncio.create_task(system.run())
            door = Door(system)

            def refused() -> list[Gap]:
                return [gap for gap in system.ingest.tracker.all_open() if gap.obstacle is Obstacle.TIME]

            try:
                async with asyncio.timeout(START_S):
                    while {gap.symbol for gap in refused()} != {"BTCUSDT", "ETHUSDT"}:
                        assert not task.done(), task.result()
                        await asyncio.sleep(0.02)
                assert system.ingest.intake.counters.stored == 0
                wanted = {gap.symbol: (gap.first_id, gap.last_id) for gap in refused()}
                system.ingest.clock_check._ask = ask
                assert await system.ingest.clock_check.measure()
                await door.until(lambda: not refused() and not system.ingest.backfill.waiting)
                await system.tape.flushed()
                for symbol, (first_id, last_id) in wanted.items():
                    stored = system.tape.trades(symbol, from_id=first_id, to_id=last_id + 1)
                    assert stored.id.tolist() == list(range(first_id, last_id + 1))
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def test_alerts_are_kept_read_and_asked_for_from_the_first_start_on(tmp_path: Path) -> None:
    z = {"pair": "ETHUSDT/BTCUSDT", "metric": "spread_z", "condition": ">", "threshold": 2}
    async with running(settings_of(tmp_path)) as door:
        await door.until(lambda: door.system.alerts.status().state == "running")
        (first,) = (await door.ask("GET", "/alerts/rules"))[1]["rules"]
        assert (first["name"], first["scope"], first["channels"], first["targets"]) == (
            *("Spread stretched", "all_pairs", []),
            1,
        )
        made = (await door.http.post("/alerts/rules", json=z)).json()
        await door.until(lambda: door.system.alerts.status().rules == 2)
        await door.http.delete(f"/alerts/rules/{first['id']}")
        await door.until(lambda: door.system.alerts.status().rules == 1)
        answer = await door.http.get("/alerts/standing")
        assert [each["rule"] for each in answer.json()["standing"]] == [made["id"]]
    async with running(settings_of(tmp_path)) as door:
        assert [each["id"] for each in (await door.ask("GET", "/alerts/rules"))[1]["rules"]] == [made["id"]]
