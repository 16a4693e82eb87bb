"""Where long work about the tape is asked for: imports and verifications, each done as a job beside the live feed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import ClassVar

from pairscope.base.clock import now_ms
from pairscope.base.errors import ArchiveError, Meanings, RequestError, UnknownName
from pairscope.base.interval import DAY_MS
from pairscope.base.symbol import normal_symbol
from pairscope.feed.archive_files import ArchiveFile, day_ms
from pairscope.feed.source import cure_unlisted
from pairscope.ingest.history.download import Download
from pairscope.ingest.history.file_import import FileOutcome, outcome_lines
from pairscope.ingest.history.reading import files_of
from pairscope.ingest.import_parts import ImportParts, drafts_folder
from pairscope.ingest.ingest import Ingest
from pairscope.ingest.opening import Ground
from pairscope.ingest.verifying import verify_snapshot
from pairscope.jobs.job import Hand, Job
from pairscope.jobs.queue import Jobs
from pairscope.store.imports import ImportList
from pairscope.store.inventory import Verified, VerifiedList
from pairscope.store.tape import Tape
from pairscope.store.verify import TapeVerdict, verdict_lines

MOST_DAYS = 366  # of one import
MOST_FILES = 1_000
SNAPSHOTS = 20  # attempts to find the tape at rest
LONGEST_WAIT_S, POLL_S = 120.0, 0.05
IMPORTS = "imports"  # a folder in the data folder


class JobRefused(RequestError):
    """A job that cannot be done as things are."""

    code = "job_refused"
    http_status = 409
    meanings: ClassVar[Meanings] = {
        "job_refused": ("a job that cannot be done with this source of trades", "the cure says what can be done"),
    }


class UnknownFile(UnknownName):
    code = "unknown_file"
    meanings: ClassVar[Meanings] = {
        "unknown_file": (
            "a file that is not in the folder `imports` of the data folder",
            "put it there, and name it from there; nothing outside that folder is read for a page",
        )
    }


@dataclass(frozen=True, slots=True)
class _Days:
    """Half-open, in whole UTC days."""

    first: date
    last: date  # included

    @property
    def text(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


class TapeJobs:
    """Takes orders for long work on the tape of a running server, and has them done."""

    def __init__(self, ground: Ground, ingest: Ingest, jobs: Jobs) -> None:
        self.jobs = jobs
        self._ground = ground
        self._ingest = ingest
        self._tape: Tape = ground.tape
        self._clock = ground.clock
        self._folder = drafts_folder(ground.tape.path)

    async def run(self) -> None:
        """Do what is asked for, until cancelled."""
        if self._ingest.plan.kind == "tape":
            await self.jobs.run()
            return
        await asyncio.to_thread(self._clear)
        try:
            await self._ingest.restored.wait()
            await self.jobs.run()
        finally:
            self._clear()

    def _clear(self) -> None:
        """Away with what a killed process left."""
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- orders ---

    def download(self, symbol: str, first: str, last: str) -> Job:
        """Have the official files of some days of a symbol imported.

        Raises:
            JobRefused: when nothing can be imported from this source.
            RequestError: when the symbol or the days cannot be.
            TooManyJobs: when the queue is full.
        """
        self._refuse_imports()
        symbol = normal_symbol(symbol)
        days = self._days(first, last)
        if self._ingest.site is None:
            raise JobRefused(
                "there are no daily files of these trades to download",
                cure="put files below the folder of imports and name them in files",
            )
        title = f"import {symbol} {days.text}"
        return self.jobs.submit("import", title, lambda hand: self._download(hand, symbol, days))

    def bring(self, files: Sequence[str]) -> Job:
        """Have files below the folder of imports imported.

        Raises:
            JobRefused: when files cannot be imported into this tape.
            RequestError: when a name leads elsewhere, or nothing is there.
            TooManyJobs: when the queue is full.
        """
        self._refuse_imports()
        if self._ingest.plan.kind != "live":
            raise JobRefused(
                "official files do not belong on the tape of a simulated market",
                cure="import them beside it: pairscope import FILE; they go to the tape of the real market",
            )
        if len(files) > MOST_FILES:
            raise RequestError(f"{len(files)} files at once", cure=f"name at most {MOST_FILES}, or their folder")
        paths = [self._below_imports(name) for name in files]
        title = f"import {files[0]}" if len(files) == 1 else f"import {files[0]} and {len(files) - 1} more"
        return self.jobs.submit("import", title[:200], lambda hand: self._bring(hand, paths))

    def verify(self, symbols: Sequence[str], first: str | None, last: str | None) -> Job:
        """Have the tape compared with itself.

        Raises:
            JobRefused: when the tape is only looked at.
            RequestError: when the symbols or the days cannot be.
            TooManyJobs: when the queue is full.
        """
        if self._ingest.plan.kind == "tape":
            raise JobRefused(
                "a tape is looked at, and nothing is written beside it",
                cure="stop this pairscope and run: pairscope verify",
            )
        chosen = list(dict.fromkeys(self._tape.symbols.name(self._tape.symbols.index(each)) for each in symbols))
        from_ms = None if first is None else day_ms(_day("from", first))
        to_ms = None if last is None else day_ms(_day("to", last)) + DAY_MS
        if from_ms is not None and to_ms is not None and from_ms >= to_ms:
            raise RequestError("'from' is after 'to'", cure="swap them", code="bad_range")
        title = f"verify {', '.join(chosen[:3]) or 'the tape'}{' …' if len(chosen) > 3 else ''}"
        return self.jobs.submit("verify", title, lambda hand: self._verify(hand, chosen, (from_ms, to_ms)))

    def _refuse_imports(self) -> None:
        kind = self._ingest.plan.kind
        if kind in ("tape", "replay"):
            what = "a tape is looked at" if kind == "tape" else "a recording is replayed"
            raise JobRefused(
                f"{what}, and nothing is imported into it",
                cure="stop this pairscope and run: pairscope import FILE",
            )

    def _days(self, first: str, last: str) -> _Days:
        days = _Days(_day("from", first), _day("to", last))
        today = datetime.fromtimestamp(now_ms(self._clock) / 1_000, UTC).date()
        if days.first > days.last:
            raise RequestError("'from' is after 'to'", cure="swap them", code="bad_range")
        if days.last >= today:
            raise RequestError(
                f"{days.last} is not over",
                cure=f"name days before {today}: a day's file comes after it",
                code="bad_range",
            )
        if (days.last - days.first).days >= MOST_DAYS:
            raise RequestError(
                f"{(days.last - days.first).days + 1} days at once", cure=f"name at most {MOST_DAYS}", code="bad_range"
            )
        return days

    def _below_imports(self, name: str) -> Path:
        """A file or folder of that name; nothing outside the folder of imports, whatever links there are."""
        root = (self._ground.settings.data_dir / IMPORTS).resolve()
        try:
            path = (root / name).resolve()
            is_there = path.is_relative_to(root) and path.exists()
        except (OSError, ValueError, RuntimeError):  # NUL, too long, a ring of links
            is_there = False
        if not name or not is_there:
            raise UnknownFile(
                f"there is no '{name[:80]}' in the folder of imports",
                cure=f"put files into {root} and name them from there",
            )
        return path

    # --- work ---

    async def _download(self, hand: Hand, symbol: str, days: _Days) -> str:
        site = self._ingest.site
        assert site is not None
        total, outcomes = (days.last - days.first).days + 1, list[FileOutcome]()

        def told(outcome: FileOutcome) -> None:
            outcomes.append(outcome)
            _tell(hand, outcome)

        imported = await asyncio.to_thread(ImportList(self._tape.path).read)
        with ImportParts(self._ground, self._ingest, hand, imported, lambda: (len(outcomes), total)) as parts:
            download = Download(
                store=self._tape,
                kind=self._ingest.plan.trade_kind,
                history=parts.history,
                importer=parts.merge,
                site=site,
                rest=self._ingest.rest,
                folder=parts.folder,
                clock=self._clock,
                progress=parts.progress,
                told=told,
            )
            hand.progress(0.0, f"looks for files of {symbol}")
            if not await download.bring_files(symbol, days.first, days.last):
                raise UnknownName(
                    f"there are no official files of {symbol} for {days.text}",
                    cure=cure_unlisted(symbol, self._ingest.instruments),
                    code="unknown_symbol",
                )
        return _result(outcomes, total)

    async def _bring(self, hand: Hand, paths: Sequence[Path]) -> str:
        strangers: list[ArchiveError] = []
        files = await asyncio.to_thread(files_of("").find, paths, strangers)
        outcomes, refused = list[FileOutcome](), len(strangers)
        for error in strangers:
            hand.tell(f"refused: {error}")
        last = strangers[-1] if strangers else None
        imported = await asyncio.to_thread(ImportList(self._tape.path).read)
        with ImportParts(
            self._ground, self._ingest, hand, imported, lambda: (len(outcomes) + refused - len(strangers), len(files))
        ) as parts:
            for file in files:
                try:
                    self._refuse_other_trades(file)
                    outcomes.append(await parts.history.take(file))
                    _tell(hand, outcomes[-1])
                except ArchiveError as error:
                    refused, last = refused + 1, error
                    hand.tell(f"refused: {error}")
        if last is not None and not outcomes:
            raise last if refused == 1 else ArchiveError(f"none of {refused} files could be used", cure=str(last))
        return _result(outcomes, len(outcomes)) + (f"; {refused} files refused" if refused else "")

    def _refuse_other_trades(self, file: ArchiveFile) -> None:
        kind = file.kind.trade_kind
        if kind not in (None, self._ingest.plan.trade_kind):
            raise ArchiveError(
                f"{file.path.name} holds {kind} and this tape {self._ingest.plan.trade_kind}",
                cure=f"pairscope import {file.path.name} brings it to the tape of its kind",
            )

    async def _verify(self, hand: Hand, symbols: Sequence[str], span_ms: tuple[int | None, int | None]) -> str:
        table = self._tape.symbols
        chosen = list(symbols) or list(table)
        folder = self._folder / str(now_ms(self._clock))
        intervals = self._ground.settings.interval_list()
        try:
            path = await self._snapshot(hand, folder, [table.index(each) for each in chosen])
            verdicts = await hand.run(
                verify_snapshot, path, chosen, intervals, span_ms, self._clock, within=(0.05, 1.0)
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        for line in (line for verdict in verdicts for line in verdict_lines(verdict)):
            hand.tell(line)
        if span_ms == (None, None):
            at_ms = now_ms(self._clock)
            proved = {each.symbol: Verified(at_ms, each.differences) for each in verdicts if each.compared}
            await asyncio.to_thread(VerifiedList(self._tape.path).add, proved)
        return _verdict(verdicts)

    async def _snapshot(self, hand: Hand, folder: Path, symbol_ids: Sequence[int]) -> Path:
        """A copy of the tape at a moment at which no bar waits to be made anew: it would differ from its trades.

        Raises:
            JobRefused: when there is no such moment for long.
        """
        intake = self._ingest.intake
        for attempt in range(SNAPSHOTS):
            hand.progress(0.0, "waits until no bar is being made anew")
            for _ in range(round(LONGEST_WAIT_S / POLL_S)):
                if not intake.unsettled:
                    break
                await asyncio.sleep(POLL_S)
            else:
                raise _unsettled()
            hand.progress(0.0, "copies what is not sealed yet")
            before = intake.settlings
            await self._tape.flushed()
            path = await asyncio.to_thread(self._tape.snapshot, folder / str(attempt), symbol_ids)
            if not intake.unsettled and intake.settlings == before:
                return path
            await asyncio.to_thread(shutil.rmtree, folder / str(attempt), ignore_errors=True)
        raise _unsettled()


def _unsettled() -> JobRefused:
    return JobRefused(
        "bars are being made anew all the time: the tape is being filled",
        cure="ask again when the back-fill has no ids waiting; the Tape screen shows it",
    )


def _tell(hand: Hand, outcome: FileOutcome) -> None:
    for line in outcome_lines(outcome):
        hand.tell(line)


def _result(outcomes: Sequence[FileOutcome], total: int) -> str:
    added, bars = sum(each.added for each in outcomes), sum(each.bars for each in outcomes)
    before = sum(each.skipped for each in outcomes)
    parts = [f"{added:,} trades added, {bars:,} bars, of {len(outcomes)} files"]
    parts += [f"{before} of them imported before"] if before else []
    parts += [f"{total - len(outcomes)} days have no file"] if total > len(outcomes) else []
    return "; ".join(parts)


def _verdict(verdicts: Sequence[TapeVerdict]) -> str:
    compared = sum(each.compared for each in verdicts)
    if not compared:
        return "nothing was compared, so nothing is proved"
    found = sum(each.differences for each in verdicts)
    result = "no differences" if not found else f"{found:,} differences"
    return f"{result} in {compared:,} rows compared, of {len(verdicts)} symbols"


def _day(name: str, text: str) -> date:
    with suppress(ValueError):
        if len(text) == len("2026-11-01"):
            return date.fromisoformat(text)
    raise RequestError(f"'{name}' cannot be '{text[:20]}'", cure="write a day as 2026-11-01", code="bad_parameter")
