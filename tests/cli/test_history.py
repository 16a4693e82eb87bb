"""Import, back-fill, doctor and verify as a person meets them, each in a process of its own."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.feed.binance.simulator.data_faults import SimulatedInstrument
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.store.tape import Tape
from tests import prepared
from tests.archives import RAW_HEADER, START_MS, agg_lines, raw_lines, rows, write_zip
from tests.judged import good
from tests.patience import STOP_S
from tests.test_cli import Running, assert_refused, clean_environment, free_port, pairscope

NAME = "BTCUSDT-aggTrades-2024-08-08"


@pytest.fixture
def run() -> Iterator[Any]:
    """Starts pairscopes and stops what is left of them."""
    running: list[Running] = []

    def start(folder: Path, *arguments: str) -> Running:
        running.append(Running(folder, *arguments))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def official(folder: Path) -> Path:
    """A folder with two days of one symbol and a file that is no official one."""
    folder.mkdir()
    write_zip(folder / f"{NAME}.zip", agg_lines(rows(10, 2_000)))
    write_zip(folder / "BTCUSDT-aggTrades-2024-08-09.zip", agg_lines(rows(2_010, 2_000, START_MS + 86_400_000)))
    (folder / "notes.txt").touch()
    return folder


def test_a_folder_is_imported_once_and_proved(tmp_path: Path) -> None:
    files, place = official(tmp_path / "files"), ("--data-dir", str(tmp_path / "data"))
    first = pairscope("import", str(files), *place)
    assert first.returncode == 0, first.stderr
    assert f"{NAME}: 2,000 trades added" in first.stdout
    assert first.stderr == ""
    (tmp_path / "limit.toml").write_text("keep_imported_days = 30\n")
    second = pairscope("import", str(files), *place, "--settings", str(tmp_path / "limit.toml"))
    assert (second.returncode, second.stdout.count("imported before")) == (0, 2)
    assert "what is of 2024-08-08 goes when a server records trades of 2024-09-08 or later" in second.stderr

    told = pairscope("doctor", *place)
    assert told.returncode == 0, told.stderr
    (line,) = [line for line in told.stdout.splitlines() if "BTCUSDT" in line]
    assert re.search(r"BTCUSDT +10 +4009 +2024-08-08 00:00:00 +2024-08-09 00:33:19 +4,000 +0 .* 0 open, .* never", line)

    proved = pairscope("verify", *place)
    assert proved.returncode == 0, proved.stdout
    assert "4,000 trades" in proved.stdout
    assert "no differences" in proved.stdout
    assert "never" not in pairscope("doctor", *place).stdout


def test_a_corrected_file_replaces_what_the_tape_says_when_asked(tmp_path: Path) -> None:
    files, place = official(tmp_path / "files"), ("--data-dir", str(tmp_path / "data"))
    assert pairscope("import", str(files), *place).returncode == 0
    corrected = rows(10, 2_000)
    corrected[500] = (510, "105.25", *corrected[500][2:])
    (tmp_path / "corrected").mkdir()
    write_zip(tmp_path / "corrected" / f"{NAME}.zip", agg_lines(corrected))
    told = pairscope("import", str(tmp_path / "corrected"), *place).stdout
    assert "1 trades of" in told
    assert "which stand" in told
    told = pairscope("import", "--replace", str(files), str(tmp_path / "corrected"), *place).stdout
    assert "rows replaced" in told  # the day of both files is sealed
    assert "1 trades of the tape were replaced" in told
    proved = pairscope("verify", *place)
    assert proved.returncode == 0, proved.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", pytest.param("utf-8", marks=pytest.mark.slow)])
def test_a_symbol_the_console_cannot_show_is_imported_and_told_by_its_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    monkeypatch.setenv("PYTHONUTF8", "0")
    name = "币安人生USDT-aggTrades-2024-08-08"
    files, place = [str(write_zip(tmp_path / f"{name}.zip", agg_lines(rows(10, 50))))], ("--data-dir", str(tmp_path))
    (tmp_path / "币.csv").touch()
    shown = name.encode(encoding, "backslashreplace").decode("ascii" if encoding != "utf-8" else encoding)
    done = pairscope("import", *files, *place, encoding=encoding, fresh=True)  # its arguments are decoded too
    assert (done.returncode, f"{shown}: 50 trades added" in done.stdout) == (0, True), done.stderr
    assert shown.partition("-")[0] in pairscope("doctor", *place, encoding=encoding).stdout
    assert pairscope("verify", *place, encoding=encoding).returncode == 0
    assert_refused(pairscope("import", str(tmp_path / "币.csv"), *place, encoding=encoding), "not called like")


def test_a_bad_file_is_refused_and_the_others_are_imported(tmp_path: Path) -> None:
    files = official(tmp_path / "files")
    (files / f"{NAME}.zip.CHECKSUM").write_text(f"{'0' * 64}  {NAME}.zip\n")
    done = pairscope("import", str(files), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert f"refused: {NAME}.zip is damaged" in done.stderr
    assert "BTCUSDT-aggTrades-2024-08-09: 2,000 trades added" in done.stdout


def test_raw_and_aggregated_trades_go_to_tapes_of_their_own(tmp_path: Path) -> None:
    files = official(tmp_path / "files")
    write_zip(files / "BTCUSDT-trades-2024-08-08.zip", raw_lines(rows(500, 30)), None)
    done = pairscope("import", str(files), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert {path.parent.name for path in (tmp_path / "data").glob("*/tape.duckdb")} == {"live-aggTrade", "live-trade"}


def test_aggregated_trades_that_come_after_the_raw_ones_are_said_to_tell_which_ids_no_trade_has(tmp_path: Path) -> None:
    place, raw = ("--data-dir", str(tmp_path / "data")), rows(10, 200)
    file = write_zip(tmp_path / "BTCUSDT-trades-2024-08-08.zip", raw_lines(raw[:50] + raw[55:]), RAW_HEADER)
    lines = [f"{i},100,0.1,{10 + i},{10 + i},{START_MS + i},true" for i in range(1, 50)]
    proof = write_zip(tmp_path / f"{NAME}.zip", [*lines, f"50,100,0.1,65,209,{START_MS + 99},true"])
    assert "5 ids are missing in it" in pairscope("import", str(file), *place).stdout
    told = pairscope("import", str(proof), *place)
    assert f"'pairscope import --again {file}' looks which of them no trade has" in told.stderr
    assert "5 ids are missing in BTCUSDT-trades-2024-08-08" in told.stderr
    assert "5 ids have no trade" in pairscope("import", "--again", str(file), *place).stdout
    assert pairscope("import", str(proof), *place).stderr == ""  # imported before: there is nothing to tell


def test_the_reverse_order_needs_no_second_look(tmp_path: Path) -> None:
    place, raw = ("--data-dir", str(tmp_path / "data")), rows(10, 200)
    lines = [f"{i},100,0.1,{10 + i},{10 + i},{START_MS + i},true" for i in range(1, 50)]
    write_zip(tmp_path / f"{NAME}.zip", [*lines, f"50,100,0.1,65,209,{START_MS + 99},true"])
    assert pairscope("import", str(tmp_path), *place).returncode == 0
    file = write_zip(tmp_path / "BTCUSDT-trades-2024-08-08.zip", raw_lines(raw[:50] + raw[55:]), RAW_HEADER)
    done = pairscope("import", str(file), *place)
    assert "5 ids have no trade, as the aggregated trades of its day prove" in done.stdout
    assert "missing" not in done.stdout + done.stderr


def test_trades_with_times_in_microseconds_are_refused_as_of_the_spot_market(tmp_path: Path) -> None:
    trades = [(i, p, q, 1_000 * t, m) for i, p, q, t, m in rows(10, 200)]
    file = write_zip(tmp_path / f"{NAME}.zip", agg_lines(trades))
    done = pairscope("import", str(file), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "as files of the spot market have" in done.stderr
    assert "give the files of data/futures/um" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["import", "nowhere"], "no file or folder nowhere"),
        (["import", "{here}/notes.txt"], "not called like an official file"),
        (["import", "{here}", "--data-dir", "/dev/null/x"], "/dev/null/x"),
        (["backfill", "--from", "yesterday"], "is no day"),
        (["backfill", "--from", "2024-08-09", "--to", "2024-08-08"], "is not before"),
        (["verify", "--data-dir", "{here}"], "no tape in"),
        (["doctor", "--data-dir", "{here}"], "no tape in"),
        (["verify", "--from", "2024-08-09", "--to", "2024-08-07"], "is not before"),
        (["record", "{here}/notes.txt", "--source", "simulator"], "exists already"),
    ],
)
def test_what_cannot_run_says_so_in_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    here = official(tmp_path / "files")
    assert_refused(pairscope(*(text.format(here=here) for text in arguments)), says)


def test_a_tape_that_a_server_holds_is_left_to_it(tmp_path: Path, run: Any) -> None:
    files, data = official(tmp_path / "files"), tmp_path / "data"
    settings = tmp_path / "settings.toml"
    settings.write_text(f'exchange_rest_url = "http://127.0.0.1:{free_port()}"\nexchange_ws_url = "ws://127.0.0.1:1"\n')
    server = run(data, "--source", "live", "--settings", str(settings))
    server.until(lambda status: status["feed"]["state"] == "down")
    for command in (
        ["import", str(files)],
        ["import", "--replace", str(files)],
        ["backfill", "--from", "2024-08-08"],
        ["verify"],
    ):
        assert_refused(pairscope(*command, "--data-dir", str(data)), str(server.port))
    told = pairscope("doctor", "--data-dir", str(data))
    assert told.returncode == 0, told.stderr
    assert f"held by http://localhost:{server.port}" in told.stdout


async def tape_without(missing: int, folder: Path) -> None:
    store = Tape.open(folder / "live-aggTrade" / "tape.duckdb", kind=TradeKind.AGG, clock=SystemClock())
    ids = np.setdiff1d(np.arange(1, 200), [missing])
    count = len(ids)
    store.put_trades(
        good(
            TradeBatch(
                symbol_id=np.full(count, store.symbols.add("BTCUSDT"), np.int32),
                id=ids,
                time_ms=START_MS + 1_000 * ids,
                price=np.full(count, 10.0),
                size=np.ones(count),
                buyer_is_maker=np.zeros(count, np.bool_),
                received_ns=ids,
            )
        )
    )
    await store.flushed()
    store.close()


async def test_a_lost_trade_is_found_told_and_remembered(tmp_path: Path) -> None:
    await tape_without(77, tmp_path)
    done = pairscope("verify", "--data-dir", str(tmp_path))
    assert done.returncode == 1, done.stderr
    assert "BTCUSDT: ids 77 to 77 are neither on the tape nor in a gap" in done.stdout
    assert "1 differences" in pairscope("doctor", "--data-dir", str(tmp_path)).stdout


async def test_symbols_that_no_tape_has_cannot_be_verified(tmp_path: Path) -> None:
    await tape_without(77, tmp_path)
    assert_refused(pairscope("verify", "--data-dir", str(tmp_path), "--symbols", "ETHUSDT"), "no tape has ETHUSDT")


def test_official_klines_are_compared(tmp_path: Path) -> None:
    place = ("--data-dir", str(tmp_path / "data"))
    assert pairscope("import", str(official(tmp_path / "files")), *place).returncode == 0
    bar = f"{START_MS + 60_000},1,9,1,2,5.5,{START_MS + 119_999},40.5,3,2.5,17.5,0"
    klines = write_zip(tmp_path / "BTCUSDT-1m-2024-08-08.zip", [bar], None)
    done = pairscope("verify", *place, "--klines", str(klines))
    assert done.returncode == 1, done.stderr
    assert f"the 1m bar of {START_MS + 60_000} has open " in done.stdout


def test_past_days_are_fetched_from_an_exchange(tmp_path: Path) -> None:
    port, rest_port = free_port(), free_port()
    command = ["simulator", "--port", str(port), "--rest-port", str(rest_port), "--rate", "0.01"]
    log = tmp_path / "simulator.txt"
    with log.open("wb") as out:
        simulator = prepared.start("-m", "pairscope", *command, stdout=out, stderr=out, env=clean_environment())
    settings = tmp_path / "settings.toml"
    url = f"http://127.0.0.1:{rest_port}"
    settings.write_text(f'exchange_rest_url = "{url}"\narchive_url = "{url}"\n')
    place = ("--data-dir", str(tmp_path / "data"), "--settings", str(settings))
    today = datetime.now(UTC).date()
    try:
        while "streams" not in log.read_text():
            assert simulator.poll() is None, log.read_text()
            time.sleep(0.02)  # another process: there is nothing to await
        arguments = ["backfill", "--symbols", "XRPUSDT", "--from", str(today - timedelta(days=2)), *place]
        first, second = pairscope(*arguments), pairscope(*arguments)
        misspelt = pairscope("backfill", "--symbols", "XRPUSD", "--from", str(today), *place)
    finally:
        simulator.terminate()
        simulator.wait(STOP_S)
    assert first.returncode == 0, first.stderr
    assert f"XRPUSDT-aggTrades-{today - timedelta(days=2)}: " in first.stdout
    assert second.returncode == 0, second.stderr
    assert "imported before" in second.stdout
    assert_refused(misspelt, "does not list XRPUSD", "did you mean XRPUSDT?")
    proved = pairscope("verify", *place)
    assert proved.returncode == 0, proved.stdout


class Delisted(MarketSource):
    """A market whose XRPUSDT is listed no more; its files of the past are still there."""

    def instruments(self) -> list[SimulatedInstrument]:
        return [each for each in super().instruments() if each.symbol != "XRPUSDT"]


async def test_the_files_of_a_symbol_listed_no_more_are_looked_for_before_it_is_refused(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=3), today - timedelta(days=2)
    async with SimulatedExchange(Delisted(SimulatedMarket(3, 0.01), SystemClock())) as exchange:
        assert exchange.archive is not None
        settings = tmp_path / "settings.toml"
        settings.write_text(f'exchange_rest_url = "{exchange.rest_url}"\narchive_url = "{exchange.rest_url}"\n')
        place = ("--data-dir", str(tmp_path / "data"), "--settings", str(settings))
        days = ("--from", str(first), "--to", str(last))
        both = await asyncio.to_thread(pairscope, "backfill", "--symbols", "BTCUSD,XRPUSDT", *days, *place)
        assert both.returncode == 1, both.stderr
        assert f"XRPUSDT-aggTrades-{first}: " in both.stdout
        assert f"XRPUSDT-aggTrades-{last}: " in both.stdout
        assert "XRPUSDT is not listed any more: official files only" in both.stdout
        assert "refused: the exchange does not list BTCUSD, and there are no official files" in both.stderr
        assert "did you mean BTCUSDT?" in both.stderr
        assert exchange.rest.requests == 1  # what is listed
        exchange.archive.missing.update(f"XRPUSDT-aggTrades-{day}" for day in (first, last))
        none = await asyncio.to_thread(pairscope, "backfill", "--symbols", "XRPUSDT", *days, *place)
    assert_refused(none, "the exchange does not list XRPUSDT, and there are no official files of it for these days")
    assert "did you mean" not in none.stderr
