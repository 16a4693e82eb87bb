"""`kill -9` of the whole program at random moments, in the middle of starting and of recovering too."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from pairscope.bars.memory import CLOSING_GRACE_MS
from pairscope.bars.rebuild import VALUES, rebuild_bars
from pairscope.base.clock import SystemClock
from pairscope.base.id_ranges import holes, run, runs_of, union
from pairscope.base.interval import Interval
from pairscope.base.model import BarStatus, TradeKind
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.store.tape import Tape
from tests import prepared
from tests.loopback import get
from tests.patience import STOP_S, within

SEED = 7
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
INTERVALS = [Interval.parse(text) for text in ("1s", "5s", "1m", "5m")]


LIVE_TRADES = 30  # heard in the end: a second or two of the market, so that bars are made of them too


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    prepared.be_ready()


class Program:
    """`pairscope run` on the simulated market, in a process of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: int = taken.getsockname()[1]
        flags = ["--source", "simulator", "--symbols", ",".join(SYMBOLS), "--port", str(self.port)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PAIRSCOPE_")}
        environment |= {"PAIRSCOPE_SIMULATOR_SEED": str(SEED), "PAIRSCOPE_HISTORY_MINUTES": "3"}
        environment |= {f"PAIRSCOPE_{name.upper()}": value for name, value in settings.items()}
        self._log = folder.parent / "log.txt"
        with self._log.open("wb") as log:
            self._process = prepared.start(
                "-m", "pairscope", "run", "--data-dir", str(folder), *flags, stdout=log, stderr=log, env=environment
            )

    def until(self, condition: Callable[[Any], bool], seconds: float) -> None:
        """Until its status fulfils a condition."""
        deadline_s = time.monotonic() + within(seconds)
        while time.monotonic() < deadline_s:
            assert self._process.poll() is None, self._log.read_text()
            try:
                status = get(f"http://127.0.0.1:{self.port}/status")
                if status.is_success and condition(status.json()):
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)  # another process: there is nothing to await
        raise AssertionError(f"not within {seconds} s: {self._log.read_text()[-3_000:]}")

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        self._process.send_signal(how)
        self._process.wait(STOP_S)


def ids_missing(status: Any) -> int:
    return sum(symbol["ids_missing"] for symbol in status["symbols"])


@contextmanager
def tape(folder: Path) -> Iterator[Tape]:
    (path,) = folder.rglob("tape.duckdb")
    store = Tape.open(path, kind=TradeKind.AGG, clock=SystemClock())
    try:
        yield store
    finally:
        store.close()


def assert_nothing_is_missing_without_a_word(store: Tape) -> None:
    """Right after a kill a gap row may say too much, never too little."""
    for symbol in store.symbols:
        ids = store.trades(symbol).id
        assert len(np.unique(ids)) == len(ids), f"{symbol}: an id is on the tape twice"
        gaps = [run(gap.first_id, gap.last_id) for gap in store.gaps(symbol, open_only=True)]
        assert not len(holes(union(runs_of(ids), *gaps))), f"{symbol}: ids are missing without a word"


TAKEN_LAST_MS = 2_000  # of trades that a busy process took after it had closed bars for the last time


def assert_complete(store: Tape) -> None:
    """Once everything was fetched: the tape is the market, and its bars are those of its trades.

    A bar is partial where listening began, and where it ended before anything told that the bar was over.
    """
    market = SimulatedMarket(SEED)
    ended_ms = max(int(store.trades(symbol, limit=1, newest=True).time_ms[0]) for symbol in SYMBOLS)
    for symbol in SYMBOLS:
        stored = store.trades(symbol)
        truth = market.by_id(symbol, int(stored.id[0]), len(stored))
        for column in ("id", "time_ms", "price", "size", "buyer_is_maker"):
            np.testing.assert_array_equal(getattr(stored, column), getattr(truth, column), f"{symbol} {column}")
        assert store.gaps(symbol, open_only=True) == []
        last_ms = int(stored.time_ms.max())
        first, last = (int(stored.id[0]), int(stored.time_ms[0])), (int(stored.id[-1]), last_ms)
        for interval in INTERVALS:
            bars = store.bars(symbol, interval)
            over_ms = ended_ms - CLOSING_GRACE_MS - (interval.floor(last_ms) + interval.ms)
            heard_to_its_end = over_ms >= 0
            if 0 <= over_ms < TAKEN_LAST_MS:  # a process that is told to end closes no bar any more
                heard_to_its_end = bars["status"][-1] != BarStatus.PARTIAL
            wanted = rebuild_bars([stored], [interval], [], [first] if heard_to_its_end else [first, last])
            for name in VALUES:
                np.testing.assert_array_equal(bars[name], wanted[name], f"{symbol} {interval} {name}")
            np.testing.assert_array_equal(bars["status"] == BarStatus.PARTIAL, bars["cut"] != 0)


def killed_often(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(kills):
        program = Program(folder)
        if number % 5 == 1:  # while it starts, and goes on from what the last kill left
            time.sleep(chance.uniform(0, 1.5))
        else:
            program.until(lambda status: status["feed"]["trades"] > 0, 60)
            time.sleep(chance.uniform(0, 1.0))
        program.end()
        if number % 5 == 0:
            with tape(folder) as store:
                assert_nothing_is_missing_without_a_word(store)
    program = Program(folder)
    program.until(lambda status: status["feed"]["trades"] > LIVE_TRADES and not ids_missing(status), 120)
    time.sleep(1.5)  # what was filled last is being written
    program.end(signal.SIGINT)
    with tape(folder) as store:
        assert_nothing_is_missing_without_a_word(store)
        assert_complete(store)


def test_a_kill_and_one_of_what_recovers_from_it_lose_and_double_nothing(tmp_path: Path) -> None:
    killed_often(tmp_path / "data", 2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_two_hundred_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    killed_often(tmp_path / "data", 200, seed=2)
