"""How far the tape reaches: which days and intervals it has of a symbol, and where its trades and bars end.

None of it reads a sealed file: the list of files tells what is in each.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from pairscope.base.interval import DAY_MS, Interval
from pairscope.store.shapes import Shape

Cursor = duckdb.DuckDBPyConnection


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
