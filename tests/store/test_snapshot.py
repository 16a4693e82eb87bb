"""A copy of a tape at one moment stays as it was, whatever becomes of the tape."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.errors import FileNotWritten
from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, Gap, TradeBatch
from pairscope.feed.judge import GoodTrades
from pairscope.store.read_only import ReadOnlyTape
from pairscope.store.tape import Tape

OpenStore = Callable[..., Tape]
HOUR = Interval(3_600_000)
LATER_MS = 21_000 * DAY_MS


async def test_a_snapshot_holds_what_the_tape_held_and_goes_on_holding_it(
    open_store: OpenStore, day_trades: Callable[..., GoodTrades], hour_bars: Callable[..., BarArray], tmp_path: Path
) -> None:
    store = open_store(keep_data_days=2, keep_bar_days=2)
    for day in range(4):
        store.put_trades(day_trades(day, 100 * day, 100))
        store.put_bars(hour_bars(day))
    store.put_gaps([Gap("BTCUSDT", 1_000, 1_010, 1, GapReason.START)])
    await store.flushed()
    store.seal(LATER_MS)
    store.put_trades(day_trades(9, 900, 50))
    await store.flushed()
    held, bars, gaps = store.trades("BTCUSDT"), store.bars("BTCUSDT", HOUR), store.gaps()
    assert store.days()
    path = store.snapshot(tmp_path / "copy", [0])
    store.put_trades(day_trades(9, 950, 50))
    await store.flushed()
    store.retain(LATER_MS)
    assert len(store.trades("BTCUSDT")) < len(held)
    copy = ReadOnlyTape.look(path, clock=SystemClock(), memory_limit_mb=64)
    found: TradeBatch = copy.trades("BTCUSDT")
    for name in ("id", "time_ms", "price", "size"):
        np.testing.assert_array_equal(getattr(found, name), getattr(held, name), name)
    np.testing.assert_array_equal(copy.bars("BTCUSDT", HOUR), bars)
    assert copy.gaps() == gaps
    assert copy.quarantined() == []
    copy.close()


async def test_only_the_symbols_that_are_asked_for_are_copied(
    open_store: OpenStore, trades: Callable[..., GoodTrades], tmp_path: Path
) -> None:
    from tests.judged import good

    store = open_store()
    store.put_trades(good(trades(1, 10)))
    store.put_trades(good(trades(1, 10, symbol_id=1)))
    await store.flushed()
    for number, symbol_ids in enumerate(([1], [0, 1], [])):
        path = store.snapshot(tmp_path / str(number), symbol_ids)
        copy = ReadOnlyTape.look(path, clock=SystemClock(), memory_limit_mb=64)
        assert [holding.symbol_id for holding in copy.holdings()] == symbol_ids
        assert list(copy.symbols) == list(store.symbols)
        copy.close()


def test_a_folder_that_cannot_be_made_is_told_and_the_tape_goes_on(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    (tmp_path / "file").touch()
    with pytest.raises(FileNotWritten):
        store.snapshot(tmp_path / "file" / "copy", [0])
    assert os.listdir(tmp_path / "data")
    assert store.holdings() == []
