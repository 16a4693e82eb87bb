"""Questions to the tape: each takes a cursor and gives records, from the open table and the sealed days alike.

A question asks the list of parts and the tables in one transaction, so that a day that is being sealed meanwhile is
read from the one or from the other, never from both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import (
    BAR,
    TRADE_COLUMNS,
    BarArray,
    BarSource,
    Continuity,
    Cut,
    Gap,
    IntArray,
    SymbolTable,
    TradeBatch,
)
from pairscope.store.gap_rows import gap_of
from pairscope.store.gate import LARGE, SMALL
from pairscope.store.sealed_catalog import Part, PartKind, select_parts
from pairscope.store.sealed_files import SealedFiles
from pairscope.store.transaction import same_bar

Cursor = duckdb.DuckDBPyConnection
Columns = dict[str, NDArray[Any]]
Bounds = dict[str, int | None]  # a comparison such as "time_ms >=" to its right side; None leaves it out

SMALL_ROWS = 5_000
PAGE_ROWS = 50_000  # sorted at a time: 4 MB of trades, 8 MB of bars


@dataclass(frozen=True, slots=True)
class Shape:
    """How a kind of row is laid down, in its table and in its parts."""

    kind: PartKind
    columns: str
    time: str
    first_id: str
    last_id: str
    order: tuple[str, ...]  # within a symbol (and interval)


TRADES = Shape("trades", ", ".join(TRADE_COLUMNS), "time_ms", "id", "id", ("id",))
BARS = Shape(
    "bars",
    ", ".join(f'"{name}"' for name in BAR.names or ()),
    "open_time_ms",
    "first_id",
    "last_id",
    ("open_time_ms", "source"),
)

# The last columns of bars that were written before there were such; those that are cut were marked in the migration.
BARS_OF_FORMAT_2 = f"""
    coalesce(
        continuity, case source when {BarSource.LIVE:d} then {Continuity.PROVED:d} else {Continuity.UNPROVED:d} end
    )::utinyint as continuity, coalesce(cut, {Cut.NONE:d})::utinyint as cut
"""

# What a bound of rows means for a part, and the lowest and the highest value of its column there.
_PART_COLUMNS = {
    "time_ms": ("first_ms", "last_ms"),
    "open_time_ms": ("first_ms", "last_ms"),
    "id": ("first_id", "last_id"),
}


def read_trades(
    cursor: Cursor, sealed_files: SealedFiles, bounds: Bounds, limit: int | None, newest: bool
) -> TradeBatch:
    """Trades in rising order of id; with `newest` the last `limit` of them."""
    return TradeBatch(**_ordered(cursor, sealed_files, TRADES, bounds, limit, newest))


def read_bars(cursor: Cursor, sealed_files: SealedFiles, bounds: Bounds, limit: int | None, newest: bool) -> BarArray:
    """Bars in rising order of open time, and of source where two sources have the same bar."""
    columns = _ordered(cursor, sealed_files, BARS, bounds, limit, newest)
    bars = np.empty(len(columns["open_time_ms"]), BAR)
    for name, values in columns.items():
        bars[name] = values
    return bars


def weight_of(limit: int | None) -> int:
    """How much of the gate's capacity a question for so many rows takes."""
    return SMALL if limit is not None and limit <= SMALL_ROWS else LARGE


def _ordered(
    cursor: Cursor, sealed_files: SealedFiles, shape: Shape, bounds: Bounds, limit: int | None, newest: bool
) -> Columns:
    given = {comparison: value for comparison, value in bounds.items() if value is not None}
    cursor.execute("begin")
    if limit is None:
        parts = _trusted(sealed_files, _candidates(cursor, shape, given))
        return _in_order(
            shape, _fetch(cursor, sealed_files, spanning(sealed_files, shape, _condition(given), parts), parts)
        )
    return _paged(cursor, sealed_files, shape, given, limit, newest)


def _condition(given: dict[str, int]) -> str:
    return " and ".join(f"{comparison} {value:d}" for comparison, value in given.items())


def _paged(
    cursor: Cursor, sealed_files: SealedFiles, shape: Shape, given: dict[str, int], limit: int, newest: bool
) -> Columns:
    """So many rows from one end, a page at a time: DuckDB holds all rows of a sort that has a limit in memory."""
    place = shape.order[0]
    pages: list[Columns] = []
    while True:
        page = _page(cursor, sealed_files, shape, given, min(limit, PAGE_ROWS), newest)
        if limit <= PAGE_ROWS or len(page[place]) < PAGE_ROWS:
            break
        border = int(page[place][0 if newest else -1])
        inside = page[place] != border  # a bar of another source may stand at the border, on the next page
        if not inside.any():
            break
        pages.append({name: column[inside] for name, column in page.items()})
        limit -= int(inside.sum())
        given = {**given, **({f"{place} <": border + 1} if newest else {f"{place} >=": border})}
    pages.append(page)
    if len(pages) == 1:
        return page
    if newest:
        pages.reverse()
    return {name: np.concatenate([page[name] for page in pages]) for name in page}


def _page(
    cursor: Cursor, sealed_files: SealedFiles, shape: Shape, given: dict[str, int], limit: int, newest: bool
) -> Columns:
    condition = _condition(given)
    if newest:
        return _newest(cursor, sealed_files, shape, given, condition, limit)
    parts = _needed(sealed_files, _candidates(cursor, shape, given), given, shape, limit)
    order = ", ".join(shape.order)
    return _fetch(
        cursor,
        sealed_files,
        f"{spanning(sealed_files, shape, condition, parts)} order by {order} limit {limit:d}",
        parts,
    )


def _newest(
    cursor: Cursor, sealed_files: SealedFiles, shape: Shape, given: dict[str, int], condition: str, limit: int
) -> Columns:
    """The last rows: from the open table alone when it has enough of them, else from the end of the parts too.

    DuckDB reads a file from its beginning, so it is told where the end is: so many ids, or intervals, back at first,
    then farther back until there are enough.
    """
    order = ", ".join(f"{name} desc" for name in shape.order)
    last = f"order by {order} limit {limit:d}"
    opened = _fetch(cursor, sealed_files, f"select {shape.columns} from {shape.kind} where {condition} {last}", [])
    place = shape.order[0]
    parts = _needed(sealed_files, _candidates(cursor, shape, given), given, shape, limit, opened[place])
    if not parts:
        return _reversed(opened)
    highest = _highest(cursor, sealed_files, shape, condition, parts)
    if len(opened[place]):
        highest = max(highest, int(opened[place][0]))
    step = given.get("interval_ms =", 1)
    for reach in (2, 32, 512):
        near = f"{condition} and {place} > {highest - reach * limit * step}"
        found = _fetch(cursor, sealed_files, f"{spanning(sealed_files, shape, near, parts)} {last}", parts)
        if len(found[place]) == limit:
            return _reversed(found)
    return _reversed(_fetch(cursor, sealed_files, f"{spanning(sealed_files, shape, condition, parts)} {last}", parts))


def _highest(cursor: Cursor, sealed_files: SealedFiles, shape: Shape, condition: str, parts: list[Part]) -> int:
    """The highest place among the rows of parts, 0 when none fulfils the condition."""
    rows = file_rows([sealed_files.path(part) for part in parts], shape)
    query = f"select coalesce(max({shape.order[0]}), 0) as highest from {rows} where {condition}"
    return int(_fetch(cursor, sealed_files, query, parts)["highest"][0])


def _fetch(cursor: Cursor, sealed_files: SealedFiles, query: str, parts: list[Part]) -> Columns:
    try:
        columns: Columns = cursor.execute(query).fetchnumpy()  # type: ignore[assignment]  # no column is categorical
        return columns
    except duckdb.Error:
        sealed_files.doubt(parts)
        raise


def _reversed(columns: Columns) -> Columns:
    return {name: np.ascontiguousarray(column[::-1]) for name, column in columns.items()}


def _in_order(shape: Shape, columns: Columns) -> Columns:
    """Sorted here, because most rows come sorted: parts, then the open table."""
    keys = [columns[name] for name in shape.order]
    key = keys[0] if len(keys) == 1 else keys[0] * len(BarSource) + keys[1]
    if (key[1:] >= key[:-1]).all():
        return columns
    order = np.argsort(key, kind="stable")
    return {name: column[order] for name, column in columns.items()}


def spanning(sealed_files: SealedFiles, shape: Shape, condition: str, parts: list[Part]) -> str:
    """The query for rows of one symbol (and interval) that fulfil a condition, in the open table and in parts.

    A bar of the open table hides the same one of a part: it is a revised one.
    """
    opened = f"select {shape.columns} from {shape.kind} where {condition}"
    if not parts:
        return opened
    rows = file_rows([sealed_files.path(part) for part in parts], shape)
    sealed = f"select {shape.columns} from {rows} sealed where {condition}"
    if shape is BARS:
        last_ms = max(part.last_ms for part in parts)
        sealed += f"""
            and not exists (
                select 1 from (select * from bars where {condition} and open_time_ms <= {last_ms}) opened
                where opened.open_time_ms = sealed.open_time_ms and {same_bar("opened", "sealed")}
            )
        """
    return f"select * from ({sealed} union all {opened})"


def file_rows(paths: list[Path], shape: Shape = TRADES) -> str:
    """Parquet files as something to select from."""
    names = ", ".join(quoted(str(path)) for path in paths)
    if shape is TRADES:
        return f"read_parquet([{names}], hive_partitioning = false)"
    # Files of version 0.1.0 do not have the last two columns.
    files = f"select * from read_parquet([{names}], hive_partitioning = false, union_by_name = true)"
    return f"(select * replace ({BARS_OF_FORMAT_2}) from (select * from bars where false union all by name {files}))"


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _candidates(cursor: Cursor, shape: Shape, given: dict[str, int]) -> list[Part]:
    """The parts that may hold rows within the bounds."""
    conditions = [f"kind = '{shape.kind}'"]
    for comparison, value in given.items():
        name, operator = comparison.split()
        low, high = _PART_COLUMNS.get(name, (name, name))
        conditions.append(f"{high if operator == '>=' else low} {operator} {value:d}")
    return select_parts(cursor, " and ".join(conditions))


def _trusted(sealed_files: SealedFiles, parts: list[Part]) -> list[Part]:
    return [part for part in parts if sealed_files.trusts(part)]


def _needed(
    sealed_files: SealedFiles,
    parts: list[Part],
    given: dict[str, int],
    shape: Shape,
    limit: int,
    opened: IntArray | None = None,
) -> list[Part]:
    """The trusted parts among which the first `limit` rows are; the last ones when rows of the open table are given."""
    while True:
        needed = _enough(parts, _whole(given), shape, limit, opened)
        damaged = [part for part in needed if not sealed_files.trusts(part)]
        if not damaged:
            return needed
        parts = [part for part in parts if part not in damaged]


def _whole(given: dict[str, int]) -> Callable[[Part], bool]:
    """Whether all rows of a part lie within the bounds."""

    def whole(part: Part) -> bool:
        for comparison, value in given.items():
            name, operator = comparison.split()
            if name not in _PART_COLUMNS:
                continue
            low, high = (getattr(part, column) for column in _PART_COLUMNS[name])
            if not (low >= value if operator == ">=" else high < value):
                return False
        return True

    return whole


def _enough(
    parts: list[Part], whole: Callable[[Part], bool], shape: Shape, limit: int, opened: IntArray | None
) -> list[Part]:
    """Without the parts whose rows all come after `limit` rows of other parts, or of the open table."""
    low, high = _PART_COLUMNS[shape.order[0]]

    def reach(part: Part) -> tuple[int, int]:
        """The nearest and the farthest place of its rows, seen from the end the question starts at."""
        first, last = getattr(part, low), getattr(part, high)
        return (first, last) if opened is None else (-last, -first)

    needed: list[Part] = []
    for part in sorted(parts, key=reach):
        nearest = reach(part)[0]
        before = sum(other.row_count for other in needed if reach(other)[1] < nearest and whole(other))
        if opened is not None:
            before += int((-opened < nearest).sum())
        if before >= limit:
            break
        needed.append(part)
    return needed


def read_count(cursor: Cursor, sealed_files: SealedFiles, symbol_id: int, from_id: int, to_id: int) -> int:
    """How many trades there are of some ids; only files that lie across an end of the range are read."""
    given = {"symbol_id =": symbol_id, "id >=": from_id, "id <": to_id}
    cursor.execute("begin")
    parts = [part for part in _candidates(cursor, TRADES, given) if sealed_files.is_there(part)]
    whole = _whole(given)
    across = _trusted(sealed_files, [part for part in parts if not whole(part)])
    rows = spanning(sealed_files, TRADES, _condition(given), across)
    counted = _fetch(cursor, sealed_files, f"select count(*) as rows from ({rows})", across)
    return int(counted["rows"][0]) + sum(part.row_count for part in parts if whole(part))


def read_days(cursor: Cursor, shape: Shape, symbol_id: int) -> list[int]:
    """The first millisecond of each UTC day in which there are rows of a symbol."""
    rows = cursor.execute(
        f"""
        select distinct day_ms from (
            select {shape.time} // {DAY_MS} * {DAY_MS} as day_ms from {shape.kind} where symbol_id = $symbol
            union all select day_ms from parts where kind = '{shape.kind}' and symbol_id = $symbol and damage is null
        ) order by day_ms
        """,
        {"symbol": symbol_id},
    ).fetchall()
    return [int(day_ms) for (day_ms,) in rows]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a symbol is on a tape, and until when."""

    rows: int  # trades and bars
    newest_ms: int
    intervals: tuple[Interval, ...]  # of its bars


def read_extents(cursor: Cursor) -> dict[int, Extent]:
    """By symbol, for those of which there is anything."""
    rows = cursor.execute(
        """
        with held as (
            select symbol_id, count(*) as n, max(time_ms) as last_ms, null as interval_ms from trades group by all
            union all
            select symbol_id, count(*), max(open_time_ms), interval_ms from bars group by all
            union all
            select symbol_id, sum(row_count), max(last_ms), case kind when 'bars' then interval_ms end as interval_ms
            from parts where damage is null group by all
        ), ended as (
            select *, last_ms + coalesce(interval_ms, 0) as end_ms,
                max(last_ms) over (partition by symbol_id) as newest_ms
            from held
        )
        -- A long bar says less exactly than a short one in it where the data end, and a trade says it best.
        select symbol_id, sum(n)::bigint, min(end_ms) filter (where end_ms >= newest_ms), list(distinct interval_ms)
        from ended group by symbol_id order by symbol_id
        """
    ).fetchall()
    return {
        symbol_id: Extent(n, newest_ms, tuple(Interval(ms) for ms in sorted(ms for ms in held if ms is not None)))
        for symbol_id, n, newest_ms, held in rows
    }


def read_intervals(cursor: Cursor, symbol_id: int) -> list[Interval]:
    """Of which intervals there are bars of a symbol."""
    rows = cursor.execute(
        """
        select distinct interval_ms from (
            select interval_ms from bars where symbol_id = $symbol
            union all select interval_ms from parts where kind = 'bars' and symbol_id = $symbol and damage is null
        ) order by interval_ms
        """,
        {"symbol": symbol_id},
    ).fetchall()
    return [Interval(int(interval_ms)) for (interval_ms,) in rows]


def read_last_trades(cursor: Cursor) -> dict[int, tuple[int, int]]:
    """The highest id of each symbol, and its time; a damaged part counts, for its ids are known to exist."""
    rows = cursor.execute(
        """
        select symbol_id, max(id), max_by(time_ms, id) from (
            select symbol_id, id, time_ms from trades
            union all select symbol_id, last_id, last_id_ms from parts where kind = 'trades'
        ) group by symbol_id
        """
    ).fetchall()
    return {symbol_id: (last_id, time_ms) for symbol_id, last_id, time_ms in rows}


def read_last_bars(cursor: Cursor, interval: Interval) -> dict[int, int]:
    query = """
        select symbol_id, max(open_ms) from (
            select symbol_id, open_time_ms as open_ms from bars where interval_ms = $interval
            union all select symbol_id, last_ms from parts
            where kind = 'bars' and interval_ms = $interval and damage is null
        ) group by symbol_id
    """
    return dict(cursor.execute(query, {"interval": interval.ms}).fetchall())


def read_gaps(cursor: Cursor, symbols: SymbolTable, symbol_id: int | None, open_only: bool) -> list[Gap]:
    rows = cursor.execute(
        """
        select symbol_id, first_id, last_id, found_ms, reason, after_ms, before_ms, closed_ms, obstacle from gaps
        where (? is null or symbol_id = ?) and (not ? or closed_ms is null) order by symbol_id, first_id
        """,
        [symbol_id, symbol_id, open_only],
    ).fetchall()
    return [gap_of(symbols.name(row[0]), row[1:]) for row in rows]
