"""Jobs: what the writer does between two commits of rows, once, each in a transaction of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import duckdb
import pytest

from pairscope.base.errors import StoreUnavailable
from pairscope.base.model import TradeBatch
from pairscope.store import writer as module
from pairscope.store.tape import Tape
from pairscope.store.writer import JobUnsettled, WriterJobRefused
from tests.judged import good

OpenStore = Callable[..., Tape]
MakeTrades = Callable[..., TradeBatch]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(module, "LONGEST_RETRY_S", 0.005)


def take_a_number(connection: duckdb.DuckDBPyConnection) -> int:
    connection.execute("update tape_format set part_number = part_number + 1")
    return given(connection)


def given(connection: duckdb.DuckDBPyConnection) -> int:
    ((number,),) = connection.execute("select part_number from tape_format").fetchall()
    return int(number)


def numbers_given(store: Tape) -> int:
    with store._database.reading() as cursor:
        return given(cursor)


def submit(store: Tape, act: Callable[[duckdb.DuckDBPyConnection], Any]) -> Future[Any]:
    return store._writer.submit(act)


async def done(future: Future[Any]) -> Any:
    return await asyncio.wait_for(asyncio.wrap_future(future), 10)


async def test_a_job_is_committed_and_gives_its_result(open_store: OpenStore, trades: MakeTrades) -> None:
    store = open_store()
    store.put_trades(good(trades(0, 10)))
    assert await done(submit(store, take_a_number)) == 1
    assert numbers_given(store) == 1
    await store.flushed()
    store.close()
    assert numbers_given(open_store()) == 1


async def test_jobs_and_rows_take_turns(open_store: OpenStore, trades: MakeTrades) -> None:
    store = open_store(commit_ms=1)
    futures = []
    for first in range(0, 500, 10):
        store.put_trades(good(trades(first, 10)))
        futures.append(submit(store, take_a_number))
    await store.flushed()
    assert [await done(future) for future in futures] == list(range(1, 51))
    assert len(store.trades("BTCUSDT")) == 500


async def test_a_job_does_not_wait_for_the_pause_between_two_commits(open_store: OpenStore) -> None:
    store = open_store(commit_ms=60_000)
    assert [await done(submit(store, take_a_number)) for _ in range(3)] == [1, 2, 3]


async def test_a_job_that_refuses_leaves_nothing_and_blames_nobody(open_store: OpenStore, trades: MakeTrades) -> None:
    def refuse(connection: duckdb.DuckDBPyConnection) -> None:
        take_a_number(connection)
        raise WriterJobRefused("not now")

    store = open_store()
    with pytest.raises(WriterJobRefused, match="not now"):
        await done(submit(store, refuse))
    assert numbers_given(store) == 0
    assert store.counters().error is None
    store.put_trades(good(trades(0, 10)))
    await store.flushed()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_job_whose_commit_fails_is_known_to_be_on_the_disk_or_not(
    after: bool, open_store: OpenStore, trades: MakeTrades, stumble: Any
) -> None:
    store = open_store(connect=stumble.connect, commit_ms=1)
    store.put_trades(good(trades(0, 10)))
    await store.flushed()
    stumble.arm(lambda number, name: name == "commit" and stumble.strikes == 0, after=after)
    future = submit(store, take_a_number)
    if after:
        assert await done(future) == 1
    else:
        with pytest.raises(StoreUnavailable, match="No space left"):
            await done(future)
    assert numbers_given(store) == after
    assert store.counters().error is None
    store.put_trades(good(trades(10, 10)))
    await store.flushed()
    assert store.trades("BTCUSDT").id.tolist() == list(range(20))


async def test_a_mistake_in_a_job_is_told_to_who_asked_and_rows_go_on(
    open_store: OpenStore, trades: MakeTrades
) -> None:
    store = open_store(commit_ms=1)
    with pytest.raises(StoreUnavailable, match="division by zero"):
        await done(submit(store, lambda connection: 1 / 0))
    store.put_trades(good(trades(0, 10)))
    await store.flushed()
    assert len(store.trades("BTCUSDT")) == 10


async def test_rows_put_while_a_job_is_in_doubt_are_written_though_it_took_their_number(
    open_store: OpenStore, trades: MakeTrades, stumble: Any
) -> None:
    """The job is on the disk, but the tape is closed before that could be seen: the rows get another number."""
    store = open_store(connect=stumble.connect, commit_ms=1)
    store.put_trades(good(trades(0, 1)))
    await store.flushed()
    failing, committed = threading.Event(), threading.Event()
    jobs: list[Future[Any]] = []

    def commit_then_no_opening(number: int, name: str) -> bool:
        if name == "commit" and not committed.is_set():
            committed.set()
            return True
        if name == "connect" and not jobs[0].done():
            failing.set()
            return True
        return False

    stumble.arm(commit_then_no_opening, after=True)
    jobs.append(submit(store, take_a_number))
    assert await asyncio.to_thread(failing.wait, 10)
    store.put_trades(good(trades(1, 10)))
    waiting = submit(store, take_a_number)
    await asyncio.to_thread(store.close)
    with pytest.raises(JobUnsettled):
        await done(jobs[0])
    with pytest.raises(StoreUnavailable, match="closed before this could be done"):
        await done(waiting)
    store = open_store()
    assert store.trades("BTCUSDT").id.tolist() == list(range(11))
    assert numbers_given(store) == 1


async def test_a_closed_tape_takes_no_job(open_store: OpenStore) -> None:
    store = open_store()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        submit(store, take_a_number)
