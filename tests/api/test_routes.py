from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pairscope.api import wire
from pairscope.api.columns import bar_columns, pair_columns, quantities
from pairscope.base.interval import Interval

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Markets, Serve, Served

SECOND, MINUTE = Interval(1_000), Interval(60_000)


def plain(value: Any) -> Any:
    """As it looks after the wire."""
    return msgspec.json.decode(msgspec.json.encode(value))


async def get(server: Served, path: str, **parameters: Any) -> Any:
    answer = await server.http.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(server: Served, path: str, status: int) -> wire.ErrorBody:
    answer = await server.http.get(path)
    assert answer.status_code == status, answer.text
    error = msgspec.json.decode(answer.content, type=wire.ErrorAnswer, strict=True).error
    assert error.code
    assert error.message
    assert error.cure
    return error


async def test_bars_are_the_newest_in_memory_with_the_open_one_last(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, "/ohlc", symbol="BTCUSDT", interval="1s", limit=10)
    assert answer == plain(
        wire.Ohlc(symbol="BTCUSDT", interval="1s", bars=bar_columns(market.live.bars("BTCUSDT", SECOND, 10)))
    )
    assert answer["bars"]["status"] == ["closed"] * 9 + ["open"]


async def test_bars_follow_the_market_however_often_they_were_asked_for(market: MadeUpMarket, server: Served) -> None:
    before = await get(server, "/ohlc", symbol="BTCUSDT", interval="1s", limit=10)
    assert await get(server, "/ohlc", symbol="BTCUSDT", interval="1s", limit=10) == before
    market.trade(250)
    after = await get(server, "/ohlc", symbol="BTCUSDT", interval="1s", limit=10)
    assert after["bars"]["open_time_ms"][-1] > before["bars"]["open_time_ms"][-1]


@pytest.mark.parametrize(
    "path",
    [
        "/ohlc?symbol=btcusdt&timeframe=60S&limit=5",
        "/ohlc?SYMBOL=BtcUsdt&tf=60s&limit=5",
        "/ohlc/btcusdt/1m?limit=5",
        "/ohlc/BTCUSDT/60s?limit=5&source=live",
    ],
)
async def test_all_spellings_of_a_request_get_the_same_bars(server: Served, path: str) -> None:
    assert await get(server, path) == await get(server, "/ohlc?symbol=BTCUSDT&interval=1m&limit=5")


async def test_a_time_range_is_half_open(market: MadeUpMarket, server: Served) -> None:
    times = market.live.bars("BTCUSDT", SECOND, 5)["open_time_ms"].tolist()
    answer = await get(server, "/ohlc", symbol="BTCUSDT", interval="1s", **{"from": times[1], "to": times[3]})
    assert answer["bars"]["open_time_ms"] == times[1:3]


async def test_bars_that_memory_no_longer_holds_come_from_the_tape(serve: Serve, markets: Markets) -> None:
    market = markets(history_bars=500)
    market.trade(2_000_000, burst_ms=50_000)
    assert len(market.live.bars("BTCUSDT", SECOND, 1_500)) < 1_500
    await market.store.flushed()
    async with serve(market.app()) as server:
        answer = await get(server, "/ohlc", symbol="BTCUSDT", interval="1s", limit=1_500)
        np.testing.assert_array_equal(np.diff(answer["bars"]["open_time_ms"]), 1_000)
        assert len(answer["bars"]["open_time_ms"]) == 1_500
        assert answer["bars"]["status"][-1] == "open"


async def test_an_interval_that_is_not_kept_is_merged(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, "/ohlc", symbol="BTCUSDT", interval="30s", limit=4)
    volumes = market.live.bars("BTCUSDT", SECOND, 120)["volume"]
    assert answer["interval"] == "30s"
    np.testing.assert_allclose(answer["bars"]["volume"], volumes.reshape(4, 30).sum(axis=1))


async def test_only_bars_of_the_asked_source_are_given(server: Served) -> None:
    answer = await get(server, "/ohlc?symbol=BTCUSDT&interval=1m&source=upload")
    assert answer["bars"]["open_time_ms"] == []


async def test_the_newest_trades_come_from_the_tape_oldest_first(server: Served) -> None:
    answer = await get(server, "/ticks/latest", symbol="ethusdt", limit=3)
    assert answer["symbol"] == "ETHUSDT"
    assert answer["trades"]["id"] == [478, 479, 480]
    assert answer["trades"]["origin"] == ["ws"] * 3


async def test_the_metrics_of_a_symbol_are_those_of_the_live_state(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, "/analytics/solusdt", window=50)
    expected = quantities(market.live.symbol_metrics("SOLUSDT", SECOND, 50))
    assert answer == plain(wire.SymbolAnswer(symbol="SOLUSDT", interval="1s", window=50, metrics=expected))


async def test_all_metrics_are_those_of_each_symbol_and_pair(market: MadeUpMarket, server: Served) -> None:
    answer = await get(server, "/analytics")
    assert (answer["interval"], answer["window"]) == ("1s", 30)
    assert list(answer["pairs"]) == ["ETHUSDT/BTCUSDT", "SOLUSDT/BTCUSDT", "SOLUSDT/ETHUSDT"]
    for symbol, metrics in answer["symbols"].items():
        assert metrics == plain(quantities(market.live.symbol_metrics(symbol, SECOND, 30)))
    for pair, metrics in answer["pairs"].items():
        y, x = pair.split("/")
        assert metrics == plain(quantities(market.live.pair_metrics(y, x, SECOND, 30)))


@pytest.mark.parametrize(
    "names", ["y=ethusdt&x=btcusdt", "symbol_y=ETHUSDT&symbol_x=BTCUSDT", "symbol1=ETHUSDT&symbol2=btcusdt"]
)
async def test_a_pair_is_the_live_series_with_its_metrics(market: MadeUpMarket, server: Served, names: str) -> None:
    answer = await get(server, f"/analytics/pair?{names}&limit=40&method=OLS")
    expected = wire.PairAnswer(
        y="ETHUSDT",
        x="BTCUSDT",
        interval="1s",
        window=30,
        method="ols",
        prices="log",
        intercept=True,
        remarks=[],
        series=pair_columns(market.live.pair_series("ETHUSDT", "BTCUSDT", SECOND, 30, 40)),
        metrics=quantities(market.live.pair_metrics("ETHUSDT", "BTCUSDT", SECOND, 30)),
    )
    assert answer == plain(expected)
    assert len(answer["series"]["beta"]) == 40
    assert None not in answer["series"]["spread_z"]


async def test_the_past_of_a_pair_is_what_was_live_then_its_metrics_included(
    new_market: MadeUpMarket, serve: Serve
) -> None:
    market = new_market
    market.trade(60_000)
    market.trade(1_000)  # closes the bar before
    series = market.live.pair_series("ETHUSDT", "BTCUSDT", SECOND, 30, 10)
    metrics = plain(quantities(market.live.pair_metrics("ETHUSDT", "BTCUSDT", SECOND, 30)))
    end_ms = int(series.open_time_ms[-1]) + 1_000
    market.trade(20_000)
    async with serve(market.app()) as server:
        answer = await get(server, "/analytics/pair", y="ETHUSDT", x="BTCUSDT", limit=10, to=end_ms)
        assert answer["series"] == plain(pair_columns(series))
        assert answer["metrics"] == metrics


async def test_a_system_without_a_trade_answers_with_empty_columns(new_market: MadeUpMarket, serve: Serve) -> None:
    async with serve(new_market.app()) as server:
        assert (await get(server, "/ohlc?symbol=BTCUSDT"))["bars"]["open"] == []
        assert (await get(server, "/ticks/latest?symbol=BTCUSDT"))["trades"]["id"] == []
        assert (await get(server, "/analytics/pair?y=ETHUSDT&x=BTCUSDT"))["series"]["y"] == []
        metrics = (await get(server, "/analytics/BTCUSDT"))["metrics"]
        assert all(one["reason"] for one in metrics.values() if one["value"] is None)


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ("/ohlc?symbol=BTCUSD", "did you mean BTCUSDT?"),
        ("/ohlc/BTCUSD/1m", "did you mean BTCUSDT?"),
        ("/ohlc/%3Cscript%3E/1m", "known symbols: BTCUSDT, ETHUSDT, SOLUSDT"),
        ("/ohlc?symbol=BTCUSDT&interval=1min", "did you mean 1m?"),
        ("/ohlc?symbol=BTCUSDT&interval=7m", "use whole seconds, minutes or hours that divide a day"),
        ("/ticks/latest?symbol=ETHUSD", "did you mean ETHUSDT?"),
        ("/analytics/SOL-USDT", "did you mean SOLUSDT?"),
        ("/analytics/BTCUSDT?interval=2m", "kept intervals: 1s, 5s, 1m, 5m"),
        ("/analytics?interval=tick", "write a number and s, m, h or d"),
        ("/analytics/pair?y=BTCUSDT&x=ETHUSD", "did you mean ETHUSDT?"),
    ],
)
async def test_an_unknown_symbol_or_interval_is_404_with_the_nearest_name(server: Served, path: str, cure: str) -> None:
    assert cure in (await refused(server, path, 404)).cure


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ("/ohlc", "known symbols: BTCUSDT"),
        ("/ohlc?symbol=BTCUSDT&limit=0", "from 1 to 5,000"),
        ("/ohlc?symbol=BTCUSDT&limit=5001", "from 1 to 5,000"),
        ("/ohlc?symbol=BTCUSDT&limit=ten", "from 1 to 5,000"),
        ("/ohlc?symbol=BTCUSDT&from=1723075200001&to=1723075200000", "swap them"),
        ("/ohlc?symbol=BTCUSDT&from=noon", "2024-08-08T23:55:00Z"),
        ("/ohlc?symbol=BTCUSDT&source=moon", "choose from live, upload, import"),
        ("/ohlc?symbol=BTCUSDT&intervall=1m", "did you mean 'interval'?"),
        ("/ohlc/BTCUSDT/1m?symbol=ETHUSDT", "known here"),
        ("/ticks/latest?symbol=BTCUSDT&limit=-1", "from 1 to 5,000"),
        ("/analytics?window=1", "from 2 to 5,000"),
        ("/analytics/BTCUSDT?window=1e3", "from 2 to 5,000"),
        ("/analytics/pair?y=BTCUSDT", "known symbols"),
        ("/analytics/pair?y=BTCUSDT&x=btcusdt", "name another y or x"),
        ("/analytics/pair?y=ETHUSDT&x=BTCUSDT&method=lasso", "choose from ols"),
        ("/analytics/pair?y=ETHUSDT&x=BTCUSDT&from=1723075200001&to=1723075200000", "swap them"),
        ("/symbols?all=1", "it takes none"),
    ],
)
async def test_a_parameter_that_cannot_be_used_is_422_with_the_cure(server: Served, path: str, cure: str) -> None:
    assert cure in (await refused(server, path, 422)).cure


async def test_health_is_503_when_degraded_and_says_why(market: MadeUpMarket, serve: Serve) -> None:
    health = wire.Health(status="degraded", version="0", problems=["the tape cannot be written"])
    async with serve(market.app(board=market.telling(lambda: health))) as server:
        answer = await server.http.get("/health")
        assert answer.status_code == 503
        assert answer.json() == plain(health)


async def test_status_counts_the_clients_itself(server: Served) -> None:
    async with server.page() as page:
        await page.follow("status")
        told = await page.next(wire.StatusMessage)
        asked = await get(server, "/status")
        for clients in (plain(told.status.clients), asked["clients"]):
            assert (clients["clients"], clients["topics"]) == (1, 1)


async def test_symbols_are_a_plain_list(server: Served) -> None:
    assert await get(server, "/symbols") == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/ohlc?symbol=BTCUSDT&interval=60", "did you mean 60s?"),
        ("/ohlc/BTCUSDT/1M", "did you mean 1m?"),
        ("/ohlc?symbol=BTCUSDT&from=1723075200", "write milliseconds: 1723075200000"),
        ("/ohlc?symbol=BTCUSDT&to=1723075200000000", "write milliseconds: 1723075200000"),
        ("/analytics/BTCUSDT?metrics=rsi:period=3:period=4", "give it once"),
        ("/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=5s&window=61s", "multiple of 5s"),
        ("/analytics/pair?y=ETHUSDT&x=BTCUSDT&method=ridge", "choose from ols"),
    ],
)
async def test_what_was_not_meant_is_refused_with_what_may_have_been(server: Served, address: str, says: str) -> None:
    error = await refused(server, address, 404 if "interval=60" in address or "1M" in address else 422)
    assert says in error.cure


async def test_a_method_and_a_window_are_understood_as_others_write_them(server: Served) -> None:
    address = "/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s&limit=3"
    as_others = await get(server, f"{address}&method=robust&window=1m")
    assert (as_others["method"], as_others["window"]) == ("huber", 60)
    assert as_others["series"] == (await get(server, f"{address}&method=huber&window=60"))["series"]


async def test_a_window_of_two_bars_answers_with_reasons(server: Served) -> None:
    answer = await get(server, "/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s&window=2&limit=3&metrics=all")
    correlation = answer["metrics"]["correlation"]
    assert (correlation["value"], correlation["reason"]) == (None, "too_few_observations")
    assert answer["series"]["beta"] == [None] * 3
