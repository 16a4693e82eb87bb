"""Tools of the store's tests: real DuckDB files in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.errors import StoreUnavailable
from pairscope.base.model import Origin, TradeBatch, TradeKind
from pairscope.store.tape import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the tape of a test lives; neither the file nor its folder is there yet."""
    return tmp_path / "data" / "tape.duckdb"


@pytest.fixture
def open_store(path: Path) -> Iterator[Callable[..., Store]]:
    """Opens the tape, with two symbols known, and closes it at the end of the test."""
    stores: list[Store] = []

    def open_(**options: Any) -> Store:
        settings: dict[str, Any] = {"kind": TradeKind.AGG, "clock": SystemClock(), "commit_ms": 5, **options}
        store = Store.open(path, **settings)
        stores.append(store)
        store.symbols.add("BTCUSDT")
        store.symbols.add("ETHUSDT")
        return store

    yield open_
    for store in stores:
        try:
            store.close()
        except StoreUnavailable:
            continue


@pytest.fixture(scope="session")
def trades() -> Callable[..., TradeBatch]:
    """Makes trades with ids in a row, each one millisecond after the one before."""

    def make(first_id: int, count: int, symbol_id: int = 0, origin: Origin = Origin.WS) -> TradeBatch:
        ids = np.arange(first_id, first_id + count)
        return TradeBatch(
            symbol_id=np.full(count, symbol_id, np.int32),
            id=ids,
            time_ms=1_000_000 + ids,
            price=(100 + ids % 7).astype(np.float64),
            size=(1 + ids % 3).astype(np.float64) / 2,
            buyer_is_maker=ids % 2 == 0,
            received_ns=(1_000_000 + ids) * 1_000_000 + 5,
            origin=np.full(count, origin, np.uint8),
        )

    return make
