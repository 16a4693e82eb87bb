"""Opening the file of a tape: its log is looked at before DuckDB does, and nothing of either is lost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb
import structlog

from pairscope.base import files
from pairscope.base.errors import DataFolderError
from pairscope.store import log_file
from pairscope.store.data_folder import Config, Connect
from pairscope.store.log_file import LogState
from pairscope.store.refusals import ELSEWHERE, SAVE, explained, is_lock
from pairscope.store.sealed_catalog import PATTERNS
from pairscope.store.sealed_files import days_folder

log = structlog.get_logger()

_HEADERS_BYTES = 3 * 4096  # a DuckDB file starts with three headers


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
            opened = _with_replayed(path, connect, config, state, opened)
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
            cure=f"put the file back beside its log; to begin a new tape, move the log away, or {ELSEWHERE}",
        )


def _refuse_days_without_file(path: Path) -> None:
    """A new file knows nothing of the sealed days beside it."""
    days = days_folder(path)
    sealed = (file for pattern in PATTERNS for file in days.glob(f"*/{pattern}.parquet"))
    if (not path.exists() or _is_unborn(path)) and any(sealed):
        what = "is empty" if path.exists() else "is missing"
        raise DataFolderError(
            f"the tape {path} {what}, and its sealed days {days.name} are there",
            cure=f"put the file back beside them; to begin a new tape, move {days.name} away, or {ELSEWHERE}",
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
        raise DataFolderError(f"the tape {path} is damaged: the end of the file is missing", cure=SAVE)


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
            if state is None or not state.torn_bytes or is_lock(error) or "replaying WAL" not in str(error):
                raise
            return _without_last_commit(path, connect, config, state)
        if state is not None and state.torn_bytes:  # of a commit that was never acknowledged: a kill does that
            log.warning("log_torn", path=str(path), torn_bytes=state.torn_bytes, commits=state.commits)
        return OpenedFile(connection)
    kept = log_file.set_aside(path)
    try:
        connection = connect(path, config)
    except duckdb.Error as error:
        if is_lock(error):  # the log is another's, and was being written while we looked
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


def _with_replayed(path: Path, connect: Connect, config: Config, state: LogState, opened: OpenedFile) -> OpenedFile:
    """As it was opened, or, of a log whose header is damaged, without that."""
    if not is_passed_over(path, opened.connection):
        return opened
    kept = log_file.set_aside(path)
    log.error("log_damaged", path=str(path), kept=str(kept), commits=0, commits_lost=state.commits)
    return OpenedFile(_without_log(path, connect, config, opened.connection), kept)


def is_passed_over(path: Path, connection: duckdb.DuckDBPyConnection, name: str | None = None) -> bool:
    """Whether nothing of a log was replayed although there are commits in it: DuckDB cannot read its header.

    Only DuckDB knows what of a log is in the file already, or in which order its pieces belong. What is there after
    that was replayed, or else DuckDB says that it begins one anew. `name` is that of the file in DuckDB.
    """
    state = log_file.read_log(path)
    if state is None or not state.commits:
        return False
    ((replayed,),) = connection.execute(
        "select wal_size from pragma_database_size() where database_name = coalesce($name, current_database())",
        {"name": name},
    ).fetchall()
    return str(replayed).startswith("0 ")  # bytes


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
        if is_lock(error) or not _is_unborn(path):
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
            cure=ELSEWHERE,
        ) from error
    if path.is_dir():
        raise DataFolderError(f"{path} is a folder, not the file of a tape", cure=ELSEWHERE)
    if not os.access(path if path.exists() else folder, os.W_OK) or not os.access(folder, os.W_OK):
        raise DataFolderError(
            f"the data folder {folder} is not writable", cure=f"give its user the right to write there, or {ELSEWHERE}"
        )


def _is_unborn(path: Path) -> bool:
    """Whether the file is the beginning of one that a killed process was about to make: it holds nothing yet."""
    try:
        size = path.stat().st_size
        # A file with its headers is never opened here: closing it would release this process's own lock on it.
        return size == 0 or (size < _HEADERS_BYTES and path.read_bytes()[8:12] == b"DUCK")
    except OSError:
        return False
