"""Trades and bars of official files, with the faults such files are known for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pairscope.base.errors import ArchiveError
from pairscope.base.model import Origin, TradeBatch
from pairscope.base.runs import run
from pairscope.feed.binance.archive import archive_file
from pairscope.feed.binance.archive_trades import FileReport, TradesFile
from pairscope.feed.judge import Refusal
from tests.archives import DAY_MS, START_MS, Row, agg_lines, raw_lines, rows, write_zip
from tests.judged import judge

NAME = "BTCUSDT-aggTrades-2024-08-08"


def file_of(folder: Path, trades: list[Row]) -> TradesFile:
    file = archive_file(write_zip(folder / f"{NAME}.zip", agg_lines(trades)))
    assert file is not None
    return TradesFile(file, 77, judge())


def read(trades: TradesFile) -> tuple[FileReport, TradeBatch]:
    report = trades.examine()
    return report, TradeBatch.concatenate(list(trades.batches(3, report.ids)))


def test_trades_come_with_all_their_columns(tmp_path: Path) -> None:
    report, batch = read(file_of(tmp_path, rows(5, 4)))
    assert report.ids.tolist() == [[5, 8]]
    assert (report.rows, report.trades, report.missing, report.doubles, report.bad) == (4, 4, 0, 0, 0)
    assert (report.first_ms, report.last_ms) == (START_MS, START_MS + 3_000)
    assert batch.id.tolist() == [5, 6, 7, 8]
    assert batch.price.tolist() == [105.5, 106.6, 100.7, 101.8]
    assert batch.size.tolist() == [0.3, 0.1, 0.2, 0.3]
    assert batch.buyer_is_maker.tolist() == [False, True, False, True]
    assert set(batch.symbol_id.tolist()) == {3}
    assert set(batch.received_ns.tolist()) == {77}
    assert set(batch.origin.tolist()) == {Origin.ARCHIVE}


def test_rows_out_of_order_and_doubled_come_once_and_sorted(tmp_path: Path) -> None:
    trades = rows(5, 6)
    report, batch = read(file_of(tmp_path, [trades[3], trades[0], trades[1], trades[0], trades[2], *trades[4:]]))
    assert (report.doubles, report.unsorted, report.missing) == (1, 4, 0)
    assert batch.id.tolist() == [5, 6, 7, 8, 9, 10]


def test_ids_that_are_not_there_are_counted(tmp_path: Path) -> None:
    report, _ = read(file_of(tmp_path, rows(5, 3) + rows(20, 3)))
    assert report.ids.tolist() == [[5, 7], [20, 22]]
    assert report.missing == 12


def test_rows_without_a_size_are_no_trades_but_their_ids_are_known(tmp_path: Path) -> None:
    trades = rows(5, 4)
    trades[1] = (6, "101.0", "0", START_MS, True)
    report, batch = read(file_of(tmp_path, trades))
    assert {why: ids.tolist() for why, ids in report.refused.items()} == {Refusal.NOT_POSITIVE: [[6, 6]]}
    assert report.missing == 0
    assert batch.id.tolist() == [5, 7, 8]


def test_rows_of_another_day_are_left_out(tmp_path: Path) -> None:
    report, batch = read(file_of(tmp_path, [*rows(5, 3), *rows(900, 2, START_MS + 3 * DAY_MS)]))
    assert report.strays == 2
    assert batch.id.tolist() == [5, 6, 7]


def test_a_file_with_nothing_of_its_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no trade of its period"):
        file_of(tmp_path, rows(5, 3, START_MS - 9 * DAY_MS)).examine()


def test_only_the_wanted_ids_are_given(tmp_path: Path) -> None:
    trades = file_of(tmp_path, rows(5, 10))
    trades.examine()
    assert TradeBatch.concatenate(list(trades.batches(0, run(8, 10)))).id.tolist() == [8, 9, 10]


def test_a_file_too_large_to_keep_is_read_again_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trades = rows(5, 500)
    shuffled = [trades[i] for i in np.random.default_rng(1).permutation(500)]
    monkeypatch.setattr("pairscope.feed.binance.archive._CHUNK", 1_000)
    small = read(file_of(tmp_path, shuffled))
    large = read(TradesFile(file_of(tmp_path, shuffled).file, 0, judge(), kept_rows=100))
    assert np.sort(small[1].id).tolist() == np.sort(large[1].id).tolist() == list(range(5, 505))
    assert small[0].unsorted == large[0].unsorted > 400


def test_a_row_doubled_far_away_in_its_file_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairscope.feed.binance.archive._CHUNK", 1_000)
    trades = rows(5, 500)
    report, batch = read(file_of(tmp_path, [*trades, trades[3]]))
    assert report.doubles == 1
    assert batch.id.tolist() == list(range(5, 505))


def test_raw_trades_are_read_by_their_own_columns(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "BTCUSDT-trades-2024-08-08.zip", raw_lines(rows(5, 2)), None)
    file = archive_file(path)
    assert file is not None
    _, batch = read(TradesFile(file, 0, judge()))
    assert batch.price.tolist() == [105.5, 106.6]
    assert batch.time_ms.tolist() == [START_MS, START_MS + 1_000]
