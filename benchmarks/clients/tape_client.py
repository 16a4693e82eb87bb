"""A tape of several days in a process of its own.

``fill FOLDER TRADES RATE`` records a simulated market day by day, seals each when it is over, and stops in the middle
of the fourth one; ``open FOLDER`` opens what is there, asks, and tells how long that took.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.clients.watch import Watch
from benchmarks.judged import good
from benchmarks.processes import BenchmarkError, say
from pairscope.bars.rebuild import rebuild_bars
from pairscope.base.clock import SystemClock
from pairscope.base.interval import DAY_MS
from pairscope.base.logs import set_up_logs
from pairscope.base.model import BarStatus, TradeBatch, TradeKind
from pairscope.base.settings_sources import load_settings
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.store.tape import Tape

FIRST_DAY_MS = 20_600 * DAY_MS
SEALED_DAYS = 3
OVER_MS = 65 * 60_000  # how far into the next day a day is sealed
FAR_MS = 10**15
BATCH = 20_000
FRAME_NS = (1_000, 5_000)  # between two frames of a burst
BARS = 50_000
NEWEST = 1_000
SEED = 1


def recorded(market: SimulatedMarket, store: Tape, from_ms: int, to_ms: int) -> Iterator[TradeBatch]:
    """Trades of each symbol, as they would have arrived: some ms after the exchange sent them, one after the other."""
    chance = np.random.default_rng(from_ms)
    for symbol in market.listings:
        trades = market.trades(symbol, from_ms, to_ms)
        lag_ns = chance.gamma(2, 2e6, len(trades)).astype(np.int64)
        after_the_last_ns = np.cumsum(chance.integers(*FRAME_NS, len(trades)))
        arrival_ns = np.maximum.accumulate(trades.flush_ms * 1_000_000 + lag_ns - after_the_last_ns) + after_the_last_ns
        symbol_id = np.full(len(trades), store.symbols.add(symbol), np.int32)
        yield TradeBatch(
            symbol_id, trades.id, trades.time_ms, trades.price, trades.size, trades.buyer_is_maker, arrival_ns
        )


async def put(store: Tape, trades: TradeBatch) -> None:
    """Trades, and the bars of their time."""
    for start in range(0, len(trades), BATCH):
        while not store.put_trades(good(trades.take(np.arange(start, min(start + BATCH, len(trades)))))):
            await store.flushed()
    bars = rebuild_bars([trades], load_settings({}, environment={}).interval_list(), [])
    bars["symbol_id"], bars["status"] = trades.symbol_id[0], BarStatus.CLOSED
    for start in range(0, len(bars), BARS):
        while not store.put_bars(bars[start : start + BARS]):
            await store.flushed()
    await store.flushed()


async def fill(path: Path, trades: int, rate: float) -> None:
    store = Tape.open(path, kind=TradeKind.AGG, clock=SystemClock())
    market = SimulatedMarket(SEED, rate)
    left, from_ms = trades, FIRST_DAY_MS
    for number in range(1, SEALED_DAYS + 1):
        to_ms = FIRST_DAY_MS + number * DAY_MS + OVER_MS
        for batch in recorded(market, store, from_ms, to_ms):
            left -= len(batch)
            await put(store, batch)
        before, watch, from_ms = store.disk_use(), Watch(), to_ms
        with watch.running():
            report = store.seal(FAR_MS)
        if report is None or report.failed:
            raise BenchmarkError(f"not sealed: {report}")
        use = store.disk_use()
        say(
            "sealed",
            trades=report.trades,
            bars=report.bars,
            files=report.files,
            took_s=watch.took_s,
            cpu_s=watch.cpu_s,
            trades_bytes=use.trades_bytes - before.trades_bytes,
            bars_bytes=use.bars_bytes - before.bars_bytes,
        )
    while left > 0:  # the day that is still open, an hour at a time
        for batch in recorded(market, store, from_ms, from_ms + 3_600_000):
            own = batch.take(np.arange(min(left, len(batch))))
            if len(own):
                left -= len(own)
                await put(store, own)
        from_ms += 3_600_000
    say("filled", open_bytes=store.disk_use().open_bytes, trades=sum(each.trades for each in store.holdings()))
    await asyncio.Event().wait()  # until it is killed


def open_and_ask(path: Path) -> None:
    symbols = list(SimulatedMarket(SEED).listings)
    clock, watch = SystemClock(), Watch()
    with watch.running():
        store = Tape.open(path, kind=TradeKind.AGG, clock=clock)
        opened_s = watch.so_far_s()
        store.last_trades()
        newest = [store.trades(symbol, limit=NEWEST, newest=True) for symbol in symbols]
    assert all(len(trades) == NEWEST for trades in newest)
    sealed_ms = [_read_ms(store, symbols[0]) for _ in range(2)]
    say(
        "opened",
        opened_s=opened_s,
        took_s=watch.took_s,
        cpu_s=watch.cpu_s,
        first_ms=sealed_ms[0],
        again_ms=sealed_ms[1],
    )
    store.close()


def _read_ms(store: Tape, symbol: str) -> float:
    """To read an hour of a sealed day."""
    began_s, from_ms = time.monotonic(), FIRST_DAY_MS + DAY_MS // 2
    assert len(store.trades(symbol, from_ms=from_ms, to_ms=from_ms + 3_600_000))
    return (time.monotonic() - began_s) * 1_000


def main() -> None:
    set_up_logs("error", None)
    what, folder, *numbers = sys.argv[1:]
    path = Path(folder) / "tape.duckdb"
    if what == "fill":
        asyncio.run(fill(path, int(numbers[0]), float(numbers[1])))
    else:
        open_and_ask(path)


if __name__ == "__main__":
    main()
