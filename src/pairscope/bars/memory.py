"""All bars in memory: every symbol, every interval, the open ones included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pairscope.bars.builder import BarBuilder, finished
from pairscope.bars.cuts import BestOf, proved
from pairscope.bars.series import BarSeries
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, IntArray, TradeBatch, join_bars, no_bars, take_bars

# An aggregated trade is sent up to 0.16 s after its time; a bar is closed by other symbols' trades only after this.
CLOSING_GRACE_MS = 400
_YES = np.ones(1, np.bool_)


@dataclass(frozen=True, slots=True)
class BarChanges:
    """What a batch of trades did to the bars."""

    closed: BarArray  # to be stored
    touched: BarArray  # closed ones and the present open ones, to be shown
    late: list[tuple[int, Interval, int]]  # (symbol_id, interval, open_time_ms): to be rebuilt from the tape


class BarMemory:
    """Bars of all symbols and intervals; bounded to the newest `capacity` of each."""

    def __init__(self, intervals: Sequence[Interval], capacity: int, best: BestOf = proved) -> None:
        self.intervals = tuple(intervals)
        self._best = best  # what can be proved of the trades of some symbols at best
        self._builders = {interval: BarBuilder(interval, best) for interval in intervals}
        self.capacity = capacity
        self._series: dict[tuple[int, int], BarSeries] = {}  # by symbol and milliseconds
        self._exchange_ms = 0
        self._listeners: list[Callable[[BarArray], None]] = []

    @property
    def exchange_ms(self) -> int:
        """The newest trade time seen; the only clock bars know."""
        return self._exchange_ms

    def listen(self, callback: Callable[[BarArray], None]) -> Callable[[], None]:
        """Be told of bars that a flush touched, open, closed or revised; returns the way to stop it."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def publish(self, bars: BarArray) -> None:
        """Tell those who listen; on the event loop, when all the bars are in memory."""
        for callback in list(self._listeners):
            callback(bars)

    def series(self, symbol_id: int, interval: Interval) -> BarSeries:
        """Closed bars of a symbol, and the open one where trades have begun it."""
        return self._series_of(symbol_id, interval.ms)

    def _series_of(self, symbol_id: int, interval_ms: int) -> BarSeries:
        found = self._series.get((symbol_id, interval_ms))
        if found is None:
            found = self._series[symbol_id, interval_ms] = BarSeries(self.capacity)
        return found

    def warm(self, symbol_id: int, interval: Interval, bars: BarArray) -> None:
        """Take stored bars; trades of their time will be late from now on."""
        if len(bars):
            self.series(symbol_id, interval).put(bars)
            self._builders[interval].skip_before(symbol_id, int(bars["open_time_ms"][-1]) + interval.ms)

    def add(self, trades: TradeBatch, lost: IntArray) -> BarChanges:
        """Count trades; close what is over, by the exchange's time."""
        if not len(trades):
            return BarChanges(no_bars(), no_bars(), [])
        self._exchange_ms = max(self._exchange_ms, int(trades.time_ms.max()))
        symbols = np.flatnonzero(np.bincount(trades.symbol_id))
        closed: list[BarArray] = []
        opened: list[BarArray] = []
        late: list[tuple[int, Interval, int]] = []
        for interval, builder in self._builders.items():
            ended, too_late = builder.count(trades, lost)
            closed += [ended, builder.end_until(self._exchange_ms - CLOSING_GRACE_MS)]
            opened.append(builder.unfinished(symbols))
            late += [(symbol_id, interval, open_ms) for symbol_id, open_ms in too_late]
        over = finished(join_bars(closed), BarStatus.CLOSED, self._best)
        change = BarChanges(over, join_bars([over, finished(join_bars(opened), BarStatus.OPEN, self._best)]), late)
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
        bars = join_bars([builder.cut_open() for builder in self._builders.values()])
        self.put(bars)
        return bars

    def put(self, bars: BarArray) -> None:
        """Show bars in the series; used for revised ones too."""
        if not len(bars):
            return
        bars = take_bars(bars, np.lexsort((bars["open_time_ms"], bars["interval_ms"], bars["symbol_id"])))
        symbol_id, interval_ms = bars["symbol_id"], bars["interval_ms"]
        changes = (symbol_id[1:] != symbol_id[:-1]) | (interval_ms[1:] != interval_ms[:-1])
        begins = np.flatnonzero(np.concatenate([_YES, changes]))
        keys = zip(symbol_id[begins].tolist(), interval_ms[begins].tolist(), strict=True)
        for key, (first, end) in zip(keys, pairwise([*begins.tolist(), len(bars)]), strict=True):
            self._series_of(*key).put(bars[first:end])

    def open_bars(self, symbol_ids: Sequence[int]) -> BarArray:
        """The bars of some symbols that are not over, of all intervals."""
        return join_bars([builder.open_bars(symbol_ids) for builder in self._builders.values()])

    def newest_open_ms(self, interval: Interval) -> int:
        """Open time of the bar that holds the newest trade of any symbol."""
        return interval.floor(self._exchange_ms)

    def newest_closed_ms(self, interval: Interval) -> int:
        """Open time of the newest bar that is closed, of whatever symbol: trades of it would be late."""
        return interval.floor(self._exchange_ms - CLOSING_GRACE_MS) - interval.ms

    def resume(self, exchange_ms: int) -> None:
        """Set the exchange's time after a warm start."""
        self._exchange_ms = max(self._exchange_ms, exchange_ms)
