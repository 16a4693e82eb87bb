"""Whoever cannot have a tape is told why, and what to do; the tape is left as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pairscope.base.model import TradeBatch, TradeKind
from pairscope.store.tape import Tape
from tests.held import held_by_a_child, refusal

OpenStore = Callable[..., Tape]
MakeTrades = Callable[..., TradeBatch]


def test_a_second_process_is_told_how_to_reach_the_first(open_store: OpenStore, path: Path) -> None:
    with held_by_a_child(path, "http://localhost:8123") as child:
        error = refusal(open_store)
        assert f"held by the pairscope at http://localhost:8123 (process {child.pid})" in error.message
        assert "open http://localhost:8123" in error.cure
    open_store()


def test_a_second_process_is_told_the_number_of_a_holder_that_has_no_address(open_store: OpenStore, path: Path) -> None:
    with held_by_a_child(path) as child:
        assert f"held by process {child.pid}" in refusal(open_store).message


def test_the_address_of_a_killed_process_misleads_nobody(open_store: OpenStore, path: Path) -> None:
    with held_by_a_child(path, "http://localhost:8123") as child:
        child.kill()
        child.wait()
    announcement = path.with_name("tape.duckdb.server.json")
    left_behind = announcement.read_text()
    with held_by_a_child(path) as child:
        announcement.write_text(left_behind)
        assert f"held by process {child.pid}" in refusal(open_store).message
    announcement.write_text(left_behind)
    open_store()
    assert not announcement.exists()


def test_a_file_of_something_else_is_refused_and_left_alone(open_store: OpenStore, path: Path) -> None:
    path.parent.mkdir()
    for content in (b"my notes", b"garbage" * 10_000):
        path.write_bytes(content)
        assert "not a tape, nor any DuckDB file" in refusal(open_store).message
        assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused(open_store: OpenStore, path: Path) -> None:
    path.parent.mkdir()
    with duckdb.connect(path) as connection:
        connection.execute("create table customers (name varchar)")
    assert "a DuckDB file of something else" in refusal(open_store).message


@pytest.mark.parametrize(("format_", "age"), [(99, "newer"), (0, "older")])
def test_a_tape_of_another_format_is_refused_with_both_numbers(
    format_: int, age: str, open_store: OpenStore, path: Path
) -> None:
    open_store().close()
    with duckdb.connect(path) as connection:
        connection.execute("update tape_format set format = ?", [format_])
    assert f"written by a {age} pairscope (format {format_}, this one reads 2 to 4)" in refusal(open_store).message


def test_aggregate_and_raw_trades_do_not_share_a_tape(open_store: OpenStore) -> None:
    open_store(kind=TradeKind.AGG).close()
    error = refusal(open_store, kind=TradeKind.RAW)
    assert "holds aggTrade trades, and trade trades were asked for" in error.message
    assert "set trade_kind to aggTrade" in error.cure
    open_store(kind=TradeKind.AGG)


async def test_a_refused_tape_is_let_go(open_store: OpenStore, trades: MakeTrades, path: Path) -> None:
    open_store().close()
    refusal(open_store, kind=TradeKind.RAW)
    with held_by_a_child(path):
        pass
