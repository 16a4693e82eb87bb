"""Official files: what their names and first lines tell, and what is wrong with them."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.base.errors import ArchiveError
from pairscope.feed.binance.archive import (
    ArchiveKind,
    archive_file,
    archive_name,
    find_archives,
    read_tables,
    told_checksum,
    verified_checksum,
)
from tests.archives import AGG_HEADER, START_MS, agg_lines, rows, write_csv, write_zip

NAME = "BTCUSDT-aggTrades-2024-08-08"


def tables_of(path: Path) -> Any:
    """Ids and times."""
    file = archive_file(path)
    assert file is not None
    return np.concatenate([table.whole for table in read_tables(file)], axis=1).tolist()


@pytest.mark.parametrize(
    ("name", "symbol", "kind", "days"),
    [
        ("BTCUSDT-aggTrades-2024-08-08.zip", "BTCUSDT", ArchiveKind.AGG, 1),
        ("BTCUSDT_261225-trades-2024-02.csv", "BTCUSDT_261225", ArchiveKind.RAW, 29),
        ("1000SHIBUSDT-1m-2023-12.zip", "1000SHIBUSDT", ArchiveKind.KLINES, 31),
        ("币安人生USDT-15m-2025-10-09.zip", "币安人生USDT", ArchiveKind.KLINES, 1),
    ],
)
def test_a_name_tells_symbol_kind_and_period(name: str, symbol: str, kind: ArchiveKind, days: int) -> None:
    file = archive_file(Path(name))
    assert file is not None
    assert (file.symbol, file.kind, file.to_ms - file.from_ms) == (symbol, kind, days * 86_400_000)


@pytest.mark.parametrize(
    "name",
    [
        *("BTCUSDT-aggTrades-2024-08-08.zip.CHECKSUM", "BTCUSDT-aggTrades-2024-02-30.zip", "BTCUSDT-7m-2024-08.zip"),
        *("BTCUSDT-metrics-2024-08-08.zip", "aggTrades-2024-08-08.zip", "B TC-trades-2024-08.zip", "notes.txt"),
    ],
)
def test_other_names_are_no_official_files(name: str) -> None:
    assert archive_file(Path(name)) is None


def test_a_name_made_is_a_name_understood() -> None:
    file = archive_file(Path(f"{archive_name('ETHUSDT', ArchiveKind.RAW, date(2024, 8, 8))}.zip"))
    assert file is not None
    assert (file.symbol, file.from_ms) == ("ETHUSDT", START_MS)


def test_folders_are_searched_newest_day_first_and_a_zip_stands_for_its_csv(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("BTCUSDT-aggTrades-2024-08-07.csv", "deep/BTCUSDT-aggTrades-2024-08-08.zip", "deep/readme.txt"):
        (tmp_path / name).touch()
    (tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv").touch()
    (tmp_path / "deep" / "BTCUSDT-aggTrades-2024-08-08.csv").touch()
    assert [file.path.name for file in find_archives([tmp_path])] == [
        f"{NAME}.csv",  # in another folder: it may be another file
        f"{NAME}.zip",
        "BTCUSDT-aggTrades-2024-08-07.csv",
    ]


@pytest.mark.parametrize("name", ["missing.zip", "notes.txt", "empty"])
def test_paths_that_lead_nowhere_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match=name):
        find_archives([tmp_path / name])


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
    monkeypatch.setattr("pairscope.feed.binance.archive._CHUNK", 100)
    file = archive_file(path)
    assert file is not None
    assert [i for table in read_tables(file) for i in table.whole[0].tolist()] == list(range(5, 105))


def test_files_of_the_spot_market_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / f"{NAME}.zip", [f"{line},true" for line in agg_lines(rows(5, 3))], None)
    with pytest.raises(ArchiveError, match="spot"):
        tables_of(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "BTCUSDT-trades-2024-08-08.zip", ["1,2,3"], None)
    with pytest.raises(ArchiveError, match="3 fields instead of 6"):
        tables_of(path)


def test_a_wrong_checksum_is_told(tmp_path: Path) -> None:
    path = write_zip(tmp_path / f"{NAME}.zip", agg_lines(rows(5, 3)))
    assert verified_checksum(path) == verified_checksum(path)
    write_zip(path, agg_lines(rows(5, 4)), official=False)
    with pytest.raises(ArchiveError, match="damaged"):
        verified_checksum(path)


@pytest.mark.parametrize("text", ["", "not a hash  x.zip", f"{'0' * 64}  other.zip"])
def test_a_checksum_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(ArchiveError, match="says nothing"):
        told_checksum(text, "x.zip")


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
