"""The store at the size of a busy day: slow, and measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pairscope.store.tape import Tape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FILLER = """
import asyncio, json, os, signal, sys
from pathlib import Path
import numpy as np
from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.feed.judge import Judged
from pairscope.store.tape import Tape

def good(trades):
    return Judged(trades, np.zeros(len(trades), np.uint8)).good()

rows, batch_rows, rows_between_flushes = map(int, sys.argv[2:])
chance = np.random.default_rng(1)

def rss_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

def batch(first, count):
    place = np.arange(first, first + count)
    time_ms = 1_700_000_000_000 + place
    price = 60_000 + np.round(chance.normal(0, 10, count), 1)
    size = np.round(chance.exponential(0.1, count), 3)
    received_ns = time_ms * 1_000_000 + chance.integers(0, 50_000_000, count)
    return TradeBatch((place % 2).astype(np.int32), place // 2, time_ms, price, size, place % 3 == 0, received_ns)

async def main():
    start_mb = rss_mb()
    store = Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock(), commit_ms=1)
    store.symbols.add("BTCUSDT"), store.symbols.add("ETHUSDT")
    for first in range(0, rows, batch_rows):
        assert store.put_trades(good(batch(first, batch_rows)))
        if (first + batch_rows) % rows_between_flushes == 0:
            await store.flushed()
    print(json.dumps({"grown_mb": rss_mb() - start_mb, "bytes": store.counters().database_bytes}), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


MOST_LOG_BYTES = 32e6  # of the database's log after a kill


def fill_and_die(path: Path, *sizes: int) -> dict[str, float]:
    command = [sys.executable, "-c", FILLER, str(path), *map(str, sizes)]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return dict(json.loads(child.stdout.splitlines()[-1]))


def test_ten_million_trades_are_there_after_a_kill(path: Path, open_store: Callable[..., Tape]) -> None:
    fill_and_die(path, 10_000_000, 100_000, 100_000)
    log = path.with_name(f"{path.name}.wal")
    assert not log.exists() or log.stat().st_size < MOST_LOG_BYTES, "an opening takes as long as its log is"
    store = open_store()
    last = store.last_trades()
    newest = store.trades("BTCUSDT", limit=1_000, newest=True)
    assert last == {0: (4_999_999, 1_700_009_999_998), 1: (4_999_999, 1_700_009_999_999)}
    assert newest.id.tolist() == list(range(4_999_000, 5_000_000))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory from /proc")
def test_ten_minutes_of_a_thousand_trades_a_second_stay_small(path: Path) -> None:
    grown = fill_and_die(path, 600_000, 40, 120)  # a decoded burst each 40 ms, a commit each 120 ms
    assert grown["grown_mb"] < 120
    assert grown["bytes"] < 40e6


DAYS = """
import asyncio, json, os, signal, sys
from pathlib import Path
import numpy as np
from pairscope.base.clock import SystemClock
from pairscope.base.interval import DAY_MS
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.feed.judge import Judged
from pairscope.store.tape import Tape

def good(trades):
    return Judged(trades, np.zeros(len(trades), np.uint8)).good()

days, rows = map(int, sys.argv[2:])  # rows of each of two symbols in a day
chance = np.random.default_rng(1)
first_ms = 20_000 * DAY_MS

def rss_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

def trades(symbol, first, times):
    count = len(times)
    price = np.round(60_000 + np.cumsum(chance.normal(0, 0.3, count)), 1)
    size = np.round(chance.exponential(0.1, count), 3)
    maker = chance.random(count) < 0.5
    received_ns = times * 1_000_000 + chance.gamma(2, 2e6, count).astype(np.int64)
    ids = np.arange(first, first + count)
    return TradeBatch(np.full(count, symbol, np.int32), ids, times, price, size, maker, received_ns)

async def day(store, number, length_ms, count):
    for symbol in (0, 1):
        times = first_ms + number * DAY_MS + np.sort(chance.integers(0, length_ms, count))
        batch = trades(symbol, number * rows, times)
        for first in range(0, count, 20_000):
            while not store.put_trades(good(batch.take(np.arange(first, min(first + 20_000, count))))):
                await asyncio.sleep(0.01)
    await store.flushed()

async def measured(store, seal):
    # How often a put reached the disk, and the event loop came round, while `seal` ran beside.
    flushed, beats, over = 0, 0, asyncio.Event()

    async def put():
        nonlocal flushed
        first, at_ms = days * rows + 50_000, first_ms + days * DAY_MS + 3 * 3_600_000
        while not over.is_set():
            store.put_trades(good(trades(0, first, np.full(200, at_ms))))
            first, at_ms = first + 200, at_ms + 10
            await store.flushed()
            flushed += not over.is_set()

    async def beat():
        nonlocal beats
        while not over.is_set():
            await asyncio.sleep(0.005)
            beats += 1

    tasks = [asyncio.create_task(put()), asyncio.create_task(beat())]
    report = await asyncio.to_thread(seal)
    over.set()
    await asyncio.gather(*tasks)
    return report, flushed, beats

async def main():
    store = Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock(), commit_ms=10)
    store.symbols.add("BTCUSDT"), store.symbols.add("ETHUSDT")
    before_mb = rss_mb()
    for number in range(days):
        await day(store, number, DAY_MS, rows)
        if number < days - 1:
            store.seal(10**15)
    await day(store, days, 2 * 3_600_000, 50_000)
    report, flushed, beats = await measured(store, lambda: store.seal(10**15))
    figures = {
        "took_s": report.took_s,
        "bytes_a_trade": report.file_bytes / report.trades,
        "flushed": flushed,
        "beats": beats,
        "grown_mb": rss_mb() - before_mb,
        "open_mb": store.disk_use().open_bytes / 1e6,
    }
    print(json.dumps(figures), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_ten_million_trades_in_sealed_days_are_there_after_a_kill_and_sealing_held_nobody_up(
    path: Path, open_store: Callable[..., Tape]
) -> None:
    command = [sys.executable, "-c", DAYS, str(path), "4", "1250000"]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    figures = json.loads(child.stdout.splitlines()[-1])
    store = open_store()
    last = store.last_trades()
    newest = store.trades("BTCUSDT", limit=1_000, newest=True)
    print(figures)
    assert last[1][0] == 5_049_999
    assert len(newest) == 1_000
    assert len(store.days("ETHUSDT")) == 4
    ids = store.trades("ETHUSDT").id
    assert (len(ids), int(ids[0]), int(ids[-1])) == (5_050_000, 0, 5_049_999)
    assert figures["bytes_a_trade"] <= 8
    assert figures["flushed"] >= 10
    assert figures["beats"] >= 10
