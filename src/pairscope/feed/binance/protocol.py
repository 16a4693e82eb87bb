"""Binance USD-M Futures on the wire: subscriptions out, events in. No socket, no clock.

A connection delivers JSON text frames, either wrapped (``{"stream":..., "data":{...}}``, route ``/stream``) or raw
(route ``/ws``). `Decoder.decode` turns a burst of frames into columns at once; whatever is not a trade comes
back as a note. A sample message stands beside each branch that handles it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np

from pairscope.base.instrument import ContractKind, Instrument
from pairscope.base.model import BoolArray, IntArray, Origin, Rows, SymbolTable, TradeBatch, TradeKind
from pairscope.base.reading import ascii_lower
from pairscope.feed.loose import LooseRow, loose_row

# An acknowledged subscription on the wrong route stays silent for ever: the exchange sends no error.
ROUTES = {TradeKind.AGG: "/market", TradeKind.RAW: "/public"}
SAMPLE_BYTES = 300

# What decoding raises; text that is no UTF-8 inside a string raises an error of Python's, not one of msgspec's.
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

_Id = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_Ms = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class FrameFault(enum.StrEnum):
    """Why a frame was not taken; trades are judged by `feed.judge`."""

    UNDECODABLE = "undecodable"
    UNKNOWN_SYMBOL = "unknown_symbol"
    OTHER_EVENT = "other_event"


# {"e":"aggTrade","E":1791382992488,"a":3477868433,"s":"BTCUSDT","p":"83091.70","q":"0.022","nq":"0.022",
#  "f":8153634393,"l":8153634394,"T":1791382992338,"m":false,"st":1}
# `a` is contiguous per symbol; `f` and `l` are not, and T is the time of the first fill. Keys come and go: `nq`
# since 2025-12, `st` since 2026-06. Unknown ones are ignored.
class AggTrade(msgspec.Struct, gc=False, tag_field="e", tag="aggTrade"):
    symbol: str = msgspec.field(name="s")
    id: _Id = msgspec.field(name="a")
    price: float = msgspec.field(name="p")
    size: float = msgspec.field(name="q")
    time_ms: _Ms = msgspec.field(name="T")
    event_ms: _Ms = msgspec.field(name="E")
    buyer_is_maker: bool = msgspec.field(name="m")


# {"e":"trade","E":1789893896920,"T":1789893896920,"s":"BTCUSDT","t":8097313955,"p":"80227.00","q":"0.010",
#  "X":"MARKET","m":true,"st":1}
# X is MARKET, INSURANCE_FUND (off-market price) or NA (p and q "0"); all of them carry ids of the one sequence.
class RawTrade(msgspec.Struct, gc=False, tag_field="e", tag="trade"):
    symbol: str = msgspec.field(name="s")
    id: _Id = msgspec.field(name="t")
    price: float = msgspec.field(name="p")
    size: float = msgspec.field(name="q")
    time_ms: _Ms = msgspec.field(name="T")
    event_ms: _Ms = msgspec.field(name="E")
    buyer_is_maker: bool = msgspec.field(name="m")
    execution: str = msgspec.field(name="X", default="MARKET")


TradeEvent = AggTrade | RawTrade
_ID_KEYS = {TradeKind.AGG: "a", TradeKind.RAW: "t"}


class _LooseTrade(NamedTuple):
    """A trade event that has a readable id, and something that could not be read."""

    symbol: str
    id: int
    price: float
    size: float
    time_ms: int
    event_ms: int
    buyer_is_maker: bool | None
    execution: str


class _WrappedAgg(msgspec.Struct, gc=False):
    data: AggTrade


class _WrappedRaw(msgspec.Struct, gc=False):
    data: RawTrade


class _RestAggTrade(msgspec.Struct, gc=False):
    id: _Id = msgspec.field(name="a")
    price: float = msgspec.field(name="p")
    size: float = msgspec.field(name="q")
    time_ms: _Ms = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The exchange received a request. It proves nothing: unknown streams are acknowledged too."""

    request_id: int | None
    result: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """The exchange refused a request; often followed by a close with code 1008."""

    code: int
    message: str
    request_id: int | None


@dataclass(frozen=True, slots=True)
class ServerShutdown:
    """The exchange will close this connection soon."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A frame that is no trade we asked for; the sample is for the log."""

    reason: FrameFault
    sample: bytes


Note = Acknowledged | Refused | ServerShutdown | Rejected


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a burst of frames held.

    `rows` are trades in order of arrival, as they were told: nothing is judged yet.
    """

    rows: Rows
    rejected: dict[FrameFault, int]  # trades of symbols nobody asked for
    notes: list[Note]
    frames: int
    event_ms: int  # the exchange's clock in the newest event; 0 without one


def stream_name(symbol: str, kind: TradeKind) -> str:
    """The stream of a symbol; lower case, or the exchange acknowledges and stays silent.

    >>> stream_name("BTCUSDT", TradeKind.AGG)
    'btcusdt@aggTrade'
    """
    return f"{ascii_lower(symbol)}@{kind.value}"


def stream_url(base: str, kind: TradeKind) -> str:
    """The address of a connection that wraps its frames and has no subscription yet.

    >>> stream_url("wss://fstream.binance.com", TradeKind.AGG)
    'wss://fstream.binance.com/market/stream'
    """
    return f"{base.rstrip('/')}{ROUTES[kind]}/stream"


def subscriptions(
    streams: Iterable[str], first_id: int = 1, batch: int = 100, method: str = "SUBSCRIBE"
) -> Iterator[bytes]:
    """SUBSCRIBE (or UNSUBSCRIBE) requests for any number of streams; at most ten a second may be sent.

    >>> list(subscriptions(["btcusdt@aggTrade"]))
    [b'{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}']
    """
    names = list(streams)
    for number, start in enumerate(range(0, len(names), batch)):
        yield msgspec.json.encode({"method": method, "params": names[start : start + batch], "id": first_id + number})


class Decoder:
    """Frames to columns, for one kind of trades and one table of symbols."""

    def __init__(self, kind: TradeKind, symbols: SymbolTable) -> None:
        wrapped: type[_WrappedAgg | _WrappedRaw] = _WrappedAgg if kind is TradeKind.AGG else _WrappedRaw
        plain: type[TradeEvent] = AggTrade if kind is TradeKind.AGG else RawTrade
        self._wrapped = msgspec.json.Decoder(wrapped, strict=False)
        self._plain = msgspec.json.Decoder(plain, strict=False)
        self._symbols = symbols
        self._kind = kind

    def decode(self, frames: Sequence[bytes], received_ns: IntArray) -> Decoded:
        """Decode frames in the order they arrived; `received_ns` has one entry for each."""
        notes: list[Note] = []
        unreadable: BoolArray | None = None
        try:
            events = [envelope.data for envelope in map(self._wrapped.decode, frames)]
        except _UNREADABLE:
            events, places = self._one_by_one(frames, notes)
            received_ns = received_ns[places]
            unreadable = np.array([event.buyer_is_maker is None for event in events], np.bool_)
        return self._columns(events, received_ns, unreadable, notes, len(frames))

    def _one_by_one(self, frames: Sequence[bytes], notes: list[Note]) -> tuple[list[Any], IntArray]:
        events: list[Any] = []
        places: list[int] = []
        for place, frame in enumerate(frames):
            event = self._trade(frame) or self._loose(frame)
            if event is None:
                notes.append(note(frame))
            else:
                events.append(event)
                places.append(place)
        return events, np.array(places, np.int64)

    def _loose(self, frame: bytes) -> _LooseTrade | None:
        """A trade of the kind that was asked for, and that is not as it should be; its id counts."""
        try:
            message = msgspec.json.decode(frame)
        except _UNREADABLE:
            return None
        data = message.get("data", message) if isinstance(message, dict) else None
        if not isinstance(data, dict) or data.get("e") != self._kind.value or not isinstance(data.get("s"), str):
            return None
        row = loose_row(*(data.get(key) for key in (_ID_KEYS[self._kind], "p", "q", "T", "m")))
        if row is None:
            return None
        event_ms = data.get("E")
        return _LooseTrade(
            data["s"],
            row.id,
            row.price,
            row.size,
            row.time_ms,
            event_ms if isinstance(event_ms, int) and 0 <= event_ms <= 2**53 else 0,
            row.buyer_is_maker,
            str(data.get("X", "MARKET")),
        )

    def _trade(self, frame: bytes) -> TradeEvent | None:
        try:
            return self._wrapped.decode(frame).data
        except _UNREADABLE:
            pass
        try:
            return self._plain.decode(frame)
        except _UNREADABLE:
            return None

    def _columns(
        self, events: list[Any], received_ns: IntArray, unreadable: BoolArray | None, notes: list[Note], frames: int
    ) -> Decoded:
        index = self._symbols.get
        trades = TradeBatch(
            symbol_id=np.array([index(e.symbol) for e in events], np.int32),
            id=np.array([e.id for e in events], np.int64),
            time_ms=np.array([e.time_ms for e in events], np.int64),
            price=np.array([e.price for e in events], np.float64),
            size=np.array([e.size for e in events], np.float64),
            buyer_is_maker=np.array([e.buyer_is_maker for e in events], np.bool_),
            received_ns=received_ns,
        )
        rejected: dict[FrameFault, int] = {}
        known = trades.symbol_id >= 0
        if not known.all():  # symbols nobody asked for: they have no id sequence of ours
            rejected[FrameFault.UNKNOWN_SYMBOL] = int((~known).sum())
            trades = trades.take(known)
            events = [event for event, kept in zip(events, known.tolist(), strict=True) if kept]
            unreadable = None if unreadable is None else unreadable[known]
        not_market = None
        if self._kind is TradeKind.RAW:
            not_market = np.array([e.execution != "MARKET" for e in events], np.bool_)
        event_ms = events[-1].event_ms if events else 0
        return Decoded(Rows(trades, unreadable, not_market), rejected, notes, frames, event_ms)


def note(frame: bytes) -> Note:
    """What a frame that is no trade says."""
    undecodable = Rejected(FrameFault.UNDECODABLE, frame[:SAMPLE_BYTES])
    try:
        message = msgspec.json.decode(frame)
    except _UNREADABLE:
        return undecodable
    if not isinstance(message, dict):
        return undecodable
    return _control(message) or _event(message, frame) or undecodable


def _control(message: dict[str, Any]) -> Note | None:
    # {"result":null,"id":1}   {"result":["btcusdt@aggTrade"],"id":3}
    if "result" in message:
        return Acknowledged(_integer(message.get("id")), message["result"])
    # measured: {"error":{"code":4,"msg":"Too many subscriptions"},"id":1}   documented: {"code":2,"msg":"..."}
    nested = message.get("error")
    error = nested if isinstance(nested, dict) else message
    code = _integer(error.get("code"))
    if code is not None and "msg" in error:
        return Refused(code, str(error["msg"])[:SAMPLE_BYTES], _integer(message.get("id")))
    return None


def _event(message: dict[str, Any], frame: bytes) -> Note | None:
    data = message.get("data", message)
    kind = data.get("e") if isinstance(data, dict) else None
    # {"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}
    if kind == "serverShutdown":
        return ServerShutdown()
    if kind in ("aggTrade", "trade") and not _complete(data):
        return None
    # {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker",...}}: nothing that is kept
    return Rejected(FrameFault.OTHER_EVENT, frame[:SAMPLE_BYTES]) if isinstance(kind, str) else None


def _complete(data: dict[str, Any]) -> bool:
    """Whether a trade event is well formed, so that it is one of the kind that was not asked for."""
    try:
        msgspec.convert(data, TradeEvent, strict=False)
    except msgspec.ValidationError:
        return False
    return True


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_rest_page = msgspec.json.Decoder(list[_RestAggTrade], strict=False)


def decode_agg_trades(body: bytes, symbol_id: int, received_ns: int) -> Rows:
    """A page of REST ``aggTrades``, as it was told; rows have neither symbol nor event time.

    ``[{"a":3477868380,"p":"83084.30","q":"0.002","nq":"0.002","f":8153634282,"l":8153634282,"T":1791382990569,"m":true}]``

    Raises:
        msgspec.MsgspecError: when the body is no such page.
    """
    rows: Sequence[LooseRow | _RestAggTrade]
    try:
        rows = _rest_page.decode(body)
    except msgspec.ValidationError:
        rows = _loose_page(body)
    told = ((r.id, r.time_ms, r.price, r.size, r.buyer_is_maker) for r in rows)
    page = TradeBatch.of_symbol(symbol_id, told, received_ns, Origin.REST)
    return Rows(page, side_unreadable=np.array([r.buyer_is_maker is None for r in rows], np.bool_))


def _loose_page(body: bytes) -> list[LooseRow]:
    """A page with rows that are not as they should be; rows without a readable id are left out."""
    page = msgspec.json.decode(body, type=list[dict[str, Any]])
    rows = [loose_row(*(row.get(key) for key in ("a", "p", "q", "T", "m"))) for row in page]
    found = [row for row in rows if row is not None]
    if page and not found:
        raise msgspec.ValidationError("no row of the page has an id")
    return found


# Sizes of all of them are in the base asset: a contract is one unit of it.
_KINDS = {
    "PERPETUAL": ContractKind.PERPETUAL,
    "TRADIFI_PERPETUAL": ContractKind.PERPETUAL,
    "CURRENT_QUARTER": ContractKind.FUTURE,
    "NEXT_QUARTER": ContractKind.FUTURE,
    "CURRENT_MONTH": ContractKind.FUTURE,
    "NEXT_MONTH": ContractKind.FUTURE,
}


def decode_instruments(body: bytes) -> dict[str, Instrument]:
    """Assets and steps from ``exchangeInfo``; its filters are right, its ``pricePrecision`` is not.

    ``{"symbol":"BTCUSDT","contractType":"PERPETUAL","baseAsset":"BTC","quoteAsset":"USDT","onboardDate":1569398400000,...}``
    """
    instruments = {}
    for row in msgspec.json.decode(body).get("symbols", ()):
        filters = {f["filterType"]: f for f in row.get("filters", ())}
        if "PRICE_FILTER" not in filters or "LOT_SIZE" not in filters:
            continue
        instruments[row["symbol"]] = Instrument(
            symbol=row["symbol"],
            tick_size=float(filters["PRICE_FILTER"]["tickSize"]),
            step_size=float(filters["LOT_SIZE"]["stepSize"]),
            status=row.get("status", ""),
            listed_ms=_integer(row.get("onboardDate")),
            base=row.get("baseAsset") or None,
            quote=row.get("quoteAsset") or None,
            kind=_KINDS.get(row.get("contractType", ""), ContractKind.OTHER),
        )
    return instruments
