"""The store as the other rooms see it: put trades, bars and gaps; read them back; know how the disk is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import DataFolderError, StoreUnavailable
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, Gap, SymbolTable, TradeBatch, TradeKind
from pairscope.store import folder, reads
from pairscope.store.database import Database
from pairscope.store.folder import Connect
from pairscope.store.schema import prepare
from pairscope.store.writer import Writer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StoreCounters:
    """How the disk is doing. Percentiles are of the last commits, NaN before the first."""

    trades_committed: int  # since the tape was opened
    rows_waiting: int  # trades accepted and not yet on the disk
    rows_limit: int
    rows_refused: int  # trades, bars and gaps that found their queue full
    commit_ms_p50: float
    commit_ms_p99: float
    last_commit_ms: int | None  # wall time
    database_bytes: int
    error: str | None  # why the last write failed, while it has not succeeded again


class Store:
    """A tape on disk, open for writing by this process and for reading by any of its threads.

    Puts never wait: they are for the event loop. Reads are for `asyncio.to_thread`; they see what is committed.
    """

    def __init__(self, path: Path, database: Database, writer: Writer, symbols: SymbolTable, queue_rows: int) -> None:
        self.path = path
        self.symbols = symbols
        self._database = database
        self._writer = writer
        self._queue_rows = queue_rows
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        kind: TradeKind,
        clock: Clock,
        commit_ms: int = 100,
        queue_rows: int = 400_000,
        memory_limit_mb: int = 128,
        connect: Connect = folder.connect,
    ) -> Store:
        """Open the tape at `path`, making it and its folder when they are not there, and start its writer.

        Raises:
            DataFolderError: when the folder cannot be written, the file is held by another process, damaged, not a
                tape, of another format, or holds the other kind of trade.
        """
        config = folder.database_config(path, memory_limit_mb)
        connection = folder.open_file(path, connect, config)
        try:
            state = prepare(connection, path, kind)
        except duckdb.Error as error:
            connection.close()
            raise folder.explained(path, error) from error
        except DataFolderError:
            connection.close()
            raise
        folder.withdraw(path)  # of a process that was killed: this one holds the tape now
        database = Database(connection, lambda: connect(path, config))
        writer = Writer(database, state, clock=clock, commit_ms=commit_ms, queue_rows=queue_rows)
        writer.start()
        log.info("tape_opened", path=str(path), kind=str(kind), symbols=len(state.symbols))
        return cls(path, database, writer, state.symbols, queue_rows)

    def announce(self, url: str) -> None:
        """Leave the address of the running server beside the tape until it closes, for a second process to show."""
        try:
            folder.announce(self.path, url)
        except OSError as error:
            log.warning("announcement_failed", cause=str(error))

    def put_trades(self, batch: TradeBatch) -> bool:
        """Hand over trades whose ids have been checked; False when the queue is full, and none of them is taken.

        Raises:
            StoreUnavailable: after close.
        """
        return not len(batch) or self._writer.put_trades(batch)

    def put_bars(self, bars: BarArray) -> bool:
        """Hand over bars; one that is stored already (symbol, interval, open time and source) is replaced.

        Bars have a queue bound of their own (`writer.BARS_LIMIT`), so that waiting trades never turn them away.

        Raises:
            StoreUnavailable: after close.
        """
        return not len(bars) or self._writer.put_bars(bars)

    def put_gaps(self, gaps: Sequence[Gap]) -> bool:
        """Hand over gaps, new or changed: one of the same symbol and first id is replaced.

        Gaps have a queue bound of their own (`writer.GAPS_LIMIT`), so that waiting trades never turn them away.

        Raises:
            StoreUnavailable: after close.
        """
        return not gaps or self._writer.put_gaps(gaps)

    async def flushed(self) -> None:
        """Return when everything put before is on the disk.

        Raises:
            StoreUnavailable: after close, or when the tape is closed before its rows could be written.
        """
        await asyncio.wrap_future(self._writer.flush())

    def close(self) -> None:
        """Write what waits, let go of the file, take the announcement away. Closing twice is closing once.

        Raises:
            StoreUnavailable: when rows could not be written; the file is closed all the same.
        """
        if self._closed:
            return
        self._closed = True
        rows_lost = self._writer.stop()
        self._database.close()
        folder.withdraw(self.path)
        log.info("tape_closed", path=str(self.path), rows_lost=rows_lost)
        if rows_lost:
            raise StoreUnavailable(
                f"{rows_lost} rows could not be written to {self.path}: {self._writer.counters().error}",
                cure="look at its disk; the missing trades are fetched again at the next start",
            )

    def trades(
        self,
        symbol: str,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        from_id: int | None = None,
        to_id: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> TradeBatch:
        """Committed trades of a symbol in rising order of id, from a half-open range of times and of ids.

        With `newest` they are the last `limit` of the range, else the first.

        Raises:
            UnknownName: when the tape has never seen the symbol.
            StoreUnavailable: after close, or when the disk fails.
        """
        bounds: reads.Bounds = {
            "symbol_id =": self.symbols.index(symbol),
            "time_ms >=": from_ms,
            "time_ms <": to_ms,
            "id >=": from_id,
            "id <": to_id,
        }
        with self._database.reading() as cursor:
            return reads.read_trades(cursor, bounds, limit, newest)

    def bars(
        self,
        symbol: str,
        interval: Interval,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> BarArray:
        """Committed bars of a symbol in rising order of open time, from a half-open range; of every source.

        Raises:
            UnknownName: when the tape has never seen the symbol.
            StoreUnavailable: after close, or when the disk fails.
        """
        bounds: reads.Bounds = {
            "symbol_id =": self.symbols.index(symbol),
            "interval_ms =": interval.ms,
            "open_time_ms >=": from_ms,
            "open_time_ms <": to_ms,
        }
        with self._database.reading() as cursor:
            return reads.read_bars(cursor, bounds, limit, newest)

    def last_trades(self) -> dict[int, tuple[int, int]]:
        """For each symbol's integer the highest id on the tape and the time of that trade."""
        with self._database.reading() as cursor:
            return reads.read_last_trades(cursor)

    def last_bars(self, interval: Interval) -> dict[int, int]:
        """For each symbol's integer the open time of its newest bar."""
        with self._database.reading() as cursor:
            return reads.read_last_bars(cursor, interval)

    def gaps(self, symbol: str | None = None, open_only: bool = False) -> list[Gap]:
        """Gaps by symbol and first id; of one symbol when named, and only those not closed when asked."""
        symbol_id = None if symbol is None else self.symbols.index(symbol)
        with self._database.reading() as cursor:
            return reads.read_gaps(cursor, self.symbols, symbol_id, open_only)

    def counters(self) -> StoreCounters:
        """How the disk is doing; cheap, never waits for a write."""
        writer = self._writer.counters()
        return StoreCounters(
            trades_committed=writer.trades_committed,
            rows_waiting=writer.rows_waiting,
            rows_limit=self._queue_rows,
            rows_refused=writer.rows_refused,
            commit_ms_p50=writer.commit_ms_p50,
            commit_ms_p99=writer.commit_ms_p99,
            last_commit_ms=writer.last_commit_ms,
            database_bytes=folder.size_bytes(self.path),
            error=writer.error,
        )
