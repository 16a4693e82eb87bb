"""One transaction: symbols, trades, bars and gaps that reach the disk together or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from pairscope.base.gaps import OF_IMPORTS
from pairscope.base.model import (
    BAR,
    TRADE_COLUMNS,
    BarArray,
    BarSource,
    Continuity,
    Gap,
    TradeBatch,
    join_bars,
    take_bars,
)
from pairscope.store.gap_rows import obstacle_text

Columns = dict[str, NDArray[Any]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction writes. Its number tells, after a doubtful failure, whether it is on the disk."""

    number: int
    puts: int  # puts accepted up to and with this work
    first_symbol_id: int
    symbols: list[tuple[str, Continuity]]  # new ones, in the order of their integers, and what can be proved of them
    trades: list[TradeBatch]
    bars: list[BarArray]
    gaps: list[tuple[int, Gap]]  # with the integer of their symbol

    @property
    def trade_rows(self) -> int:
        return sum(len(batch) for batch in self.trades)


class NewestBars:
    """How new the bars of each symbol and interval are at most that the table may hold.

    To look for the rows that bars take the place of costs as much as all else of a transaction, and of nearly all bars
    there are none: they are newer than any before. Only `write` puts bars into the table of an open tape.
    """

    def __init__(self) -> None:
        self._open_ms: dict[tuple[int, int], int] | None = None  # asked of the table once

    def replacing(self, connection: duckdb.DuckDBPyConnection, bars: BarArray) -> BarArray:
        """Those of the bars that may be in the table already; all of them may be from now on."""
        if self._open_ms is None:
            rows = connection.execute(
                "select symbol_id, interval_ms, max(open_time_ms) from bars group by symbol_id, interval_ms"
            ).fetchall()
            self._open_ms = {(symbol_id, interval_ms): open_ms for symbol_id, interval_ms, open_ms in rows}
        newest, before, places = dict(self._open_ms), self._open_ms, []
        keys = zip(bars["symbol_id"].tolist(), bars["interval_ms"].tolist(), strict=True)
        for place, (key, open_ms) in enumerate(zip(keys, bars["open_time_ms"].tolist(), strict=True)):
            if open_ms <= before.get(key, -1):
                places.append(place)
            newest[key] = max(open_ms, newest.get(key, -1))
        self._open_ms = newest  # kept also when the transaction fails: too much is looked for then, never too little
        return take_bars(bars, np.array(places, np.int64))


def write(connection: duckdb.DuckDBPyConnection, work: Work, newest: NewestBars) -> None:
    """Write and commit; whatever is raised on the way, nothing or all of it is on the disk."""
    connection.execute("begin")
    if work.symbols:
        _append(connection, "symbols", _symbol_columns(work))
    if work.trades:
        _append(connection, "trades", trade_columns(work.trades))
    if work.bars:
        _put_bars(connection, newest_of_each_bar(join_bars(work.bars)), newest)
    if work.gaps:
        replace_gaps(connection, work.gaps)
    connection.execute("update tape_format set commit_number = ?", [work.number])
    connection.execute("commit")


def carry_out(connection: duckdb.DuckDBPyConnection, number: int, job: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
    """Do a job in a transaction of its own, with a number as that of `Work`."""
    connection.execute("begin")
    result = job(connection)
    connection.execute("update tape_format set commit_number = ?", [number])
    connection.execute("commit")
    return result


def _append(connection: duckdb.DuckDBPyConnection, table: str, columns: Columns) -> None:
    connection.register("incoming", columns)
    connection.execute(f"insert into {table} select * from incoming")
    connection.unregister("incoming")


def _symbol_columns(work: Work) -> Columns:
    first = work.first_symbol_id
    return {
        "symbol_id": np.arange(first, first + len(work.symbols), dtype=np.int32),
        "name": np.array([name for name, _ in work.symbols], dtype=object),
        "continuity": np.array([best for _, best in work.symbols], np.uint8),
    }


def trade_columns(batches: list[TradeBatch]) -> Columns:
    """Batches one after the other, as columns."""
    joined = TradeBatch.concatenate(batches)
    return {name: getattr(joined, name) for name in TRADE_COLUMNS}


def newest_of_each_bar(bars: BarArray) -> BarArray:
    """The bar that was put last of each symbol, interval and open time; an upload is a bar beside ours."""
    keys = [bars["open_time_ms"], bars["source"] == BarSource.UPLOAD, bars["interval_ms"], bars["symbol_id"]]
    order = np.lexsort(keys)  # stable: equal keys stay in the order they came
    last = np.ones(len(bars), np.bool_)
    if len(bars) > 1:
        last[:-1] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    return take_bars(bars, order[last])


def same_bar(one: str, other: str) -> str:
    """The condition that two rows of one symbol, interval and open time are the same bar.

    One of trades takes the place of a kline, and one of imported trades becomes one of heard trades when some of those
    come to it.
    """
    upload = int(BarSource.UPLOAD)
    return f"({one}.source = {upload}) = ({other}.source = {upload})"


def _put_bars(connection: duckdb.DuckDBPyConnection, bars: BarArray, newest: NewestBars) -> None:
    replacing = newest.replacing(connection, bars)
    if len(replacing):
        _remove_bars(connection, replacing)
    _append(connection, "bars", {name: bars[name] for name in BAR.names or ()})


def _remove_bars(connection: duckdb.DuckDBPyConnection, bars: BarArray) -> None:
    """Take away the rows of the same bars."""
    times = bars["open_time_ms"]
    key = ("symbol_id", "interval_ms", "open_time_ms", "source")
    connection.register("incoming", {name: bars[name] for name in key})
    # The bounds let DuckDB skip all but the last rows of the table when the bars are new, as most are.
    connection.execute(
        f"""
        delete from bars using incoming
        where bars.open_time_ms between ? and ? and bars.open_time_ms = incoming.open_time_ms
          and bars.symbol_id = incoming.symbol_id and bars.interval_ms = incoming.interval_ms
          and {same_bar("bars", "incoming")}
        """,
        [int(times.min()), int(times.max())],
    )
    connection.unregister("incoming")


def replace_gaps(connection: duckdb.DuckDBPyConnection, gaps: list[tuple[int, Gap]]) -> None:
    """Write gaps, each with the integer of its symbol, over those of the same symbol and first id.

    Of what was brought in full, and never listened for, no row is left.
    """
    newest = list({(symbol_id, gap.first_id): (symbol_id, gap) for symbol_id, gap in gaps}.values())
    columns: Columns = {"symbol_id": np.array([symbol_id for symbol_id, _ in newest], np.int32)}
    for name in ("first_id", "last_id", "found_ms"):
        columns[name] = np.array([getattr(gap, name) for _, gap in newest], np.int64)
    columns["reason"] = np.array([gap.reason.value for _, gap in newest], dtype=object)
    for name in ("after_ms", "before_ms", "closed_ms"):
        values = np.array([-1 if getattr(gap, name) is None else getattr(gap, name) for _, gap in newest], np.int64)
        columns[name] = np.ma.masked_less(values, 0)
    columns["obstacle"] = np.array([obstacle_text(gap) for _, gap in newest], dtype=object)
    columns["over"] = np.array([gap.closed_ms is not None and gap.reason in OF_IMPORTS for _, gap in newest])
    connection.register("incoming", columns)
    connection.execute(
        """
        delete from gaps using incoming
        where gaps.symbol_id = incoming.symbol_id and gaps.first_id = incoming.first_id
        """
    )
    connection.execute("insert into gaps select * exclude (over) from incoming where not over")
    connection.unregister("incoming")
