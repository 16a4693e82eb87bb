from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairscope.base.clock import ManualClock
from pairscope.base.errors import StoreUnavailable, UnknownName
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.interval import Interval
from pairscope.base.model import (
    BAR,
    TRADE_COLUMNS,
    BarArray,
    BarSource,
    BarStatus,
    Continuity,
    Gap,
    Origin,
    TradeBatch,
    no_bars,
)
from pairscope.store.tape import Tape
from tests.judged import good

OpenStore = Callable[..., Tape]
MakeTrades = Callable[..., TradeBatch]
SECOND = Interval(1_000)


def bar(open_time_ms: int, close: float = 1.0, **fields: int) -> BarArray:
    bars = np.zeros(1, BAR)
    bars["interval_ms"], bars["open_time_ms"], bars["close"], bars["status"] = 1_000, open_time_ms, close, 1
    for name, value in fields.items():
        bars[name] = value
    return bars


async def test_what_was_put_is_read_back_in_every_column(open_store: OpenStore, trades: MakeTrades) -> None:
    store = open_store()
    put = trades(10, 500, origin=Origin.REST)
    assert store.put_trades(good(put))
    await store.flushed()
    got = store.trades("BTCUSDT")
    for name in TRADE_COLUMNS:
        assert getattr(got, name).dtype == getattr(put, name).dtype
        np.testing.assert_array_equal(getattr(got, name), getattr(put, name))
    assert got.origin.tolist() == [Origin.REST] * len(got)


async def test_ranges_are_half_open_and_limits_take_the_first_or_the_newest(
    open_store: OpenStore, trades: MakeTrades
) -> None:
    store = open_store()
    store.put_trades(good(trades(0, 100)))
    store.put_trades(good(trades(0, 100, symbol_id=1)))
    await store.flushed()

    def ids(**bounds: Any) -> list[int]:
        return [int(i) for i in store.trades("btcusdt", **bounds).id]

    assert ids(from_id=3, to_id=6) == [3, 4, 5]
    assert ids(from_ms=1_000_003, to_ms=1_000_006) == [3, 4, 5]
    assert ids(limit=2) == [0, 1]
    assert ids(limit=2, newest=True) == [98, 99]
    assert ids(to_id=50, limit=2, newest=True) == [48, 49]
    assert ids(newest=True) == list(range(100))
    assert ids(from_id=200) == []


async def test_back_filled_trades_stand_in_their_place(open_store: OpenStore, trades: MakeTrades) -> None:
    store = open_store()
    store.put_trades(good(trades(50, 50)))
    await store.flushed()
    store.put_trades(good(trades(0, 50, origin=Origin.REST)))
    await store.flushed()
    got = store.trades("BTCUSDT")
    assert got.id.tolist() == list(range(100))
    assert got.origin.tolist() == [Origin.REST] * 50 + [Origin.WS] * 50


async def test_an_unknown_symbol_is_refused_by_name(open_store: OpenStore) -> None:
    with pytest.raises(UnknownName, match="did you mean BTCUSDT"):
        open_store().trades("BTCUSD")


async def test_a_symbol_without_rows_reads_as_nothing(open_store: OpenStore) -> None:
    store = open_store()
    assert len(store.trades("BTCUSDT")) == 0
    assert len(store.bars("BTCUSDT", SECOND)) == 0
    assert store.last_trades() == {}
    assert store.last_bars(SECOND) == {}
    assert store.gaps() == []


async def test_symbols_keep_their_integers_over_a_restart(open_store: OpenStore, trades: MakeTrades) -> None:
    store = open_store()
    solana = store.symbols.add("SOLUSDT")
    store.put_trades(good(trades(7, 2, symbol_id=solana)))
    await store.flushed()
    store.put_trades(good(trades(9, 1, symbol_id=solana)))
    store.close()
    store = open_store()
    assert list(store.symbols) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert store.trades("SOLUSDT").id.tolist() == [7, 8, 9]
    cardano = store.symbols.add("ADAUSDT")
    store.put_trades(good(trades(1, 1, symbol_id=cardano)))
    store.close()
    assert list(open_store().symbols) == ["BTCUSDT", "ETHUSDT", "SOLUSDT", "ADAUSDT"]


async def test_rows_of_a_symbol_nobody_named_are_a_mistake_of_the_caller(
    open_store: OpenStore, trades: MakeTrades
) -> None:
    store = open_store()
    with pytest.raises(ValueError, match="no symbol has the integer 2"):
        store.put_trades(good(trades(0, 1, symbol_id=2)))
    with pytest.raises(ValueError, match="no symbol has the integer 5"):
        store.put_bars(bar(0, symbol_id=5))


async def test_the_newest_trade_of_each_symbol_is_the_one_with_the_highest_id(
    open_store: OpenStore, trades: MakeTrades
) -> None:
    store = open_store()
    store.put_trades(good(trades(100, 20)))
    store.put_trades(good(trades(50, 10, origin=Origin.REST)))
    store.put_trades(good(trades(5, 1, symbol_id=1)))
    await store.flushed()
    assert store.last_trades() == {0: (119, 1_000_119), 1: (5, 1_000_005)}


async def test_a_revised_bar_takes_the_place_of_the_first(open_store: OpenStore) -> None:
    store = open_store()
    store.put_bars(bar(1_000, close=1.0))
    await store.flushed()
    store.put_bars(bar(1_000, close=2.0, status=BarStatus.REVISED))
    store.put_bars(bar(2_000))
    await store.flushed()
    got = store.bars("BTCUSDT", SECOND)
    assert got[["open_time_ms", "close", "status"]].tolist() == [(1_000, 2.0, 2), (2_000, 1.0, 1)]


async def test_within_one_transaction_the_bar_put_last_stays(open_store: OpenStore) -> None:
    store = open_store(commit_ms=10_000)
    for close in (1.0, 2.0, 3.0):
        store.put_bars(bar(1_000, close=close))
    store.put_bars(np.concatenate([bar(2_000, close=4.0), bar(2_000, close=5.0)]))
    await store.flushed()
    assert store.bars("BTCUSDT", SECOND)["close"].tolist() == [3.0, 5.0]


async def test_an_upload_stands_beside_our_bar_and_of_our_own_the_one_put_last_stands(open_store: OpenStore) -> None:
    store = open_store()
    for source in (BarSource.IMPORT, BarSource.UPLOAD, BarSource.LIVE):
        store.put_bars(bar(60_000, source=source))
        await store.flushed()
    assert store.bars("BTCUSDT", SECOND)["source"].tolist() == [BarSource.LIVE, BarSource.UPLOAD]


async def test_bars_of_two_sources_two_intervals_or_two_symbols_stay_apart(open_store: OpenStore) -> None:
    store = open_store()
    for fields in ({}, {"source": BarSource.UPLOAD}, {"symbol_id": 1}, {"interval_ms": 60_000}):
        store.put_bars(bar(60_000, **fields))
        await store.flushed()
    assert store.bars("BTCUSDT", SECOND)["source"].tolist() == [BarSource.LIVE, BarSource.UPLOAD]
    assert len(store.bars("ETHUSDT", SECOND)) == 1
    assert len(store.bars("BTCUSDT", Interval(60_000))) == 1


async def test_bars_are_read_by_range_and_by_newest(open_store: OpenStore) -> None:
    store = open_store()
    store.put_bars(np.concatenate([bar(t * 1_000, close=float(t)) for t in range(10)]))
    await store.flushed()
    read = store.bars("BTCUSDT", SECOND, from_ms=3_000, to_ms=5_000)
    assert read.dtype == BAR
    assert read["close"].tolist() == [3.0, 4.0]
    assert store.bars("BTCUSDT", SECOND, limit=2)["close"].tolist() == [0.0, 1.0]
    assert store.bars("BTCUSDT", SECOND, limit=2, newest=True)["close"].tolist() == [8.0, 9.0]
    assert store.last_bars(SECOND) == {0: 9_000}
    assert store.last_bars(Interval(60_000)) == {}


async def test_a_gap_is_kept_until_it_is_changed_and_found_by_symbol_and_by_state(open_store: OpenStore) -> None:
    store = open_store()
    hole, other = Gap("BTCUSDT", 5, 9, 1_000, GapReason.DISCONNECTED), Gap("SOLUSDT", 1, 1, 1_001, GapReason.START)
    store.put_gaps([hole, other])
    await store.flushed()
    assert store.gaps() == [hole, other]
    closed = Gap(
        "BTCUSDT",
        5,
        9,
        1_000,
        GapReason.DISCONNECTED,
        after_ms=1,
        before_ms=2,
        closed_ms=2_000,
        obstacle=Obstacle.NO_FILE,
        looked_ms=5_000,
    )
    store.put_gaps([Gap("BTCUSDT", 5, 7, 1_000, GapReason.DISCONNECTED), closed])
    await store.flushed()
    assert store.gaps("btcusdt") == [closed]
    assert store.gaps(open_only=True) == [other]
    store.close()
    assert open_store().gaps() == [closed, other]


async def test_nothing_put_is_nothing_done(open_store: OpenStore) -> None:
    store = open_store()
    assert store.put_trades(good(TradeBatch.empty()))
    assert store.put_bars(no_bars())
    assert store.put_gaps([])
    await store.flushed()
    assert store.counters().last_commit_ms is None


async def test_readers_in_other_threads_see_whole_transactions_in_order(
    open_store: OpenStore, trades: MakeTrades
) -> None:
    store = open_store(commit_ms=1)
    done = asyncio.Event()

    async def read_until_done() -> int:
        seen = reads = 0
        while not done.is_set():
            ids = (await asyncio.to_thread(store.trades, "BTCUSDT")).id
            assert len(ids) % 10 == 0
            assert len(ids) >= seen
            np.testing.assert_array_equal(ids, np.arange(len(ids)))
            seen, reads = len(ids), reads + 1
        return reads

    readers = [asyncio.create_task(read_until_done()) for _ in range(3)]
    for first in range(0, 2_000, 10):
        assert store.put_trades(good(trades(first, 10)))
        if first % 100 == 0:
            await store.flushed()
    await store.flushed()
    done.set()
    assert min(await asyncio.gather(*readers)) > 0
    assert len(store.trades("BTCUSDT")) == 2_000


async def test_counters_tell_what_was_committed_and_when(open_store: OpenStore, trades: MakeTrades) -> None:
    store = open_store(clock=ManualClock(start_ms=5_000), queue_rows=1_000)
    before = store.counters()
    assert (before.trades_committed, before.last_commit_ms, before.rows_limit) == (0, None, 1_000)
    assert np.isnan(before.commit_ms_p50)
    store.put_trades(good(trades(0, 1_000)))
    await store.flushed()
    assert not store.put_trades(good(trades(1_000, 1_001)))
    after = store.counters()
    assert (after.trades_committed, after.rows_waiting, after.rows_refused) == (1_000, 0, 1_001)
    assert (after.last_commit_ms, after.commit_ms_p99, after.error) == (5_000, 0.0, None)
    assert after.database_bytes > 10_000


async def test_closing_writes_what_waits_and_leaves_one_file(
    open_store: OpenStore, trades: MakeTrades, path: Path
) -> None:
    store = open_store(commit_ms=60_000)
    store.announce("http://localhost:8000")
    store.put_trades(good(trades(0, 100)))
    store.close()
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["tape.duckdb"]
    assert len(open_store().trades("BTCUSDT")) == 100


async def test_a_closed_tape_refuses_by_name(open_store: OpenStore, trades: MakeTrades) -> None:
    store = open_store()
    store.put_trades(good(trades(0, 1)))
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.put_trades(good(trades(1, 1)))
    with pytest.raises(StoreUnavailable, match="closed"):
        store.put_bars(bar(0))
    with pytest.raises(StoreUnavailable, match="closed"):
        store.put_gaps([Gap("BTCUSDT", 1, 1, 0, GapReason.SKIPPED)])
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.flushed()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.trades("BTCUSDT")
    assert store.counters().trades_committed == 1


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)


PUTS = st.lists(
    st.tuples(
        st.sampled_from(["trades", "bar", "gap", "flush", "restart"]),
        st.integers(0, 1),
        st.integers(0, 5),
        st.integers(1, 9),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(puts=PUTS)
async def test_the_tape_equals_a_dictionary_after_any_puts_flushes_and_restarts(
    puts: list[tuple[str, int, int, int]], open_store: OpenStore, trades: MakeTrades, path: Path
) -> None:
    remove(path)
    store = open_store()
    ids: list[list[int]] = [[], []]
    bars: dict[tuple[int, int], float] = {}
    gaps: dict[tuple[str, int], Gap] = {}
    for kind, symbol_id, key, value in puts:
        name = store.symbols.name(symbol_id)
        if kind == "trades":
            first = len(ids[symbol_id])
            ids[symbol_id] += range(first, first + value)
            store.put_trades(good(trades(first, value, symbol_id=symbol_id)))
        elif kind == "bar":
            bars[symbol_id, key * 1_000] = float(value)
            store.put_bars(bar(key * 1_000, close=float(value), symbol_id=symbol_id))
        elif kind == "gap":
            gaps[name, key] = Gap(name, key, key + value, 1, GapReason.SKIPPED, closed_ms=value if value > 5 else None)
            store.put_gaps([gaps[name, key]])
        elif kind == "flush":
            await store.flushed()
        else:
            store.close()
            store = open_store()
    await store.flushed()
    for symbol_id, name in enumerate(["BTCUSDT", "ETHUSDT"]):
        assert store.trades(name).id.tolist() == ids[symbol_id]
        stored = {(symbol_id, int(b["open_time_ms"])): float(b["close"]) for b in store.bars(name, SECOND)}
        assert stored == {key: close for key, close in bars.items() if key[0] == symbol_id}
    assert store.gaps() == [gaps[key] for key in sorted(gaps)]
    store.close()


async def test_symbols_of_another_venue_keep_their_name_and_what_is_proved_of_them(
    open_store: Callable[..., Tape], trades: Callable[..., TradeBatch]
) -> None:
    store = open_store()
    store.symbols.know("TOY", Continuity.SAMPLED)
    symbol_id = store.symbols.add("toy.eth_usdt")
    assert store.put_trades(good(trades(5, 3, symbol_id)))
    await store.flushed()
    store.close()
    store = open_store()
    assert list(store.symbols) == ["BTCUSDT", "ETHUSDT", "TOY.ETH_USDT"]
    assert [store.symbols.best(i) for i in range(3)] == [Continuity.PROVED, Continuity.PROVED, Continuity.SAMPLED]
    assert store.trades("TOY.ETH_USDT").id.tolist() == [5, 6, 7]


async def test_a_tape_with_a_name_that_is_refused_now_opens_and_is_read(
    open_store: Callable[..., Tape], trades: Callable[..., TradeBatch], path: Path
) -> None:
    store = open_store()
    assert store.put_trades(good(trades(1, 3)))
    await store.flushed()
    store.close()
    with duckdb.connect(path) as connection:
        connection.execute("insert into symbols values (2, 'BTC-USDT', 0)")
    store = open_store()
    assert store.symbols.index("btc-usdt") == 2
    assert len(store.trades("BTC-USDT")) == 0
