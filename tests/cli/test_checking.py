"""`verify` never passes on nothing, and `doctor` never crashes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from pairscope.bars.builder import build_bars
from pairscope.base.clock import SystemClock
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import TradeBatch, TradeKind
from pairscope.cli import main
from pairscope.store.tape import Tape
from tests.judged import good

START_MS = 20_000 * DAY_MS


def trades_of(count: int, start_ms: int = START_MS) -> TradeBatch:
    ids = np.arange(1, count + 1)
    return TradeBatch(
        symbol_id=np.zeros(count, np.int32),
        id=ids,
        time_ms=start_ms + 100 * ids,
        price=np.full(count, 5.0),
        size=np.ones(count),
        buyer_is_maker=ids % 2 == 0,
        received_ns=ids,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a tape of one symbol with trades and one without."""
    lay(tmp_path, trades_of(100))
    return tmp_path


def lay(folder: Path, trades: TradeBatch, name: str = "live-aggTrade") -> Path:
    path = folder / name / "tape.duckdb"
    store = Tape.open(path, kind=TradeKind.AGG, clock=SystemClock())
    store.symbols.add("BTCUSDT")
    store.symbols.add("ETHUSDT")
    store.put_trades(good(trades))
    for text in ("1s", "5s", "1m", "5m"):
        store.put_bars(build_bars(trades, Interval.parse(text)))
    asyncio.run(store.flushed())
    store.close()
    return path


def test_verify_says_how_much_it_compared(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--data-dir", str(data)]) == 0
    out = capsys.readouterr().out
    assert "BTCUSDT: 1 days, ids 1 to 100, 100 trades of 100 ids" in out
    assert "no differences in 116 rows compared" in out


@pytest.mark.parametrize(
    "flags",
    [["--from", "2030-01-01"], ["--to", "1999-01-01"], ["--symbols", "ETHUSDT"], ["--symbols", "BTCUSDT,ETHUSDT"]],
)
def test_verify_does_not_pass_on_nothing(data: Path, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--data-dir", str(data), *flags]) == 1
    assert "nothing is proved" in capsys.readouterr().out


def test_verify_does_not_pass_on_an_empty_tape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(tmp_path, TradeBatch.empty())
    assert main(["verify", "--data-dir", str(tmp_path)]) == 1
    assert "nothing is proved" in capsys.readouterr().out


def test_verify_does_not_pass_when_no_official_bar_is_there_to_compare(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "BTCUSDT-1m-2021-03-04.csv"
    open_ms = 1_614_816_000_000
    file.write_text(f"{open_ms},1.0,1.0,1.0,1.0,2.0,{open_ms + 59_999},2.0,1,1.0,1.0,0\n")
    assert main(["verify", "--data-dir", str(data), "--klines", str(file)]) == 1
    assert "none of the official bars was compared" in capsys.readouterr().out


def test_doctor_tells_of_impossible_times_and_damaged_neighbours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay(tmp_path, trades_of(10, 1_747_000_000_000_000))
    for name, content in {"torn": b"x" * 20_000, "empty": b""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "tape.duckdb").write_bytes(content)
    (tmp_path / "folder" / "tape.duckdb").mkdir(parents=True)
    for name in ("verified.json", "imports.jsonl", "symbols.json", "server.json"):
        path.with_name(f"{path.name}.{name}").write_bytes(b"\xff\x00 nothing of ours")
    assert main(["doctor", "--data-dir", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "1747000000000100 ms" in out
    for name in ("verified.json", "imports.jsonl"):
        assert f"{path.name}.{name}.unreadable could not be read and was set aside" in out
    assert out.count("tape ") >= 4
    assert "torn" in out


def test_doctor_tells_of_an_empty_tape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "live-aggTrade" / "tape.duckdb"
    Tape.open(path, kind=TradeKind.AGG, clock=SystemClock()).close()
    assert main(["doctor", "--data-dir", str(tmp_path)]) == 0
    assert "no symbol yet" in capsys.readouterr().out


def test_doctor_tells_of_a_damaged_state_that_was_set_aside(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--data-dir", str(data)]) == 0
    (data / "state.sqlite").write_bytes(b"junk" * 5_000)
    for _ in range(2):
        capsys.readouterr()
        assert main(["doctor", "--data-dir", str(data)]) == 0
        out = capsys.readouterr().out
        assert "state.sqlite.damaged-1 could not be read and was set aside: put a copy back" in out
        assert "never" in out, "verified"
    assert main(["verify", "--data-dir", str(data)]) == 0
    capsys.readouterr()
    assert main(["doctor", "--data-dir", str(data)]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("  BTCUSDT"))
    assert "never" not in row, "and what is verified now is kept"
