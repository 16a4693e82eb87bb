"""Frames of trades as the exchange usually spells them, read straight into columns by one kernel.

A frame is taken only when each of its bytes is as expected: these keys in this order, no spaces and no escapes, whole
numbers without a sign, decimals that a float is made of exactly, a symbol that is known. Whatever deviates in anything
is left to the reader of `protocol`, which takes every frame that is taken here, with the same values.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairscope.base.jit import kernel
from pairscope.base.model import BoolArray, FloatArray, IntArray, SymbolTable, TradeKind

Bytes = NDArray[np.uint8]

# What follows a literal. The first ends the frame; plain text is passed over, and so are the last of the whole numbers.
_END, _PLAIN, _SYMBOL, _WHOLE, _DECIMAL, _FLAG = range(6)
_ID, _TIME_MS, _EVENT_MS, _PASSED_OVER = range(4)
_PRICE, _SIZE = range(2)
_ID_DIGITS, _MS_DIGITS = 18, 15  # below 2**62 and 2**53, the bounds of `protocol`

_LONGEST_FRAME = 1_024  # on the average of a burst: a copy of all of it is made
_PADDING = bytes(64)  # so that no read ends beyond the text: a zero is in no literal, no number and no text
_MOST_CHARACTERS = 18  # of a decimal with its point: its digits are below 2**63
_EXACT = 2**53
_POWERS = np.array([float(f"1e{k}") for k in range(_MOST_CHARACTERS)])  # below 10**22, so each is exact
_QUOTE, _POINT, _ZERO, _NINE, _BACKSLASH = 34, 46, 48, 57, 92
_FIRST_PLAIN, _LAST_PLAIN = 32, 126
_HASH_BEGIN, _HASH_FACTOR, _HASH_MASK = 2166136261, 16777619, 2**32 - 1


class _Piece(NamedTuple):
    """A literal and what is read after it; an optional one may be absent with its value."""

    literal: bytes
    kind: int = _END
    place: int = 0
    most_digits: int = 0
    optional: bool = False


# {"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1791382992488,"a":3477868433,"s":"BTCUSDT","p":"83091.70",
#  "q":"0.022","nq":"0.022","f":8153634393,"l":8153634394,"T":1791382992338,"m":false,"st":1}}
# {"stream":"btcusdt@trade","data":{"e":"trade","E":1785685177439,"T":1785685177439,"s":"BTCUSDT","t":7947325360,
#  "p":"63113.20","q":"0.001","X":"MARKET","m":false,"st":1}}
_BEGIN = _Piece(b'{"stream":"', _PLAIN)
_SYMBOL_TEXT = _Piece(b',"s":"', _SYMBOL)
_SHAPES = {
    TradeKind.AGG: (
        _BEGIN,
        _Piece(b'","data":{"e":"aggTrade","E":', _WHOLE, _EVENT_MS, _MS_DIGITS),
        _Piece(b',"a":', _WHOLE, _ID, _ID_DIGITS),
        _SYMBOL_TEXT,
        _Piece(b'","p":"', _DECIMAL, _PRICE),
        _Piece(b'","q":"', _DECIMAL, _SIZE),
        _Piece(b'","nq":"', _PLAIN, optional=True),  # since 2025-12
        _Piece(b'","f":', _WHOLE, _PASSED_OVER, _ID_DIGITS),
        _Piece(b',"l":', _WHOLE, _PASSED_OVER, _ID_DIGITS),
        _Piece(b',"T":', _WHOLE, _TIME_MS, _MS_DIGITS),
        _Piece(b',"m":', _FLAG),
        _Piece(b',"st":', _WHOLE, _PASSED_OVER, _ID_DIGITS, optional=True),  # since 2026-06
        _Piece(b"}}"),
    ),
    TradeKind.RAW: (
        _BEGIN,
        _Piece(b'","data":{"e":"trade","E":', _WHOLE, _EVENT_MS, _MS_DIGITS),
        _Piece(b',"T":', _WHOLE, _TIME_MS, _MS_DIGITS),
        _SYMBOL_TEXT,
        _Piece(b'","t":', _WHOLE, _ID, _ID_DIGITS),
        _Piece(b',"p":"', _DECIMAL, _PRICE),
        _Piece(b'","q":"', _DECIMAL, _SIZE),
        _Piece(b'","X":"MARKET","m":', _FLAG),
        _Piece(b',"st":', _WHOLE, _PASSED_OVER, _ID_DIGITS, optional=True),
        _Piece(b"}}"),
    ),
}


@dataclass(frozen=True, slots=True)
class Usual:
    """Columns with a row for each frame, which means nothing where the frame was left."""

    symbol_id: NDArray[np.int32]
    id: IntArray
    time_ms: IntArray
    price: FloatArray
    size: FloatArray
    buyer_is_maker: BoolArray
    taken: BoolArray
    count: int  # how many were taken
    event_ms: int  # the exchange's clock in the last one taken


class UsualReader:
    """Reads the frames of one kind of trades of the symbols of a table, which may grow."""

    def __init__(self, kind: TradeKind, symbols: SymbolTable) -> None:
        shape = _SHAPES[kind]
        ends = list(itertools.accumulate(len(piece.literal) for piece in shape))
        starts = [0, *ends[:-1]]
        self._literals = b"".join(piece.literal for piece in shape)
        self._pieces = np.array(
            [(start, end, *piece[1:]) for start, end, piece in zip(starts, ends, shape, strict=True)], np.int64
        )
        self._symbols = symbols
        self._learn_symbols()

    def _learn_symbols(self) -> None:
        names = [name.encode() for name in self._symbols]
        ends = list(itertools.accumulate(map(len, names), initial=len(self._literals)))
        self._known = len(names)
        self._vocabulary = self._literals + b"".join(names)  # in front of each burst: one array for all text
        self._slots = np.full((1 << (4 * len(names)).bit_length(), 3), -1, np.int64)
        places = np.array(list(itertools.pairwise(ends)), np.int64).reshape(-1, 2)
        _enter(np.frombuffer(self._vocabulary, np.uint8), places, self._slots)

    def read(self, frames: Sequence[bytes]) -> Usual | None:
        """What frames hold that are spelled as usual; None when they are far too long to be."""
        rows = len(frames)
        sizes = np.fromiter(map(len, frames), np.int64, rows)
        if sizes.sum() > _LONGEST_FRAME * rows:
            return None
        if len(self._symbols) != self._known:
            self._learn_symbols()
        symbol_id = np.empty(rows, np.int32)
        ids, time_ms = np.empty(rows, np.int64), np.empty(rows, np.int64)
        price, size = np.empty(rows), np.empty(rows)
        buyer_is_maker, taken = np.empty(rows, np.bool_), np.empty(rows, np.bool_)
        count, event_ms = _read(
            np.frombuffer(b"".join((self._vocabulary, *frames, _PADDING)), np.uint8),
            len(self._vocabulary),
            sizes,
            self._pieces,
            self._slots,
            symbol_id,
            ids,
            time_ms,
            price,
            size,
            buyer_is_maker,
            taken,
        )
        return Usual(symbol_id, ids, time_ms, price, size, buyer_is_maker, taken, count, event_ms)


def warm_up() -> None:
    """Compile the reading of frames, or load it from the cache."""
    UsualReader(TradeKind.AGG, SymbolTable(["A"])).read([b"{}"])


@kernel
def _read(
    text: Bytes,
    start: int,
    sizes: IntArray,
    pieces: IntArray,
    slots: IntArray,
    symbol_id: NDArray[np.int32],
    ids: IntArray,
    time_ms: IntArray,
    price: FloatArray,
    size: FloatArray,
    buyer_is_maker: BoolArray,
    taken: BoolArray,
) -> tuple[int, int]:
    """Fill the columns; how many frames were taken, and the clock in the last of them."""
    whole = np.empty(4, np.int64)
    number = np.empty(2)
    count = 0
    event_ms = 0
    for row in range(len(sizes)):
        stop = start + sizes[row]
        symbol, flag = _read_frame(text, start, stop, pieces, slots, whole, number)
        start = stop
        taken[row] = symbol >= 0
        if symbol >= 0:
            symbol_id[row] = symbol
            ids[row] = whole[_ID]
            time_ms[row] = whole[_TIME_MS]
            price[row] = number[_PRICE]
            size[row] = number[_SIZE]
            buyer_is_maker[row] = flag
            event_ms = whole[_EVENT_MS]
            count += 1
    return count, event_ms


@kernel
def _read_frame(
    text: Bytes, start: int, stop: int, pieces: IntArray, slots: IntArray, whole: IntArray, number: FloatArray
) -> tuple[int, bool]:
    """The symbol of a frame, -1 when the frame is not as usual, and its flag; its numbers in `whole` and `number`.

    Reading may run on into the next frame: then it does not end where it must.
    """
    at = start
    symbol = -1
    flag = False
    for piece in range(len(pieces)):
        literal, literal_end, kind, place, most_digits, optional = (
            pieces[piece, 0],
            pieces[piece, 1],
            pieces[piece, 2],
            pieces[piece, 3],
            pieces[piece, 4],
            pieces[piece, 5],
        )
        if not _is_there(text, at, literal, literal_end):
            if optional:
                continue
            return -1, False
        at += literal_end - literal
        if kind == _WHOLE:
            whole[place], at = _read_whole(text, at, most_digits)
        elif kind == _DECIMAL:
            number[place], at = _read_decimal(text, at)
        elif kind == _SYMBOL:
            symbol, at = _read_symbol(text, at, stop, slots)
        elif kind == _PLAIN:
            at = _pass_over(text, at, stop)
        elif kind == _FLAG:
            flag, at = _read_flag(text, at)
        if at < 0:
            return -1, False
    return (symbol, flag) if at == stop else (-1, False)


@kernel
def _byte(text: Bytes, at: int) -> int:
    """With an index that cannot be negative: Python's meaning of one that is costs a third of all of the time."""
    return int(text[np.uint64(at)])


@kernel
def _is_there(text: Bytes, at: int, start: int, stop: int) -> bool:
    """Whether a literal comes next; all of it is compared at once, as the processor does it best."""
    differences = 0
    for k in range(stop - start):
        differences |= _byte(text, at + k) ^ _byte(text, start + k)
    return differences == 0


@kernel
def _is_name(text: Bytes, at: int, start: int, stop: int) -> bool:
    same = 0
    while same < stop - start and _byte(text, at + same) == _byte(text, start + same):
        same += 1
    return same == stop - start


@kernel
def _is_digit(byte: int) -> bool:
    return _ZERO <= byte <= _NINE


@kernel
def _is_plain(byte: int) -> bool:
    return _FIRST_PLAIN <= byte <= _LAST_PLAIN and byte != _QUOTE and byte != _BACKSLASH


@kernel
def _read_whole(text: Bytes, at: int, most_digits: int) -> tuple[int, int]:
    """A whole number and where it ends: -1 when it is none, begins with a zero too many, or is too long."""
    start = at
    value = 0
    while _is_digit(_byte(text, at)):
        value = value * 10 + (_byte(text, at) - _ZERO)
        at += 1
        if at - start > most_digits:
            return 0, -1
    if at == start or (_byte(text, start) == _ZERO and at - start > 1):
        return 0, -1
    return value, at


@kernel
def _read_decimal(text: Bytes, at: int) -> tuple[float, int]:
    """The float nearest to a decimal and where that ends: -1 when it is none, or one division does not give it."""
    start = at
    mantissa = 0
    while _is_digit(_byte(text, at)) and at - start < _MOST_CHARACTERS:
        mantissa = mantissa * 10 + (_byte(text, at) - _ZERO)
        at += 1
    if at == start or (_byte(text, start) == _ZERO and at - start > 1):
        return 0.0, -1
    places = 0
    if _byte(text, at) == _POINT:
        at += 1
        point = at
        while _is_digit(_byte(text, at)) and at - start < _MOST_CHARACTERS:
            mantissa = mantissa * 10 + (_byte(text, at) - _ZERO)
            at += 1
        places = at - point
        if places == 0:
            return 0.0, -1
    if mantissa > _EXACT:
        return 0.0, -1
    return mantissa / _POWERS[places], at


@kernel
def _pass_over(text: Bytes, at: int, stop: int) -> int:
    """Where plain text ends, -1 when it is not plain or has no end."""
    while at < stop and _is_plain(_byte(text, at)):
        at += 1
    return at if _byte(text, at) == _QUOTE else -1


@kernel
def _read_symbol(text: Bytes, at: int, stop: int, slots: IntArray) -> tuple[int, int]:
    """The integer of a symbol and where its name ends, -1 when it is not known."""
    start = at
    key = _HASH_BEGIN
    while at < stop and _is_plain(_byte(text, at)):
        key = _next_key(key, _byte(text, at))
        at += 1
    slot = key & (len(slots) - 1)
    while slots[slot, 0] >= 0:
        name, name_end = slots[slot, 1], slots[slot, 2]
        if name_end - name == at - start and _is_name(text, start, name, name_end):
            return slots[slot, 0], at
        slot = (slot + 1) & (len(slots) - 1)
    return -1, -1


@kernel
def _read_flag(text: Bytes, at: int) -> tuple[bool, int]:
    """``true`` or ``false`` and where it ends, -1 when it is neither."""
    if _byte(text, at) == 116 and _byte(text, at + 1) == 114 and _byte(text, at + 2) == 117:
        return True, (at + 4 if _byte(text, at + 3) == 101 else -1)
    if _byte(text, at) == 102 and _byte(text, at + 1) == 97 and _byte(text, at + 2) == 108:
        return False, (at + 5 if _byte(text, at + 3) == 115 and _byte(text, at + 4) == 101 else -1)
    return False, -1


@kernel
def _next_key(key: int, byte: int) -> int:
    return (key ^ byte) * _HASH_FACTOR & _HASH_MASK


@kernel
def _enter(text: Bytes, places: IntArray, slots: IntArray) -> None:
    """Give each name the first free slot from that of its key on."""
    for symbol in range(len(places)):
        key = _HASH_BEGIN
        for at in range(places[symbol, 0], places[symbol, 1]):
            key = _next_key(key, _byte(text, at))
        slot = key & (len(slots) - 1)
        while slots[slot, 0] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot, 0] = symbol
        slots[slot, 1] = places[symbol, 0]
        slots[slot, 2] = places[symbol, 1]
