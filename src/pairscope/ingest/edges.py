"""What is known of the bars that miss trades: holes in them, where listening began, where it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pairscope.bars.cuts import cut_by_gaps, ends_with_the_day, settle
from pairscope.bars.memory import BarMemory
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, Cut, Gap, Present, SymbolTable, TradeBatch, no_bars
from pairscope.feed.continuity import ContinuityTracker

Bar = tuple[int, Interval, int]  # symbol, interval, open time

_HOLES = Cut.HOLE_AFTER | Cut.HOLE_BEFORE


class Edges:
    """Tells bars what they miss; those it cannot tell any more are the callers'."""

    def __init__(self, symbols: SymbolTable, tracker: ContinuityTracker, memory: BarMemory) -> None:
        self._symbols = symbols
        self._tracker = tracker
        self._memory = memory
        self._first: dict[int, tuple[int, int]] = {}  # lowest id of each symbol, and its time: listening began there
        self._ends: dict[int, set[tuple[Interval, int]]] = {}  # bars of symbols that are not heard since

    def first(self, symbol_id: int) -> tuple[int, int] | None:
        """The lowest id that is held of a symbol, and its time."""
        return self._first.get(symbol_id)

    def begin(self, symbol_id: int, trade_id: int, time_ms: int) -> None:
        """Say where what is held of a symbol begins."""
        self._first[symbol_id] = trade_id, time_ms

    def cut(self, symbol_id: int, over: Iterable[Bar] = ()) -> list[Bar]:
        """A symbol is not heard from here on: its open bars, which are to be marked, and those that are `over`."""
        if symbol_id in self._ends:
            return []
        ends = [*self.of_open(symbol_id), *over]
        self._ends[symbol_id] = {(interval, open_ms) for _, interval, open_ms in ends}
        return ends

    def whole(self, symbol_id: int) -> list[Bar]:
        """What ended with a symbol's newest trade missed nothing: those bars, which are to be marked."""
        return [(symbol_id, *bar) for bar in self._ends.pop(symbol_id, set())]

    def heard(self, trades: TradeBatch, present: Present, opened: Sequence[Gap]) -> Iterable[Bar]:
        """Bars to be marked: where listening began, those beside a new hole, and those whose end is heard of now."""
        marks: set[Bar] = set()
        for gap in opened:
            marks.update(self._beside(gap))
        firsts = trades.id[present.first].tolist()
        for symbol_id, place, trade_id in zip(present.symbols.tolist(), present.first.tolist(), firsts, strict=True):
            if symbol_id not in self._first or trade_id < self._first[symbol_id][0]:
                time_ms = int(trades.time_ms[place])
                self._first[symbol_id] = trade_id, time_ms
                marks.update(self._begun(symbol_id))
                marks.update(self._at(symbol_id, time_ms))
            marks.update((symbol_id, *bar) for bar in self._ends.pop(symbol_id, ()))
        return marks

    def counted(self, bars: BarArray) -> list[Bar]:
        """Bars that were cut while their trades were counted, which are to be marked.

        Counting supposes that a hole begins in the bar that is open. It may begin in one of which nothing is held any
        more, and the bar that is open is whole.
        """
        return _each(bars[(bars["cut"] & _HOLES) != 0])

    def _begun(self, symbol_id: int) -> list[Bar]:
        """The bars of a symbol that say that listening began in them."""
        own = (self._memory.series(symbol_id, interval).since(0) for interval in self._memory.intervals)
        return [bar for bars in own for bar in _each(bars[(bars["cut"] & Cut.BEGIN) != 0])]

    def _at(self, symbol_id: int, time_ms: int) -> list[Bar]:
        return [(symbol_id, interval, interval.floor(time_ms)) for interval in self._memory.intervals]

    def _beside(self, gap: Gap) -> set[Bar]:
        """The bars a hole lies between, of all intervals; or that one, when it lies within one."""
        symbol_id = self._symbols.index(gap.symbol)
        times_ms = [at_ms for at_ms in (gap.after_ms, gap.before_ms) if at_ms is not None]
        return {bar for at_ms in times_ms for bar in self._at(symbol_id, at_ms)}

    def charge(self, gap: Gap) -> list[Bar]:
        """Tell the bars beside a hole what they miss now; those that are closed, and have to be made again."""
        return [bar for bar in self._beside(gap) if not self._memory.set_lost(*bar, *self.state_of(*bar))]

    def of_open(self, symbol_id: int) -> list[Bar]:
        """The bars of a symbol that are open."""
        return _each(self._memory.open_bars([symbol_id]))

    def state_of(self, symbol_id: int, interval: Interval, open_ms: int) -> tuple[int, Cut]:
        """Ids that are missing right before a trade of a bar, and where the bar is cut."""
        lost, cut = cut_by_gaps(self._tracker.open_gaps(symbol_id), interval.ms, open_ms)
        first = self._first.get(symbol_id)
        # Times step back now and then: a bar before that of the first trade may hold trades that came after it.
        begins = first is not None and open_ms <= first[1]
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


def _each(bars: BarArray) -> list[Bar]:
    names = ("symbol_id", "interval_ms", "open_time_ms")
    rows = zip(*(bars[name].tolist() for name in names), strict=True)
    return [(symbol_id, Interval(interval_ms), open_ms) for symbol_id, interval_ms, open_ms in rows]
