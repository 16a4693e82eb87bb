"""Misbehaviour of what is told, on command: rows without a price, a symbol that died, a listing that lacks or adds one.

The streams and REST tell the same here, as the real exchange does: nothing can be asked for again and come right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pairscope.base.reading import ascii_upper
from pairscope.feed.binance.simulator.wire import Frame

_PRICE_AND_SIZE = re.compile(rb'"([pq])":"[^"]*"')
_TIME = re.compile(rb'"T":(\d+)')
_ID = re.compile(rb'"[at]":(\d+)')


@dataclass(frozen=True, slots=True)
class SimulatedInstrument:
    """What ``exchangeInfo`` says of a symbol; steps as the exchange writes them."""

    symbol: str
    tick_size: str
    step_size: str
    price_decimals: int
    size_decimals: int
    status: str = "TRADING"


@dataclass(slots=True)
class DataFaults:
    """What is wrong with the data, by symbol, until told otherwise.

    >>> faults = DataFaults()
    >>> faults.unprice("BTCUSDT", every=2)
    >>> faults.rows("BTCUSDT", [b'{"a":7,"p":"5.0","q":"1","T":3}', b'{"a":8,"p":"5.0","q":"1","T":3}'])
    [b'{"a":7,"p":"5.0","q":"1","T":3}', b'{"a":8,"p":"0","q":"0","T":3}']
    """

    _unpriced: dict[str, int] = field(default_factory=dict)  # each which id
    _last_ms: dict[str, int] = field(default_factory=dict)  # of those that died
    _delisted: set[str] = field(default_factory=set)
    _added: list[str] = field(default_factory=list)
    _states: dict[str, str] = field(default_factory=dict)

    def unprice(self, symbol: str, *, every: int = 1) -> None:
        """Tell trades whose id is a multiple without price and size; 0 ends it."""
        self._unpriced.pop(symbol, None)
        if every:
            self._unpriced[symbol] = every

    def die(self, symbol: str, last_ms: int | None) -> None:
        """Nothing of a symbol is traded after a moment of the exchange's time, and it stays listed; None ends it."""
        self._last_ms.pop(symbol, None)
        if last_ms is not None:
            self._last_ms[symbol] = last_ms

    def delist(self, *symbols: str) -> None:
        """Exactly these are listed no more: nothing is told of them, and who asks is told that they are invalid."""
        self._delisted = set(symbols)

    def list_also(self, *symbols: str) -> None:
        """Exactly these are listed besides, in whatever letters; nobody trades them."""
        self._added = list(symbols)

    def halt(self, symbol: str, status: str = "TRADING") -> None:
        """Say that a symbol is in another state than trading, such as SETTLING; TRADING ends it."""
        self._states[symbol] = status

    def is_added(self, symbol: str) -> bool:
        return symbol in self._added

    def listed(self, symbols: Iterable[SimulatedInstrument]) -> list[SimulatedInstrument]:
        """What is listed instead of these."""
        states = self._states
        found = [
            replace(each, status=states[each.symbol]) if each.symbol in states else each
            for each in symbols
            if each.symbol not in self._delisted
        ]
        return found + [replace(found[0], symbol=symbol) for symbol in self._added if found]

    def rows(self, symbol: str, rows: list[bytes]) -> list[bytes]:
        """What is told instead of these rows of a symbol."""
        if symbol in self._delisted:
            return []
        last_ms, every = self._last_ms.get(symbol), self._unpriced.get(symbol)
        if last_ms is not None:
            rows = [row for row in rows if _number(_TIME, row) <= last_ms]
        if every is not None:
            rows = [_PRICE_AND_SIZE.sub(rb'"\1":"0"', row) if _number(_ID, row) % every == 0 else row for row in rows]
        return rows

    def apply(self, frames: list[Frame]) -> list[Frame]:
        """What is sent instead of these frames."""
        if not (self._delisted or self._last_ms or self._unpriced):
            return frames
        out = []
        for frame in frames:
            symbol = ascii_upper(frame.stream.partition("@")[0])
            out += [Frame(frame.stream, data) for data in self.rows(symbol, [frame.data])]
        return out


def _number(pattern: re.Pattern[bytes], row: bytes) -> int:
    found = pattern.search(row)
    return int(found[1]) if found else 0
