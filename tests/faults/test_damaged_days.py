"""A sealed day whose file rots is fetched again from the exchange, over a real socket, and sealed again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.interval import DAY_MS
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.store.sealing import GRACE_MS
from pairscope.store.tape import Tape
from tests.faults.recorder import Recorder, opened, until

SYMBOL = "BTCUSDT"
MIDNIGHT_MS = 20_800 * DAY_MS
STARTS_MS = MIDNIGHT_MS + GRACE_MS + 300_000  # the day before is over
BEFORE_MIDNIGHT_MS = 600_000


class ShiftedClock(SystemClock):
    """The exchange's, and ours: it is shortly after one o'clock at the start of a test."""

    def __init__(self) -> None:
        self._shift_ns = STARTS_MS * 1_000_000 - super().now_ns()

    def now_ns(self) -> int:
        return super().now_ns() + self._shift_ns


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(content)


@asynccontextmanager
async def recording(
    exchange: SimulatedExchange, store: Tape, clock: ShiftedClock, from_id: int | None = None
) -> AsyncIterator[Recorder]:
    """A recorder that goes on from an id, and has all there is when it begins."""
    recorder = Recorder(exchange.ws_url, exchange.rest_url, store, [SYMBOL], never_heard_s=60, clock=clock)
    loop = asyncio.get_running_loop()
    store.ids_lost.listen(lambda gaps: loop.call_soon_threadsafe(recorder.intake.lose, gaps))
    async with recorder.running():
        if from_id is not None:
            recorder.tracker.restore(0, from_id - 1, 0)
        await complete(recorder)
        yield recorder


async def complete(recorder: Recorder) -> None:
    await recorder.more(2)  # the first live trade shows what is missing before it
    await until(lambda: not recorder.backfill.waiting)
    await until(lambda: not recorder.store.gaps(open_only=True))
    await recorder.store.flushed()


def last_day(store: Tape) -> tuple[int, Path]:
    """The number and the file of the sealed trades."""
    (part,) = (part for part in store.days() if part.kind == "trades")
    return part.number, store.path.with_suffix(".days") / part.path


async def seal(store: Tape) -> None:
    """Twice, because late trades wait until no more come."""
    for _ in range(2):
        await asyncio.to_thread(store.seal, STARTS_MS + DAY_MS)


@pytest.mark.parametrize("restarted", [False, True], ids=["while_it_runs", "while_it_is_closed"])
@pytest.mark.parametrize("harm", [cut_short, flip_a_bit], ids=lambda harm: harm.__name__)
async def test_a_damaged_day_is_set_aside_and_refilled(
    tmp_path: Path, harm: Callable[[Path], None], restarted: bool
) -> None:
    path, market, clock = tmp_path / "tape.duckdb", SimulatedMarket(seed=3, rate=0.2), ShiftedClock()
    from_id = market.first_id_at(SYMBOL, MIDNIGHT_MS - BEFORE_MIDNIGHT_MS)
    async with SimulatedExchange(MarketSource(market, clock), clock=clock, weight_per_minute=100_000) as exchange:
        with opened(path, commit_ms=20, clock=clock) as store:
            async with recording(exchange, store, clock, from_id) as recorder:
                await seal(store)
                number, file = last_day(store)
                if not restarted:
                    harm(file)
                    await found_and_refilled(store, recorder, number)
            await assert_whole(store, recorder, market)
        if restarted:
            harm(file)
            with opened(path, commit_ms=20, clock=clock) as store:
                async with recording(exchange, store, clock) as recorder:
                    await found_and_refilled(store, recorder, number)
                await assert_whole(store, recorder, market)


async def found_and_refilled(store: Tape, recorder: Recorder, number: int) -> None:
    """Nobody reads the file: the sweep finds what is wrong with it."""
    await asyncio.to_thread(store.sweep)
    await until(lambda: [part.number for part in store.quarantined()] == [number])
    await until(lambda: any(gap.reason == "file_damaged" for gap in store.gaps()))
    await complete(recorder)
    await seal(store)
    assert last_day(store)[0] > number


async def assert_whole(store: Tape, recorder: Recorder, market: SimulatedMarket) -> None:
    """Every trade since the first one, those of the sealed day included, and the bars they make."""
    await store.flushed()
    first = store.trades(SYMBOL, limit=1)
    assert int(first.time_ms[0]) // DAY_MS < MIDNIGHT_MS // DAY_MS
    await asyncio.to_thread(recorder.assert_true, market)
