"""The store as the other rooms see it: put trades, bars and gaps; read them back; know how the disk is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog

from pairscope.base.clock import Clock
from pairscope.base.errors import FileNotWritten, StoreUnavailable
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, Gap, IntArray, SymbolTable, TradeBatch, TradeKind
from pairscope.base.notifier import Notifier
from pairscope.feed.judge import GoodTrades
from pairscope.store import data_folder, opening, reads
from pairscope.store.corrections import Correction
from pairscope.store.data_folder import Connect
from pairscope.store.database import Database
from pairscope.store.disk import Disk
from pairscope.store.extents import Extent, read_days, read_extents, read_intervals, read_last_bars, read_last_trades
from pairscope.store.gap_rows import read_gaps
from pairscope.store.holdings import Holding, read_holdings
from pairscope.store.maintenance import SWEEP_BYTES, DiskUse, Maintenance, open_vault
from pairscope.store.refusals import closed_if_refused
from pairscope.store.retention import ImportedShare, KeepDays, RetainReport
from pairscope.store.room import Room
from pairscope.store.schema import prepare
from pairscope.store.sealed_catalog import Part, PartKind
from pairscope.store.sealing import SealReport
from pairscope.store.shapes import BARS, TRADES
from pairscope.store.snapshot import take_snapshot
from pairscope.store.tape_notes import TapeNotes
from pairscope.store.tape_state import StoreCounters, TapeState, counted
from pairscope.store.writer import Writer

log = structlog.get_logger()


class Tape:
    """A tape on disk, open for writing by this process and for reading by any of its threads.

    Puts never wait: they are for the event loop. Reads are for `asyncio.to_thread`; they see what is committed.
    """

    def __init__(
        self,
        path: Path,
        database: Database,
        writer: Writer,
        days: Maintenance,
        symbols: SymbolTable,
        queue_rows: int,
        kept_log: Path | None = None,
    ) -> None:
        """`kept_log`: the damaged log that was set aside when the tape was opened."""
        self.path = path
        self.symbols = symbols
        self._database = database
        self._writer = writer
        self._days = days
        self._queue_rows = queue_rows
        self._closed = False
        self.kept_log = kept_log

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
        keep_data_days: int = 7,
        keep_bar_days: int = 365,
        keep_imported_days: int | None = None,
        most_disk_bytes: int | None = None,
        connect: Connect = data_folder.connect,
        disk: Disk | None = None,
    ) -> Tape:
        """Open the tape at `path`, making it and its folder when they are not there, and start its writer.

        Raises:
            DataFolderError: when the folder cannot be written, the file is held by another process, damaged, not a
                tape, of another format, or holds the other kind of trade, or when its sealed days are missing.
        """
        config = data_folder.database_config(path, memory_limit_mb)
        notes, is_new = TapeNotes(path), not path.exists()
        opened = opening.open_file(path, connect, config)
        connection = opened.connection
        with closed_if_refused(path, connection):
            state = prepare(connection, path, kind)
            keeps_unlisted = opened.kept_log is not None
            sealed_files, sealed = open_vault(connection, path, disk or Disk(), keeps_unlisted=keeps_unlisted)
            notes.prepare(is_new=is_new)
        data_folder.withdraw(path)  # of a process that was killed: this one holds the tape now
        database = Database(connection, lambda: connect(path, config))
        writer = Writer(database, state, clock=clock, commit_ms=commit_ms, queue_rows=queue_rows)
        keep = KeepDays(trades=keep_data_days, bars=keep_bar_days, imported=keep_imported_days)
        days = Maintenance(path, database, writer, sealed_files, state.symbols, clock, keep, most_disk_bytes)
        writer.start()
        days.look_for_missing(sealed)
        log.info("tape_opened", path=str(path), kind=str(kind), symbols=len(state.symbols))
        return cls(path, database, writer, days, state.symbols, queue_rows, opened.kept_log)

    async def run(self) -> None:
        """Take care of the sealed days until cancelled."""
        await self._days.run()

    def announce(self, url: str) -> None:
        """Leave the address of the running server beside the tape until it closes, for a second process to show."""
        try:
            data_folder.announce(self.path, url)
        except FileNotWritten as error:
            log.warning("announcement_failed", cause=error.message)

    def put_trades(self, batch: GoodTrades) -> bool:
        """Hand over judged trades whose ids have been checked; False when the queue is full, and none of them is taken.

        Raises:
            StoreUnavailable: after close.
        """
        return not len(batch) or self._writer.put_trades(batch)

    def put_bars(self, bars: BarArray) -> bool:
        """Hand over bars; one that is stored already (symbol, interval, open time) is replaced, but for uploads.

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

    def correct_trades(self, symbol: str, trades: Sequence[GoodTrades], gone: IntArray, gaps: Sequence[Gap]) -> None:
        """Put trades in place of those of their ids, take away those called `gone`, write gaps: all of it or nothing.

        What was put before must be flushed. To be called in a thread: sealed files are written anew.

        Raises:
            StoreUnavailable: after close, or when the tape cannot be read or written.
        """
        ids = np.concatenate([*(batch.id for batch in trades), gone])
        if len(ids):
            self._days.correct(Correction(TRADES, self.symbols.index(symbol), 0, ids, trades, gaps))

    def remove_bars(self, symbol: str, interval: Interval, opens_ms: IntArray) -> None:
        """Take away the bars of these open times, but for uploads; as `correct_trades`."""
        if len(opens_ms):
            self._days.correct(Correction(BARS, self.symbols.index(symbol), interval.ms, opens_ms))

    def count_trades(self, symbol: str, from_id: int, to_id: int) -> int:
        """How many trades there are of a half-open range of ids; most of it is known without reading sealed files."""
        symbol_id, sealed_files = self.symbols.index(symbol), self._days.sealed_files
        return self._database.read(lambda cursor: reads.read_count(cursor, sealed_files, symbol_id, from_id, to_id))

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
        data_folder.withdraw(self.path)
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
        sealed_files = self._days.sealed_files
        return self._database.read(
            lambda cursor: reads.read_trades(cursor, sealed_files, bounds, limit, newest), reads.weight_of(limit)
        )

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
        sealed_files = self._days.sealed_files
        return self._database.read(
            lambda cursor: reads.read_bars(cursor, sealed_files, bounds, limit, newest), reads.weight_of(limit)
        )

    def days_with(self, kind: PartKind, symbol: str) -> list[int]:
        """The first millisecond of each UTC day in which the tape has trades, or bars, of a symbol.

        Raises:
            UnknownName: when the tape has never seen the symbol.
            StoreUnavailable: after close, or when the disk fails.
        """
        symbol_id, shape = self.symbols.index(symbol), TRADES if kind == "trades" else BARS
        return self._database.read(lambda cursor: read_days(cursor, shape, symbol_id))

    def intervals(self, symbol: str) -> list[Interval]:
        """Of which intervals the tape has bars of a symbol.

        Raises:
            UnknownName: when the tape has never seen the symbol.
            StoreUnavailable: after close, or when the disk fails.
        """
        symbol_id = self.symbols.index(symbol)
        return self._database.read(lambda cursor: read_intervals(cursor, symbol_id))

    def extents(self) -> dict[int, Extent]:
        """For each symbol's integer how much of it is on the tape; symbols without anything are left out."""
        return self._database.read(read_extents)

    def last_trades(self) -> dict[int, tuple[int, int]]:
        """For each symbol's integer the highest id on the tape and the time of that trade."""
        return self._database.read(read_last_trades)

    def last_bars(self, interval: Interval) -> dict[int, int]:
        """For each symbol's integer the open time of its newest bar."""
        return self._database.read(lambda cursor: read_last_bars(cursor, interval))

    def gaps(self, symbol: str | None = None, open_only: bool = False) -> list[Gap]:
        """Gaps by symbol and first id; of one symbol when named, and only those not closed when asked."""
        symbol_id = None if symbol is None else self.symbols.index(symbol)
        return self._database.read(lambda cursor: read_gaps(cursor, self.symbols, symbol_id, open_only))

    def seal(self, now_ms: int) -> SealReport | None:
        """Seal to files what belongs to days that are over; None when there is nothing to do.

        A day is over when the newest trade, and `now_ms`, are an hour into the next one. Late trades of a sealed day
        are merged into a new file once no more have come since the call before. To be called about once a minute,
        in a thread: it takes as long as it takes, while puts and reads go on.

        Raises:
            StoreUnavailable: after close, or when the tape cannot be read or written; nothing is changed then.
        """
        return self._days.seal(now_ms)

    def retain(self, now_ms: int) -> RetainReport | None:
        """Delete days that are too old; None when there are none. Age is counted from the newest trade at most.

        Days that hold anything imported or uploaded are kept whole, as long as `keep_imported_days` says.

        Raises:
            StoreUnavailable: after close, or when the tape cannot be read or written; nothing is changed then.
        """
        return self._days.retain(now_ms)

    def make_room(self, now_ms: int) -> None:
        """Let the oldest sealed live days go while the tape takes more of the disk than `most_disk_bytes`.

        Raises:
            StoreUnavailable: after close, or when the tape cannot be read or written; nothing is changed then.
        """
        self._days.make_room(now_ms)

    def room(self) -> Room:
        """How the tape stands to its bound on the disk, as `make_room` last saw it; cheap."""
        return self._days.room

    def imported(self) -> list[ImportedShare] | None:
        """What was imported of each symbol, and when it may go; None until most sealed files were looked at.

        Raises:
            StoreUnavailable: after close, or when the disk fails.
        """
        return self._days.imported()

    def sweep(self, limit_bytes: int = SWEEP_BYTES) -> int:
        """Read sealed files again to see whether they still hold what was written, the next ones at each call.

        Returns how many bytes were read. Every file is checked at its first use too; the sweep finds the rot in those
        nobody asks for.

        Raises:
            StoreUnavailable: after close, or when the disk fails.
        """
        return self._days.sweep(limit_bytes)

    def snapshot(self, folder: Path, symbol_ids: Sequence[int]) -> Path:
        """Copy what is committed of some symbols, as it stands now, to a tape of its own in a new folder.

        Raises:
            StoreUnavailable: after close, or when the tape cannot be read.
            FileNotWritten: when the folder cannot be written; `DiskFull` when there is no room.
        """
        return take_snapshot(self._database, self._days.sealed_files, folder, symbol_ids)

    def days(self, symbol: str | None = None) -> list[Part]:
        """The sealed files, by day and symbol; of one symbol when named.

        Raises:
            UnknownName: when the tape has never seen the symbol.
            StoreUnavailable: after close, or when the disk fails.
        """
        symbol_id = None if symbol is None else self.symbols.index(symbol)
        return [part for part in self._days.parts() if symbol_id in (None, part.symbol_id)]

    def quarantined(self) -> list[Part]:
        """The sealed files that were found damaged, each with its damage; their ids became gaps.

        Raises:
            StoreUnavailable: after close, or when the disk fails.
        """
        return self._days.damaged()

    @property
    def ids_lost(self) -> Notifier[[Sequence[Gap]]]:
        """Tells, in another thread, of the gaps a damaged file leaves, once they are in the table of gaps."""
        return self._days.ids_lost

    def disk_use(self) -> DiskUse:
        """How many bytes each kind of data takes, and how many are left.

        Raises:
            StoreUnavailable: after close, or when the disk fails.
        """
        return self._days.disk_use()

    def holdings(self) -> list[Holding]:
        """What is on the tape of each symbol, sealed days included; symbols without a trade are left out.

        Raises:
            StoreUnavailable: after close, or when the disk fails.
        """
        return self._database.read(read_holdings)

    def status(self) -> TapeState:
        """What is known of the tape without asking its disk."""
        return TapeState(self.path, self.counters(), self.room())

    def counters(self) -> StoreCounters:
        """How the disk is doing; cheap, never waits for a write."""
        return counted(self.path, self._database, self._writer.counters(), self._queue_rows)
