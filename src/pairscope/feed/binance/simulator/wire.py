"""The exchange's side of the wire format: stream names, frames, rows and replies, as text.

Written on its own, without the client's decoder, so that the two check each other. Shapes and key order are
those of 2026.
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from pairscope.base.reading import ascii_lower
from pairscope.feed.binance.simulator.listing import Listing
from pairscope.feed.binance.simulator.market import AggTrades


class Route(enum.StrEnum):
    MARKET = "market"
    PUBLIC = "public"
    PRIVATE = "private"


class Frame(NamedTuple):
    """What one stream says at one moment, without the envelope of a combined connection."""

    stream: str
    data: bytes

    def combined(self) -> bytes:
        return b'{"stream":"%b","data":%b}' % (self.stream.encode(), self.data)


_MARKET_KINDS = re.compile(
    r"aggTrade|kline_\w+|continuousKline_\w+|markPrice(@1s)?|miniTicker|ticker|forceOrder|compositeIndex"
)
_PUBLIC_KINDS = re.compile(r"trade|bookTicker|depth\d*(@\d+ms)?|rpiDepth@500ms")


def route_of(stream: str) -> Route | None:
    """The one route that serves a stream; None when there is no such stream.

    >>> route_of("btcusdt@aggTrade").value, route_of("btcusdt@trade").value, route_of("BTCUSDT@trade")
    ('market', 'public', None)
    """
    if stream.startswith("!"):
        return Route.PUBLIC if stream == "!bookTicker" else Route.MARKET
    symbol, _, kind = stream.partition("@")
    if symbol != ascii_lower(symbol):
        return None
    if _MARKET_KINDS.fullmatch(kind):
        return Route.MARKET
    return Route.PUBLIC if _PUBLIC_KINDS.fullmatch(kind) else None


def text_frame(payload: bytes) -> bytes:
    """A WebSocket text message of a server: RFC 6455, section 5.2, unmasked."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


# Trades.

_AGG_TRADE = (
    b'{"e":"aggTrade","E":%%d,"a":%%d,"s":"%b","p":"%%.%df","q":"%%.%df","nq":"%%.%df","f":%%d,"l":%%d,"T":%%d,'
    b'"m":%%b,"st":1}'
)
_AGG_ROW = b'{"a":%%d,"p":"%%.%df","q":"%%.%df","nq":"%%.%df","f":%%d,"l":%%d,"T":%%d,"m":%%b}'
_TRADE = b'{"e":"trade","E":%%d,"T":%%d,"s":"%b","t":%%d,"p":"%%.%df","q":"%%.%df","X":"MARKET","m":%%b,"st":1}'
_NO_TRADE = b'{"e":"trade","E":%%d,"T":%%d,"s":"%b","t":%%d,"p":"0","q":"0","X":"NA","m":%%b,"st":1}'
_BOOL = (b"false", b"true")
_FILL_SLOT_MS = 9  # a fill is sent 0 to 8 ms after it happened


def agg_frames(listing: Listing, trades: AggTrades) -> list[tuple[int, Frame]]:
    """An ``aggTrade`` frame for each trade, with the time it is sent."""
    stream = f"{ascii_lower(listing.symbol)}@aggTrade"
    decimals = (listing.price_decimals, listing.size_decimals, listing.size_decimals)
    form = _AGG_TRADE % (listing.symbol.encode(), *decimals)
    return [
        (sent, Frame(stream, form % (sent, id_, price, size, size, first, last, time, _BOOL[maker])))
        for id_, first, last, time, price, size, maker, sent in _rows(trades)
    ]


def agg_rows(listing: Listing, trades: AggTrades) -> list[bytes]:
    """The same trades as rows of REST ``aggTrades``."""
    form = _AGG_ROW % (listing.price_decimals, listing.size_decimals, listing.size_decimals)
    return [
        form % (id_, price, size, size, first, last, time, _BOOL[maker])
        for id_, first, last, time, price, size, maker, _ in _rows(trades)
    ]


def _rows(trades: AggTrades) -> Iterable[tuple[int, int, int, int, float, float, bool, int]]:
    return zip(
        trades.id.tolist(),
        trades.first_fill.tolist(),
        trades.last_fill.tolist(),
        trades.time_ms.tolist(),
        trades.price.tolist(),
        trades.size.tolist(),
        trades.buyer_is_maker.tolist(),
        trades.flush_ms.tolist(),
        strict=True,
    )


def fill_frames(listing: Listing, trades: AggTrades) -> list[tuple[int, Frame]]:
    """A ``trade`` frame for each id the trades used up, with the time it is sent.

    The size of a trade is shared evenly among its fills, larger parts first; a burnt id is sent as a
    placeholder without price and size.
    """
    stream = f"{ascii_lower(listing.symbol)}@trade"
    symbol = listing.symbol.encode()
    form = _TRADE % (symbol, listing.price_decimals, listing.size_decimals)
    nothing = _NO_TRADE % symbol
    unit = 10**listing.size_decimals
    lots = np.rint(trades.size * unit).astype(np.int64).tolist()
    frames = []
    for row, burnt, lot in zip(_rows(trades), trades.burnt.tolist(), lots, strict=True):
        _, first, last, time, price, _, maker, _ = row
        sent = fill_sent_ms(time)
        hole = last + 1 if burnt == 1 else first + 1 if burnt == 2 else -1
        fills = last - first + (0 if burnt == 2 else 1)
        part, larger = divmod(lot, fills)
        for fill in range(first, last + 1 + (burnt == 1)):
            if fill == hole:
                data = nothing % (sent, time, fill, _BOOL[maker])
            else:
                data = form % (sent, time, fill, price, (part + (larger > 0)) / unit, _BOOL[maker])
                larger -= 1
            frames.append((sent, Frame(stream, data)))
    return frames


def fill_sent_ms(time_ms: int) -> int:
    """When a fill is sent: at the end of its 9 ms slot, so that the order of ids is kept."""
    return time_ms - time_ms % _FILL_SLOT_MS + _FILL_SLOT_MS - 1


# Control messages.


@dataclass(frozen=True, slots=True)
class Request:
    """One control message of a client."""

    method: str
    params: list[object]
    id: int


class BadRequest(Exception):
    """A control message the exchange answers with an error, and the code and id it answers with."""

    def __init__(self, code: int, message: str, id_: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.id = id_


METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


def read_request(payload: bytes) -> Request:
    """``{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}``

    Raises:
        BadRequest: for anything else.
    """
    try:
        message = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(3, f"Invalid JSON: {error}") from None
    if not isinstance(message, dict):
        raise BadRequest(2, "Invalid request: an object is expected")
    id_, method, params = message.get("id"), message.get("method"), message.get("params", [])
    if not isinstance(id_, int) or isinstance(id_, bool) or id_ < 0:
        raise BadRequest(2, "Invalid request: request ID must be an unsigned integer")
    if method not in METHODS:
        raise BadRequest(2, f"Invalid request: unknown variant `{method}`, expected one of {', '.join(METHODS)}", id_)
    if not isinstance(params, list):
        raise BadRequest(2, "Invalid request: params must be an array", id_)
    return Request(method, params, id_)


def reply(result: object, id_: int) -> bytes:
    return b'{"result":%b,"id":%d}' % (msgspec.json.encode(result), id_)


def error_reply(code: int, message: str, id_: int | None, *, flat: bool) -> bytes:
    """``{"error":{"code":2,"msg":"..."},"id":1}`` as measured, or flat as documented."""
    error: dict[str, object] = {"code": code, "msg": message}
    body = error if flat else {"error": error} if id_ is None else {"error": error, "id": id_}
    return msgspec.json.encode(body)
