"""The folder of a tape is made when needed, and tells where the one who holds the tape is reached."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pairscope.store import data_folder
from pairscope.store.tape import Tape
from tests.held import refusal

OpenStore = Callable[..., Tape]


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
