"""Trades and bars of official files, with the faults such files are known for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pairscope.base.errors import ArchiveError
from pairscope.base.id_ranges import run, size
from pairscope.base.model import Origin, TradeBatch
from pairscope.feed.archive_files import FileReport
from pairscope.feed.binance.archive import archive_file
from pairscope.feed.binance.archive_trades import TradesFile
from pairscope.feed.judge import Refusal
from tests.archives import AGG_HEADER, DAY_MS, START_MS, Row, agg_lines, raw_lines, rows, write_csv, write_zip
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
    assert (report.rows, report.trades, size(report.missing), report.doubles, report.faults.count) == (4, 4, 0, 0, 0)
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
    assert (report.doubles, report.unsorted, size(report.missing)) == (1, 4, 0)
    assert batch.id.tolist() == [5, 6, 7, 8, 9, 10]


def test_ids_that_are_not_there_are_counted(tmp_path: Path) -> None:
    report, _ = read(file_of(tmp_path, rows(5, 3) + rows(20, 3)))
    assert report.ids.tolist() == [[5, 7], [20, 22]]
    assert size(report.missing) == 12


def test_rows_without_a_size_are_no_trades_but_their_ids_are_known(tmp_path: Path) -> None:
    trades = rows(5, 4)
    trades[1] = (6, "101.0", "0", START_MS, True)
    report, batch = read(file_of(tmp_path, trades))
    assert {why: ids.tolist() for why, ids in report.refused.items()} == {Refusal.NOT_POSITIVE: [[6, 6]]}
    assert size(report.missing) == 0
    assert batch.id.tolist() == [5, 7, 8]


BAD = {
    "is of another period": ("900", "100.5", "0.1", str(START_MS + 3 * DAY_MS), "true"),
    "has its time in µs": ("55", "100.5", "0.1", str(1_000 * START_MS), "true"),
    "has its time in ns": ("55", "100.5", "0.1", str(1_000_000 * START_MS), "true"),
    "has its time in seconds": ("55", "100.5", "0.1", str(START_MS // 1_000), "true"),
    "has a time that cannot be": ("55", "100.5", "0.1", "0", "true"),
    "has a price or size that is no number": ("55", "much", "0.1", str(START_MS), "true"),
    "has a size below 1e-8": ("55", "100.5", "1e-16", str(START_MS), "true"),
    "does not say who was the maker": ("55", "100.5", "0.1", str(START_MS), "maybe"),
    "has an id that cannot be": ("-5", "100.5", "0.1", str(START_MS), "true"),
    "or is far from all others": (str(5 + 40_000_000), "100.5", "0.1", str(START_MS), "true"),
    "cannot be read": ("?", "100.5", "0.1", str(START_MS), "true"),
}


def with_bad(folder: Path, bad: tuple[str, ...], lines: list[int], of: int, header: str | None) -> TradesFile:
    """A file of trades with the fields of one bad row in some of its lines, from 1."""
    text = agg_lines(rows(5, of))
    for line in lines:
        trade_id, price, size, time, side = bad
        text[line - 1 - (header is not None)] = f"{trade_id},{price},{size},1,1,{time},{side}"
    file = archive_file(write_csv(folder / f"{NAME}.csv", text, header))
    assert file is not None
    return TradesFile(file, 77, judge())


@pytest.mark.parametrize("header", [AGG_HEADER, None])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_row_is_named_by_its_line_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, header: str | None
) -> None:
    monkeypatch.setattr("pairscope.feed.binance.archive_text._CHUNK", 1_000)
    report = with_bad(tmp_path, BAD[what], [52, 231, 340, 501], 500, header).examine() if header else None
    report = report or with_bad(tmp_path, BAD[what], [1, 231, 340, 500], 500, header).examine()
    first = 52 if header else 1
    (told,) = report.faults.told
    assert told.startswith(f"4 rows are no trades and were left out: line {first} ")
    assert told.endswith("; and 1 more")
    assert [line for line in (first, 231, 340) if f"line {line} " in told] == [first, 231, 340]
    assert told.count(what) == 3
    assert report.trades == 496


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_is_more_than_half_no_trades_is_refused(tmp_path: Path, what: str) -> None:
    half = list(range(2, 102))
    if what != "has its time in µs":  # a file with so many of them is of the spot market
        assert with_bad(tmp_path, BAD[what], half, 200, AGG_HEADER).examine().trades == 100
        told = f"101 of 200 rows of {NAME}.csv are no trades of its period: line 2 .*{what}"
        with pytest.raises(ArchiveError, match=told):
            with_bad(tmp_path, BAD[what], [*half, 150], 200, AGG_HEADER).examine()


@pytest.mark.parametrize("kind", ["aggTrades", "trades"])
def test_a_file_with_its_times_in_microseconds_is_refused_as_of_the_spot_market(tmp_path: Path, kind: str) -> None:
    trades = [(i, p, q, 1_000 * t + 7, m) for i, p, q, t, m in rows(5, 200)]
    lines = agg_lines(trades) if kind == "aggTrades" else raw_lines(trades)
    file = archive_file(write_csv(tmp_path / f"BTCUSDT-{kind}-2024-08-08.csv", lines, None))
    assert file is not None
    with pytest.raises(ArchiveError, match="times in µs, as files of the spot market have") as refusal:
        TradesFile(file, 77, judge()).examine()
    assert refusal.value.cure == "give the files of data/futures/um"


def test_rows_without_a_size_are_no_fault_of_a_file_however_many(tmp_path: Path) -> None:
    trades = [(i, p, "0" if i % 2 else q, t, m) for i, p, q, t, m in rows(5, 200)]
    report, _ = read(file_of(tmp_path, trades))
    assert (report.trades, report.faults.told) == (100, [])


def test_a_file_without_a_trade_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="holds no trade"):
        file_of(tmp_path, [(i, p, "0", t, m) for i, p, _, t, m in rows(5, 200)]).examine()


def test_a_file_with_nothing_of_its_day_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"3 of 3 rows .* are no trades of its period: line 2 is of another period"):
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
    monkeypatch.setattr("pairscope.feed.binance.archive_text._CHUNK", 1_000)
    small = read(file_of(tmp_path, shuffled))
    large = read(TradesFile(file_of(tmp_path, shuffled).file, 0, judge(), kept_rows=100))
    assert np.sort(small[1].id).tolist() == np.sort(large[1].id).tolist() == list(range(5, 505))
    assert small[0].unsorted == large[0].unsorted > 400


def test_a_row_doubled_far_away_in_its_file_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairscope.feed.binance.archive_text._CHUNK", 1_000)
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
