"""Files that are cut short, changed or gone are noticed before they are read, set aside, and become gaps."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from pairscope.base.errors import DataFolderError, StoreUnavailable
from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, Gap, TradeBatch
from pairscope.base.notifier import Notifier
from pairscope.store.sealed_catalog import Part
from pairscope.store.tape import Tape
from tests.judged import good
from tests.patience import EVENT_S

OpenStore = Callable[..., Tape]
DayTrades = Callable[..., TradeBatch]
HourBars = Callable[..., BarArray]
Harm = Callable[[Path], None]

LATER_MS = 21_000 * DAY_MS


async def put(store: Tape, *batches: TradeBatch) -> None:
    for batch in batches:
        assert store.put_trades(good(batch))
    await store.flushed()


def file_of(store: Tape, part: Part) -> Path:
    return store.path.with_suffix(".days") / part.path


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip_a_bit(file: Path, place: float = 0.3) -> None:
    content = bytearray(file.read_bytes())
    content[int(len(content) * place)] ^= 4
    file.write_bytes(content)


def flip_a_bit_without_a_trace(file: Path) -> None:
    """As a disk does it: the time of change stays."""
    before = file.stat()
    flip_a_bit(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_empty(file: Path) -> None:
    os.truncate(file, 0)


def take_away(file: Path) -> None:
    file.unlink()


HARMS = [cut_short, flip_a_bit, flip_a_bit_without_a_trace, make_empty, take_away]
by_name = pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)


@pytest.fixture
async def sealed(open_store: OpenStore, day_trades: DayTrades) -> Tape:
    """A tape with two sealed days of 100 trades and an open one of 10."""
    store = open_store(commit_ms=1)
    await put(store, day_trades(0, 0, 100), day_trades(1, 100, 100), day_trades(2, 200, 10, hours=(0, 5)))
    assert store.seal(LATER_MS) is not None
    return store


def told(store: Tape) -> list[Gap]:
    """The gaps in the table when everything noticed has been written down, as it is after any care."""
    store.sweep(0)
    return store.gaps()


def assert_set_aside(store: Tape, part: Part, gaps: list[Gap]) -> None:
    assert [(gap.symbol, gap.first_id, gap.last_id, gap.reason) for gap in gaps] == [
        ("BTCUSDT", 100, 199, "file_damaged")
    ]
    assert gaps[0].after_ms == part.first_ms
    assert gaps[0].before_ms == part.last_ms
    (lost,) = store.quarantined()
    assert (lost.number, lost.row_count) == (part.number, 100)
    assert lost.damage
    assert [p.number for p in store.days()] == [1]
    assert not file_of(store, part).exists()


@by_name
async def test_harm_done_while_the_tape_is_closed_is_known_before_the_first_read(
    harm: Harm, sealed: Tape, open_store: OpenStore
) -> None:
    part = sealed.days()[1]
    sealed.close()
    harm(file_of(sealed, part))
    store = open_store()
    assert store.trades("BTCUSDT").id.tolist() == [*range(100), *range(200, 210)]
    assert_set_aside(store, part, told(store))
    assert store.last_trades() == {0: (209, int(store.trades("BTCUSDT").time_ms[-1]))}


@pytest.mark.parametrize("harm", [cut_short, make_empty, take_away], ids=lambda harm: harm.__name__)
async def test_a_file_of_another_length_is_a_gap_when_the_tape_has_opened(
    harm: Harm, sealed: Tape, open_store: OpenStore
) -> None:
    part = sealed.days()[1]
    sealed.close()
    harm(file_of(sealed, part))
    assert [(gap.first_id, gap.last_id) for gap in open_store().gaps(open_only=True)] == [(100, 199)]


@pytest.mark.parametrize("harm", [cut_short, flip_a_bit, make_empty, take_away], ids=lambda harm: harm.__name__)
async def test_harm_done_between_two_reads_is_known_before_the_second(harm: Harm, sealed: Tape) -> None:
    part = sealed.days()[1]
    assert len(sealed.trades("BTCUSDT")) == 210
    harm(file_of(sealed, part))
    assert len(sealed.trades("BTCUSDT")) == 110
    assert_set_aside(sealed, part, told(sealed))


async def test_rot_that_nobody_asks_for_is_found_by_the_sweep(sealed: Tape) -> None:
    part = sealed.days()[1]
    assert len(sealed.trades("BTCUSDT")) == 210
    flip_a_bit_without_a_trace(file_of(sealed, part))
    sizes = [p.byte_count for p in sealed.days()]
    assert sealed.sweep(1) == sizes[0]
    assert sealed.quarantined() == []
    assert sealed.sweep(1) == sizes[1]
    assert_set_aside(sealed, part, told(sealed))
    assert sealed.sweep(1) == sealed.sweep(1) == sizes[0]


async def test_every_bit_of_a_file_counts(sealed: Tape) -> None:
    """Two hundred places of the file, its footer among them: none can be changed unnoticed."""
    part = sealed.days()[1]
    good = file_of(sealed, part).read_bytes()
    sealed_files = sealed._days.sealed_files
    sealed_files.damaged = Notifier()  # nobody hears of it
    for place in np.linspace(0, len(good) - 1, 200).astype(int).tolist():
        content = bytearray(good)
        content[place] ^= 1 << place % 8
        file_of(sealed, part).write_bytes(content)
        assert not sealed_files.trusts_after_hashing(part)
        sealed_files._damaged.clear()
    file_of(sealed, part).write_bytes(good)
    assert sealed_files.trusts_after_hashing(part)


async def test_who_asked_is_told_of_the_gaps_when_they_are_in_the_table(sealed: Tape) -> None:
    heard: list[Gap] = []
    called = threading.Event()

    def hear(gaps: Any) -> None:
        assert sealed.gaps() == list(gaps)
        heard.extend(gaps)
        called.set()

    sealed.ids_lost.listen(hear)
    take_away(file_of(sealed, sealed.days()[0]))
    sealed.trades("BTCUSDT", limit=1)
    assert await asyncio.to_thread(called.wait, 5)
    assert [(gap.first_id, gap.last_id) for gap in heard] == [(0, 99)]


async def test_only_ids_that_are_nowhere_else_become_gaps(sealed: Tape, day_trades: DayTrades) -> None:
    """The damaged file holds 10–99 and a hole; late trades for it are in the open table; the hole stays its own."""
    store = sealed
    hole = Gap("ETHUSDT", 50, 59, 1, GapReason.DISCONNECTED)
    own = day_trades(0, 10, 90, symbol_id=1)
    store.put_gaps([hole, Gap("ETHUSDT", 5, 9, 1, GapReason.START, closed_ms=2)])
    await put(store, own.take((own.id < 50) | (own.id > 59)), day_trades(1, 100, 5, symbol_id=1))
    assert store.seal(LATER_MS) is not None
    late = own.take(np.isin(own.id, [52, 53]))
    store.put_gaps(
        [Gap("ETHUSDT", 50, 51, 1, GapReason.DISCONNECTED), Gap("ETHUSDT", 54, 59, 1, GapReason.DISCONNECTED)]
    )
    await put(store, late)
    (part, _) = store.days("ETHUSDT")
    assert (part.first_id, part.last_id, part.row_count) == (10, 99, 80)
    take_away(file_of(store, part))
    assert store.trades("ETHUSDT").id.tolist() == [52, 53, *range(100, 105)]
    told(store)
    holes = [(gap.first_id, gap.last_id, gap.reason) for gap in store.gaps("ETHUSDT", open_only=True)]
    assert holes == [
        (10, 49, "file_damaged"),
        (50, 51, "disconnected"),
        (54, 59, "disconnected"),
        (60, 99, "file_damaged"),
    ]


async def test_a_day_that_is_fetched_again_is_sealed_again(
    sealed: Tape, open_store: OpenStore, day_trades: DayTrades
) -> None:
    take_away(file_of(sealed, sealed.days()[1]))
    assert len(sealed.trades("BTCUSDT")) == 110
    (gap,) = told(sealed)
    await put(sealed, day_trades(1, 100, 100))
    assert sealed.seal(LATER_MS) is not None
    assert [(part.number, part.row_count) for part in sealed.days()] == [(1, 100), (3, 100)]
    assert sealed.trades("BTCUSDT").id.tolist() == list(range(210))
    sealed.close()
    assert open_store().trades("BTCUSDT").id.tolist() == list(range(210))
    assert gap.ids == 100


async def test_a_damaged_file_of_bars_is_set_aside_and_makes_no_gap(
    sealed: Tape, day_trades: DayTrades, hour_bars: HourBars
) -> None:
    sealed.put_bars(hour_bars(0))
    await sealed.flushed()
    assert sealed.seal(LATER_MS) is not None
    (part,) = [part for part in sealed.days() if part.kind == "bars"]
    cut_short(file_of(sealed, part))
    assert len(sealed.bars("BTCUSDT", Interval(3_600_000))) == 0
    assert told(sealed) == []
    assert [(lost.kind, lost.day, lost.interval_ms) for lost in sealed.quarantined()] == [
        ("bars", "2024-10-04", 3_600_000)
    ]
    sealed.put_bars(hour_bars(0))
    await sealed.flushed()
    assert len(sealed.bars("BTCUSDT", Interval(3_600_000))) == 24


def rows_in(file: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"select * from '{file}'").fetchall()


def change_a_value(file: Path) -> None:
    """Flip a bit that no reader of Parquet notices: the file is read without an error, and wrongly."""
    good = rows_in(file)
    for place in np.linspace(0.01, 0.9, 500).tolist():
        before = file.read_bytes()
        flip_a_bit(file, place)
        try:
            if rows_in(file) != good:
                return
        except duckdb.Error:
            pass
        file.write_bytes(before)
    raise AssertionError("every flip was noticed")


async def test_a_day_is_not_sealed_together_with_a_damaged_file(sealed: Tape, day_trades: DayTrades) -> None:
    """The late trades make a file of their own; the rest of the day is a gap."""
    (_, part) = sealed.days()
    change_a_value(file_of(sealed, part))
    await put(sealed, day_trades(1, 210, 5, hours=(23, 24)))
    for _ in range(3):
        sealed.seal(LATER_MS)
    assert [p.row_count for p in sealed.days()] == [100, 5]
    assert sealed.trades("BTCUSDT").id.tolist() == [*range(100), *range(200, 215)]
    assert [(gap.first_id, gap.last_id) for gap in told(sealed)] == [(100, 199)]


async def test_a_file_that_is_lost_while_late_trades_join_it_is_a_gap_and_not_sealed_over(
    open_store: OpenStore, day_trades: DayTrades, stumble: Any
) -> None:
    store = open_store(connect=stumble.connect, disk=stumble, commit_ms=1)
    await put(store, day_trades(0, 0, 100), day_trades(1, 110, 10, hours=(0, 5)))
    assert store.seal(LATER_MS) is not None
    (part,) = store.days()
    await put(store, day_trades(0, 100, 10, hours=(23, 24)))
    assert store.seal(LATER_MS) is None

    def lose_the_file_before_the_rename(number: int, name: str) -> bool:
        if name == "rename" and file_of(store, part).exists():
            take_away(file_of(store, part))
            store.trades("BTCUSDT", limit=1)
        return False

    stumble.arm(lose_the_file_before_the_rename)
    report = store.seal(LATER_MS)
    stumble.heal()
    assert report is not None
    assert report.failed == ("trades of BTCUSDT, 2024-10-04: its older file was damaged meanwhile",)
    assert [(gap.first_id, gap.last_id) for gap in told(store)] == [(0, 99)]
    store.seal(LATER_MS)
    assert store.trades("BTCUSDT").id.tolist() == list(range(100, 120))


async def test_a_file_is_hashed_again_after_a_read_of_it_failed(
    open_store: OpenStore, day_trades: DayTrades, stumble: Any
) -> None:
    store = open_store(connect=stumble.connect, disk=stumble, commit_ms=1)
    await put(store, day_trades(0, 0, 100), day_trades(1, 100, 10, hours=(0, 5)))
    store.seal(LATER_MS)
    assert len(store.trades("BTCUSDT")) == 110
    stumble.arm(lambda number, name: "read_parquet" in name)
    with pytest.raises(StoreUnavailable):
        store.trades("BTCUSDT")
    stumble.arm(lambda number, name: False)
    assert len(store.trades("BTCUSDT")) == 110
    assert "sha256" in stumble.names


async def test_the_whole_folder_missing_is_refused_and_an_empty_one_is_consent(
    sealed: Tape, open_store: OpenStore
) -> None:
    sealed.close()
    folder = sealed.path.with_suffix(".days")
    away = folder.with_name("elsewhere")
    folder.rename(away)
    with pytest.raises(DataFolderError, match="is missing, and 2 files with it") as caught:
        open_store()
    assert "make an empty one" in caught.value.cure
    folder.mkdir()
    store = open_store()
    assert store.trades("BTCUSDT").id.tolist() == list(range(200, 210))
    assert [(gap.first_id, gap.last_id) for gap in store.gaps()] == [(0, 99), (100, 199)]


async def test_files_of_another_tape_are_set_aside_and_never_deleted(
    sealed: Tape, open_store: OpenStore, day_trades: DayTrades
) -> None:
    """The file of the tape was lost and begun anew, and its sealed days were put beside the new one."""
    sealed.close()
    sealed.path.unlink()
    days = sealed.path.with_suffix(".days")
    aside = days.rename(days.with_name("aside"))
    open_store().close()
    aside.rename(days)
    store = open_store()
    assert store.days() == []
    await put(store, day_trades(0, 0, 10), day_trades(1, 10, 1, hours=(2, 3)))
    assert store.seal(LATER_MS) is not None
    assert [part.number for part in store.days()] == [1]
    quarantine = sealed.path.with_suffix(".days") / "quarantine"
    assert sorted(file.name for file in quarantine.iterdir()) == [
        "trades_date=2024-10-04_venue=BINANCE_symbol=BTCUSDT_1.parquet",
        "trades_date=2024-10-05_venue=BINANCE_symbol=BTCUSDT_2.parquet",
    ]


async def test_what_a_crash_leaves_is_cleared_and_what_is_not_ours_is_left_alone(
    sealed: Tape, open_store: OpenStore
) -> None:
    sealed.close()
    listed = file_of(sealed, _part(1, "2024-10-04"))
    assert listed.exists()
    draft, unlisted, notes = (listed.with_name(name) for name in ("9.parquet.draft", "2.parquet", "notes.txt"))
    for file in (draft, unlisted, notes):
        shutil.copy(listed, file)
    store = open_store()
    assert len(store.trades("BTCUSDT")) == 210
    assert store.seal(LATER_MS) is None
    assert not draft.exists()
    assert not unlisted.exists()
    assert notes.exists()
    assert len(store.trades("BTCUSDT")) == 210


def _part(number: int, day: str) -> Part:
    day_ms = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000
    return Part(number, "trades", "BTCUSDT", 0, 0, day_ms, 0, 0, 0, 0, 0, 0, 0, "", venue="BINANCE")


async def test_a_disk_that_does_not_answer_refuses_the_read_and_loses_no_file(
    open_store: OpenStore, day_trades: DayTrades, stumble: Any
) -> None:
    store = open_store(connect=stumble.connect, disk=stumble)
    await put(store, day_trades(0, 0, 100), day_trades(1, 100, 10, hours=(0, 5)))
    store.seal(LATER_MS)
    stumble.arm(lambda number, name: name in ("stamp", "sha256"))
    with pytest.raises(StoreUnavailable, match="cannot be read: No space left"):
        store.trades("BTCUSDT")
    stumble.heal()
    assert len(store.trades("BTCUSDT")) == 110
    assert store.quarantined() == []


async def test_damage_that_cannot_be_written_down_is_written_down_later(
    open_store: OpenStore, day_trades: DayTrades, stumble: Any
) -> None:
    store = open_store(connect=stumble.connect, disk=stumble, commit_ms=1)
    await put(store, day_trades(0, 0, 100), day_trades(1, 100, 10, hours=(0, 5)))
    store.seal(LATER_MS)
    (part,) = store.days()
    struck = threading.Event()

    def fail_the_first_commit(number: int, name: str) -> bool:
        strike = name == "commit" and not struck.is_set()
        if strike:
            struck.set()
        return strike

    stumble.arm(fail_the_first_commit)
    take_away(file_of(store, part))
    assert len(store.trades("BTCUSDT")) == 10
    assert await asyncio.to_thread(struck.wait, 5)
    store._days._desk.wait(EVENT_S)  # for the failure; the next try comes with the next care
    assert [(gap.first_id, gap.last_id) for gap in told(store)] == [(0, 99)]
    assert [lost.number for lost in store.quarantined()] == [part.number]
