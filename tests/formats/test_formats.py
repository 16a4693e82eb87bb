"""Every format of a released version opens with today's code, and nothing of it is lost.

Each folder here was written by the version it is named after; see ``tools/make_format_fixture.py``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pytest
import zstandard

from pairscope import __version__
from pairscope.base.clock import SystemClock
from pairscope.base.errors import DataFolderError
from pairscope.base.interval import Interval
from pairscope.base.model import Gap
from pairscope.ingest.watch_list import WatchList
from pairscope.store import schema
from pairscope.store.data_folder import read_announcement
from pairscope.store.imports import ImportList
from pairscope.store.inventory import VerifiedList, stored_kind
from pairscope.store.tape import Tape
from tests.test_cli import pairscope

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RELEASES = sorted(path.parent.name for path in HERE.glob("*/data.tar.zst"))
TRADES = ("id", "time_ms", "price", "size", "buyer_is_maker", "received_ns", "origin")
# A later version may know better which trades a bar lacks, and how it was closed; never what was traded.
BARS = (
    *("interval_ms", "open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "buy_volume"),
    *("trades", "first_id", "last_id", "backfilled", "source"),
)

Written = Callable[[str, str, str, tuple[str, ...]], dict[str, Any]]


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Path:
    return HERE / str(request.param)


@pytest.fixture
def folder(release: Path, tmp_path: Path) -> Path:
    """A copy of the data folder as that version left it."""
    copy = tmp_path / "data"
    with (
        (release / "data.tar.zst").open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as unpacking,
        tarfile.open(fileobj=unpacking, mode="r|") as archive,
    ):
        archive.extractall(copy, filter="data")
    return copy


@pytest.fixture
def written(release: Path) -> Written:
    """What was written of a table, by columns: read by DuckDB when the fixture was made."""

    def read(table: str, tape: str, symbol: str, columns: tuple[str, ...]) -> dict[str, Any]:
        names = ", ".join(f'"{name}"' for name in columns)
        with duckdb.connect() as connection:
            query = f"select {names} from '{release / table}.parquet' where tape = ? and symbol = ?"
            return connection.execute(f"{query} order by {names}", [tape, symbol]).fetchnumpy()

    return read


def tapes(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*/tape.duckdb"))
    assert found
    return found


def opened(path: Path) -> Tape:
    return Tape.open(path, kind=stored_kind(path), clock=SystemClock())


def test_every_released_version_has_its_format_here() -> None:
    told = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[?(\d+\.\d+\.\d+)\]?(?! \(unreleased\))", told, re.M)
    released = {f"v{version}" for version in headings if version != __version__}
    assert released | {"v0.1.0"} <= set(RELEASES)


def test_the_fixture_is_as_it_was_written(release: Path, folder: Path) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == set((release / "files.txt").read_text(encoding="utf-8").split())
    assert any(name.endswith(".wal") for name in files), "the newest rows are in the log"
    assert any("tape.days/trades" in name for name in files), "and the oldest sealed"


def test_every_trade_is_read(folder: Path, written: Written) -> None:
    for path in tapes(folder):
        store = opened(path)
        for symbol in store.symbols:
            trades = store.trades(symbol)
            rows = written("trades", path.parent.name, symbol, TRADES)
            for name in TRADES:
                np.testing.assert_array_equal(getattr(trades, name), rows[name], f"{symbol} {name}")
        store.close()


def test_every_bar_is_read(folder: Path, written: Written) -> None:
    for path in tapes(folder):
        store = opened(path)
        for symbol in store.symbols:
            rows = written("bars", path.parent.name, symbol, BARS)
            for interval_ms in np.unique(rows["interval_ms"]):
                mask = rows["interval_ms"] == interval_ms
                bars = store.bars(symbol, Interval(int(interval_ms)))
                for name in BARS:
                    np.testing.assert_array_equal(bars[name], rows[name][mask], f"{symbol} {interval_ms} {name}")
        store.close()


def test_every_gap_is_read_and_stays_open_or_closed(folder: Path, release: Path) -> None:
    columns = ("symbol", "first_id", "last_id", "found_ms", "reason", "after_ms", "before_ms", "closed_ms", "obstacle")
    for path in tapes(folder):
        with duckdb.connect() as connection:
            query = f"select {', '.join(columns)} from '{release}/gaps.parquet' where tape = ?"
            rows = connection.execute(query, [path.parent.name]).fetchall()
        store = opened(path)
        expected = {Gap(**dict(zip(columns, row, strict=True))) for row in rows}
        assert expected <= set(store.gaps())
        assert {gap for gap in expected if gap.closed_ms is None} == set(store.gaps(open_only=True))
        store.close()


def test_sealed_days_are_trusted_and_a_damaged_one_is_remembered(folder: Path) -> None:
    there = {path.relative_to(folder / "live-aggTrade" / "tape.days").as_posix() for path in folder.rglob("*.parquet")}
    store = opened(folder / "live-aggTrade" / "tape.duckdb")
    assert {str(part) for part in store.days()} == {name for name in there if not name.startswith("quarantine/")}
    assert [part.symbol for part in store.quarantined()] == ["XRPUSDT"]
    assert store.sweep(1 << 30) > 0
    assert len(store.quarantined()) == 1
    store.close()


def test_the_files_beside_the_tape_are_read(folder: Path) -> None:
    path = folder / "live-aggTrade" / "tape.duckdb"
    kept = msgspec.json.decode(path.with_name("tape.duckdb.symbols.json").read_bytes())
    assert list(WatchList(path, kept["settings"], (), 300).read().symbols) == kept["watched"]
    assert kept["watched"] != kept["settings"]

    lines = path.with_name("tape.duckdb.imports.jsonl").read_bytes().split()
    imports = ImportList(path).read()
    names = [msgspec.json.decode(line)["name"] for line in lines]
    assert names
    assert [name for name in names if not imports.named(name)] == []

    verified = msgspec.json.decode(path.with_name("tape.duckdb.verified.json").read_bytes())
    assert {name: each.verified_ms for name, each in VerifiedList(path).read().items()} == {
        name: each["verified_ms"] for name, each in verified.items()
    }

    left = path.with_name("tape.duckdb.server.json")
    assert left.is_file(), "it was killed"
    assert read_announcement(path) is None, "and its address is not believed"
    opened(path).close()
    assert not left.exists()


def test_the_commands_find_nothing_wrong_with_it(folder: Path) -> None:
    settings = folder.parent / "settings.toml"
    settings.write_text('intervals = ["1m", "5m"]\nmetric_interval = "1m"\n')
    place = ("--data-dir", str(folder), "--settings", str(settings))
    told = pairscope("doctor", *place)
    assert told.returncode == 0, told.stderr
    proved = pairscope("verify", "--symbols", "BTCUSDT,ETHUSDT", *place)
    assert proved.returncode == 0, proved.stdout + proved.stderr


def test_a_tape_that_was_opened_opens_again(folder: Path) -> None:
    for path in tapes(folder):
        first = opened(path)
        gaps, days = first.gaps(), first.days()
        first.close()
        second = opened(path)
        assert (second.gaps(), second.days()) == (gaps, days)
        second.close()


def test_a_format_of_the_future_is_refused_with_its_cure_and_left_alone(folder: Path) -> None:
    path = folder / "live-trade" / "tape.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("update tape_format set format = ?", [schema.FORMAT + 1])
    before = path.read_bytes()
    with pytest.raises(DataFolderError, match="newer pairscope") as refused:
        opened(path)
    assert "upgrade pairscope" in refused.value.cure
    assert path.read_bytes() == before


def test_the_script_that_makes_them_says_how_it_is_called() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_format_fixture.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "v0.1.0" in done.stderr
