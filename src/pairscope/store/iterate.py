"""Iteration over long histories, a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Iterator

from pairscope.base.id_ranges import Runs, no_runs, runs_of, subtract, union
from pairscope.base.model import TradeBatch
from pairscope.store.tape import Tape

STRETCH_MS = 3_600_000
STRETCH_ROWS = 50_000


def read_stretches(store: Tape, symbol: str, from_ms: int, to_ms: int) -> Iterator[TradeBatch]:
    """Trades of a symbol an hour at a time; hours without a trade are left out."""
    for start_ms in range(from_ms, to_ms, STRETCH_MS):
        trades = store.trades(symbol, from_ms=start_ms, to_ms=min(start_ms + STRETCH_MS, to_ms))
        if len(trades):
            yield trades


def absent_ids(store: Tape, symbol: str, wanted: Runs) -> Runs:
    """Those of some ids that are not on the tape; takes as long as there are trades, however far apart their ids."""
    found = no_runs()
    for first_id, last_id in wanted.tolist():
        start = first_id
        while start <= last_id:
            stored = store.trades(symbol, from_id=start, to_id=last_id + 1, limit=STRETCH_ROWS)
            found = union(found, runs_of(stored.id))
            if len(stored) < STRETCH_ROWS:
                break
            start = int(stored.id[-1]) + 1
    return subtract(wanted, found)
