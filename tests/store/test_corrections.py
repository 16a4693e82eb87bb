"""Trades and bars that are replaced or taken away, in open and in sealed days: wholly or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.base.errors import StoreUnavailable
from pairscope.base.gaps import GapReason
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, Gap, TradeBatch
from pairscope.feed.judge import GoodTrades
from pairscope.store import writer
from pairscope.store.tape import Tape
from tests.judged import good

OpenStore = Callable[..., Tape]
DayTrades = Callable[..., TradeBatch]
HourBars = Callable[..., BarArray]

LATER_MS = 21_000 * DAY_MS
HOUR = Interval(3_600_000)
WRONG = np.array([7, 50, 130, 205])  # in two sealed days and in an open one
GONE = np.array([60, 210])


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(writer, "LONGEST_RETRY_S", 0.005)


@pytest.fixture
def sealed(open_store: OpenStore, day_trades: DayTrades, hour_bars: HourBars) -> Tape:
    """Two sealed days and an open one, of a hundred trades each; the bars of the second are sealed."""
    store = open_store(commit_ms=1)
    for symbol_id in (0, 1):
        for day in (0, 1):
            store.put_trades(good(day_trades(day, 100 * day, 100, symbol_id)))
        store.put_trades(good(day_trades(2, 200, 100, symbol_id, hours=(2, 3))))
    store.put_bars(hour_bars(1))
    store.put_bars(hour_bars(1, 1))
    asyncio.run(store.flushed())
    store.seal(LATER_MS)
    assert len(store.days("BTCUSDT")) == 3
    return store


def corrected(store: Tape) -> GoodTrades:
    """The wrong trades as they should be."""
    before = store.trades("BTCUSDT")
    right = before.take(np.isin(before.id, WRONG))
    return good(replace(right, price=right.price + 1_000))


GAPS = [Gap("BTCUSDT", int(trade_id), int(trade_id), 1, GapReason.NOT_A_TRADE, closed_ms=1) for trade_id in GONE]


def correct(store: Tape) -> None:
    store.correct_trades("BTCUSDT", [corrected(store)], GONE, GAPS)


def state(store: Tape) -> str:
    """Whether nothing or everything is corrected; anything else fails."""
    trades = store.trades("BTCUSDT")
    right = set(trades.id[trades.price >= 1_000].tolist())
    absent = set(range(300)) - set(trades.id.tolist())
    noted = {gap.first_id for gap in store.gaps("BTCUSDT")}
    assert len(trades) == len(np.unique(trades.id))
    assert store.count_trades("BTCUSDT", 0, 300) == len(trades)
    assert store.trades("ETHUSDT").id.tolist() == list(range(300))
    found = (right, absent, noted)
    if found == (set(), set(), set()):
        return "before"
    assert found == (set(WRONG.tolist()), set(GONE.tolist()), set(GONE.tolist()))
    return "after"


def files_on_disk(store: Tape) -> set[Path]:
    root = store.path.with_suffix(".days")
    return {file.relative_to(root) for file in root.rglob("*") if file.is_file()}


def test_trades_of_open_and_sealed_days_are_replaced_and_taken_away_at_once(sealed: Tape) -> None:
    assert state(sealed) == "before"
    correct(sealed)
    assert state(sealed) == "after"
    assert [part.row_count for part in sealed.days("BTCUSDT") if part.kind == "trades"] == [97, 99]
    assert files_on_disk(sealed) == {part.path for part in sealed.days()}


def test_the_next_sealing_merges_what_was_corrected(sealed: Tape) -> None:
    correct(sealed)
    sealed.seal(LATER_MS)
    sealed.seal(LATER_MS)
    assert [part.row_count for part in sealed.days("BTCUSDT") if part.kind == "trades"] == [99, 100]
    assert state(sealed) == "after"


def test_a_part_of_which_nothing_is_left_is_listed_no_more(sealed: Tape, day_trades: DayTrades) -> None:
    whole_day = good(replace(day_trades(0, 0, 100), price=np.full(100, 5.0)))
    sealed.correct_trades("BTCUSDT", [whole_day], np.empty(0, np.int64), [])
    assert [part.first_id for part in sealed.days("BTCUSDT") if part.kind == "trades"] == [100]
    assert sealed.trades("BTCUSDT").price[:100].tolist() == 100 * [5.0]
    assert files_on_disk(sealed) == {part.path for part in sealed.days()}


def test_a_trade_whose_day_was_wrong_is_sealed_with_its_right_one(sealed: Tape) -> None:
    stray = sealed.trades("BTCUSDT", from_id=99, to_id=100)
    right = good(replace(stray, time_ms=stray.time_ms + DAY_MS))
    sealed.correct_trades("BTCUSDT", [right], np.empty(0, np.int64), [])
    sealed.seal(LATER_MS)
    sealed.seal(LATER_MS)
    assert [part.row_count for part in sealed.days("BTCUSDT") if part.kind == "trades"] == [99, 101]
    assert sealed.trades("BTCUSDT").id.tolist() == list(range(300))


def test_sealed_and_revised_bars_are_taken_away_and_uploads_stay(sealed: Tape, hour_bars: HourBars) -> None:
    revised, uploads = hour_bars(1, close=2.0)[:5], hour_bars(1)[:5]
    uploads["source"] = 1
    sealed.put_bars(revised)
    sealed.put_bars(uploads)
    asyncio.run(sealed.flushed())
    opens = hour_bars(1)["open_time_ms"]
    sealed.remove_bars("BTCUSDT", HOUR, opens[[1, 20]])
    left = sealed.bars("BTCUSDT", HOUR)
    assert left[left["source"] == 0]["open_time_ms"].tolist() == np.delete(opens, [1, 20]).tolist()
    assert left[left["source"] == 1]["open_time_ms"].tolist() == opens[:5].tolist()
    assert len(sealed.bars("ETHUSDT", HOUR)) == 24


def test_trades_are_counted_by_ranges_of_ids(sealed: Tape) -> None:
    for from_id, to_id in ((0, 300), (0, 100), (5, 5), (50, 150), (120, 130), (199, 201), (250, 900), (-5, 1)):
        assert sealed.count_trades("BTCUSDT", from_id, to_id) == len(
            sealed.trades("BTCUSDT", from_id=from_id, to_id=to_id)
        )


def struck(store: Tape, right: GoodTrades, stumble: Any, *, close: bool) -> None:
    """Correct while something fails; when asked the tape is closed then, which is near to a kill."""
    worker = threading.Thread(target=_try, args=(store, right))
    worker.start()
    while worker.is_alive():
        worker.join(0.002)
        if close and stumble.strikes:
            store.close()
    worker.join()
    if close:  # it may have ended before we looked; and nobody opens a tape twice in a process
        store.close()


def _try(store: Tape, right: GoodTrades) -> None:
    with contextlib.suppress(StoreUnavailable):
        store.correct_trades("BTCUSDT", [right], GONE, GAPS)


def each_place(
    open_store: OpenStore, stumble: Any, prepared: Path, path: Path, *, after: bool, for_good: bool, step: int
) -> None:
    """Have every `step`-th operation of a correction fail, once or with all that come after it."""
    place, found = 1, set[str]()
    while True:
        shutil.rmtree(path.parent)
        shutil.copytree(prepared, path.parent)
        store = open_store(connect=stumble.connect, disk=stumble, commit_ms=1)
        store.sweep(0)  # tidied up
        right = corrected(store)
        stumble.arm(lambda n, _, p=place: n >= p if for_good else n == p, after=after)
        struck(store, right, stumble, close=for_good)
        strikes = stumble.strikes
        stumble.heal()
        if not for_good:
            found.add(state(store))
            store.close()
        store = open_store(commit_ms=1)
        found.add(state(store))
        correct(store)
        assert state(store) == "after"
        assert files_on_disk(store) == {part.path for part in store.days()}
        store.close()
        if not strikes:
            break
        place += step
    assert place > 20
    assert found == {"before", "after"} if step == 1 else found  # places move a little from run to run


@pytest.fixture
def prepared(sealed: Tape, path: Path, tmp_path: Path) -> Path:
    """A copy of the folder of the sealed tape."""
    sealed.close()
    shutil.copytree(path.parent, tmp_path / "prepared")
    return tmp_path / "prepared"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
def test_a_correction_is_whole_or_not_there_when_something_fails(
    after: bool, for_good: bool, open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    each_place(open_store, stumble, prepared, path, after=after, for_good=for_good, step=9)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
def test_a_correction_is_whole_or_not_there_whatever_fails(
    after: bool, for_good: bool, open_store: OpenStore, stumble: Any, prepared: Path, path: Path
) -> None:
    each_place(open_store, stumble, prepared, path, after=after, for_good=for_good, step=1)
