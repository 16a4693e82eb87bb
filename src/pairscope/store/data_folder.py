"""The folder a tape lives in: how its file is opened, what lies beside it, and who holds it.

A tape is held by one process. The one that holds it leaves its address in ``<tape>.server.json``, so that a
second one can say how to reach the first.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil

from pairscope.base import files

Config = dict[str, str | bool | int | float | list[str]]
Connect = Callable[[Path, Config], duckdb.DuckDBPyConnection]


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


def size_bytes(path: Path) -> int:
    """Bytes of a tape on disk, its write-ahead log included."""
    total = 0
    for file in (path, path.with_name(f"{path.name}.wal")):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # the log comes and goes
            continue
    return total


def beside_bytes(path: Path) -> int:
    """Bytes of the small files beside a tape, and of logs that were set aside."""
    total = 0
    for file in path.parent.glob(f"{glob.escape(path.name)}.*"):
        if file.name != f"{path.name}.wal":
            with contextlib.suppress(OSError):  # it comes and goes
                total += file.stat().st_size if file.is_file() else 0
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
