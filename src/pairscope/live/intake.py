"""The one way in: every trade passes here, from its id to the tape, to its bars, to whoever watches.

Order matters and is the same for live trades, back-fills and replays: ids are judged first (a rejected trade
still proves that its id exists), then the trade goes to the tape, then to the bars.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from pairscope.bars.builder import build_bars
from pairscope.base.clock import Clock, now_ms
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, BoolArray, Gap, IntArray, TradeBatch, no_bars
from pairscope.feed.continuity import ContinuityTracker
from pairscope.live.book import BarBook
from pairscope.live.state import Live, LiveUpdate
from pairscope.store.tape import Store

log = structlog.get_logger()

LARGEST_REBUILD = 2_000_000  # trades read at once after a restart
LONGEST_STRETCH = 12  # bars of the coarsest interval read at once to rebuild what late trades belong to


@dataclass(slots=True)
class IntakeCounters:
    received: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    refused: int = 0  # taken from the wire, not accepted by the tape: each has a gap row
    revised_bars: int = 0


@dataclass(frozen=True, slots=True)
class Newest:
    """The last trade of a symbol, and how many came since the start."""

    price: float
    time_ms: int
    received_ns: int
    trades: int


class Intake:
    """Judges ids, keeps trades, builds bars, publishes changes. Lives on the event loop."""

    def __init__(self, *, store: Store, tracker: ContinuityTracker, book: BarBook, live: Live, clock: Clock) -> None:
        self.counters = IntakeCounters()
        self.hole_reason = "start"
        self._store = store
        self._tracker = tracker
        self._book = book
        self._live = live
        self._clock = clock
        self._newest: dict[int, Newest] = {}
        self._late: set[tuple[int, Interval, int]] = set()
        self._late_arrived = asyncio.Event()
        self._on_gaps: Callable[[], None] = lambda: None

    def take(self, trades: TradeBatch, keep: BoolArray) -> None:
        """Take a burst: `keep` is false where only the id counts."""
        judged = self._tracker.check(trades, now_ms(self._clock), self.hole_reason)
        wanted = judged.fresh & keep
        lost = _carried(judged.lost, wanted, trades.symbol_id)
        counters = self.counters
        counters.received += len(trades)
        counters.duplicates += judged.duplicates
        counters.rejected += judged.implausible + int((judged.fresh & ~keep).sum())
        kept = trades if wanted.all() else trades.take(wanted)
        if judged.gaps:
            self._keep_gaps(judged.gaps)
        if self._store.put_trades(kept):
            counters.stored += len(kept)
        else:
            self._refused(kept)
        self._remember(kept)
        self._to_bars(kept, lost if wanted.all() else lost[wanted])

    def when_gaps_change(self, callback: Callable[[], None]) -> None:
        """Be told when holes appear or change."""
        self._on_gaps = callback

    def _keep_gaps(self, gaps: Sequence[Gap]) -> None:
        for gap in gaps:
            if gap.closed_ms is not None:
                self._uncharge(gap)
                log.info("gap_closed", symbol=gap.symbol, ids=gap.ids, first_id=gap.first_id)
            elif gap.obstacle is None and gap.found_ms == now_ms(self._clock):
                log.warning("gap_opened", symbol=gap.symbol, ids=gap.ids, first_id=gap.first_id, reason=gap.reason)
        self._store.put_gaps(gaps)
        self._on_gaps()

    def _uncharge(self, gap: Gap) -> None:
        """The bar after a hole was told how many ids it misses: tell it what is missing now."""
        if gap.before_ms is None:
            return
        symbol_id = self._live.symbols.index(gap.symbol)
        for interval in self._book.intervals:
            open_ms = interval.floor(gap.before_ms)
            lost = self._lost_in(symbol_id, interval, open_ms)
            if not self._book.set_lost(symbol_id, interval, open_ms, lost):
                self._late.add((symbol_id, interval, open_ms))
                self._late_arrived.set()

    def _lost_in(self, symbol_id: int, interval: Interval, open_ms: int) -> int:
        """Ids of open gaps right before a trade of this bar: a hole is charged to the bar that follows it."""
        return sum(
            gap.ids
            for gap in self._tracker.open_gaps(symbol_id)
            if gap.before_ms is not None and interval.floor(gap.before_ms) == open_ms
        )

    def lose(self, gaps: Sequence[Gap]) -> None:
        """Trades that were on the tape cannot be read any more; they are fetched again where that can be done."""
        self._tracker.lose(gaps)
        log.error("trades_lost", gaps=len(gaps), ids=sum(gap.ids for gap in gaps))
        self._on_gaps()

    def newest(self, symbol_id: int) -> Newest | None:
        """The last trade of a symbol since the start."""
        return self._newest.get(symbol_id)

    def _remember(self, trades: TradeBatch) -> None:
        symbols, last_places, counts = np.unique(trades.symbol_id[::-1], return_index=True, return_counts=True)
        for symbol_id, place, count in zip(symbols.tolist(), last_places.tolist(), counts.tolist(), strict=True):
            i = len(trades) - 1 - place
            before = self._newest.get(symbol_id)
            if before is not None and before.time_ms > int(trades.time_ms[i]):  # a back-fill
                continue
            self._newest[symbol_id] = Newest(
                price=float(trades.price[i]),
                time_ms=int(trades.time_ms[i]),
                received_ns=int(trades.received_ns[i]),
                trades=count + (before.trades if before else 0),
            )

    def _refused(self, trades: TradeBatch) -> None:
        """The tape is full: what it could not take is a gap, not a silence."""
        self.counters.refused += len(trades)
        gaps = self._tracker.forget(trades, now_ms(self._clock), "disk_queue_full")
        self._keep_gaps(gaps)

    def _to_bars(self, trades: TradeBatch, lost: IntArray) -> None:
        change = self._book.add(trades, lost)
        if len(change.closed):
            self._store.put_bars(change.closed)
        if change.late:
            self._late.update(change.late)
            self._late_arrived.set()
        self._live.publish(LiveUpdate(change.touched))

    async def revise_for_ever(self) -> None:
        """Rebuild bars that late trades belong to, from the tape itself."""
        while True:
            await self._late_arrived.wait()
            self._late_arrived.clear()
            late, self._late = self._late, set()
            await self._store.flushed()
            for symbol_id in sorted({item[0] for item in late}):
                wanted = {(interval, open_ms) for symbol, interval, open_ms in late if symbol == symbol_id}
                revised = await asyncio.to_thread(self._rebuild, symbol_id, wanted)
                self._publish_revised(symbol_id, revised)

    def _rebuild(self, symbol_id: int, wanted: set[tuple[Interval, int]]) -> BarArray:
        """Bars of one symbol from its stored trades, each stretch of the tape read once for all intervals."""
        symbol = self._live.symbols.name(symbol_id)
        stretch = max(self._book.intervals)
        starts = sorted({stretch.floor(open_ms) for _, open_ms in wanted})
        found = [no_bars()]
        for run in runs(np.array(starts, np.int64), stretch.ms, LONGEST_STRETCH):
            trades = self._store.trades(symbol, from_ms=int(run[0]), to_ms=int(run[-1]) + stretch.ms)
            for interval in self._book.intervals:
                bars = build_bars(trades, interval)
                times = [open_ms for kept, open_ms in wanted if kept == interval]
                found.append(bars[np.isin(bars["open_time_ms"], times)])
        return np.concatenate(found)

    def _publish_revised(self, symbol_id: int, bars: BarArray) -> None:
        if not len(bars):
            return
        for bar in bars:
            interval, open_ms = Interval(int(bar["interval_ms"])), int(bar["open_time_ms"])
            bar["lost"] = self._lost_in(symbol_id, interval, open_ms)
            known = self._book.series(symbol_id, interval).since(open_ms)[:1]["open_time_ms"]
            bar["status"] = BarStatus.REVISED if open_ms in known else BarStatus.CLOSED
        self.counters.revised_bars += len(bars)
        self._store.put_bars(bars)
        self._book.put(bars)
        self._live.publish(LiveUpdate(bars))

    def restore(self) -> None:
        """Warm start: stored bars into memory, and bars again from the trades after them."""
        heads = self._store.last_trades()
        gaps = self._store.gaps(open_only=True)
        for symbol_id, (highest_id, time_ms) in heads.items():
            symbol = self._live.symbols.name(symbol_id)
            self._tracker.restore(symbol_id, highest_id, time_ms, [gap for gap in gaps if gap.symbol == symbol])
            self._restore_bars(symbol_id, symbol, time_ms)
        log.info("warm_start", symbols=len(heads), open_gaps=len(gaps))

    def _restore_bars(self, symbol_id: int, symbol: str, time_ms: int) -> None:
        self._book.resume(time_ms)
        ends: list[int] = []
        for interval in self._book.intervals:
            stored = self._store.bars(symbol, interval, limit=self._book.capacity, newest=True)
            self._book.warm(symbol_id, interval, stored)
            ends.append(int(stored["open_time_ms"][-1]) + interval.ms if len(stored) else 0)
        trades = self._store.trades(symbol, from_ms=min(ends), limit=LARGEST_REBUILD, newest=True)
        lost = np.zeros(len(trades), np.int64)
        for gap in self._tracker.open_gaps(symbol_id):
            place = int(np.searchsorted(trades.id, gap.last_id))
            if 0 < place < len(trades):
                lost[place] += gap.ids
        change = self._book.add(trades, lost)
        if len(change.closed):
            self._store.put_bars(change.closed)


def runs(times: IntArray, step: int, longest: int) -> list[IntArray]:
    """Rising times cut where the next is not one step on, and after `longest` of them.

    >>> [run.tolist() for run in runs(np.array([0, 5, 10, 20, 25]), 5, 2)]
    [[0, 5], [10], [20, 25]]
    """
    pieces = np.split(times, np.flatnonzero(np.diff(times) != step) + 1)
    return [piece[i : i + longest] for piece in pieces for i in range(0, len(piece), longest)]


def _carried(lost: IntArray, wanted: BoolArray, symbol_id: np.ndarray[tuple[int], np.dtype[np.int32]]) -> IntArray:
    """Move what was lost before a trade that is dropped to the next one of its symbol that is kept."""
    dropped = np.flatnonzero((lost > 0) & ~wanted)
    if not len(dropped):
        return lost
    moved = lost.copy()
    for i in dropped.tolist():
        later = np.flatnonzero(wanted[i:] & (symbol_id[i:] == symbol_id[i]))
        if len(later):
            moved[i + int(later[0])] += moved[i]
        moved[i] = 0
    return moved
