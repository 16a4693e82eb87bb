"""Files of older versions are taken over once, whole, whenever the taker is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pairscope.base.errors import DataFolderError
from pairscope.ingest.watch_list import WatchList
from pairscope.store import side_files
from pairscope.store.imports import ImportedFile, ImportList
from pairscope.store.inventory import Verified, VerifiedList
from pairscope.store.state import State, state_path
from pairscope.store.tape_notes import TapeNotes, report_state
from tests.patience import COMMAND_S

SYMBOLS = b'{"format":1,"settings":["BTCUSDT"],"watched":["BTCUSDT","SOLUSDT"]}'
LINE = b'{"name":"%s","sha256":"a","symbol":"BTCUSDT","rows":3,"first_id":1,"last_id":3,"imported_ms":5}\n'
FILES = {
    "symbols.json": SYMBOLS,
    "imports.jsonl": LINE % b"one" + b"\n" + LINE % b"two" + b'{"name":"to',
    "imported.json": b'{"0123456789abcdef":[5,7]}',
    "verified.json": b'{"BTCUSDT":{"verified_ms":9,"differences":2}}',
}


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    folder = tmp_path / "live-aggTrade"
    folder.mkdir()
    return folder / "tape.duckdb"


def leave(tape: Path, **contents: bytes) -> None:
    """As an older version left them."""
    for name, content in (FILES | {name.replace("_", "."): content for name, content in contents.items()}).items():
        tape.with_name(f"{tape.name}.{name}").write_bytes(content)


def names(tape: Path) -> set[str]:
    return {name.removeprefix("tape.duckdb.") for name in os.listdir(tape.parent)}


def assert_all_is_known(tape: Path) -> None:
    assert WatchList(tape, ("BTCUSDT",), (), 9).read().symbols == ("BTCUSDT", "SOLUSDT")
    assert [file.name for file in ImportList(tape).read()] == ["one", "two"]
    assert VerifiedList(tape).read() == {"BTCUSDT": Verified(9, 2)}
    counts = "select file, imported, archive from imported_counts where tape = :tape"
    assert TapeNotes(tape).rows(counts) == [("0123456789abcdef", 5, 7)]


def test_what_lies_beside_a_tape_is_known_before_and_after_it_is_taken_over(tape: Path) -> None:
    leave(tape)
    assert_all_is_known(tape)
    assert names(tape) == set(FILES), "reading changes nothing"
    TapeNotes(tape).prepare(is_new=False)
    assert names(tape) == {f"{name}.taken" for name in FILES}
    assert_all_is_known(tape)


def test_the_first_change_takes_over_what_there_was(tape: Path) -> None:
    leave(tape)
    VerifiedList(tape).add({"ETHUSDT": Verified(10, 0)})
    assert VerifiedList(tape).read() == {"BTCUSDT": Verified(9, 2), "ETHUSDT": Verified(10, 0)}
    assert [file.name for file in ImportList(tape).read()] == ["one", "two"]


def test_files_that_could_not_be_renamed_are_not_taken_over_twice(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(tape)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(1, "no")))
        TapeNotes(tape).prepare(is_new=False)
    assert names(tape) == set(FILES)
    VerifiedList(tape).add({"BTCUSDT": Verified(20, 0)})
    leave(tape)  # a copy put back is the same file
    assert VerifiedList(tape).read() == {"BTCUSDT": Verified(20, 0)}
    TapeNotes(tape).prepare(is_new=False)
    assert VerifiedList(tape).read() == {"BTCUSDT": Verified(20, 0)}
    assert [file.name for file in ImportList(tape).read()] == ["one", "two"]


def test_what_an_older_version_wrote_after_is_taken_over_too(tape: Path) -> None:
    leave(tape)
    TapeNotes(tape).prepare(is_new=False)
    leave(tape, verified_json=b'{"BTCUSDT":{"verified_ms":30,"differences":0}}')
    TapeNotes(tape).prepare(is_new=False)
    assert VerifiedList(tape).read() == {"BTCUSDT": Verified(30, 0)}


@pytest.mark.parametrize("name", ["imports.jsonl", "imported.json", "verified.json"])
@pytest.mark.parametrize(
    "content", [b"\xff\x00 nothing of ours", b"[" * 100_000, b'{"a": "b"}', b'{"BTCUSDT":{"verified_ms":1e400}}']
)
def test_a_file_that_cannot_be_read_is_set_aside_and_told_and_the_others_are_taken(
    tape: Path, name: str, content: bytes
) -> None:
    leave(tape, **{name.replace(".", "_"): content})
    TapeNotes(tape).prepare(is_new=False)
    assert side_files.unreadable_files(tape) == [tape.with_name(f"tape.duckdb.{name}.unreadable")]
    assert side_files.unreadable_files(tape)[0].read_bytes() == content
    assert names(tape) == {f"{each}.{'unreadable' if each == name else 'taken'}" for each in FILES}
    assert report_state(tape).damaged == [f"tape.duckdb.{name}.unreadable"]
    assert WatchList(tape, ("BTCUSDT",), (), 9).read().symbols == ("BTCUSDT", "SOLUSDT")


def test_numbers_no_database_takes_are_as_unreadable(tape: Path) -> None:
    leave(tape, verified_json=b'{"BTCUSDT":{"verified_ms":99999999999999999999,"differences":2}}')
    TapeNotes(tape).prepare(is_new=False)
    assert [path.name for path in side_files.unreadable_files(tape)] == ["tape.duckdb.verified.json.unreadable"]
    assert VerifiedList(tape).read() == {}


def test_a_list_of_symbols_that_cannot_be_read_stops_who_needs_it_and_nobody_else(tape: Path) -> None:
    leave(tape, symbols_json=b"{")
    TapeNotes(tape).prepare(is_new=False)
    assert [file.name for file in ImportList(tape).read()] == ["one", "two"]
    with pytest.raises(DataFolderError, match="move it away"):
        WatchList(tape, ("BTCUSDT",), (), 9).read()
    assert "symbols.json" in names(tape)


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from pairscope.store import side_files, state
from pairscope.store.tape_notes import TapeNotes, report_state
from tests.ingest.history.dying import DiesAfter
dies = DiesAfter(int(sys.argv[2]))
dies.within(Path, "read_bytes", "replace", "mkdir")
dies.within(side_files, "_take", "tape_number")
dies.within(state, "statements")
dies.within(state.State, "_migrate", "_check", "close")
TapeNotes(Path(sys.argv[1])).prepare(is_new=False)
print("done")
"""


@pytest.mark.timeout(COMMAND_S)
def test_a_kill_at_any_step_of_taking_over_loses_nothing(tape: Path, tmp_path: Path) -> None:
    for step in range(60):
        leave(tape)
        for path in [*tmp_path.glob("state.sqlite*"), *tape.parent.glob("*.taken")]:
            path.unlink()
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tape), str(step)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent.parent.parent,
        )
        assert_all_is_known(tape)
        TapeNotes(tape).prepare(is_new=False)
        assert_all_is_known(tape)
        assert names(tape) == {f"{name}.taken" for name in FILES}
        if "done" in done.stdout:
            break
        assert done.returncode == -9, done.stderr
    assert 10 < step < 59


def test_a_tape_begun_anew_knows_nothing_of_what_was_imported_into_the_one_before(tape: Path) -> None:
    leave(tape)
    TapeNotes(tape).prepare(is_new=False)
    TapeNotes(tape).prepare(is_new=True)
    assert ImportList(tape).read().named("one") == []
    assert VerifiedList(tape).read() == {}
    assert WatchList(tape, ("BTCUSDT",), (), 9).read().symbols == ("BTCUSDT", "SOLUSDT"), "that is a wish"
    ImportList(tape).add(ImportedFile("three", "a", "BTCUSDT", 1, 1, 1, 1))
    assert [file.name for file in ImportList(tape).read()] == ["three"]
    with State.look(state_path(tape)) as state:
        assert state.rows("select name from imported_files order by rowid") == [("one",), ("two",), ("three",)]
