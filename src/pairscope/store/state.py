"""The state database: what people and programs change, as against what the market did, which is on the tape.

One SQLite file for each data folder, whatever the source: which symbols are watched, what was imported, what was
verified. Each change is one transaction and is on the disk when the call returns. A file is opened for one change and
closed again, so that a command may write beside a running server; who only reads works on a copy in memory, and writes
nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import structlog

from pairscope.base import files
from pairscope.base.errors import DataFolderError, DiskFull, FileNotWritten, Meanings
from pairscope.store.state_migrations import MIGRATIONS, statements

log = structlog.get_logger()

NAME = "state.sqlite"
BUSY_S = 5.0  # another process writes for milliseconds
ATTEMPTS = 100
_APPLICATION = 0x70736370  # marks the file as ours
_LEAST_FREE_BYTES = 65_536  # with less, a failed write is one of a full disk
_SOURCE_FOLDER = re.compile(r"(live|simulator|replay)-.+")


class StateDamaged(DataFolderError):
    """The state database cannot be read any more."""

    code = "state_damaged"
    http_status = 503
    meanings: ClassVar[Meanings] = {
        "state_damaged": (
            "the state database of the data folder is damaged",
            "start pairscope again: it sets the file aside and begins a new one; put a copy back to keep what it held",
        )
    }


def state_path(tape: Path) -> Path:
    """Where the state of a tape lies: in the data folder, or beside a tape that lies by itself.

    >>> state_path(Path("/data/live-aggTrade/tape.duckdb")).as_posix(), state_path(Path("/disk/my.duckdb")).as_posix()
    ('/data/state.sqlite', '/disk/state.sqlite')
    """
    folder = tape.absolute().parent
    is_of_source = tape.name == "tape.duckdb" and _SOURCE_FOLDER.fullmatch(folder.name) is not None
    return (folder.parent if is_of_source else folder) / NAME


def place_of(tape: Path) -> str:
    """The name of a tape in its state: the same when the data folder is moved."""
    return tape.absolute().relative_to(state_path(tape).parent).as_posix()


class State:
    """An open state database; to be used by any thread, one call at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._one_at_a_time = threading.RLock()

    @classmethod
    def open(cls, path: Path, migrations: Sequence[str] = MIGRATIONS, *, check: bool = False) -> State:
        """Open the file for writing, making it when it is not there, and bring an old one to the present format.

        Args:
            check: read all of it; a damaged file is set aside then, and a new one begun.

        Raises:
            FileNotWritten: when it cannot be written; `DiskFull` when there is no room.
            StateDamaged: when it is damaged and was not to be checked.
            DataFolderError: when it is of a newer version, or none of ours.
        """
        try:
            return cls._opened(path, migrations, check)
        except StateDamaged as error:
            if not check:
                raise
            kept = _set_aside(path)
            log.error("state_damaged", path=str(path), kept=str(kept), cause=error.message)
            return cls._opened(path, migrations, check)

    @classmethod
    def _opened(cls, path: Path, migrations: Sequence[str], check: bool) -> State:
        with files.telling(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
        with _explaining(path):
            connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            state = cls(path, connection)
            try:
                connection.execute("pragma synchronous = full")
                if check:
                    state._check()
                state._refuse_strangers(len(migrations))
                state._write_ahead()
                state._migrate(migrations)
            except BaseException:
                connection.close()
                raise
        if is_new:
            with files.telling(path):
                files.sync(path.parent)
        return state

    @classmethod
    def look(cls, path: Path, migrations: Sequence[str] = MIGRATIONS) -> State:
        """A copy in memory of what the file holds, in the present format; nothing is written to its folder.

        Raises:
            StateDamaged: when it is damaged.
            DataFolderError: when it cannot be read, is of a newer version, or none of ours.
        """
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        state = cls(path, memory)
        try:
            with _explaining(path):
                if path.exists() and path.stat().st_size:
                    _copy(path, memory)
                    state._refuse_strangers(len(migrations))
                state._migrate(migrations, keeps_backup=False)
        except OSError as error:
            memory.close()
            raise DataFolderError(f"cannot read {path}: {error.strerror}", cure="check its permissions") from error
        except BaseException:
            memory.close()
            raise
        return state

    def close(self) -> None:
        """Let go of the file. Closing twice is closing once."""
        with self._one_at_a_time:
            self._connection.close()

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all that is done in the `with` block is on the disk after it, or nothing of it.

        Raises:
            FileNotWritten: when it cannot be written; `DiskFull` when there is no room.
            StateDamaged: when the file is damaged.
        """
        with self._one_at_a_time, _explaining(self.path):
            self._connection.execute("begin immediate")
            try:
                yield self._connection
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    def keep_to_owner(self) -> None:
        """Let nobody but the owner of the file read it, for it holds secrets now; copies of it always are.

        Raises:
            FileNotWritten: when it belongs to somebody else.
        """
        with self._one_at_a_time, files.telling(self.path):
            for rest in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self.path.with_name(f"{self.path.name}{rest}").chmod(0o600)

    def rows(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """What a query gives.

        Raises:
            DataFolderError: when the file cannot be read.
        """
        with self._one_at_a_time, _explaining(self.path):
            return self._connection.execute(query, values).fetchall()

    # --- opening ---

    def _check(self) -> None:
        ((said,),) = self._connection.execute("pragma quick_check(1)").fetchall()
        if said != "ok":
            raise _damaged(self.path, said)

    def _refuse_strangers(self, newest: int) -> None:
        self._connection.execute("begin")  # another process may be making the file: both answers of one moment
        ((application,),) = self._connection.execute("pragma application_id").fetchall()
        ((tables,),) = self._connection.execute("select count(*) from sqlite_master").fetchall()
        self._connection.execute("commit")
        if application not in (0, _APPLICATION) or (application == 0 and tables):
            raise DataFolderError(
                f"{self.path} is the database of another program", cure="move it away: pairscope keeps its state there"
            )
        if (found := self._format()) > newest:
            raise DataFolderError(
                f"the state database {self.path} was written by a newer pairscope (format {found}, this one reads up "
                f"to {newest})",
                cure="upgrade pairscope, or choose another --data-dir",
            )

    def _write_ahead(self) -> None:
        """Have changes go through a log, so that readers and a writer do not wait for each other."""
        for attempt in range(ATTEMPTS):
            try:
                self._connection.execute("pragma journal_mode = wal")
                return
            except sqlite3.OperationalError as error:  # SQLite does not wait here for one who does the same
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == ATTEMPTS - 1:
                    raise
                threading.Event().wait(BUSY_S / ATTEMPTS)

    def _format(self) -> int:
        ((number,),) = self._connection.execute("pragma user_version").fetchall()
        return int(number)

    def _migrate(self, migrations: Sequence[str], *, keeps_backup: bool = True) -> None:
        found = self._format()
        if found == len(migrations):
            return
        if found and keeps_backup:
            self._back_up(found)
        with self.change() as connection:
            for number, step in enumerate(migrations, start=1):
                if number <= self._format():  # another process may have done it meanwhile
                    continue
                for statement in statements(step):
                    connection.execute(statement)
                connection.execute(f"pragma user_version = {number:d}")
            connection.execute(f"pragma application_id = {_APPLICATION:d}")
        if keeps_backup:
            log.info("state_migrated", path=str(self.path), format=len(migrations), before=found)

    def _back_up(self, found: int) -> None:
        """Keep the file as it is before it changes its format."""
        target = self.path.with_name(f"{NAME}.format-{found}")
        draft = target.with_name(f"{target.name}.{os.getpid()}.new")
        try:
            draft.touch(mode=0o600)
            with contextlib.closing(sqlite3.connect(draft)) as copy:
                copy.execute("pragma synchronous = full")
                self._connection.backup(copy)
                copy.execute("pragma journal_mode = delete")
            with files.telling(target):
                files.rename(draft, target)
                files.sync(target.parent)
        except BaseException:
            for rest in ("", "-wal", "-shm", "-journal"):
                files.remove_quietly(draft.with_name(f"{draft.name}{rest}"))
            raise
        log.info("state_kept", path=str(target))


def _copy(path: Path, memory: sqlite3.Connection) -> None:
    """Copy a file to memory through SQLite itself: to open it otherwise would release this process's own locks on it.

    Without a log nobody has it open, and it is read without a trace; else as one reader among others.
    """
    log_ = path.with_name(f"{path.name}-wal")
    if not (log_.exists() and log_.stat().st_size):
        with contextlib.suppress(sqlite3.DatabaseError):  # damaged, or somebody began to write just now
            _copy_as(path, "immutable=1", memory)
            return
    _copy_as(path, "mode=ro", memory)


def _copy_as(path: Path, mode: str, memory: sqlite3.Connection) -> None:
    address = f"{path.absolute().as_uri()}?{mode}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as source:
        source.backup(memory)


def _set_aside(path: Path) -> Path:
    """Move a damaged file and its log away; the next number of such files that is free."""
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    with files.telling(kept):
        files.rename(path, kept)
        log_ = path.with_name(f"{path.name}-wal")
        if log_.exists():
            files.rename(log_, kept.with_name(f"{kept.name}-wal"))
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        files.sync(path.parent)
    return kept


def kept_states(path: Path) -> list[Path]:
    """The damaged state databases that were set aside, the oldest first."""
    found = path.parent.glob(f"{path.name}.damaged-*")
    return sorted(each for each in found if not each.name.endswith("-wal"))


@contextlib.contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: sqlite3.Error) -> DataFolderError:
    """What SQLite says against the file, for people."""
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    if kind == sqlite3.SQLITE_FULL or (kind == sqlite3.SQLITE_IOERR and _is_full(path.parent)):
        return DiskFull(f"cannot write {path}: its disk is full", cure=f"make room on the disk of {path.parent}")
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return FileNotWritten(
            f"cannot write {path}: another program holds it",
            cure="close the program that has it open, such as a database browser, and try again",
        )
    return FileNotWritten(
        f"cannot use {path}: {error}", cure="look at its disk, and at the rights of the file and of its folder"
    )


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _LEAST_FREE_BYTES
    except OSError:
        return False


def _damaged(path: Path, why: str) -> StateDamaged:
    return StateDamaged(
        f"the state database {path} is damaged: {why}",
        cure="start pairscope again: it sets the file aside and begins a new one; put a copy back to keep what it held",
    )
