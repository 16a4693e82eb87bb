"""Trades to bars, by exchange time, in one kernel over batches.

Live, rebuilding from the tape and imports all run `_apply`: the same trades in the same order give the
same bits, however they are cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairscope.bars.cuts import BestOf, proved, settle
from pairscope.base.exact_sum import add_exactly, decimal
from pairscope.base.interval import Interval
from pairscope.base.jit import kernel, plain
from pairscope.base.model import (
    BAR,
    BarArray,
    BarSource,
    BarStatus,
    BoolArray,
    Cut,
    FloatArray,
    IntArray,
    Origin,
    TradeBatch,
    join_bars,
    no_bars,
    take_bars,
)

_SUMS = ("volume", "quote_volume", "buy_volume")
_NO_LOSSES = np.zeros(0, np.int64)
_HOLE_AFTER, _HOLE_BEFORE = int(Cut.HOLE_AFTER), int(Cut.HOLE_BEFORE)
_END_OF_TIME_MS = np.iinfo(np.int64).max
# For the kernel, which takes integers.
_REST, _ARCHIVE, _IMPORTED = int(Origin.REST), int(Origin.ARCHIVE), int(Origin.IMPORT)
_OF_LIVE, _OF_IMPORT = int(BarSource.LIVE), int(BarSource.IMPORT)


@dataclass(frozen=True, slots=True)
class BarUpdate:
    """What a batch of trades did: the bars it closed, and the bars it came too late for."""

    closed: BarArray  # in closing order
    late: list[tuple[int, int]]  # (symbol_id, open_time_ms) of bars to be rebuilt from the tape, each once


class BarBuilder:
    """The open bar of every symbol, for one interval.

    A trade of a later bar closes the open one. A trade of the open bar counts wherever its id falls: the
    lowest id gives the open, the highest the close. A trade of an earlier bar changes nothing here; its bar is
    reported as late, because only the tape has the rest of that bar. Sums are exact to the last decimal.

    >>> from pairscope.base.model import TradeBatch
    >>> builder = BarBuilder(Interval.parse("1s"))
    >>> trades = TradeBatch(
    ...     symbol_id=np.array([0, 0, 0], np.int32), id=np.array([7, 8, 9]), time_ms=np.array([100, 900, 1_000]),
    ...     price=np.array([10.0, 12.0, 11.0]), size=np.array([0.1, 0.2, 1.0]),
    ...     buyer_is_maker=np.array([True, False, False]), received_ns=np.zeros(3, np.int64))
    >>> bar = builder.update(trades).closed[0]
    >>> float(bar["open"]), float(bar["close"]), float(bar["volume"]), int(bar["trades"])
    (10.0, 12.0, 0.3, 2)
    """

    def __init__(self, interval: Interval, best: BestOf = proved) -> None:
        self.interval = interval
        self._best = best
        # Places are symbol ids. A row with trades == 0 is no bar.
        self._rows: BarArray = np.zeros(0, BAR)
        self._carry: FloatArray = np.zeros((0, len(_SUMS)))  # what the compensated sums still owe
        self._earliest: IntArray = np.zeros(0, np.int64)  # trades of bars that open before this are late

    def update(self, batch: TradeBatch, lost: IntArray | None = None) -> BarUpdate:
        """Count trades in; ``lost[i]`` ids are missing right before trade ``i`` and are charged to its bar."""
        closed, late = self.count(batch, lost)
        return BarUpdate(finished(closed, BarStatus.CLOSED, self._best), late)

    def count(self, batch: TradeBatch, lost: IntArray | None = None) -> tuple[BarArray, list[tuple[int, int]]]:
        """As `update`; the bars are still to be `finished`, those of all intervals together."""
        trades = len(batch)
        if trades == 0:
            return no_bars(), []
        self._grow(int(batch.symbol_id.max()) + 1)
        closed = np.empty(trades, BAR)  # a trade closes one bar at most; untouched pages cost nothing
        late = np.empty((trades, 2), np.int64)
        closed_count, late_count = _apply(
            plain(batch.symbol_id),
            plain(batch.id),
            plain(batch.time_ms),
            plain(batch.price),
            plain(batch.size),
            plain(batch.buyer_is_maker),
            plain(batch.origin),
            _NO_LOSSES if lost is None else plain(lost),
            self.interval.ms,
            self._rows,
            self._carry,
            self._earliest,
            closed,
            late,
        )
        late_bars = sorted({(symbol_id, open_ms) for symbol_id, open_ms in late[:late_count].tolist()})
        return take_bars(closed, slice(closed_count)), late_bars

    def close_until(self, time_ms: int) -> BarArray:
        """Close every open bar that ends at or before ``time_ms``; in order of symbol id."""
        return finished(self.end_until(time_ms), BarStatus.CLOSED, self._best)

    def end_until(self, time_ms: int) -> BarArray:
        """As `close_until`; the bars are still to be `finished`."""
        places = np.flatnonzero((self._rows["trades"] > 0) & (self._rows["open_time_ms"] <= time_ms - self.interval.ms))
        bars = self._copy(places)
        if len(places):
            self._rows["trades"][places] = 0
            self._earliest[places] = bars["open_time_ms"] + self.interval.ms
        return bars

    def open_bars(self, symbol_ids: Iterable[int] | None = None) -> BarArray:
        """Copies of the bars now open, of all symbols or of the given ones; symbols without one are left out."""
        return finished(self.unfinished(symbol_ids), BarStatus.OPEN, self._best)

    def unfinished(self, symbol_ids: Iterable[int] | IntArray | None = None) -> BarArray:
        """As `open_bars`; the bars are still to be `finished`."""
        if symbol_ids is None:
            return self._copy(np.flatnonzero(self._rows["trades"] > 0))
        places = symbol_ids if isinstance(symbol_ids, np.ndarray) else np.array(list(symbol_ids), np.int64)
        places = places[places < len(self._rows)]
        return self._copy(places[self._rows["trades"][places] > 0])

    def set_lost(self, symbol_id: int, open_time_ms: int, lost: int, cut: int) -> bool:
        """Correct how many ids are missing in a bar, and where it is cut; False when that bar is not open."""
        if symbol_id >= len(self._rows):
            return False
        row = self._rows[symbol_id]
        if row["trades"] == 0 or row["open_time_ms"] != open_time_ms:
            return False
        row["lost"], row["cut"] = lost, cut
        return True

    def cut_open(self) -> BarArray:
        """Close all open bars, though their ends were not heard."""
        is_open = self._rows["trades"] > 0
        self._rows["cut"][is_open] |= np.uint8(Cut.END)
        return self.close_until(_END_OF_TIME_MS)

    def skip_before(self, symbol_id: int, time_ms: int) -> None:
        """Bars of a symbol that open before ``time_ms`` are closed already: their trades are late from now on."""
        self._grow(symbol_id + 1)
        self._earliest[symbol_id] = max(int(self._earliest[symbol_id]), time_ms)
        if self._rows["open_time_ms"][symbol_id] < time_ms:
            self._rows["trades"][symbol_id] = 0

    def _copy(self, places: IntArray) -> BarArray:
        bars = take_bars(self._rows, places)
        if len(bars):
            for column, name in enumerate(_SUMS):
                bars[name] += self._carry[places, column]
        return bars

    def _grow(self, symbols: int) -> None:
        missing = symbols - len(self._rows)
        if missing <= 0:
            return
        missing = max(missing, len(self._rows), 16)
        self._rows = np.concatenate([self._rows, np.zeros(missing, BAR)])
        self._carry = np.concatenate([self._carry, np.zeros((missing, len(_SUMS)))])
        self._earliest = np.concatenate([self._earliest, np.zeros(missing, np.int64)])


def build_bars(batch: TradeBatch, interval: Interval, lost: IntArray | None = None, best: BestOf = proved) -> BarArray:
    """All bars of some trades, the last of each symbol included, by symbol and then time.

    Trades that come after a later bar of their symbol began are put where they belong.
    """
    builder = BarBuilder(interval, best)
    update = builder.update(batch, lost)
    if update.late:
        order = np.lexsort((batch.time_ms // interval.ms, batch.symbol_id))
        return build_bars(batch.take(order), interval, None if lost is None else lost[order], best)
    bars = join_bars([update.closed, builder.close_until(_END_OF_TIME_MS)])
    return take_bars(bars, np.lexsort((bars["open_time_ms"], bars["symbol_id"])))


def finished(bars: BarArray, status: BarStatus, best: BestOf = proved) -> BarArray:
    """What a builder gives out, made presentable in place: its status told, its sums without noise.

    Args:
        best: what can be proved of the trades of some symbols at best.
    """
    if not len(bars):
        return bars
    bars["status"] = status
    settle(bars, best(bars["symbol_id"]))
    # A bar of trade 0 alone: by its ids it could not be told from a kline.
    bars["source"][bars["last_id"] == 0] = BarSource.LIVE
    sums = decimal(np.stack([bars[name] for name in _SUMS]))
    for name, values in zip(_SUMS, sums, strict=True):
        bars[name] = values
    return bars


@kernel
def _apply(
    symbol_id: NDArray[np.int32],
    trade_id: IntArray,
    time_ms: IntArray,
    price: FloatArray,
    size: FloatArray,
    buyer_is_maker: BoolArray,
    origin: NDArray[np.uint8],
    lost: IntArray,
    interval_ms: int,
    rows: BarArray,
    carry: FloatArray,
    earliest: IntArray,
    closed: BarArray,
    late: IntArray,
) -> tuple[int, int]:
    """Count trades into the open bars; the number of bars closed and of late reports written."""
    closed_count = 0
    late_count = 0
    for i in range(len(trade_id)):
        symbol = symbol_id[i]
        row = rows[symbol]
        # The division by the interval is the dearest step: only for a trade outside the open bar.
        inside = row["trades"] > 0 and 0 <= time_ms[i] - row["open_time_ms"] < interval_ms
        if not inside:
            open_ms = time_ms[i] - time_ms[i] % interval_ms
            if open_ms < earliest[symbol]:
                late[late_count, 0] = symbol
                late[late_count, 1] = open_ms
                late_count += 1
                continue
            after_hole = len(lost) > 0 and lost[i] > 0
            if row["trades"] > 0:
                if after_hole:
                    row["cut"] |= _HOLE_AFTER
                _close(row, carry[symbol], closed, closed_count)
                closed_count += 1
            _open(row, carry[symbol], symbol, interval_ms, open_ms, trade_id[i], price[i])
            if after_hole:
                row["cut"] |= _HOLE_BEFORE
            earliest[symbol] = open_ms
        _count(row, carry[symbol], trade_id[i], price[i], size[i], buyer_is_maker[i])
        if len(lost) > 0:
            row["lost"] += lost[i]
        if origin[i] == _REST or origin[i] == _ARCHIVE:
            row["backfilled"] += 1
        if origin[i] != _IMPORTED:
            row["source"] = _OF_LIVE
    return closed_count, late_count


@kernel
def _open(
    row: np.void, carry: FloatArray, symbol: int, interval_ms: int, open_ms: int, trade_id: int, price: float
) -> None:
    row["symbol_id"] = symbol
    row["interval_ms"] = interval_ms
    row["open_time_ms"] = open_ms
    row["open"] = row["high"] = row["low"] = row["close"] = price
    row["first_id"] = row["last_id"] = trade_id
    row["volume"] = row["quote_volume"] = row["buy_volume"] = 0.0
    row["trades"] = row["lost"] = row["backfilled"] = 0
    row["source"] = _OF_IMPORT  # until a trade is counted that was not imported
    row["cut"] = row["continuity"] = 0
    carry[:] = 0.0


@kernel
def _count(row: np.void, carry: FloatArray, trade_id: int, price: float, size: float, buyer_is_maker: bool) -> None:
    if price > row["high"]:
        row["high"] = price
    if price < row["low"]:
        row["low"] = price
    if trade_id > row["last_id"]:
        row["last_id"] = trade_id
        row["close"] = price
    elif trade_id < row["first_id"]:
        row["first_id"] = trade_id
        row["open"] = price
    row["volume"], carry[0] = add_exactly(row["volume"], carry[0], size)
    row["quote_volume"], carry[1] = add_exactly(row["quote_volume"], carry[1], price * size)
    bought = 0.0 if buyer_is_maker else size  # no branch: a coin toss is what a processor predicts worst
    row["buy_volume"], carry[2] = add_exactly(row["buy_volume"], carry[2], bought)
    row["trades"] += 1


@kernel
def _close(row: np.void, carry: FloatArray, closed: BarArray, place: int) -> None:
    closed[place] = row
    closed[place]["volume"] += carry[0]
    closed[place]["quote_volume"] += carry[1]
    closed[place]["buy_volume"] += carry[2]
