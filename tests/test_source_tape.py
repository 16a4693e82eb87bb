"""``pairscope run --source tape``: what is on the disk is studied without a market, and not a byte of it changes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import math
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import zstandard

from pairscope.app import opened
from pairscope.base.clock import SystemClock
from pairscope.base.errors import DataFolderError, SettingsError, StoreUnavailable
from pairscope.base.interval import Interval
from pairscope.base.model import BarStatus, TradeKind, no_bars
from pairscope.base.settings import Settings
from pairscope.ingest.read_only import find_tape, plan_tape
from pairscope.store.read_only import ReadOnlyTape
from pairscope.store.tape import Tape
from tests.judged import good
from tests.loopback import ask
from tests.patience import START_S
from tests.test_cli import Running, assert_refused, pairscope, run  # noqa: F401 - a fixture

DAY_MS = 1_746_057_600_000  # 2025-05-01
MINUTES = 1_440
ENDS_EARLY = 1_000  # minutes of one of the symbols
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
FORMATS = Path(__file__).parent / "formats"


def write_klines(folder: Path, symbol: str, closes: Sequence[float]) -> Path:
    """A day of minutes in the layout of the official files."""
    path = folder / "data/futures/um/daily/klines" / symbol / "1m" / f"{symbol}-1m-2025-05-01.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [HEADER]
    for minute, close in enumerate(closes):
        open_ms = DAY_MS + minute * 60_000
        lines.append(
            f"{open_ms},{close:.2f},{close:.2f},{close:.2f},{close:.2f},10,{open_ms + 59_999},{close * 10:.4f},5,4,"
            f"{close * 4:.4f},0"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def walks() -> dict[str, list[float]]:
    """Two symbols that belong together, one that does not, and one that ends early."""
    random = np.random.default_rng(8)
    common = np.cumsum(random.normal(0, 5e-4, MINUTES))
    apart = np.cumsum(random.normal(0, 5e-4, MINUTES))
    noise = random.normal(0, 2e-4, (2, MINUTES))
    logs = {"AAAUSDT": common + noise[0], "BBBUSDT": common + noise[1], "CCCUSDT": apart}
    logs["DDDUSDT"] = logs["AAAUSDT"][:ENDS_EARLY] * 1.1
    return {symbol: (1_000 * np.exp(values)).round(2).tolist() for symbol, values in logs.items()}


@pytest.fixture(scope="module")
def klines_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a tape to which nothing but klines was ever brought."""
    folder = tmp_path_factory.mktemp("klines")
    files = [str(write_klines(folder, symbol, closes)) for symbol, closes in walks().items()]
    done = pairscope("import", *files, "--data-dir", str(folder / "data_dir"))
    assert done.returncode == 0, done.stderr + done.stdout
    return folder / "data_dir"


def settings_of(folder: Path, **given: Any) -> Settings:
    values: dict[str, Any] = {"source": "tape", "data_dir": folder}
    return Settings(**(values | given))


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, and what is in it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def started(here: Running) -> dict[str, Any]:
    status: dict[str, Any] = here.until(lambda status: not status["warming_up"] and not status["kernels"]["preparing"])
    return status


def finite(column: Sequence[float | None]) -> int:
    return sum(value is not None and math.isfinite(value) for value in column)


def test_a_tape_of_klines_is_studied_offline_and_stays_as_it_is(klines_tape: Path, run: Any) -> None:  # noqa: F811
    before = contents(klines_tape)
    here = run(klines_tape, "--source", "tape", "--window", "60")
    status = started(here)
    assert status["source"]["kind"] == "tape"
    assert status["source"]["label"] == "Tape (nothing is received)"
    assert "It ends at 2025-05-02T00:00:00Z" in status["source"]["banner"]
    assert (status["feed"]["state"], status["feed"]["connections"]) == ("off", 0)
    assert here.get("/health")["status"] == "ok"
    config = here.get("/config")
    assert [each["symbol"] for each in config["symbols"]] == ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT"]
    assert (config["intervals"], config["metric_interval"]) == (["1m"], "1m")

    of_symbol = here.get("/analytics/AAAUSDT?interval=1m&window=60")["metrics"]
    assert of_symbol["sma"]["value"] is not None
    newest_ms = DAY_MS + (MINUTES - 1) * 60_000
    assert of_symbol["sma"]["as_of_ms"] == newest_ms
    asked = "/analytics/pair?y=BBBUSDT&x=AAAUSDT&interval=1m&window=60"
    pair = here.get(f"{asked}&limit=500&tests=true")
    assert pair["series"]["open_time_ms"][-1] == newest_ms
    assert finite(pair["series"]["spread_z"]) == finite(pair["series"]["beta"]) == 500
    assert pair["tests"]["health"]["condition"] != "unknown"
    past = here.get(f"{asked}&to={DAY_MS + 36_000_000}&limit=100")["series"]
    assert past["open_time_ms"][-1] == DAY_MS + 36_000_000 - 60_000
    assert finite(past["spread_z"]) == 100
    assert finite(here.get(f"{asked.replace('1m', '5m')}&limit=50")["series"]["spread_z"]) == 50
    early_ms = DAY_MS + (ENDS_EARLY - 1) * 60_000
    assert here.get("/analytics/DDDUSDT?interval=1m&window=60")["metrics"]["sma"]["as_of_ms"] == early_ms
    for interval, end_ms in (("1m", early_ms), ("5m", early_ms - early_ms % 300_000)):
        early = here.get(f"/analytics/pair?y=DDDUSDT&x=AAAUSDT&interval={interval}&window=60&limit=50")["series"]
        assert early["open_time_ms"][-1] == end_ms
        assert finite(early["spread_z"]) == 50
    matrix = here.get("/correlations?interval=1m&window=600")
    assert matrix["as_of_ms"] == newest_ms
    a, b, c = (matrix["symbols"].index(symbol) for symbol in ("AAAUSDT", "BBBUSDT", "CCCUSDT"))
    assert matrix["correlation"][a][b] > 0.5 > abs(matrix["correlation"][a][c])
    grouped = here.get("/clustering?interval=1m&window=600")["clusters"]
    assert ["AAAUSDT", "BBBUSDT"] in [sorted(group) for group in grouped]

    for method in ("PUT", "DELETE"):
        refused = ask(method, f"{here.url}/symbols/AAAUSDT")
        assert refused.status_code == 409
        assert "--symbols" in refused.json()["error"]["cure"]
    here.get("/status/tape")
    assert here.stop() == 0
    assert contents(klines_tape) == before
    logged = here.log.read_text()
    assert "Traceback" not in logged
    assert "kernel_compiled_in_server" not in logged


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "copy"))


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """The tape that version 0.1.0 left: of format 2, with a log and sealed days."""
    folder = tmp_path / "v0.1.0"
    with (
        (FORMATS / "v0.1.0" / "data.tar.zst").open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as unpacking,
        tarfile.open(fileobj=unpacking, mode="r|") as archive,
    ):
        archive.extractall(folder, filter="data")
    return folder


def test_a_tape_of_the_first_version_is_studied_as_it_lies_there(first_version: Path, run: Any) -> None:  # noqa: F811
    before = contents(first_version)
    here = run(first_version, "--source", "tape", str(first_version / "live-aggTrade"), "--window", "20")
    status = started(here)
    assert {each["symbol"] for each in status["symbols"]} == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"}
    assert next(each for each in status["symbols"] if each["symbol"] == "BTCUSDT")["last_price"] is not None
    bars = here.get("/ohlc/BTCUSDT/1m?limit=5000")["bars"]
    assert {"proved", "partial"} >= set(bars["continuity"])
    assert "open" not in bars["status"]  # nothing goes on here
    trades = here.get("/ticks/latest?symbol=ETHUSDT&limit=10")
    assert len(trades["trades"]["id"]) == 10
    assert here.get("/status/tape")["symbols"]
    assert here.stop() == 0
    assert contents(first_version) == before


def test_the_same_rows_are_read_as_by_the_one_who_brings_the_tape_over(first_version: Path, tmp_path: Path) -> None:
    path = first_version / "live-aggTrade" / "tape.duckdb"
    looked = ReadOnlyTape.look(path, clock=SystemClock(), memory_limit_mb=64)
    other = Tape.open(
        copied(first_version / "live-aggTrade", tmp_path) / "tape.duckdb", kind=TradeKind.AGG, clock=SystemClock()
    )
    try:
        assert list(looked.symbols) == list(other.symbols)
        for symbol in looked.symbols:
            assert looked.intervals(symbol) == other.intervals(symbol)
            for interval in looked.intervals(symbol):
                np.testing.assert_array_equal(looked.bars(symbol, interval), other.bars(symbol, interval))
            np.testing.assert_array_equal(looked.trades(symbol).id, other.trades(symbol).id)
        assert looked.gaps() == other.gaps()
    finally:
        looked.close()
        other.close()


async def test_whoever_waits_for_the_bars_of_a_tape_is_shown_none_as_open(first_version: Path) -> None:
    shown: list[str] = []
    async with opened(settings_of(first_version), SystemClock()) as system:
        market = system.market

        def look() -> None:
            if market.kernels.has("symbols"):
                for symbol, interval in itertools.product(market.symbols, market.intervals):
                    shown.extend(BarStatus(each).name for each in market.bars(symbol, interval, 1)["status"].tolist())

        market.kernels.when_ready(look)
        async with asyncio.timeout(START_S):
            task = asyncio.create_task(system.run())
            await market.kernels.until("symbols", "pairs")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert "PARTIAL" in shown
    assert "OPEN" not in shown


def test_whatever_would_change_a_tape_that_is_looked_at_is_refused(first_version: Path) -> None:
    before = contents(first_version)
    store = ReadOnlyTape.look(first_version / "live-aggTrade" / "tape.duckdb", clock=SystemClock(), memory_limit_mb=64)
    try:
        trades = good(store.trades("BTCUSDT", limit=1))
        bars = store.bars("BTCUSDT", Interval.parse("1m"), limit=1)
        attempts: list[Callable[[], object]] = [
            lambda: store.put_trades(trades),
            lambda: store.put_bars(bars),
            lambda: store.put_gaps(store.gaps()),
            lambda: store.seal(DAY_MS),
            lambda: store.retain(DAY_MS),
            store.sweep,
        ]
        for attempt in attempts:
            with pytest.raises(StoreUnavailable, match="only looked at"):
                attempt()
        assert store.put_bars(no_bars())  # nothing is nothing
        store.announce("http://127.0.0.1:1")
    finally:
        store.close()
        store.close()
    assert contents(first_version) == before


def test_a_damaged_day_is_left_out_and_stays_where_it_is(first_version: Path) -> None:
    path = first_version / "live-aggTrade" / "tape.duckdb"
    part = next((path.parent / "tape.days" / "bars").rglob("symbol=SOLUSDT/1m-*.parquet"))
    whole = part.read_bytes()
    middle = len(whole) // 2
    part.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    before = contents(first_version)
    store = ReadOnlyTape.look(path, clock=SystemClock(), memory_limit_mb=64)
    try:
        assert not len(store.bars("SOLUSDT", Interval.parse("1m")))
        assert len(store.bars("XRPUSDT", Interval.parse("1m")))
    finally:
        store.close()
    assert contents(first_version) == before


def test_a_tape_that_a_server_holds_is_told_with_its_address(tmp_path: Path, run: Any) -> None:  # noqa: F811
    holder = run(tmp_path, "--source", "simulator", "--symbols", "BTCUSDT,ETHUSDT", "--history-minutes", "1")
    holder.until(lambda status: True)
    assert_refused(pairscope("run", "--source", "tape", "--data-dir", str(tmp_path)), f"http://localhost:{holder.port}")


def test_the_tape_that_is_meant_is_found(tmp_path: Path) -> None:
    def made(name: str) -> Path:
        path = tmp_path / name / "tape.duckdb"
        path.parent.mkdir()
        path.touch()
        return path

    with pytest.raises(SettingsError, match="there is no tape in") as none:
        find_tape(settings_of(tmp_path))
    assert "pairscope import" in str(none.value.cure)
    simulated = made("simulator-1-aggTrade")
    assert find_tape(settings_of(tmp_path)) == simulated
    replayed = made("replay-a-aggTrade-kept")
    with pytest.raises(SettingsError, match=r"2 tapes.*replay-a-aggTrade-kept, simulator-1-aggTrade") as several:
        find_tape(settings_of(tmp_path))
    assert f"--source tape {replayed.parent}" in str(several.value.cure)
    raw = made("live-trade")
    live = made("live-aggTrade")
    assert find_tape(settings_of(tmp_path)) == live
    assert find_tape(settings_of(tmp_path, trade_kind="trade")) == raw
    for named in (replayed, replayed.parent):
        assert find_tape(settings_of(tmp_path, tape=named)) == replayed
    with pytest.raises(SettingsError, match="there is no tape"):
        find_tape(settings_of(tmp_path, database_path=tmp_path / "missing.duckdb"))


def test_what_is_no_tape_or_an_empty_one_is_told_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="there is no tape"):
        ReadOnlyTape.look(tmp_path / "tape.duckdb", clock=SystemClock(), memory_limit_mb=64)
    assert not list(tmp_path.iterdir())
    other = tmp_path / "other.duckdb"
    other.write_bytes(b"something else" * 2_000)
    with pytest.raises(DataFolderError, match="not a tape"):
        ReadOnlyTape.look(other, clock=SystemClock(), memory_limit_mb=64)
    Tape.open(tmp_path / "tape.duckdb", kind=TradeKind.RAW, clock=SystemClock()).close()
    store = ReadOnlyTape.look(tmp_path / "tape.duckdb", clock=SystemClock(), memory_limit_mb=64)
    try:
        with pytest.raises(SettingsError, match="holds no trade and no bar") as empty:
            plan_tape(settings_of(tmp_path), store)
        assert "pairscope import" in str(empty.value.cure)
    finally:
        store.close()


def test_symbols_are_those_of_the_tape_and_another_is_told_with_the_nearest_name(klines_tape: Path) -> None:
    store = ReadOnlyTape.look(klines_tape / "live-aggTrade" / "tape.duckdb", clock=SystemClock(), memory_limit_mb=64)
    try:
        plan, settings = plan_tape(settings_of(klines_tape, window=50), store)
        assert (len(plan.symbols), settings.window, len(plan.pairs)) == (4, 50, 6)
        fewer, _ = plan_tape(settings_of(klines_tape, most_symbols=2), store)  # fewer than are watched by default
        assert fewer.symbols == ("AAAUSDT", "BBBUSDT")
        plan, _ = plan_tape(settings_of(klines_tape, symbols=("CCCUSDT", "AAAUSDT")), store)
        assert plan.symbols == ("CCCUSDT", "AAAUSDT")
        with pytest.raises(SettingsError, match="the tape has nothing of BBBUSD") as wrong:
            plan_tape(settings_of(klines_tape, symbols=("BBBUSD",)), store)
        assert "did you mean BBBUSDT?" in str(wrong.value.cure)
    finally:
        store.close()


def renamed(folder: Path, to: Path, names: dict[str, str]) -> Path:
    """A copy of the tape of klines with other names of symbols, as an earlier version could have written them."""
    path = copied(folder / "live-aggTrade", to) / "tape.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name, other in names.items():
            connection.execute("update symbols set name = ? where name = ?", [other, name])
    return path


def test_symbols_that_cannot_be_named_any_more_are_left_out_and_told_of(
    klines_tape: Path,
    tmp_path: Path,
    run: Any,  # noqa: F811
) -> None:
    path = renamed(klines_tape, tmp_path, {"BBBUSDT": "BBB-USDT", "CCCUSDT": "CCC²"})
    here = run(tmp_path / "data_dir", "--source", "tape", str(path), "--window", "60")
    status = started(here)
    assert status["source"]["banner"].endswith("Not shown: BBB-USDT, CCC², for a symbol is letters, digits and _ now.")
    config = here.get("/config")
    assert [each["symbol"] for each in config["symbols"]] == ["AAAUSDT", "DDDUSDT"]
    assert config["pairs"] == ["DDDUSDT/AAAUSDT"]
    assert here.get("/analytics/pair?y=DDDUSDT&x=AAAUSDT&interval=1m&window=60")["series"]["spread_z"]
    assert here.get("/correlations?interval=1m&window=60")["symbols"] == ["AAAUSDT", "DDDUSDT"]
    assert {each["symbol"] for each in here.get("/status/tape")["symbols"]} >= {"BBB-USDT", "CCC²"}
    assert here.get("/health")["status"] == "ok"
    assert_refused(pairscope("run", "--source", "tape", str(path), "--symbols", "BBB-USDT"), "letters, digits and _")
    assert here.stop() == 0
    assert "Traceback" not in here.log.read_text()
    for command in ("doctor", "verify"):
        done = pairscope(command, "--database-path", str(path))
        assert "BBB-USDT" in done.stdout, done.stdout + done.stderr


def test_a_tape_of_which_no_symbol_can_be_named_is_refused(klines_tape: Path, tmp_path: Path) -> None:
    path = renamed(klines_tape, tmp_path, {name: name.replace("USDT", "-USDT") for name in walks()})
    assert_refused(pairscope("run", "--source", "tape", str(path)), "no symbol that can be asked for")


def test_assets_and_kind_of_a_symbol_are_those_its_name_tells(klines_tape: Path, tmp_path: Path) -> None:
    names = {"AAAUSDT": "ETHBUSD", "BBBUSDT": "BTCUSDT_261225", "CCCUSDT": "OKX.SOL_USDT_SWAP", "DDDUSDT": "TREE"}
    path = renamed(klines_tape, tmp_path, names)
    store = ReadOnlyTape.look(path, clock=SystemClock(), memory_limit_mb=64)
    try:
        plan, _ = plan_tape(settings_of(path, tape=path), store)
        told = {name: (each.base, each.quote, each.kind.value) for name, each in (plan.instruments or {}).items()}
    finally:
        store.close()
    assert told == {
        "ETHBUSD": ("ETH", "BUSD", "perpetual"),
        "BTCUSDT_261225": ("BTC", "USDT", "future"),
        "OKX.SOL_USDT_SWAP": ("SOL", "USDT", "perpetual"),
        "TREE": (None, None, "perpetual"),
    }


def test_one_tape_is_named_and_only_for_this_source(tmp_path: Path) -> None:
    assert_refused(pairscope("run", "--source", "tape", "a", "b"), "one tape")
    assert_refused(pairscope("run", "--source", "simulator", "--tape", str(tmp_path)), "--source tape")
