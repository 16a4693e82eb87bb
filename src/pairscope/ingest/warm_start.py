"""A start goes on from the tape: stored bars into memory, and bars again from the trades after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from pairscope.bars.memory import BarMemory
from pairscope.bars.merge import merge_bars
from pairscope.bars.rebuild import End, charged
from pairscope.base.clock import Clock, now_ms
from pairscope.base.gaps import GapReason
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, Cut, Gap, of_trades
from pairscope.feed.continuity import ContinuityTracker
from pairscope.ingest.edges import Bar, Edges
from pairscope.ingest.revisions import Revisions
from pairscope.store.tape import Tape

log = structlog.get_logger()

MOST_MERGED = 200_000  # stored bars read at once to make coarser ones
LARGEST_REBUILD = 2_000_000  # trades read at once after a restart
LATE_MS = 300_000  # a bar that ended so long before a kill has all its trades, but for those of holes


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Brings memory to where the tape is; `open_gaps` puts new holes to the tape."""

    store: Tape
    tracker: ContinuityTracker
    memory: BarMemory
    edges: Edges
    revisions: Revisions
    clock: Clock
    open_gaps: Callable[[Sequence[Gap]], object]

    def run(self, hole_reason: GapReason) -> None:
        heads = self.store.last_trades()
        gaps = self.store.gaps(open_only=True)
        unheard: dict[int, list[Bar]] = {}
        for symbol_id, symbol in enumerate(self.store.symbols):
            holes = [gap for gap in gaps if gap.symbol == symbol]
            if symbol_id in heads or holes:
                head = heads.get(symbol_id, (-1, 0))
                first = self.store.trades(symbol, limit=1)
                if len(first):
                    self.edges.begin(symbol_id, int(first.id[0]), int(first.time_ms[0]))
                self.open_gaps(self.tracker.restore(symbol_id, *head, holes))
                filled_ms = self._close_filled(symbol, holes, hole_reason)
                unheard[symbol_id] = self._restore_bars(symbol_id, symbol, head[1], filled_ms)
            self._restore_official(symbol_id, symbol, heads.get(symbol_id, (-1, 0))[1])
        for symbol_id in range(len(self.store.symbols)):  # a stop came before the end of what is open
            for bar in self.edges.cut(symbol_id, unheard.get(symbol_id, ())):
                self.revisions.tell(self.edges.mark(*bar))
        log.info("warm_start", symbols=len(heads), open_gaps=len(gaps))

    def _close_filled(self, symbol: str, holes: Sequence[Gap], hole_reason: GapReason) -> set[int]:
        """Close what was filled right before the end came; the times of trades whose bars may not tell it yet."""
        times_ms: set[int] = set()
        for hole in holes:
            present = self.store.trades(symbol, from_id=hole.first_id, to_id=hole.last_id + 1)
            if len(present):
                judged = self.tracker.check(present, now_ms(self.clock), hole_reason)
                self.revisions.keep_gaps(judged.gaps)
                times_ms.update(present.time_ms.tolist())
                times_ms.update(at_ms for at_ms in (hole.after_ms, hole.before_ms) if at_ms is not None)
        return times_ms

    def _restore_bars(self, symbol_id: int, symbol: str, time_ms: int, filled_ms: set[int]) -> list[Bar]:
        """Returns bars that were over, and whose end was not heard, when the end came."""
        self.memory.resume(time_ms)
        starts: dict[Interval, int] = {}
        newest: dict[Interval, BarArray] = {}
        for interval in self.memory.intervals:
            stored = self.store.bars(symbol, interval, limit=self.memory.capacity, newest=True)
            newest[interval] = stored[of_trades(stored)][-1:]
            stored = stored[stored["open_time_ms"] < interval.floor(time_ms - LATE_MS)]
            self.memory.warm(symbol_id, interval, stored)
            stale = self._stale(symbol_id, stored)
            self.revisions.make_again(((symbol_id, interval, open_ms) for open_ms in stale), at_once=False)
            starts[interval] = int(stored["open_time_ms"][-1]) + interval.ms if len(stored) else 0
        from_ms = min(starts.values())
        trades = self.store.trades(symbol, from_ms=from_ms, limit=LARGEST_REBUILD, newest=True)
        # By time, so that no trade is late for its bar: what is put here may replace a bar that was revised already.
        order = np.lexsort((trades.id, trades.time_ms))
        change = self.memory.add(trades.take(order), np.zeros(len(trades), np.int64))
        gaps = self.tracker.open_gaps(symbol_id)
        own = change.closed["symbol_id"] == symbol_id  # the bars of others may be over by now
        best = self.store.symbols.best(symbol_id)
        change.closed[own] = charged(change.closed[own], gaps, self._begin(symbol_id), best)
        self.memory.put(change.closed)
        self.revisions.put_bars(change.closed)
        for bar in self.edges.of_open(symbol_id):  # before the trades of another symbol close them
            self.edges.mark(*bar)
        filled = {(symbol_id, i, i.floor(at_ms)) for i in self.memory.intervals for at_ms in filled_ms}
        self.revisions.make_again(item for item in filled if item[2] < starts[item[1]])
        return [bar for interval, bars in newest.items() for bar in self._unheard(symbol_id, interval, bars)]

    def _unheard(self, symbol_id: int, interval: Interval, stored: BarArray) -> list[Bar]:
        """The newest bar, when it was stored without its end, and the tape has no trade after it."""
        made = self.memory.series(symbol_id, interval).last()
        if made is None or not len(stored) or not stored["cut"][0] & Cut.END:
            return []
        open_ms = int(stored["open_time_ms"][0])
        is_newest = open_ms == made["open_time_ms"] and stored["last_id"][0] == made["last_id"]
        return [(symbol_id, interval, open_ms)] if is_newest else []

    def _begin(self, symbol_id: int) -> list[End]:
        first = self.edges.first(symbol_id)
        return [] if first is None else [first]

    def _stale(self, symbol_id: int, stored: BarArray) -> list[int]:
        """Bars that say otherwise than the gaps what is missing in them: a kill came before they were told."""
        stored = stored[of_trades(stored)]
        best = self.store.symbols.best(symbol_id)
        known = charged(stored.copy(), self.tracker.open_gaps(symbol_id), self._begin(symbol_id), best)
        differs = (known["cut"] != stored["cut"]) | (known["lost"] != stored["lost"])
        open_ms: list[int] = stored["open_time_ms"][differs].tolist()
        return open_ms

    def _restore_official(self, symbol_id: int, symbol: str, time_ms: int) -> None:
        """Bars that came as bars, and reach beyond the newest trade: where there is no trade, they tell what is now."""
        held = self.store.intervals(symbol)
        for interval in self.memory.intervals:
            base = max((each for each in held if interval.ms % each.ms == 0), key=lambda each: each.ms, default=None)
            if base is None:
                continue
            most = min(self.memory.capacity * (interval.ms // base.ms), MOST_MERGED)
            stored = self.store.bars(symbol, base, from_ms=time_ms + 1, limit=most, newest=True)
            stored = stored[~of_trades(stored)]  # a kill may have left bars whose trades never reached the disk
            later = stored if base == interval else merge_bars(stored, interval)
            if len(later):
                self.memory.put(later)
                end_ms = int(later["open_time_ms"][-1]) + interval.ms
                self.memory.resume(min(end_ms - 1, now_ms(self.clock)))
