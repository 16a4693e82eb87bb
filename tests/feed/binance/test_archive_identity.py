"""What files are by folder and name: those of other markets carry the same names."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairscope.base.errors import ArchiveError
from pairscope.feed.binance.archive import find_archives
from pairscope.feed.binance.archive_identity import foreign

KLINES = "BTCUSDT-1m-2025-05-10.zip"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (f"spot/monthly/klines/BTCUSDT/1m/{KLINES}", "of the spot market"),
        (f"spot/{KLINES}", "of the spot market"),
        (f"futures/cm/daily/klines/BTCUSD_PERP/1m/{KLINES}", "of COIN-M futures"),
        ("BTCUSD_PERP-1m-2025-05-10.zip", "of COIN-M futures"),
        ("ETHUSD_250627-aggTrades-2025-05-10.zip", "of COIN-M futures"),
        (f"option/daily/EOHSummary/{KLINES}", "of options"),
        (f"futures/um/daily/markPriceKlines/BTCUSDT/1m/{KLINES}", "of mark prices"),
        (f"indexPriceKlines/{KLINES}", "of index prices"),
        (f"premiumIndexKlines/BTCUSDT/{KLINES}", "of the premium index"),
        ("BTCUSDT-metrics-2025-05-10.zip", "of open interest and long/short ratios"),
        ("BTCUSDT-fundingRate-2025-05.csv", "of funding rates"),
        ("BTCUSDT-bookTicker-2025-05-10.zip", "of best bids and asks"),
        ("BTCUSDT-liquidationSnapshot-2025-05-10.zip", "of liquidations"),
    ],
)
def test_files_of_other_markets_and_kinds_are_refused_by_name(tmp_path: Path, path: str, what: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    refused: list[ArchiveError] = []
    assert find_archives([tmp_path], refused) == []
    assert [what in str(error) and file.name in str(error) for error in refused] == [True]
    with pytest.raises(ArchiveError, match=what):
        find_archives([file])


@pytest.mark.parametrize(
    "path",
    [
        f"futures/um/daily/klines/BTCUSDT/1m/{KLINES}",
        f"spot-and-futures/{KLINES}",
        f"cm/{KLINES}",  # the home of somebody
        f"spot/um/{KLINES}",
        "BTCUSDT_250627-aggTrades-2025-05-10.zip",
    ],
)
def test_files_of_usd_m_futures_are_none_of_these(path: str) -> None:
    assert foreign(Path(path)) is None


def test_files_of_one_name_in_several_folders_are_all_considered(tmp_path: Path) -> None:
    for folder in ("a", "b", "spot"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / KLINES).touch()
    (tmp_path / "b" / KLINES.replace("zip", "csv")).touch()
    found = find_archives([tmp_path / "b", tmp_path / "a"])
    assert [file.path.parent.name for file in found] == ["b", "a"]


def test_what_macos_leaves_beside_files_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "__MACOSX").mkdir()
    for name in (f"__MACOSX/._{KLINES}", f"__MACOSX/{KLINES}", f"._{KLINES}", KLINES):
        (tmp_path / name).touch()
    assert [file.path for file in find_archives([tmp_path])] == [tmp_path / KLINES]


def test_of_a_mirror_of_the_archive_only_futures_are_read(cases_dir: Path) -> None:
    refused: list[ArchiveError] = []
    found = find_archives([cases_dir / "data" / "01_mirror_tree"], refused)
    assert {"um" in file.path.parts and "/um/daily/" in file.path.as_posix() for file in found} == {True}
    assert sorted(file.kind.value for file in found) == ["aggTrades", "klines"]
    assert len(refused) == 4
