"""``pairscope doctor`` and ``pairscope verify``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np

from pairscope.base.clock import SystemClock, now_ms
from pairscope.base.errors import DataFolderError, PairscopeError, SettingsError, UnknownName
from pairscope.base.logs import set_up_logs
from pairscope.base.model import BarArray, TradeKind
from pairscope.base.settings import Settings
from pairscope.base.symbol import normal_symbol
from pairscope.cli.asking import ask
from pairscope.cli.common import EXIT_FOUND, settings_from, tapes_of
from pairscope.cli.published import verify_published
from pairscope.feed.archive_files import ArchiveKind, day_ms
from pairscope.feed.venues import archive_files
from pairscope.store.data_folder import read_announcement
from pairscope.store.inventory import SymbolReport, Verified, VerifiedList, report_symbols, stored_kind
from pairscope.store.log_file import kept_logs
from pairscope.store.tape import Tape
from pairscope.store.tape_notes import report_state
from pairscope.store.verify import TapeVerdict, verify_symbol

_COLUMNS = (
    *("symbol", "first id", "last id", "from", "to", "trades"),
    *("missing", "back-filled", "gaps", "lag", "verified"),
)


def doctor(parsed: dict[str, Any]) -> int:
    settings = settings_from(parsed)
    set_up_logs("warning", None)
    failed = False
    for path in tapes_of(settings):
        try:
            reports, where = _reports(path)
        except PairscopeError as error:  # the next tape may be sound
            failed = True
            print(f"tape {path}\n  {error}")
            continue
        print(f"tape {path}{where}")
        for kept in kept_logs(path):
            print(f"  a damaged log was set aside as {kept.name}; what was lost with it is fetched again")
        for line in _of_state(path):
            print(f"  {line}")
        print("\n".join(_table(reports, VerifiedList(path).read())) if reports else "  no symbol yet")
    return EXIT_FOUND if failed else 0


def _of_state(path: Path) -> Iterator[str]:
    """What is wrong with the state of a tape."""
    state = report_state(path)
    if state.error is not None:
        yield state.error
    for name in state.damaged:
        yield f"{name} could not be read and was set aside: put a copy back in its place, or go on without it"


def _reports(path: Path) -> tuple[Sequence[SymbolReport], str]:
    """What a tape holds, told by its file, or by the server that holds it."""
    try:
        kind = stored_kind(path)
    except DataFolderError:
        server = read_announcement(path)
        if server is None:
            raise
        return _asked(server.url), f", held by {server.url}"
    with _opened(path, kind) as store:
        return report_symbols(store), f", {kind.value}"


def _asked(url: str) -> Sequence[SymbolReport]:
    with httpx.Client(base_url=url, timeout=10) as client:
        return ask(client, "/status/tape", _TapeStatus).symbols


class _TapeStatus(msgspec.Struct):
    """What is read of the answer."""

    symbols: list[SymbolReport]


def _table(reports: Sequence[SymbolReport], verified: dict[str, Verified]) -> Iterator[str]:
    rows = [_COLUMNS, *(_row(report, verified.get(report.symbol)) for report in reports)]
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


def verify(parsed: dict[str, Any]) -> int:
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
    verdicts = [each for path in paths for each in _verify_tape(settings, path, symbols, first, last, klines)]
    if symbols and (unknown := set(symbols) - {verdict.symbol for verdict in verdicts}):
        raise UnknownName(f"no tape has {', '.join(sorted(unknown))}", cure="see: pairscope doctor")
    found = sum(verdict.differences for verdict in verdicts)
    compared = sum(verdict.compared for verdict in verdicts)
    result = "no differences" if not found else f"{found:,} differences"
    print(f"{result} in {compared:,} rows compared, of {len(verdicts):,} symbols")
    nothing = [verdict.symbol for verdict in verdicts if symbols and not verdict.compared]
    if not compared:
        print("nothing was compared, so nothing is proved: see what there is with pairscope doctor")
    elif nothing:
        print(f"of {', '.join(nothing)} nothing was compared, so nothing is proved")
    elif klines and not any(verdict.klines for verdict in verdicts):
        print("none of the official bars was compared: no such bar is wholly on a tape")
        return EXIT_FOUND
    return EXIT_FOUND if found or not compared or nothing else 0


def _verify_metrics(paths: Sequence[Path], symbols: Sequence[str] | None) -> int:
    served = [path for path in paths if read_announcement(path) is not None]
    if not served:
        raise SettingsError("no server runs on a tape here", cure="start one: pairscope run; then ask again")
    found = values = 0
    for path in served:
        print(f"tape {path}")
        verdict = verify_published(path, symbols)
        found += verdict.differences
        print(f"  {verdict.values:,} published values computed again, {verdict.differences:,} differ")
        values += verdict.values
        for each in verdict.told:
            print(f"    {each}")
    if not values:
        print("nothing was compared, so nothing is proved")
    return EXIT_FOUND if found or not values else 0


def _bound(text: str | None, days_after: int) -> int | None:
    if text is None:
        return None
    try:
        return day_ms(date.fromisoformat(text)) + days_after * 86_400_000
    except ValueError:
        raise SettingsError(f"'{text[:20]}' is no day", cure="write it as 2026-11-01") from None


def _verify_tape(
    settings: Settings,
    path: Path,
    symbols: Sequence[str] | None,
    first: int | None,
    last: int | None,
    klines: list[Path],
) -> list[TapeVerdict]:
    kind = stored_kind(path)
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
    ids = f"ids {verdict.first_id} to {verdict.last_id}, " if verdict.first_id is not None else ""
    parts = [
        f"{verdict.symbol}: {verdict.days:,} days, {ids}{verdict.trades:,} trades of {verdict.ids:,} ids, "
        f"{verdict.ids_missing:,} ids in gaps, "
        f"{verdict.bars:,} bars equal to their trades" + (" but for what follows" if verdict.differences else "")
    ]
    if verdict.klines:
        parts.append(
            f"{verdict.klines:,} official bars compared, {verdict.klines_shifted:,} with a trade across a border"
        )
    if verdict.bars_alone:
        parts.append(f"{verdict.bars_alone:,} bars without trades beside them compared with themselves only")
    if verdict.bars_unproved:
        parts.append(f"{verdict.bars_unproved:,} bars are older than the trades that are kept")
    if verdict.ids_unused:
        parts.append(f"{verdict.ids_unused:,} ids have no trade, as the exchange leaves some out")
    print("  " + "; ".join(parts))
    for each in verdict.told:
        print(f"    {each}")
    if verdict.differences > len(verdict.told):
        print(f"    and {verdict.differences - len(verdict.told):,} more")
