"""A tape that is only looked at: its files are opened for reading, and nothing is written to their folder.

DuckDB keeps the file as it is, its log included, which is replayed in memory. What readers ask for are views on it. The
tables of a tape of an older format are copied to memory, as far as the way to the present format changes them, and the
migration is done there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import DataFolderError, StoreUnavailable
from pairscope.base.model import BarArray, Gap, TradeKind
from pairscope.feed.judge import GoodTrades
from pairscope.store import data_folder, log_file
from pairscope.store.database import Database
from pairscope.store.disk import Disk
from pairscope.store.maintenance import Maintenance, open_vault
from pairscope.store.migration import changed_tables
from pairscope.store.opening import is_passed_over, refuse_cut_file, refuse_log_without_file
from pairscope.store.refusals import closed_if_refused, explained
from pairscope.store.retention import KeepDays, RetainReport
from pairscope.store.schema import TABLES, prepare
from pairscope.store.sealing import SealReport
from pairscope.store.shapes import quoted
from pairscope.store.tape import Tape
from pairscope.store.writer import Writer

log = structlog.get_logger()

ALIAS = "looked_at"  # of the file, among DuckDB's databases
KEPT_FOR_EVER = 3_650


def _refuse() -> NoReturn:
    raise StoreUnavailable(
        "the tape is only looked at, and nothing is written to it",
        cure="stop this pairscope, and start one that writes: pairscope run",
    )


class NoWriter(Writer):
    """Stands where the thread that writes would be, and refuses."""

    def start(self) -> None:
        """Nothing to begin."""

    def put_trades(self, batch: GoodTrades) -> bool:
        _refuse()

    def put_bars(self, bars: BarArray) -> bool:
        _refuse()

    def put_gaps(self, gaps: Sequence[Gap]) -> bool:
        _refuse()

    def submit(self, act: Callable[[duckdb.DuckDBPyConnection], Any]) -> Future[Any]:
        _refuse()

    def flush(self) -> Future[None]:
        """Nothing waits."""
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def stop(self) -> int:
        return 0


class ReadOnlyTape(Tape):
    """A tape for reading. Whatever would change it raises StoreUnavailable."""

    kind = TradeKind.AGG

    @classmethod
    def look(cls, path: Path, *, clock: Clock, memory_limit_mb: int) -> ReadOnlyTape:
        """Open the tape at `path` for reading.

        Raises:
            DataFolderError: when there is none, or it is held by another process, damaged, not a tape, of a format
                that is not read, or when its sealed days are missing.
        """
        _check_files(path)
        config = data_folder.database_config(path, memory_limit_mb)
        config["temp_directory"] = str(Path(tempfile.gettempdir()) / f"pairscope-look-{id(config)}")
        try:
            connection = _attached(path, config)
        except duckdb.Error as error:
            raise explained(path, error) from error
        with closed_if_refused(path, connection):
            refuse_cut_file(path, connection, ALIAS)
            if is_passed_over(path, connection, ALIAS):
                log.warning("log_damaged", path=str(path), cause="its header cannot be read, and nothing behind it is")
            kind = _lay_views(connection, path)
            state = prepare(connection, path, kind)
            sealed_files, sealed = open_vault(connection, path, Disk())
        database = Database(connection, lambda: _attached(path, config))
        writer = NoWriter(database, state, clock=clock, commit_ms=100, queue_rows=1)
        keep = KeepDays(trades=KEPT_FOR_EVER, bars=KEPT_FOR_EVER)
        days = Maintenance(path, database, writer, sealed_files, state.symbols, clock, keep, None, writes=False)
        days.look_for_missing(sealed)
        log.info("tape_looked_at", path=str(path), kind=str(kind), symbols=len(state.symbols))
        looked = cls(path, database, writer, days, state.symbols, queue_rows=1)
        looked.kind = kind
        return looked

    def announce(self, url: str) -> None:
        """Nothing is left beside a tape that is only looked at; others may look at the same time."""

    async def run(self) -> None:
        """Nothing is taken care of."""

    def seal(self, now_ms: int) -> SealReport | None:
        _refuse()

    def retain(self, now_ms: int) -> RetainReport | None:
        _refuse()

    def sweep(self, limit_bytes: int = 0) -> int:
        _refuse()

    def close(self) -> None:
        """Let go of the file. Closing twice is closing once."""
        if self._closed:
            return
        self._closed = True
        self._database.close()
        log.info("tape_closed", path=str(self.path), rows_lost=0)

    def unkept(self) -> Unkept:
        """The same tape, for who makes bars anew of its trades: what is put there is kept in memory by the one who
        puts it, and nowhere else."""
        return Unkept(self.path, self._database, self._writer, self._days, self.symbols, self._queue_rows)


class Unkept(ReadOnlyTape):
    """Lets puts pass without keeping anything."""

    def put_trades(self, batch: GoodTrades) -> bool:
        return True

    def put_bars(self, bars: BarArray) -> bool:
        return True

    def put_gaps(self, gaps: Sequence[Gap]) -> bool:
        return True


def _check_files(path: Path) -> None:
    state = log_file.read_log(path)
    refuse_log_without_file(path, state)
    if not path.is_file():
        raise DataFolderError(f"there is no tape {path}", cure="name its folder or its file: --source tape PATH")
    if state is not None and state.lost_commits:
        log.warning("log_damaged", path=str(path), commits=state.commits, commits_lost=state.lost_commits)


def _attached(path: Path, config: data_folder.Config) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute(f"attach {quoted(str(path))} as {ALIAS} (read_only)")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def _lay_views(connection: duckdb.DuckDBPyConnection, path: Path) -> TradeKind:
    """Make the tables of the file readable under their own names; which trades they hold."""
    found = {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where database_name = ?", [ALIAS]
        ).fetchall()
    }
    if "tape_format" not in found:
        what = "is a DuckDB file of something else" if found else "is empty: nothing was ever written to it"
        raise DataFolderError(f"{path} {what}", cure="name the folder or the file of a tape: --source tape PATH")
    ((format_, kind),) = connection.execute(f"select format, trade_kind from {ALIAS}.main.tape_format").fetchall()
    copied = changed_tables(format_)
    for name in sorted(found & set(TABLES)):
        made = "table" if name in copied else "view"
        connection.execute(f"create {made} {name} as select * from {ALIAS}.main.{name}")
    return TradeKind(kind)
