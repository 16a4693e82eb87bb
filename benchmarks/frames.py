"""A seeded tape of aggregated trades as the exchange sends them: several symbols, prices on ticks, sizes with a heavy
tail, orders that sweep several levels of the book within one millisecond, ids without holes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

START_MS = 1_790_000_000_000
TRADES_PER_S = 1_000  # in the exchange's time: a busy hour of twenty symbols
CHANCE_OF_NEXT_LEVEL = 0.5
EVENT_LAG_MS = 90
SYMBOLS = (  # name, price, decimals of a price, decimals of a size
    ("BTCUSDT", 83_000.0, 1, 3),
    ("ETHUSDT", 3_100.0, 2, 3),
    ("SOLUSDT", 160.0, 4, 2),
    ("XRPUSDT", 2.2, 4, 1),
    ("BNBUSDT", 950.0, 3, 2),
    ("DOGEUSDT", 0.17, 6, 0),
    ("1000PEPEUSDT", 0.011, 7, 0),
    ("ADAUSDT", 0.52, 5, 0),
    ("SUIUSDT", 2.9, 6, 1),
    ("LINKUSDT", 14.5, 3, 2),
    ("AVAXUSDT", 23.0, 4, 0),
    ("WIFUSDT", 0.9, 7, 1),
    ("LTCUSDT", 85.0, 2, 3),
    ("NEARUSDT", 2.6, 4, 0),
    ("APTUSDT", 5.1, 5, 1),
    ("ARBUSDT", 0.4, 6, 1),
    ("OPUSDT", 0.7, 7, 1),
    ("BCHUSDT", 480.0, 2, 3),
    ("FILUSDT", 2.3, 3, 1),
    ("INJUSDT", 13.0, 6, 1),
)
_BOOL = ("false", "true")
NAMES = tuple(symbol[0] for symbol in SYMBOLS)


@dataclass(frozen=True, slots=True)
class TradesToSend:
    """Trades in columns, in the order they are sent."""

    symbol: NDArray[np.int64]
    id: NDArray[np.int64]
    first_fill: NDArray[np.int64]
    last_fill: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    price: NDArray[np.float64]
    size: NDArray[np.float64]
    buyer_is_maker: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.id)


def make_tape(trades: int, seed: int = 1) -> TradesToSend:
    draw = np.random.default_rng(seed)
    levels = draw.geometric(1 - CHANCE_OF_NEXT_LEVEL, trades)
    order = np.repeat(np.arange(trades), levels)[:trades]  # which order each trade belongs to
    level = np.arange(trades) - np.flatnonzero(np.diff(order, prepend=-1))[order]
    orders = int(order[-1]) + 1
    weight = 1 / np.arange(1, len(SYMBOLS) + 1) ** 0.9
    order_symbol = draw.choice(len(SYMBOLS), orders, p=weight / weight.sum())
    order_time = np.sort(draw.integers(0, trades * 1000 // TRADES_PER_S, orders))
    symbol = order_symbol[order]
    buys = (draw.random(orders) < 0.5)[order]
    columns = {name: np.zeros(trades, np.int64) for name in ("id", "first_fill", "last_fill")}
    price, size = np.zeros(trades), np.zeros(trades)
    for place, (_, typical, price_decimals, size_decimals) in enumerate(SYMBOLS):
        own = np.flatnonzero(symbol == place)
        walk = typical * np.exp(np.cumsum(draw.normal(0, 3e-5, len(own))))
        ticks = np.round(walk * 10**price_decimals) + np.where(buys[own], level[own], -level[own])
        price[own] = ticks / 10**price_decimals
        lots = np.exp(draw.normal(0, 1.6, len(own))) * 400 / typical * 10**size_decimals
        size[own] = np.maximum(np.round(lots), 1) / 10**size_decimals
        fills = draw.geometric(0.5, len(own))
        columns["id"][own] = draw.integers(10**8, 3 * 10**9) + np.arange(len(own))
        columns["last_fill"][own] = 2 * columns["id"][own[:1]] + np.cumsum(fills)
        columns["first_fill"][own] = columns["last_fill"][own] - fills + 1
    return TradesToSend(
        symbol=symbol,
        time_ms=START_MS + order_time[order],
        price=price,
        size=size,
        buyer_is_maker=~buys,
        **columns,
    )


def payloads(tape: TradesToSend, wrapped: bool = True) -> list[bytes]:
    """JSON text of each trade, in the shape of 2026; wrapped as on a combined connection, or raw."""
    formats = []
    for name, _, price_decimals, size_decimals in SYMBOLS:
        event = (
            f'{{"e":"aggTrade","E":%d,"a":%d,"s":"{name}","p":"%.{price_decimals}f","q":"%.{size_decimals}f",'
            f'"nq":"%.{size_decimals}f","f":%d,"l":%d,"T":%d,"m":%s,"st":1}}'
        )
        formats.append(f'{{"stream":"{name.lower()}@aggTrade","data":{event}}}' if wrapped else event)
    columns = [getattr(tape, field.name).tolist() for field in fields(tape)]
    return [
        (formats[symbol] % (time + EVENT_LAG_MS, id_, price, size, size, first, last, time, _BOOL[maker])).encode()
        for symbol, id_, first, last, time, price, size, maker in zip(*columns, strict=True)
    ]


def framed(payload: bytes) -> bytes:
    """A text message of a WebSocket server (RFC 6455, section 5.2); payloads here are shorter than 64 KiB."""
    size = len(payload)
    head = struct.pack("!BB", 0x81, size) if size < 126 else struct.pack("!BBH", 0x81, 126, size)
    return head + payload


def count_closed_bars(tape: TradesToSend, interval_ms: int, grace_ms: int) -> int:
    """How many bars must have been closed by the end: all but those the newest trades are still in."""
    over_ms = int(tape.time_ms.max()) - grace_ms
    closed = 0
    for place in range(len(SYMBOLS)):
        opens = np.unique(tape.time_ms[tape.symbol == place] // interval_ms)
        if len(opens):
            closed += len(opens) - 1 + int((opens[-1] + 1) * interval_ms <= over_ms)
    return closed
