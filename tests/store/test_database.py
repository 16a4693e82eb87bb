from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from pairscope.base.errors import StoreUnavailable
from pairscope.store import database as module
from pairscope.store.database import Database
from tests.patience import EVENT_S

ENDLESS = "select sum(a.range * b.range) from range(100000000) a, range(100000000) b"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    def connect() -> duckdb.DuckDBPyConnection:
        return duckdb.connect(tmp_path / "a.duckdb")

    database = Database(connect(), connect)
    database.connection.execute("create table numbers as select range as n from range(10)")
    yield database
    database.close()


def count(database: Database) -> int:
    with database.reading() as cursor:
        ((rows,),) = cursor.execute("select count(*) from numbers").fetchall()
    return int(rows)


def in_a_long_read(database: Database) -> tuple[threading.Thread, list[StoreUnavailable]]:
    """A thread that is busy reading, and where its refusal will be."""
    refusals: list[StoreUnavailable] = []
    begun = threading.Event()

    def read() -> None:
        try:
            with database.reading() as cursor:
                begun.set()
                cursor.execute(ENDLESS).fetchall()
        except StoreUnavailable as error:
            refusals.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    begun.wait()
    return thread, refusals


@pytest.mark.parametrize("act", [Database.reopen, Database.close])
def test_opening_anew_and_closing_interrupt_a_long_read(database: Database, act: Callable[[Database], None]) -> None:
    thread, refusals = in_a_long_read(database)
    act(database)
    thread.join(timeout=EVENT_S)
    assert len(refusals) == 1


def test_after_opening_anew_both_sides_go_on(database: Database) -> None:
    database.reopen()
    database.connection.execute("insert into numbers values (10)")
    assert count(database) == 11


def test_a_reader_does_not_see_what_is_not_committed(database: Database) -> None:
    database.connection.execute("begin")
    database.connection.execute("insert into numbers values (10)")
    assert count(database) == 10
    database.connection.execute("commit")
    assert count(database) == 11


def test_what_was_not_committed_is_gone_after_opening_anew(database: Database) -> None:
    database.connection.execute("begin")
    database.connection.execute("insert into numbers values (10)")
    database.reopen()
    assert count(database) == 10


def test_a_file_that_cannot_be_opened_anew_refuses_readers_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_PATIENCE_S", 0.01)
    broken = False

    def connect() -> duckdb.DuckDBPyConnection:
        if broken:
            raise duckdb.IOException("IO Error: no such device")
        return duckdb.connect(tmp_path / "a.duckdb")

    database = Database(connect(), connect)
    database.connection.execute("create table numbers (n integer)")
    broken = True
    with pytest.raises(duckdb.IOException):
        database.reopen()
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        count(database)
    with pytest.raises(StoreUnavailable, match="not open"):
        _ = database.connection
    broken = False
    database.reopen()
    assert count(database) == 0
    database.close()


def test_a_read_that_fails_is_refused_in_one_line(database: Database) -> None:
    with (
        pytest.raises(StoreUnavailable, match="could not be read: Catalog Error") as caught,
        database.reading() as cursor,
    ):
        cursor.execute("select * from nothing")
    assert "\n" not in str(caught.value)
    assert count(database) == 10


def test_a_closed_file_refuses_readers(database: Database) -> None:
    database.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        count(database)


def test_reads_are_numbered_and_the_oldest_under_way_is_known(database: Database) -> None:
    assert (database.reads_begun(), database.reads_ended()) == (0, 0)
    with database.reading():
        assert (database.reads_begun(), database.reads_ended()) == (1, 0)
        with database.reading():
            assert (database.reads_begun(), database.reads_ended()) == (2, 0)
        assert database.reads_ended() == 0
    assert (database.reads_begun(), database.reads_ended()) == (2, 2)
