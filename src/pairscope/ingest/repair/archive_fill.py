"""Holes that REST no longer reaches, filled from the official daily files while everything runs.

One file at a time: it is downloaded, checked, and read in a thread, and its missing trades go the way of every other
trade, so that bars are rebuilt and told as revised. The open gaps are the queue, as for REST, and a gap that cannot be
filled says why.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import ArchiveError, DataFolderError, FeedUnavailable, StoreUnavailable
from pairscope.base.gaps import BY_REFUSAL, Obstacle
from pairscope.base.id_ranges import intersect, run, union
from pairscope.base.interval import DAY_MS
from pairscope.base.model import Gap, SymbolTable
from pairscope.base.tasks import comes
from pairscope.feed.archive_files import ArchiveFile, ArchiveKind
from pairscope.feed.backoff import Backoff
from pairscope.feed.continuity import ContinuityTracker
from pairscope.feed.judge import Judge, Judged
from pairscope.feed.venue import Archive
from pairscope.ingest.history.merge import in_thread
from pairscope.ingest.repair.repair import RepairStatus
from pairscope.ingest.repair.rest_backfill import DISK_PAUSE_S

log = structlog.get_logger()

READY_MS = 10 * 3_600_000  # a file is made about nine hours after its day
CHECK_S = 600.0
FIRST_AGAIN_S, LAST_AGAIN_S = 3_600.0, 86_400.0  # between looks for a file that was not there
ROWS_AT_ONCE = 4_000  # put between two turns of the event loop
BREATH_S = 0.01


@dataclass(frozen=True, slots=True, order=True)
class MissingDay:
    """A day of a symbol, whose file is worth a look."""

    day_ms: int
    symbol: str

    @property
    def day(self) -> date:
        return datetime.fromtimestamp(self.day_ms / 1_000, UTC).date()


@dataclass(slots=True)
class ArchiveCounters:
    files: int = 0
    trades: int = 0
    failures: int = 0
    last_error: str | None = None


class ArchiveFill:
    """Looks for the files of days that lack trades, until cancelled.

    Args:
        take: receives the rows of missing trades, in order of id; false when the tape is full.
        obstructed: told of each gap whose obstacle changed.
        may_store: whether the tape takes trades at present.
        prepare: awaited before the first file is read.
        folder: a download lies here until it is read.
        keep_days: trades older than that would be deleted at once.
    """

    def __init__(
        self,
        *,
        site: Archive,
        tracker: ContinuityTracker,
        symbols: SymbolTable,
        judge: Judge,
        take: Callable[[Judged], bool],
        obstructed: Callable[[Gap], None],
        may_store: Callable[[], bool],
        prepare: Callable[[], Awaitable[None]],
        folder: Path,
        keep_days: int,
        clock: Clock,
    ) -> None:
        self.counters = ArchiveCounters()
        self._site = site
        self._tracker = tracker
        self._symbols = symbols
        self._judge = judge
        self._take = take
        self._obstructed = obstructed
        self._may_store = may_store
        self._prepare = prepare
        self._folder = folder
        self._keep_ms = keep_days * DAY_MS
        self._clock = clock
        self._wake = asyncio.Event()
        self._read: set[MissingDay] = set()
        self._absent: dict[MissingDay, Backoff] = {}
        self._not_before_s: dict[MissingDay, float] = {}
        self._unreachable = Backoff(first_s=60.0, cap_s=FIRST_AGAIN_S)

    def wake(self) -> None:
        """There are gaps that REST cannot fill."""
        self._wake.set()

    @property
    def next_allowed_ms(self) -> int | None:
        """When the site may be asked again; None when it may be now."""
        return self._site.door.next_allowed_ms

    @property
    def waiting(self) -> int:
        """Trade ids that only a daily file may still have."""
        return sum(gap.ids for gap in self._gaps())

    def status(self) -> RepairStatus:
        counters = self.counters
        return RepairStatus(
            name="archive",
            ids_waiting=self.waiting,
            answers=counters.files,
            trades=counters.trades,
            failures=counters.failures,
            last_error=counters.last_error,
        )

    async def run(self) -> None:
        """Fill gaps as files appear, until cancelled."""
        while True:
            self._wake.clear()
            pause_s = CHECK_S
            try:
                while (wanted := self.next()) is not None:
                    await self.look_for(wanted)
            except (FeedUnavailable, ArchiveError, DataFolderError, StoreUnavailable) as error:
                self._failed(error.message)
                asked_s = error.retry_after_s if isinstance(error, FeedUnavailable) else None
                pause_s = max(self._unreachable.next_s(), asked_s or 0.0)
            except Exception as error:  # the edge of the task: the market goes on without it
                log.exception("archive_fill_failed")
                self._failed(f"{type(error).__name__}: {error}")
            if pause_s != CHECK_S:
                await asyncio.sleep(pause_s)
                continue
            await comes(self._wake, within_s=pause_s)

    def _failed(self, cause: str) -> None:
        self.counters.failures += 1
        self.counters.last_error = cause
        log.warning("archive_unavailable", cause=cause)

    def next(self) -> MissingDay | None:
        """The newest day whose file may be there and was not looked for just now."""
        now, now_s = now_ms(self._clock), self._clock.monotonic_s()
        days = {MissingDay(day_ms, gap.symbol) for gap in self._gaps() for day_ms in days_of(gap)}
        self._forget_all_but(days)
        oldest_ms = now // DAY_MS * DAY_MS - self._keep_ms
        due = [
            each
            for each in days - self._read
            if oldest_ms <= each.day_ms <= now - DAY_MS - READY_MS and self._not_before_s.get(each, 0.0) <= now_s
        ]
        return max(due, default=None)

    def _forget_all_but(self, days: set[MissingDay]) -> None:
        self._read &= days
        self._absent = {day: backoff for day, backoff in self._absent.items() if day in days}
        self._not_before_s = {day: time_s for day, time_s in self._not_before_s.items() if day in days}

    def _gaps(self, symbol: str | None = None) -> list[Gap]:
        return [gap for gap in self._tracker.all_open() if _is_for_archive(gap) and symbol in (None, gap.symbol)]

    async def look_for(self, wanted: MissingDay) -> None:
        """Fill what one file has, or note that there is none.

        Raises:
            FeedUnavailable: when the site cannot be reached or refuses.
            ArchiveError: when the file cannot be used.
            DataFolderError: when it cannot be written.
        """
        # Whatever comes of it, not again at once: a damaged file must not be downloaded in a circle.
        self._not_before_s[wanted] = self._clock.monotonic_s() + FIRST_AGAIN_S
        sha256 = await self._site.checksum(wanted.symbol, ArchiveKind.AGG, wanted.day)
        self._unreachable.reset()
        if sha256 is None:
            self._note_absent(wanted)
            return
        path = await self._site.fetch(wanted.symbol, ArchiveKind.AGG, wanted.day, sha256, self._folder)
        try:
            file = self._site.files.named(path)
            assert file is not None
            await self._prepare()
            await self._fill(file, wanted)
        finally:
            path.unlink(missing_ok=True)

    def _note_absent(self, wanted: MissingDay) -> None:
        backoff = self._absent.setdefault(wanted, Backoff(first_s=FIRST_AGAIN_S, cap_s=LAST_AGAIN_S))
        self._not_before_s[wanted] = self._clock.monotonic_s() + backoff.next_s()
        looked_ms = now_ms(self._clock) // 1_000 * 1_000  # as the tape keeps it
        for gap in self._gaps(wanted.symbol):
            if wanted.day_ms in days_of(gap):
                self._obstruct(gap, Obstacle.NO_FILE, looked_ms)

    async def _fill(self, file: ArchiveFile, wanted: MissingDay) -> None:
        trades = self._site.files.trades(file, self._clock.now_ns(), self._judge, kept_rows=0)
        report = await asyncio.to_thread(trades.examine)
        symbol_id = self._symbols.index(wanted.symbol)
        missing = union(*(run(gap.first_id, gap.last_id) for gap in self._gaps(wanted.symbol)))
        batches = in_thread(trades.judged(symbol_id, intersect(report.known, missing)))
        brought = await self._bring(batches)
        self.counters.files += 1
        self.counters.trades += brought
        self._read.add(wanted)
        log.info("archive_file_read", file=file.name, brought=brought)
        for gap in self._gaps(wanted.symbol):
            if all(MissingDay(day_ms, gap.symbol) in self._read for day_ms in days_of(gap)):
                self._obstruct(gap, Obstacle.NOT_IN_ARCHIVE)

    async def _bring(self, batches: AsyncGenerator[Judged, None]) -> int:
        brought = 0
        async with contextlib.aclosing(batches):
            async for batch in batches:
                for start in range(0, len(batch), ROWS_AT_ONCE):
                    part = batch.take(np.arange(start, min(start + ROWS_AT_ONCE, len(batch))))
                    await self._put(part)
                    brought += int(part.keep.sum())
                    await asyncio.sleep(BREATH_S)
        return brought

    async def _put(self, rows: Judged) -> None:
        while True:
            if self._may_store() and self._take(rows):
                return
            await asyncio.sleep(DISK_PAUSE_S)

    def _obstruct(self, gap: Gap, obstacle: Obstacle, looked_ms: int | None = None) -> None:
        symbol_id = self._symbols.index(gap.symbol)
        log.warning("gap_stays", symbol=gap.symbol, first_id=gap.first_id, last_id=gap.last_id, obstacle=obstacle)
        for changed in self._tracker.obstruct(symbol_id, gap.first_id, gap.last_id, obstacle, looked_ms):
            self._obstructed(changed)


def _is_for_archive(gap: Gap) -> bool:
    return gap.obstacle in (Obstacle.TOO_OLD, Obstacle.NOT_SERVED, Obstacle.NO_FILE, *BY_REFUSAL)


def days_of(gap: Gap) -> Iterable[int]:
    """The days the ids of a gap may be of; where it is not known when it began, the last two.

    >>> hour = 3_600_000
    >>> list(days_of(Gap("A", 1, 2, 0, "test", after_ms=23 * hour, before_ms=25 * hour)))
    [0, 86400000]
    """
    last_ms = gap.found_ms if gap.before_ms is None else gap.before_ms
    first_ms = last_ms - DAY_MS if gap.after_ms is None else gap.after_ms
    return range(max(0, first_ms) // DAY_MS * DAY_MS, last_ms + 1, DAY_MS)
