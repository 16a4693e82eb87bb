"""What an exchange really traded: contiguous ids for each symbol, as frames and as REST rows."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from pairscope.base.id_ranges import Runs, contains
from pairscope.base.model import FloatArray, IntArray, TradeBatch

_FRAME = (
    b'{"stream":"%b@aggTrade","data":{"e":"aggTrade","E":%d,"a":%d,"s":"%b","p":"%.2f","q":"%.3f","nq":"%.3f",'
    b'"f":1,"l":1,"T":%d,"m":%b,"st":1}}'
)
_ROW = b'{"a":%d,"p":"%.2f","q":"%.3f","nq":"%.3f","f":1,"l":1,"T":%d,"m":%b}'
_BOOL = (b"false", b"true")


@dataclass(frozen=True, slots=True)
class Truth:
    """All trades of one symbol, in the order of their ids."""

    symbol: str
    first_id: int
    time_ms: IntArray
    price: FloatArray
    size: FloatArray
    maker: list[bool]

    @property
    def last_id(self) -> int:
        return self.first_id + len(self.time_ms) - 1

    def sent_before(self, time_ms: int) -> int:
        """The first id that has not been sent at a time; ids are sent in order."""
        reached = np.maximum.accumulate(self.time_ms)
        return self.first_id + int(np.searchsorted(reached, time_ms))

    def frame(self, trade_id: int) -> bytes:
        i = trade_id - self.first_id
        name, symbol, time_ms = self.symbol.lower().encode(), self.symbol.encode(), int(self.time_ms[i])
        numbers = (self.price[i], self.size[i], self.size[i], time_ms)
        return _FRAME % (name, time_ms + 40, trade_id, symbol, *numbers, _BOOL[self.maker[i]])

    def row(self, trade_id: int) -> bytes:
        i = trade_id - self.first_id
        numbers = (self.price[i], self.size[i], self.size[i], int(self.time_ms[i]))
        return _ROW % (trade_id, *numbers, _BOOL[self.maker[i]])

    def without(self, missing: Runs, symbol_id: int, from_id: int, to_id: int) -> TradeBatch:
        """Trades of a half-open range of ids that are not missing, as a tape should have them."""
        ids = np.arange(from_id, to_id)
        ids = ids[~contains(missing, ids)]
        places = ids - self.first_id
        return TradeBatch(
            symbol_id=np.full(len(ids), symbol_id, np.int32),
            id=ids,
            time_ms=self.time_ms[places],
            price=self.price[places],
            size=self.size[places],
            buyer_is_maker=np.array(self.maker, np.bool_)[places],
            received_ns=np.zeros(len(ids), np.int64),
        )


def invented(symbol: str, trades: int, from_ms: int, to_ms: int, rng: random.Random) -> Truth:
    """Trades at random times, some of them in bursts; in one world of ten the times step back a little now and then."""
    draw = np.random.default_rng(rng.getrandbits(32))
    times = draw.integers(from_ms, to_ms, trades)
    burst = draw.integers(from_ms, to_ms)
    times[: trades // 4] = np.minimum(burst + draw.integers(0, 2_000, trades // 4), to_ms - 1)
    times.sort()
    if rng.random() < 0.1:
        times -= np.where(draw.random(trades) < 0.2, draw.integers(0, 300, trades), 0)
    price = np.round(100 + np.cumsum(draw.normal(0, 0.05, trades)), 2)
    size = draw.integers(1, 5_000, trades) / 1_000
    return Truth(symbol, rng.randint(1, 10**9), times, price, size, (draw.random(trades) < 0.5).tolist())
