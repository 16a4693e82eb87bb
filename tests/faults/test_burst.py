"""A burst of trades costs time and no memory: the socket is read more slowly, and nothing is shed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.faults.flood import SYMBOLS
from tests.faults.recorder import Recorder, opened, until
from tests.patience import WORK_S

WARM = 60_000
MOST_MB = 64
ROOT = Path(__file__).parent.parent.parent


class Flooding:
    """The exchange of `flood.py` in its own process."""

    def __init__(self, *waves: int) -> None:
        command = [sys.executable, "-m", "tests.faults.flood", *map(str, waves)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        self.ws_url = self._process.stdout.readline().strip()

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def end(self) -> None:
        with self._process:
            self._process.kill()


async def flooded(path: Path, trades: int) -> float:
    """Growth of resident memory at its highest, in MB."""
    exchange = await asyncio.to_thread(Flooding, WARM, trades)
    try:
        with opened(path) as store:
            recorder = Recorder(exchange.ws_url, "http://127.0.0.1:9", store, SYMBOLS)
            counters = recorder.intake.counters
            async with recorder.running(backfill=False):
                await until(lambda: recorder.stream.health.frames > 0)  # it is subscribed
                exchange.go()
                await until(lambda: counters.stored == WARM)
                await store.flushed()
                process = psutil.Process()
                before = highest = process.memory_info().rss
                exchange.go()
                async with asyncio.timeout(WORK_S):
                    while counters.stored < WARM + trades:
                        await asyncio.sleep(0.02)
                        highest = max(highest, process.memory_info().rss)
                await store.flushed()
            assert (counters.received, counters.refused, counters.duplicates) == (WARM + trades, 0, 0)
            assert recorder.tracker.all_open() == []
            assert sum(len(store.trades(symbol)) for symbol in SYMBOLS) == WARM + trades
    finally:
        exchange.end()
    return (highest - before) / 2**20


async def test_a_burst_grows_memory_little_and_sheds_no_trade(tmp_path: Path) -> None:
    grown_mb = await flooded(tmp_path / "tape.duckdb", 100_000)
    assert grown_mb < MOST_MB


@pytest.mark.slow
async def test_a_minute_of_ten_times_the_usual_at_once_grows_memory_by_less_than_64_mb(tmp_path: Path) -> None:
    """60 s at 5,000 trades/s, as fast as they can be sent."""
    grown_mb = await flooded(tmp_path / "tape.duckdb", 300_000)
    assert grown_mb < MOST_MB
