"""How much of each symbol is on the tape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from pairscope.store.sealed_catalog import select_parts


@dataclass(frozen=True, slots=True)
class Holding:
    """Trades of one symbol on the tape, whether in the open day or in sealed ones."""

    symbol_id: int
    trades: int
    first_id: int
    last_id: int
    first_ms: int
    last_ms: int


def read_holdings(cursor: duckdb.DuckDBPyConnection) -> list[Holding]:
    """The open table and the list of sealed files, added up by symbol."""
    cursor.execute("begin")  # a day that is being sealed meanwhile counts once
    rows = cursor.execute(
        "select symbol_id, count(*), min(id), max(id), min(time_ms), max(time_ms) from trades group by symbol_id"
    ).fetchall()
    pieces = [Holding(*row) for row in rows]
    pieces += [
        Holding(part.symbol_id, part.row_count, part.first_id, part.last_id, part.first_ms, part.last_ms)
        for part in select_parts(cursor, "kind = 'trades'")
        if part.damage is None
    ]
    by_symbol: dict[int, list[Holding]] = {}
    for piece in pieces:
        by_symbol.setdefault(piece.symbol_id, []).append(piece)
    return [_sum(own) for _, own in sorted(by_symbol.items())]


def _sum(pieces: Sequence[Holding]) -> Holding:
    return Holding(
        symbol_id=pieces[0].symbol_id,
        trades=sum(piece.trades for piece in pieces),
        first_id=min(piece.first_id for piece in pieces),
        last_id=max(piece.last_id for piece in pieces),
        first_ms=min(piece.first_ms for piece in pieces),
        last_ms=max(piece.last_ms for piece in pieces),
    )
