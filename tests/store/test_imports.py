"""The list of imported files survives kills and damage, at worst by forgetting."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.base.errors import DataFolderError
from pairscope.store.imports import ImportedFile, ImportList


def file(name: str, sha256: str = "a") -> ImportedFile:
    return ImportedFile(name, sha256, "BTCUSDT", rows=3, first_id=1, last_id=3, imported_ms=5)


def test_what_was_added_is_read_back_the_last_of_a_name_counting(tmp_path: Path) -> None:
    files = ImportList(tmp_path / "tape.duckdb").read()
    for each in (file("one"), file("two"), file("one", "b")):
        files.add(each)
    again = ImportList(tmp_path / "tape.duckdb").read()
    assert len(again) == 2
    assert again.get("one") == file("one", "b")
    assert again.get("three") is None


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    ImportList(tmp_path / "tape.duckdb").add(file("one"))
    path = tmp_path / "tape.duckdb.imports.jsonl"
    path.write_bytes(path.read_bytes() + b'{"name":"tw')
    ImportList(tmp_path / "tape.duckdb").read().add(file("three"))
    again = ImportList(tmp_path / "tape.duckdb").read()
    assert [again.get(name) is not None for name in ("one", "tw", "three")] == [True, False, True]


def test_a_list_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "tape.duckdb.imports.jsonl").mkdir()
    with pytest.raises(DataFolderError, match="cannot write"):
        ImportList(tmp_path / "tape.duckdb").add(file("one"))
