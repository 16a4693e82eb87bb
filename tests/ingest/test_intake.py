"""Recorded trades through the real socket, the real tape and the real bars."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.bars.builder import build_bars
from pairscope.bars.memory import BarMemory
from pairscope.base.clock import SystemClock
from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, Cut, TradeKind
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.replay import RecordingSource
from pairscope.feed.binance.trade_stream import TradeStream
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.ingest.intake import Intake
from pairscope.live.span import Span
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol
from tests.ingest.room import INTERVALS, MINUTE, Room, room, trades
from tests.judged import judge, judged


async def replayed(path: Path, symbols: Sequence[str], kind: TradeKind, here: Room) -> None:
    """Play a whole recording over a real socket, as fast as it goes."""
    wait_for = [f"{symbol.lower()}@{kind.value}" for symbol in symbols]
    source = RecordingSource(path, SystemClock(), speed=0, wait_for=wait_for)
    arrived = asyncio.Event()

    def sink(rows: Judged) -> None:
        here.intake.take(rows)
        arrived.set()

    async with SimulatedExchange(source) as exchange:
        stream = TradeStream(
            base_url=exchange.ws_url,
            kind=kind,
            watch=symbols,
            symbols=here.store.symbols,
            clock=SystemClock(),
            judge=judge(here.store.symbols),
            sink=sink,
        )
        task = asyncio.create_task(stream.run())
        await asyncio.wait_for(source.finished.wait(), 60)
        with contextlib.suppress(TimeoutError):
            while True:
                arrived.clear()
                await asyncio.wait_for(arrived.wait(), 0.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await here.store.flushed()


@pytest.mark.data
async def test_the_recorded_day_gives_the_reference_bars(tmp_path: Path, data_dir: Path) -> None:
    recording = data_dir / "usdm-trades-2024-08-08" / "usdm_trades_20240808.txt.zst"
    symbols = ["BTCUSDT", "ETHUSDT"]
    async with room(tmp_path / "tape.duckdb", symbols, TradeKind.RAW) as here:
        await replayed(recording, symbols, TradeKind.RAW, here)
        assert here.intake.counters.received == here.intake.counters.stored == 35_389
        assert here.intake.counters.duplicates == 0
        bitcoin, ether = (minutes_23_55_to_23_59(here.shown(symbol, MINUTE)) for symbol in symbols)
        assert bitcoin[["open", "high", "low", "close", "volume", "trades"]].tolist() == [
            (61807.7, 61839.9, 61760.3, 61760.3, 136.450, 2005),
            (61760.4, 61760.4, 61700.0, 61701.2, 203.143, 1992),
            (61701.3, 61719.0, 61620.0, 61628.1, 607.148, 4717),
            (61628.2, 61730.4, 61590.3, 61694.4, 890.437, 7387),
            (61694.5, 61730.6, 61645.0, 61659.8, 466.221, 3461),
        ]
        assert ether["volume"].tolist() == [1172.012, 1611.512, 1378.284, 1924.640, 2358.963]
        assert_tape_equals_bars(here, "BTCUSDT")


def minutes_23_55_to_23_59(bars: BarArray) -> BarArray:
    midnight_ms = 1_723_161_600_000
    times = bars["open_time_ms"]
    return bars[(times >= midnight_ms - 300_000) & (times < midnight_ms)]


def assert_tape_equals_bars(here: Room, symbol: str) -> None:
    """Bars built from the stored trades are, bit for bit, the bars that were shown."""
    stored = here.store.trades(symbol)
    for interval in INTERVALS:
        shown = here.shown(symbol, interval)
        again = build_bars(stored, interval)
        for name in ("open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "buy_volume", "trades"):
            assert np.array_equal(shown[name], again[name]), (str(interval), name)


def recorded_events(path: Path, kind: str, symbols: Sequence[str]) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as lines:
        events = [json.loads(line[line.find("{") :]).get("data", {}) for line in lines if "{" in line]
    return [event for event in events if event.get("e") == kind and event["s"] in symbols]


@pytest.mark.data
async def test_aggregated_trades_rebuild_the_exchanges_own_kline_frames(tmp_path: Path, data_dir: Path) -> None:
    """Each kline frame of the minute that began inside the recording, against the bar of the trades it covers."""
    recording = data_dir / "usdm-frames-2021-07-22" / "BINANCE_FUTURES.ws.1.0.gz"
    symbols = ["CTKUSDT", "SUSHIUSDT", "KEEPUSDT"]
    aggregates = {(event["s"], event["a"]): event for event in recorded_events(recording, "aggTrade", symbols)}
    klines = [event["k"] for event in recorded_events(recording, "kline", symbols)]
    compared = set()
    async with room(tmp_path / "tape.duckdb", symbols) as here:
        await replayed(recording, symbols, TradeKind.AGG, here)
        for kline in klines:
            symbol = kline["s"]
            stored = here.store.trades(symbol, from_ms=kline["t"], to_ms=kline["T"] + 1)
            covered = np.array([aggregates[symbol, i]["l"] <= kline["L"] for i in stored.id.tolist()], np.bool_)
            ends = [aggregates[symbol, i]["l"] for i in stored.id[covered].tolist()]
            begun_before = not ends or aggregates[symbol, int(stored.id[0])]["f"] != kline["f"]
            if begun_before or kline["L"] not in ends:  # or the frame was sent in the middle of an aggregate
                continue
            (bar,) = build_bars(stored.take(covered), MINUTE)
            assert_equals_kline(bar, kline)
            compared.add(symbol)
    assert compared == set(symbols)


def assert_equals_kline(bar: np.void, kline: dict[str, Any]) -> None:
    for ours, theirs in (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v")):
        assert bar[ours] == float(kline[theirs]), (kline["s"], ours)
    assert bar["quote_volume"] == pytest.approx(float(kline["q"]), rel=1e-12)
    assert bar["buy_volume"] == float(kline["V"])


async def test_a_late_trade_revises_its_bars_from_the_tape(tmp_path: Path) -> None:
    async with room(tmp_path / "tape.duckdb", ["BTCUSDT"]) as here:
        here.take(trades([1, 2, 5, 6], [0, 500, 2_100, 70_000]))
        before = len(here.published)
        here.take(trades([3, 4], [900, 1_100], prices=[999.0, 1.0]))
        while len(here.published) < before + 2:  # the late batch itself, then the revision
            await asyncio.sleep(0.01)
        seconds = here.shown("BTCUSDT", Interval.parse("1s"))
        revised = seconds[seconds["status"] == BarStatus.REVISED]
        assert revised["open_time_ms"].tolist() == [0, 2_000]  # the second for what it no longer misses
        assert seconds["open_time_ms"].tolist()[:3] == [0, 1_000, 2_000]  # the one between was never shown before
        assert (revised[0]["high"], revised[0]["trades"], revised[0]["close"]) == (999.0, 3, 999.0)
        assert_tape_equals_bars(here, "BTCUSDT")
        assert here.tracker.open_gaps(0) == []
        await here.store.flushed()
        stored = here.store.bars("BTCUSDT", Interval.parse("1s"))
        assert stored["status"].tolist().count(BarStatus.REVISED) == 2


async def test_a_hole_is_a_row_and_is_charged_to_the_bar_after_it(tmp_path: Path) -> None:
    async with room(tmp_path / "tape.duckdb", ["BTCUSDT"]) as here:
        here.take(trades([1, 2, 10, 11], [0, 100, 1_500, 1_600]))
        await here.store.flushed()
        assert [(gap.first_id, gap.last_id) for gap in here.store.gaps(open_only=True)] == [(3, 9)]
        assert here.shown("BTCUSDT", Interval.parse("1s"))["lost"].tolist() == [0, 7]


async def test_a_hole_that_is_filled_is_charged_to_nobody(tmp_path: Path) -> None:
    async with room(tmp_path / "tape.duckdb", ["BTCUSDT"]) as here:
        here.take(trades([1, 2, 10, 11, 12], [0, 100, 3_500, 3_600, 9_000]))
        assert here.shown("BTCUSDT", Interval.parse("1s"))["lost"].tolist() == [0, 7, 0]
        here.take(trades([6, 7, 8, 9], [2_100, 2_200, 2_300, 3_400]))
        await here.until(lambda: here.lost() == {2_000: 3})
        here.take(trades([3, 4, 5], [1_000, 1_100, 1_200]))
        await here.until(lambda: here.lost() == {})
        assert_tape_equals_bars(here, "BTCUSDT")


async def test_a_filled_hole_in_front_of_the_open_bar_is_taken_back_at_once(tmp_path: Path) -> None:
    async with room(tmp_path / "tape.duckdb", ["BTCUSDT"]) as here:
        here.take(trades([1, 5], [0, 3_500]))
        assert here.lost() == {3_000: 3}
        here.take(trades([2, 3, 4], [1_000, 2_000, 3_400]))
        here.take(trades([6], [3_600]))
        await here.until(lambda: here.lost() == {})


async def test_what_a_full_queue_refuses_is_a_gap_not_a_silence(tmp_path: Path) -> None:
    clock = SystemClock()
    store = Tape.open(tmp_path / "tape.duckdb", kind=TradeKind.AGG, clock=clock, commit_ms=5_000, queue_rows=1_000)
    store.symbols.add("BTCUSDT")
    memory = BarMemory(INTERVALS, 6000)
    tracker = ContinuityTracker(store.symbols)
    own = judge(store.symbols)
    intake = Intake(store=store, tracker=tracker, judge=own, memory=memory, clock=clock)
    try:
        big = trades(range(1, 901), range(1, 901))
        more = trades(range(901, 1_101), range(901, 1_101))
        assert intake.take(judged(big))
        assert not intake.take(judged(more))
        assert intake.counters.refused == 200
        await store.flushed()
        assert intake.take(judged(trades([1_150], [1_150])))
        await store.flushed()
        assert [(g.first_id, g.last_id, g.reason) for g in store.gaps()] == [(901, 1_149, "disk_queue_full")]
        counters = intake.counters
        assert counters.received == counters.stored + counters.duplicates + counters.rejected + counters.refused
    finally:
        store.close()


async def test_verify_finds_a_partial_bar_that_claims_to_be_whole(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A"]) as here:
        here.take(trades([1, 2, 3], [0, 100_500, 101_500]))
        here.take(trades([8, 9], [170_000, 260_000]))
        here.intake.end()
        await here.store.flushed()
        assert verify_symbol(here.store, "A", kind=TradeKind.AGG, intervals=INTERVALS).told == []
        bar = here.store.bars("A", MINUTE, from_ms=60_000, to_ms=120_000)
        assert bar["cut"].tolist() == [Cut.HOLE_AFTER]
        bar["cut"] = bar["continuity"] = 0
        here.store.put_bars(bar)
        await here.store.flushed()
        (told,) = verify_symbol(here.store, "A", kind=TradeKind.AGG, intervals=INTERVALS).told
        assert "continuity 0 instead of 3" in told


async def test_errors_name_times_as_people_write_them(tmp_path: Path) -> None:
    async with room(tmp_path / "tape.duckdb", ["BTCUSDT"]) as here:
        with pytest.raises(
            RequestError, match=r"from \(2025-05-02T00:00:00Z\) is not before to \(2025-05-01T00:00:00Z\)"
        ):
            await here.live.history("BTCUSDT", MINUTE, 1_746_144_000_000, 1_746_057_600_000, 10)
        with pytest.raises(RequestError, match=r"nothing yet of 2025-05-01T00:00:00Z") as told:
            await here.live.load(["BTCUSDT"], Span(MINUTE, 20, from_ms=1_746_057_600_000, limit=10))
        assert "no bar at all" in str(told.value.cure)
