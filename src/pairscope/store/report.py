"""A tape in a few figures for each symbol, and when each was last verified."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import msgspec

from pairscope.base.errors import DataFolderError
from pairscope.base.model import Gap, TradeKind
from pairscope.store import folder
from pairscope.store.tape import Store


@dataclass(frozen=True, slots=True)
class SymbolReport:
    """What the tape holds of a symbol, and what it lacks."""

    symbol: str
    trades: int
    backfilled: int  # ids that were missing once and came later
    ids_missing: int
    gaps_open: int
    gaps_closed: int
    first_id: int | None = None
    last_id: int | None = None
    first_ms: int | None = None
    last_ms: int | None = None


def report_symbols(store: Store) -> list[SymbolReport]:
    """One report for each symbol the tape has seen.

    Raises:
        StoreUnavailable: when the tape cannot be read.
    """
    held = {holding.symbol_id: holding for holding in store.holdings()}
    gaps: dict[str, list[Gap]] = {}
    for gap in store.gaps():
        gaps.setdefault(gap.symbol, []).append(gap)
    reports = []
    for symbol in store.symbols:
        own = gaps.get(symbol, [])
        missing = [gap for gap in own if gap.closed_ms is None]
        holding = held.get(store.symbols.index(symbol))
        reports.append(
            SymbolReport(
                symbol=symbol,
                trades=holding.trades if holding else 0,
                backfilled=sum(gap.ids for gap in own if gap.closed_ms is not None),
                ids_missing=sum(gap.ids for gap in missing),
                gaps_open=len(missing),
                gaps_closed=len(own) - len(missing),
                first_id=holding.first_id if holding else None,
                last_id=holding.last_id if holding else None,
                first_ms=holding.first_ms if holding else None,
                last_ms=holding.last_ms if holding else None,
            )
        )
    return reports


@dataclass(frozen=True, slots=True)
class Verified:
    """When a symbol was verified, and with what result."""

    verified_ms: int
    differences: int


class VerifiedList:
    """When the symbols of a tape were last verified; a file beside it."""

    def __init__(self, tape: Path) -> None:
        self._path = tape.with_name(f"{tape.name}.verified.json")

    def read(self) -> dict[str, Verified]:
        """By symbol; empty when there is no readable list."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Verified])
        except (OSError, msgspec.DecodeError):
            return {}

    def add(self, results: dict[str, Verified]) -> None:
        """Take in new results.

        Raises:
            DataFolderError: when the list cannot be written.
        """
        everything = {symbol: asdict(result) for symbol, result in {**self.read(), **results}.items()}
        draft = self._path.with_suffix(".new")
        try:
            draft.write_bytes(msgspec.json.encode(everything))
            draft.replace(self._path)
        except OSError as error:
            raise DataFolderError(f"cannot write {self._path}: {error.strerror}", cure="look at its disk") from error


def stored_kind(path: Path) -> TradeKind:
    """Which trades a tape holds; the tape is opened and closed again.

    Raises:
        DataFolderError: when there is no tape, or it cannot be opened: held by another process, damaged, none of ours.
    """
    if not path.is_file():
        raise DataFolderError(f"there is no tape {path}", cure="check --data-dir, or record one: pairscope run")
    connection = folder.open_file(path, folder.connect, folder.database_config(path, 64))
    try:
        ((kind,),) = connection.execute("select trade_kind from tape_format").fetchall()
        return TradeKind(kind)
    except (duckdb.Error, ValueError) as error:
        raise DataFolderError(f"{path} is not a tape", cure="check --data-dir") from error
    finally:
        connection.close()
