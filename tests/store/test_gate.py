"""Readers never take the memory a commit needs, and wait for each other in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pairscope.bars.builder import build_bars
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarSource, TradeBatch
from pairscope.ingest.opening import DATABASE_MB
from pairscope.store import reads
from pairscope.store.gate import LARGE, SMALL, Gate, TapeBusy
from pairscope.store.tape import Tape
from tests.judged import good

SECOND = Interval.parse("1s")
START_MS = 20_000 * DAY_MS
READERS = 24
COMMITS = 60


def rough_trades(first_id: int, count: int, start_ms: int, span_ms: int, symbol_id: int) -> TradeBatch:
    """Trades whose prices and sizes do not compress, as those of a busy market."""
    ids = np.arange(first_id, first_id + count)
    chance = np.random.default_rng(first_id)
    return TradeBatch(
        symbol_id=np.full(count, symbol_id, np.int32),
        id=ids,
        time_ms=start_ms + (ids - first_id) * span_ms // count,
        price=100 + chance.random(count),
        size=0.1 + chance.random(count),
        buyer_is_maker=ids % 2 == 0,
        received_ns=chance.integers(0, 2**60, count),
    )


async def test_many_heavy_readers_never_make_a_commit_fail(open_store: Callable[..., Tape]) -> None:
    store = open_store(memory_limit_mb=DATABASE_MB, commit_ms=10, queue_rows=2_000_000)
    put = 0
    for day in range(3):
        for symbol_id in (0, 1):
            batch = rough_trades(day * 300_000, 300_000, START_MS + day * DAY_MS, DAY_MS, symbol_id)
            put += len(batch)
            assert store.put_trades(good(batch))
            assert store.put_bars(build_bars(batch, SECOND))
            await store.flushed()
    sealed = store.seal(START_MS + 2 * DAY_MS + DAY_MS // 2)
    assert sealed is not None
    assert not sealed.failed

    stop = threading.Event()
    questions: list[Callable[[str], object]] = [
        store.trades,
        lambda symbol: store.trades(symbol, limit=200_000, newest=True),
        lambda symbol: store.bars(symbol, SECOND),
        lambda symbol: store.bars(symbol, SECOND, limit=50_000, newest=True),
        lambda symbol: store.trades(symbol, from_ms=START_MS + DAY_MS // 2, to_ms=START_MS + 2 * DAY_MS),
        lambda symbol: store.trades(symbol, limit=1_000),
    ]

    def read(number: int) -> int:
        done = 0
        while not stop.is_set():
            questions[number % len(questions)](("BTCUSDT", "ETHUSDT")[number % 2])
            done += 1
        return done

    with ThreadPoolExecutor(READERS) as pool:
        reading = [pool.submit(read, number) for number in range(READERS)]
        for number in range(COMMITS):
            batch = rough_trades(900_000 + 500 * number, 500, START_MS + 3 * DAY_MS + 500 * number, 500, number % 2)
            put += len(batch)
            assert store.put_trades(good(batch))
            assert store.put_bars(build_bars(batch, SECOND))
            await store.flushed()
        stop.set()
        answered = [each.result() for each in reading]
    assert sum(answered) >= READERS
    counters = store.counters()
    assert counters.commits_retried == 0
    assert counters.rows_refused == 0
    assert sum(holding.trades for holding in store.holdings()) == put


async def test_a_long_answer_is_the_same_in_pages(
    open_store: Callable[..., Tape], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    for day in range(2):
        batch = rough_trades(1 + day * 2_000, 2_000, START_MS + day * DAY_MS, DAY_MS, 0)
        bars = build_bars(batch, SECOND)
        twice = bars.copy()
        twice["source"] = BarSource.IMPORT
        store.put_trades(good(batch))
        store.put_bars(bars)
        store.put_bars(twice)
        await store.flushed()
    store.seal(START_MS + DAY_MS + DAY_MS // 2)
    whole = store.trades("BTCUSDT").id
    all_bars = store.bars("BTCUSDT", SECOND)
    monkeypatch.setattr(reads, "PAGE_ROWS", 301)  # odd: a page ends between the two bars of a second
    for limit in (300, 301, 302, 1_000, 3_999, 4_000, 5_000):
        assert store.trades("BTCUSDT", limit=limit, newest=True).id.tolist() == whole[-limit:].tolist()
        assert store.trades("BTCUSDT", limit=limit).id.tolist() == whole[:limit].tolist()
        assert store.bars("BTCUSDT", SECOND, limit=limit, newest=True).tolist() == all_bars[-limit:].tolist()
        assert store.bars("BTCUSDT", SECOND, limit=limit).tolist() == all_bars[:limit].tolist()


def test_questions_are_admitted_up_to_the_capacity_and_in_their_order() -> None:
    gate = Gate(capacity=3)
    order: list[str] = []
    inside = threading.Event()
    leave = threading.Event()

    def ask(name: str, weight: int) -> None:
        with gate.passing(weight):
            order.append(name)
            if name == "first":
                inside.set()
                leave.wait()

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(ask, "first", LARGE)
        inside.wait()
        second = pool.submit(ask, "large", LARGE)  # does not fit, and what comes later waits behind it
        while gate.waiting < 1:
            threading.Event().wait(0.001)
        third = pool.submit(ask, "small", SMALL)
        while gate.waiting < 2:
            threading.Event().wait(0.001)
        assert order == ["first"]
        leave.set()
        for each in (first, second, third):
            each.result()
    assert sorted(order[1:]) == ["large", "small"]
    assert gate.waiting == 0


def test_who_waits_too_long_is_told_that_the_tape_is_busy() -> None:
    gate = Gate(capacity=1, patience_s=0.01)
    refused: list[TapeBusy] = []

    def ask() -> None:
        try:
            with gate.passing(SMALL):
                pass
        except TapeBusy as error:
            refused.append(error)

    with gate.passing(SMALL):
        other = threading.Thread(target=ask)
        other.start()
        other.join()
    assert [error.http_status for error in refused] == [503]
    with gate.passing(SMALL), gate.passing(LARGE):  # a question within a question does not wait for itself
        pass


def test_the_tape_is_opened_with_one_thread_a_question(open_store: Callable[..., Tape], path: Path) -> None:
    store = open_store()
    with store._database.reading() as cursor:
        assert cursor.execute("select current_setting('threads')").fetchall() == [(1,)]
