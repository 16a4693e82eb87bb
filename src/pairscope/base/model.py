"""The records every room shares: trades in columns, bars in rows, gaps, and the table of symbols.

Inside, a symbol is a small integer (its place in the `SymbolTable`) so that a batch of trades is nothing
but NumPy columns. Records never change after they are made.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pairscope.base.errors import UnknownName
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.naming import nearest_symbol
from pairscope.base.reading import ascii_upper
from pairscope.base.symbol import DEFAULT_VENUE, POINT, normal_symbol, venue_of

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class TradeKind(enum.StrEnum):
    """Which of the exchange's two trade streams a tape holds; their ids are different sequences."""

    AGG = "aggTrade"
    RAW = "trade"


class Origin(enum.IntEnum):
    """Where a trade came from."""

    WS = 0
    REST = 1
    ARCHIVE = 2  # an official file, into a hole of what was listened to
    SIMULATOR = 3
    IMPORT = 4  # past history that was brought: nobody had listened


class BarStatus(enum.IntEnum):
    OPEN = 0
    CLOSED = 1
    REVISED = 2
    PARTIAL = 3  # over, and not heard from its beginning to its end


class Continuity(enum.IntEnum):
    """What is known of the trades that a bar misses. A higher one is worse, and of a whole its worst counts."""

    PROVED = 0  # the venue numbers its trades without holes: how many are missing is counted
    SAMPLED = 1  # polled: what lies between two answers that overlap
    UNPROVED = 2  # nothing tells: official bars without ids, uploads
    PARTIAL = 3  # proved but for its beginning or its end, where trades may be missing that nobody counted


class Cut(enum.IntFlag):
    """Where a bar is not whole. Holes of known ids are counted in the bar after them, but may lie in the one before."""

    NONE = 0
    BEGIN = 1  # listening began inside it
    END = 2  # listening ended inside it
    HOLE_AFTER = 4  # an open gap begins in it and ends in a later bar
    HOLE_BEFORE = 8  # an open gap began in an earlier bar and ends in it


class BarSource(enum.IntEnum):
    """Where a bar came from; `of_trades` tells which bars are made of the trades of the tape."""

    LIVE = 0  # of trades, at least one of which was listened for
    UPLOAD = 1
    IMPORT = 2  # of imported trades only, or an official kline


class SymbolTable:
    """Symbols, their small integers, and the best that can be proved of their trades; grows, never changes.

    Upper case inside, any case accepted; the name of the default venue may be written before a symbol, and is not kept.

    >>> table = SymbolTable(["BTCUSDT"])
    >>> table.add("ethusdt"), table.index("BtcUsdt"), table.index("binance.btcusdt"), table.name(1)
    (1, 0, 0, 'ETHUSDT')
    """

    def __init__(self, symbols: Sequence[str] = ()) -> None:
        self._names: list[str] = []
        self._index: dict[str, int] = {}
        self._best: list[Continuity] = []  # by symbol
        self._venues: dict[str, Continuity] = {DEFAULT_VENUE: Continuity.PROVED}
        for symbol in symbols:
            self.add(symbol)

    @classmethod
    def stored(cls, rows: Iterable[tuple[str, int]]) -> Self:
        """As they stand on a tape, with what can be proved of each: a released version may have allowed more names."""
        table = cls()
        for name, best in rows:
            if name not in table._index:  # one twice is damage, for who compares
                table._put(name, Continuity(best))
        return table

    def rows(self, first: int = 0) -> list[tuple[str, Continuity]]:
        """As they are stored, from an integer on."""
        return list(zip(self._names[first:], self._best[first:], strict=True))

    def know(self, venue: str, best: Continuity) -> None:
        """What can be proved of the trades of a venue's symbols, of those to come too."""
        self._venues[venue] = best
        for symbol_id, name in enumerate(self._names):
            if venue_of(name) == venue:
                self._best[symbol_id] = max(best, self._best[symbol_id])

    def add(self, symbol: str) -> int:
        """The integer of a symbol, made when new."""
        symbol = normal_symbol(symbol)
        if symbol not in self._index:
            self._put(symbol, self._venues.get(venue_of(symbol), Continuity.UNPROVED))
        return self._index[symbol]

    def _put(self, name: str, best: Continuity) -> None:
        self._index[name] = len(self._names)
        self._names.append(name)
        self._best.append(best)

    def best(self, symbol_id: int) -> Continuity:
        """The best that can be proved of a symbol's trades."""
        return self._best[symbol_id]

    def best_of(self, symbol_ids: IntArray) -> NDArray[np.uint8] | Continuity:
        """The same for many; one for all where all trades can be proved, which is usual and costs nothing."""
        if not any(self._best):
            return Continuity.PROVED
        return np.array(self._best, np.uint8)[symbol_ids]

    def index(self, symbol: str) -> int:
        """The integer of a known symbol.

        Raises:
            UnknownName: with the nearest known symbol as the cure.
        """
        text = _written(symbol)
        try:
            return self._index[text]
        except KeyError:
            guess = nearest_symbol(text, self._names)
            cure = f"did you mean {guess}?" if guess else f"known symbols: {', '.join(self._names[:20])}"
            raise UnknownName(f"no symbol '{symbol[:40]}' here", cure=cure, code="unknown_symbol") from None

    def get(self, symbol: str) -> int:
        """The integer of an upper-case symbol, or -1."""
        return self._index.get(symbol, -1)

    def name(self, index: int) -> str:
        return self._names[index]

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, symbol: str) -> bool:
        return _written(symbol) in self._index


def _written(symbol: str) -> str:
    """A symbol as it stands in a table, whatever people write."""
    return ascii_upper(symbol.strip()).removeprefix(f"{DEFAULT_VENUE}{POINT}")


# Id, time in ms, price, size, and whether the aggressor sold (None, where that cannot be read, counts as no).
TradeRow = tuple[int, int, float, float, bool | None]


@dataclass(frozen=True, slots=True)
class TradeBatch:
    """Trades of several symbols in columns of equal length, in the order they arrived."""

    symbol_id: NDArray[np.int32]
    id: IntArray
    time_ms: IntArray  # exchange time T
    price: FloatArray
    size: FloatArray
    buyer_is_maker: BoolArray  # true: the aggressor sold
    received_ns: IntArray  # our clock
    origin: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))  # Origin; left out: the socket

    def __post_init__(self) -> None:
        if len(self.origin) != len(self.id):
            object.__setattr__(self, "origin", np.full(len(self.id), Origin.WS, np.uint8))

    def __len__(self) -> int:
        return len(self.id)

    def take(self, selection: BoolArray | IntArray) -> Self:
        """The trades at a mask or at positions."""
        columns: dict[str, Any] = {name: getattr(self, name)[selection] for name in TRADE_COLUMNS}
        return replace(self, **columns)

    @staticmethod
    def of_symbol(symbol_id: int, rows: Iterable[TradeRow], received_ns: int, origin: Origin) -> TradeBatch:
        """Rows of one symbol that came together."""
        told = list(rows)
        ids, times_ms, prices, sizes, sold = zip(*told, strict=True) if told else ((),) * 5
        return TradeBatch(
            symbol_id=np.full(len(ids), symbol_id, np.int32),
            id=np.array(ids, np.int64),
            time_ms=np.array(times_ms, np.int64),
            price=np.array(prices, np.float64),
            size=np.array(sizes, np.float64),
            buyer_is_maker=np.array(sold, np.bool_),
            received_ns=np.full(len(ids), received_ns, np.int64),
            origin=np.full(len(ids), origin, np.uint8),
        )

    @staticmethod
    def empty() -> TradeBatch:
        return TradeBatch(
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.empty(0, np.int64),
            np.empty(0),
            np.empty(0),
            np.empty(0, np.bool_),
            np.empty(0, np.int64),
        )

    @staticmethod
    def concatenate(batches: Sequence[TradeBatch]) -> TradeBatch:
        """Batches one after the other."""
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return TradeBatch.empty()
        columns: dict[str, Any] = {name: np.concatenate([getattr(b, name) for b in batches]) for name in TRADE_COLUMNS}
        return replace(batches[0], **columns)


TRADE_COLUMNS = tuple(column.name for column in fields(TradeBatch))


@dataclass(frozen=True, slots=True)
class Present:
    """The symbols of a batch in rising order, the place of the first and of the last row of each, and how many."""

    symbols: IntArray
    first: IntArray
    last: IntArray
    count: IntArray

    @staticmethod
    def of(symbol_id: NDArray[np.int32]) -> Present:
        """Without sorting, which would cost more than everything else that is done with a row.

        >>> present = Present.of(np.array([4, 1, 4], np.int32))
        >>> present.symbols.tolist(), present.first.tolist(), present.last.tolist(), present.count.tolist()
        ([1, 4], [1, 0], [1, 2], [1, 2])
        """
        counts = np.bincount(symbol_id)
        places = np.arange(len(symbol_id))
        first, last = np.empty((2, len(counts)), np.int64)
        last[symbol_id] = places  # of places given twice the one given last stays
        first[symbol_id[::-1]] = places[::-1]
        symbols = np.flatnonzero(counts)
        return Present(symbols, first[symbols], last[symbols], counts[symbols])


@dataclass(frozen=True, slots=True)
class Rows:
    """What an origin told, as it told it: a number that could not be read is NaN, such a time -1."""

    trades: TradeBatch
    side_unreadable: BoolArray | None = None  # None: every side could be read
    not_market: BoolArray | None = None  # None: every row is of the market

    def __len__(self) -> int:
        return len(self.trades)


# One bar. `lost` counts the trade ids that fell into the bar and are not on the tape, `backfilled` its trades that came
# later than by the socket into what was listened to; `first_id` and `last_id` are the ids of its first and last trade,
# 0 in a kline. `lost` is the whole truth only where `continuity` is PROVED; `cut` says where a PARTIAL one is cut. vwap
# is quote_volume / volume and is never stored.
BAR = np.dtype(
    [
        ("symbol_id", np.int32),
        ("interval_ms", np.int32),
        ("open_time_ms", np.int64),
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
        ("quote_volume", np.float64),
        ("buy_volume", np.float64),
        ("trades", np.int64),
        ("first_id", np.int64),
        ("last_id", np.int64),
        ("lost", np.int64),
        ("backfilled", np.int64),
        ("status", np.uint8),
        ("source", np.uint8),
        ("continuity", np.uint8),
        ("cut", np.uint8),
    ]
)
BarArray = np.ndarray[tuple[int], np.dtype[np.void]]


_WHOLE_BAR = np.dtype((np.void, BAR.itemsize))


def no_bars() -> BarArray:
    return np.empty(0, BAR)


def whole_bars(bars: BarArray) -> BarArray:
    """A view of the same bars without columns: NumPy copies records column by column, these whole."""
    return bars.view(_WHOLE_BAR)


def join_bars(parts: Sequence[BarArray]) -> BarArray:
    """Bars one after the other, in new memory."""
    if not parts:
        return no_bars()
    joined: BarArray = np.concatenate([whole_bars(bars) for bars in parts]).view(BAR)
    return joined


def take_bars(bars: BarArray, selection: BoolArray | IntArray | Sequence[int] | slice) -> BarArray:
    """The bars at a mask, at positions or of a slice, in new memory."""
    rows = whole_bars(bars)[selection]
    taken: BarArray = (rows.copy() if isinstance(selection, slice) else rows).view(BAR)
    return taken


def of_trades(bars: BarArray) -> BoolArray:
    """Which bars are made of the trades of the tape: klines and uploads know no ids."""
    source = bars["source"]
    made: BoolArray = (source == BarSource.LIVE) | ((source == BarSource.IMPORT) & (bars["last_id"] > 0))
    return made


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of trade ids that exist and that the tape does not have.

    ``after_ms`` and ``before_ms`` are the times of the trades around it: the hole lies between them. ``obstacle`` says
    why it cannot be filled for now; None while it is being tried.
    """

    symbol: str
    first_id: int
    last_id: int
    found_ms: int
    reason: GapReason
    after_ms: int | None = None
    before_ms: int | None = None
    closed_ms: int | None = None
    obstacle: Obstacle | None = None
    looked_ms: int | None = None  # of NO_FILE: when it was last looked for

    def __post_init__(self) -> None:
        if self.looked_ms is not None and self.obstacle is not Obstacle.NO_FILE:
            object.__setattr__(self, "looked_ms", None)

    @property
    def ids(self) -> int:
        return self.last_id - self.first_id + 1
