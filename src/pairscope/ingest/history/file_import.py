"""Official files, one after the other, to a tape: checked, brought, and noted as done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pairscope.base.clock import Clock, now_ms
from pairscope.base.id_ranges import Runs, intersect, no_runs, runs_of, size, union
from pairscope.base.interval import Interval
from pairscope.base.model import BarSource
from pairscope.feed.archive_files import ArchiveFile, ArchiveFiles, ArchiveKind, FileReport, covers
from pairscope.feed.judge import GoodTrades, Refusal
from pairscope.feed.venues import archive_files
from pairscope.ingest.history.merge import Merge, in_thread
from pairscope.ingest.history.replace import Differences, Rule
from pairscope.store.imports import ImportedFile, ImportList
from pairscope.store.tape import Tape

Progress = Callable[[str, int, int], None]  # file, rows done, rows in all
KEPT_ROWS = 5_000_000  # of a file, held in memory at 33 bytes each; reading a larger one twice costs half as much again
_RIVALS = 3  # files that are named
SHORT_MS, PAUSES = 600_000, 20  # a pause at the ends of a file that is told: so long, and so many mean pauses


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What came of one file; `notes` say what is odd about it, for people."""

    name: str
    rows: int
    added: int = 0
    skipped: bool = False  # nothing to do: it was imported before
    bars: int = 0
    different: tuple[int, ...] = ()  # the first few ids that the tape tells otherwise, where the tape stands
    replaced: int = 0  # trades, or bars, of the tape that were corrected or taken away
    notes: tuple[str, ...] = ()


def outcome_lines(outcome: FileOutcome) -> list[str]:
    """What is said of it to people."""
    if outcome.skipped:
        return [f"{outcome.name}: imported before"]
    replaced = f", {outcome.replaced:,} rows replaced" if outcome.replaced else ""
    first = f"{outcome.name}: {outcome.added:,} trades added, {outcome.bars:,} bars{replaced}"
    return [first, *(f"  {note}" for note in outcome.notes)]


class FileImport:
    """Imports official files into one tape.

    Args:
        again: read files even when they were imported before.
        replaces: where a file and the tape disagree the file stands; of the files of one `FileImport` the one that is
            taken first. Reads every file.
        proofs: files of aggregated trades, which tell of raw ids that no trade has.
        files: how they are read; those of the default venue when left out.
    """

    def __init__(
        self,
        *,
        store: Tape,
        importer: Merge,
        done: ImportList,
        clock: Clock,
        progress: Progress,
        again: bool = False,
        replaces: bool = False,
        proofs: Sequence[ArchiveFile] = (),
        files: ArchiveFiles | None = None,
    ) -> None:
        self._store = store
        self._importer = importer
        self._done = done
        self._clock = clock
        self._progress = progress
        self._again = again or replaces
        self._replaces = replaces
        self._proofs = proofs
        self._files = files or archive_files()
        # By symbol and interval (none for trades): ids, or open times by the interval, that a file told.
        self._told: dict[tuple[str, Interval | None], Runs] = {}

    async def take(self, file: ArchiveFile) -> FileOutcome:
        """Import a file.

        Raises:
            ArchiveError: when it cannot be used; nothing of it is on the tape then.
            StoreUnavailable: when the tape cannot be written.
        """
        sha256 = await asyncio.to_thread(self._files.checked, file.path)
        if await self.has(file.name, sha256) and await self._has_bars(file, sha256):
            return FileOutcome(file.name, 0, skipped=True)
        notes = self._namesakes(file, sha256)
        if file.kind is ArchiveKind.KLINES:
            return await self._take_klines(file, sha256, notes)
        return await self._take_trades(file, sha256, notes)

    def _namesakes(self, file: ArchiveFile, sha256: str) -> tuple[str, ...]:
        """What is told when files of this name and of other content were imported."""
        others = [each for each in self._done.named(file.name) if each.sha256 != sha256]
        if not others or self._done.get(file.name, sha256):
            return ()
        if others[-1].path in ("", _place(file)):
            return ("the exchange has replaced it since it was imported",)
        return (f"another file of this name was imported: {others[-1].path}",)

    async def has(self, name: str, sha256: str) -> bool:
        """Whether this very file was imported, and as many trades of its ids are still on the tape."""
        known = self._done.get(name, sha256)
        if self._again or known is None:
            return False
        if known.symbol not in self._store.symbols:
            return False
        if not known.last_id:
            return True
        count = partial(self._store.count_trades, known.symbol, known.first_id, known.last_id + 1)
        return await asyncio.to_thread(count) >= known.rows

    async def _has_bars(self, file: ArchiveFile, sha256: str) -> bool:
        """Whether as many bars of its period are on the tape as a file of klines had; true of a file of trades."""
        known = self._done.get(file.name, sha256)
        if file.interval is None or known is None:
            return True
        read = partial(self._store.bars, file.symbol, file.interval, from_ms=file.from_ms, to_ms=file.to_ms)
        stored = await asyncio.to_thread(read)
        return int((stored["source"] != BarSource.UPLOAD).sum()) >= known.rows

    def _rule(self, file: ArchiveFile) -> Rule:
        return Rule(self._replaces, self._told.get((file.symbol, file.interval), no_runs()))

    def _tell(self, file: ArchiveFile, told: Runs) -> None:
        self._told[file.symbol, file.interval] = union(self._told.get((file.symbol, file.interval), no_runs()), told)

    async def _take_trades(self, file: ArchiveFile, sha256: str, notes: tuple[str, ...]) -> FileOutcome:
        trades = self._files.trades(file, self._clock.now_ns(), self._importer.judge, KEPT_ROWS)
        self._progress(file.name, 0, 0)
        report = await asyncio.to_thread(trades.examine)
        symbol_id = self._store.symbols.add(file.symbol)
        unused = no_runs()
        if file.kind is ArchiveKind.RAW:  # the exchange gives ids to what is no trade, and leaves those rows out
            unused = await asyncio.to_thread(self._files.unused_ids, report.missing, file, self._proofs)
        batches = in_thread(trades.batches(symbol_id, report.ids))
        counted = _counted(batches, partial(self._progress, file.name), report.trades)
        brought = await self._importer.bring(file.symbol, counted, report.ids, report.refused, unused, self._rule(file))
        found, first_id, last_id = brought.found, int(report.ids[0, 0]), int(report.ids[-1, 1])
        no_trades = [ids for reason, ids in report.refused.items() if reason.is_no_trade]
        self._tell(file, union(report.ids, *no_trades))
        on_tape = report.trades - found.revived
        count = partial(self._store.count_trades, file.symbol, first_id, last_id + 1)
        others = await asyncio.to_thread(count) - on_tape - found.traded
        absent = await asyncio.to_thread(self._importer.absent, file.symbol)
        rivals = self._rivals(file, sha256, first_id, last_id)
        await self._note(file, sha256, on_tape, first_id, last_id)
        return FileOutcome(
            name=file.name,
            rows=report.rows,
            added=brought.added,
            bars=brought.bars,
            different=tuple(found.ids),
            replaced=found.replaced + found.removed,
            notes=(
                *notes,
                *_oddities(report, others + size(intersect(report.missing, absent)), size(unused)),
                *_shortness(file, report),
                *_differences(_place(file), rivals, found, others),
            ),
        )

    async def _take_klines(self, file: ArchiveFile, sha256: str, notes: tuple[str, ...]) -> FileOutcome:
        report = await asyncio.to_thread(partial(self._files.klines, file, 0, last_stands=self._replaces))
        bars = report.bars
        bars["symbol_id"] = self._store.symbols.add(file.symbol)  # only of a file that was found good
        put = await self._importer.put_klines(file.symbol, bars, self._rule(file))
        self._tell(file, runs_of(bars["open_time_ms"] // bars["interval_ms"]))
        rivals = self._rivals(file, sha256, 0, 0)
        await self._note(file, sha256, len(bars), 0, 0)
        notes = (*notes, *report.notes)
        if put.different:
            notes = (*notes, f"{put.different:,} bars of {_place(file)} differ from those of {rivals}, which stand")
        if put.replaced:
            notes = (*notes, f"{put.replaced:,} bars of the tape were replaced, which were those of {rivals}")
        return FileOutcome(file.name, len(bars), bars=put.put, replaced=put.replaced, notes=notes)

    def _rivals(self, file: ArchiveFile, sha256: str, first_id: int, last_id: int) -> str:
        """The imported files that tell of the same ids, or bars, as far as they are known."""
        places = []
        for each in self._done.of(file.symbol):
            other = self._files.named(Path(f"{each.name}.csv"))
            if (each.name, each.sha256) == (file.name, sha256) or other is None or other.kind is not file.kind:
                continue
            if other.interval != file.interval or other.from_ms >= file.to_ms or file.from_ms >= other.to_ms:
                continue
            if each.first_id <= last_id and first_id <= each.last_id:
                places.append(each.place)
        more = f" and {len(places) - _RIVALS:,} more" if len(places) > _RIVALS else ""
        return (", ".join(places[-_RIVALS:]) + more) or "the tape"

    async def _note(self, file: ArchiveFile, sha256: str, rows: int, first_id: int, last_id: int) -> None:
        at_ms = now_ms(self._clock)
        noted = ImportedFile(file.name, sha256, file.symbol, rows, first_id, last_id, at_ms, _place(file))
        await asyncio.to_thread(self._done.add, noted)


def _place(file: ArchiveFile) -> str:
    return str(file.path.absolute())


async def _counted(
    batches: AsyncGenerator[GoodTrades, None], progress: Callable[[int, int], None], total: int
) -> AsyncGenerator[GoodTrades, None]:
    done = 0
    async for batch in batches:
        yield batch
        done += len(batch)
        progress(done, total)


def _differences(place: str, rivals: str, found: Differences, others: int) -> list[str]:
    """What a file tells otherwise than the tape, and what was done about it."""
    counts = [
        (found.trades, f"trades of {place} differ from those of {rivals}, which stand"),
        (found.revived, f"trades of {place} have ids that are no trades by {rivals}, which stands"),
        (found.traded, f"ids that are no trades by {place} are trades by {rivals}, which stand"),
        (found.replaced, f"trades of the tape were replaced, which were those of {rivals}"),
        (found.removed, f"trades of the tape were taken away, which were those of {rivals}: they are none"),
        (others, "trades of the tape are not in it, and stay"),
    ]
    return [f"{count:,} {what}" for count, what in counts if count > 0]


def _oddities(report: FileReport, missing: int, unused: int) -> list[str]:
    """What a person should know of a file that is not as it should be; ids that no trade has are missing in none."""
    counts = [
        (missing, "ids are missing in it"),
        (unused, "ids have no trade, as the aggregated trades of its day prove"),
        (report.doubles, "rows are doubled"),
        (report.unsorted, "rows are out of order"),
        (report.conflicting, "doubled rows contradict the first of their id, which stands"),
        (size(report.refused.get(Refusal.NOT_POSITIVE, no_runs())), "rows have no price or no size"),
    ]
    return [*(f"{count:,} {what}" for count, what in counts if count), *report.faults.told]


def _shortness(file: ArchiveFile, report: FileReport) -> list[str]:
    """That a file ends, or begins, long inside its period: longer than the pauses between its trades explain."""
    usual_ms = (report.last_ms - report.first_ms) / max(1, report.trades)
    pause_ms = max(SHORT_MS, PAUSES * usual_ms)
    if report.first_ms - file.from_ms <= pause_ms and file.to_ms - report.last_ms <= pause_ms:
        return []
    return [covers(file, report.first_ms, report.last_ms)]
