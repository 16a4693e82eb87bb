"""Where compiled code is kept: old code goes, and a place that cannot be written costs nothing but time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pairscope.base import jit


def test_code_of_older_versions_is_deleted_but_for_the_newest_and_what_was_used_of_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_s = time.time() - jit.CACHE_IN_USE_S - 60
    for age in range(6):
        (tmp_path / f"old{age}" / "bars").mkdir(parents=True)
        os.utime(tmp_path / f"old{age}", (old_s - age, old_s - age))
    monkeypatch.setattr(jit, "_FOLDER", tmp_path / "present")
    (tmp_path / "present").mkdir()
    os.utime(tmp_path / "present", (0, 0))
    (tmp_path / "old5" / "used").touch()
    jit.forget_old_caches()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["old0", "old1", "old5", "present"]
    assert time.time() - (tmp_path / "present").stat().st_mtime < jit.CACHE_IN_USE_S  # is in use itself


def test_a_cache_that_cannot_be_written_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(jit, "_FOLDER", tmp_path / "file" / "kernels")  # whoever may write anywhere cannot there
    jit.remember_compiled("symbols")
    assert not jit.is_compiled("symbols")
    jit.forget_old_caches()
