"""What becomes of a tape whose log, or file, is cut off, emptied or changed: nothing is lost without a word."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import structlog

from pairscope.base.clock import SystemClock
from pairscope.base.errors import DataFolderError
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.store.log_file import judge, kept_logs, log_path
from pairscope.store.read_only import ReadOnlyTape
from pairscope.store.tape import Tape
from tests.judged import good

MakeTrades = Callable[..., TradeBatch]
COMMITS = 5
PLACES = [25, pytest.param(80, marks=pytest.mark.slow)]  # so many of a log are damaged


@dataclass
class Killed:
    """A tape as a killed process leaves it: its file and a log of some commits of ten trades."""

    folder: Path
    file: bytes
    log: bytes

    def lay(self, file: bytes | None, log: bytes | None) -> Path:
        folder = self.folder / "laid"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = folder / "tape.duckdb"
        if file is not None:
            path.write_bytes(file)
        if log is not None:
            log_path(path).write_bytes(log)
        return path


@pytest.fixture
def killed(tmp_path: Path, trades: MakeTrades) -> Killed:
    path = tmp_path / "tape.duckdb"
    open_(path).close()
    store = open_(path)
    store.symbols.add("BTCUSDT")
    for number in range(COMMITS):
        store.put_trades(good(trades(10 * number, 10)))
        asyncio.run(store.flushed())
    found = Killed(tmp_path, path.read_bytes(), log_path(path).read_bytes())
    store.close()
    return found


def open_(path: Path) -> Tape:
    return Tape.open(path, kind=TradeKind.AGG, clock=SystemClock(), commit_ms=5)


def held(path: Path) -> tuple[list[int], bool]:
    """The ids on a tape, and whether a log was set aside when it was opened."""
    store = open_(path)
    try:
        ids = store.trades("BTCUSDT").id.tolist() if "BTCUSDT" in store.symbols else []
        return ids, store.kept_log is not None
    finally:
        store.close()


def test_a_log_is_read_as_duckdb_writes_it(killed: Killed) -> None:
    state = judge(killed.log)
    assert (state.commits, state.torn_bytes, state.lost_commits) == (COMMITS, 0, 0)


@pytest.mark.parametrize("places", PLACES)
def test_a_log_cut_off_anywhere_is_plain_recovery(killed: Killed, places: int) -> None:
    for length in [*range(1, len(killed.log), max(1, len(killed.log) // places)), len(killed.log)]:
        path = killed.lay(killed.file, killed.log[:length])
        ids, kept = held(path)
        assert ids == list(range(10 * judge(killed.log[:length]).commits))
        assert not kept
        assert held(path)[0] == ids


@pytest.mark.parametrize("places", PLACES)
def test_a_log_changed_anywhere_is_set_aside_and_what_is_before_the_damage_stays(killed: Killed, places: int) -> None:
    ends = [place for place in range(len(killed.log) + 1) if judge(killed.log[:place]).good_bytes == place]
    for place in range(0, len(killed.log), max(1, len(killed.log) // places)):
        changed = bytearray(killed.log)
        changed[place] ^= 0xFF
        path = killed.lay(killed.file, bytes(changed))
        ids, kept = held(path)
        whole = sum(end <= place for end in ends[2:])  # the first two are nothing, and the header
        assert ids == list(range(10 * whole)), place
        last = place >= ends[-2]  # damage of the last commit cannot be told from one that a kill cut off
        assert kept or last, place
        if kept:
            assert [each.read_bytes() for each in kept_logs(path)] == [bytes(changed)]
        assert held(path) == (ids, False)  # and the tape is sound from then on


def test_a_log_whose_header_was_changed_is_set_aside_or_refused_and_never_passed_over(killed: Killed) -> None:
    """The header has no checksum: DuckDB replays nothing behind one that it cannot read, and says nothing."""
    for place in range(judge(killed.log).header_bytes):
        changed = bytearray(killed.log)
        changed[place] ^= 0xFF
        path = killed.lay(killed.file, bytes(changed))
        try:
            found, refused = held(path), ""
        except DataFolderError as error:
            found, refused = None, error.cure
        untouched = log_path(path).exists() and log_path(path).read_bytes() == changed
        set_aside = [each.read_bytes() for each in kept_logs(path)] == [changed]
        assert (refused and untouched) or (found == ([], True) and set_aside), place


def test_a_log_whose_header_was_changed_is_told_to_who_only_looks(killed: Killed) -> None:
    changed = bytearray(killed.log)
    changed[4] ^= 0xFF
    for log_bytes, told in ((killed.log, []), (bytes(changed), ["log_damaged"])):
        path = killed.lay(killed.file, log_bytes)
        with structlog.testing.capture_logs() as lines:
            ReadOnlyTape.look(path, clock=SystemClock(), memory_limit_mb=64).close()
        assert [line["event"] for line in lines if line["log_level"] == "warning"] == told
        assert (path.read_bytes(), log_path(path).read_bytes()) == (killed.file, log_bytes)


def while_it_is_taken_in(path: Path, point: str) -> None:
    """Leave a tape and its log as a kill does that comes while DuckDB takes the log into the file."""
    with duckdb.connect(path) as connection:
        connection.execute(f"set debug_checkpoint_abort = '{point}'")
        with pytest.raises(duckdb.FatalException, match="aborted"):
            connection.execute("checkpoint")


@pytest.mark.parametrize(
    ("point", "kills"),
    [("before_header", 1), ("before_header", 2), ("after_free_list_write", 1), ("before_truncate", 1)],
)
def test_a_log_that_was_being_taken_into_the_file_at_a_kill_is_no_damaged_one(
    point: str, kills: int, killed: Killed, trades: MakeTrades
) -> None:
    """It ends with a mark of that, behind the commits; DuckDB knows by it whether they are in the file."""
    path = killed.lay(killed.file, killed.log)
    for _ in range(kills):
        while_it_is_taken_in(path, point)
    left = judge(log_path(path).read_bytes()).commits
    store = open_(path)
    assert (store.kept_log, kept_logs(path)) == (None, [])
    assert left in (COMMITS, 0)
    assert store.trades("BTCUSDT").id.tolist() == list(range(10 * COMMITS))
    store.put_trades(good(trades(10 * COMMITS, 10)))
    asyncio.run(store.flushed())
    again = path.with_name("again.duckdb")
    for source, target in ((path, again), (log_path(path), log_path(again))):
        shutil.copyfile(source, target)
    store.close()
    assert held(again) == (list(range(10 * COMMITS + 10)), False)


def test_damage_before_the_mark_of_taking_in_is_told(killed: Killed) -> None:
    path = killed.lay(killed.file, killed.log)
    while_it_is_taken_in(path, "before_header")
    changed = bytearray(log_path(path).read_bytes())
    changed[judge(killed.log).good_bytes - 30] ^= 0xFF
    path = killed.lay(path.read_bytes(), bytes(changed))
    assert judge(bytes(changed)).lost_commits == 1
    assert held(path) == (list(range(10 * (COMMITS - 1))), True)


@pytest.mark.parametrize("places", PLACES)
def test_a_log_whose_last_commit_was_changed_opens_without_it(killed: Killed, places: int) -> None:
    before = judge(killed.log[:-1]).good_bytes
    for place in range(before, len(killed.log), max(1, (len(killed.log) - before) // places)):
        changed = bytearray(killed.log)
        changed[place] ^= 0xFF
        ids, kept = held(killed.lay(killed.file, bytes(changed)))
        assert ids == list(range(10 * (COMMITS - 1))), place
        if kept:
            (copy,) = kept_logs(killed.folder / "laid" / "tape.duckdb")
            assert copy.read_bytes() == bytes(changed)


def test_what_comes_after_a_damaged_log_is_there_after_the_next_kill(killed: Killed, trades: MakeTrades) -> None:
    changed = bytearray(killed.log)
    changed[1] ^= 0xFF  # the header: DuckDB passes over such a log, and would write on behind it
    path = killed.lay(killed.file, bytes(changed))
    store = open_(path)
    store.symbols.add("BTCUSDT")
    store.put_trades(good(trades(100, 10)))
    asyncio.run(store.flushed())
    again = killed.folder / "again.duckdb"
    shutil.copyfile(path, again)
    shutil.copyfile(log_path(path), log_path(again))
    store.close()
    assert held(again)[0] == list(range(100, 110))


@pytest.mark.parametrize("length", [None, 0, 100, 4096])
def test_a_log_without_its_file_is_never_taken_for_a_new_tape(killed: Killed, length: int | None) -> None:
    path = killed.lay(None if length is None else killed.file[:length], killed.log)
    with pytest.raises(DataFolderError) as caught:
        open_(path)
    assert "log" in caught.value.message
    assert log_path(path).read_bytes() == killed.log


@pytest.mark.parametrize("cut", [1, 100, 262_144])
@pytest.mark.parametrize("with_log", [True, False])
def test_a_file_that_is_cut_off_is_refused_and_left_as_it_is(killed: Killed, cut: int, with_log: bool) -> None:
    path = killed.lay(killed.file[:-cut], killed.log if with_log else None)
    with pytest.raises(DataFolderError) as caught:
        open_(path)
    assert "put " in caught.value.cure
    assert path.read_bytes() == killed.file[:-cut]
    if with_log:
        assert log_path(path).read_bytes() == killed.log
