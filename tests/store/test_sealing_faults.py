"""Whatever fails while days are sealed, merged and deleted, every trade is on the tape once."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.base.errors import DataFolderError, StoreUnavailable
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, TradeBatch
from pairscope.store import writer
from pairscope.store.tape import Tape
from tests.judged import good
from tests.patience import COMMAND_S, EVENT_S

OpenStore = Callable[..., Tape]
DayTrades = Callable[..., TradeBatch]
HourBars = Callable[..., BarArray]

LATER_MS = 21_000 * DAY_MS
HOUR = Interval(3_600_000)
FIRST_DAY_IDS = 100  # of each symbol; deleted when three days are kept


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(writer, "LONGEST_RETRY_S", 0.005)


@pytest.fixture
def prepared(open_store: OpenStore, day_trades: DayTrades, hour_bars: HourBars, path: Path, tmp_path: Path) -> Path:
    """A closed tape with a sealed day that is too old, one with a late trade, and open rows of later days."""
    store = open_store()

    def put(batch: TradeBatch) -> None:
        store.put_trades(good(batch))
        asyncio.run(store.flushed())

    for symbol_id in (0, 1):
        put(day_trades(0, 0, 100, symbol_id))
        put(day_trades(1, 101, 99, symbol_id))
    store.put_bars(np.concatenate([hour_bars(1), hour_bars(2)]))
    put(day_trades(2, 200, 1, hours=(2, 3)))
    store.seal(LATER_MS)
    put(day_trades(1, 100, 1))
    for symbol_id in (0, 1):
        put(day_trades(2, 201 - symbol_id, 99 + symbol_id, symbol_id, hours=(3, 24)))
        put(day_trades(4, 300, 50, symbol_id, hours=(0, 3)))
    store.close()
    kept = tmp_path / "prepared"
    shutil.copytree(path.parent, kept)
    return kept


def fresh_copy(prepared: Path, path: Path) -> None:
    shutil.rmtree(path.parent, ignore_errors=True)
    shutil.copytree(prepared, path.parent)


def care(store: Tape) -> None:
    """What the program does each minute, until there is nothing left to do; a failure leaves it for the next."""
    acts: list[Callable[[], object]] = [
        lambda: store.seal(LATER_MS),
        lambda: store.seal(LATER_MS),
        lambda: store.retain(LATER_MS),
        lambda: store.seal(LATER_MS),
        store.sweep,
    ]
    for act in acts:
        try:
            act()
        except StoreUnavailable:
            continue


def assert_every_trade_once(store: Tape) -> None:
    first = [store.trades(name, limit=1).id.tolist() for name in ("BTCUSDT", "ETHUSDT")]
    oldest = first[0][0]
    assert oldest in (0, FIRST_DAY_IDS)
    expected = {"BTCUSDT": range(oldest, 350), "ETHUSDT": [*range(oldest, 100), *range(max(oldest, 101), 350)]}
    for name, ids in expected.items():
        assert store.trades(name).id.tolist() == list(ids)
        assert store.trades(name, limit=120, newest=True).id.tolist() == list(range(230, 350))
    bars = store.bars("BTCUSDT", HOUR)
    np.testing.assert_array_equal(np.diff(bars["open_time_ms"]), HOUR.ms)
    assert len(bars) == 48


def assert_done(store: Tape, path: Path) -> None:
    """Everything is sealed, merged and deleted as it would have been without a failure, and nothing is left over."""
    assert_every_trade_once(store)
    assert store.trades("BTCUSDT", limit=1).id.tolist() == [FIRST_DAY_IDS]
    assert [part.row_count for part in store.days() if part.kind == "trades"] == [100, 99, 100, 100]
    assert store.quarantined() == []
    root = path.with_suffix(".days")
    on_disk = {file.relative_to(root) for file in root.rglob("*") if file.is_file()}
    assert on_disk == {part.path for part in store.days()}


def cared_for(open_store: OpenStore, stumble: Any, *, heal_after: int) -> Tape | None:
    """Care for a copy of the tape while something fails; healed after so many failures. None when opening failed."""
    try:
        store = open_store(connect=stumble.connect, disk=stumble, keep_data_days=3, commit_ms=1)
    except (DataFolderError, StoreUnavailable):
        return None
    worker = threading.Thread(target=care, args=(store,))
    worker.start()
    while worker.is_alive():
        worker.join(0.002)
        if stumble.strikes >= heal_after:
            stumble.heal()
    return store


def survived(
    open_store: OpenStore, stumble: Any, prepared: Path, path: Path, fails: Any, *, after: bool, heal_after: int = 10**9
) -> int:
    """Care while something fails, look, open again, look, care without failures; how often something failed."""
    fresh_copy(prepared, path)
    stumble.arm(fails, after=after)
    store = cared_for(open_store, stumble, heal_after=heal_after)
    strikes = int(stumble.strikes)
    stumble.heal()
    if store is not None:
        assert_every_trade_once(store)
        store.close()
    store = open_store(keep_data_days=3, commit_ms=1)
    assert_every_trade_once(store)
    care(store)
    care(store)
    assert_done(store, path)
    store.close()
    return strikes


def operations_of_a_care(open_store: OpenStore, stumble: Any, prepared: Path, path: Path) -> int:
    survived(open_store, stumble, prepared, path, lambda number, name: False, after=False)
    return len(stumble.names)


def test_without_a_failure_all_is_sealed_merged_and_deleted(
    open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    assert operations_of_a_care(open_store, stumble, prepared, path) > 100
    assert {"connect", "make_folder", "sync", "rename", "remove", "stamp", "sha256", "commit"} <= set(stumble.names)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", ["rename", "sync", "remove", "make_folder", "commit", "sha256"])
def test_the_first_of_each_call_that_matters_fails_once(
    name: str, after: bool, open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    struck = False

    def first(_: int, called: str) -> bool:
        nonlocal struck
        strike, struck = called == name and not struck, struck or called == name
        return strike

    assert survived(open_store, stumble, prepared, path, first, after=after) == 1


def test_a_file_in_doubt_when_the_tape_closes_is_judged_when_it_opens(
    open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    """The list says that the file took the place of its rows, but nobody has seen that yet."""
    fresh_copy(prepared, path)
    store = open_store(connect=stumble.connect, disk=stumble, keep_data_days=3, commit_ms=1)
    store.seal(LATER_MS)
    failing = threading.Event()

    def the_commit_of_the_list_and_every_opening(number: int, name: str) -> bool:
        listed = any(before.startswith("insert into parts") for before in stumble.names)
        if name == "connect":
            failing.set()
        return name == "connect" or (name == "commit" and listed and stumble.strikes == 0)

    stumble.arm(the_commit_of_the_list_and_every_opening, after=True)
    worker = threading.Thread(target=care, args=(store,))
    worker.start()
    assert failing.wait(EVENT_S)
    store.close()
    worker.join()
    stumble.heal()
    store = open_store(keep_data_days=3, commit_ms=1)
    assert_every_trade_once(store)
    assert [part.row_count for part in store.days("BTCUSDT") if part.kind == "trades"] != [100, 99]
    care(store)
    care(store)
    assert_done(store, path)


def some(total: int, count: int, seed: int) -> list[int]:
    return random.Random(seed).sample(range(1, total + 1), count)


def test_some_operations_fail_once_or_until_the_disk_heals(
    open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    total = operations_of_a_care(open_store, stumble, prepared, path)
    for place in some(total, 3, seed=1):
        survived(open_store, stumble, prepared, path, lambda n, _, p=place: n == p, after=place % 2 == 0)
        survived(open_store, stumble, prepared, path, lambda n, _, p=place: n >= p, after=place % 2 == 1, heal_after=5)


FULL = """
import asyncio, resource, signal, sys
import numpy as np
from pairscope.feed.judge import Judged
from pathlib import Path
import numpy as np
from pairscope.base.clock import SystemClock
from pairscope.base.interval import DAY_MS
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.store.tape import Tape

def batch(first, count, times):
    ids = np.arange(first, first + count)
    noise = np.random.default_rng(first).random(count)
    return TradeBatch(np.zeros(count, np.int32), ids, times, noise, noise, ids % 2 == 0, ids)

def good(rows):
    return Judged(rows, np.zeros(len(rows), np.uint8)).good()

async def main():
    store = Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock(), commit_ms=1)
    store.symbols.add("BTCUSDT")
    store.put_trades(good(batch(0, 200_000, np.arange(200_000))))
    store.put_trades(good(batch(200_000, 10, np.full(10, DAY_MS + 2 * 3_600_000))))
    await store.flushed()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    report = await asyncio.to_thread(store.seal, 10**15)
    print("full:", report.failed[0], flush=True)
    assert [file for file in store.path.with_suffix(".days").rglob("*") if file.is_file()] == []
    assert store.trades("BTCUSDT").id.tolist() == list(range(200_010))
    assert store.put_trades(good(batch(200_010, 10, np.full(10, DAY_MS + 3 * 3_600_000))))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    report = await asyncio.to_thread(store.seal, 10**15)
    assert (report.files, report.failed) == (1, ())
    await store.flushed()
    assert store.trades("BTCUSDT").id.tolist() == list(range(200_020))
    store.close()
    print("healed", flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_real_file_that_may_not_grow_leaves_the_day_open_until_it_may(path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    assert child.returncode == 0, child.stderr
    assert "full: trades of BTCUSDT, 1970-01-01: " in child.stdout
    assert "healed" in child.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whichever_operation_fails_once(
    after: bool, open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    place, strikes = 0, 1
    while strikes:
        place += 1
        strikes = survived(open_store, stumble, prepared, path, lambda n, _, p=place: n == p, after=after)
    assert place > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_from_whichever_operation_on_everything_fails_until_the_disk_heals(
    after: bool, open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    place, strikes = 0, 1
    while strikes:
        place += 1
        failing = lambda n, _, p=place: n >= p  # noqa: E731
        strikes = survived(open_store, stumble, prepared, path, failing, after=after, heal_after=5)
    assert place > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_operations_fail_the_second_while_recovering_from_the_first(
    open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    total = operations_of_a_care(open_store, stumble, prepared, path)
    chance = random.Random(2)
    for _ in range(300):
        first = chance.randint(1, total)
        both = {first, first + chance.randint(1, 12)}
        survived(open_store, stumble, prepared, path, lambda n, _, p=both: n in p, after=chance.random() < 0.5)
