"""Checks of every row, whatever it came by: socket frames, REST pages, replays, daily files, uploads.

A row is a trade, or it is refused for one named reason. A refused row still proves that its id exists, unless it is
the id that cannot be believed. What is odd but may be true is kept and noted. `Tape.put_trades` takes `GoodTrades`
only, and only this module makes them: nothing reaches a tape past the judge.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pairscope.base.gaps import GapReason
from pairscope.base.instrument import Instrument
from pairscope.base.interval import DAY_MS
from pairscope.base.jit import kernel, plain
from pairscope.base.model import (
    TRADE_COLUMNS,
    BoolArray,
    FloatArray,
    IntArray,
    Rows,
    SymbolTable,
    TradeBatch,
)
from pairscope.feed.tally import Tally

SMALLEST_SIZE = 1e-8  # no step of the exchange is finer than eight decimals
MARKET_BEGAN_MS = 1_567_296_000_000  # 2019-09-01: USD-M futures began that month
BEFORE_LISTING_MS = DAY_MS
AHEAD_MS = 3_600_000  # of our clock, which may be wrong
# The busiest symbol uses this many in two to ten days. An id further from its neighbours may be a damaged row:
# believed, it would make every later trade look old.
FARTHEST_ID = 10_000_000
# Without a neighbour: a hundred times the ids that the busiest symbol has used in seven years.
LARGEST_ID = 10**12
JUMP = 2.3  # a price 130 % away from the one before it
_LISTED_FROM_MS, _LISTED_TO_MS = MARKET_BEGAN_MS, 4_102_444_800_000

Verdicts = NDArray[np.uint8]


class Refusal(enum.StrEnum):
    """Why a row is no trade for us; of several reasons the first."""

    ID = "id_implausible"
    NOT_MARKET = "not_market"  # a raw id that came as something else than a trade on the market
    SIDE = "side_unreadable"
    NOT_FINITE = "not_finite"  # a price or size that is no number, or not a finite one
    NOT_POSITIVE = "not_positive"
    TOO_SMALL = "size_too_small"
    TIME = "time_implausible"

    @property
    def code(self) -> int:
        return _CODES[self]

    @property
    def is_no_trade(self) -> bool:
        """Whether the exchange itself says that there was no trade: nothing is missing on the tape then."""
        return self in (Refusal.NOT_POSITIVE, Refusal.NOT_MARKET)


REFUSALS = tuple(Refusal)  # by code less one: 0 is a row that is kept
_CODES = {refusal: place + 1 for place, refusal in enumerate(REFUSALS)}
_ID, _NOT_MARKET, _SIDE, _NOT_FINITE, _NOT_POSITIVE, _TOO_SMALL, _TIME = (refusal.code for refusal in REFUSALS)
NO_TRADE_CODES = np.array([refusal.code for refusal in REFUSALS if refusal.is_no_trade], np.uint8)


class Oddity(enum.StrEnum):
    """What is noted of a row that is kept."""

    OFF_TICK = "off_tick"  # steps change over the years, so that an old price may be off today's
    OFF_STEP = "off_step"
    JUMP = "price_jump"


_ODDITIES = tuple(Oddity)


@dataclass(frozen=True, slots=True)
class GoodTrades(TradeBatch):
    """Trades that the judge let through; made by `Judged.good` and nowhere else."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows in the order they came, and what became of each: 0 kept, else the code of a `Refusal`."""

    rows: TradeBatch
    verdict: Verdicts
    hole_reason: GapReason | None = None  # why ids would be missing between them; None says what was said last

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def keep(self) -> BoolArray:
        kept: BoolArray = self.verdict == 0
        return kept

    def take(self, selection: BoolArray | IntArray) -> Judged:
        """The rows at a mask or at positions."""
        return replace(self, rows=self.rows.take(selection), verdict=self.verdict[selection])

    def good(self, wanted: BoolArray | None = None) -> GoodTrades:
        """The kept trades, of those that are wanted."""
        keep = self.keep if wanted is None else self.keep & wanted
        columns = {name: getattr(self.rows, name) for name in TRADE_COLUMNS}
        whole = GoodTrades(**columns)
        return whole if keep.all() else whole.take(keep)

    def refused(self, refusal: Refusal) -> IntArray:
        """Ids that were refused for this reason."""
        ids: IntArray = self.rows.id[self.verdict == refusal.code]
        return ids


def conflicting(rows: TradeBatch, earlier: TradeBatch) -> BoolArray:
    """Which rows contradict an earlier one of the same symbol and id: another price, size, time or side.

    The first of several earlier ones counts; a row without an earlier one contradicts nothing.
    """
    keys = [("symbol_id", np.int32), ("id", np.int64)]
    known, mine = np.empty(len(earlier), keys), np.empty(len(rows), keys)
    for table, batch in ((known, earlier), (mine, rows)):
        table["symbol_id"], table["id"] = batch.symbol_id, batch.id
    known, firsts = np.unique(known, return_index=True)
    differs = np.zeros(len(rows), np.bool_)
    if not len(known):
        return differs
    places = np.minimum(np.searchsorted(known, mine), len(known) - 1)
    found, first = known[places] == mine, firsts[places]
    for name in ("price", "size", "time_ms", "buyer_is_maker"):
        differs |= getattr(rows, name) != getattr(earlier, name)[first]
    differs &= found
    return differs


class Judge:
    """Says of each row whether it is a trade.

    Args:
        now_ms: the clock that times are compared with: ours, or that of a replay.
    """

    def __init__(self, symbols: SymbolTable, now_ms: Callable[[], int], tally: Tally | None = None) -> None:
        self.tally = tally if tally is not None else Tally()
        self._symbols = symbols
        self._now_ms = now_ms
        self._instruments: dict[str, Instrument] = {}
        self._earliest_ms: IntArray = np.zeros(0, np.int64)
        self._steps: FloatArray = np.zeros((0, 2))  # tick and step of a symbol, 0 where they are not known
        self._price: FloatArray = np.zeros((0, 2))  # what the next price is compared with, and one that was far from it

    def learn(self, instruments: Iterable[Instrument]) -> None:
        """Take in what the exchange says of its symbols."""
        self._instruments.update({each.symbol: each for each in instruments})
        self._grow(0)

    def now_ms(self) -> int:
        """The clock that times are compared with."""
        return self._now_ms()

    def symbol_id(self, symbol: str) -> int:
        """The integer of a symbol; -1 when it is none of the table's."""
        return self._symbols.get(symbol)

    def name(self, symbol_id: int) -> str:
        """The symbol of an integer."""
        return self._symbols.name(symbol_id) if 0 <= symbol_id < len(self._symbols) else "?"

    def knowing(self, symbol: str) -> Judge:
        """This judge, or for a symbol that is on no tape yet another one, with the same clock and the same counts."""
        if self.symbol_id(symbol) >= 0:
            return self
        other = Judge(SymbolTable([symbol]), self._now_ms, self.tally)
        other.learn(self._instruments.values())
        return other

    def judge(self, rows: Rows, *, count: bool = True) -> Judged:
        """Judge rows; what is refused or odd is counted unless they were judged before."""
        trades = rows.trades
        verdict = np.empty(len(trades), np.uint8)
        if not len(trades):
            return Judged(trades, verdict)
        if len(self._symbols) > len(self._earliest_ms):
            self._grow(len(self._symbols))
        odd = np.empty(len(trades), np.uint8)
        unusual = _judge(
            plain(trades.symbol_id),
            plain(trades.id),
            plain(trades.time_ms),
            plain(trades.price),
            plain(trades.size),
            _mask(rows.side_unreadable),
            _mask(rows.not_market),
            self._now_ms() + AHEAD_MS,
            self._earliest_ms,
            self._steps,
            self._price,
            verdict,
            odd,
        )
        if unusual and count:
            self._count(trades, verdict, odd)
        return Judged(trades, verdict)

    def refuse(self, rows: TradeBatch, places: IntArray, refusal: Refusal) -> None:
        """Count what only the neighbours of a row show."""
        if len(places):
            self.tally.refuse(rows, places, refusal, self.name)

    def conflict(self, rows: TradeBatch, places: IntArray) -> None:
        """Count rows that contradict an earlier one of their id."""
        if len(places):
            self.tally.conflict(rows, places, self.name)

    def times_possible(self, times_ms: IntArray) -> BoolArray:
        """Which times a trade of any symbol may have."""
        possible: BoolArray = (times_ms >= MARKET_BEGAN_MS) & (times_ms <= self._now_ms() + AHEAD_MS)
        return possible

    def _count(self, trades: TradeBatch, verdict: Verdicts, odd: Verdicts) -> None:
        for code in np.unique(verdict[verdict > 0]).tolist():
            self.tally.refuse(trades, np.flatnonzero(verdict == code), REFUSALS[code - 1], self.name)
        for bit, oddity in enumerate(_ODDITIES):
            places = np.flatnonzero(odd & (1 << bit))
            if len(places):
                self.tally.note(trades, places, oddity, self.name)

    def _grow(self, symbols: int) -> None:
        size = max(symbols, len(self._symbols), len(self._earliest_ms))
        earliest = np.full(size, MARKET_BEGAN_MS, np.int64)
        steps, price = np.zeros((size, 2)), np.zeros((size, 2))
        price[: len(self._price)] = self._price
        for symbol_id, symbol in enumerate(self._symbols):
            known = self._instruments.get(symbol)
            if known is None:
                continue
            steps[symbol_id] = known.tick_size, known.step_size
            if known.listed_ms is not None and _LISTED_FROM_MS <= known.listed_ms < _LISTED_TO_MS:
                earliest[symbol_id] = known.listed_ms - BEFORE_LISTING_MS
        self._earliest_ms, self._steps, self._price = earliest, steps, price


_NO_MASK: BoolArray = np.zeros(0, np.bool_)


def _mask(given: BoolArray | None) -> BoolArray:
    return _NO_MASK if given is None else plain(given)


@kernel
def _judge(
    symbol_id: NDArray[np.int32],
    ids: IntArray,
    time_ms: IntArray,
    price: FloatArray,
    size: FloatArray,
    side_unreadable: BoolArray,
    not_market: BoolArray,
    latest_ms: int,
    earliest_ms: IntArray,
    steps: FloatArray,
    prices: FloatArray,
    verdict: Verdicts,
    odd: Verdicts,
) -> int:
    """Fill `verdict` and `odd`, a bit for each oddity; how many rows are not simply good."""
    unusual = 0
    for i in range(len(ids)):
        symbol = symbol_id[i]
        known = 0 <= symbol < len(earliest_ms)
        from_ms = earliest_ms[symbol] if known else MARKET_BEGAN_MS
        odd[i] = 0
        if not 0 < ids[i] <= LARGEST_ID:
            verdict[i] = _ID
        elif len(not_market) and not_market[i]:
            verdict[i] = _NOT_MARKET
        elif len(side_unreadable) and side_unreadable[i]:
            verdict[i] = _SIDE
        elif not (np.isfinite(price[i]) and np.isfinite(size[i])):
            verdict[i] = _NOT_FINITE
        elif price[i] <= 0 or size[i] <= 0:
            verdict[i] = _NOT_POSITIVE
        elif size[i] < SMALLEST_SIZE:
            verdict[i] = _TOO_SMALL
        elif not from_ms <= time_ms[i] <= latest_ms:
            verdict[i] = _TIME
        else:
            verdict[i] = 0
            if known:
                odd[i] = _oddities(price[i], size[i], symbol, steps, prices)
            unusual += odd[i] != 0
            continue
        unusual += 1
    return unusual


@kernel
def _oddities(price: float, size: float, symbol: int, steps: FloatArray, prices: FloatArray) -> int:
    odd = 0
    if steps[symbol, 0] > 0 and _is_off(price, steps[symbol, 0]):
        odd |= 1
    if steps[symbol, 1] > 0 and _is_off(size, steps[symbol, 1]):
        odd |= 2
    if _is_far(price, prices[symbol, 0]) and (prices[symbol, 1] == 0.0 or _is_far(price, prices[symbol, 1])):
        prices[symbol, 1] = price  # believed when the next says the same
        return odd | 4
    prices[symbol, 0] = price
    prices[symbol, 1] = 0.0
    return odd


@kernel
def _is_far(price: float, other: float) -> bool:
    return other > 0 and not (other <= price * JUMP and price <= other * JUMP)


@kernel
def _is_off(value: float, step: float) -> bool:
    """Whether a decimal is no multiple of a step, both as near as floats come to them."""
    places = value / step
    return bool(abs(places - np.rint(places)) > 1e-6 + 4e-16 * places)
