"""A process that writes is killed at random points; what it had acknowledged is there after, once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pairscope.base.interval import Interval
from pairscope.store.tape import Store

OpenStore = Callable[..., Store]

WRITER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from pairscope.base.clock import SystemClock
from pairscope.base.model import BAR, TradeBatch, TradeKind
from pairscope.store.tape import Store

async def main():
    store = Store.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock(), commit_ms=1)
    symbol = store.symbols.add("BTCUSDT")
    last = store.last_trades()
    first = last[symbol][0] + 1 if last else 0
    bars = np.zeros(1, BAR)
    bars["interval_ms"] = 1_000
    while True:
        count = 1 + first * 7919 % 3_000
        ids = np.arange(first, first + count)
        prices = ids * 0.1
        store.put_trades(TradeBatch(np.full(count, symbol, np.int32), ids, ids, prices, prices, ids % 2 == 0, ids))
        bars["open_time_ms"], bars["last_id"] = first % 50 * 1_000, ids[-1]
        store.put_bars(bars.copy())
        await store.flushed()
        print(ids[-1], flush=True)
        first += count

asyncio.run(main())
"""


def killed_after(path: Path, seconds: float) -> int:
    """Run the writer for a while, kill it without warning, and give the last id it acknowledged, or -1."""
    acknowledged = [-1]

    def listen() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip().isdigit() and line.endswith("\n"):
                acknowledged[0] = int(line)

    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as child:
        listener = threading.Thread(target=listen)
        listener.start()
        time.sleep(seconds)
        child.kill()
        listener.join()
    return acknowledged[0]


def assert_nothing_lost_or_doubled(store: Store, acknowledged: int) -> None:
    ids = store.trades("BTCUSDT").id
    np.testing.assert_array_equal(ids, np.arange(len(ids)))
    assert len(ids) > acknowledged
    bars = store.bars("BTCUSDT", Interval(1_000))
    assert len(np.unique(bars["open_time_ms"])) == len(bars)
    assert bars["last_id"].max(initial=-1) == len(ids) - 1, "trades and bars of one put are on the tape together"


def kill_and_look(kills: int, open_store: OpenStore, path: Path) -> int:
    chance = random.Random(1)
    highest = -1
    for _ in range(kills):
        # Starting takes some 0.2 s: a part of the kills comes before the opening, and into it. The next writer
        # mostly finds the tape as the kill left it, so that recovery is killed too.
        highest = max(highest, killed_after(path, chance.uniform(0.1, 0.6)))
        if chance.random() < 0.3:
            look(open_store, highest)
    look(open_store, highest)
    return highest


def look(open_store: OpenStore, acknowledged: int) -> None:
    store = open_store()
    assert_nothing_lost_or_doubled(store, acknowledged)
    store.close()


def test_ten_kills_lose_and_double_nothing(open_store: OpenStore, path: Path) -> None:
    assert kill_and_look(10, open_store, path) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_kills_lose_and_double_nothing(open_store: OpenStore, path: Path) -> None:
    assert kill_and_look(100, open_store, path) > 0
