"""The list of imported files, as the state keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.base.errors import DataFolderError
from pairscope.store.imports import ImportedFile, ImportList


def file(name: str, sha256: str = "a") -> ImportedFile:
    return ImportedFile(name, sha256, "BTCUSDT", rows=3, first_id=1, last_id=3, imported_ms=5)


def test_what_was_added_is_read_back_files_of_one_name_each(tmp_path: Path) -> None:
    files = ImportList(tmp_path / "tape.duckdb").read()
    for each in (file("one"), file("two"), file("one", "b"), file("one")):
        files.add(each)
    again = ImportList(tmp_path / "tape.duckdb").read()
    assert len(again) == 3
    assert again.named("one") == [file("one", "b"), file("one")]
    assert again.get("one", "b") == file("one", "b")
    assert again.get("one", "c") is None
    assert again.of("BTCUSDT") == [file("two"), file("one", "b"), file("one")]


def test_a_line_of_0_1_0_names_no_path(tmp_path: Path) -> None:
    line = b'{"name":"one","sha256":"a","symbol":"BTCUSDT","rows":3,"first_id":1,"last_id":3,"imported_ms":5}\n'
    (tmp_path / "tape.duckdb.imports.jsonl").write_bytes(line)
    (known,) = ImportList(tmp_path / "tape.duckdb").read().of("BTCUSDT")
    assert (known, known.place) == (file("one"), "one")


def test_a_list_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").mkdir()
    with pytest.raises(DataFolderError, match="cannot use"):
        ImportList(tmp_path / "tape.duckdb").add(file("one"))
