from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import duckdb
import numpy as np
import pytest

from pairscope.base.errors import StoreUnavailable
from pairscope.base.gaps import GapReason
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, Gap, TradeBatch
from pairscope.store import data_folder, transaction, writer
from pairscope.store.tape import Tape
from tests.judged import good
from tests.patience import COMMAND_S

OpenStore = Callable[..., Tape]
MakeTrades = Callable[..., TradeBatch]


class Fault:
    """A way to open a DuckDB file whose statements fail as a plan says, before or after they took effect.

    The plan is asked before each statement of the writer, with the statement's number since `arm` was called and
    its text ("connect" for opening); it answers "before", "after" or "" for no fault.
    """

    def __init__(self, plan: Callable[[int, str], str]) -> None:
        self.plan = plan
        self.armed = False
        self.statements = 0
        self.struck = threading.Event()

    def arm(self) -> None:
        self.armed, self.statements = True, 0

    def around(self, statement: str, act: Callable[[], Any]) -> Any:
        when = ""
        if self.armed:
            self.statements += 1
            when = self.plan(self.statements, statement)
        if when == "before":
            self._strike()
        result = act()
        if when == "after":
            self._strike()
        return result

    def _strike(self) -> None:
        self.struck.set()
        raise duckdb.IOException("IO Error: No space left on device")

    def __call__(self, path: Path, config: data_folder.Config) -> duckdb.DuckDBPyConnection:
        opened = self.around("connect", lambda: data_folder.connect(path, config))
        return cast(duckdb.DuckDBPyConnection, _Wired(opened, self))


class _Wired:
    """A connection whose statements pass through a `Fault`; everything else is DuckDB's own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, fault: Fault) -> None:
        self._connection = connection
        self._fault = fault

    def execute(self, query: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        act = lambda: self._connection.execute(query, parameters)  # noqa: E731
        return cast(duckdb.DuckDBPyConnection, self._fault.around(query.strip(), act))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class CommitThenAnother:
    """A plan: the first commit fails, and then the statement that comes so many after it."""

    def __init__(self, first: str, second: str, distance: int) -> None:
        self._first = first
        self._second = second
        self._distance = distance
        self._commit_at = 0
        self.struck_twice = False

    def __call__(self, number: int, statement: str) -> str:
        if not self._commit_at:
            if statement != "commit":
                return ""
            self._commit_at = number
            return self._first
        if number != self._commit_at + self._distance:
            return ""
        self.struck_twice = True
        return self._second


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(writer, "LONGEST_RETRY_S", 0.005)


def some_bars(close: float = 1.0) -> BarArray:
    bars = np.zeros(3, BAR)
    bars["interval_ms"], bars["open_time_ms"], bars["close"] = 1_000, [0, 1_000, 2_000], close
    return bars


def put_one_of_each(store: Tape, batch: TradeBatch) -> None:
    store.symbols.add("SOLUSDT")
    assert store.put_trades(good(batch))
    assert store.put_bars(some_bars())
    assert store.put_gaps([Gap("BTCUSDT", 1, 2, 0, GapReason.SKIPPED)])


def assert_one_of_each_once(store: Tape, batch: TradeBatch) -> None:
    assert store.trades("BTCUSDT").id.tolist() == batch.id.tolist()
    assert store.bars("BTCUSDT", Interval(1_000))["open_time_ms"].tolist() == [0, 1_000, 2_000]
    assert store.gaps() == [Gap("BTCUSDT", 1, 2, 0, GapReason.SKIPPED)]
    assert list(store.symbols) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_whichever_statement_fails_once_everything_is_on_the_tape_once(
    when: str, open_store: OpenStore, trades: MakeTrades, path: Path
) -> None:
    failed_at = 0
    struck = True
    while struck:  # fail the first statement, then the second, until there are no more
        failed_at += 1
        fault = Fault(lambda n, _, at=failed_at: when if n == at else "")  # type: ignore[misc]
        store = open_store(connect=fault)
        fault.arm()
        put_one_of_each(store, trades(0, 100))
        await store.flushed()
        struck = fault.struck.is_set()
        assert store.counters().error is None
        assert store.counters().trades_committed == 100
        assert_one_of_each_once(store, trades(0, 100))
        store.close()
        store = open_store()
        assert_one_of_each_once(store, trades(0, 100))
        store.close()
        remove(path)
    assert failed_at > 8


@pytest.mark.parametrize("first", ["before", "after"])
@pytest.mark.parametrize("second", ["before", "after"])
async def test_whichever_statement_of_the_recovery_fails_too_everything_is_on_the_tape_once(
    first: str, second: str, open_store: OpenStore, trades: MakeTrades, path: Path
) -> None:
    statement = 0
    struck_twice = True
    while struck_twice:  # the commit fails, then the first statement after it, then the second, …
        statement += 1
        plan = CommitThenAnother(first, second, statement)
        fault = Fault(plan)
        store = open_store(connect=fault)
        fault.arm()
        put_one_of_each(store, trades(0, 10))
        await store.flushed()
        store.close()
        store = open_store()
        assert_one_of_each_once(store, trades(0, 10))
        store.close()
        remove(path)
        struck_twice = plan.struck_twice
    assert statement > 2


async def test_while_the_disk_fails_nothing_is_acknowledged_and_when_it_heals_nothing_is_lost(
    open_store: OpenStore, trades: MakeTrades
) -> None:
    full = True
    failures = 0
    failed_again = threading.Event()

    def plan(_: int, statement: str) -> str:
        nonlocal failures
        if not full or statement != "commit":
            return ""
        failures += 1
        if failures == 2:
            failed_again.set()
        return "before"

    fault = Fault(plan)
    store = open_store(connect=fault, queue_rows=1_000)
    store.put_trades(good(trades(0, 100)))
    await store.flushed()
    fault.arm()
    for first in range(100, 1_100, 100):
        assert store.put_trades(good(trades(first, 100)))
    assert not store.put_trades(good(trades(1_100, 100)))
    assert store.put_bars(some_bars())
    flush = asyncio.create_task(store.flushed())
    await asyncio.to_thread(failed_again.wait)
    counters = store.counters()
    assert counters.error == "IO Error: No space left on device"
    assert (counters.trades_committed, counters.rows_waiting, counters.rows_refused) == (100, 1_000, 100)
    assert not flush.done()
    full = False
    await flush
    counters = store.counters()
    assert (counters.error, counters.trades_committed, counters.rows_waiting) == (None, 1_100, 0)
    assert store.put_trades(good(trades(1_100, 100)))
    await store.flushed()
    assert store.trades("BTCUSDT").id.tolist() == list(range(1_200))


async def test_closing_on_a_failing_disk_ends_and_tells_how_much_is_lost(
    open_store: OpenStore, trades: MakeTrades
) -> None:
    fault = Fault(lambda _, statement: "before" if statement == "commit" else "")
    store = open_store(connect=fault)
    store.put_trades(good(trades(0, 100)))
    await store.flushed()
    fault.arm()
    store.put_trades(good(trades(100, 50)))
    store.put_bars(some_bars())
    flush = asyncio.create_task(store.flushed())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match=r"53 rows could not be written .* No space left"):
        await asyncio.to_thread(store.close)
    with pytest.raises(StoreUnavailable, match="before its rows could be written"):
        await flush
    assert len(open_store().trades("BTCUSDT")) == 100


async def test_a_full_queue_refuses_trades_whole_and_still_takes_bars_and_gaps(
    open_store: OpenStore, trades: MakeTrades
) -> None:
    released = threading.Event()

    def hold(_: int, statement: str) -> str:
        if statement == "begin":
            released.wait()
        return ""

    fault = Fault(hold)
    store = open_store(connect=fault, queue_rows=1_000)
    fault.arm()
    assert store.put_trades(good(trades(0, 990)))
    assert not store.put_trades(good(trades(990, 20)))
    assert store.put_trades(good(trades(990, 10)))
    assert not store.put_trades(good(trades(1_000, 1)))
    assert store.put_bars(some_bars())
    assert not store.put_bars(np.zeros(writer.BARS_LIMIT, BAR))
    assert store.put_gaps([Gap("BTCUSDT", 1, 2, 0, GapReason.SKIPPED)])
    assert store.counters().rows_refused == 21 + writer.BARS_LIMIT
    released.set()
    await store.flushed()
    assert store.put_trades(good(trades(1_000, 1)))
    await store.flushed()
    assert store.trades("BTCUSDT").id.tolist() == list(range(1_001))


async def test_batches_that_wait_go_to_the_disk_in_one_transaction(open_store: OpenStore, trades: MakeTrades) -> None:
    commits = 0

    def count(_: int, statement: str) -> str:
        nonlocal commits
        commits += statement == "commit"
        return ""

    fault = Fault(count)
    store = open_store(connect=fault, commit_ms=60_000)
    fault.arm()
    for first in range(0, 1_000, 10):
        store.put_trades(good(trades(first, 10)))
    await store.flushed()
    assert commits == 1
    store.put_trades(good(trades(1_000, 10)))
    await asyncio.sleep(0.02)  # time enough for a writer that forgets to wait after a flush
    store.put_trades(good(trades(1_010, 10)))
    await store.flushed()
    assert commits == 2
    assert len(store.trades("BTCUSDT")) == 1_020


async def test_a_flush_given_up_by_its_caller_disturbs_nobody(open_store: OpenStore, trades: MakeTrades) -> None:
    store = open_store(commit_ms=60_000)
    store.put_trades(good(trades(0, 10)))
    flush = asyncio.create_task(store.flushed())
    await asyncio.sleep(0)
    flush.cancel()
    store.put_trades(good(trades(10, 10)))
    await store.flushed()
    assert len(store.trades("BTCUSDT")) == 20


async def test_a_failure_that_is_no_failure_of_the_disk_is_shown_and_survived_too(
    open_store: OpenStore, trades: MakeTrades, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = transaction.write
    failures = iter([ZeroDivisionError("a mistake of ours")])

    def write(*arguments: Any) -> None:
        for failure in failures:
            raise failure
        real_write(*arguments)

    monkeypatch.setattr(writer, "write", write)
    store = open_store()
    store.put_trades(good(trades(0, 10)))
    await store.flushed()
    assert len(store.trades("BTCUSDT")) == 10


FILLING = """
import asyncio, resource, signal, sys
import numpy as np
from pairscope.feed.judge import Judged
from pathlib import Path
import numpy as np
from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.store.tape import Tape

def batch(first, count):
    ids = np.arange(first, first + count)
    noise = np.random.default_rng(first).random(count)
    return TradeBatch(np.zeros(count, np.int32), ids, ids, noise, noise, ids % 2 == 0, ids)

def good(rows):
    return Judged(rows, np.zeros(len(rows), np.uint8)).good()

async def main():
    store = Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock(), commit_ms=1)
    store.symbols.add("BTCUSDT")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    first = 0
    while store.counters().error is None:
        store.put_trades(good(batch(first, 2_000)))
        first += 2_000
        await asyncio.sleep(0.002)
    print(f"full: {store.counters().error}", flush=True)  # one piece: the log of another thread goes there too
    acknowledged = store.counters().trades_committed
    assert 0 < acknowledged < first
    assert len(store.trades("BTCUSDT")) in (acknowledged, first)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await asyncio.wait_for(store.flushed(), 10)
    ids = store.trades("BTCUSDT").id
    assert ids.tolist() == list(range(first)), (len(ids), first)
    store.close()
    print("healed", flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_real_file_that_may_not_grow_is_shown_and_goes_on_when_it_may(path: Path) -> None:
    command = [sys.executable, "-c", FILLING, str(path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    assert child.returncode == 0, child.stderr
    assert "full: " in child.stdout
    assert "healed" in child.stdout
