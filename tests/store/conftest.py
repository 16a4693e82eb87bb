"""Tools of the store's tests: real DuckDB files in a temporary folder."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import duckdb
import numpy as np
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.errors import StoreUnavailable
from pairscope.base.interval import DAY_MS
from pairscope.base.model import BAR, BarArray, Origin, TradeBatch, TradeKind
from pairscope.store import data_folder
from pairscope.store.disk import Disk
from pairscope.store.tape import Tape


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the tape of a test lives; neither the file nor its folder is there yet."""
    return tmp_path / "data" / "tape.duckdb"


@pytest.fixture
def open_store(path: Path) -> Iterator[Callable[..., Tape]]:
    """Opens the tape, with two symbols known, and closes it at the end of the test."""
    stores: list[Tape] = []

    def open_(**options: Any) -> Tape:
        settings: dict[str, Any] = {"kind": TradeKind.AGG, "clock": SystemClock(), "commit_ms": 5, **options}
        store = Tape.open(path, **settings)
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


DAY_ZERO_MS = 20_000 * DAY_MS


@pytest.fixture(scope="session")
def day_trades() -> Callable[..., TradeBatch]:
    """Makes the trades of a part of a day, spread evenly: `day_trades(2, 100, 50)` are 50 of the third day."""

    def make(
        day: int, first_id: int, count: int, symbol_id: int = 0, hours: tuple[float, float] = (0, 24)
    ) -> TradeBatch:
        ids = np.arange(first_id, first_id + count)
        start, end = (DAY_ZERO_MS + day * DAY_MS + round(hour * 3_600_000) for hour in hours)
        time_ms = start + np.arange(count) * (end - start) // max(count, 1)
        return TradeBatch(
            symbol_id=np.full(count, symbol_id, np.int32),
            id=ids,
            time_ms=time_ms,
            price=100 + ids % 7 / 10,
            size=(1 + ids % 3) / 2,
            buyer_is_maker=ids % 2 == 0,
            received_ns=time_ms * 1_000_000 + ids % 1_000,
            origin=np.full(count, Origin.WS, np.uint8),
        )

    return make


@pytest.fixture(scope="session")
def hour_bars() -> Callable[..., BarArray]:
    """Makes the 24 bars of a day, of one hour each."""

    def make(day: int, symbol_id: int = 0, close: float = 1.0) -> BarArray:
        bars = np.zeros(24, BAR)
        bars["symbol_id"], bars["interval_ms"], bars["close"], bars["status"] = symbol_id, 3_600_000, close, 1
        bars["open_time_ms"] = DAY_ZERO_MS + day * DAY_MS + np.arange(24) * 3_600_000
        return bars

    return make


class Stumble(Disk):
    """A disk, and a way to open DuckDB files, on which one operation fails, or every one from then on.

    Operations are the statements of every connection and the calls of `Disk`. `fail_at` counts them from the call of
    `arm`. A failure comes before the operation took effect or, with `after`, when it has.
    """

    def __init__(self) -> None:
        self.fails: Callable[[int, str], bool] = lambda number, name: False
        self.after = False
        self.strikes = 0
        self.armed = False
        self.names: list[str] = []  # of the operations since then
        self._lock = threading.Lock()

    def arm(self, fails: Callable[[int, str], bool], *, after: bool = False) -> None:
        self.fails, self.after, self.strikes, self.names = fails, after, 0, []
        self.armed = True

    def heal(self) -> None:
        self.armed = False

    def around(self, name: str, act: Callable[[], Any], error: Exception) -> Any:
        struck = False
        if self.armed:
            with self._lock:
                self.names.append(name)
                number = len(self.names)
            struck = self.fails(number, name)
            self.strikes += struck
        if struck and not self.after:
            raise error
        result = act()
        if struck:
            raise error
        return result

    def connect(self, path: Path, config: data_folder.Config) -> duckdb.DuckDBPyConnection:
        opened = data_folder.connect(path, config)
        try:
            self.statement("connect", lambda: None)
        except duckdb.IOException:
            opened.close()
            raise
        return wired(opened, self)

    def statement(self, text: str, act: Callable[[], Any]) -> Any:
        return self.around(text, act, duckdb.IOException("IO Error: No space left on device"))

    def call(self, name: str, act: Callable[[], Any]) -> Any:
        return self.around(name, act, OSError(errno.ENOSPC, "No space left on device"))

    def make_folder(self, folder: Path) -> None:
        self.call("make_folder", lambda: super(Stumble, self).make_folder(folder))

    def sync(self, path: Path) -> None:
        self.call("sync", lambda: super(Stumble, self).sync(path))

    def rename(self, old: Path, new: Path) -> None:
        self.call("rename", lambda: super(Stumble, self).rename(old, new))

    def remove(self, path: Path) -> None:
        self.call("remove", lambda: super(Stumble, self).remove(path))

    def stamp(self, path: Path) -> tuple[int, int]:
        return cast(tuple[int, int], self.call("stamp", lambda: super(Stumble, self).stamp(path)))

    def sha256(self, path: Path) -> str:
        return cast(str, self.call("sha256", lambda: super(Stumble, self).sha256(path)))

    def free_bytes(self, folder: Path) -> int:
        return cast(int, self.call("free_bytes", lambda: super(Stumble, self).free_bytes(folder)))


class _Wired:
    """A connection whose statements pass through a `Stumble`, as do those of its cursors."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, stumble: Stumble) -> None:
        self._connection = connection
        self._stumble = stumble

    def execute(self, query: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        act = lambda: self._connection.execute(query, parameters)  # noqa: E731
        return cast(duckdb.DuckDBPyConnection, self._stumble.statement(query.strip(), act))

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return wired(self._connection.cursor(), self._stumble)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def wired(connection: duckdb.DuckDBPyConnection, stumble: Stumble) -> duckdb.DuckDBPyConnection:
    return cast(duckdb.DuckDBPyConnection, _Wired(connection, stumble))


@pytest.fixture
def stumble() -> Stumble:
    """A disk that fails when told to: `open_store(connect=stumble.connect, disk=stumble)`."""
    return Stumble()
