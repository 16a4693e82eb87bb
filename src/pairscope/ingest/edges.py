"""What is known of the bars that miss trades: holes in them, where listening began, where it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pairscope.bars.cuts import cut_by_gaps, ends_with_the_day, settle
from pairscope.bars.memory import BarMemory
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, Cut, Gap, Present, SymbolTable, TradeBatch, no_bars
from pairscope.feed.continuity import ContinuityTracker

Bar = tuple[int, Interval, int]  # symbol, interval, open time


class Edges:
    """Tells bars what they miss; those it cannot tell any more are the callers'."""

    def __init__(self, symbols: SymbolTable, tracker: ContinuityTracker, memory: BarMemory) -> None:
        self._symbols = symbols
        self._tracker = tracker
        self._memory = memory
        self._first: dict[int, tuple[int, int]] = {}  # lowest id of each symbol, and its time: listening began there
        self._ends: dict[int, set[tuple[Interval, int]]] = {}  # bars of symbols that are not heard since

    def begins_ms(self, symbol_id: int) -> int | None:
        """The time of the lowest id that is held of a symbol."""
        first = self._first.get(symbol_id)
        return None if first is None else first[1]

    def begin(self, symbol_id: int, trade_id: int, time_ms: int) -> None:
        """Say where what is held of a symbol begins."""
        self._first[symbol_id] = trade_id, time_ms

    def cut(self, symbol_id: int) -> list[Bar]:
        """A symbol is not heard from here on: its open bars, which are to be marked."""
        if symbol_id in self._ends:
            return []
        self._ends[symbol_id] = _open_ones(self._memory.open_bars([symbol_id]))
        return [(symbol_id, *bar) for bar in self._ends[symbol_id]]

    def whole(self, symbol_id: int) -> list[Bar]:
        """What ended with a symbol's newest trade missed nothing: those bars, which are to be marked."""
        return [(symbol_id, *bar) for bar in self._ends.pop(symbol_id, set())]

    def heard(self, trades: TradeBatch, present: Present, opened: Sequence[Gap]) -> Iterable[Bar]:
        """Bars to be marked: where listening began, those before a new hole, and those whose end is heard of now."""
        marks: set[Bar] = set()
        for gap in opened:
            if gap.after_ms is not None:
                marks.update(self._at(self._symbols.index(gap.symbol), gap.after_ms))
        firsts = trades.id[present.first].tolist()
        for symbol_id, place, trade_id in zip(present.symbols.tolist(), present.first.tolist(), firsts, strict=True):
            if symbol_id not in self._first or trade_id < self._first[symbol_id][0]:
                time_ms = int(trades.time_ms[place])
                self._first[symbol_id] = trade_id, time_ms
                marks.update(self._at(symbol_id, time_ms))
            marks.update((symbol_id, *bar) for bar in self._ends.pop(symbol_id, ()))
        return marks

    def _at(self, symbol_id: int, time_ms: int) -> list[Bar]:
        return [(symbol_id, interval, interval.floor(time_ms)) for interval in self._memory.intervals]

    def charge(self, gap: Gap) -> list[Bar]:
        """Tell the bar after a hole how many ids it misses now; those that are closed, and have to be made again."""
        if gap.before_ms is None:
            return []
        symbol_id = self._symbols.index(gap.symbol)
        closed = []
        for interval in self._memory.intervals:
            open_ms = interval.floor(gap.before_ms)
            if not self._memory.set_lost(symbol_id, interval, open_ms, *self.state_of(symbol_id, interval, open_ms)):
                closed.append((symbol_id, interval, open_ms))
            if gap.after_ms is not None and interval.floor(gap.after_ms) != open_ms:
                closed.append((symbol_id, interval, interval.floor(gap.after_ms)))
        return closed

    def state_of(self, symbol_id: int, interval: Interval, open_ms: int) -> tuple[int, Cut]:
        """Ids that are missing right before a trade of a bar, and where the bar is cut."""
        lost, cut = cut_by_gaps(self._tracker.open_gaps(symbol_id), interval.ms, open_ms)
        first = self._first.get(symbol_id)
        begins = first is not None and interval.floor(first[1]) == open_ms
        if begins and not ends_with_the_day(open_ms, interval.ms, Cut.BEGIN):
            cut |= Cut.BEGIN
        if (interval, open_ms) in self._ends.get(symbol_id, ()):
            cut |= Cut.END
        return lost, cut

    def mark(self, symbol_id: int, interval: Interval, open_ms: int) -> BarArray:
        """Have a bar say what is known of its missing trades now; the bar, when it was closed and says otherwise."""
        lost, cut = self.state_of(symbol_id, interval, open_ms)
        if self._memory.set_lost(symbol_id, interval, open_ms, lost, cut):
            return no_bars()
        bar = self._memory.series(symbol_id, interval).since(open_ms)[:1].copy()
        if not len(bar) or bar["open_time_ms"][0] != open_ms or (bar["lost"][0], bar["cut"][0]) == (lost, cut):
            return no_bars()
        bar["lost"], bar["cut"] = lost, cut
        bar["status"] = BarStatus.REVISED
        return settle(bar, self._symbols.best(symbol_id))


def _open_ones(bars: BarArray) -> set[tuple[Interval, int]]:
    opens = zip(bars["interval_ms"].tolist(), bars["open_time_ms"].tolist(), strict=True)
    return {(Interval(interval_ms), open_ms) for interval_ms, open_ms in opens}
