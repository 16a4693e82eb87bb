"""The folder a tape lives in: making it, opening the file, and saying why that cannot be done.

A tape is held by one process. The one that holds it leaves its address in ``<tape>.server.json``, so that a
second one can say how to reach the first.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil

from pairscope.base import files
from pairscope.base.errors import DataFolderError

Config = dict[str, str | bool | int | float | list[str]]
Connect = Callable[[Path, Config], duckdb.DuckDBPyConnection]

_ELSEWHERE = "choose another --data-dir"
_HEADERS_BYTES = 3 * 4096  # a DuckDB file starts with three headers


def connect(path: Path, config: Config) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file; tests put a failing one in its place."""
    return duckdb.connect(path, config=config)


def database_config(path: Path, memory_limit_mb: int) -> Config:
    """Settings of DuckDB: little memory, temporary files beside the tape, and nothing fetched from anywhere.

    One thread for each question, its own: with a second one it holds twice as many rows, and `gate` counts on how many.
    """
    return {
        "memory_limit": f"{memory_limit_mb}MB",
        "threads": 1,
        "temp_directory": f"{path}.tmp",
        "checkpoint_threshold": "16MB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


def open_file(path: Path, connect: Connect, config: Config) -> duckdb.DuckDBPyConnection:
    """Open the file of a tape, making its folder when needed.

    Raises:
        DataFolderError: when the folder cannot be written or the file is held, damaged or no DuckDB file.
    """
    _make_folder(path)
    try:
        return _connected(path, connect, config)
    except duckdb.Error as error:
        raise explained(path, error) from error


def _connected(path: Path, connect: Connect, config: Config) -> duckdb.DuckDBPyConnection:
    """Connect; a file that a killed process had only begun to make is made anew."""
    try:
        return connect(path, config)
    except duckdb.Error as error:
        if _is_lock(error) or not _is_unborn(path):
            raise
        path.unlink()
        return connect(path, config)


def _make_folder(path: Path) -> None:
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataFolderError(
            f"the data folder {folder} cannot be made: {(error.strerror or str(error)).lower()}",
            cure=_ELSEWHERE,
        ) from error
    if path.is_dir():
        raise DataFolderError(f"{path} is a folder, not the file of a tape", cure=_ELSEWHERE)
    if not os.access(path if path.exists() else folder, os.W_OK) or not os.access(folder, os.W_OK):
        raise DataFolderError(
            f"the data folder {folder} is not writable", cure=f"give its user the right to write there, or {_ELSEWHERE}"
        )


def _is_unborn(path: Path) -> bool:
    """Whether the file is the beginning of one that a killed process was about to make: it holds nothing yet."""
    try:
        size = path.stat().st_size
        # A file with its headers is never opened here: closing it would release this process's own lock on it.
        return size == 0 or (size < _HEADERS_BYTES and path.read_bytes()[8:12] == b"DUCK")
    except OSError:
        return False


def _is_lock(error: duckdb.Error) -> bool:
    return "could not set lock" in str(error).lower()


def explained(path: Path, error: duckdb.Error) -> DataFolderError:
    """What a DuckDB error met at opening means to the person who started the program."""
    text = str(error).partition("\n")[0]
    if _is_lock(error):
        return _held(path, text)
    if "not a valid DuckDB database" in text:
        return DataFolderError(f"{path} is not a tape, nor any DuckDB file", cure=f"move it away, or {_ELSEWHERE}")
    if "version number" in text:
        return DataFolderError(
            f"the tape {path} was written by a newer DuckDB", cure=f"upgrade duckdb, or {_ELSEWHERE}"
        )
    if "Cannot open file" in text:
        return DataFolderError(f"the tape {path} cannot be opened: {text}", cure=_ELSEWHERE)
    return DataFolderError(
        f"the tape {path} is damaged: {text}",
        cure=f"put a copy back, move it and its .wal away to start a new one, or {_ELSEWHERE}",
    )


def _held(path: Path, text: str) -> DataFolderError:
    match = re.search(r"\(PID (\d+)\)", text)
    holder = int(match[1]) if match else None
    server = read_announcement(path)
    if server is not None and holder in (None, server.pid):
        return DataFolderError(
            f"the tape {path} is held by the pairscope at {server.url} (process {server.pid})",
            cure=f"open {server.url}, stop that process, or {_ELSEWHERE}",
        )
    who = f"process {holder}" if holder is not None else "another process"
    return DataFolderError(f"the tape {path} is held by {who}", cure=f"stop it, or {_ELSEWHERE}")


def size_bytes(path: Path) -> int:
    """Bytes of a tape on disk, its write-ahead log included."""
    total = 0
    for file in (path, path.with_name(f"{path.name}.wal")):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # the log comes and goes
            continue
    return total


@dataclass(frozen=True, slots=True)
class Announcement:
    """Where the process that holds a tape is reached."""

    url: str
    pid: int


def _announcement_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.server.json")


def announce(path: Path, url: str) -> None:
    """Leave the address of this process beside the tape it holds."""
    files.write_whole(_announcement_path(path), json.dumps({"url": url, "pid": os.getpid()}).encode())


def withdraw(path: Path) -> None:
    """Take the address away again, or one that a killed process left."""
    _announcement_path(path).unlink(missing_ok=True)


def read_announcement(path: Path) -> Announcement | None:
    """The address left beside a tape, if it is readable and the process that left it lives and holds the tape."""
    try:
        fields = json.loads(_announcement_path(path).read_text(encoding="utf-8"))
        left = Announcement(url=str(fields["url"]), pid=int(fields["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return left if _holds(left.pid, path) else None


def _holds(pid: int, path: Path) -> bool:
    """Whether a process lives and has the tape open; numbers of dead processes are given again."""
    try:
        process = psutil.Process(pid)
        if os.name == "nt":  # to list open files takes long there, and may hang
            return process.is_running()
        return any(os.path.samefile(file.path, path) for file in process.open_files() if os.path.exists(file.path))
    except psutil.AccessDenied:  # another user's: it lives, and more cannot be known
        return True
    except (psutil.Error, OSError, ValueError, OverflowError):
        return False
