"""``pairscope doctor`` and ``pairscope verify``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pairscope.api.wire import TapeSymbol
from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.errors import DataFolderError, PairscopeError, SettingsError, UnknownName
from pairscope.base.logs import set_up_logs
from pairscope.base.model import BarArray, TradeKind
from pairscope.base.settings import Settings
from pairscope.base.symbol import normal_symbol
from pairscope.cli.answers import Answer, DoctorDocument, TapeDocument, VerifyDocument, error_body
from pairscope.cli.common import settings_from, tapes_of
from pairscope.cli.exit_codes import EXIT_DONE, EXIT_FOUND
from pairscope.cli.published import verify_published
from pairscope.client import Client
from pairscope.feed.archive_files import ArchiveKind, day_ms
from pairscope.feed.venues import archive_files
from pairscope.store.data_folder import read_announcement
from pairscope.store.inventory import SymbolReport, Verified, VerifiedList, report_symbols, stored_kind
from pairscope.store.log_file import kept_logs
from pairscope.store.tape import Tape
from pairscope.store.tape_notes import report_state
from pairscope.store.verify import TapeVerdict, verdict_lines, verify_symbol

_COLUMNS = (
    *("symbol", "first id", "last id", "from", "to", "trades"),
    *("missing", "back-filled", "gaps", "lag", "verified"),
)


def doctor(parsed: dict[str, Any]) -> Answer:
    settings = settings_from(parsed)
    set_up_logs("warning", None)
    found = DoctorDocument()
    for path in tapes_of(settings):
        tape = TapeDocument(str(path))
        found.tapes.append(tape)
        try:
            _look_at(path, tape)
        except PairscopeError as error:  # the next tape may be sound
            tape.error = error_body(error)
            print(f"tape {path}\n  {error}")
            continue
        tape.notes = list(_of_state(path))  # what the look itself set aside is among it
        where = f"held by {tape.server}" if tape.server else tape.trade_kind
        print(f"tape {path}, {where}")
        for name in tape.damaged_logs:
            print(f"  a damaged log was set aside as {name}; what was lost with it is fetched again")
        for line in tape.notes:
            print(f"  {line}")
        print("\n".join(_table(tape.symbols)) if tape.symbols else "  no symbol yet")
    failed = any(tape.error is not None for tape in found.tapes)
    return Answer(EXIT_FOUND if failed else EXIT_DONE, found)


def _of_state(path: Path) -> Iterator[str]:
    """What is wrong with the state of a tape."""
    state = report_state(path)
    if state.error is not None:
        yield state.error
    for name in state.damaged:
        yield f"{name} could not be read and was set aside: put a copy back in its place, or go on without it"


def _look_at(path: Path, tape: TapeDocument) -> None:
    """What a tape holds, told by its file, or by the server that holds it."""
    tape.damaged_logs = [log.name for log in kept_logs(path)]
    try:
        kind = stored_kind(path)
    except DataFolderError:
        server = read_announcement(path)
        if server is None:
            raise
        tape.server = server.url
        with Client(server.url, timeout_s=10) as client:
            tape.symbols = [_of_wire(each) for each in client.tape_status().symbols]
        return
    tape.trade_kind = kind.value
    verified = VerifiedList(path).read()
    with _opened(path, kind) as store:
        tape.symbols = [SymbolFound(each, verified.get(each.symbol)) for each in report_symbols(store)]


@dataclass(frozen=True, slots=True)
class SymbolFound:
    """What `doctor` tells of a symbol."""

    report: SymbolReport
    verified: Verified | None = None


def _of_wire(told: TapeSymbol) -> SymbolFound:
    report = SymbolReport(**{field.name: getattr(told, field.name) for field in fields(SymbolReport)})
    if told.verified_ms is None:
        return SymbolFound(report)
    return SymbolFound(report, Verified(told.verified_ms, told.verified_differences or 0))


def _table(found: Sequence[SymbolFound]) -> Iterator[str]:
    rows = [_COLUMNS, *(_row(each.report, each.verified) for each in found)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _row(report: SymbolReport, verified: Verified | None) -> tuple[str, ...]:
    return (
        report.symbol,
        _number(report.first_id),
        _number(report.last_id),
        _time(report.first_ms),
        _time(report.last_ms),
        f"{report.trades:,}",
        f"{report.ids_missing:,}",
        f"{report.backfilled / report.trades:.1%}" if report.trades else "-",
        f"{report.gaps_open} open, {report.gaps_closed} closed",
        "-" if report.lag_ms is None else f"{report.lag_ms:,.0f} ms",
        _verified(verified),
    )


def _verified(verified: Verified | None) -> str:
    if verified is None:
        return "never"
    result = f", {verified.differences} differences" if verified.differences else ""
    return f"{_time(verified.verified_ms)}{result}"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _time(time_ms: int | None) -> str:
    if time_ms is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"  # no calendar has such a day, and a tape may: it is for verify to judge


@contextmanager
def _opened(path: Path, kind: TradeKind) -> Iterator[Tape]:
    store = Tape.open(path, kind=kind, clock=SystemClock())
    try:
        yield store
    finally:
        store.close()


def verify(parsed: dict[str, Any]) -> Answer:
    first, last = (_bound(parsed.pop(name), after) for name, after in (("first", 0), ("last", 1)))
    wanted, klines, metrics = (parsed.pop(name) for name in ("wanted", "klines", "metrics"))
    if first is not None and last is not None and first >= last:
        raise SettingsError("--from is not before --to", cure="swap them")
    settings = settings_from(parsed)
    set_up_logs("warning", None)
    symbols = [normal_symbol(part) for part in wanted.split(",") if part.strip()] if wanted else None
    paths = tapes_of(settings)
    if metrics:
        return _verify_metrics(paths, symbols)
    found = VerifyDocument()
    for path in paths:
        tape = TapeDocument(str(path))
        found.tapes.append(tape)
        tape.symbols = _verify_tape(settings, tape, symbols, first, last, klines)
    return _proved(found, symbols, bool(klines))


def _proved(found: VerifyDocument, symbols: Sequence[str] | None, with_klines: bool) -> Answer:
    """What all verdicts together say."""
    verdicts: list[TapeVerdict] = [verdict for tape in found.tapes for verdict in tape.symbols]
    if symbols and (unknown := set(symbols) - {verdict.symbol for verdict in verdicts}):
        raise UnknownName(f"no tape has {', '.join(sorted(unknown))}", cure="see: pairscope doctor")
    found.differences = sum(verdict.differences for verdict in verdicts)
    found.compared = sum(verdict.compared for verdict in verdicts)
    result = "no differences" if not found.differences else f"{found.differences:,} differences"
    print(f"{result} in {found.compared:,} rows compared, of {len(verdicts):,} symbols")
    found.unproved = [verdict.symbol for verdict in verdicts if symbols and not verdict.compared]
    if not found.compared:
        print("nothing was compared, so nothing is proved: see what there is with pairscope doctor")
    elif found.unproved:
        print(f"of {', '.join(found.unproved)} nothing was compared, so nothing is proved")
    elif with_klines and not any(verdict.klines for verdict in verdicts):
        print("none of the official bars was compared: no such bar is wholly on a tape")
        return Answer(EXIT_FOUND, found)
    sound = found.compared and not found.differences and not found.unproved
    return Answer(EXIT_DONE if sound else EXIT_FOUND, found)


def _verify_metrics(paths: Sequence[Path], symbols: Sequence[str] | None) -> Answer:
    served = [path for path in paths if read_announcement(path) is not None]
    if not served:
        raise SettingsError("no server runs on a tape here", cure="start one: pairscope run; then ask again")
    found = VerifyDocument()
    for path in served:
        print(f"tape {path}")
        verdict = verify_published(path, symbols)
        found.tapes.append(TapeDocument(str(path), symbols=[verdict]))
        found.differences += verdict.differences
        print(f"  {verdict.values:,} published values computed again, {verdict.differences:,} differ")
        found.compared += verdict.values
        for each in verdict.told:
            print(f"    {each}")
    if not found.compared:
        print("nothing was compared, so nothing is proved")
    return Answer(EXIT_FOUND if found.differences or not found.compared else EXIT_DONE, found)


def _bound(text: str | None, days_after: int) -> int | None:
    if text is None:
        return None
    try:
        return day_ms(date.fromisoformat(text)) + days_after * 86_400_000
    except ValueError:
        raise SettingsError(f"'{text[:20]}' is no day", cure="write it as 2026-11-01") from None


def _verify_tape(
    settings: Settings,
    tape: TapeDocument,
    symbols: Sequence[str] | None,
    first: int | None,
    last: int | None,
    klines: list[Path],
) -> list[TapeVerdict]:
    path = Path(tape.path)
    kind = stored_kind(path)
    tape.trade_kind = kind.value
    official = _klines(klines)
    verdicts = []
    with _opened(path, kind) as store:
        print(f"tape {path}, {kind.value}")
        for symbol in store.symbols:
            if symbols is not None and symbol not in symbols:
                continue
            verdict = verify_symbol(
                store,
                symbol,
                kind=kind,
                intervals=settings.interval_list(),
                from_ms=first,
                to_ms=last,
                klines=official.get(symbol, ()),
            )
            verdicts.append(verdict)
            _tell(verdict)
    at_ms = now_ms(SystemClock())
    if first is None and last is None:
        proved = {each.symbol: Verified(at_ms, each.differences) for each in verdicts if each.compared}
        VerifiedList(path).add(proved)
    return verdicts


def _klines(paths: list[Path]) -> dict[str, list[BarArray]]:
    """Official bars by symbol, those of one interval together."""
    found: dict[tuple[str, int], list[BarArray]] = {}
    for file in archive_files().find(paths) if paths else []:
        if file.kind is not ArchiveKind.KLINES or file.interval is None:
            raise SettingsError(f"{file.path.name} holds no klines", cure="give files such as BTCUSDT-1m-2024-08.zip")
        found.setdefault((file.symbol, file.interval.ms), []).append(archive_files().klines(file, 0).bars)
    together: dict[str, list[BarArray]] = {}
    for (symbol, _), parts in found.items():
        bars = np.concatenate(parts)
        _, places = np.unique(bars["open_time_ms"], return_index=True)
        together.setdefault(symbol, []).append(bars[places])
    return together


def _tell(verdict: TapeVerdict) -> None:
    for line in verdict_lines(verdict):
        print(f"  {line}")
