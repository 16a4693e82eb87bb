"""The mark beside the tape of a replay that was played to its end."""

from __future__ import annotations

import shutil
from pathlib import Path

import structlog

from pairscope.base import files
from pairscope.base.errors import FileNotWritten
from pairscope.store.sealed_files import days_folder

log = structlog.get_logger()

REPLAYED = "replayed"


def mark_replayed(path: Path) -> None:
    """Without the mark the next start goes on with this tape, and finds nothing new in the recording."""
    try:
        files.write_whole(_mark(path), b"")
    except FileNotWritten as error:
        log.warning("replay_not_marked", cause=error.message)


def clear_replayed(path: Path) -> None:
    """A replay that was played to its end starts over: the recording still holds everything its tape held."""
    marker = _mark(path)
    if marker.exists():
        shutil.rmtree(days_folder(path), ignore_errors=True)  # before the file that lists them, the mark last
        for old in (path, path.with_name(f"{path.name}.wal"), marker):
            old.unlink(missing_ok=True)


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.{REPLAYED}")
