"""What a file tells otherwise than the tape: told, or put in place of it when a person asked for that.

A trade of the tape that is corrected, or taken away, may leave a bar without trades; such bars are taken away first.
A kill in between leaves bars that are missing, and the next import of the file makes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pairscope.base.clock import Clock, now_ms
from pairscope.base.gaps import GapReason
from pairscope.base.id_ranges import Runs, contains, intersect, no_runs, run, runs_of, size, subtract, union
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BoolArray, Gap, IntArray, Origin, TradeBatch, of_trades
from pairscope.feed.judge import GoodTrades
from pairscope.ingest.history.known_ids import KnownIds, RefusedIds
from pairscope.store.tape import Tape

CORRECTED_AT_ONCE = 200_000  # trades that are collected before sealed files are written anew
SCANNED_ROWS = 50_000
SHOWN_IDS = 20
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Rule:
    """Who stands when a file and the tape disagree: the tape, or the file but for ids that a later one told."""

    replaces: bool = False
    told_later: Runs = field(default_factory=no_runs)


THE_TAPE_STANDS = Rule()


@dataclass(slots=True)
class Differences:
    """What a file tells otherwise than the tape."""

    trades: int = 0  # stand as they are
    revived: int = 0  # trades of ids that are known to be none, not taken
    ids: list[int] = field(default_factory=list)  # the first few of both
    traded: int = 0  # ids that are no trades in the file, and trades on the tape, where they stay
    replaced: int = 0
    removed: int = 0

    def tell(self, ids: IntArray) -> None:
        self.ids += ids[: SHOWN_IDS - len(self.ids)].tolist()


class Corrections:
    """Compares the trades of a file with those of a tape; collects what is to be corrected, and corrects it.

    Args:
        before: what the tape had of the symbol.
    """

    def __init__(self, store: Tape, before: KnownIds, intervals: Sequence[Interval], rule: Rule, clock: Clock) -> None:
        self.found = Differences()
        self.days = np.empty(0, np.int64)  # of trades as they were before they were corrected
        self.revised: dict[Interval, IntArray] = {}  # open times of bars that were taken away
        self._store = store
        self._symbol = before.symbol
        self._before = before
        self._intervals = intervals
        self._rule = rule
        self._clock = clock
        self._right: list[GoodTrades] = []
        self._wrong: list[TradeBatch] = []  # as they are on the tape, those of `_gone` too
        self._gone: list[IntArray] = []
        self._waiting = 0

    async def sort_out(self, batch: GoodTrades, stored: TradeBatch, wrong: BoolArray) -> BoolArray:
        """Which trades of a batch are to be put, being neither on the tape nor said to be none.

        Args:
            stored: the trades of the tape within the ids of the batch.
            wrong: which of the batch those contradict.
        """
        there = contains(runs_of(stored.id), batch.id)
        revived = contains(self._before.no_trades, batch.id)
        if not (wrong.any() or revived.any()):
            return ~there
        mine = (wrong | revived) & ~contains(self._rule.told_later, batch.id)
        if not self._rule.replaces:
            mine[:] = False
        left = (wrong | revived) & ~mine
        self.found.trades += int((left & there & wrong).sum())
        self.found.revived += int((left & ~there).sum())
        self.found.tell(batch.id[left & (wrong | ~there)])
        if mine.any():
            self.found.replaced += int(mine.sum())
            old = stored.take(np.isin(stored.id, batch.id[mine]))
            self._right.append(_called(batch.take(mine), old, self._before))
            await self._collected(old)
        return ~there & ~revived

    async def take_away(self, refused: RefusedIds) -> None:
        """See to ids that are no trades by the file and trades on the tape."""
        blank = union(no_runs(), *(ids for reason, ids in refused.items() if reason.is_no_trade))
        blank = subtract(intersect(blank, self._before.span), self._before.missing)
        if not len(blank):
            return
        start, last = int(blank[0, 0]), int(blank[-1, 1])
        while start <= last:
            scan = lambda from_id: self._store.trades(  # noqa: E731
                self._symbol, from_id=from_id, to_id=last + 1, limit=SCANNED_ROWS
            )
            stored = await asyncio.to_thread(scan, start)
            old = stored.take(contains(blank, stored.id))
            mine = old.take(~contains(self._rule.told_later, old.id)) if self._rule.replaces else old.take(_NONE)
            self.found.traded += len(old) - len(mine)
            self.found.removed += len(mine)
            if len(mine):
                self._gone.append(mine.id)
                await self._collected(mine)
            if len(stored) < SCANNED_ROWS:
                break
            start = int(stored.id[-1]) + 1

    async def _collected(self, old: TradeBatch) -> None:
        self._wrong.append(old)
        self._waiting += max(1, len(old))
        if self._waiting >= CORRECTED_AT_ONCE:
            await self.carry_out()

    async def carry_out(self) -> None:
        """Correct what was collected; it is on the disk when this returns."""
        if not self._waiting:
            return
        await self._store.flushed()
        await asyncio.to_thread(self._correct, self._right)
        self._right, self._wrong, self._gone, self._waiting = [], [], [], 0

    def _correct(self, right: Sequence[GoodTrades]) -> None:
        wrong = TradeBatch.concatenate(self._wrong)
        gone = np.concatenate([np.empty(0, np.int64), *self._gone])
        self.days = np.union1d(self.days, wrong.time_ms // DAY_MS)
        self._remove_bars(wrong, right)
        self._store.correct_trades(self._symbol, right, gone, self._rows_of_no_trades(right, gone))

    def _remove_bars(self, wrong: TradeBatch, right: Sequence[TradeBatch]) -> None:
        """Take away the bars that trades leave: they may have no others."""
        now = TradeBatch.concatenate(right)
        now = now.take(np.argsort(now.id))
        places = np.searchsorted(now.id, wrong.id)
        times, ids = np.append(now.time_ms, -1), np.append(now.id, -1)
        after_ms = np.where(ids[places] == wrong.id, times[places], -1)
        for interval in self._intervals:
            opens = wrong.time_ms // interval.ms
            left = np.unique(opens[opens != after_ms // interval.ms]) * interval.ms
            if not len(left):
                continue
            stored = self._store.bars(self._symbol, interval, from_ms=int(left[0]), to_ms=int(left[-1]) + interval.ms)
            there = np.intersect1d(left, stored["open_time_ms"][of_trades(stored)])
            self._store.remove_bars(self._symbol, interval, there)
            self.revised[interval] = np.union1d(self.revised.get(interval, np.empty(0, np.int64)), there)

    def _rows_of_no_trades(self, right: Sequence[TradeBatch], gone: IntArray) -> list[Gap]:
        """The rows that say which ids are no trades, as they are to be."""
        revived = union(no_runs(), *(runs_of(batch.id) for batch in right))
        rows: list[Gap] = []
        known = no_runs()
        for row in self._store.gaps(self._symbol):
            if row.reason != GapReason.NOT_A_TRADE or row.closed_ms is None:
                continue
            whole = run(row.first_id, row.last_id)
            known = union(known, whole)
            left = subtract(whole, revived)
            if size(left) == size(whole):
                continue
            if not len(left) or left[0, 0] != row.first_id:
                rows.append(replace(row, reason=GapReason.IMPORTED, last_id=row.first_id))  # which leaves no row
            rows += [replace(row, first_id=first_id, last_id=last_id) for first_id, last_id in left.tolist()]
        at_ms = now_ms(self._clock)
        for first_id, last_id in subtract(runs_of(gone), known).tolist():
            rows.append(Gap(self._symbol, first_id, last_id, at_ms, GapReason.NOT_A_TRADE, closed_ms=at_ms))
        return rows


def _called(right: GoodTrades, old: TradeBatch, before: KnownIds) -> GoodTrades:
    """Corrected trades: of an official file where somebody had listened, else imported."""
    listened = contains(union(runs_of(old.id[old.origin != Origin.IMPORT]), before.missed), right.id)
    return replace(right, origin=np.where(listened, right.origin, np.uint8(Origin.IMPORT)))
