"""The past from the exchange itself: official files of whole days, REST for the last two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.base.id_ranges import Runs, contains, no_runs, run, runs_of, size, subtract, union
from pairscope.base.interval import DAY_MS
from pairscope.base.model import TradeKind
from pairscope.feed.archive_files import ArchiveKind, day_ms
from pairscope.feed.backoff import Backoff
from pairscope.feed.judge import REFUSALS, GoodTrades, Refusal
from pairscope.feed.venue import HOUR_MS, Archive, Around, History
from pairscope.ingest.history.file_import import FileImport, FileOutcome, Progress
from pairscope.ingest.history.merge import Merge
from pairscope.store.iterate import absent_ids
from pairscope.store.tape import Tape

ATTEMPTS = 5
NOT_WORTH_A_SECOND_TRY = ("too_old", "http_403", "http_418", "http_451")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Range:
    """A part of a day to be had by REST."""

    name: str
    from_ms: int
    to_ms: int


class Download:
    """Brings past days to a tape, newest first.

    Args:
        kind: raw trades come from official files only: REST has no way to ask for them by id.
        folder: downloads lie here until they are imported.
        told: called with what came of each day.
    """

    def __init__(
        self,
        *,
        store: Tape,
        kind: TradeKind,
        history: FileImport,
        importer: Merge,
        site: Archive,
        rest: History,
        folder: Path,
        clock: Clock,
        progress: Progress,
        told: Callable[[FileOutcome], None],
    ) -> None:
        self._store = store
        self._kind = kind
        self._history = history
        self._importer = importer
        self._site = site
        self._rest = rest
        self._folder = folder
        self._clock = clock
        self._progress = progress
        self._told = told

    async def bring(self, symbol: str, first: date, last: date) -> None:
        """All days from `first` to `last`, both included, today up to now.

        Raises:
            FeedUnavailable: when the exchange cannot be reached or refuses.
            ArchiveError: when an official file cannot be used.
            StoreUnavailable: when the tape cannot be written.
        """
        now = now_ms(self._clock)
        today = datetime.fromtimestamp(now / 1_000, UTC).date()
        day = min(last, today)
        while day >= first:
            outcome = await self._file_of(symbol, day) if day < today else None
            self._told(outcome or await self._by_rest(symbol, day))
            day -= timedelta(days=1)

    async def bring_files(self, symbol: str, first: date, last: date) -> int:
        """The official files of these days, newest first, of a symbol REST no longer knows; how many there are.

        Raises:
            FeedUnavailable, ArchiveError, StoreUnavailable: as `bring`.
        """
        found = 0
        day = min(last, datetime.fromtimestamp(now_ms(self._clock) / 1_000, UTC).date() - timedelta(days=1))
        while day >= first:
            if (outcome := await self._file_of(symbol, day)) is not None:
                self._told(outcome)
                found += 1
            day -= timedelta(days=1)
        return found

    async def _file_of(self, symbol: str, day: date) -> FileOutcome | None:
        """Import the official file of a day, if there is one."""
        kind = ArchiveKind.AGG if self._kind is TradeKind.AGG else ArchiveKind.RAW
        sha256 = await self._site.checksum(symbol, kind, day)
        if sha256 is None:
            return None
        name = self._site.files.name(symbol, kind, day)
        if await self._history.has(name, sha256):
            return FileOutcome(name, 0, skipped=True)
        self._progress(name, 0, 0)
        path = await self._site.fetch(symbol, kind, day, sha256, self._folder)
        file = self._site.files.named(path)
        assert file is not None
        outcome = await self._history.take(file)
        path.unlink()
        return outcome

    async def _by_rest(self, symbol: str, day: date) -> FileOutcome:
        name = f"{symbol} {day.isoformat()}"
        now = now_ms(self._clock)
        start_ms, end_ms = day_ms(day), min(day_ms(day) + DAY_MS, now)
        if self._kind is TradeKind.RAW:
            return FileOutcome(name, 0, notes=("there is no official file yet, and REST has no raw trades by id",))
        wanted = _Range(name, max(start_ms, now - self._rest.reach_ms), end_ms)
        if wanted.from_ms >= end_ms:
            return FileOutcome(name, 0, notes=("there is no official file, and REST reaches back two days only",))
        notes = ("REST no longer has its first hours",) if wanted.from_ms > start_ms else ()
        ids = await self._ids(symbol, wanted)
        if not len(ids):
            return FileOutcome(name, 0, notes=(*notes, "no trades"))
        absent = await asyncio.to_thread(absent_ids, self._store, symbol, ids)
        symbol_id = self._store.symbols.add(symbol)
        refused: dict[Refusal, Runs] = {}
        pages = self._pages(symbol, symbol_id, absent, wanted, refused)
        brought = await self._importer.bring(symbol, pages, absent, refused, no_runs())
        unserved = size(subtract(absent, union(*refused.values()))) - brought.added
        notes = (*notes, *(f"{size(found):,} rows were refused: {why}" for why, found in refused.items()))
        notes = (*notes, f"{unserved:,} ids were not served") if unserved else notes
        return FileOutcome(name, size(ids), added=brought.added, bars=brought.bars, notes=notes)

    async def _ids(self, symbol: str, wanted: _Range) -> Runs:
        """The ids of a range of time, which ends now or in the past."""
        self._store.symbols.add(symbol)
        first_id = await self._first_id(symbol, wanted.from_ms, wanted.to_ms)
        if first_id is None:
            return no_runs()
        now = now_ms(self._clock)
        after = await self._first_id(symbol, wanted.to_ms, now) if wanted.to_ms < now else None
        last_id = after - 1 if after is not None else await self._newest_id(symbol, first_id, wanted)
        return run(first_id, last_id)

    async def _first_id(self, symbol: str, from_ms: int, to_ms: int) -> int | None:
        """The first id at or after a time; None when there is none before another."""
        for time_ms in range(from_ms, to_ms, HOUR_MS):
            found = await self._patiently(partial(self._rest.first_id_from, symbol, time_ms))
            if found is not None:
                return found
        return None

    async def _newest_id(self, symbol: str, first_id: int, wanted: _Range) -> int:
        """The newest id there is: from a few minutes back forward, page by page."""
        for back_ms in (60_000, 600_000, HOUR_MS):
            near = await self._patiently(partial(self._rest.first_id_from, symbol, wanted.to_ms - back_ms))
            if near is not None:
                first_id = max(first_id, near)
                break
        around = Around(wanted.from_ms)
        while True:
            page = await self._patiently(partial(self._rest.page, symbol, 0, first_id, around=around))
            if not len(page):
                return first_id
            first_id = int(page.rows.id[-1])
            around = Around(int(page.rows.time_ms[-1]))
            if len(page) < self._rest.page_rows:
                return first_id

    async def _pages(
        self, symbol: str, symbol_id: int, wanted: Runs, where: _Range, refused: dict[Refusal, Runs]
    ) -> AsyncGenerator[GoodTrades, None]:
        """The trades of some ids; those of rows that are none are put into `refused`."""
        done, total, around = 0, size(wanted), Around(where.from_ms, where.to_ms)
        for first_id, last_id in wanted.tolist():
            next_id = first_id
            while next_id <= last_id:
                limit = min(self._rest.page_rows, last_id - next_id + 1)
                ask = partial(self._rest.page, symbol, symbol_id, next_id, limit, around)
                page = await self._patiently(ask)
                page = page.take(contains(run(next_id, last_id), page.rows.id))
                if not len(page):  # no longer there, or not yet
                    break
                for refusal in REFUSALS:
                    if len(told := page.refused(refusal)):
                        refused[refusal] = union(refused.get(refusal, no_runs()), runs_of(told))
                if len(good := page.good()):
                    yield good
                next_id = int(page.rows.id.max()) + 1
                done += len(page)
                self._progress(where.name, done, total)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again after a failure that may pass; what will not is raised at once."""
        backoff = Backoff()
        for _ in range(ATTEMPTS - 1):
            try:
                return await ask()
            except FeedUnavailable as error:
                if error.code in NOT_WORTH_A_SECOND_TRY:
                    raise
                await asyncio.sleep(backoff.next_s())
        return await ask()
