from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from pairscope.base.errors import DataFolderError
from pairscope.base.model import BAR, TRADE_COLUMNS, TradeBatch, TradeKind
from pairscope.store.schema import commit_number, prepare
from pairscope.store.transaction import trade_columns


def table_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    columns = connection.execute(f"select * from {table}").fetchnumpy()
    return {name: values.dtype for name, values in columns.items()}


def test_the_columns_of_trades_and_bars_stand_as_in_their_records() -> None:
    with duckdb.connect() as connection:
        prepare(connection, Path("tape"), TradeKind.AGG)
        trades = table_columns(connection, "trades")
        assert list(trades.items()) == [(k, v.dtype) for k, v in trade_columns([TradeBatch.empty()]).items()]
        assert list(trades) == list(TRADE_COLUMNS)
        assert list(table_columns(connection, "bars").items()) == [(name, BAR[name]) for name in BAR.names or ()]


def test_a_new_tape_is_laid_once_and_recognised_after() -> None:
    with duckdb.connect() as connection:
        assert len(prepare(connection, Path("tape"), TradeKind.AGG).symbols) == 0
        connection.execute("insert into symbols values (1, 'ETHUSDT', 0), (0, 'BTCUSDT', 0)")
        connection.execute("update tape_format set commit_number = 7")
        again = prepare(connection, Path("tape"), TradeKind.AGG)
        assert list(again.symbols) == ["BTCUSDT", "ETHUSDT"]
        assert again.commit_number == commit_number(connection) == 7


@pytest.mark.parametrize("rows", ["(1, 'B', 0)", "(0, 'A', 0), (0, 'A', 0)", "(0, 'A', 0), (1, 'A', 0)"])
def test_symbols_with_holes_or_doubles_are_damage(rows: str) -> None:
    with duckdb.connect() as connection:
        prepare(connection, Path("tape"), TradeKind.AGG)
        connection.execute(f"insert into symbols values {rows}")
        with pytest.raises(DataFolderError, match="holes or doubles"):
            prepare(connection, Path("tape"), TradeKind.AGG)


def test_no_table_has_an_index() -> None:
    with duckdb.connect() as connection:
        prepare(connection, Path("tape"), TradeKind.AGG)
        assert connection.execute("select count(*) from duckdb_indexes()").fetchall() == [(0,)]
