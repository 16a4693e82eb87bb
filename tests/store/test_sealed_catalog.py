from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pairscope.base.interval import DAY_MS
from pairscope.base.model import TradeKind
from pairscope.store.schema import prepare
from pairscope.store.sealed_catalog import (
    Part,
    damaged_parts,
    delete_parts,
    given_numbers,
    insert_part,
    mark_damaged,
    number_of,
    select_parts,
    take_numbers,
)

PART = Part(
    number=3,
    kind="trades",
    symbol="BTCUSDT",
    symbol_id=0,
    interval_ms=0,
    day_ms=20_000 * DAY_MS,
    row_count=10,
    first_id=1,
    last_id=12,
    first_ms=20_000 * DAY_MS + 5,
    last_ms=20_000 * DAY_MS + 50,
    last_id_ms=20_000 * DAY_MS + 49,
    byte_count=1_000,
    sha256="ab",
)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        prepare(connection, Path("tape"), TradeKind.AGG)
        connection.execute("insert into symbols values (0, 'BTCUSDT', 0), (1, 'ETHUSDT', 0)")
        yield connection


def test_a_part_lies_in_the_folder_of_its_kind_day_and_symbol() -> None:
    assert str(PART) == "trades/date=2024-10-04/symbol=BTCUSDT/3.parquet"
    bars = replace(PART, kind="bars", interval_ms=60_000)
    assert str(bars) == "bars/date=2024-10-04/symbol=BTCUSDT/1m-3.parquet"
    assert number_of(PART.path) == number_of(bars.path) == 3
    for name in ("3.parquet.draft", "x.parquet", "notes.txt", "a-b-3.parquet"):
        assert number_of(Path(name)) is None


def test_a_part_of_today_lies_in_the_folder_of_its_venue_too() -> None:
    own = replace(PART, venue="BINANCE")
    assert str(own) == "trades/date=2024-10-04/venue=BINANCE/symbol=BTCUSDT/3.parquet"
    other = replace(PART, symbol="OKX.ETH_USDT_SWAP", venue="OKX", kind="bars", interval_ms=60_000)
    assert str(other) == "bars/date=2024-10-04/venue=OKX/symbol=ETH_USDT_SWAP/1m-3.parquet"


def test_what_was_listed_is_found_until_it_is_deleted(connection: duckdb.DuckDBPyConnection) -> None:
    other = replace(PART, number=4, symbol="ETHUSDT", symbol_id=1)
    insert_part(connection, other)
    insert_part(connection, PART)
    assert select_parts(connection) == [PART, other]
    assert select_parts(connection, "symbol_id = ?", [1]) == [other]
    delete_parts(connection, [])
    delete_parts(connection, [4])
    assert select_parts(connection) == [PART]


def test_a_damaged_part_is_remembered_and_no_longer_readable(connection: duckdb.DuckDBPyConnection) -> None:
    insert_part(connection, PART)
    assert mark_damaged(connection, PART, "missing", 7)
    assert not mark_damaged(connection, PART, "missing", 8)
    assert select_parts(connection) == []
    assert damaged_parts(connection) == [replace(PART, damage="missing", damaged_ms=7)]


def test_no_number_is_given_twice(connection: duckdb.DuckDBPyConnection) -> None:
    assert given_numbers(connection) == 0
    assert take_numbers(connection, 3) == 1
    assert take_numbers(connection, 1) == 4
    assert given_numbers(connection) == 4
