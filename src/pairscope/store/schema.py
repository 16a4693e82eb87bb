"""The tables of the tape, and what their file must say before it is used.

No table has an index: a primary key costs five times the CPU, and ids are checked before the write. Columns
stand in the order of the records they hold, so that a batch goes in as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from pairscope.base.errors import DataFolderError
from pairscope.base.model import SymbolTable, TradeKind
from pairscope.store.migration import OLDEST, migrate

FORMAT = 4

TABLES = {
    "tape_format": """
        create table tape_format (
            format integer not null, trade_kind varchar not null,
            commit_number bigint not null, part_number bigint not null
        )
    """,
    "symbols": """
        create table symbols (symbol_id integer not null, name varchar not null, continuity utinyint not null)
    """,
    "trades": """
        create table trades (
            symbol_id integer not null, id bigint not null, time_ms bigint not null, price double not null,
            size double not null, buyer_is_maker boolean not null, received_ns bigint not null, origin utinyint not null
        )
    """,
    "bars": """
        create table bars (
            symbol_id integer not null, interval_ms integer not null, open_time_ms bigint not null,
            "open" double not null, high double not null, low double not null, "close" double not null,
            volume double not null, quote_volume double not null, buy_volume double not null,
            trades bigint not null, first_id bigint not null, last_id bigint not null, lost bigint not null,
            backfilled bigint not null, status utinyint not null, source utinyint not null,
            continuity utinyint not null, cut utinyint not null
        )
    """,
    "gaps": """
        create table gaps (
            symbol_id integer not null, first_id bigint not null, last_id bigint not null,
            found_ms bigint not null, reason varchar not null, after_ms bigint, before_ms bigint, closed_ms bigint,
            obstacle varchar
        )
    """,
    "parts": """
        create table parts (
            number bigint not null, kind varchar not null, symbol_id integer not null, interval_ms integer not null,
            day_ms bigint not null, row_count bigint not null, first_id bigint not null, last_id bigint not null,
            first_ms bigint not null, last_ms bigint not null, last_id_ms bigint not null, byte_count bigint not null,
            sha256 varchar not null, damage varchar, damaged_ms bigint, venue varchar
        )
    """,
}


@dataclass(frozen=True, slots=True)
class TapeContents:
    """What a tape holds besides its rows, when it is opened."""

    symbols: SymbolTable
    commit_number: int  # number of the last transaction on disk


def prepare(connection: duckdb.DuckDBPyConnection, path: Path, kind: TradeKind) -> TapeContents:
    """Lay the tables in a new file, or check those of an old one and bring it to the present format.

    Raises:
        DataFolderError: when the file is no tape, of another format, or holds the other kind of trade.
    """
    tables = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
    if not tables:
        _create(connection, kind)
    elif "tape_format" not in tables:
        raise DataFolderError(
            f"{path} is a DuckDB file of something else", cure="move it away, or choose another --data-dir"
        )
    ((format_, stored_kind),) = connection.execute("select format, trade_kind from tape_format").fetchall()
    _check_format(path, format_)
    if stored_kind != kind:
        raise DataFolderError(
            f"the tape {path} holds {stored_kind} trades, and {kind} trades were asked for",
            cure=f"set trade_kind to {stored_kind}, or choose another --data-dir: their ids are different sequences",
        )
    if format_ < FORMAT:
        migrate(connection, path, format_, TABLES)
    return TapeContents(_symbols(connection, path), commit_number(connection))


def _symbols(connection: duckdb.DuckDBPyConnection, path: Path) -> SymbolTable:
    rows = connection.execute("select symbol_id, name, continuity from symbols order by symbol_id").fetchall()
    table = SymbolTable.stored([(name, best) for _, name, best in rows])
    if [(symbol_id, name) for symbol_id, name, _ in rows] != list(enumerate(table)):
        raise DataFolderError(
            f"the tape {path} is damaged: its table of symbols has holes or doubles",
            cure="put a copy back, or choose another --data-dir",
        )
    return table


def commit_number(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last transaction that reached the disk."""
    ((number,),) = connection.execute("select commit_number from tape_format").fetchall()
    return int(number)


def _create(connection: duckdb.DuckDBPyConnection, kind: TradeKind) -> None:
    connection.execute("begin")
    for table in TABLES.values():
        connection.execute(table)
    connection.execute("insert into tape_format values (?, ?, 0, 0)", [FORMAT, str(kind)])
    connection.execute("commit")


def _check_format(path: Path, found: int) -> None:
    if OLDEST <= found <= FORMAT:
        return
    age, cure = (
        ("newer", "upgrade pairscope") if found > FORMAT else ("older", "open it with the pairscope that wrote it")
    )
    raise DataFolderError(
        f"the tape {path} was written by a {age} pairscope (format {found}, this one reads {OLDEST} to {FORMAT})",
        cure=f"{cure}, or choose another --data-dir",
    )
