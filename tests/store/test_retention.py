from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, Gap, TradeBatch
from pairscope.store.tape import Tape
from tests.judged import good

OpenStore = Callable[..., Tape]
DayTrades = Callable[..., TradeBatch]
HourBars = Callable[..., BarArray]

ZERO_MS = 20_000 * DAY_MS
LATER_MS = ZERO_MS + 1_000 * DAY_MS
HOUR = Interval(3_600_000)


@pytest.fixture
async def ten_days(open_store: OpenStore, day_trades: DayTrades, hour_bars: HourBars) -> Tape:
    """Ten days of 100 trades and 24 bars; nothing is sealed. Two days of trades are kept, four of bars."""
    store = open_store(commit_ms=1, keep_data_days=2, keep_bar_days=4)
    for day in range(10):
        assert store.put_trades(good(day_trades(day, 100 * day, 100)))
        assert store.put_bars(hour_bars(day))
    await store.flushed()
    return store


def files(store: Tape) -> list[str]:
    root = store.path.with_suffix(".days")
    return sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())


@pytest.mark.parametrize("sealed", [True, False])
async def test_old_days_go_from_files_and_from_the_open_table(sealed: bool, ten_days: Tape) -> None:
    store = ten_days
    if sealed:
        assert store.seal(LATER_MS) is not None
    report = store.retain(LATER_MS)
    assert report is not None
    assert (report.files, report.trades, report.bars) == ((12, 0, 0) if sealed else (0, 700, 5 * 24))
    assert store.trades("BTCUSDT").id.tolist() == list(range(700, 1_000))
    assert store.bars("BTCUSDT", HOUR)["open_time_ms"][0] == ZERO_MS + 5 * DAY_MS
    assert store.retain(LATER_MS) is None
    if sealed:
        assert len(files(store)) == 2 + 4
        assert not (store.path.with_suffix(".days") / "trades" / "date=2024-10-04").exists()


async def test_a_clock_that_jumps_ahead_deletes_nothing_and_one_that_lags_deletes_less(ten_days: Tape) -> None:
    store = ten_days
    assert store.retain(ZERO_MS + 2 * DAY_MS) is None
    report = store.retain(ZERO_MS + 3 * DAY_MS)
    assert report is not None
    assert report.trades == 100
    store.retain(ZERO_MS + 10_000 * DAY_MS)
    assert len(store.trades("BTCUSDT")) == 300


async def test_gaps_go_with_their_days(ten_days: Tape) -> None:
    store = ten_days
    old = Gap("BTCUSDT", 50, 59, 1, GapReason.DISCONNECTED, after_ms=ZERO_MS, before_ms=ZERO_MS + 1)
    new = Gap("BTCUSDT", 950, 959, 1, GapReason.DISCONNECTED, after_ms=ZERO_MS, before_ms=ZERO_MS + 9 * DAY_MS)
    timeless = Gap("BTCUSDT", 5, 5, 1, GapReason.START)
    store.put_gaps([old, new, timeless])
    await store.flushed()
    report = store.retain(LATER_MS)
    assert report is not None
    assert report.gaps == 1
    assert store.gaps() == [timeless, new]


async def test_the_quarantine_is_kept_as_long_as_the_days_it_comes_from(ten_days: Tape) -> None:
    store = ten_days
    store.seal(LATER_MS)
    first, *_, last = [part for part in store.days() if part.kind == "trades"]
    for part in (first, last):
        file = store.path.with_suffix(".days") / part.path
        file.write_bytes(b"x" * part.byte_count)
    store.sweep()
    assert len(store.quarantined()) == 2
    assert store.disk_use().quarantine_bytes == first.byte_count + last.byte_count
    store.retain(LATER_MS)
    assert [part.number for part in store.quarantined()] == [last.number]
    assert [name for name in files(store) if name.startswith("quarantine")] == [
        f"quarantine/trades_date={last.day}_venue=BINANCE_symbol=BTCUSDT_{last.number}.parquet"
    ]


async def test_the_use_of_the_disk_is_told_by_kind(ten_days: Tape) -> None:
    store = ten_days
    before = store.disk_use()
    assert (before.trades_bytes, before.bars_bytes, before.quarantine_bytes) == (0, 0, 0)
    assert before.open_bytes > 0
    assert before.free_bytes > 0
    store.seal(LATER_MS)
    use = store.disk_use()
    sizes = {
        kind: sum(file.stat().st_size for file in (store.path.with_suffix(".days") / kind).rglob("*.parquet"))
        for kind in ("trades", "bars")
    }
    assert (use.trades_bytes, use.bars_bytes) == (sizes["trades"], sizes["bars"])
    assert use.total_bytes == use.open_bytes + sizes["trades"] + sizes["bars"]


async def test_a_tape_of_bars_alone_is_kept_by_the_time_of_its_bars(open_store: OpenStore, hour_bars: HourBars) -> None:
    store = open_store(keep_bar_days=1)
    store.put_bars(np.concatenate([hour_bars(day) for day in range(5)]))
    await store.flushed()
    report = store.retain(LATER_MS)
    assert report is not None
    assert (report.bars, len(store.bars("BTCUSDT", HOUR))) == (72, 48)


async def test_an_empty_tape_keeps_quiet(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    assert store.seal(LATER_MS) is None
    assert store.retain(LATER_MS) is None
    assert store.sweep() == 0
    assert store.days() == store.quarantined() == []
    assert not path.with_suffix(".days").exists()
