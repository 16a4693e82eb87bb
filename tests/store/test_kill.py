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
from pairscope.store.tape import Tape

OpenStore = Callable[..., Tape]

WRITER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from pairscope.base.clock import SystemClock
from pairscope.base.model import BAR, TradeBatch, TradeKind
from pairscope.feed.judge import Judged
from pairscope.store.tape import Tape

def good(trades):
    return Judged(trades, np.zeros(len(trades), np.uint8)).good()

async def main():
    store = Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock(), commit_ms=1)
    symbol = store.symbols.add("BTCUSDT")
    last = store.last_trades()
    first = last[symbol][0] + 1 if last else 0
    bars = np.zeros(1, BAR)
    bars["interval_ms"] = 1_000
    while True:
        count = 1 + first * 7919 % 3_000
        ids = np.arange(first, first + count)
        prices = ids * 0.1
        trades = TradeBatch(np.full(count, symbol, np.int32), ids, ids, prices, prices, ids % 2 == 0, ids)
        store.put_trades(good(trades))
        bars["open_time_ms"], bars["last_id"] = first % 50 * 1_000, ids[-1]
        store.put_bars(bars.copy())
        await store.flushed()
        print(ids[-1], flush=True)
        first += count

asyncio.run(main())
"""


SEALER = """
import asyncio, sys, threading
from pathlib import Path
import numpy as np
from pairscope.base.clock import SystemClock
from pairscope.base.errors import StoreUnavailable
from pairscope.base.interval import DAY_MS
from pairscope.base.model import BAR, TradeBatch, TradeKind
from pairscope.feed.judge import Judged
from pairscope.store.tape import Tape

def good(trades):
    return Judged(trades, np.zeros(len(trades), np.uint8)).good()

IDS_A_DAY = 4_000
FAR_MS = 10**15

def care(store):
    while True:
        store.seal(FAR_MS)
        store.sweep(100_000)

def batch(symbol, ids):
    prices = ids * 0.1
    times = ids * (DAY_MS // IDS_A_DAY)
    return TradeBatch(np.full(len(ids), symbol, np.int32), ids, times, prices, prices, ids % 2 == 0, ids)

async def main():
    store = Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock(), commit_ms=1)
    symbol = store.symbols.add("BTCUSDT")
    last = store.last_trades()
    first = last[symbol][0] + 1 if last else 0
    missing = np.setdiff1d(np.arange(first), store.trades("BTCUSDT").id) if last else np.empty(0, np.int64)
    threading.Thread(target=care, args=(store,), daemon=True).start()
    bars = np.zeros(1, BAR)
    bars["interval_ms"] = 1_000
    while True:
        count = 2 + first * 7919 % 3_000
        ids = np.arange(first, first + count)
        late = ids % 97 == 0  # these come one batch, and often one sealed day, later
        store.put_trades(good(batch(symbol, np.concatenate([missing, ids[~late]]))))
        missing = ids[late]
        last_id = ids[~late][-1]
        bars["open_time_ms"], bars["last_id"] = last_id * (DAY_MS // IDS_A_DAY) // 1_000 * 1_000, last_id
        store.put_bars(bars.copy())
        await store.flushed()
        if first:
            print(first - 1, flush=True)
        first += count

asyncio.run(main())
"""


def killed_after(path: Path, seconds: float, program: str = WRITER, *, once_it_writes: bool) -> int:
    """Run a program, kill it without warning, and give the last id it acknowledged, or -1.

    The time is counted from the start of the program, or from its first acknowledgement.
    """
    acknowledged = [-1]
    writes = threading.Event()

    def listen() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            if line.rstrip("\n").isdigit() and line.endswith("\n"):  # the others are log lines
                acknowledged[0] = int(line)
                writes.set()
        writes.set()

    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as child:
        listener = threading.Thread(target=listen)
        listener.start()
        if once_it_writes:
            writes.wait()
        time.sleep(seconds)
        child.kill()
        listener.join()
    return acknowledged[0]


def kill(chance: random.Random, path: Path, program: str = WRITER) -> int:
    """Two kills in five come while the program starts, or into its opening of a tape that was left by a kill."""
    if chance.random() < 0.4:
        return killed_after(path, chance.uniform(0.1, 0.6), program, once_it_writes=False)
    return killed_after(path, chance.uniform(0.0, 0.5), program, once_it_writes=True)


def assert_nothing_lost_or_doubled(store: Tape, acknowledged: int) -> None:
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
        highest = max(highest, kill(chance, path))
        if chance.random() < 0.3:
            look(open_store, highest)
    look(open_store, highest)
    return highest


def look(open_store: OpenStore, acknowledged: int) -> None:
    store = open_store()
    assert_nothing_lost_or_doubled(store, acknowledged)
    store.close()


def test_four_kills_lose_and_double_nothing(open_store: OpenStore, path: Path) -> None:
    assert kill_and_look(4, open_store, path) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_kills_lose_and_double_nothing(open_store: OpenStore, path: Path) -> None:
    assert kill_and_look(100, open_store, path) > 0


def kill_while_sealing_and_look(kills: int, seed: int, open_store: OpenStore, path: Path) -> tuple[int, int]:
    """The highest acknowledged id, up to which nothing is missing, and how many files are sealed at the end."""
    chance = random.Random(seed)
    highest = -1
    for _ in range(kills):
        highest = max(highest, kill(chance, path, SEALER))
        if chance.random() < 0.3:
            look_at_days(open_store, path, highest)
    return highest, look_at_days(open_store, path, highest)


def look_at_days(open_store: OpenStore, path: Path, acknowledged: int) -> int:
    store = open_store(keep_data_days=3_650)
    ids = store.trades("BTCUSDT").id
    np.testing.assert_array_equal(np.unique(ids), ids, "no trade is there twice")
    np.testing.assert_array_equal(ids[: acknowledged + 1], np.arange(acknowledged + 1), "none is missing")
    bars = store.bars("BTCUSDT", Interval(1_000))
    assert len(np.unique(bars["open_time_ms"])) == len(bars)
    assert acknowledged <= bars["last_id"].max(initial=-1) <= ids.max(initial=-1)
    parts = store.days()
    assert store.quarantined() == []
    assert store.gaps() == []
    root = path.with_suffix(".days")
    store.sweep(0)
    files = {file.relative_to(root) for file in root.rglob("*") if file.is_file()}
    assert files == {part.path for part in parts}, "nothing is left over of a crash"
    store.close()
    return len(parts)


def test_three_kills_while_days_are_sealed_lose_and_double_nothing(open_store: OpenStore, path: Path) -> None:
    highest, files = kill_while_sealing_and_look(3, 1, open_store, path)
    for seed in range(10, 20):
        if files:  # on a busy machine the first three came before a day was over
            break
        later, files = kill_while_sealing_and_look(1, seed, open_store, path)
        highest = max(highest, later)
    assert highest > 0
    assert files > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 7))
def test_forty_kills_while_days_are_sealed_lose_and_double_nothing(
    seed: int, open_store: OpenStore, path: Path
) -> None:
    highest, files = kill_while_sealing_and_look(40, seed, open_store, path)
    assert highest > 0
    assert files > 0
