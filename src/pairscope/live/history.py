"""Official files, one after the other, to a tape: checked, brought, and noted as done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial

from pairscope.base.clock import Clock, now_ms
from pairscope.base.model import BarSource, TradeKind
from pairscope.base.runs import holes, no_runs, size
from pairscope.feed.binance.archive import ArchiveFile, ArchiveKind, verified_checksum
from pairscope.feed.binance.archive_klines import covers, read_klines
from pairscope.feed.binance.archive_trades import FileReport, TradesFile
from pairscope.feed.judge import GoodTrades, Refusal
from pairscope.live.importing import Brought, Importer, in_thread
from pairscope.store.imports import ImportedFile, ImportList
from pairscope.store.tape import Store

Progress = Callable[[str, int, int], None]  # file, rows done, rows in all
KEPT_ROWS = 5_000_000  # of a file, held in memory at 33 bytes each; reading a larger one twice costs half as much again
SHORT_MS, PAUSES = 600_000, 20  # a pause at the ends of a file that is told: so long, and so many mean pauses


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What came of one file; `notes` say what is odd about it, for people."""

    name: str
    rows: int
    added: int = 0
    skipped: bool = False  # nothing to do: it was imported before
    bars: int = 0
    different: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


class History:
    """Imports official files into one tape.

    Args:
        again: read files even when they were imported before.
    """

    def __init__(
        self,
        *,
        store: Store,
        importer: Importer,
        done: ImportList,
        clock: Clock,
        progress: Progress,
        again: bool = False,
    ) -> None:
        self._store = store
        self._importer = importer
        self._done = done
        self._clock = clock
        self._progress = progress
        self._again = again

    async def take(self, file: ArchiveFile) -> FileOutcome:
        """Import a file.

        Raises:
            ArchiveError: when it cannot be used; nothing of it is on the tape then.
            StoreUnavailable: when the tape cannot be written.
        """
        sha256 = await asyncio.to_thread(verified_checksum, file.path)
        if await self.has(file.name, sha256) and await self._has_bars(file):
            return FileOutcome(file.name, 0, skipped=True)
        before = self._done.get(file.name)
        notes = ("the exchange has replaced it since it was imported",) if before and before.sha256 != sha256 else ()
        if file.kind is ArchiveKind.KLINES:
            return await self._take_klines(file, sha256, notes)
        return await self._take_trades(file, sha256, notes)

    async def has(self, name: str, sha256: str) -> bool:
        """Whether this very file was imported, and its first and last trade are still on the tape."""
        known = self._done.get(name)
        if self._again or known is None or known.sha256 != sha256:
            return False
        if known.symbol not in self._store.symbols:
            return False
        if not known.last_id:
            return True
        for trade_id in (known.first_id, known.last_id):
            found = await asyncio.to_thread(self._store.trades, known.symbol, from_id=trade_id, to_id=trade_id + 1)
            if not len(found):
                return False
        return True

    async def _has_bars(self, file: ArchiveFile) -> bool:
        """Whether as many bars of its period are on the tape as a file of klines had; true of a file of trades."""
        known = self._done.get(file.name)
        if file.interval is None or known is None:
            return True
        read = partial(self._store.bars, file.symbol, file.interval, from_ms=file.from_ms, to_ms=file.to_ms)
        stored = await asyncio.to_thread(read)
        return int((stored["source"] != BarSource.UPLOAD).sum()) >= known.rows

    async def _take_trades(self, file: ArchiveFile, sha256: str, notes: tuple[str, ...]) -> FileOutcome:
        trades = TradesFile(file, self._clock.now_ns(), self._importer.judge, KEPT_ROWS)
        self._progress(file.name, 0, 0)
        report = await asyncio.to_thread(trades.examine)
        symbol_id = self._store.symbols.add(file.symbol)
        # Raw trades use ids that are no trades as a matter of course, and the official files leave those rows out.
        unused = holes(report.known) if file.kind.trade_kind is TradeKind.RAW else no_runs()
        batches = in_thread(trades.batches(symbol_id, report.ids))
        counted = _counted(batches, partial(self._progress, file.name), report.trades)
        brought = await self._importer.bring(file.symbol, counted, report.ids, report.refused, unused)
        first_id, last_id = int(report.ids[0, 0]), int(report.ids[-1, 1])
        self._note(file, sha256, report.trades, first_id, last_id)
        return FileOutcome(
            name=file.name,
            rows=report.rows,
            added=brought.added,
            bars=brought.bars,
            different=tuple(brought.different),
            notes=(*notes, *_oddities(file, report, brought)),
        )

    async def _take_klines(self, file: ArchiveFile, sha256: str, notes: tuple[str, ...]) -> FileOutcome:
        report = await asyncio.to_thread(read_klines, file, 0)
        bars = report.bars
        bars["symbol_id"] = self._store.symbols.add(file.symbol)  # only of a file that was found good
        put, different = await self._importer.put_klines(file.symbol, bars)
        self._note(file, sha256, len(bars), 0, 0)
        notes = (*notes, *report.notes)
        if different:
            notes = (*notes, f"{different:,} bars differ from those imported before, which stay as they are")
        return FileOutcome(file.name, len(bars), bars=put, notes=notes)

    def _note(self, file: ArchiveFile, sha256: str, rows: int, first_id: int, last_id: int) -> None:
        at_ms = now_ms(self._clock)
        self._done.add(ImportedFile(file.name, sha256, file.symbol, rows, first_id, last_id, at_ms))


async def _counted(
    batches: AsyncGenerator[GoodTrades, None], progress: Callable[[int, int], None], total: int
) -> AsyncGenerator[GoodTrades, None]:
    done = 0
    async for batch in batches:
        yield batch
        done += len(batch)
        progress(done, total)


_REFUSED_AS = {
    Refusal.NOT_POSITIVE: "rows have no price or no size",
    Refusal.NOT_FINITE: "rows have a price or size that is no number",
    Refusal.TOO_SMALL: "rows have a size below 1e-8",
    Refusal.TIME: "rows have a time that cannot be",
    Refusal.SIDE: "rows do not say who was the maker",
    Refusal.NOT_MARKET: "rows are not of the market",
}


def _oddities(file: ArchiveFile, report: FileReport, brought: Brought) -> list[str]:
    """What a person should know of a file that is not as it should be."""
    missing = "ids have no trade" if file.kind is ArchiveKind.RAW else "ids are missing in it"
    counts = [
        (report.missing, missing),
        (report.doubles, "rows are doubled"),
        (report.unsorted, "rows are out of order"),
        (report.conflicting, "doubled rows contradict the first of their id, which stands"),
        *((size(ids), _REFUSED_AS[refusal]) for refusal, ids in report.refused.items()),
        (report.far, "rows have an id far from all others"),
        (report.strays, "rows are of another day"),
        (report.bad, "lines cannot be read"),
        (len(brought.different), "trades differ from those on the tape, which stay as they are"),
    ]
    return [*(f"{count:,} {what}" for count, what in counts if count), *_shortness(file, report)]


def _shortness(file: ArchiveFile, report: FileReport) -> list[str]:
    """That a file ends, or begins, long inside its period: longer than the pauses between its trades explain."""
    usual_ms = (report.last_ms - report.first_ms) / max(1, report.trades)
    pause_ms = max(SHORT_MS, PAUSES * usual_ms)
    if report.first_ms - file.from_ms <= pause_ms and file.to_ms - report.last_ms <= pause_ms:
        return []
    return [covers(file, report.first_ms, report.last_ms)]
