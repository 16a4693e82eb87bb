"""Tools of the tests of bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pairscope.base.model import TradeBatch


@pytest.fixture(scope="session")
def random_trades() -> Callable[..., TradeBatch]:
    """Makes a seeded market: several symbols interleaved, ids in a row for each, with bursts and silences."""

    def make(seed: int, count: int, symbols: int = 3, longest_pause_ms: int = 400) -> TradeBatch:
        random = np.random.default_rng(seed)
        symbol_id = random.integers(0, symbols, count).astype(np.int32)
        trade_id = np.zeros(count, np.int64)
        for symbol in range(symbols):
            own = symbol_id == symbol
            trade_id[own] = 1_000 * (symbol + 1) + np.arange(own.sum())
        pauses = random.integers(0, longest_pause_ms, count) * (random.random(count) < 0.3)
        return TradeBatch(
            symbol_id=symbol_id,
            id=trade_id,
            time_ms=1_700_000_000_000 + np.cumsum(pauses),
            price=np.round(60_000 + np.cumsum(random.normal(0, 1, count)), 1),
            size=np.round(random.exponential(0.5, count) + 0.001, 3),
            buyer_is_maker=random.random(count) < 0.5,
            received_ns=np.zeros(count, np.int64),
        )

    return make


@pytest.fixture(scope="session")
def trades() -> Callable[..., TradeBatch]:
    """Makes trades of one symbol from ``(id, time_ms, price, size)`` rows; the aggressor always buys."""

    def make(rows: Sequence[tuple[int, int, float, float]], symbol_id: int = 0) -> TradeBatch:
        return TradeBatch(
            symbol_id=np.full(len(rows), symbol_id, np.int32),
            id=np.array([row[0] for row in rows], np.int64),
            time_ms=np.array([row[1] for row in rows], np.int64),
            price=np.array([row[2] for row in rows], np.float64),
            size=np.array([row[3] for row in rows], np.float64),
            buyer_is_maker=np.zeros(len(rows), np.bool_),
            received_ns=np.zeros(len(rows), np.int64),
        )

    return make
