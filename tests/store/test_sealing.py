from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairscope.base.clock import SystemClock
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BAR, TRADE_COLUMNS, BarArray, BarSource, TradeBatch, TradeKind
from pairscope.store.sealing import GRACE_MS
from pairscope.store.tape import Tape
from tests.judged import good

OpenStore = Callable[..., Tape]
DayTrades = Callable[..., TradeBatch]
HourBars = Callable[..., BarArray]

ZERO_MS = 20_000 * DAY_MS
LATER_MS = ZERO_MS + 1_000 * DAY_MS
HOUR = Interval(3_600_000)


async def put(store: Tape, *batches: TradeBatch) -> None:
    for batch in batches:
        assert store.put_trades(good(batch))
    await store.flushed()


def seal(store: Tape, now_ms: int = LATER_MS) -> int:
    """Seal, twice because a day with late trades waits a call; how many files were made."""
    reports = [store.seal(now_ms), store.seal(now_ms)]
    assert all(not report.failed for report in reports if report)
    return sum(report.files for report in reports if report)


def files(path: Path) -> list[str]:
    root = path.with_suffix(".days")
    return sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())


def open_rows(path: Path, table: str = "trades") -> int:
    """Rows of a closed tape's open table."""
    with duckdb.connect(path, read_only=True) as connection:
        ((rows,),) = connection.execute(f"select count(*) from {table}").fetchall()
    return int(rows)


def assert_same(got: TradeBatch, expected: TradeBatch) -> None:
    for name in TRADE_COLUMNS:
        assert getattr(got, name).dtype == getattr(expected, name).dtype
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))


async def test_a_day_that_is_over_becomes_a_sorted_file_and_reads_the_same(
    open_store: OpenStore, day_trades: DayTrades, path: Path
) -> None:
    store = open_store()
    yesterday, today = day_trades(0, 0, 500), day_trades(1, 500, 100, hours=(0, 2))
    await put(store, yesterday.take(np.arange(500)[::-1]), today)
    report = store.seal(LATER_MS)
    assert report is not None
    assert (report.files, report.trades, report.bars, report.failed) == (1, 500, 0, ())
    assert files(path) == ["trades/date=2024-10-04/venue=BINANCE/symbol=BTCUSDT/1.parquet"]
    assert_same(store.trades("BTCUSDT"), TradeBatch.concatenate([yesterday, today]))
    (part,) = store.days("BTCUSDT")
    assert (part.row_count, part.first_id, part.last_id, part.day) == (500, 0, 499, "2024-10-04")
    assert (part.first_ms, part.last_ms) == (int(yesterday.time_ms[0]), int(yesterday.time_ms[-1]))
    assert store.days("ETHUSDT") == []
    assert store.seal(LATER_MS) is None
    store.close()
    assert open_rows(path) == 100
    with duckdb.connect() as connection:
        rows = connection.execute(f"select id from '{path.with_suffix('.days') / part.path}'").fetchall()
    assert rows == [(i,) for i in range(500)]
    assert_same(open_store().trades("BTCUSDT"), TradeBatch.concatenate([yesterday, today]))


async def test_a_day_is_over_an_hour_into_the_next_by_the_market_and_by_the_clock(
    open_store: OpenStore, day_trades: DayTrades
) -> None:
    store = open_store()
    await put(store, day_trades(0, 0, 100))
    assert store.seal(LATER_MS) is None  # the market has not got there
    await put(store, day_trades(1, 100, 1, hours=(1, 2)))
    assert store.seal(ZERO_MS + DAY_MS + GRACE_MS - 1) is None  # the clock has not
    assert store.seal(ZERO_MS + DAY_MS + GRACE_MS) is not None


async def test_one_symbol_that_trades_ends_the_day_of_all(open_store: OpenStore, day_trades: DayTrades) -> None:
    store = open_store()
    await put(store, day_trades(0, 0, 10), day_trades(0, 7, 10, symbol_id=1), day_trades(1, 10, 1, hours=(2, 3)))
    assert seal(store) == 2
    assert store.trades("ETHUSDT").id.tolist() == list(range(7, 17))


async def test_late_trades_join_their_sealed_day_when_no_more_come(
    open_store: OpenStore, day_trades: DayTrades, path: Path
) -> None:
    store = open_store()
    whole = day_trades(0, 0, 300)
    late = np.isin(whole.id, [0, 100, 101, 299])
    await put(store, whole.take(~late), day_trades(1, 300, 10, hours=(0, 5)))
    assert seal(store) == 1
    await put(store, whole.take(late).take(np.arange(3)))
    assert_same(store.trades("BTCUSDT", to_id=299), whole.take(np.arange(299)))
    assert store.seal(LATER_MS) is None
    await put(store, whole.take(late).take(np.array([3])))
    assert store.seal(LATER_MS) is None
    report = store.seal(LATER_MS)
    assert report is not None
    assert (report.files, report.trades) == (1, 4)
    assert_same(store.trades("BTCUSDT", to_id=300), whole)
    (part,) = store.days()
    assert part.row_count == 300
    store.close()
    assert files(path) == [f"trades/date=2024-10-04/venue=BINANCE/symbol=BTCUSDT/{part.number}.parquet"]
    assert_same(open_store().trades("BTCUSDT", to_id=300), whole)


async def test_bars_are_sealed_by_interval_and_a_revised_bar_hides_the_sealed_one(
    open_store: OpenStore, day_trades: DayTrades, hour_bars: HourBars, path: Path
) -> None:
    store = open_store()
    store.put_bars(np.concatenate([hour_bars(0), hour_bars(1)]))
    minutes = hour_bars(0)
    minutes["interval_ms"] = 60_000
    imported = hour_bars(0, close=7.0)[:1]
    imported["source"] = BarSource.UPLOAD
    store.put_bars(np.concatenate([minutes, imported]))
    await put(store, day_trades(1, 0, 10, hours=(0, 5)))
    assert seal(store) == 2
    assert [name.split("/", 1)[1] for name in files(path)] == [
        "date=2024-10-04/venue=BINANCE/symbol=BTCUSDT/1h-2.parquet",
        "date=2024-10-04/venue=BINANCE/symbol=BTCUSDT/1m-1.parquet",
    ]
    bars = store.bars("BTCUSDT", HOUR)
    assert bars.dtype == BAR
    assert bars["source"].tolist() == [0, BarSource.UPLOAD] + [0] * 47
    np.testing.assert_array_equal(bars["open_time_ms"][1:], ZERO_MS + np.arange(48) * 3_600_000)
    revised = hour_bars(0, close=5.0)[3:4]
    store.put_bars(revised)
    await store.flushed()
    for _ in range(2):  # from the open table first, then merged into the file
        assert store.bars("BTCUSDT", HOUR)["close"].tolist() == [1.0, 7.0, 1.0, 1.0, 5.0] + [1.0] * 44
        assert store.bars("BTCUSDT", HOUR, to_ms=ZERO_MS + DAY_MS, limit=21, newest=True)["close"][0] == 5.0
        seal(store)
    assert store.last_bars(HOUR) == {0: ZERO_MS + DAY_MS + 23 * 3_600_000}
    assert store.last_bars(Interval(60_000)) == {0: ZERO_MS + 23 * 3_600_000}
    store.close()
    assert open_rows(path, "bars") == 24


async def test_a_revision_that_comes_while_its_day_is_sealed_is_not_lost(
    open_store: OpenStore, day_trades: DayTrades, hour_bars: HourBars, stumble: Any
) -> None:
    store = open_store(connect=stumble.connect, disk=stumble, commit_ms=1)
    store.put_bars(hour_bars(0))
    await put(store, day_trades(1, 0, 10, hours=(0, 5)))
    revised = asyncio.Event()
    loop = asyncio.get_running_loop()

    def revise_before_the_rename(number: int, name: str) -> bool:
        if name == "rename" and not revised.is_set():
            revised.set()
            assert store.put_bars(hour_bars(0, close=9.0)[:1])
            asyncio.run_coroutine_threadsafe(store.flushed(), loop).result()
        return False

    stumble.arm(revise_before_the_rename)
    report = await asyncio.to_thread(store.seal, LATER_MS)
    stumble.heal()
    assert report is not None
    assert report.failed == ("bars of BTCUSDT, 2024-10-04: rows arrived meanwhile",)
    assert store.days() == []
    assert store.counters().error is None
    assert seal(store) == 1
    assert store.bars("BTCUSDT", HOUR)["close"].tolist() == [9.0] + [1.0] * 23


async def test_trades_that_come_while_their_day_is_sealed_make_it_wait(
    open_store: OpenStore, day_trades: DayTrades, stumble: Any, path: Path
) -> None:
    store = open_store(connect=stumble.connect, disk=stumble, commit_ms=1)
    await put(store, day_trades(0, 1, 100), day_trades(1, 101, 10, hours=(0, 5)))
    loop = asyncio.get_running_loop()

    def one_more_before_the_rename(number: int, name: str) -> bool:
        if name == "rename":
            store.put_trades(good(day_trades(0, 0, 1)))
            asyncio.run_coroutine_threadsafe(store.flushed(), loop).result()
        return False

    stumble.arm(one_more_before_the_rename)
    report = await asyncio.to_thread(store.seal, LATER_MS)
    stumble.heal()
    assert report is not None
    assert report.failed == ("trades of BTCUSDT, 2024-10-04: rows arrived meanwhile",)
    assert files(path) == []
    assert seal(store) == 1
    assert store.trades("BTCUSDT").id.tolist() == list(range(111))


async def test_ranges_and_limits_span_sealed_days_and_the_open_one(
    open_store: OpenStore, day_trades: DayTrades
) -> None:
    store = open_store()
    for day in range(4):
        await put(store, day_trades(day, 100 * day, 100, hours=(0, 20)))
        await put(store, day_trades(day, 100 * day, 100, symbol_id=1, hours=(0, 20)))
    assert seal(store) == 6

    def ids(**bounds: Any) -> list[int]:
        return [int(i) for i in store.trades("BTCUSDT", **bounds).id]

    assert ids() == list(range(400))
    assert ids(limit=150) == list(range(150))
    assert ids(limit=5, newest=True) == list(range(395, 400))
    assert ids(limit=250, newest=True) == list(range(150, 400))
    assert ids(limit=500, newest=True) == list(range(400))
    assert ids(from_id=95, to_id=105) == list(range(95, 105))
    assert ids(from_ms=ZERO_MS + DAY_MS, to_ms=ZERO_MS + 3 * DAY_MS) == list(range(100, 300))
    assert ids(to_ms=ZERO_MS + DAY_MS + 10 * 3_600_000, limit=60, newest=True) == list(range(90, 150))
    assert ids(from_ms=ZERO_MS + 2 * DAY_MS + 10 * 3_600_000, limit=60) == list(range(250, 310))
    assert ids(from_id=400) == ids(to_ms=ZERO_MS) == ids(to_ms=ZERO_MS, limit=3, newest=True) == []
    assert store.last_trades() == {0: (399, int(store.trades("BTCUSDT").time_ms[-1]))} | {
        1: (399, int(store.trades("ETHUSDT").time_ms[-1]))
    }
    assert [(h.trades, h.first_id, h.last_id) for h in store.holdings()] == [(400, 0, 399)] * 2


async def test_the_newest_of_a_file_with_holes_in_its_ids_are_all_found(
    open_store: OpenStore, day_trades: DayTrades
) -> None:
    store = open_store()
    whole = day_trades(0, 0, 100_000)
    few = whole.take(np.array([0, 1, 2, 50_000, 99_999]))
    await put(store, few, day_trades(1, 100_000, 1, hours=(2, 3)))
    assert seal(store) == 1
    for limit in range(1, 7):
        expected = [*few.id.tolist(), 100_000][-limit:]
        assert store.trades("BTCUSDT", limit=limit, newest=True).id.tolist() == expected


async def test_late_rows_of_the_open_table_do_not_stand_for_the_newest(
    open_store: OpenStore, day_trades: DayTrades
) -> None:
    store = open_store()
    await put(store, day_trades(1, 100, 100), day_trades(2, 200, 5, hours=(0, 5)))
    assert seal(store) == 1
    await put(store, day_trades(0, 0, 50))
    assert store.trades("BTCUSDT", limit=20, newest=True).id.tolist() == list(range(185, 205))
    assert store.trades("BTCUSDT", limit=60).id.tolist() == [*range(50), *range(100, 110)]


async def test_a_folder_with_the_signs_of_a_pattern_in_its_name_can_hold_days(
    tmp_path: Path, day_trades: DayTrades
) -> None:
    store = Tape.open(tmp_path / "[my]*'s {data}" / "tape.duckdb", kind=TradeKind.AGG, clock=SystemClock(), commit_ms=5)
    store.symbols.add("BTCUSDT")
    await put(store, day_trades(0, 0, 10), day_trades(1, 10, 1, hours=(2, 3)))
    assert seal(store) == 1
    assert store.trades("BTCUSDT").id.tolist() == list(range(11))
    store.close()


async def test_a_read_that_is_under_way_keeps_the_file_that_another_takes_the_place_of(
    open_store: OpenStore, day_trades: DayTrades, path: Path
) -> None:
    store = open_store()
    await put(store, day_trades(0, 1, 100), day_trades(1, 101, 10, hours=(0, 5)))
    seal(store)
    (before,) = files(path)
    with store._database.reading() as cursor:
        cursor.execute("begin")
        assert cursor.execute("select number from parts").fetchall() == [(1,)]
        await put(store, day_trades(0, 0, 1))
        assert seal(store) == 1
        assert before in files(path)
        rows = cursor.execute(f"select count(*) from '{path.with_suffix('.days') / before}'").fetchall()
        assert rows == [(100,)]
    store.seal(LATER_MS)
    assert before not in files(path)
    assert len(files(path)) == 1


async def test_readers_meanwhile_see_every_trade_once(open_store: OpenStore, day_trades: DayTrades) -> None:
    store = open_store(commit_ms=1)
    done = asyncio.Event()

    async def read_until_done() -> int:
        reads = 0
        while not done.is_set():
            ids = (await asyncio.to_thread(store.trades, "BTCUSDT")).id
            np.testing.assert_array_equal(ids, np.arange(len(ids)))
            newest = (await asyncio.to_thread(store.trades, "BTCUSDT", limit=300, newest=True)).id
            np.testing.assert_array_equal(np.diff(newest), 1)
            reads += 1
        return reads

    readers = [asyncio.create_task(read_until_done()) for _ in range(2)]
    for day in range(6):
        await put(store, day_trades(day, 200 * day, 200))
        await asyncio.to_thread(store.seal, LATER_MS)
    done.set()
    assert min(await asyncio.gather(*readers)) > 0
    assert len(store.days()) == 5


def test_a_disk_that_is_nearly_full_is_left_to_the_writer(
    open_store: OpenStore, day_trades: DayTrades, stumble: Any, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setattr(stumble, "free_bytes", lambda folder: 64_000_000)
    store = open_store(disk=stumble)
    store.put_trades(good(TradeBatch.concatenate([day_trades(0, 0, 100), day_trades(1, 100, 1, hours=(2, 3))])))
    asyncio.run(store.flushed())
    report = store.seal(LATER_MS)
    assert report is not None
    assert "only 64,000,000 bytes are free" in report.failed[0]
    assert files(path) == []
    assert store.trades("BTCUSDT").id.tolist() == list(range(101))


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["trades", "hole", "fill", "bars", "seal", "restart"]), st.integers(0, 1), st.integers(1, 30)
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
async def test_the_tape_equals_a_dictionary_after_any_puts_seals_and_restarts(
    acts: list[tuple[str, int, int]], open_store: OpenStore, day_trades: DayTrades, hour_bars: HourBars, path: Path
) -> None:
    clear(path)
    store = open_store()
    next_id, holes, ids = [0, 0], [[], []], [set(), set()]  # type: ignore[var-annotated]
    bars: dict[tuple[int, int], float] = {}
    every = [day_trades(0, 0, 3_000, symbol_id=symbol_id, hours=(0, 24 * 30)) for symbol_id in (0, 1)]
    for act, symbol_id, count in acts:
        if act in ("trades", "hole"):
            fresh = list(range(next_id[symbol_id], next_id[symbol_id] + 4 * count))
            next_id[symbol_id] += len(fresh)
            if act == "hole":
                holes[symbol_id] += fresh
                continue
        elif act == "fill":
            fresh, holes[symbol_id] = holes[symbol_id][:count], holes[symbol_id][count:]
        if act in ("trades", "fill"):
            ids[symbol_id].update(fresh)
            store.put_trades(good(every[symbol_id].take(np.array(fresh, np.int64))))
        elif act == "bars":
            new = hour_bars(count % 5, symbol_id=symbol_id, close=float(count))
            bars |= {(symbol_id, int(bar["open_time_ms"])): float(count) for bar in new}
            store.put_bars(new)
        elif act == "seal":
            await store.flushed()
            seal(store)
        else:
            store.close()
            store = open_store()
    await store.flushed()
    for symbol_id, name in enumerate(["BTCUSDT", "ETHUSDT"]):
        expected = every[symbol_id].take(np.array(sorted(ids[symbol_id]), np.int64))
        assert_same(store.trades(name), expected)
        assert store.trades(name, limit=20, newest=True).id.tolist() == expected.id[-20:].tolist()
        assert store.trades(name, limit=20).id.tolist() == expected.id[:20].tolist()
        stored = {(symbol_id, int(bar["open_time_ms"])): float(bar["close"]) for bar in store.bars(name, HOUR)}
        assert stored == {key: close for key, close in bars.items() if key[0] == symbol_id}
    store.close()


def clear(path: Path) -> None:
    shutil.rmtree(path.parent, ignore_errors=True)
