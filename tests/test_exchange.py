"""A live source with symbols that are not listed, do not trade, or speak of another time than ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.app import opened
from pairscope.base.clock import ManualClock, SystemClock, now_ms
from pairscope.base.errors import FeedUnavailable, SettingsError
from pairscope.base.gaps import GapReason
from pairscope.base.settings import Settings
from pairscope.feed.binance import budget
from pairscope.feed.binance.planning import exchange_name
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.faults import FaultyDoor
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.clock_check import ClockCheck
from pairscope.ingest.repair import reach_back
from tests.test_app import Door, running


def market(*, start_ms: int | None = None) -> MarketSource:
    return MarketSource(SimulatedMarket(1, 20), SystemClock(), start_ms=start_ms)


def live(exchange: SimulatedExchange, folder: Path, symbols: tuple[str, ...], **more: Any) -> Settings:
    addresses: dict[str, Any] = {
        "exchange_ws_url": exchange.ws_url,
        "exchange_rest_url": exchange.rest_url,
        "archive_url": exchange.rest_url,
    }
    return Settings(source="live", symbols=symbols, data_dir=folder, history_minutes=0, **addresses, **more)


async def told(door: Door) -> tuple[dict[str, Any], list[str]]:
    _, status = await door.ask("GET", "/status")
    return status["exchange"], status["notices"]


async def test_a_symbol_that_is_gone_does_not_stop_the_others_and_is_named_with_the_nearest(tmp_path: Path) -> None:
    symbols = ("BTCUSDT", "LINKUSDT", "ETHUSD")
    async with SimulatedExchange(market()) as exchange:
        exchange.faults.data.delist("LINKUSDT")
        settings = live(exchange, tmp_path, symbols, pairs=("LINKUSDT/BTCUSDT", "ETHUSD/BTCUSDT"))
        async with opened(settings, SystemClock()) as system, system.ingest.rest:
            door = Door(system)
            assert await door.watched() == ["BTCUSDT"]
            standing, notices = await told(door)
            guesses = {each["symbol"]: each["nearest"] for each in standing["gone"]}
            assert guesses == {"LINKUSDT": None, "ETHUSD": "ETHUSDT"}
            assert [each["symbol"] for each in standing["gone"]] == ["LINKUSDT", "ETHUSD"]
            assert "ETHUSD (nearest name: ETHUSDT)" in notices[0]
            status, body = await door.ask("PUT", "/symbols/BNBUSD")
            assert (status, body["error"]["cure"]) == (404, "did you mean BNBUSDT?")
            await door.ask("PUT", "/symbols/SOLUSDT")
        exchange.faults.data.delist("LINKUSDT", "SOLUSDT")
        settings = live(exchange, tmp_path, symbols)
        async with opened(settings, SystemClock()) as system:  # what was kept and is gone now is left out and told
            assert system.ingest.watch.watched.symbols == ("BTCUSDT",)
            assert [each.symbol for each in system.ingest.watch.gone] == ["LINKUSDT", "ETHUSD", "SOLUSDT"]
        exchange.faults.data.delist()
        async with opened(settings, SystemClock()) as system:  # the list that was kept is not forgotten
            assert system.ingest.watch.watched.symbols == ("BTCUSDT", "SOLUSDT")


async def test_only_when_no_symbol_is_left_it_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    async with SimulatedExchange(market()) as exchange:
        with pytest.raises(SettingsError, match="did you mean ETHUSDT"):
            async with opened(live(exchange, tmp_path, ("ETHUSD", "NOSUCHUSDT")), SystemClock()):
                pass


async def test_a_symbol_delisted_while_running_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    async with (
        SimulatedExchange(market()) as exchange,
        running(live(exchange, tmp_path, ("BTCUSDT", "LINKUSDT"))) as door,
    ):
        assert await told(door) == ({**(await told(door))[0], "gone": []}, [])
        exchange.faults.data.delist("LINKUSDT")
        await door.system.ingest.watch.look()
        standing, notices = await told(door)
        assert [each["symbol"] for each in standing["gone"]] == ["LINKUSDT"]
        assert notices[0].startswith("Not listed by the exchange: LINKUSDT")
        await door.trading("BTCUSDT")
        assert door.system.ingest.stream.health.reconnects == 0


async def test_an_exchange_that_asks_to_wait_is_heard_at_once_and_asked_later_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async with SimulatedExchange(market()) as exchange:
        settings = live(exchange, tmp_path, ("BTCUSDT",)).model_copy(update={"source": "auto"})
        exchange.faults.refuse(429, door=FaultyDoor.REST, retry_after="300")
        async with running(settings) as door:
            assert door.system.ingest.plan.kind == "live"
            standing, notices = await told(door)
            assert standing["next_allowed_ms"] - now_ms(SystemClock()) > 290_000
            assert standing["next_allowed_why"] == "HTTP 429"
            assert "asked us to wait (HTTP 429)" in notices[0]
            assert exchange.rest.requests == 1
        async with opened(settings, SystemClock()) as system, system.ingest.rest:
            with pytest.raises(FeedUnavailable, match="asked us to wait"):
                await system.ingest.rest.within(1).server_time_ms()
        assert exchange.rest.requests == 1


@pytest.mark.parametrize(("off_ms", "word"), [(5_000, "behind"), (-90_000, "ahead of")])
async def test_a_clock_that_differs_from_the_exchanges_is_told_with_direction_and_size(
    tmp_path: Path, off_ms: int, word: str
) -> None:
    source = market(start_ms=now_ms(SystemClock()) + off_ms)
    async with (
        SimulatedExchange(source) as exchange,
        opened(live(exchange, tmp_path, ("BTCUSDT",)), SystemClock()) as system,
        system.ingest.rest,
    ):
        door = Door(system)
        assert (await told(door))[0]["clock_offset_ms"] is None
        assert await system.ingest.clock_check.measure()
        standing, notices = await told(door)
        assert standing["clock_offset_ms"] == pytest.approx(-off_ms, abs=900)
        assert len(notices) == 1
        assert f"{word} the exchange's" in notices[0]


async def test_a_jump_of_our_clock_is_in_the_offset_at_once() -> None:
    clock = ManualClock(1_790_000_000_000)

    async def ask() -> int:
        clock.advance(0.1)
        return now_ms(clock) - 50

    check = ClockCheck(ask, clock)
    assert await check.measure()
    assert check.offset_ms == pytest.approx(0, abs=0.1)
    assert check.notice is None
    clock.set_wall(now_ms(clock) + 7_200_000)
    assert check.offset_ms == pytest.approx(7_200_000, abs=1)
    assert "2 h ahead of" in (check.notice or "")


async def test_the_fastest_of_a_few_answers_counts_and_no_answer_leaves_it_unknown() -> None:
    clock = ManualClock(1_790_000_000_000)
    took_s = iter([4.0, 0.3, 2.0])

    async def slow() -> int:
        exchange_ms = now_ms(clock)  # read at once; the answer is long on its way
        clock.advance(next(took_s))
        return exchange_ms

    check = ClockCheck(slow, clock)
    assert await check.measure()
    assert check.offset_ms == pytest.approx(150)

    async def silent() -> int:
        raise FeedUnavailable("gone")

    unknown = ClockCheck(silent, clock)
    assert not await unknown.measure()
    assert (unknown.offset_ms, unknown.notice) == (None, None)


@pytest.mark.parametrize(
    ("addresses", "name"),
    [
        ({}, "Binance USD-M Futures"),
        (
            {
                "exchange_ws_url": "wss://fstream.binancefuture.com",
                "exchange_rest_url": "https://testnet.binancefuture.com",
            },
            "Binance USD-M Futures",
        ),
        (
            {"exchange_ws_url": "ws://127.0.0.1:9443", "exchange_rest_url": "http://127.0.0.1:9444"},
            "Exchange at 127.0.0.1:9443 and 127.0.0.1:9444",
        ),
        (
            {"exchange_ws_url": "wss://notbinance.com", "exchange_rest_url": "https://fapi.binance.com"},
            "Exchange at notbinance.com and fapi.binance.com",
        ),
    ],
)
def test_binance_is_named_only_where_it_is_spoken_to(addresses: dict[str, Any], name: str) -> None:
    assert exchange_name(Settings(**addresses)) == name


async def test_a_symbol_that_is_listed_and_not_trading_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    exchange = SimulatedExchange(market())
    faults = exchange.faults.data
    faults.halt("LINKUSDT", "SETTLING")
    async with exchange, running(live(exchange, tmp_path, ("BTCUSDT", "ETHUSDT", "LINKUSDT"))) as door:
        standing, notices = await told(door)
        assert (standing["halted"], standing["gone"]) == ({"LINKUSDT": "SETTLING"}, [])
        assert notices == ["Not trading now: LINKUSDT (SETTLING)."]
        assert await door.watched() == ["BTCUSDT", "ETHUSDT", "LINKUSDT"]
        faults.halt("LINKUSDT")
        faults.halt("ETHUSDT", "PENDING_TRADING")
        await door.system.ingest.watch.look()
        assert (await told(door))[1] == ["Not trading now: ETHUSDT (PENDING_TRADING)."]
        faults.halt("ETHUSDT")
        await door.system.ingest.watch.look()
        assert (await told(door))[1] == []
        await door.trading("BTCUSDT")
        assert door.system.ingest.stream.health.reconnects == 0


async def whole_history(door: Door, symbol: str) -> None:
    """Until the tape of a symbol has each id from a minute before the first one heard on."""
    system = door.system
    await door.until(lambda: not system.ingest.reach_back.owed and not system.ingest.tracker.all_open())
    await system.tape.flushed()
    gaps = [gap for gap in system.tape.gaps(symbol) if gap.reason == GapReason.HISTORY]
    trades = system.tape.trades(symbol)
    assert gaps[0].first_id == trades.id[0]
    assert np.all(np.diff(trades.id) == 1)
    assert trades.time_ms[-1] - trades.time_ms[0] > 50_000


@pytest.mark.parametrize("restarted", [False, True])
async def test_the_history_of_a_start_that_may_not_ask_is_fetched_once_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    monkeypatch.setattr(budget, "MINUTE_S", 0.5)  # of the exchange: after a 429 nothing is asked before its next one
    monkeypatch.setattr(reach_back, "AT_ONCE_S", 1.0)  # less than the exchange asks to wait
    async with SimulatedExchange(market()) as exchange:
        settings = live(exchange, tmp_path, ("BTCUSDT", "ETHUSDT")).model_copy(update={"history_minutes": 1})
        exchange.faults.refuse(429, door=FaultyDoor.REST, retry_after="2")
        async with running(settings) as door:
            await door.trading("BTCUSDT")
            await door.trading("ETHUSDT")
            assert door.system.ingest.watch.without_history == ["BTCUSDT", "ETHUSDT"]
            _, notices = await told(door)
            assert "still to be fetched for BTCUSDT, ETHUSDT" in notices[-1]
            if not restarted:
                exchange.faults.refuse(0, door=FaultyDoor.REST)
                await whole_history(door, "BTCUSDT")
                assert "still to be fetched" not in str((await told(door))[1])
        exchange.faults.refuse(0, door=FaultyDoor.REST)
        if restarted:
            async with running(settings) as door:
                await whole_history(door, "ETHUSDT")
