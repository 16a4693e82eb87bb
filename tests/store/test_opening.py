"""A file that is damaged or half made is never taken for a sound tape, nor for a new one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.errors import DataFolderError
from pairscope.base.model import TradeKind
from pairscope.store import opening
from pairscope.store.tape import Tape
from tests.held import held_by_a_child, refusal

OpenStore = Callable[..., Tape]


def damaged_copy(path: Path, open_store: OpenStore, change: Callable[[bytearray], bytearray]) -> None:
    open_store().close()
    path.write_bytes(change(bytearray(path.read_bytes())))


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
        used = opening._blocks_in_use(connection, "tape")
    os.truncate(path, 3 * 4_096 + used * 262_144)
    open_store().close()
    with duckdb.connect(str(path)) as connection:
        used = opening._blocks_in_use(connection, "tape")
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
