"""What an error met at opening a tape means to the person who started the program."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb

from pairscope.base.errors import DataFolderError
from pairscope.store.data_folder import read_announcement

ELSEWHERE = "choose another --data-dir"
SAVE = (
    f"put a copy back, or {ELSEWHERE}; to begin anew in this place move the file, its .wal and its .days away "
    "together, for the sealed days can still be read"
)


@contextlib.contextmanager
def closed_if_refused(path: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Close the connection of a tape that cannot be used after all, and say why as people need it.

    Raises:
        DataFolderError: for what DuckDB says in the `with` block; one that is raised there stays as it is.
    """
    try:
        yield
    except duckdb.Error as error:
        connection.close()
        raise explained(path, error) from error
    except DataFolderError:
        connection.close()
        raise


def explained(path: Path, error: duckdb.Error) -> DataFolderError:
    """What a DuckDB error met at opening means to the person who started the program."""
    text = str(error).partition("\n")[0]
    if is_lock(error):
        return _held(path, text)
    if "not a valid DuckDB database" in text:
        return DataFolderError(f"{path} is not a tape, nor any DuckDB file", cure=f"move it away, or {ELSEWHERE}")
    if "version number" in text:
        return DataFolderError(f"the tape {path} was written by a newer DuckDB", cure=f"upgrade duckdb, or {ELSEWHERE}")
    if "Cannot open file" in text:
        return DataFolderError(f"the tape {path} cannot be opened: {text}", cure=ELSEWHERE)
    if "WAL" in text:
        return DataFolderError(
            f"the tape {path} and its log do not belong together: {text}",
            cure="put the file back that belongs to the log, or move the log away to open the tape without it",
        )
    return DataFolderError(f"the tape {path} is damaged: {text}", cure=SAVE)


def _held(path: Path, text: str) -> DataFolderError:
    match = re.search(r"\(PID (\d+)\)", text)
    holder = int(match[1]) if match else None
    server = read_announcement(path)
    if server is not None and holder in (None, server.pid):
        return DataFolderError(
            f"the tape {path} is held by the pairscope at {server.url} (process {server.pid})",
            cure=f"open {server.url}, whose Tape screen imports and verifies, stop that process, or {ELSEWHERE}",
        )
    who = f"process {holder}" if holder is not None else "another process"
    return DataFolderError(f"the tape {path} is held by {who}", cure=f"stop it, or {ELSEWHERE}")


def is_lock(error: duckdb.Error) -> bool:
    """Whether another process holds the file."""
    return "could not set lock" in str(error).lower()
