"""Recorded trades through the real socket, the real tape and the real bars."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.bars.builder import build_bars
from pairscope.bars.memory import BarMemory
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, BarSource, BarStatus, Continuity, Cut, TradeBatch, TradeKind
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.replay import RecordingSource
from pairscope.feed.binance.trade_stream import TradeStream
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judged
from pairscope.ingest.intake import Intake
from pairscope.live.market import Market
from pairscope.live.span import Span
from pairscope.store.tape import Tape
from pairscope.store.verify import verify_symbol
from tests.judged import judge, judged
from tests.patience import EVENT_S

INTERVALS = [Interval.parse(text) for text in ("1s", "5s", "1m", "5m")]
MINUTE = Interval.parse("1m")


@dataclass
class Room:
    """A store, its bars and the way in; what was published is kept."""

    store: Tape
    tracker: ContinuityTracker
    memory: BarMemory
    live: Market
    intake: Intake
    published: list[BarArray]
    down: set[int]  # symbols whose connection is down

    def take(self, trades: TradeBatch) -> None:
        self.intake.take(judged(trades))

    def lost(self) -> dict[int, int]:
        """Missing ids of the first symbol's 1-second bars, where there are any."""
        bars = self.live.bars(self.store.symbols.name(0), Interval.parse("1s"), 10_000)
        return {int(bar["open_time_ms"]): int(bar["lost"]) for bar in bars if bar["lost"]}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until bars revised in the background are as they should be."""
        async with asyncio.timeout(EVENT_S):
            while not condition():
                await asyncio.sleep(0.01)

    def shown(self, symbol: str, interval: Interval) -> BarArray:
        return self.live.bars(symbol, interval, 10_000)


@contextlib.asynccontextmanager
async def room(path: Path, symbols: Sequence[str], kind: TradeKind = TradeKind.AGG) -> AsyncIterator[Room]:
    clock = SystemClock()
    store = Tape.open(path, kind=kind, clock=clock, commit_ms=20)
    for symbol in symbols:
        store.symbols.add(symbol)
    memory = BarMemory(INTERVALS, 6000)
    live = Market(symbols=store.symbols, memory=memory, pairs=list, reader=store)
    tracker = ContinuityTracker(store.symbols)
    own = judge(store.symbols)
    down: set[int] = set()
    intake = Intake(store=store, tracker=tracker, judge=own, memory=memory, clock=clock, unheard=down.copy)
    published: list[BarArray] = []
    live.listen(published.append)
    intake.restore()
    revising = asyncio.create_task(intake.revise_for_ever())
    try:
        yield Room(store, tracker, memory, live, intake, published, down)
    finally:
        revising.cancel()
        await asyncio.gather(revising, return_exceptions=True)
        store.close()


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


def trades(ids: Sequence[int], times_ms: Sequence[int], prices: Sequence[float] | None = None) -> TradeBatch:
    n = len(ids)
    return TradeBatch(
        symbol_id=np.zeros(n, np.int32),
        id=np.array(ids, np.int64),
        time_ms=np.array(times_ms, np.int64),
        price=np.array(prices if prices is not None else [100.0 + i for i in ids]),
        size=np.full(n, 0.5),
        buyer_is_maker=np.zeros(n, np.bool_),
        received_ns=np.zeros(n, np.int64),
    )


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


def cuts(here: Room, interval: str) -> dict[int, Cut]:
    """The bars of the first symbol that are cut, by their open time; each must say that it is partial, or open."""
    bars = here.shown(here.store.symbols.name(0), Interval.parse(interval))
    bars = bars[bars["cut"] > 0]
    assert np.isin(bars["status"], [BarStatus.PARTIAL, BarStatus.OPEN]).all()
    assert (bars["continuity"] == Continuity.PARTIAL).all()
    return {int(bar["open_time_ms"]): Cut(int(bar["cut"])) for bar in bars}


async def test_the_first_bars_of_a_tape_are_partial(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A"]) as here:
        here.take(trades([5, 6, 7], [100_500, 101_500, 160_000]))
        assert cuts(here, "1s") == {100_000: Cut.BEGIN}
        assert cuts(here, "1m") == {60_000: Cut.BEGIN}


async def test_bars_beside_a_hole_are_partial_until_it_is_filled(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A"]) as here:
        here.take(trades([1, 2, 3], [0, 100_500, 101_500]))
        here.take(trades([8], [170_000]))
        assert cuts(here, "1s") == {101_000: Cut.HOLE_AFTER, 170_000: Cut.HOLE_BEFORE}
        assert cuts(here, "1m") == {60_000: Cut.HOLE_AFTER, 120_000: Cut.HOLE_BEFORE}
        here.take(trades([4, 5, 6, 7], [102_000, 103_000, 104_000, 105_000]))
        await here.until(lambda: cuts(here, "1s") == {})
        await here.until(lambda: not here.intake.unsettled)
        await here.store.flushed()
        stored = here.store.bars("A", Interval.parse("1s"))
        assert set(stored["continuity"].tolist()) == {Continuity.PROVED}
        assert stored[stored["open_time_ms"] == 101_000]["status"].tolist() == [BarStatus.REVISED]


async def test_a_symbol_that_is_not_heard_any_more_leaves_a_partial_bar(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A", "B"]) as here:
        here.take(trades([1, 2], [0, 60_100]))
        here.intake.cut(0)
        other = trades([1, 2], [60_200, 200_000])
        here.take(replace(other, symbol_id=np.ones(2, np.int32)))
        assert cuts(here, "1s") == {60_000: Cut.END}
        assert here.shown("A", MINUTE)["status"].tolist() == [BarStatus.CLOSED, BarStatus.PARTIAL]
        here.take(trades([3], [201_000]))
        assert cuts(here, "1s") == {}, "the next id proves that nothing was missing"


async def test_a_connection_that_is_down_cuts_the_bars_of_its_symbols_only(tmp_path: Path) -> None:
    async with room(tmp_path / "t.duckdb", ["A", "B"]) as here:
        here.take(trades([1, 2], [0, 60_100]))
        here.down.add(0)
        here.take(replace(trades([1, 2], [60_000, 65_000]), symbol_id=np.ones(2, np.int32)))
        assert cuts(here, "1s") == {60_000: Cut.END}
        assert here.shown("B", Interval.parse("1s"))["cut"].tolist() == [Cut.BEGIN, 0]
        here.down.clear()
        here.intake.nothing_since(0)
        assert cuts(here, "1s") == {}


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


async def test_errors_name_times_as_people_write_them(tmp_path: Path) -> None:
    async with room(tmp_path / "tape.duckdb", ["BTCUSDT"]) as here:
        with pytest.raises(
            RequestError, match=r"from \(2025-05-02T00:00:00Z\) is not before to \(2025-05-01T00:00:00Z\)"
        ):
            await here.live.history("BTCUSDT", MINUTE, 1_746_144_000_000, 1_746_057_600_000, 10)
        with pytest.raises(RequestError, match=r"nothing yet of 2025-05-01T00:00:00Z") as told:
            await here.live.load(["BTCUSDT"], Span(MINUTE, 20, from_ms=1_746_057_600_000, limit=10))
        assert "no bar at all" in str(told.value.cure)
