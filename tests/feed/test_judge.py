"""One verdict for a row, whatever the way it came in."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from pairscope.base.clock import ManualClock
from pairscope.base.instrument import Instrument
from pairscope.base.model import Rows, SymbolTable, TradeBatch
from pairscope.feed.judge import BEFORE_LISTING_MS, Judge, Oddity, Refusal, conflicting
from tests.judged import judge

NOW_MS = 1_791_382_992_488
SOURCE = Path(__file__).parent.parent.parent / "src" / "pairscope"


def rows(price: float = 100.0, size: float = 1.0, time_ms: int = NOW_MS, trade_id: int = 7) -> Rows:
    one = np.ones(1)
    return Rows(
        TradeBatch(
            np.zeros(1, np.int32),
            np.array([trade_id]),
            np.array([time_ms]),
            price * one,
            size * one,
            one > 0,
            np.zeros(1, np.int64),
        )
    )


def reason(given: Rows, own: Judge) -> str | None:
    (code,) = own.judge(given).verdict.tolist()
    reasons: list[str | None] = [None, *Refusal]
    return reasons[int(code)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rows(), None),
        (rows(price=0.0), Refusal.NOT_POSITIVE),
        (rows(size=-1.0), Refusal.NOT_POSITIVE),
        (rows(price=float("inf")), Refusal.NOT_FINITE),
        (rows(size=float("nan")), Refusal.NOT_FINITE),
        (rows(size=1e-16), Refusal.TOO_SMALL),
        (rows(size=1e-8), None),
        (rows(time_ms=NOW_MS * 1_000), Refusal.TIME),
        (rows(time_ms=NOW_MS + 3_600_000), None),
        (rows(time_ms=NOW_MS + 3_600_001), Refusal.TIME),
        (rows(time_ms=1_567_296_000_000), None),
        (rows(time_ms=1_567_295_999_999), Refusal.TIME),
        (rows(trade_id=0), Refusal.ID),
        (rows(trade_id=10**12), None),
        (rows(trade_id=10**12 + 1), Refusal.ID),
    ],
)
def test_a_row_is_kept_or_refused_for_one_named_reason(given: Rows, expected: Refusal | None) -> None:
    own = judge(SymbolTable(["BTCUSDT"]), ManualClock(NOW_MS))
    assert reason(given, own) == expected
    assert own.tally.by_reason() == ({expected: 1} if expected else {})


def test_no_trade_is_older_than_a_day_before_its_symbol_was_listed() -> None:
    own = judge(SymbolTable(["BTCUSDT"]), ManualClock(NOW_MS))
    listed_ms = NOW_MS - 10 * 86_400_000
    own.learn([Instrument("BTCUSDT", 0.1, 0.001, listed_ms=listed_ms)])
    assert reason(rows(time_ms=listed_ms - BEFORE_LISTING_MS), own) is None
    assert reason(rows(time_ms=listed_ms - BEFORE_LISTING_MS - 1), own) is Refusal.TIME


def test_what_is_odd_is_noted_and_kept() -> None:
    own = judge(SymbolTable(["BTCUSDT"]), ManualClock(NOW_MS))
    own.learn([Instrument("BTCUSDT", 0.1, 0.001)])
    for price, size in ((60_000.1, 0.003), (60_000.15, 0.003), (60_000.1, 0.0035), (140_000.0, 0.003), (60_000.2, 1.0)):
        assert reason(rows(price, size), own) is None
    assert own.tally.oddities() == {Oddity.OFF_TICK: 1, Oddity.OFF_STEP: 1, Oddity.JUMP: 1}


def test_a_doubled_row_contradicts_the_first_or_says_the_same() -> None:
    first, same, other = rows().trades, rows().trades, rows(price=101.0).trades
    assert conflicting(TradeBatch.concatenate([same, other]), first).tolist() == [False, True]
    assert conflicting(other, rows(trade_id=8).trades).tolist() == [False]


def calls(path: Path, name: str) -> list[int]:
    """Lines in which something of this name is called."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node.lineno for node in found if getattr(node.func, "attr", getattr(node.func, "id", "")) == name]


def test_only_the_judge_makes_what_a_tape_takes() -> None:
    makers = {path.name for path in SOURCE.rglob("*.py") if calls(path, "GoodTrades")}
    assert makers == {"judge.py"}
    sources = {path.relative_to(SOURCE).as_posix(): calls(path, "judge") for path in (SOURCE / "feed").rglob("*.py")}
    assert {name for name, lines in sources.items() if lines} == {
        "feed/binance/trade_stream.py",
        "feed/binance/rest.py",
        "feed/binance/archive_trades.py",
    }
    assert {path.name for path in SOURCE.rglob("*.py") if calls(path, "put_trades")} == {
        "intake.py",
        "merge.py",
        "tape.py",
    }
    assert {path.name for path in SOURCE.rglob("*.py") if calls(path, "Judged")} == {
        "judge.py",
        "archive_trades.py",
        "reading.py",  # what a worker process judged, as it comes out of its file
    }
