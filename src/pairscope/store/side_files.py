"""Files in which versions up to 0.3.0 kept beside a tape what is in the state database now: taken over, once.

A file is read and its rows are written in one transaction; only then it is renamed. Whoever is killed in between takes
it over again, to the same rows. A file that cannot be read is set aside and told; without the list of watched symbols
nothing starts, for then some would be recorded no longer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from pairscope.base import files
from pairscope.base.errors import DataFolderError
from pairscope.store.state import State, place_of

log = structlog.get_logger()

TAKEN, UNREADABLE = "taken", "unreadable"  # endings of files that were taken over, or could not be
# Of what is no JSON, of another form, or holds what no database takes.
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError)


class _ImportedFile(msgspec.Struct):
    """A line of the list of imports."""

    name: str
    sha256: str
    symbol: str
    rows: int
    first_id: int
    last_id: int
    imported_ms: int
    path: str = ""  # not told by 0.1.0


class _Watched(msgspec.Struct):
    format: int
    settings: list[str]
    watched: list[str]


class _Verified(msgspec.Struct):
    verified_ms: int
    differences: int


def take_over(state: State, tape: Path, *, renames: bool = True) -> None:
    """Bring what lies in files of older versions into the state; without `renames` they stay where they are.

    Raises:
        DataFolderError: when a file cannot be opened, or the state cannot be written.
    """
    found = {ending: path for ending in _READERS if (path := _side_file(tape, ending)).is_file()}
    if not found:
        return
    taken, unreadable = [], []
    with state.change() as connection:
        for ending, path in found.items():
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # another process was quicker
                continue
            except OSError as error:
                raise DataFolderError(f"cannot read {path}: {error.strerror}", cure="check its permissions") from error
            if _take(connection, tape, ending, content):
                taken.append(path)
            elif ending != SYMBOLS:  # nothing starts without that one, see `check_symbols`
                unreadable.append(path)
    if not renames:
        return
    for path in taken:
        _rename(path, TAKEN)
    for path in unreadable:
        kept = _rename(path, UNREADABLE)
        log.error("side_file_unreadable", path=str(path), kept=str(kept))
    log.info("side_files_taken_over", tape=str(tape), files=[path.name for path in taken])


def any_of(tape: Path) -> bool:
    """Whether there is a file of an older version that was not taken over."""
    return any(_side_file(tape, ending).is_file() for ending in _READERS)


def unreadable_files(tape: Path) -> list[Path]:
    """The files of older versions that could not be read and were set aside."""
    return [path for ending in _READERS if (path := _side_file(tape, f"{ending}.{UNREADABLE}")).is_file()]


def check_symbols(tape: Path) -> None:
    """Refuse a list of watched symbols of an older version that cannot be read: without it some were recorded no more.

    Raises:
        DataFolderError: when there is one.
    """
    path = _side_file(tape, SYMBOLS)
    try:
        _read_symbols(path.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, *_UNREADABLE) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DataFolderError(
            f"the list of watched symbols {path} cannot be used: {why}",
            cure="move it away to start with the symbols of the settings",
        ) from error


def _side_file(tape: Path, ending: str) -> Path:
    return tape.with_name(f"{tape.name}.{ending}")


def _rename(path: Path, ending: str) -> Path:
    target = path.with_name(f"{path.name}.{ending}")
    with contextlib.suppress(OSError):  # it is known by its checksum, and not taken over twice
        files.rename(path, target)
    return target


def _take(connection: sqlite3.Connection, tape: Path, ending: str, content: bytes) -> bool:
    """Write the rows of a file that was not taken over yet; false when it cannot be read."""
    place, sha256 = place_of(tape), hashlib.sha256(content).hexdigest()
    known = connection.execute("select sha256 from taken_over where (place, file) = (?, ?)", (place, ending)).fetchone()
    if known == (sha256,):
        return True
    try:
        _READERS[ending](connection, tape, content)
    except _UNREADABLE:
        return False
    connection.execute("insert or replace into taken_over values (?, ?, ?)", (place, ending, sha256))
    return True


def tape_number(connection: sqlite3.Connection, tape: Path) -> int:
    """The number of a tape in the state; a new one gets the next."""
    place = place_of(tape)
    found = connection.execute("select tape from tapes where place = ? and not is_over", (place,)).fetchone()
    if found is None:
        return connection.execute("insert into tapes (place) values (?)", (place,)).lastrowid or 0
    return int(found[0])


def _take_symbols(connection: sqlite3.Connection, tape: Path, content: bytes) -> None:
    saved = _read_symbols(content)
    values = (place_of(tape), json.dumps(saved.settings), json.dumps(saved.watched))
    connection.execute("insert or replace into watched values (?, ?, ?)", values)


def _read_symbols(content: bytes) -> _Watched:
    saved = msgspec.json.decode(content, type=_Watched)
    if saved.format != 1:
        raise msgspec.ValidationError(f"format {saved.format} instead of 1")
    return saved


def _take_imports(connection: sqlite3.Connection, tape: Path, content: bytes) -> None:
    """Line by line: the torn last one of a killed process is as if it had not been written."""
    decode = msgspec.json.Decoder(_ImportedFile).decode
    number = tape_number(connection, tape)
    lines = [line for line in content.splitlines() if line.strip()]
    torn = 0
    for line in lines:
        try:
            file = decode(line)
            values = (file.name, file.sha256, file.symbol, file.rows, file.first_id, file.last_id, file.imported_ms)
            connection.execute(
                "insert or replace into imported_files values (?, ?, ?, ?, ?, ?, ?, ?, ?)", (number, *values, file.path)
            )
        except _UNREADABLE:
            torn += 1
    if lines and torn == len(lines):
        raise msgspec.DecodeError("no line can be read")


def _take_counts(connection: sqlite3.Connection, tape: Path, content: bytes) -> None:
    counts = msgspec.json.decode(content, type=dict[str, tuple[int, int]])
    number = tape_number(connection, tape)
    rows = [(number, file, imported, archive) for file, (imported, archive) in counts.items()]
    connection.executemany("insert or replace into imported_counts values (?, ?, ?, ?)", rows)


def _take_verified(connection: sqlite3.Connection, tape: Path, content: bytes) -> None:
    results = msgspec.json.decode(content, type=dict[str, _Verified])
    number = tape_number(connection, tape)
    rows = [(number, symbol, each.verified_ms, each.differences) for symbol, each in results.items()]
    connection.executemany("insert or replace into verified values (?, ?, ?, ?)", rows)


SYMBOLS = "symbols.json"
_READERS: dict[str, Callable[[sqlite3.Connection, Path, bytes], None]] = {
    SYMBOLS: _take_symbols,
    "imports.jsonl": _take_imports,
    "imported.json": _take_counts,
    "verified.json": _take_verified,
}
