"""Intake of trades: ids compared, rows put on the tape, counted into bars and told to listeners; the one way in.

Order matters and is the same for live trades, back-fills and replays: rows are judged, then ids are compared (a refused
row still proves that its id exists), then the trade goes to the tape, then to the bars.

The process may be killed between any two puts, so the rows of gaps may say too much and never too little: a hole is
put before the trade that shows it, and closed only once its trades are on the disk and their bars are rebuilt. What a
row says too much is found at the next start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import structlog

from pairscope.bars.memory import BarMemory
from pairscope.base.clock import Clock, now_ms
from pairscope.base.gaps import GapReason
from pairscope.base.interval import Interval
from pairscope.base.model import (
    BarArray,
    Gap,
    IntArray,
    Present,
    TradeBatch,
    of_trades,
)
from pairscope.feed.continuity import ContinuityTracker, IdCheck
from pairscope.feed.judge import GoodTrades, Judge, Judged, Refusal, conflicting
from pairscope.feed.tally import Tally
from pairscope.ingest.edges import Bar, Edges
from pairscope.ingest.revisions import Revisions
from pairscope.ingest.warm_start import WarmStart
from pairscope.store.tape import Tape

log = structlog.get_logger()

RECENT_ROWS = 20_000  # a few seconds of a busy market: what two connections of a rotation both deliver


@dataclass(slots=True)
class IntakeCounters:
    received: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0
    refused: int = 0  # taken from the wire, not accepted by the tape: they will be missing, and be asked for again


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
        self._unheard = unheard
        self._edges = Edges(store.symbols, tracker, memory)
        self._revisions = Revisions(store, memory, self._edges)
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
        touched = self._to_bars(kept, ids.lost if ids.fresh.all() else ids.lost[ids.fresh])
        self._mark(self._edges.heard(kept, present, ids.opened))
        if ids.gaps:
            self._mark(self._edges.counted(touched))
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
        return self._revisions.unsettled

    @property
    def settlings(self) -> int:
        """How often bars were made anew, or changed gaps written."""
        return self._revisions.settlings

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
            self._revisions.make_again(self._edges.charge(gap), at_once=False)
            if gap.closed_ms is not None and gap.reason != GapReason.NOT_A_TRADE:
                log.info("gap_closed", symbol=gap.symbol, ids=gap.ids, first_id=gap.first_id)
        self.keep_gaps(changed)
        self._on_gaps()

    def keep_gaps(self, gaps: Sequence[Gap]) -> None:
        """Have changed gaps written, in their turn."""
        self._revisions.keep_gaps(gaps)

    def _mark(self, bars: Iterable[Bar]) -> None:
        """Have bars say what is known of their missing trades now."""
        for bar in bars:
            self._revisions.tell(self._edges.mark(*bar))

    def cut(self, symbol_id: int) -> None:
        """A symbol is not heard from here on: its open bars will not be whole, unless it turns out that they are."""
        self._mark(self._edges.cut(symbol_id))

    def end(self) -> None:
        """Nothing more will be heard of any symbol: what is open is over, and not whole."""
        bars = self._memory.cut_open()
        self._revisions.put_bars(bars)
        self._memory.publish(bars)

    def nothing_since(self, symbol_id: int) -> None:
        """The exchange says that a symbol has not traded since its newest trade: what ended there is whole."""
        self._mark(self._edges.whole(symbol_id))

    def lose(self, gaps: Sequence[Gap]) -> None:
        """Trades that were on the tape cannot be read any more; they are fetched again where that can be done."""
        self._tracker.lose(gaps)
        log.error("trades_lost", gaps=len(gaps), ids=sum(gap.ids for gap in gaps))
        self._on_gaps()

    def works_on(self, symbol_id: int) -> bool:
        """Whether bars or gaps of a symbol are being revised, or will be."""
        symbol = self._store.symbols.name(symbol_id)
        return self._revisions.works_on(symbol_id, symbol)

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
            self._edges.begin(symbol_id, *first)
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
            self._revisions.make_again((symbol_id, interval, open_ms) for open_ms in opens.tolist())

    def reach_back(self, gap: Gap) -> bool:
        """A hole before everything that is held of a symbol; false when the tape has no room for its row now."""
        if not self._open([gap], trades=0):
            return False
        self._tracker.lose([gap])
        self._revisions.make_again(self._edges.charge(gap), at_once=False)
        self._revisions.wake()
        self._on_gaps()
        return True

    def begins_ms(self, symbol_id: int) -> int | None:
        """The time of the lowest id that is held of a symbol."""
        first = self._edges.first(symbol_id)
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

    def _to_bars(self, trades: TradeBatch, lost: IntArray) -> BarArray:
        change = self._memory.add(trades, lost)
        self._revisions.put_bars(change.closed)
        if change.late:
            self._revisions.make_again(change.late)
        self._memory.publish(change.touched)
        return change.touched

    def restore(self) -> None:
        """Warm start: go on from where the tape is."""
        opened = partial(self._open, trades=0)
        parts = (self._store, self._tracker, self._memory, self._edges, self._revisions)
        WarmStart(*parts, self._clock, opened).run(self._hole_reason)

    async def revise_for_ever(self) -> None:
        """Rebuild bars that late trades belong to, from the tape itself, and then write which holes they filled."""
        await self._revisions.run()

    def write_gaps(self) -> None:
        """Write at once which holes changed."""
        self._revisions.write_now()
