"""Klines: each bar is checked, and a file that is something else is refused with what it seems to be."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from pairscope.base.errors import ArchiveError
from pairscope.base.model import BAR, BarSource
from pairscope.feed.archive_files import KlinesReport
from pairscope.feed.binance.archive import archive_file
from pairscope.feed.binance.archive_klines import mean_price_fits, read_klines
from tests.archives import START_MS, write_csv, write_zip

HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,i"
MINUTE_MS = 60_000
DAY = 1_440


def kline(
    i: int,
    high: str = "12",
    low: str = "9",
    volume: str = "5.5",
    quote: str = "60.5",
    trades: int = 3,
    buy: str = "2.5",
) -> str:
    opens = START_MS + MINUTE_MS * i
    return f"{opens},10,{high},{low},11,{volume},{opens + 59_999},{quote},{trades},{buy},27.5,0"


def read(folder: Path, lines: list[str], header: str | None = HEADER, *, last_stands: bool = False) -> KlinesReport:
    return of(write_zip(folder / "BTCUSDT-1m-2024-08-08.zip", lines, header), last_stands=last_stands)


def of(path: Path, *, last_stands: bool = False) -> KlinesReport:
    file = archive_file(path)
    assert file is not None
    return read_klines(file, 4, last_stands=last_stands)


def day(**changed: str) -> list[str]:
    """A whole day; `line_7` is the text of line 7, the header being line 1."""
    lines = [kline(i) for i in range(DAY)]
    for name, text in changed.items():
        lines[int(name.removeprefix("line_")) - 2] = text
    return lines


@pytest.mark.parametrize("header", [HEADER, None])
def test_klines_become_imported_bars(tmp_path: Path, header: str | None) -> None:
    lines = day()
    report = read(tmp_path, [lines[1], lines[0], *lines[2:]], header)
    assert report.notes == ()
    assert report.bars["open_time_ms"].tolist() == [START_MS + MINUTE_MS * i for i in range(DAY)]
    bar = report.bars[0]
    assert [float(bar[name]) for name in ("open", "high", "low", "close", "volume")] == [10, 12, 9, 11, 5.5]
    assert (float(bar["quote_volume"]), float(bar["buy_volume"]), int(bar["trades"])) == (60.5, 2.5, 3)
    assert (int(bar["symbol_id"]), int(bar["interval_ms"]), int(bar["source"])) == (4, MINUTE_MS, BarSource.IMPORT)
    assert (int(bar["first_id"]), int(bar["last_id"])) == (0, 0)


OPEN = START_MS + 5 * MINUTE_MS
BAD = {
    "is of another period": f"{OPEN - 86_400_000},10,12,9,11,5.5,{OPEN - 86_340_001},60.5,3,2.5,27.5,0",
    "does not begin at a whole 1m": f"{OPEN + 1},10,12,9,11,5.5,{OPEN + MINUTE_MS},60.5,3,2.5,27.5,0",
    "does not last 1m": f"{OPEN},10,12,9,11,5.5,{OPEN + 299_999},60.5,3,2.5,27.5,0",
    "has no price": f"{OPEN},0,12,0,11,5.5,{OPEN + 59_999},60.5,3,2.5,27.5,0",
    "has a high below": kline(5, high="10.5"),
    "has a low above": kline(5, low="10.5"),
    "has trades and no volume": kline(5, volume="0", quote="0", buy="0"),
    "has volume and no trades": kline(5, trades=0),
    "has more bought than traded": kline(5, buy="5.6"),
    "has a mean price outside": kline(5, quote="67.25"),
    "has no volume that is a number": kline(5, volume="9e999", quote="9e999", buy="0"),
    "cannot be read": kline(5, volume="-5.5"),
    "cannot be read ": "x" * 20 + "," * 11,
}


@pytest.mark.parametrize("what", BAD)
def test_a_row_that_is_no_bar_is_left_out_and_named_by_its_line(tmp_path: Path, what: str) -> None:
    report = read(tmp_path, day(line_7=BAD[what]))
    assert len(report.bars) == DAY - 1
    assert report.notes[0].startswith(f"1 rows are no bars and were left out: line 7 {what.strip()}")


def test_a_file_of_which_more_than_one_row_in_a_hundred_is_bad_is_refused(tmp_path: Path) -> None:
    bad = {f"line_{line}": kline(line - 2, high="8") for line in range(10, 24)}
    assert len(read(tmp_path, day(**bad)).bars) == DAY - 14
    with pytest.raises(ArchiveError, match=r"15 of 1,440 rows .* line 10 has a high below"):
        read(tmp_path, day(**bad, line_30=kline(28, high="8")))


def test_two_rows_that_disagree_are_told_and_one_stands(tmp_path: Path) -> None:
    lines = [*day(), kline(3, high="13"), kline(4)]
    report = read(tmp_path, lines)
    assert report.notes == (
        "lines 5 and 1442 disagree about the bar of 2024-08-08 00:03:00: line 5 stands",
        "1 rows are doubled",
    )
    assert report.bars["high"][3] == 12
    assert read(tmp_path, lines, last_stands=True).bars["high"][3] == 13


def test_bars_without_a_trade_and_missing_ones_are_told(tmp_path: Path) -> None:
    empty = kline(5, trades=0, volume="0", quote="0", buy="0")
    lines = day(line_7=empty)
    del lines[100:110]
    report = read(tmp_path, lines)
    assert report.notes == ("1 bars without a trade left out", "10 bars are missing in it")


def test_the_last_digit_of_the_sum_decides_how_exact_a_mean_price_must_be() -> None:
    bars = np.zeros(3, BAR)
    bars["low"] = bars["high"] = bars["open"] = bars["close"] = 0.1234
    bars["volume"] = 3
    bars["quote_volume"] = [0.37, 0.3702, 0.3712]  # 0.3702 is exact; 0.37 rounded; the last is wrong
    assert mean_price_fits(bars).tolist() == [True, True, False]


def test_coin_margined_klines_are_told_by_their_volume(tmp_path: Path) -> None:
    lines = [kline(i, volume="1100", quote="1000", buy="10") for i in range(DAY)]  # contracts of 10 USD at 11
    with pytest.raises(ArchiveError, match="COIN-M"):
        read(tmp_path, lines)


def test_a_cure_fits_a_file_of_ones_own(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "BTCUSDT-1m-2024-08-08.csv", [kline(1, high="8")], HEADER)
    with pytest.raises(ArchiveError, match="correct it if it is your own"):
        of(path)


def test_what_macos_packs_beside_a_csv_is_not_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "BTCUSDT-1m-2024-08-08.zip", day(), HEADER)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._BTCUSDT-1m-2024-08-08.csv", b"\x00\x05\x16\x07")
    assert len(of(path).bars) == DAY


CASES = [
    ("02_mark_price_klines/BTCUSDT-1m-2025-05-10.csv", "mark, index or premium"),
    ("03_spot_klines_us/BTCUSDT-1m-2025-05-10.csv", "µs"),
    ("01_mirror_tree/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-05-10.zip", "µs"),
    ("01_mirror_tree/futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2025-05-10.zip", "mark, index"),
    ("01_mirror_tree/futures/um/daily/premiumIndexKlines/BTCUSDT/1m/BTCUSDT-1m-2025-05-10.zip", "mark, index"),
]


@pytest.mark.parametrize(("name", "says"), CASES)
def test_files_of_something_else_are_known_by_their_content_too(cases_dir: Path, name: str, says: str) -> None:
    with pytest.raises(ArchiveError, match=says):
        of(cases_dir / "data" / name)


def test_short_conflicting_and_empty_files_are_told(cases_dir: Path) -> None:
    data = cases_dir / "data"
    assert "covers 00:00–07:35 of its day" in of(data / "07_short_or_zero_klines/short/SOLUSDT-1m-2025-05-10.csv").notes
    zero = of(data / "07_short_or_zero_klines/zero/SOLUSDT-1m-2025-05-10.csv").notes
    assert zero == ("12 bars without a trade left out",)
    assert (
        "disagree about the bar of 2025-05-10 00:01:00"
        in of(data / "05_conflicting_klines/SOLUSDT-1m-2025-05-10.csv").notes[0]
    )


@pytest.mark.data
def test_all_real_bars_pass_whatever_they_were_rounded_to(data_dir: Path) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    draw = np.random.default_rng(8)
    for path in sorted((data_dir / "usdm-klines-1m-2025-05").glob("*.feather")):
        table = feather.read_table(path)
        columns = {name: np.asarray(table[name]) for name in ("open", "high", "low", "close", "volume")}
        bars = np.zeros(len(table), BAR)
        for name, values in columns.items():
            bars[name] = values
        # The exchange writes the sum of price x size with a few decimals: the mean lies anywhere within the bar.
        mean = bars["low"] + draw.random(len(bars)) * (bars["high"] - bars["low"])
        for decimals in (2, 4, 5, 8):
            bars["quote_volume"] = np.round(mean * bars["volume"], decimals)
            assert mean_price_fits(bars).all(), (path.name, decimals)
            bars["quote_volume"] = np.round((bars["high"] * 1.02 + 0.1) * bars["volume"] + 1, decimals)
            assert not mean_price_fits(bars[bars["volume"] > 10]).any(), (path.name, decimals)
