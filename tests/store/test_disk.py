from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pairscope.store.disk import Disk


class Watched(Disk):
    """Notes what was synced."""

    def __init__(self) -> None:
        self.synced: list[Path] = []

    def sync(self, path: Path) -> None:
        super().sync(path)
        self.synced.append(path)


def test_a_folder_is_made_with_those_above_it_and_each_name_is_synced(tmp_path: Path) -> None:
    disk = Watched()
    disk.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert disk.synced == [tmp_path, tmp_path / "a"]
    disk.make_folder(tmp_path / "a" / "b")
    assert len(disk.synced) == 2


def test_a_new_name_is_synced(tmp_path: Path) -> None:
    disk = Watched()
    (tmp_path / "old").write_text("x")
    disk.rename(tmp_path / "old", tmp_path / "new")
    assert [file.name for file in tmp_path.iterdir()] == ["new"]
    assert disk.synced == [tmp_path]


def test_a_removed_file_takes_three_empty_folders_with_it_and_no_others(tmp_path: Path) -> None:
    disk = Disk()
    folder = tmp_path / "kind" / "date" / "venue" / "symbol"
    folder.mkdir(parents=True)
    for name in ("1", "2"):
        (folder / name).touch()
    disk.remove(folder / "1")
    assert folder.is_dir()
    disk.remove(folder / "2")
    assert [entry.name for entry in tmp_path.iterdir()] == ["kind"]
    assert list((tmp_path / "kind").iterdir()) == []


def test_a_file_that_is_not_there_is_removed_already(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    Disk().remove(tmp_path / "missing")
    assert (tmp_path / "other").exists()


def test_a_checksum_is_of_all_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "file").write_bytes(content)
    assert Disk().sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert Disk().stamp(tmp_path / "file")[0] == len(content)


def test_failures_of_the_machine_are_not_hidden(tmp_path: Path) -> None:
    for call in (Disk().stamp, Disk().sha256, Disk().sync):
        with pytest.raises(FileNotFoundError):
            call(tmp_path / "missing")
