from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.errors import DataFolderError
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.store import data_folder
from pairscope.store.tape import Tape

OpenStore = Callable[..., Tape]
MakeTrades = Callable[..., TradeBatch]

HOLDER = """
import sys
from pathlib import Path
from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeKind
from pairscope.store.tape import Tape

store = Tape.open(Path(sys.argv[1]), kind=TradeKind.AGG, clock=SystemClock())
if len(sys.argv) > 2:
    store.announce(sys.argv[2])
print("open", flush=True)
sys.stdin.readline()
store.close()
"""


@contextmanager
def held_by_a_child(path: Path, *url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the tape open for the time of a `with` block."""
    command = [sys.executable, "-c", HOLDER, str(path), *url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert any(line == "open\n" for line in child.stdout)
        yield child
        if child.poll() is None:
            child.communicate("\n")


def refusal(open_store: OpenStore, **options: object) -> DataFolderError:
    with pytest.raises(DataFolderError) as caught:
        open_store(**options)
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    return caught.value


def damaged_copy(path: Path, open_store: OpenStore, change: Callable[[bytearray], bytearray]) -> None:
    open_store().close()
    path.write_bytes(change(bytearray(path.read_bytes())))


def test_the_folder_is_made_when_it_is_not_there(open_store: OpenStore, path: Path) -> None:
    assert not path.parent.exists()
    open_store()
    assert path.exists()


def test_a_folder_that_cannot_be_made_is_named(open_store: OpenStore, path: Path) -> None:
    path.parent.write_text("a file, not a folder")
    assert str(path.parent) in refusal(open_store).message


def test_a_folder_where_the_file_should_be_is_named(open_store: OpenStore, path: Path) -> None:
    path.mkdir(parents=True)
    assert "is a folder" in refusal(open_store).message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_named(open_store: OpenStore, path: Path) -> None:
    path.parent.mkdir(mode=0o500)
    assert "is not writable" in refusal(open_store).message


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


def test_an_unreadable_announcement_is_no_announcement(path: Path) -> None:
    path.parent.mkdir()
    for text in ("", "{", "[]", '{"url": "x"}', '{"url": "x", "pid": "y"}'):
        path.with_name("tape.duckdb.server.json").write_text(text)
        assert data_folder.read_announcement(path) is None


def test_an_announcement_is_there_until_the_tape_is_closed(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    store.announce("http://localhost:9000")
    assert data_folder.read_announcement(path) == data_folder.Announcement("http://localhost:9000", os.getpid())
    store.close()
    assert data_folder.read_announcement(path) is None


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


@pytest.mark.parametrize("offset", [12, 4_100, 8_200, 12_300])
def test_a_flipped_byte_in_the_head_of_the_file_is_named_as_damage(
    offset: int, open_store: OpenStore, path: Path
) -> None:
    def flip(content: bytearray) -> bytearray:
        content[offset] ^= 0xFF
        return content

    damaged_copy(path, open_store, flip)
    error = refusal(open_store)
    assert "is damaged" in error.message
    assert "put a copy back" in error.cure


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_named_as_damage(kept: float, open_store: OpenStore, path: Path) -> None:
    damaged_copy(path, open_store, lambda content: content[: int(len(content) * kept)])
    assert "is damaged" in refusal(open_store).message


def test_the_log_that_another_process_is_writing_is_never_cut(open_store: OpenStore, path: Path) -> None:
    path = path.parent / "replaying WAL" / path.name  # as DuckDB says of a log that is damaged
    log_path = path.with_name(f"{path.name}.wal")
    with held_by_a_child(path):
        written = log_path.read_bytes() if log_path.exists() else b""
        log_path.write_bytes(written + b"half of a commit")
        with pytest.raises(DataFolderError, match="is held by"):
            Tape.open(path, kind=TradeKind.AGG, clock=SystemClock())
        assert log_path.read_bytes() == written + b"half of a commit"
        log_path.write_bytes(written)


def grown_and_shrunk(path: Path, open_store: OpenStore) -> int:
    """Leave a tape whose file ends in free blocks, and return how many blocks it says it has."""
    open_store().close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table much as select range as number, random() as other from range(300_000)")
        connection.execute("checkpoint")
        connection.execute("drop table much")
        connection.execute("checkpoint")
    with duckdb.connect(str(path)) as connection:
        ((blocks,),) = connection.execute("select total_blocks from pragma_database_size()").fetchall()
    return int(blocks)


def test_a_sound_file_may_be_shorter_than_it_says(open_store: OpenStore, path: Path) -> None:
    blocks = grown_and_shrunk(path, open_store)
    assert path.stat().st_size < 3 * 4_096 + blocks * 262_144, "DuckDB let go of free blocks after writing its header"
    open_store().close()


def test_a_file_without_its_last_block_in_use_is_damaged(open_store: OpenStore, path: Path) -> None:
    grown_and_shrunk(path, open_store)
    with duckdb.connect(str(path)) as connection:
        used = data_folder._blocks_in_use(connection, "tape")
    os.truncate(path, 3 * 4_096 + used * 262_144)
    open_store().close()
    with duckdb.connect(str(path)) as connection:
        used = data_folder._blocks_in_use(connection, "tape")
    os.truncate(path, 3 * 4_096 + used * 262_144 - 1)
    assert "is damaged" in refusal(open_store).message


@pytest.mark.parametrize("length", [None, 0, 4_096])
def test_sealed_days_without_their_file_are_never_taken_for_a_new_tape(
    length: int | None, open_store: OpenStore, path: Path
) -> None:
    open_store().close()
    sealed = path.with_suffix(".days") / "trades" / "date=2024-10-04" / "symbol=BTCUSDT" / "1.parquet"
    sealed.parent.mkdir(parents=True)
    sealed.write_bytes(b"sealed")
    head = path.read_bytes()[: length or 0]
    path.unlink()
    if length is not None:
        path.write_bytes(head)
    error = refusal(open_store)
    assert "its sealed days tape.days are there" in error.message
    assert "move tape.days away" in (error.cure or "")
    assert sealed.read_bytes() == b"sealed"
    assert (path.read_bytes() if path.exists() else None) == (None if length is None else head)


@pytest.mark.parametrize("size", [0, 4_096, 8_192])
def test_a_file_whose_making_was_cut_short_is_made_again(size: int, open_store: OpenStore, path: Path) -> None:
    damaged_copy(path, open_store, lambda content: content[:size])
    assert list(open_store().symbols) == ["BTCUSDT", "ETHUSDT"]


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


def test_an_address_is_believed_only_while_its_process_holds_the_tape(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    store.announce("http://localhost:9000")
    assert data_folder.read_announcement(path) is not None
    other = path.with_name("other.duckdb")
    other.write_bytes(b"")
    data_folder.announce(other, "http://localhost:9000")  # this process lives, and has another file open
    assert data_folder.read_announcement(other) is None
    left = path.with_name(f"{path.name}.server.json")
    left.write_text('{"url": "http://localhost:9000", "pid": 99999999999}')
    assert data_folder.read_announcement(path) is None
