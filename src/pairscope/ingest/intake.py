"""Intake of trades: ids compared, rows put on the tape, counted into bars and told to listeners; the one way in.

Order matters and is the same for live trades, back-fills and replays: rows are judged, then ids are compared (a refused
row still proves that its id exists), then the trade goes to the tape, then to the bars.

The process may be killed between any two puts, so the rows of gaps may say too much and never too little: a hole is
put before the trade that shows it, and closed only once its trades are on the disk and their bars are rebuilt. What a
row says too much is found at the next start.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from pairscope.bars.builder import build_bars
from pairscope.bars.cuts import cut_by_gaps, ends_with_the_day, settle
from pairscope.bars.memory import BarMemory
from pairscope.bars.merge import merge_bars
from pairscope.bars.rebuild import charged
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import StoreUnavailable
from pairscope.base.gaps import GapReason
from pairscope.base.interval import Interval
from pairscope.base.model import (
    BarArray,
    BarStatus,
    Cut,
    Gap,
    IntArray,
    Present,
    TradeBatch,
    join_bars,
    of_trades,
    take_bars,
)
from pairscope.feed.continuity import ContinuityTracker, IdCheck
from pairscope.feed.judge import GoodTrades, Judge, Judged, Refusal, Tally, conflicting
from pairscope.store.tape import Tape

log = structlog.get_logger()

MOST_MERGED = 200_000  # stored bars read at once to make coarser ones
LARGEST_REBUILD = 2_000_000  # trades read at once after a restart
LATE_MS = 300_000  # a bar that ended so long before a kill has all its trades, but for those of holes
RETRY_S = 1.0
RECENT_ROWS = 20_000  # a few seconds of a busy market: what two connections of a rotation both deliver
LONGEST_STRETCH = 12  # bars of the coarsest interval read at once to rebuild what late trades belong to


@dataclass(slots=True)
class IntakeCounters:
    received: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    refused: int = 0  # taken from the wire, not accepted by the tape: they will be missing, and be asked for again
    revised_bars: int = 0


@dataclass(frozen=True, slots=True)
class Newest:
    """The last trade of a symbol, and how many came since the start."""

    price: float
    time_ms: int
    received_ns: int
    trades: int


class Intake:
    """Judges ids, keeps trades, builds bars, publishes changes. Lives on the event loop.

    Args:
        unheard: the symbols whose connection is down.
        gaps_changed: told when holes appear or change.
    """

    def __init__(
        self,
        *,
        store: Tape,
        tracker: ContinuityTracker,
        judge: Judge,
        memory: BarMemory,
        clock: Clock,
        unheard: Callable[[], Iterable[int]] = tuple,
        gaps_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.counters = IntakeCounters()
        self._hole_reason = GapReason.START  # as who brought trades said it last
        self._store = store
        self._tracker = tracker
        self._judge = judge
        self._recent: deque[TradeBatch] = deque()  # what repeated rows are compared with
        self._recent_rows = 0
        self._memory = memory
        self._clock = clock
        self._newest: dict[int, Newest] = {}
        self._late: set[tuple[int, Interval, int]] = set()
        self._first_ms: dict[int, tuple[int, int]] = {}  # lowest id of each symbol, and its time: listening began there
        self._ends: dict[int, set[tuple[Interval, int]]] = {}  # bars of symbols that are not heard since
        self._unheard = unheard
        self._rows: dict[tuple[str, int], Gap] = {}  # of gaps, to be written once no late bar is left
        self._unsettled = asyncio.Event()
        self._revising = False
        self.settlings = 0  # how often bars were made anew, or changed gaps written
        self._on_gaps = gaps_changed

    def take(self, judged: Judged) -> bool:
        """Take a burst, of a refused row only the id. False when the tape is full: nothing was taken."""
        rows = judged.rows
        self._hole_reason = judged.hole_reason or self._hole_reason
        ids = self._tracker.check(rows, now_ms(self._clock), self._hole_reason, judged.verdict)
        kept = judged.good(ids.fresh)
        counters = self.counters
        counters.received += len(rows)
        counters.duplicates += ids.duplicates
        counters.rejected += ids.implausible + int(np.count_nonzero(judged.verdict))
        self._judge.refuse(rows, ids.implausible_at, Refusal.ID)
        present = Present.of(kept.symbol_id)
        self._remember(kept, present)
        if not (self._open(ids.opened, len(kept)) and self._store.put_trades(kept)):
            counters.refused += len(kept)
            self._tracker.rewind(ids, rows, GapReason.DISK_QUEUE_FULL)
            return False
        counters.stored += len(kept)
        self._compare(rows, ids.repeated_at, kept)
        for symbol_id in self._unheard():
            self.cut(symbol_id)
        self._to_bars(kept, ids.lost if ids.fresh.all() else ids.lost[ids.fresh])
        self._mark_edges(kept, present, ids.opened)
        if ids.gaps:
            self._changed(ids)
        return True

    def _compare(self, rows: TradeBatch, repeated_at: IntArray, kept: GoodTrades) -> None:
        """Tell rows that come once more and say the same from those that contradict what was taken lately."""
        if len(kept):
            self._recent.append(kept)
            self._recent_rows += len(kept)
            while self._recent_rows - len(self._recent[0]) >= RECENT_ROWS:
                self._recent_rows -= len(self._recent.popleft())
        if len(repeated_at):
            differs = conflicting(rows.take(repeated_at), TradeBatch.concatenate(list(self._recent)))
            self._judge.conflict(rows, repeated_at[differs])

    @property
    def tally(self) -> Tally:
        """What the judge refused and noted."""
        return self._judge.tally

    @property
    def unsettled(self) -> bool:
        """Whether bars wait to be revised, or changed gaps to be written."""
        return self._revising or self._unsettled.is_set()

    def _open(self, gaps: Sequence[Gap], trades: int) -> bool:
        """Put new holes to the tape; false when it is full, or has no room for the trades that show them."""
        if gaps:
            store = self._store.counters()
            if store.rows_waiting + trades > store.rows_limit or not self._store.put_gaps(gaps):
                return False
        for gap in gaps:
            if gap.closed_ms is not None or gap.obstacle is not None:  # a refused row, which the judge tells of
                continue
            log.warning("gap_opened", symbol=gap.symbol, ids=gap.ids, first_id=gap.first_id, reason=gap.reason)
        return True

    def _changed(self, ids: IdCheck) -> None:
        changed = [gap for gap in ids.gaps if gap not in ids.opened]
        for gap in changed:
            self._late.update(self._charge(gap))
            if gap.closed_ms is not None and gap.reason != GapReason.NOT_A_TRADE:
                log.info("gap_closed", symbol=gap.symbol, ids=gap.ids, first_id=gap.first_id)
        self.keep_gaps(changed)
        self._on_gaps()

    def keep_gaps(self, gaps: Sequence[Gap]) -> None:
        """Have changed gaps written, in their turn."""
        self._rows.update({(gap.symbol, gap.first_id): gap for gap in gaps})
        if gaps:
            self._unsettled.set()

    def _charge(self, gap: Gap) -> list[tuple[int, Interval, int]]:
        """Tell the bar after a hole how many ids it misses now; those that are closed, and have to be made again."""
        if gap.before_ms is None:
            return []
        symbol_id = self._store.symbols.index(gap.symbol)
        closed = []
        for interval in self._memory.intervals:
            open_ms = interval.floor(gap.before_ms)
            if not self._memory.set_lost(symbol_id, interval, open_ms, *self._state_of(symbol_id, interval, open_ms)):
                closed.append((symbol_id, interval, open_ms))
            if gap.after_ms is not None and interval.floor(gap.after_ms) != open_ms:
                closed.append((symbol_id, interval, interval.floor(gap.after_ms)))
        return closed

    def _state_of(self, symbol_id: int, interval: Interval, open_ms: int) -> tuple[int, Cut]:
        """Ids that are missing right before a trade of a bar, and where the bar is cut."""
        lost, cut = cut_by_gaps(self._tracker.open_gaps(symbol_id), interval.ms, open_ms)
        first = self._first_ms.get(symbol_id)
        begins = first is not None and interval.floor(first[1]) == open_ms
        if begins and not ends_with_the_day(open_ms, interval.ms, Cut.BEGIN):
            cut |= Cut.BEGIN
        if (interval, open_ms) in self._ends.get(symbol_id, ()):
            cut |= Cut.END
        return lost, cut

    def _mark_edges(self, trades: TradeBatch, present: Present, opened: Sequence[Gap]) -> None:
        """Tell the bars where listening began, those before a new hole, and those whose end is heard of now."""
        marks: set[tuple[int, Interval, int]] = set()
        for gap in opened:
            if gap.after_ms is not None:
                symbol_id = self._store.symbols.index(gap.symbol)
                marks.update((symbol_id, interval, interval.floor(gap.after_ms)) for interval in self._memory.intervals)
        firsts = trades.id[present.first].tolist()
        for symbol_id, place, trade_id in zip(present.symbols.tolist(), present.first.tolist(), firsts, strict=True):
            if symbol_id not in self._first_ms or trade_id < self._first_ms[symbol_id][0]:
                time_ms = int(trades.time_ms[place])
                self._first_ms[symbol_id] = trade_id, time_ms
                marks.update((symbol_id, interval, interval.floor(time_ms)) for interval in self._memory.intervals)
            marks.update((symbol_id, *bar) for bar in self._ends.pop(symbol_id, ()))
        for mark in marks:
            self._mark(*mark)

    def _mark(self, symbol_id: int, interval: Interval, open_ms: int) -> None:
        """Have a bar say what is known of its missing trades now."""
        lost, cut = self._state_of(symbol_id, interval, open_ms)
        if self._memory.set_lost(symbol_id, interval, open_ms, lost, cut):
            return
        bar = self._memory.series(symbol_id, interval).since(open_ms)[:1].copy()
        if not len(bar) or bar["open_time_ms"][0] != open_ms or (bar["lost"][0], bar["cut"][0]) == (lost, cut):
            return
        bar["lost"], bar["cut"] = lost, cut
        bar["status"] = BarStatus.REVISED
        self._memory.put(settle(bar, self._store.symbols.best(symbol_id)))
        self._put_bars(bar)
        self._memory.publish(bar)

    def cut(self, symbol_id: int) -> None:
        """A symbol is not heard from here on: its open bars will not be whole, unless it turns out that they are."""
        if symbol_id in self._ends:
            return
        self._ends[symbol_id] = self._open_ones(self._memory.open_bars([symbol_id]))
        for interval, open_ms in self._ends[symbol_id]:
            self._mark(symbol_id, interval, open_ms)

    def end(self) -> None:
        """Nothing more will be heard of any symbol: what is open is over, and not whole."""
        bars = self._memory.cut_open()
        self._put_bars(bars)
        self._memory.publish(bars)

    @staticmethod
    def _open_ones(bars: BarArray) -> set[tuple[Interval, int]]:
        opens = zip(bars["interval_ms"].tolist(), bars["open_time_ms"].tolist(), strict=True)
        return {(Interval(interval_ms), open_ms) for interval_ms, open_ms in opens}

    def nothing_since(self, symbol_id: int) -> None:
        """The exchange says that a symbol has not traded since its newest trade: what ended there is whole."""
        for interval, open_ms in self._ends.pop(symbol_id, set()):
            self._mark(symbol_id, interval, open_ms)

    def lose(self, gaps: Sequence[Gap]) -> None:
        """Trades that were on the tape cannot be read any more; they are fetched again where that can be done."""
        self._tracker.lose(gaps)
        log.error("trades_lost", gaps=len(gaps), ids=sum(gap.ids for gap in gaps))
        self._on_gaps()

    def works_on(self, symbol_id: int) -> bool:
        """Whether bars or gaps of a symbol are being revised, or will be."""
        symbol = self._store.symbols.name(symbol_id)
        waiting = any(late[0] == symbol_id for late in self._late) or any(name == symbol for name, _ in self._rows)
        return waiting or self._revising

    def hand_over(self, symbol_id: int, last_id: int) -> int:
        """See `ContinuityTracker.hand_over`; while nothing `works_on` the symbol."""
        return self._tracker.hand_over(symbol_id, last_id)

    def take_back(
        self, symbol_id: int, first: tuple[int, int] | None, last: tuple[int, int] | None, gaps: Sequence[Gap]
    ) -> None:
        """Go on with what the tape has of a symbol now: ids and times of its first and last trade, and open gaps."""
        self._tracker.take_back(symbol_id, last)
        self._tracker.lose(gaps)
        if first is not None:
            self._first_ms[symbol_id] = first
        self._on_gaps()

    @property
    def bars_kept(self) -> int:
        """Of each symbol and interval in memory."""
        return self._memory.capacity

    def go_on_from(self, symbol_id: int, bars: Mapping[Interval, BarArray]) -> None:
        """The newest bars of a symbol that others made: the next trades follow them, as after a start."""
        for interval, own in bars.items():
            self._memory.warm(symbol_id, interval, own[of_trades(own)])

    def look_again(self, symbol_id: int, changed: BarArray, from_ms: int) -> None:
        """Have closed bars made anew from the tape and told: those that others changed on it, and all from a time on.

        Only such as memory holds, or would hold if there had been trades.
        """
        for interval in self._memory.intervals:
            held = self._memory.series(symbol_id, interval).since(0)["open_time_ms"]
            if not len(held):
                continue
            theirs = changed["open_time_ms"][changed["interval_ms"] == interval.ms]
            opens = np.union1d(theirs[theirs >= held[0]], held[held + interval.ms > from_ms])
            opens = opens[opens <= self._memory.newest_closed_ms(interval)]
            self._late.update((symbol_id, interval, open_ms) for open_ms in opens.tolist())
        if self._late:
            self._unsettled.set()

    def reach_back(self, gap: Gap) -> bool:
        """A hole before everything that is held of a symbol; false when the tape has no room for its row now."""
        if not self._open([gap], trades=0):
            return False
        self._tracker.lose([gap])
        self._late.update(self._charge(gap))
        self._unsettled.set()
        self._on_gaps()
        return True

    def begins_ms(self, symbol_id: int) -> int | None:
        """The time of the lowest id that is held of a symbol."""
        first = self._first_ms.get(symbol_id)
        return None if first is None else first[1]

    def newest(self, symbol_id: int) -> Newest | None:
        """The last trade of a symbol since the start."""
        return self._newest.get(symbol_id)

    def heard_at(self, symbol: str) -> int | None:
        """When the last trade of a symbol reached us; None when there was none since the start."""
        seen = self._newest.get(self._store.symbols.index(symbol))
        return seen.received_ns // 1_000_000 if seen else None

    def _remember(self, trades: TradeBatch, present: Present) -> None:
        lasts = zip(present.symbols.tolist(), present.last.tolist(), present.count.tolist(), strict=True)
        for symbol_id, i, count in lasts:
            before = self._newest.get(symbol_id)
            if before is not None and before.time_ms > int(trades.time_ms[i]):  # a back-fill
                continue
            self._newest[symbol_id] = Newest(
                price=float(trades.price[i]),
                time_ms=int(trades.time_ms[i]),
                received_ns=int(trades.received_ns[i]),
                trades=count + (before.trades if before else 0),
            )

    def _to_bars(self, trades: TradeBatch, lost: IntArray) -> None:
        change = self._memory.add(trades, lost)
        self._put_bars(change.closed)
        if change.late:
            self._late.update(change.late)
            self._unsettled.set()
        self._memory.publish(change.touched)

    def _put_bars(self, bars: BarArray) -> None:
        """Bars that the tape cannot take now are made again from their trades when it can."""
        if self._store.put_bars(bars):
            return
        for bar in bars:
            self._late.add((int(bar["symbol_id"]), Interval(int(bar["interval_ms"])), int(bar["open_time_ms"])))
        self._unsettled.set()

    async def revise_for_ever(self) -> None:
        """Rebuild bars that late trades belong to, from the tape itself, and then write which holes they filled."""
        while True:
            self._revising = False
            await self._unsettled.wait()
            self._unsettled.clear()
            self._revising = True
            self.settlings += 1
            late, self._late = self._late, set()
            rows = dict(self._rows)
            try:
                await self._store.flushed()
                await self._revise(late)
                self._write(rows)
            except StoreUnavailable as error:  # a bad disk, which the writer tells of; all is kept for later
                log.warning("revision_postponed", bars=len(late), cause=error.message)
                self._late |= late
                self._unsettled.set()
                await asyncio.sleep(RETRY_S)

    async def _revise(self, late: set[tuple[int, Interval, int]]) -> None:
        for symbol_id in sorted({item[0] for item in late}):
            wanted = {(interval, open_ms) for symbol, interval, open_ms in late if symbol == symbol_id}
            revised = await asyncio.to_thread(self._rebuild, symbol_id, wanted)
            self._publish_revised(symbol_id, revised)

    def _write(self, rows: dict[tuple[str, int], Gap]) -> None:
        """Write rows of gaps; those of a symbol together, because the parts of a hole belong together."""
        for symbol in sorted({symbol for symbol, _ in rows}):
            own = {key: gap for key, gap in rows.items() if key[0] == symbol}
            if not self._store.put_gaps(list(own.values())):
                raise StoreUnavailable("the queue of gaps is full")
            for key, gap in own.items():
                if self._rows.get(key) is gap:  # else it has changed once more meanwhile
                    del self._rows[key]

    def _rebuild(self, symbol_id: int, wanted: set[tuple[Interval, int]]) -> BarArray:
        """Bars of one symbol from its stored trades, each stretch of the tape read once for all intervals."""
        symbol = self._store.symbols.name(symbol_id)
        # No bar of any interval lies across an edge of a stretch: all of them divide a day.
        stretch = Interval(math.lcm(*(interval.ms for interval in self._memory.intervals)))
        starts = sorted({stretch.floor(open_ms) for _, open_ms in wanted})
        found: list[BarArray] = []
        for run in runs(np.array(starts, np.int64), stretch.ms, LONGEST_STRETCH):
            trades = self._store.trades(symbol, from_ms=int(run[0]), to_ms=int(run[-1]) + stretch.ms)
            for interval in self._memory.intervals:
                bars = build_bars(trades, interval, best=self._store.symbols.best_of)
                times = [open_ms for kept, open_ms in wanted if kept == interval]
                found.append(take_bars(bars, np.isin(bars["open_time_ms"], times)))
        return join_bars(found)

    def _publish_revised(self, symbol_id: int, bars: BarArray) -> None:
        if not len(bars):
            return
        for bar in bars:
            interval, open_ms = Interval(int(bar["interval_ms"])), int(bar["open_time_ms"])
            bar["lost"], bar["cut"] = self._state_of(symbol_id, interval, open_ms)
            known = self._memory.series(symbol_id, interval).since(open_ms)[:1]["open_time_ms"]
            bar["status"] = BarStatus.REVISED if open_ms in known else BarStatus.CLOSED
        settle(bars, self._store.symbols.best(symbol_id))
        if not self._store.put_bars(bars):
            raise StoreUnavailable("the queue of bars is full")
        self.counters.revised_bars += len(bars)
        self._memory.put(bars)
        self._memory.publish(bars)

    def restore(self) -> None:
        """Warm start: stored bars into memory, and bars again from the trades after them."""
        heads = self._store.last_trades()
        gaps = self._store.gaps(open_only=True)
        for symbol_id, symbol in enumerate(self._store.symbols):
            holes = [gap for gap in gaps if gap.symbol == symbol]
            if symbol_id in heads or holes:
                head = heads.get(symbol_id, (-1, 0))
                first = self._store.trades(symbol, limit=1)
                if len(first):
                    self._first_ms[symbol_id] = int(first.id[0]), int(first.time_ms[0])
                self._open(self._tracker.restore(symbol_id, *head, holes), trades=0)
                filled_ms = self._close_filled(symbol, holes)
                self._restore_bars(symbol_id, symbol, head[1], filled_ms)
            self._restore_official(symbol_id, symbol, heads.get(symbol_id, (-1, 0))[1])
        for symbol_id in range(len(self._store.symbols)):  # a stop came before the end of what is open
            self.cut(symbol_id)
        log.info("warm_start", symbols=len(heads), open_gaps=len(gaps))

    def _close_filled(self, symbol: str, holes: Sequence[Gap]) -> set[int]:
        """Close what was filled right before the end came; the times of trades whose bars may not tell it yet."""
        times_ms: set[int] = set()
        for hole in holes:
            present = self._store.trades(symbol, from_id=hole.first_id, to_id=hole.last_id + 1)
            if len(present):
                judged = self._tracker.check(present, now_ms(self._clock), self._hole_reason)
                self.keep_gaps(judged.gaps)
                times_ms.update(present.time_ms.tolist())
                times_ms.update(at_ms for at_ms in (hole.after_ms, hole.before_ms) if at_ms is not None)
        return times_ms

    def _restore_bars(self, symbol_id: int, symbol: str, time_ms: int, filled_ms: set[int]) -> None:
        self._memory.resume(time_ms)
        starts: dict[Interval, int] = {}
        for interval in self._memory.intervals:
            stored = self._store.bars(symbol, interval, limit=self._memory.capacity, newest=True)
            stored = stored[stored["open_time_ms"] < interval.floor(time_ms - LATE_MS)]
            self._memory.warm(symbol_id, interval, stored)
            self._late.update((symbol_id, interval, open_ms) for open_ms in self._stale(symbol_id, stored))
            starts[interval] = int(stored["open_time_ms"][-1]) + interval.ms if len(stored) else 0
        from_ms = min(starts.values())
        trades = self._store.trades(symbol, from_ms=from_ms, limit=LARGEST_REBUILD, newest=True)
        # By time, so that no trade is late for its bar: what is put here may replace a bar that was revised already.
        order = np.lexsort((trades.id, trades.time_ms))
        change = self._memory.add(trades.take(order), np.zeros(len(trades), np.int64))
        gaps = self._tracker.open_gaps(symbol_id)
        own = change.closed["symbol_id"] == symbol_id  # the bars of others may be over by now
        first = self._first_ms.get(symbol_id)
        best = self._store.symbols.best(symbol_id)
        change.closed[own] = charged(change.closed[own], gaps, first and first[1:], best)
        self._memory.put(change.closed)
        self._put_bars(change.closed)
        for gap in gaps:
            self._charge(gap)
        filled = {(symbol_id, i, i.floor(at_ms)) for i in self._memory.intervals for at_ms in filled_ms}
        self._late.update(item for item in filled if item[2] < starts[item[1]])
        if self._late:
            self._unsettled.set()

    def _stale(self, symbol_id: int, stored: BarArray) -> list[int]:
        """Bars that say otherwise than the gaps what is missing in them: a kill came before they were told."""
        stored = stored[of_trades(stored)]
        first = self._first_ms.get(symbol_id)
        best = self._store.symbols.best(symbol_id)
        known = charged(stored.copy(), self._tracker.open_gaps(symbol_id), first and first[1:], best)
        differs = (known["cut"] != stored["cut"]) | (known["lost"] != stored["lost"])
        open_ms: list[int] = stored["open_time_ms"][differs].tolist()
        return open_ms

    def _restore_official(self, symbol_id: int, symbol: str, time_ms: int) -> None:
        """Bars that came as bars, and reach beyond the newest trade: where there is no trade, they tell what is now."""
        held = self._store.intervals(symbol)
        for interval in self._memory.intervals:
            base = max((each for each in held if interval.ms % each.ms == 0), key=lambda each: each.ms, default=None)
            if base is None:
                continue
            most = min(self._memory.capacity * (interval.ms // base.ms), MOST_MERGED)
            stored = self._store.bars(symbol, base, from_ms=time_ms + 1, limit=most, newest=True)
            stored = stored[~of_trades(stored)]  # a kill may have left bars whose trades never reached the disk
            later = stored if base == interval else merge_bars(stored, interval)
            if len(later):
                self._memory.put(later)
                end_ms = int(later["open_time_ms"][-1]) + interval.ms
                self._memory.resume(min(end_ms - 1, now_ms(self._clock)))


def runs(times: IntArray, step: int, longest: int) -> list[IntArray]:
    """Rising times cut where the next is not one step on, and after `longest` of them.

    >>> [run.tolist() for run in runs(np.array([0, 5, 10, 20, 25]), 5, 2)]
    [[0, 5], [10], [20, 25]]
    """
    pieces = np.split(times, np.flatnonzero(np.diff(times) != step) + 1)
    return [piece[i : i + longest] for piece in pieces for i in range(0, len(piece), longest)]
