"""The sealed days of a tape: made, looked after, deleted. One care at a time; each call belongs in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import StoreUnavailable
from pairscope.base.model import Gap, SymbolTable
from pairscope.base.notifier import Notifier
from pairscope.store import data_folder
from pairscope.store.corrections import Correction, Corrector
from pairscope.store.damage_reports import DamageReports
from pairscope.store.database import Database
from pairscope.store.disk import Disk
from pairscope.store.imported import Imported
from pairscope.store.retention import ImportedShare, KeepDays, RetainReport, Retention
from pairscope.store.room import Room, RoomKeeper
from pairscope.store.sealed_catalog import Cursor, Part, damaged_parts, given_numbers, select_parts
from pairscope.store.sealed_files import SealedFiles, days_folder
from pairscope.store.sealing import Sealer, SealReport
from pairscope.store.writer import Writer

log = structlog.get_logger()

CARE_S = 60.0
SWEEP_BYTES = 64_000_000  # hashed afresh at each care
LONGEST_WAIT_S = 5.0  # for damage to be written down


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes on the disk."""

    open_bytes: int  # the DuckDB file: days not yet sealed, and everything small
    trades_bytes: int  # sealed
    bars_bytes: int
    quarantine_bytes: int
    free_bytes: int  # left on the volume

    @property
    def total_bytes(self) -> int:
        return self.open_bytes + self.trades_bytes + self.bars_bytes + self.quarantine_bytes


def open_vault(
    connection: Cursor, path: Path, disk: Disk, *, keeps_unlisted: bool = False
) -> tuple[SealedFiles, list[Part]]:
    """The folder of a tape's sealed files, and those of trades: bars are many, and no gap hangs on them.

    Raises:
        DataFolderError: when days were sealed and their folder is missing.
    """
    sealed_files = SealedFiles(days_folder(path), disk, damaged_parts(connection), keeps_unlisted=keeps_unlisted)
    ((files,),) = connection.execute("select count(*) from parts where damage is null").fetchall()
    if files:
        sealed_files.make_sure_of_root(files)
    return sealed_files, select_parts(connection, "kind = 'trades'")


class Maintenance:
    """All care for sealed days. `Tape` shows its methods to the other rooms."""

    def __init__(
        self,
        path: Path,
        database: Database,
        writer: Writer,
        sealed_files: SealedFiles,
        symbols: SymbolTable,
        clock: Clock,
        keep: KeepDays,
        most_bytes: int | None,
        *,
        writes: bool = True,
    ) -> None:
        """Without `writes` nothing is made, moved or written down; a damaged file is only left out."""
        self.sealed_files = sealed_files
        self._path = path
        self._clock = clock
        self._database = database
        self._desk = DamageReports(writer, sealed_files, clock)
        self._sealer = Sealer(database, writer, sealed_files, symbols, clock)
        self._corrector = Corrector(database, writer, sealed_files)
        self._imported = Imported(path, database, sealed_files, symbols, keeps=writes)
        self._retention = Retention(
            database, writer, sealed_files, keep, self._imported, symbols, lambda: now_ms(clock)
        )
        self._room = RoomKeeper(path, database, self._retention, most_bytes)
        self._one_at_a_time = threading.Lock()
        self._tidy = False
        self._swept = 0
        if writes:
            sealed_files.damaged.listen(self._desk.report)

    async def run(self) -> None:
        """Seal days that are over, delete those too old, and look for rot in the sealed ones, until cancelled."""
        while True:
            await asyncio.sleep(CARE_S)
            try:
                await asyncio.to_thread(self._care, now_ms(self._clock))
            except StoreUnavailable as error:  # a full disk: the writer says so, and goes on by itself
                log.warning("care_postponed", cause=error.message)

    def _care(self, at_ms: int) -> None:
        self.seal(at_ms)
        self.retain(at_ms)
        self.make_room(at_ms)
        self.sweep(SWEEP_BYTES)

    def look_for_missing(self, parts: list[Part]) -> None:
        """Notice files that are missing or of another length, before anything is asked of them."""
        for part in parts:
            try:
                self.sealed_files.is_there(part)
            except StoreUnavailable as error:
                log.warning("sealed_file_not_checked", file=str(part), cause=error.message)
        self._desk.wait(LONGEST_WAIT_S)

    def _tidy_up(self) -> None:
        """Clear up what a crash left. Not done at opening: there may be tens of thousands of files."""
        with self._database.reading() as cursor:
            cursor.execute("begin")
            listed, damaged, highest = select_parts(cursor), damaged_parts(cursor), given_numbers(cursor)
        self.sealed_files.tidy(listed, damaged, highest)
        self.look_for_missing(listed)
        self._tidy = True

    def seal(self, now_ms: int) -> SealReport | None:
        with self._caring():
            report = self._sealer.seal(now_ms)
            try:
                self._imported.learn()  # while every file can still be read
            except StoreUnavailable as error:
                log.warning("imports_not_counted", cause=error.message)
            return report

    def retain(self, now_ms: int) -> RetainReport | None:
        with self._caring():
            return self._retention.retain(now_ms)

    def make_room(self, now_ms: int) -> None:
        with self._caring():
            self._room.keep(self.used_bytes(), now_ms)

    @property
    def room(self) -> Room:
        return self._room.room

    def used_bytes(self) -> int:
        """All that a tape takes on the disk, its small files and logs that were set aside included."""
        return self.disk_use().total_bytes + data_folder.beside_bytes(self._path)

    def imported(self) -> list[ImportedShare] | None:
        return self._retention.shares()

    def correct(self, correction: Correction) -> None:
        with self._caring():
            self._corrector.correct(correction)

    def sweep(self, limit_bytes: int) -> int:
        """Hash files afresh, from where the sweep before ended, until so many bytes were read; returns how many."""
        with self._caring():
            parts = sorted(self.parts(), key=lambda part: (part.number <= self._swept, part.number))
            read_bytes = 0
            for part in parts:
                if read_bytes >= limit_bytes:
                    break
                self.sealed_files.trusts_after_hashing(part)
                read_bytes += part.byte_count
                self._swept = part.number
            return read_bytes

    @contextmanager
    def _caring(self) -> Iterator[None]:
        with self._one_at_a_time:
            if not self._tidy:
                self._tidy_up()
            self._desk.report_again()
            try:
                yield
            finally:
                self.sealed_files.remove_retired(self._database.reads_ended())
                self._desk.wait(LONGEST_WAIT_S)

    @property
    def ids_lost(self) -> Notifier[[Sequence[Gap]]]:
        return self._desk.ids_lost

    def parts(self) -> list[Part]:
        with self._database.reading() as cursor:
            return select_parts(cursor)

    def damaged(self) -> list[Part]:
        with self._database.reading() as cursor:
            return damaged_parts(cursor)

    def disk_use(self) -> DiskUse:
        query = "select kind, sum(byte_count) from parts where damage is null group by kind"
        with self._database.reading() as cursor:
            sealed = {kind: int(size) for kind, size in cursor.execute(query).fetchall()}
        return DiskUse(
            open_bytes=data_folder.size_bytes(self._path),
            trades_bytes=sealed.get("trades", 0),
            bars_bytes=sealed.get("bars", 0),
            quarantine_bytes=sum(self.sealed_files.quarantined_files().values()),
            free_bytes=self.sealed_files.disk.free_bytes(self._path.parent),
        )
