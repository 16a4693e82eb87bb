"""Official files: what their names and first lines tell, and what is wrong with them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pairscope.base.errors import ArchiveError
from pairscope.feed.archive_files import ArchiveKind
from pairscope.feed.binance.archive import archive_file, archive_name, find_archives, told_checksum, verified_checksum
from tests.archives import START_MS, agg_lines, rows, write_zip

NAME = "BTCUSDT-aggTrades-2024-08-08"


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
