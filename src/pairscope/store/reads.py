"""Trades and bars read in order: from the open table and the sealed days alike, from one end, and so many of them.

A question asks the list of parts and the tables in one transaction, so that a day that is being sealed meanwhile is
read from the one or from the other, never from both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from pairscope.base.model import BAR, BarArray, BarSource, IntArray, TradeBatch
from pairscope.store.gate import LARGE, SMALL
from pairscope.store.sealed_catalog import Part, select_parts
from pairscope.store.sealed_files import SealedFiles
from pairscope.store.shapes import BARS, TRADES, Shape, file_rows, spanning

Cursor = duckdb.DuckDBPyConnection
Columns = dict[str, NDArray[Any]]
Bounds = dict[str, int | None]  # a comparison such as "time_ms >=" to its right side; None leaves it out

SMALL_ROWS = 5_000
PAGE_ROWS = 50_000  # sorted at a time: 4 MB of trades, 8 MB of bars

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
