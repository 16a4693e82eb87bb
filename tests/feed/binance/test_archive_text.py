"""The text of official files: what their first lines tell, damage, and the lines rows stand in."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.base.errors import ArchiveError
from pairscope.feed.binance.archive import archive_file
from pairscope.feed.binance.archive_text import order_of_bad, read_numbered
from tests.archives import AGG_HEADER, RAW_HEADER, START_MS, agg_lines, raw_lines, rows, write_csv, write_zip

NAME = "BTCUSDT-aggTrades-2024-08-08"


def tables_of(path: Path) -> Any:
    """Ids and times."""
    file = archive_file(path)
    assert file is not None
    return np.concatenate([table.whole for table, _ in read_numbered(file)], axis=1).tolist()


def lines_of(path: Path) -> tuple[dict[int, int], list[int]]:
    """The line of each id, and the lines that are no rows."""
    file = archive_file(path)
    assert file is not None
    found: dict[int, int] = {}
    bad: list[int] = []
    for table, lines in read_numbered(file):
        out = order_of_bad(table)
        own = lines.at(np.delete(np.arange(table.rows + len(out)), out))
        found.update(zip(table.whole[0].tolist(), own.tolist(), strict=True))
        bad += lines.at(out).tolist()
    return found, bad


@pytest.mark.parametrize("header", [None, AGG_HEADER])
@pytest.mark.parametrize("packed", [True, False])
def test_files_of_all_years_read_the_same(tmp_path: Path, header: str | None, packed: bool) -> None:
    lines = agg_lines(rows(5, 3))
    write = write_zip if packed else write_csv
    path = write(tmp_path / f"{NAME}.{'zip' if packed else 'csv'}", lines, header)
    assert tables_of(path) == [[5, 6, 7], [START_MS, START_MS + 1_000, START_MS + 2_000]]


def test_times_of_trades_stay_as_they_are_written_for_the_judge_to_see(tmp_path: Path) -> None:
    lines = agg_lines([(i, p, q, 1_000 * t + 999, m) for i, p, q, t, m in rows(5, 3)])
    times_us = [1_000 * (START_MS + 1_000 * i) + 999 for i in range(3)]
    assert tables_of(write_zip(tmp_path / f"{NAME}.zip", lines))[1] == times_us


def test_a_last_line_without_an_end_counts_too(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.csv"
    path.write_text("\n".join(agg_lines(rows(5, 3))), encoding="utf-8")
    assert tables_of(path)[0] == [5, 6, 7]


def test_lines_split_between_two_reads_come_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / f"{NAME}.zip", agg_lines(rows(5, 100)))
    monkeypatch.setattr("pairscope.feed.binance.archive_text._CHUNK", 100)
    file = archive_file(path)
    assert file is not None
    assert [i for table, _ in read_numbered(file) for i in table.whole[0].tolist()] == list(range(5, 105))


def test_files_of_the_spot_market_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / f"{NAME}.zip", [f"{line},true" for line in agg_lines(rows(5, 3))], None)
    with pytest.raises(ArchiveError, match="spot"):
        tables_of(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "BTCUSDT-trades-2024-08-08.zip", ["1,2,3"], None)
    with pytest.raises(ArchiveError, match="3 fields instead of 6"):
        tables_of(path)


def damage_byte(path: Path) -> None:
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 3] ^= 0x55
    path.write_bytes(octets)


def test_a_flipped_byte_is_noticed_without_a_checksum(tmp_path: Path) -> None:
    path = write_zip(tmp_path / f"{NAME}.zip", agg_lines(rows(5, 2_000)), official=False)
    damage_byte(path)
    with pytest.raises(ArchiveError, match=NAME):
        tables_of(path)


def test_a_torn_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / f"{NAME}.zip", agg_lines(rows(5, 2_000)), official=False)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArchiveError, match="cannot be read"):
        tables_of(path)


def test_a_zip_of_two_files_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / f"{NAME}.zip", agg_lines(rows(5, 3)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("another.csv", "1")
    with pytest.raises(ArchiveError, match="2 CSV files"):
        tables_of(path)


@pytest.mark.parametrize("chunk", [60, 8 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_row_knows_its_line_whatever_lies_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, end: str
) -> None:
    monkeypatch.setattr("pairscope.feed.binance.archive_text._CHUNK", chunk)
    good = agg_lines(rows(5, 6))
    lines = [AGG_HEADER, good[0], "", good[1], "nonsense", good[2], "", "", good[3], "5,torn", good[4], good[5]]
    path = tmp_path / f"{NAME}.csv"
    path.write_text(end.join(lines), encoding="utf-8", newline="")
    assert lines_of(path) == ({5: 2, 6: 4, 7: 6, 8: 9, 9: 11, 10: 12}, [5, 10])


def test_the_mark_that_editors_put_before_a_text_costs_no_row(tmp_path: Path) -> None:
    for header in (AGG_HEADER, None):
        path = write_csv(tmp_path / f"{NAME}.csv", agg_lines(rows(5, 3)), header)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert tables_of(path)[0] == [5, 6, 7]


@pytest.mark.parametrize("first", ["garbage", "x7,abc,0.1,1,1,soon,maybe", "-5,100,0.1,1,1,1,true", "5,100"])
def test_a_first_row_that_is_damaged_is_no_header_and_says_nothing_of_the_file(tmp_path: Path, first: str) -> None:
    path = write_csv(tmp_path / f"{NAME}.csv", [first, *agg_lines(rows(5, 3))], None)
    assert lines_of(path) == ({5: 2, 6: 3, 7: 4}, [1])


def test_a_header_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / f"{NAME}.csv", agg_lines(rows(5, 3)), RAW_HEADER)
    with pytest.raises(ArchiveError, match="names 6 fields, and its rows have 7"):
        tables_of(path)


def test_trades_in_contracts_are_told_by_their_header(tmp_path: Path) -> None:
    header = "id,price,qty,base_qty,time,is_buyer_maker"
    path = write_csv(tmp_path / "BTCUSDT-trades-2024-08-08.csv", raw_lines(rows(5, 3)), header)
    with pytest.raises(ArchiveError, match="COIN-M"):
        tables_of(path)
