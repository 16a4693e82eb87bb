"""Tapes of released versions brought to the present format, when they are opened.

A step runs in one transaction and ends with the number of its format: a process killed in the middle leaves the tape as
it was. Sealed files are never written again; what an old one does not tell is put beside it in the open table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import structlog

from pairscope.base.interval import DAY_MS
from pairscope.base.model import BarSource, BarStatus, Continuity, Cut
from pairscope.store.sealed_catalog import Part, select_parts
from pairscope.store.sealed_files import days_folder
from pairscope.store.shapes import BARS, BARS_OF_FORMAT_2, file_rows

log = structlog.get_logger()

Tables = Mapping[str, str]  # how each table is made now, by its name
Cuts = dict[tuple[int, int, int], Cut]  # by symbol, interval and open time


def migrate(connection: duckdb.DuckDBPyConnection, path: Path, found: int, tables: Tables) -> None:
    """Bring a tape of a released format to the present one, step by step.

    Raises:
        duckdb.Error: when the disk fails; the tape is of its old format then.
    """
    for before, step in STEPS.items():
        if found > before:
            continue
        ((name,),) = connection.execute("select current_database()").fetchall()
        log.info("tape_migrated", path=str(path), format=before + 1, in_memory=name == "memory")
        connection.execute("begin")
        try:
            step(connection, path, tables)
            connection.execute("update tape_format set format = ?", [before + 1])
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise


def bars_of_format_2(table: str) -> str:
    """The query for the rows of a table of bars of format 2 in the present columns."""
    return f"select * replace ({BARS_OF_FORMAT_2}) from (select *, null as continuity, null as cut from {table})"


def _tell_of_continuity(connection: duckdb.DuckDBPyConnection, path: Path, tables: Tables) -> None:
    """Format 2 to 3: bars say whether their missing trades are counted, and where they are cut."""
    _give_parts_a_venue(connection)  # the list of files is read by the code of today
    connection.execute("alter table bars rename to bars_before")
    connection.execute(tables["bars"])
    connection.execute(f"insert into bars {bars_of_format_2('bars_before')}")
    connection.execute("drop table bars_before")
    for (symbol_id, interval_ms, open_ms), cut in _cuts(connection).items():
        key = f"symbol_id = {symbol_id} and interval_ms = {interval_ms} and open_time_ms = {open_ms}"
        key += f" and source = {BarSource.LIVE:d}"
        ((there,),) = connection.execute(f"select count(*) from bars where {key}").fetchall()
        if not there:
            _take_from_part(connection, path, key, (symbol_id, interval_ms, open_ms))
        connection.execute(
            f"""
            update bars set cut = {cut:d}, continuity = {Continuity.PARTIAL:d}, status = {BarStatus.PARTIAL:d}
            where {key}
            """
        )


def _tell_of_venues(connection: duckdb.DuckDBPyConnection, path: Path, tables: Tables) -> None:
    """Format 3 to 4: symbols say what can be proved of their trades, sealed files in which venue's folder they lie.

    All that was recorded before is of the one venue there was, whose trades are proved; its files stay where they are.
    """
    connection.execute("alter table symbols rename to symbols_before")
    connection.execute(tables["symbols"])
    connection.execute(
        f"insert into symbols select symbol_id, name, {Continuity.PROVED:d} from symbols_before order by symbol_id"
    )
    connection.execute("drop table symbols_before")
    _give_parts_a_venue(connection)


def _give_parts_a_venue(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("alter table parts add column if not exists venue varchar")


def _cuts(connection: duckdb.DuckDBPyConnection) -> Cuts:
    """Bars where listening began, and bars on the two sides of an open gap that is not inside one bar."""
    firsts = connection.execute(
        f"""
        select symbol_id, interval_ms, min(first_ms) from (
            select symbol_id, interval_ms, open_time_ms as first_ms from bars where source = {BarSource.LIVE:d}
            union all select symbol_id, interval_ms, first_ms from parts where kind = 'bars' and damage is null
        ) group by all order by all
        """
    ).fetchall()
    gaps = connection.execute(
        "select symbol_id, after_ms, before_ms from gaps where closed_ms is null order by all"
    ).fetchall()
    cuts: Cuts = {}
    for symbol_id, interval_ms, first_ms in firsts:
        if first_ms % DAY_MS:  # else the days before were deleted, or it is an official day, which is whole
            cuts[symbol_id, interval_ms, first_ms] = Cut.BEGIN
        for gap_symbol, after_ms, before_ms in gaps:
            if gap_symbol != symbol_id:
                continue
            after, before = (None if at is None else at - at % interval_ms for at in (after_ms, before_ms))
            if after == before:
                continue
            for open_ms, cut in ((after, Cut.HOLE_AFTER), (before, Cut.HOLE_BEFORE)):
                if open_ms is not None:
                    key = (symbol_id, interval_ms, open_ms)
                    cuts[key] = cuts.get(key, Cut.NONE) | cut
    return cuts


def _take_from_part(connection: duckdb.DuckDBPyConnection, path: Path, key: str, bar: tuple[int, int, int]) -> None:
    """Put a bar of a sealed file, if there is one, into the open table, where it hides the one in the file."""
    symbol_id, interval_ms, open_ms = bar
    day_ms = open_ms - open_ms % DAY_MS
    listed: list[Part] = select_parts(
        connection, "(kind, symbol_id, interval_ms, day_ms) = ('bars', ?, ?, ?)", [symbol_id, interval_ms, day_ms]
    )
    files = [days_folder(path) / part.path for part in listed]
    files = [file for file in files if file.is_file()]  # of one that is missing the bars are unknown anyhow
    if files:
        connection.execute(f"insert into bars select {BARS.columns} from {file_rows(files, BARS)} where {key}")


STEPS: dict[int, Callable[[duckdb.DuckDBPyConnection, Path, Tables], None]] = {
    2: _tell_of_continuity,
    3: _tell_of_venues,
}
_CHANGED = {2: {"bars", "parts"}, 3: {"symbols", "parts"}}
OLDEST = min(STEPS)


def changed_tables(found: int) -> set[str]:
    """The tables that are written when a tape of a format comes to the present one.

    >>> sorted(changed_tables(3)), sorted(changed_tables(4))
    (['parts', 'symbols', 'tape_format'], [])
    """
    changed = {name for step, names in _CHANGED.items() if step >= found for name in names}
    return changed | {"tape_format"} if changed else changed
