"""A full disk, a real one: nothing is half written, it is told in one way, and all goes on when there is room."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pairscope.base import files
from pairscope.base.errors import DiskFull, FileNotWritten
from pairscope.base.logs import PatientFile
from pairscope.feed.recording import FrameWriter, read_frames
from pairscope.ingest.watch_list import WatchList
from pairscope.store import data_folder
from pairscope.store.imports import ImportedFile, ImportList
from pairscope.store.inventory import Verified, VerifiedList

DISK_BYTES = 512 * 1024  # the tables of the state, once in its file and once in its log, leave some of it


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with 512 kB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(mount)], capture_output=True, check=False
        )
    except OSError:
        pytest.skip("a small disk cannot be mounted here: there is no mount")
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here: that takes root")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room there is; what to delete to give it back."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    return ballast


def imported(name: str) -> ImportedFile:
    return ImportedFile(name, "0" * 64, "BTCUSDT", 1, 1, 1, 1)


def test_side_files_of_a_full_disk_stay_as_they_were_and_are_written_when_there_is_room(small_disk: Path) -> None:
    tape = small_disk / "tape.duckdb"
    watched = WatchList(tape, ["BTCUSDT"], (), 10)
    done, verified = ImportList(tape), VerifiedList(tape)
    watched.add("ETHUSDT")
    done.add(imported("a.zip"))
    verified.add({"BTCUSDT": Verified(1, 0)})
    data_folder.announce(tape, "http://localhost:1")
    names = sorted(path.name for path in small_disk.iterdir())
    before = {path.name: path.read_bytes() for path in small_disk.iterdir()}
    ballast = fill(small_disk)

    def import_many() -> None:
        for number in range(100):
            done.add(imported(f"{number}.zip"))

    changes: list[Callable[[], None]] = [
        lambda: watched.add("X" * 30),
        import_many,
        lambda: verified.add({"Y" * 30: Verified(2, 0)}),
        lambda: data_folder.announce(tape, "http://localhost:2"),
    ]
    for change in changes:
        with pytest.raises(DiskFull) as caught:
            change()
        assert caught.value.http_status == 507
    assert watched.symbols == ("BTCUSDT", "ETHUSDT")
    ballast.unlink()
    written = len(ImportList(tape).read())  # there was room for some more in the pages of the file
    assert written == len(done) < 101
    assert VerifiedList(tape).read() == {"BTCUSDT": Verified(1, 0)}
    assert {name for name in os.listdir(small_disk) if not name.endswith(("-wal", "-shm"))} == set(names)
    for name in names:
        assert name == "state.sqlite" or (small_disk / name).read_bytes() == before[name]
    for change in changes:
        change()
    assert WatchList(tape, ["BTCUSDT"], (), 10).read().symbols == ("BTCUSDT", "ETHUSDT", "X" * 30)
    assert len(ImportList(tape).read()) == 101


def test_the_log_of_a_full_disk_goes_on_with_the_count_of_its_lost_lines(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = PatientFile(small_disk / "pairscope.log", maxBytes=10_000_000, backupCount=5, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s"))
    try:
        record = logging.LogRecord("test", logging.INFO, "", 0, "x" * 2_000, None, None)
        handler.emit(record)
        ballast = fill(small_disk)
        for _ in range(50):
            handler.emit(record)
        lost = handler.lines_lost
        assert lost >= 48
        ballast.unlink()
        handler.emit(record)
    finally:
        handler.close()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "Traceback" not in told
    lines = (small_disk / "pairscope.log").read_text().splitlines()
    assert any(f'"log_lines_lost", "lines": {lost}' in line for line in lines)
    assert lines[-1] == "x" * 2_000


BEGAN_NS = 1_723_075_200_000_000_000  # in 2024: times of another size are in no unit we know


def record_for_ever(writer: FrameWriter) -> None:
    with writer:
        while True:
            noise = os.urandom(2_000).hex().encode()
            writer.write(BEGAN_NS + writer.frames, b'{"stream":"s","data":"%b"}' % noise)
            writer.flush()


def test_a_recording_on_a_full_disk_ends_with_what_can_be_read(small_disk: Path) -> None:
    path = small_disk / "day.zst"
    writer = FrameWriter(path)
    with pytest.raises(DiskFull):
        record_for_ever(writer)
    assert writer.failed
    assert [frame.received_ns for frame in read_frames(path)] == list(range(BEGAN_NS, BEGAN_NS + writer.frames))
    assert writer.frames > 20


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EIO, FileNotWritten)])
def test_a_file_that_is_not_written_leaves_the_old_one_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[FileNotWritten]
) -> None:
    path = tmp_path / "side.json"
    files.write_whole(path, b"old")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(kind) as caught:
            files.write_whole(path, b"new")
        with pytest.raises(kind):
            files.append_line(path, b"line")
    assert type(caught.value) is kind
    assert (path.read_bytes(), [each.name for each in tmp_path.iterdir()]) == (b"old", ["side.json"])


def test_a_file_takes_the_place_of_another_and_both_are_synced(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"1")
    new.write_bytes(b"2")
    files.sync(old)
    assert files.rename(old, new) == new
    files.sync(tmp_path)
    assert (old.exists(), new.read_bytes()) == (False, b"1")
    with pytest.raises(FileNotFoundError):
        files.rename(old, new)
