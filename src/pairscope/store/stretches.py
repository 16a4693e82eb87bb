"""Long histories a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Iterator

from pairscope.base.interval import DAY_MS
from pairscope.base.model import TradeBatch
from pairscope.base.runs import Runs, no_runs, runs_of, subtract, union
from pairscope.store.tape import Store

STRETCH_MS = 3_600_000
STRETCH_IDS = 1_000_000


def read_stretches(store: Store, symbol: str, from_ms: int, to_ms: int) -> Iterator[TradeBatch]:
    """Trades of a symbol an hour at a time; hours without a trade are left out."""
    for start_ms in range(from_ms, to_ms, STRETCH_MS):
        trades = store.trades(symbol, from_ms=start_ms, to_ms=min(start_ms + STRETCH_MS, to_ms))
        if len(trades):
            yield trades


def days_with_trades(store: Store, symbol: str, from_ms: int, to_ms: int) -> Iterator[int]:
    """The first millisecond of each UTC day of a half-open range in which the tape has a trade of the symbol."""
    for day_ms in range(from_ms - from_ms % DAY_MS, to_ms, DAY_MS):
        if len(store.trades(symbol, from_ms=day_ms, to_ms=day_ms + DAY_MS, limit=1)):
            yield day_ms


def absent_ids(store: Store, symbol: str, wanted: Runs) -> Runs:
    """Those of some ids that are not on the tape."""
    found = no_runs()
    for first_id, last_id in wanted.tolist():
        for start in range(first_id, last_id + 1, STRETCH_IDS):
            stored = store.trades(symbol, from_id=start, to_id=min(start + STRETCH_IDS, last_id + 1))
            found = union(found, runs_of(stored.id))
    return subtract(wanted, found)
