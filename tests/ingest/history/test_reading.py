"""Files that a worker reads give the same trades, reports and counts as files that are read here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.base.errors import ArchiveError
from pairscope.base.model import TRADE_COLUMNS, SymbolTable, TradeBatch
from pairscope.feed.judge import Judge
from pairscope.feed.venues import archive_files
from pairscope.ingest.history.reading import KEPT_ROWS, FilesInWorkers
from tests.archives import DAY_MS, START_MS, agg_lines, rows, write_zip

NAME = "BTCUSDT-aggTrades-2024-08-08.zip"


def here(function: Callable[..., Any], *arguments: Any) -> Any:
    """Runs what a worker would."""
    return function(lambda share, words: None, *arguments)


def judge() -> Judge:
    return Judge(SymbolTable(["ETHUSDT", "BTCUSDT"]), lambda: START_MS + 5 * DAY_MS)


def test_a_file_is_read_as_it_would_be_here(tmp_path: Path) -> None:
    lines = agg_lines(rows(10, 3_000))
    odd = [*lines[:5], lines[2], "15,0,1,1,1,1723075205000,true", *lines[6:2_000], "x,y", *lines[2_100:]]
    file = archive_files().named(write_zip(tmp_path / NAME, odd))
    assert file is not None
    own, theirs = judge(), judge()
    reader = archive_files().trades(file, 5, own, KEPT_ROWS)
    drafted = FilesInWorkers(archive_files(), here, lambda _: None, tmp_path).trades(file, 5, theirs, KEPT_ROWS)
    report, other = reader.examine(), drafted.examine()
    for name in ("rows", "doubles", "conflicting", "unsorted", "first_ms", "last_ms", "trades"):
        assert getattr(report, name) == getattr(other, name), name
    np.testing.assert_array_equal(report.ids, other.ids)
    assert {why: ids.tolist() for why, ids in report.refused.items()} == {
        why: ids.tolist() for why, ids in other.refused.items()
    }
    assert report.faults.told == other.faults.told
    assert (own.tally.refused, own.tally.noted, own.tally.conflicting) == (
        theirs.tally.refused,
        theirs.tally.noted,
        theirs.tally.conflicting,
    )
    assert own.tally.refused
    for wanted in (report.ids, np.array([[12, 14], [2_500, 2_600]])):
        one, two = (TradeBatch.concatenate(list(each.batches(1, wanted))) for each in (reader, drafted))
        for name in TRADE_COLUMNS:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name), name)
        assert len(one)


def test_a_file_that_cannot_be_used_is_refused_as_here(tmp_path: Path) -> None:
    file = archive_files().named(write_zip(tmp_path / NAME, ["nonsense"] * 10))
    assert file is not None
    with pytest.raises(ArchiveError):
        FilesInWorkers(archive_files(), here, lambda _: None, tmp_path).trades(file, 5, judge(), 9).examine()
