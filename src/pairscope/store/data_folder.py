"""The folder a tape lives in: making it, opening the file, and saying why that cannot be done.

A tape is held by one process. The one that holds it leaves its address in ``<tape>.server.json``, so that a
second one can say how to reach the first.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
import structlog

from pairscope.base import files
from pairscope.base.errors import DataFolderError
from pairscope.store import log_file
from pairscope.store.log_file import LogState
from pairscope.store.sealed_catalog import PATTERNS
from pairscope.store.sealed_files import days_folder

log = structlog.get_logger()

Config = dict[str, str | bool | int | float | list[str]]
Connect = Callable[[Path, Config], duckdb.DuckDBPyConnection]

_ELSEWHERE = "choose another --data-dir"
_SAVE = (
    f"put a copy back, or {_ELSEWHERE}; to begin anew in this place move the file, its .wal and its .days away "
    "together, for the sealed days can still be read"
)
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


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The open file of a tape."""

    connection: duckdb.DuckDBPyConnection
    kept_log: Path | None = None  # the damaged log that was set aside at this opening


def open_file(path: Path, connect: Connect, config: Config) -> OpenedFile:
    """Open the file of a tape, making its folder when needed; a damaged log is set aside, and its whole part replayed.

    Raises:
        DataFolderError: when the folder cannot be written, the file is held, damaged or no DuckDB file, or there is
            a log and no file it belongs to.
    """
    _make_folder(path)
    state = log_file.read_log(path)
    refuse_log_without_file(path, state)
    _refuse_days_without_file(path)
    try:
        opened = _opened_with(path, connect, config, state)
        if state is not None and opened.kept_log is None:
            opened = _replayed(path, connect, config, state, opened)
    except duckdb.Error as error:
        raise explained(path, error) from error
    except OSError as error:
        raise files.not_written(log_file.log_path(path), error) from error
    refuse_cut_file(path, opened.connection)
    return opened


def refuse_log_without_file(path: Path, state: LogState | None) -> None:
    """DuckDB would make a new file and delete the log."""
    if state is not None and (not path.exists() or _is_unborn(path)):
        what = "is empty" if path.exists() else "is missing"
        raise DataFolderError(
            f"the tape {path} {what}, and its log {log_file.log_path(path).name} is there",
            cure=f"put the file back beside its log; to begin a new tape, move the log away, or {_ELSEWHERE}",
        )


def _refuse_days_without_file(path: Path) -> None:
    """A new file knows nothing of the sealed days beside it."""
    days = days_folder(path)
    sealed = (file for pattern in PATTERNS for file in days.glob(f"*/{pattern}.parquet"))
    if (not path.exists() or _is_unborn(path)) and any(sealed):
        what = "is empty" if path.exists() else "is missing"
        raise DataFolderError(
            f"the tape {path} {what}, and its sealed days {days.name} are there",
            cure=f"put the file back beside them; to begin a new tape, move {days.name} away, or {_ELSEWHERE}",
        )


def refuse_cut_file(path: Path, connection: duckdb.DuckDBPyConnection, name: str | None = None) -> None:
    """What is behind the end of a file is only noticed when it is read; `name` is that of the file in DuckDB.

    A sound file may be shorter than it says: DuckDB first writes how many blocks there are, then lets go the free ones
    at the end. So the blocks in use are looked up when it is shorter.
    """
    ((name, blocks, block_bytes),) = connection.execute(
        """
        select database_name, total_blocks, block_size from pragma_database_size()
        where database_name = coalesce($name, current_database())
        """,
        {"name": name},
    ).fetchall()
    held = (path.stat().st_size - _HEADERS_BYTES) // block_bytes
    if held < blocks and held < _blocks_in_use(connection, name):
        connection.execute("pragma disable_checkpoint_on_shutdown")  # nothing more is to be lost by closing
        connection.close()
        raise DataFolderError(f"the tape {path} is damaged: the end of the file is missing", cure=_SAVE)


def _blocks_in_use(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Up to the last one. The tables have no index, whose blocks would not be listed."""
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ?", [name]
    ).fetchall()
    questions = [("select max(block_id) from pragma_metadata_info(?)", name)]
    for schema, table in tables:
        question = "select max(block_id) from pragma_storage_info(?) where persistent"
        questions.append((question, f'"{name}"."{schema}"."{table}"'))
    last = -1
    for question, of in questions:
        ((block,),) = connection.execute(question, [of]).fetchall()
        last = max(last, -1 if block is None else block)
    return last + 1


def _opened_with(path: Path, connect: Connect, config: Config, state: LogState | None) -> OpenedFile:
    if state is None or not state.lost_commits:
        try:
            connection = _connected(path, connect, config)
        except duckdb.Error as error:
            if state is None or not state.torn_bytes or _is_lock(error) or "replaying WAL" not in str(error):
                raise
            return _without_last_commit(path, connect, config, state)
        if state is not None and state.torn_bytes:  # of a commit that was never acknowledged: a kill does that
            log.warning("log_torn", path=str(path), torn_bytes=state.torn_bytes, commits=state.commits)
        return OpenedFile(connection)
    kept = log_file.set_aside(path)
    try:
        connection = connect(path, config)
    except duckdb.Error as error:
        if _is_lock(error):  # the log is another's, and was being written while we looked
            kept.unlink()
            raise
        _cut_log(path, kept, state.good_bytes)
        connection = connect(path, config)
    else:  # it dropped the rest without a word, and would write on behind it
        connection = _without_log(path, connect, config, connection)
    log.error("log_damaged", path=str(path), kept=str(kept), commits=state.commits, commits_lost=state.lost_commits)
    return OpenedFile(connection, kept)


def _without_last_commit(path: Path, connect: Connect, config: Config, state: LogState) -> OpenedFile:
    """DuckDB drops an entry that is cut off, and refuses the log for one that is whole and was changed."""
    kept = log_file.set_aside(path)
    _cut_log(path, kept, state.good_bytes)
    log.error("log_damaged", path=str(path), kept=str(kept), commits=state.commits, commits_lost=1)
    return OpenedFile(connect(path, config), kept)


def _replayed(path: Path, connect: Connect, config: Config, state: LogState, opened: OpenedFile) -> OpenedFile:
    """Whether the log was replayed: one whose header is damaged is passed over in silence."""
    if not state.commits or _is_checkpointing(path):
        return opened
    try:
        ((number,),) = opened.connection.execute("select commit_number from tape_format").fetchall()
    except duckdb.CatalogException:
        number = -1
    if state.tells(number) or log_file.read_log(path) is None:
        return opened
    kept = log_file.set_aside(path)
    log.error("log_damaged", path=str(path), kept=str(kept), commits=0, commits_lost=state.commits)
    return OpenedFile(_without_log(path, connect, config, opened.connection), kept)


def _is_checkpointing(path: Path) -> bool:
    """Whether a kill came while DuckDB moved its log into the file: the log is then in two pieces."""
    name = log_file.log_path(path).name
    return any(path.with_name(f"{name}.{piece}").exists() for piece in ("checkpoint", "recovery"))


def _without_log(
    path: Path, connect: Connect, config: Config, connection: duckdb.DuckDBPyConnection
) -> duckdb.DuckDBPyConnection:
    """Open again with what was replayed in the file and no log; a copy of it was kept."""
    connection.close()
    log_file.log_path(path).unlink(missing_ok=True)
    return connect(path, config)


def _cut_log(path: Path, kept: Path, good_bytes: int) -> None:
    files.write_whole(log_file.log_path(path), kept.read_bytes()[:good_bytes])


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
    if "WAL" in text:
        return DataFolderError(
            f"the tape {path} and its log do not belong together: {text}",
            cure="put the file back that belongs to the log, or move the log away to open the tape without it",
        )
    return DataFolderError(f"the tape {path} is damaged: {text}", cure=_SAVE)


def _held(path: Path, text: str) -> DataFolderError:
    match = re.search(r"\(PID (\d+)\)", text)
    holder = int(match[1]) if match else None
    server = read_announcement(path)
    if server is not None and holder in (None, server.pid):
        return DataFolderError(
            f"the tape {path} is held by the pairscope at {server.url} (process {server.pid})",
            cure=f"open {server.url}, whose Tape screen imports and verifies, stop that process, or {_ELSEWHERE}",
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
