"""Small files beside the tape: written whole or not at all, and what it means when the disk does not take them.

Everything pairscope writes outside the tape goes through here, so that a full disk is told in one way and leaves no
half of a file behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from pairscope.base.errors import DiskFull, FileNotWritten

_FULL = {errno.ENOSPC, errno.EDQUOT}


def is_full(error: OSError) -> bool:
    """Whether there is no room, as against a disk that fails."""
    return error.errno in _FULL


def not_written(path: Path, error: OSError) -> FileNotWritten:
    """The error to raise for a file that could not be written."""
    if is_full(error):
        return DiskFull(f"cannot write {path}: its disk is full", cure=f"make room on the disk of {path.parent}")
    why = error.strerror or str(error)
    return FileNotWritten(f"cannot write {path}: {why}", cure="look at its disk, and at the rights of its folder")


@contextlib.contextmanager
def telling(path: Path) -> Iterator[None]:
    """Whatever the machine says against a file in a `with` block becomes an error for people.

    Raises:
        FileNotWritten: `DiskFull` when there is no room.
    """
    try:
        yield
    except OSError as error:
        raise not_written(path, error) from error


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place of the one of that name; after a failure, or a power cut, the old one is still there.

    Raises:
        FileNotWritten: `DiskFull` when there is no room.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with telling(path):
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            rename(draft, path)
            sync(path.parent)
        except OSError:
            remove_quietly(draft)
            raise


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file, for good; after a failure the file is as it was.

    It stands on a line of its own even after the torn one of a killed process.

    Raises:
        FileNotWritten: `DiskFull` when there is no room.
    """
    with telling(path), path.open("ab", buffering=0) as file:  # a buffer would be written once more by closing
        before = file.seek(0, os.SEEK_END)
        rest = memoryview(b"\n" + line + b"\n")
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(path, before)
            raise


def sync(path: Path) -> None:
    """Return when a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(old: Path, new: Path) -> Path:
    """Give a file another name, in place of what has it; `sync` of the folder makes it last. Gives the new one.

    Raises:
        OSError: what the machine says against it.
    """
    return old.replace(new)


def remove_quietly(path: Path) -> None:
    """Take a draft away; one that stays is nobody's file and does no harm."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
