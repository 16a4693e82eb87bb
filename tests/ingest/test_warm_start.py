"""A start goes on from the tape as if there had been no end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, BarSource, BarStatus, Continuity, Cut, TradeBatch, TradeKind
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol
from tests.ingest.room import INTERVALS, MINUTE, cuts, room, trades


async def test_a_restart_goes_on_with_the_same_bars_and_finds_the_hole(tmp_path: Path) -> None:
    path = tmp_path / "tape.duckdb"
    ids = list(range(1, 400))
    times = [i * 300 for i in ids]
    async with room(path, ["BTCUSDT"]) as first:
        first.take(trades(ids, times))
        await first.store.flushed()
        before = {interval: first.shown("BTCUSDT", interval).copy() for interval in INTERVALS}
    async with room(path, ["BTCUSDT"]) as second:
        for interval in INTERVALS:
            now = second.shown("BTCUSDT", interval)
            for name in ("open_time_ms", "open", "close", "volume", "trades"):
                assert np.array_equal(now[name], before[interval][name]), (str(interval), name)
        second.take(trades([405], [405 * 300]))
        assert [(gap.first_id, gap.last_id) for gap in second.tracker.open_gaps(0)] == [(400, 404)]


async def test_what_is_open_when_all_ends_is_stored_as_partial_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    async with room(path, ["A"]) as here:
        here.take(trades([1, 2, 3], [0, 61_000, 61_500]))
        here.intake.end()
        await here.store.flushed()
        stored = here.store.bars("A", MINUTE)
        assert stored["status"].tolist() == [BarStatus.CLOSED, BarStatus.PARTIAL]
        assert verify_symbol(here.store, "A", kind=TradeKind.AGG, intervals=INTERVALS).told == []
    async with room(path, ["A"]) as here:
        assert cuts(here, "1m") == {60_000: Cut.END}
        here.take(trades([4], [62_000]))
        assert cuts(here, "1m") == {}
        here.take(trades([5], [122_000]))
        await here.store.flushed()
        stored = here.store.bars("A", MINUTE)
        assert stored["trades"].tolist() == [1, 3]
        assert stored["status"].tolist() == [BarStatus.CLOSED, BarStatus.CLOSED]


def official(store: Tape, symbol: str, first_ms: int, closes: Sequence[float]) -> BarArray:
    """Bars of a minute as an import puts them."""
    bars = np.zeros(len(closes), BAR)
    bars["symbol_id"], bars["interval_ms"] = store.symbols.add(symbol), MINUTE.ms
    bars["open_time_ms"] = first_ms + np.arange(len(closes)) * MINUTE.ms
    for name in ("open", "high", "low", "close"):
        bars[name] = closes
    bars["volume"] = bars["trades"] = 1
    bars["quote_volume"] = closes
    bars["source"], bars["status"], bars["continuity"] = BarSource.IMPORT, BarStatus.CLOSED, Continuity.UNPROVED
    return bars


async def test_now_is_the_newest_bar_where_a_tape_has_no_trade(tmp_path: Path) -> None:
    path, first_ms = tmp_path / "tape.duckdb", 1_746_057_600_000
    closes = 100 + np.sin(np.arange(600.0))
    async with room(path, ["BTCUSDT", "ETHUSDT"]) as here:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            here.store.put_bars(official(here.store, symbol, first_ms, closes.tolist()))
        await here.store.flushed()
    async with room(path, ["BTCUSDT", "ETHUSDT"]) as here:
        assert here.memory.newest_open_ms(MINUTE) == first_ms + 599 * MINUTE.ms
        assert here.live.symbol_metrics("BTCUSDT", MINUTE, 60)["sma"].value is not None
        fives = here.shown("ETHUSDT", Interval.parse("5m"))
        assert len(fives) == 120  # made of the minutes, as nothing else is there
        assert fives["close"][-1] == closes[-1]
        here.take(trades([1], [first_ms + 700 * MINUTE.ms]))
        assert here.memory.newest_open_ms(MINUTE) == first_ms + 700 * MINUTE.ms


async def test_bars_after_the_newest_trade_are_shown_and_a_time_to_come_is_never_now(tmp_path: Path) -> None:
    path, first_ms = tmp_path / "tape.duckdb", now_ms(SystemClock()) // 60_000 * 60_000 - 3_600_000
    async with room(path, ["BTCUSDT"]) as here:
        here.take(trades([1, 2], [first_ms, first_ms + 1_000]))
        here.store.put_bars(official(here.store, "BTCUSDT", first_ms + MINUTE.ms, [101.0] * 90))
        await here.store.flushed()
    async with room(path, ["BTCUSDT"]) as here:
        assert len(here.shown("BTCUSDT", MINUTE)) == 91
        assert here.memory.exchange_ms <= now_ms(SystemClock())


async def test_a_first_bar_that_is_over_by_the_trades_of_another_symbol_is_partial_after_a_start_too(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.duckdb"
    async with room(path, ["A", "B"]) as here:
        here.take(trades([1], [100_500]))
        here.take(of_second([1, 2], [100_600, 110_000]))
        assert cuts(here, "1s") == cuts(here, "5s") == {100_000: Cut.BEGIN}
        await here.store.flushed()
    async with room(path, ["A", "B"]) as here:
        assert cuts(here, "1s") == cuts(here, "5s") == {100_000: Cut.BEGIN}
        assert cuts(here, "1m") == {60_000: Cut.BEGIN | Cut.END}
        await here.store.flushed()
        assert here.store.bars("A", Interval.parse("5s"))["cut"].tolist() == [Cut.BEGIN]


async def test_a_bar_that_was_not_heard_to_its_end_is_partial_after_a_start_too(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    async with room(path, ["A", "B"]) as here:
        here.take(trades([1, 2], [100_500, 160_100]))
        here.intake.cut(0)
        here.take(of_second([1, 2], [160_200, 300_000]))
        assert cuts(here, "1s") == {100_000: Cut.BEGIN, 160_000: Cut.END}
        await here.store.flushed()
    for _ in range(2):
        async with room(path, ["A", "B"]) as here:
            assert cuts(here, "1s") == {100_000: Cut.BEGIN, 160_000: Cut.END}
            assert cuts(here, "1m") == {60_000: Cut.BEGIN, 120_000: Cut.END}
            await here.store.flushed()
            assert here.store.bars("A", Interval.parse("1s"))["cut"].tolist() == [Cut.BEGIN, Cut.END]
    async with room(path, ["A", "B"]) as here:
        here.take(trades([3], [301_000]))
        assert cuts(here, "1s") == {100_000: Cut.BEGIN}, "the next id proves that nothing was missing"


def of_second(ids: Sequence[int], times_ms: Sequence[int]) -> TradeBatch:
    return replace(trades(ids, times_ms), symbol_id=np.ones(len(ids), np.int32))
