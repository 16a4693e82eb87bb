"""The store at the size of a busy day: slow, and measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pairscope.store.tape import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FILLER = """
import asyncio, json, os, signal, sys
from pathlib import Path
import numpy as np
from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.store.tape import Store

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
    store = Store.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock(), commit_ms=1)
    store.symbols.add("BTCUSDT"), store.symbols.add("ETHUSDT")
    for first in range(0, rows, batch_rows):
        assert store.put_trades(batch(first, batch_rows))
        if (first + batch_rows) % rows_between_flushes == 0:
            await store.flushed()
    print(json.dumps({"grown_mb": rss_mb() - start_mb, "bytes": store.counters().database_bytes}), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def fill_and_die(path: Path, *sizes: int) -> dict[str, float]:
    command = [sys.executable, "-c", FILLER, str(path), *map(str, sizes)]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return dict(json.loads(child.stdout.splitlines()[-1]))


def test_ten_million_trades_open_in_two_seconds_after_a_kill(path: Path, open_store: Callable[..., Store]) -> None:
    fill_and_die(path, 10_000_000, 100_000, 100_000)
    started_s = time.perf_counter()
    store = open_store()
    last = store.last_trades()
    newest = store.trades("BTCUSDT", limit=1_000, newest=True)
    took_s = time.perf_counter() - started_s
    assert last == {0: (4_999_999, 1_700_009_999_998), 1: (4_999_999, 1_700_009_999_999)}
    assert newest.id.tolist() == list(range(4_999_000, 5_000_000))
    assert took_s < 2.0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory from /proc")
def test_ten_minutes_of_a_thousand_trades_a_second_stay_small(path: Path) -> None:
    grown = fill_and_die(path, 600_000, 40, 120)  # a decoded burst each 40 ms, a commit each 120 ms
    assert grown["grown_mb"] < 120
    assert grown["bytes"] < 40e6
