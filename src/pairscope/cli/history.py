"""``pairscope import`` and ``pairscope backfill``."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.errors import ArchiveError, FeedUnavailable, PairscopeError, SettingsError, UnknownName
from pairscope.base.interval import DAY_MS
from pairscope.base.logs import set_up_logs
from pairscope.base.model import TradeKind
from pairscope.base.saying import say
from pairscope.base.settings import Settings, live_folder
from pairscope.base.threads import apart, opened_apart
from pairscope.cli.answers import Answer, ImportDocument, error_body
from pairscope.cli.common import ProgressLine, settings_from
from pairscope.cli.ending import Ended, run_until_told
from pairscope.cli.exit_codes import EXIT_DONE, EXIT_FOUND
from pairscope.feed.archive_files import ArchiveFile, ArchiveKind
from pairscope.feed.judge import Judge
from pairscope.feed.source import cure_unlisted
from pairscope.feed.venue import Rest
from pairscope.feed.venues import archive_files, opener_of
from pairscope.ingest.history.download import Download
from pairscope.ingest.history.file_import import FileImport, FileOutcome, outcome_lines
from pairscope.ingest.history.merge import Merge
from pairscope.store.imports import ImportList
from pairscope.store.tape import Tape

LISTING_PATIENCE_S = 5.0
QUEUE_ROWS = 2_000_000  # an import fills the queue faster than any market


@dataclass(frozen=True, slots=True)
class _Bench:
    """A tape opened for imports."""

    store: Tape
    importer: Merge
    history: FileImport
    clock: SystemClock
    line: ProgressLine


@contextlib.asynccontextmanager
async def _opened(
    settings: Settings,
    kind: TradeKind,
    *,
    again: bool = False,
    replaces: bool = False,
    proofs: Sequence[ArchiveFile] = (),
) -> AsyncIterator[_Bench]:
    clock, line = SystemClock(), ProgressLine()
    opening = partial(
        Tape.open,
        settings.tape_path(live_folder(kind)),
        kind=kind,
        clock=clock,
        commit_ms=settings.commit_ms,
        queue_rows=max(settings.queue_rows, QUEUE_ROWS),
    )
    store = await opened_apart(opening, Tape.close)
    try:
        importer = Merge(store, settings.interval_list(), clock)
        done = await asyncio.to_thread(ImportList(store.path).read)
        history = FileImport(
            store=store,
            importer=importer,
            done=done,
            clock=clock,
            progress=line,
            again=again,
            replaces=replaces,
            proofs=proofs,
        )
        line.say(f"tape {store.path}")
        yield _Bench(store, importer, history, clock, line)
        while await asyncio.to_thread(store.seal, now_ms(clock)) is not None:
            pass  # past days belong into files of their own
    finally:
        line.clear()
        await apart(store.close)


def bring(parsed: dict[str, Any]) -> Answer:
    paths, again = parsed.pop("paths"), parsed.pop("again")
    replaces = parsed.pop("replace")
    settings = settings_from(parsed)
    strangers: list[ArchiveError] = []
    files = archive_files().find(paths, strangers, later_first=replaces)
    set_up_logs("warning", settings.data_dir / "pairscope.log")
    found = ImportDocument()
    for error in strangers:
        _refuse(found, error)
    if not files:
        return Answer(EXIT_FOUND, found)
    groups: dict[TradeKind, list[ArchiveFile]] = {}
    for file in files:
        groups.setdefault(file.kind.trade_kind or settings.trade_kind, []).append(file)
    proofs = _proofs(settings, files)
    known = ImportList(settings.tape_path(live_folder(TradeKind.AGG))).read()
    new_proofs = [file for file in groups.get(TradeKind.AGG, []) if not known.named(file.name)]
    for kind, group in groups.items():
        opened = _opened(settings, kind, again=again, replaces=replaces, proofs=proofs)
        ended = run_until_told(_import_files(opened, group, found))
        if ended.signal is not None:
            return _stopped(ended, found)
    _tell_whom_it_proves(settings, new_proofs, groups.get(TradeKind.RAW, []))
    if len(found.refused) < len(files) + len(strangers):
        _tell_when_it_goes(settings, min(file.from_ms for file in files))
    return Answer(EXIT_FOUND if found.refused else EXIT_DONE, found)


def _refuse(found: ImportDocument, error: PairscopeError) -> None:
    found.refused.append(error_body(error))
    print(f"refused: {error}", file=sys.stderr, flush=True)


def _proofs(settings: Settings, files: list[ArchiveFile]) -> list[ArchiveFile]:
    """Files of aggregated trades: those of this call, and those imported before that are still where they were."""
    imported = ImportList(settings.tape_path(live_folder(TradeKind.AGG))).read()
    paths = {file.path.absolute() for file in files} | {Path(each.path) for each in imported if each.path}
    found = [archive_files().named(path) for path in sorted(paths) if path.is_file()]
    return [file for file in found if file is not None and file.kind is ArchiveKind.AGG]


def _tell_whom_it_proves(settings: Settings, proofs: list[ArchiveFile], taken: list[ArchiveFile]) -> None:
    """Aggregated trades that came after the raw ones of their day: what the raw ones lack can be judged now."""
    names = {file.name for file in taken}
    for each in ImportList(settings.tape_path(live_folder(TradeKind.RAW))).read():
        file = archive_files().named(Path(each.path)) if each.path else None
        if file is None or file.name in names or not file.path.is_file():
            continue
        lacks = each.last_id - each.first_id + 1 - each.rows
        of_its_days = [p for p in proofs if p.from_ms < file.to_ms and file.from_ms < p.to_ms]
        if lacks > 0 and any(proof.symbol == file.symbol for proof in of_its_days):
            print(
                f"note: {lacks:,} ids are missing in {file.name}, which was imported before: "
                f"'pairscope import --again {file.path}' looks which of them no trade has",
                file=sys.stderr,
            )


async def _import_files(
    opened: AbstractAsyncContextManager[_Bench], files: list[ArchiveFile], found: ImportDocument
) -> None:
    async with opened as bench:
        for file in files:
            try:
                outcome = await bench.history.take(file)
            except ArchiveError as error:
                bench.line.clear()
                _refuse(found, error)
            else:
                found.files.append(outcome)
                _tell(bench.line, outcome)


def _tell(line: ProgressLine, outcome: FileOutcome) -> None:
    for told in outcome_lines(outcome):
        line.say(told)


def _tell_when_it_goes(settings: Settings, oldest_ms: int) -> None:
    """What was brought stays for ever, unless somebody wished otherwise: then a running server deletes it."""
    if settings.keep_imported_days is None:
        return
    kept = max(settings.keep_imported_days, settings.keep_data_days)
    goes_ms = oldest_ms // DAY_MS * DAY_MS + (kept + 1) * DAY_MS
    oldest, goes = (datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d") for ms in (oldest_ms, goes_ms))
    print(
        f"note: what is imported is kept for {kept} days (keep_imported_days): what is of {oldest} goes "
        f"when a server records trades of {goes} or later; leave keep_imported_days out to keep it for ever",
        file=sys.stderr,
    )


def backfill(parsed: dict[str, Any]) -> Answer:
    today = datetime.fromtimestamp(now_ms(SystemClock()) / 1_000, UTC).date()
    first, last = _day(parsed.pop("first")), _day(parsed.pop("last") or today.isoformat())
    if first > last or first > today:
        raise SettingsError(f"--from {first} is not before --to {min(last, today)}", cure="swap them")
    settings = settings_from(parsed)
    set_up_logs("warning", settings.data_dir / "pairscope.log")
    found = ImportDocument()
    ended = run_until_told(_fetch(settings, first, last, found))
    if ended.signal is not None:
        return _stopped(ended, found)
    _tell_when_it_goes(settings, int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) * 1_000)
    return Answer(EXIT_FOUND if found.refused else EXIT_DONE, found)


def _stopped(ended: Ended[Any], found: ImportDocument) -> Answer:
    say("stopped; the same command goes on where it stopped", sys.stderr)
    found.stopped = True
    return Answer(ended.exit_code(), found)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"'{text[:20]}' is no day", cure="write it as 2026-11-01") from None


async def _fetch(settings: Settings, first: date, last: date, found: ImportDocument) -> None:
    """All days of all symbols; refused are those that have neither a listing nor files."""
    venue = opener_of(settings.symbols).reach(settings, SystemClock())
    archive = venue.archive()
    if archive is None:
        raise SettingsError(f"{venue.name} has no daily files", cure="name symbols of a venue that has")
    async with (
        _opened(settings, settings.trade_kind) as bench,
        archive as site,
        venue.rest(bench.importer.judge) as rest,
    ):
        listed = await _listed(rest, bench.importer.judge)

        def told(outcome: FileOutcome) -> None:
            found.files.append(outcome)
            _tell(bench.line, outcome)

        remote = Download(
            store=bench.store,
            kind=settings.trade_kind,
            history=bench.history,
            importer=bench.importer,
            site=site,
            rest=rest,
            folder=bench.store.path.parent / "downloads",
            clock=bench.clock,
            progress=bench.line,
            told=told,
        )
        for symbol in settings.symbols:
            if not await _bring(remote, bench.line, symbol, first, last, listed):
                bench.line.clear()
                _refuse(found, _unknown(symbol, listed or ()))
    if len(found.refused) == len(settings.symbols):
        raise _unknown(settings.symbols[0], listed or ())


async def _bring(
    remote: Download, line: ProgressLine, symbol: str, first: date, last: date, listed: Collection[str] | None
) -> bool:
    """All days of a symbol; false when it is not listed and there is no official file of it either."""
    if listed is None or symbol in listed:
        await remote.bring(symbol, first, last)
        return True
    if await remote.bring_files(symbol, first, last):
        line.say(f"note: {symbol} is not listed any more: official files only")
        return True
    return False


async def _listed(rest: Rest, judge: Judge) -> Collection[str] | None:
    """What the exchange lists, to know a misspelt symbol from one without trades; None when it cannot be asked."""
    try:
        listed = await rest.within(LISTING_PATIENCE_S).instruments()
    except FeedUnavailable as error:
        print(f"note: {error.message}: official files only", file=sys.stderr)
        return None
    judge.learn(listed.values())
    return listed


def _unknown(symbol: str, listed: Iterable[str]) -> UnknownName:
    return UnknownName(
        f"the exchange does not list {symbol}, and there are no official files of it for these days",
        cure=cure_unlisted(symbol, listed),
        code="unknown_symbol",
    )
