"""A tape that may take only so much of the disk lets its oldest live days go, and says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs

from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS
from pairscope.base.model import BarArray, BarSource, Gap, Origin
from pairscope.feed.judge import GoodTrades
from pairscope.store.maintenance import Maintenance
from pairscope.store.room import MOST_TOLD, LetGo
from pairscope.store.tape import Tape

OpenStore = Callable[..., Tape]

ZERO_MS = 20_000 * DAY_MS
LATER_MS = ZERO_MS + 1_000 * DAY_MS
LIMITS: dict[str, Any] = {"commit_ms": 1, "keep_data_days": 3_000, "keep_bar_days": 3_000}


OTHERS_BYTES = 1_000_000


@pytest.fixture
async def six_days(
    monkeypatch: pytest.MonkeyPatch,
    open_store: OpenStore,
    day_trades: Callable[..., GoodTrades],
    hour_bars: Callable[..., BarArray],
) -> Callable[..., Tape]:
    """A tape of six days, five sealed, the second imported; opened again with a bound of so many bytes more or less.

    What is beside the sealed days counts as a round figure: how large DuckDB makes its file differs from run to run.
    """

    def used_bytes_of(days: Maintenance) -> int:
        return OTHERS_BYTES + sum(part.byte_count for part in days.parts())

    monkeypatch.setattr(Maintenance, "used_bytes", used_bytes_of)
    store = open_store(**LIMITS)
    for day in range(6):
        trades, bars = day_trades(day, 100 * day, 100), hour_bars(day)
        if day == 1:
            trades = replace(trades, origin=np.full(100, Origin.IMPORT, np.uint8))
            bars["source"] = BarSource.IMPORT
        store.put_trades(trades)
        store.put_bars(bars)
    await store.flushed()
    store.seal(LATER_MS)
    store.make_room(LATER_MS)
    used_bytes = store.room().used_bytes
    assert used_bytes is not None
    store.close()

    def again(share: float = 1.0, less_bytes: int = 0) -> Tape:
        return open_store(**LIMITS, most_disk_bytes=round(used_bytes / share) - less_bytes)

    return again


def days_left(store: Tape) -> dict[str, list[int]]:
    days: dict[str, list[int]] = {"trades": [], "bars": []}
    for part in store.days():
        days[part.kind].append((part.day_ms - ZERO_MS) // DAY_MS)
    return days


def test_nothing_goes_within_the_bound_and_coming_near_is_told_once(six_days: Callable[..., Tape]) -> None:
    store = six_days(share=0.5)
    with capture_logs() as lines:
        store.make_room(LATER_MS)
    assert (lines, store.room().is_near) == ([], False)
    store.close()
    store = six_days(share=0.93)
    with capture_logs() as lines:
        store.make_room(LATER_MS)
        store.make_room(LATER_MS)
    assert [line["event"] for line in lines] == ["disk_bound_near"]
    assert (store.room().is_near, store.room().is_over) == (True, False)
    assert days_left(store) == {"trades": [0, 1, 2, 3, 4], "bars": [0, 1, 2, 3, 4]}


def test_the_oldest_live_days_of_trades_go_first_and_are_told(six_days: Callable[..., Tape]) -> None:
    store = six_days(less_bytes=-1_000_000)
    first = store.days()[0]
    store.close()
    store = six_days(less_bytes=2_000)  # a file of trades takes 1.6 kB
    with capture_logs() as lines:
        store.make_room(LATER_MS)
    told = [(line["kind"], line["day"]) for line in lines if line["event"] == "day_let_go"]
    assert told == [("trades", "2024-10-04"), ("trades", "2024-10-06")]
    assert days_left(store) == {"trades": [1, 3, 4], "bars": [0, 1, 2, 3, 4]}
    room = store.room()
    assert [(day.kind, day.day) for day in room.let_go] == told
    assert not room.is_over
    assert not (store.path.with_suffix(".days") / first.path).exists()
    store.close()
    assert six_days(less_bytes=-1_000_000).room().let_go == room.let_go


def test_imported_and_open_days_never_go_and_a_bound_that_cannot_be_kept_is_told_once(
    six_days: Callable[..., Tape],
) -> None:
    store = six_days(share=1_000.0)
    with capture_logs() as lines:
        store.make_room(LATER_MS)
        store.make_room(LATER_MS)
    assert days_left(store) == {"trades": [1], "bars": [1]}
    assert store.trades("BTCUSDT").id.tolist() == [*range(100, 200), *range(500, 600)]
    assert [line["event"] for line in lines].count("disk_bound_not_kept") == 1
    assert store.room().is_over
    assert [day.kind for day in store.room().let_go] == ["trades"] * 4 + ["bars"] * 4


async def test_gap_rows_go_with_the_days_they_lie_on_and_no_others(six_days: Callable[..., Tape]) -> None:
    store = six_days(less_bytes=1)  # the oldest day goes, the second is imported
    for day in (0, 1):
        store.put_gaps(
            [Gap("BTCUSDT", 100 * day + 50, 100 * day + 59, 1, GapReason.SKIPPED, 0, ZERO_MS + day * DAY_MS + 1)]
        )
    await store.flushed()
    store.make_room(LATER_MS)
    assert days_left(store)["trades"] == [1, 2, 3, 4]
    assert [(gap.first_id, gap.last_id) for gap in store.gaps() if gap.reason == "skipped"] == [(150, 159)]


def test_only_the_newest_days_that_went_are_told(six_days: Callable[..., Tape]) -> None:
    store = six_days(less_bytes=1)
    file = store.path.with_name(f"{store.path.name}.let_go.json")
    store.close()
    before = [LetGo("bars", f"2020-01-{1 + day % 28:02}", day, 1) for day in range(MOST_TOLD)]
    file.write_bytes(msgspec.json.encode(before))
    store = six_days(less_bytes=1)
    store.make_room(LATER_MS)
    told = store.room().let_go
    assert len(told) == MOST_TOLD
    assert [*before[1:], told[-1]] == list(told)
    assert told[-1].kind == "trades"


async def test_all_that_belongs_to_the_tape_counts(
    open_store: OpenStore, day_trades: Callable[..., GoodTrades]
) -> None:
    store = open_store(**LIMITS)
    store.put_trades(day_trades(0, 0, 100))
    store.put_trades(day_trades(1, 100, 100))
    await store.flushed()
    store.seal(LATER_MS)
    folder = store.path.parent
    (folder / "tape.duckdb.wal.damaged.1").write_bytes(bytes(5_000))
    (folder / "something else").write_bytes(bytes(1_000_000))
    store.make_room(LATER_MS)
    # The state is of all tapes of the folder.
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("state.sqlite")]
    everything = sum(file.stat().st_size for file in files)
    assert store.room().used_bytes == everything - 1_000_000
