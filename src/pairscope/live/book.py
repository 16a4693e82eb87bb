"""All bars in memory: every symbol, every interval, the open ones included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pairscope.bars.builder import BarBuilder
from pairscope.bars.series import BarSeries
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, IntArray, TradeBatch, no_bars

# An aggregated trade is sent up to 0.16 s after its time; a bar is closed by other symbols' trades only after this.
CLOSING_GRACE_MS = 400


@dataclass(frozen=True, slots=True)
class BookChange:
    """What a batch of trades did to the bars."""

    closed: BarArray  # to be stored
    touched: BarArray  # closed ones and the present open ones, to be shown
    late: list[tuple[int, Interval, int]]  # (symbol_id, interval, open_time_ms): to be rebuilt from the tape


class BarBook:
    """Bars of all symbols and intervals; bounded to the newest `capacity` of each."""

    def __init__(self, intervals: Sequence[Interval], capacity: int) -> None:
        self.intervals = tuple(intervals)
        self._builders = {interval: BarBuilder(interval) for interval in intervals}
        self.capacity = capacity
        self._series: dict[tuple[int, Interval], BarSeries] = {}
        self._exchange_ms = 0

    @property
    def exchange_ms(self) -> int:
        """The newest trade time seen; the only clock bars know."""
        return self._exchange_ms

    def series(self, symbol_id: int, interval: Interval) -> BarSeries:
        """Closed bars of a symbol, and the open one where trades have begun it."""
        key = (symbol_id, interval)
        if key not in self._series:
            self._series[key] = BarSeries(self.capacity)
        return self._series[key]

    def warm(self, symbol_id: int, interval: Interval, bars: BarArray) -> None:
        """Take stored bars; trades of their time will be late from now on."""
        if len(bars):
            self.series(symbol_id, interval).put(bars)
            self._builders[interval].skip_before(symbol_id, int(bars["open_time_ms"][-1]) + interval.ms)

    def add(self, trades: TradeBatch, lost: IntArray) -> BookChange:
        """Count trades; close what is over, by the exchange's time."""
        if not len(trades):
            return BookChange(no_bars(), no_bars(), [])
        self._exchange_ms = max(self._exchange_ms, int(trades.time_ms.max()))
        symbols = np.unique(trades.symbol_id).tolist()
        closed: list[BarArray] = []
        opened: list[BarArray] = []
        late: list[tuple[int, Interval, int]] = []
        for interval, builder in self._builders.items():
            update = builder.update(trades, lost)
            closed += [update.closed, builder.close_until(self._exchange_ms - CLOSING_GRACE_MS)]
            opened.append(builder.open_bars(symbols))
            late += [(symbol_id, interval, open_ms) for symbol_id, open_ms in update.late]
        change = BookChange(np.concatenate(closed), np.concatenate(closed + opened), late)
        self.put(change.touched)
        return change

    def set_lost(self, symbol_id: int, interval: Interval, open_time_ms: int, lost: int, cut: int) -> bool:
        """Correct the missing ids and the cuts of an open bar; False when it is closed, and has to be rebuilt."""
        builder = self._builders[interval]
        if not builder.set_lost(symbol_id, open_time_ms, lost, cut):
            return False
        self.put(builder.open_bars([symbol_id]))
        return True

    def cut_open(self) -> BarArray:
        """Close all open bars, whose ends nobody heard."""
        bars = np.concatenate([no_bars(), *(builder.cut_open() for builder in self._builders.values())])
        self.put(bars)
        return bars

    def put(self, bars: BarArray) -> None:
        """Show bars in the series; used for revised ones too."""
        if not len(bars):
            return
        bars = bars[np.lexsort((bars["open_time_ms"], bars["interval_ms"], bars["symbol_id"]))]
        changes = (np.diff(bars["symbol_id"]) != 0) | (np.diff(bars["interval_ms"]) != 0)
        ends = [*(np.flatnonzero(changes) + 1).tolist(), len(bars)]
        for first, end in pairwise([0, *ends]):
            own = bars[first:end]
            self.series(int(own["symbol_id"][0]), Interval(int(own["interval_ms"][0]))).put(own)

    def open_bars(self, symbol_ids: Sequence[int]) -> BarArray:
        """The bars of some symbols that are not over, of all intervals."""
        return np.concatenate([no_bars(), *(builder.open_bars(symbol_ids) for builder in self._builders.values())])

    def newest_open_ms(self, interval: Interval) -> int:
        """Open time of the bar that holds the newest trade of any symbol."""
        return interval.floor(self._exchange_ms)

    def resume(self, exchange_ms: int) -> None:
        """Set the exchange's time after a warm start."""
        self._exchange_ms = max(self._exchange_ms, exchange_ms)
