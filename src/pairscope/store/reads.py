"""Questions to the tape: each takes a cursor and gives records."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np

from pairscope.base.interval import Interval
from pairscope.base.model import BAR, TRADE_COLUMNS, BarArray, Gap, SymbolTable, TradeBatch

Cursor = duckdb.DuckDBPyConnection
Bounds = dict[str, int | None]  # a comparison such as "time_ms >=" to its right side; None leaves it out

_TRADE_COLUMNS = ", ".join(TRADE_COLUMNS)
_BAR_COLUMNS = ", ".join(f'"{name}"' for name in BAR.names or ())


def read_trades(cursor: Cursor, bounds: Bounds, limit: int | None, newest: bool) -> TradeBatch:
    """Trades in rising order of id; with `newest` the last `limit` of them."""
    return TradeBatch(**_ordered(cursor, f"select {_TRADE_COLUMNS} from trades", bounds, "id", limit, newest))


def read_bars(cursor: Cursor, bounds: Bounds, limit: int | None, newest: bool) -> BarArray:
    """Bars in rising order of open time, and of source where two sources have the same bar."""
    columns = _ordered(cursor, f"select {_BAR_COLUMNS} from bars", bounds, "open_time_ms, source", limit, newest)
    bars = np.empty(len(columns["open_time_ms"]), BAR)
    for name, values in columns.items():
        bars[name] = values
    return bars


def _ordered(
    cursor: Cursor, select: str, bounds: Bounds, order: str, limit: int | None, newest: bool
) -> dict[str, Any]:
    given = {comparison: value for comparison, value in bounds.items() if value is not None}
    backwards = newest and limit is not None
    keys = order.replace(",", " desc,") + " desc" if backwards else order
    query = f"{select} where {' and '.join(f'{comparison} ?' for comparison in given)} order by {keys}"
    values = list(given.values())
    if limit is not None:
        query, values = f"{query} limit ?", [*values, limit]
    columns = cursor.execute(query, values).fetchnumpy()
    if backwards:
        return {name: np.ascontiguousarray(column[::-1]) for name, column in columns.items()}
    return dict(columns)


def read_last_trades(cursor: Cursor) -> dict[int, tuple[int, int]]:
    rows = cursor.execute("select symbol_id, max(id), max_by(time_ms, id) from trades group by symbol_id").fetchall()
    return {symbol_id: (last_id, time_ms) for symbol_id, last_id, time_ms in rows}


def read_last_bars(cursor: Cursor, interval: Interval) -> dict[int, int]:
    query = "select symbol_id, max(open_time_ms) from bars where interval_ms = ? group by symbol_id"
    return dict(cursor.execute(query, [interval.ms]).fetchall())


def read_gaps(cursor: Cursor, symbols: SymbolTable, symbol_id: int | None, open_only: bool) -> list[Gap]:
    rows = cursor.execute(
        """
        select symbol_id, first_id, last_id, found_ms, reason, after_ms, before_ms, closed_ms, obstacle from gaps
        where (? is null or symbol_id = ?) and (not ? or closed_ms is null) order by symbol_id, first_id
        """,
        [symbol_id, symbol_id, open_only],
    ).fetchall()
    return [Gap(symbols.name(row[0]), *row[1:]) for row in rows]
