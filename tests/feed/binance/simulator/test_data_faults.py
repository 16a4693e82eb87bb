"""What an exchange tells wrongly, and that the whole product goes on in front of it and says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pairscope.base.clock import SystemClock, now_ms
from pairscope.feed.binance.simulator.data_faults import DataFaults, SimulatedInstrument
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.faults import Faults
from pairscope.feed.binance.simulator.wire import Frame
from tests.test_app import running
from tests.test_exchange import live, market, told

BTC = SimulatedInstrument("BTCUSDT", "0.1", "0.001", 1, 3)
ETH = SimulatedInstrument("ETHUSDT", "0.01", "0.001", 2, 3)


def rows(*ids: int) -> list[bytes]:
    return [b'{"a":%d,"p":"5.0","q":"1.5","f":1,"l":1,"T":%d,"m":true}' % (each, 1_000 * each) for each in ids]


def test_rows_lose_price_and_size_by_their_id_and_alike_in_stream_and_rest() -> None:
    faults = Faults()
    faults.data.unprice("BTCUSDT", every=2)
    told = faults.data.rows("BTCUSDT", rows(1, 2))
    assert told == [*rows(1), b'{"a":2,"p":"0","q":"0","f":1,"l":1,"T":2000,"m":true}']
    assert [frame.data for frame in faults.apply([Frame("btcusdt@aggTrade", row) for row in rows(1, 2)])] == told
    assert faults.data.rows("ETHUSDT", rows(2)) == rows(2)
    faults.data.unprice("BTCUSDT", every=0)
    assert faults.data.rows("BTCUSDT", rows(2)) == rows(2)


def test_a_symbol_that_died_tells_nothing_newer_until_it_lives_again() -> None:
    faults = DataFaults()
    faults.die("BTCUSDT", 2_000)
    assert faults.rows("BTCUSDT", rows(1, 2, 3)) == rows(1, 2)
    faults.die("BTCUSDT", None)
    assert faults.rows("BTCUSDT", rows(3)) == rows(3)


def test_the_list_lacks_some_has_others_and_says_their_state() -> None:
    faults = DataFaults()
    assert faults.listed([BTC, ETH]) == [BTC, ETH]
    faults.delist("BTCUSDT")
    faults.list_also("币安人生USDT")
    faults.halt("ETHUSDT", "SETTLING")
    assert [(each.symbol, each.status) for each in faults.listed([BTC, ETH])] == [
        ("ETHUSDT", "SETTLING"),
        ("币安人生USDT", "SETTLING"),
    ]
    assert faults.apply([Frame("btcusdt@aggTrade", each) for each in rows(1)]) == []


def test_connections_flap_as_often_as_they_are_told() -> None:
    faults = Faults()
    assert not faults.flaps(100)
    faults.flap(5, times=2)
    assert [faults.flaps(sent) for sent in (1, 5, 7, 9)] == [False, True, True, False]
    faults.flap(0)
    assert not faults.flaps(100)


async def status_of(door: Any) -> dict[str, Any]:
    _, status = await door.ask("GET", "/status")
    found: dict[str, Any] = status
    return found


async def test_rows_without_a_price_are_counted_and_nothing_is_built_on_them(tmp_path: Path) -> None:
    async with SimulatedExchange(market()) as exchange:
        exchange.faults.data.unprice("BTCUSDT", every=3)
        async with running(live(exchange, tmp_path, ("BTCUSDT", "ETHUSDT"))) as door:
            await door.trading("ETHUSDT")
            status = await status_of(door)
            while not sum(status["feed"]["rejected"].values()):
                await door.trading("BTCUSDT")
                status = await status_of(door)
            await door.system.tape.flushed()
            trades = door.system.tape.trades("BTCUSDT")
            assert len(trades)
            assert (trades.price > 0).all()
            assert (trades.id % 3 != 0).all()
            assert (door.system.tape.trades("ETHUSDT").price > 0).all()


async def test_a_symbol_that_died_half_an_hour_ago_does_not_stop_the_others(tmp_path: Path) -> None:
    async with SimulatedExchange(market()) as exchange:
        exchange.faults.data.die("LINKUSDT", now_ms(SystemClock()) - 30 * 60_000)
        settings = live(exchange, tmp_path, ("BTCUSDT", "LINKUSDT")).model_copy(update={"history_minutes": 1})
        async with running(settings) as door:
            await door.trading("BTCUSDT")
            await door.trading("BTCUSDT")
            status = await status_of(door)
            assert status["feed"]["state"] == "live"
            assert status["feed"]["reconnects"] == 0
            (link,) = [each for each in status["symbols"] if each["symbol"] == "LINKUSDT"]
            assert link["ids_missing"] == 0
            code, _ = await door.ask("GET", "/analytics/pair?y=LINKUSDT&x=BTCUSDT&window=20&interval=1s&limit=5")
            assert code in (200, 503)  # of a pair whose kernels are not there yet


async def test_connections_that_close_shortly_after_they_deliver_lose_nothing_that_stays_missing(
    tmp_path: Path,
) -> None:
    async with SimulatedExchange(market()) as exchange, running(live(exchange, tmp_path, ("BTCUSDT",))) as door:
        ingest = door.system.ingest
        exchange.faults.flap(3, times=3)
        await door.until(lambda: ingest.stream.health.reconnects >= 3)
        await door.trading("BTCUSDT")
        await door.until(lambda: not ingest.tracker.all_open())
        await door.system.tape.flushed()
        ids = door.system.tape.trades("BTCUSDT").id
        assert (ids[1:] - ids[:-1] == 1).all()


async def test_a_listed_symbol_of_other_letters_is_watched_like_any(tmp_path: Path) -> None:
    async with SimulatedExchange(market()) as exchange:
        exchange.faults.data.list_also("币安人生USDT")
        async with running(live(exchange, tmp_path, ("BTCUSDT", "币安人生USDT"))) as door:
            assert await door.watched() == ["BTCUSDT", "币安人生USDT"]
            await door.trading("BTCUSDT")
            standing, _ = await told(door)
            assert standing["gone"] == []
