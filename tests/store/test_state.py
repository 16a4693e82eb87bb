"""The state database: one transaction a change, nothing acknowledged is lost, and whatever is wrong is told."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from pairscope.base.errors import DataFolderError, DiskFull, FileNotWritten
from pairscope.store import state as state_module
from pairscope.store.state import State, StateDamaged, kept_states, place_of, state_path
from pairscope.store.state_migrations import MIGRATIONS
from tests.base.test_files import fill, small_disk
from tests.patience import COMMAND_S

__all__ = ["small_disk"]

WATCHED = "insert or replace into watched values (?, '[]', ?)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def put(state: State, place: str, text: str) -> None:
    with state.change() as connection:
        connection.execute(WATCHED, (place, text))


def put_and_fail(state: State) -> None:
    with state.change() as connection:
        connection.execute(WATCHED, ("a", "2"))
        connection.execute("insert into nowhere values (1)")


def put_many(state: State) -> None:
    for number in range(100):
        put(state, f"b{number}", "x" * 4_000)


def held(path: Path) -> dict[str, str]:
    with State.look(path) as state:
        return dict(state.rows("select place, symbols from watched"))


def test_what_was_changed_is_read_by_another_opening_and_by_a_look(path: Path) -> None:
    with State.open(path) as state:
        put(state, "a", "1")
        assert held(path) == {"a": "1"}, "while it is open"
    assert held(path) == {"a": "1"}
    with State.open(path) as state:
        assert state.rows("pragma journal_mode") == [("wal",)]
        assert state.rows("pragma synchronous") == [(2,)]


def test_all_of_a_change_is_there_or_nothing(path: Path) -> None:
    with State.open(path) as state:
        put(state, "a", "1")
        with pytest.raises(FileNotWritten):
            put_and_fail(state)
        put(state, "b", "1")
    assert held(path) == {"a": "1", "b": "1"}


def test_a_look_leaves_no_trace(path: Path) -> None:
    assert held(path) == {}
    assert os.listdir(path.parent) == []
    with State.open(path) as state:
        put(state, "a", "1")
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    with State.look(path) as look:
        put(look, "b", "in memory only")
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before
    assert held(path) == {"a": "1"}


def test_a_file_that_was_only_begun_is_a_new_one(path: Path) -> None:
    path.touch()
    assert held(path) == {}
    with State.open(path, check=True) as state:
        put(state, "a", "1")
    assert held(path) == {"a": "1"}
    assert kept_states(path) == []


def test_two_hands_at_once_lose_nothing(path: Path) -> None:
    def write(name: str) -> None:
        for number in range(20):
            with State.open(path) as state:
                put(state, f"{name}{number}", "x")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held(path)) == 80


def test_a_tape_knows_its_state_wherever_its_folder_is_moved(tmp_path: Path) -> None:
    for folder in ("live-aggTrade", "simulator-1-trade", "replay-day-1-aggTrade-kept"):
        tape = tmp_path / folder / "tape.duckdb"
        assert (state_path(tape), place_of(tape)) == (tmp_path / "state.sqlite", f"{folder}/tape.duckdb")
    alone = tmp_path / "mine.duckdb"
    assert (state_path(alone), place_of(alone)) == (tmp_path / "state.sqlite", "mine.duckdb")
    other = tmp_path / "tape.duckdb"
    assert (state_path(other), place_of(other)) == (tmp_path / "state.sqlite", "tape.duckdb")


# --- formats ---


def test_an_old_file_is_kept_before_it_is_brought_to_the_present_format(path: Path) -> None:
    with State.open(path) as state:
        put(state, "a", "1")
    later = (*MIGRATIONS, "alter table watched add column note text;\nupdate watched set note = 'new';")
    with State.look(path, later) as look:
        assert look.rows("select place, note from watched") == [("a", "new")]
    assert [each.name for each in path.parent.iterdir()] == ["state.sqlite"]
    with State.open(path, later) as state:
        assert state.rows("select place, symbols, note from watched") == [("a", "1", "new")]
    kept = path.with_name(f"state.sqlite.format-{len(MIGRATIONS)}")
    assert held(kept) == {"a": "1"}
    State.open(path, later).close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["state.sqlite", kept.name]


@pytest.mark.skipif(sys.platform == "win32", reason="files there have other rights")
def test_a_file_that_holds_secrets_is_kept_to_its_owner_with_all_its_copies(path: Path) -> None:
    with State.open(path) as state:
        path.chmod(0o644)
        put(state, "a", "1")
        assert path.with_name("state.sqlite-wal").exists()
        state.keep_to_owner()
        put(state, "a", "2")
        found = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
        assert set(found.values()) == {0o600}, found
    State.open(path, (*MIGRATIONS, "create table more (x);")).close()
    found = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert len(found) == 2
    assert set(found.values()) == {0o600}, found


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    with State.open(path) as state:
        put(state, "a", "1")
    with pytest.raises(DataFolderError):
        State.open(path, (*MIGRATIONS, "update watched set symbols = '2';", "drop table nowhere;"))
    assert held(path) == {"a": "1"}
    State.open(path).close()


def test_a_format_of_the_future_is_refused_with_its_cure_and_left_alone(path: Path) -> None:
    later = (*MIGRATIONS, "create table more (x);")
    State.open(path, later).close()
    before = path.read_bytes()
    for opening in (State.open, State.look):
        with pytest.raises(DataFolderError, match="newer pairscope") as refused:
            opening(path)
        assert "upgrade pairscope" in refused.value.cure
    assert path.read_bytes() == before


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("create table theirs (x)")
    before = path.read_bytes()
    for check in (False, True):
        with pytest.raises(DataFolderError, match="another program") as refused:
            State.open(path, check=check)
        assert "move it away" in refused.value.cure
    assert path.read_bytes() == before


# --- damage ---


@pytest.fixture(params=["junk", "a page", "cut"])
def damaged(path: Path, request: pytest.FixtureRequest) -> Path:
    with State.open(path) as state:
        for number in range(2_000):
            with state.change() as connection:
                connection.execute(WATCHED, (f"place {number:05d}", "x" * 40))
    content = path.read_bytes()
    damages = {
        "junk": b"junk" * 5_000,
        "a page": content[:8_192] + b"\xff" * 4_096 + content[12_288:],
        "cut": content[: len(content) // 2],
    }
    path.write_bytes(damages[request.param])
    return path


def test_a_damaged_file_is_set_aside_and_all_goes_on(damaged: Path) -> None:
    content = damaged.read_bytes()
    with State.open(damaged, check=True) as state:
        put(state, "a", "1")
    assert held(damaged) == {"a": "1"}
    (kept,) = kept_states(damaged)
    assert kept.read_bytes() == content
    damaged.write_bytes(content)
    State.open(damaged, check=True).close()
    assert [each.name for each in kept_states(damaged)] == ["state.sqlite.damaged-1", "state.sqlite.damaged-2"]


def test_without_a_check_damage_is_told_with_its_cure_and_nothing_is_moved(path: Path) -> None:
    path.write_bytes(b"junk" * 5_000)
    for opening in (State.open, State.look):
        with pytest.raises(StateDamaged, match="is damaged") as told:
            opening(path)
        assert "start pairscope again" in told.value.cure
    assert [each.name for each in path.parent.iterdir()] == ["state.sqlite"]


# --- a bad disk, and others ---


def test_a_full_disk_is_told_and_changes_go_on_when_there_is_room(small_disk: Path) -> None:
    path = small_disk / "state.sqlite"
    with State.open(path) as state:
        put(state, "a", "1")
        ballast = fill(small_disk)
        with pytest.raises(DiskFull, match="full") as told:
            put_many(state)
        assert str(small_disk) in told.value.cure
    with State.open(path) as state, pytest.raises(DiskFull):
        put_many(state)
    before = held(path)
    assert before["a"] == "1"
    ballast.unlink()
    with State.open(path, check=True) as state:
        put(state, "c", "1")
    assert held(path) == before | {"c": "1"}


def test_a_full_disk_takes_no_new_file(small_disk: Path) -> None:
    ballast = fill(small_disk)
    with pytest.raises(DiskFull):
        State.open(small_disk / "state.sqlite")
    ballast.unlink()
    with State.open(small_disk / "state.sqlite", check=True) as state:
        put(state, "a", "1")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotWritten):
        State.open(tmp_path / "file" / "state.sqlite")
    (tmp_path / "state.sqlite").mkdir()
    with pytest.raises(FileNotWritten, match="cannot use") as told:
        State.open(tmp_path / "state.sqlite")
    assert "rights" in told.value.cure


def test_a_program_that_holds_the_file_is_waited_for_and_then_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "BUSY_S", 0.05)
    with State.open(path) as state, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(FileNotWritten, match="another program holds it") as told:
            put(state, "a", "1")
        assert "close the program" in told.value.cure
        assert held(path) == {}, "reading needs no lock"
        other.execute("rollback")
        put(state, "a", "1")
    assert held(path) == {"a": "1"}


# --- kills ---

WRITER = """
import sys
from pathlib import Path
from pairscope.store.state import State
number = int(sys.argv[2])
while True:
    with State.open(Path(sys.argv[1]), check=number % 3 == 0) as state, state.change() as connection:
        for part in range(3):
            connection.execute("insert or replace into watched values (?, '[]', ?)", (str(part), str(number)))
    print(number, flush=True)
    number += 1
"""


@pytest.mark.timeout(COMMAND_S)
def test_a_writer_that_is_killed_loses_nothing_it_acknowledged(path: Path) -> None:
    rng = random.Random(7)
    last = 0
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(last + 1)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            last = int(line.split()[0]) if line.strip().isdigit() else last
            if line.strip().isdigit() and rng.random() < 0.2:
                break
        time.sleep(rng.random() * 0.01)  # somewhere in the next change
        process.kill()
        rest = process.communicate()[0].split()
        last = max([last, *(int(word) for word in rest if word.isdigit())])
        found = held(path)
        assert len(set(found.values())) == 1, "a change is whole"
        assert int(found["0"]) - last in (0, 1)
        last = int(found["0"])
    assert last >= 8
    assert kept_states(path) == []
