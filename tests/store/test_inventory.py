"""A tape in a few figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pairscope.base.errors import DataFolderError
from pairscope.base.gaps import GapReason
from pairscope.base.model import Gap, TradeBatch, TradeKind
from pairscope.store.holdings import Holding
from pairscope.store.inventory import SymbolReport, Verified, VerifiedList, backfilled, report_symbols, stored_kind
from pairscope.store.tape import Tape
from tests.judged import good


async def test_a_report_counts_trades_and_gaps(
    open_store: Callable[..., Tape], trades: Callable[..., TradeBatch]
) -> None:
    store = open_store()
    store.put_trades(good(trades(10, 5)))
    store.put_gaps(
        [Gap("BTCUSDT", 15, 17, 1, GapReason.START), Gap("BTCUSDT", 11, 12, 1, GapReason.START, closed_ms=2)]
    )
    await store.flushed()
    btc, eth = report_symbols(store)
    assert (btc.trades, btc.first_id, btc.last_id) == (5, 10, 14)
    assert (btc.first_ms, btc.last_ms) == (1_000_010, 1_000_014)
    assert (btc.ids_missing, btc.backfilled, btc.gaps_open, btc.gaps_closed) == (3, 2, 1, 1)
    assert eth == SymbolReport("ETHUSDT", 0, 0, 0, 0, 0)


def test_no_more_is_back_filled_than_is_on_the_tape() -> None:
    held = Holding(0, trades=95, first_id=10, last_id=109, first_ms=0, last_ms=0)
    gaps = [
        Gap("BTCUSDT", 1, 30, 1, GapReason.START, closed_ms=2),  # its first trades are deleted
        Gap("BTCUSDT", 25, 35, 1, GapReason.FILE_DAMAGED, closed_ms=2),  # some of them came twice
        Gap("BTCUSDT", 33, 34, 1, GapReason.FILE_DAMAGED),  # and are missing again
        Gap("BTCUSDT", 50, 52, 1, GapReason.NOT_A_TRADE, closed_ms=2),
        Gap("BTCUSDT", 109, 120, 1, GapReason.START, closed_ms=2),
    ]
    assert backfilled(held, gaps) == 26 - 2 + 1


def test_results_of_verification_are_kept_by_symbol(tmp_path: Path) -> None:
    tape = tmp_path / "tape.duckdb"
    assert VerifiedList(tape).read() == {}
    VerifiedList(tape).add({"BTCUSDT": Verified(5, 0), "ETHUSDT": Verified(5, 3)})
    VerifiedList(tape).add({"ETHUSDT": Verified(9, 0)})
    assert VerifiedList(tape).read() == {"BTCUSDT": Verified(5, 0), "ETHUSDT": Verified(9, 0)}


def test_a_tape_tells_its_kind_and_other_files_have_none(
    open_store: Callable[..., Tape], path: Path, tmp_path: Path
) -> None:
    open_store(kind=TradeKind.RAW).close()
    assert stored_kind(path) is TradeKind.RAW
    with pytest.raises(DataFolderError, match="no tape"):
        stored_kind(tmp_path / "nowhere.duckdb")
    (tmp_path / "junk.duckdb").write_bytes(b"junk" * 10_000)
    with pytest.raises(DataFolderError, match="not a tape"):
        stored_kind(tmp_path / "junk.duckdb")
