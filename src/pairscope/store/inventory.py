"""A tape in a few figures for each symbol, and when each was last verified."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import structlog

from pairscope.base.errors import DataFolderError
from pairscope.base.gaps import OF_IMPORTS, SETTLED, GapReason
from pairscope.base.id_ranges import intersect, no_runs, run, size, subtract, union
from pairscope.base.model import Gap, TradeKind
from pairscope.store import data_folder
from pairscope.store.holdings import Holding
from pairscope.store.opening import open_file
from pairscope.store.tape import Tape
from pairscope.store.tape_notes import TapeNotes

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SymbolReport:
    """What the tape holds of a symbol, and what it lacks."""

    symbol: str
    trades: int
    backfilled: int  # of these, were listened for, missing once, and came later
    ids_missing: int
    gaps_open: int
    gaps_closed: int
    first_id: int | None = None
    last_id: int | None = None
    first_ms: int | None = None
    last_ms: int | None = None
    lag_ms: float | None = None  # only a running server knows it


def report_symbols(store: Tape) -> list[SymbolReport]:
    """One report for each symbol the tape has seen.

    Raises:
        StoreUnavailable: when the tape cannot be read.
    """
    return report_tape(store.symbols, store.holdings(), store.gaps())


def report_tape(symbols: Iterable[str], holdings: Iterable[Holding], gaps: Iterable[Gap]) -> list[SymbolReport]:
    """The same from what was read already; `symbols` in the order of their integers."""
    held = {holding.symbol_id: holding for holding in holdings}
    by_symbol: dict[str, list[Gap]] = {}
    for gap in gaps:
        by_symbol.setdefault(gap.symbol, []).append(gap)
    return [_report(symbol, held.get(i), by_symbol.get(symbol, ())) for i, symbol in enumerate(list(symbols))]


def _report(symbol: str, held: Holding | None, gaps: Sequence[Gap]) -> SymbolReport:
    missing = [gap for gap in gaps if gap.closed_ms is None]
    return SymbolReport(
        symbol=symbol,
        trades=held.trades if held else 0,
        backfilled=backfilled(held, gaps) if held else 0,
        ids_missing=sum(gap.ids for gap in missing),
        gaps_open=len(missing),
        # Tapes of 0.1.0 keep a closed row of each import.
        gaps_closed=sum(
            gap.closed_ms is not None and gap.reason not in (GapReason.LET_GO, *OF_IMPORTS) for gap in gaps
        ),
        first_id=held.first_id if held else None,
        last_id=held.last_id if held else None,
        first_ms=held.first_ms if held else None,
        last_ms=held.last_ms if held else None,
    )


def backfilled(held: Holding, gaps: Iterable[Gap]) -> int:
    """How many of the trades on the tape lay in a gap once: each once, whatever was deleted or lost again since.

    What was imported besides lay in none: nobody had listened for it.
    Counted from the gaps, because to ask every sealed trade for its origin would be to read the whole tape.

    >>> held = Holding(0, trades=91, first_id=10, last_id=100, first_ms=0, last_ms=0)
    >>> backfilled(held, [Gap("A", 1, 12, 0, "start", closed_ms=1), Gap("A", 12, 20, 0, "start", closed_ms=1)])
    11
    """
    ids = {True: [no_runs()], False: [no_runs()]}
    for gap in gaps:
        came = gap.closed_ms is not None and gap.reason not in SETTLED | OF_IMPORTS
        ids[came].append(run(gap.first_id, gap.last_id))
    came_later = subtract(union(*ids[True]), union(*ids[False]))
    return min(held.trades, size(intersect(came_later, run(held.first_id, held.last_id))))


@dataclass(frozen=True, slots=True)
class Verified:
    """When a symbol was verified, and with what result."""

    verified_ms: int
    differences: int


class VerifiedList:
    """When the symbols of a tape were last verified; rows of the state database."""

    def __init__(self, tape: Path) -> None:
        self._notes = TapeNotes(tape)

    def read(self) -> dict[str, Verified]:
        """By symbol; empty when the state cannot be read, which others tell."""
        try:
            rows = self._notes.rows("select symbol, verified_ms, differences from verified where tape = :tape")
        except DataFolderError as error:
            log.warning("verified_unknown", cause=error.message)
            return {}
        return {symbol: Verified(verified_ms, differences) for symbol, verified_ms, differences in rows}

    def add(self, results: dict[str, Verified]) -> None:
        """Take in new results, all or none.

        Raises:
            FileNotWritten: when they cannot be written; `DiskFull` when there is no room.
        """
        with self._notes.change() as change:
            rows = [(change.tape, symbol, each.verified_ms, each.differences) for symbol, each in results.items()]
            change.execute_many("insert or replace into verified values (?, ?, ?, ?)", rows)


def stored_kind(path: Path) -> TradeKind:
    """Which trades a tape holds; the tape is opened and closed again.

    Raises:
        DataFolderError: when there is no tape, or it cannot be opened: held by another process, damaged, none of ours.
    """
    if not path.is_file():
        raise DataFolderError(f"there is no tape {path}", cure="check --data-dir, or record one: pairscope run")
    connection = open_file(path, data_folder.connect, data_folder.database_config(path, 64)).connection
    try:
        ((kind,),) = connection.execute("select trade_kind from tape_format").fetchall()
        return TradeKind(kind)
    except (duckdb.Error, ValueError) as error:
        raise DataFolderError(f"{path} is not a tape", cure="check --data-dir") from error
    finally:
        connection.close()
