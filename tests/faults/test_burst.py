"""A burst of trades costs time and no memory: the socket is read more slowly, and nothing is shed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeKind
from pairscope.feed.binance.protocol import Decoded
from pairscope.feed.binance.stream import TradeStream
from pairscope.feed.continuity import ContinuityTracker
from pairscope.live.book import BarBook
from pairscope.live.intake import Intake
from pairscope.live.state import Live
from tests.faults.flood import SYMBOLS
from tests.faults.recorder import INTERVALS, opened, until

WARM = 60_000
ROOT = Path(__file__).parent.parent.parent


async def flooded(path: Path, trades: int) -> tuple[float, float]:
    """Growth of resident memory at its highest, in MB, and trades a second."""
    command = [sys.executable, "-m", "tests.faults.flood", str(WARM), str(trades)]
    with (
        opened(path) as store,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as exchange,
    ):
        assert exchange.stdin is not None
        assert exchange.stdout is not None
        url = (await asyncio.to_thread(exchange.stdout.readline)).strip()
        for symbol in SYMBOLS:
            store.symbols.add(symbol)
        book = BarBook(INTERVALS, 6_000)
        live = Live(symbols=store.symbols, book=book, pairs=[], reader=store)
        tracker = ContinuityTracker(store.symbols)
        intake = Intake(store=store, tracker=tracker, book=book, live=live, clock=SystemClock())

        def sink(decoded: Decoded) -> None:
            assert intake.take(decoded.trades, decoded.keep)

        stream = TradeStream(
            base_url=url, kind=TradeKind.AGG, watch=SYMBOLS, symbols=store.symbols, clock=SystemClock(), sink=sink
        )
        task = asyncio.create_task(stream.run())
        try:
            await until(lambda: stream.health.frames > 0, 30)  # subscribed
            process = psutil.Process()
            exchange.stdin.write("go\n")
            exchange.stdin.flush()
            await until(lambda: intake.counters.stored == WARM, 60)
            await store.flushed()
            before, highest = process.memory_info().rss, 0
            began_s = time.monotonic()
            exchange.stdin.write("go\n")
            exchange.stdin.flush()
            while intake.counters.stored < WARM + trades:
                await asyncio.sleep(0.02)
                highest = max(highest, process.memory_info().rss)
                assert time.monotonic() - began_s < 120, intake.counters
            rate = trades / (time.monotonic() - began_s)
            await store.flushed()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            exchange.kill()
        counters = intake.counters
        assert (counters.received, counters.refused, counters.duplicates) == (WARM + trades, 0, 0)
        assert tracker.all_open() == []
        assert store.counters().trades_committed == WARM + trades
        assert sum(len(store.trades(symbol)) for symbol in SYMBOLS) == WARM + trades
    return (highest - before) / 2**20, rate


async def test_a_burst_grows_memory_little_and_sheds_no_trade(tmp_path: Path) -> None:
    grown_mb, rate = await flooded(tmp_path / "tape.duckdb", 100_000)
    print(grown_mb)
    assert grown_mb < 64
    assert rate > 10_000


@pytest.mark.slow
async def test_a_minute_of_ten_times_the_usual_at_once_grows_memory_by_less_than_64_mb(tmp_path: Path) -> None:
    """60 s at 5,000 trades/s, as fast as they can be sent."""
    grown_mb, _ = await flooded(tmp_path / "tape.duckdb", 300_000)
    print(grown_mb)
    assert grown_mb < 64
