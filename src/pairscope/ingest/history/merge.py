"""Past trades and bars onto the tape, beside what it has already: none twice, none lost, bars rebuilt.

Everything here may be killed at any moment and run again: ids decide what is new, and an import is noted as done only
when its trades, its gaps and its bars are on the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from pairscope.bars.cuts import settle
from pairscope.bars.rebuild import End, rebuild_bars, same_bars
from pairscope.base.clock import Clock, now_ms
from pairscope.base.gaps import OF_IMPORTS, GapReason
from pairscope.base.id_ranges import Runs, contains, intersect, no_runs, run, runs_of, subtract, union
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, BarSource, BarStatus, Gap, IntArray, Origin, TradeBatch, of_trades
from pairscope.feed.judge import GoodTrades, Judge, conflicting
from pairscope.ingest.history import known_ids
from pairscope.ingest.history.known_ids import KnownIds, RefusedIds
from pairscope.ingest.history.replace import THE_TAPE_STANDS, Corrections, Differences, Rule
from pairscope.store.iterate import read_stretches
from pairscope.store.tape import Tape

T = TypeVar("T")

BARS_AT_ONCE = 50_000
GAPS_AT_ONCE = 5_000


@dataclass(slots=True)
class Brought:
    """What came of bringing trades of one symbol to the tape."""

    added: int = 0
    already: int = 0  # were on the tape
    found: Differences = field(default_factory=Differences)
    bars: int = 0  # made or revised
    gaps_closed: int = 0


@dataclass(frozen=True, slots=True)
class PutKlines:
    """What came of putting official bars."""

    put: int  # replaced ones too
    replaced: int
    different: int  # stand as they are on the tape


class Merge:
    """Brings trades to a tape that no server holds; beside a server, see `beside`.

    Args:
        intervals: of the bars that are rebuilt.
        judge: of every row that is brought.
    """

    def __init__(self, store: Tape, intervals: Sequence[Interval], clock: Clock, judge: Judge | None = None) -> None:
        self.judge = judge or Judge(store.symbols, lambda: now_ms(clock))
        self._store = store
        self._intervals = tuple(sorted(intervals))
        self._clock = clock

    async def coverage(self, symbol: str) -> KnownIds:
        """What the tape has of a symbol, committed or not."""
        await self._store.flushed()
        return await asyncio.to_thread(self._coverage, symbol)

    def _coverage(self, symbol: str) -> KnownIds:
        self._store.symbols.add(symbol)
        first = self._store.trades(symbol, limit=1)
        last = self._store.trades(symbol, limit=1, newest=True)
        span = run(int(first.id[0]), int(last.id[0])) if len(first) else no_runs()
        gaps = self._store.gaps(symbol)
        no_trades = [run(gap.first_id, gap.last_id) for gap in gaps if gap.reason == GapReason.NOT_A_TRADE]
        still_open = [gap for gap in gaps if gap.closed_ms is None]
        return KnownIds(symbol, span, still_open, union(no_runs(), *no_trades))

    def absent(self, symbol: str) -> Runs:
        """Ids between the first and the last that may be trades and are not on the tape; work for a thread."""
        absent = [gap for gap in self._store.gaps(symbol) if gap.closed_ms is None or gap.reason == GapReason.LET_GO]
        return union(no_runs(), *(run(gap.first_id, gap.last_id) for gap in absent))

    async def bring(
        self,
        symbol: str,
        batches: AsyncGenerator[GoodTrades, None],
        ids: Runs,
        refused: RefusedIds,
        unused: Runs,
        rule: Rule = THE_TAPE_STANDS,
    ) -> Brought:
        """Put trades that are not there yet, close the gaps they fill, and rebuild the bars of their days.

        Args:
            batches: trades of this symbol, none twice, each batch sorted by id.
            ids: all that `batches` will give.
            refused: ids besides those whose rows are no trades; complete when the last batch was given.
            unused: ids that the exchange uses for no trade as a matter of course; they leave no trace.
            rule: who stands where these trades and the tape disagree.
        """
        symbol_id = self._store.symbols.add(symbol)
        before = await self.coverage(symbol)
        ends = await asyncio.to_thread(self._ends, symbol)  # bars there may become whole
        everything = union(ids, unused, *refused.values())
        if not rule.replaces:
            everything = subtract(everything, before.no_trades)
        intervals = await asyncio.to_thread(self._all_intervals, symbol) if rule.replaces else self._intervals
        corrections = Corrections(self._store, before, intervals, rule, self._clock)
        announced = known_ids.announce(before, everything, now_ms(self._clock))
        await self._put_gaps(announced)
        brought, landed, days = Brought(found=corrections.found), no_runs(), np.empty(0, np.int64)
        times: dict[int, int] = {}
        wanted_times = known_ids.edges([*announced, *before.gaps])
        try:
            async with aclosing(batches):
                async for batch in batches:
                    await self._put(before, batch, brought, corrections)
                    landed = union(landed, runs_of(batch.id))
                    days = np.union1d(days, batch.time_ms // DAY_MS)
                    edge = contains(wanted_times, batch.id)
                    times.update(zip(batch.id[edge].tolist(), batch.time_ms[edge].tolist(), strict=True))
            await corrections.take_away(refused)
            await corrections.carry_out()
        finally:
            # Also after a failure: what came is on the tape, and what did not is left for others.
            if len(landed):
                landed = union(landed, intersect(unused, run(int(landed[0, 0]), int(landed[-1, 1]))))
            days = np.union1d(days, await self._conclude(symbol, landed, refused, everything, times, brought))
        days = np.union1d(
            np.union1d(days, corrections.days), np.array([at_ms for _, at_ms in ends], np.int64) // DAY_MS
        )
        if rule.replaces:  # a trade that a killed import moved may have been of the day before or after
            days = np.unique(np.concatenate([days - 1, days, days + 1]))
        brought.bars = await self._rebuild(symbol, symbol_id, days, intervals, corrections.revised)
        return brought

    def _all_intervals(self, symbol: str) -> Sequence[Interval]:
        """Those that are built, and those of which there are bars of trades besides."""
        others = [each for each in self._store.intervals(symbol) if each not in self._intervals]
        made = [each for each in others if of_trades(self._store.bars(symbol, each)).any()]
        return tuple(sorted({*self._intervals, *made}))

    async def _put(self, before: KnownIds, batch: GoodTrades, brought: Brought, corrections: Corrections) -> None:
        """The trades of a batch that are not on the tape; those that are get compared."""
        symbol = before.symbol
        first_id, last_id = int(batch.id[0]), int(batch.id[-1])
        stored = TradeBatch.empty()
        if len(before.span) and last_id >= before.span[0, 0] and first_id <= before.span[0, 1]:
            stored = await asyncio.to_thread(self._store.trades, symbol, from_id=first_id, to_id=last_id + 1)
            brought.already += int(contains(runs_of(stored.id), batch.id).sum())
        wrong = conflicting(batch, stored)
        self.judge.conflict(batch, np.flatnonzero(wrong))
        fresh = batch.take(await corrections.sort_out(batch, stored, wrong))
        brought.added += len(fresh)
        fresh = _as_imported(fresh, before)
        while not self._store.put_trades(fresh):
            await self._store.flushed()

    async def _conclude(
        self, symbol: str, landed: Runs, refused: RefusedIds, announced: Runs, times: dict[int, int], brought: Brought
    ) -> IntArray:
        """Write what is missing now; the days of bars whose count of missing ids this changes."""
        await self._store.flushed()
        gaps = await asyncio.to_thread(self._own_gaps, symbol)
        parts = known_ids.conclude(gaps, landed, refused, announced, now_ms(self._clock))
        unknown = subtract(known_ids.edges(parts), runs_of(np.array(list(times), np.int64)))
        for first_id, last_id in unknown.tolist():
            found = await asyncio.to_thread(self._store.trades, symbol, from_id=first_id, to_id=last_id + 1)
            times.update(zip(found.id.tolist(), found.time_ms.tolist(), strict=True))
        stand = set(known_ids.with_times(parts, times))
        changed, gone = stand.difference(gaps), set(gaps) - stand
        await self._put_gaps(sorted(changed, key=lambda row: row.first_id))
        await self._store.flushed()
        brought.gaps_closed += sum(row.closed_ms is not None and row.reason not in OF_IMPORTS for row in changed)
        # The bar after a hole counts its ids as lost.
        charged = [gap.before_ms for gap in changed | gone if gap.before_ms is not None]
        return np.unique(np.array(charged, np.int64) // DAY_MS)

    def _own_gaps(self, symbol: str) -> list[Gap]:
        """The open gaps that are ours to write."""
        return self._store.gaps(symbol, open_only=True)

    def _over_ms(self) -> int:
        """Bars that end later are not ours."""
        return now_ms(self._clock)

    async def _put_gaps(self, gaps: Sequence[Gap]) -> None:
        for start in range(0, len(gaps), GAPS_AT_ONCE):
            while not self._store.put_gaps(gaps[start : start + GAPS_AT_ONCE]):
                await self._store.flushed()

    async def _rebuild(
        self,
        symbol: str,
        symbol_id: int,
        days: IntArray,
        intervals: Sequence[Interval],
        revised: Mapping[Interval, IntArray],
    ) -> int:
        changed = 0
        for day in days.tolist():
            bars = await asyncio.to_thread(self._changed_bars, symbol, day * DAY_MS, intervals, revised)
            bars["symbol_id"] = symbol_id
            for start in range(0, len(bars), BARS_AT_ONCE):
                while not self._store.put_bars(bars[start : start + BARS_AT_ONCE]):
                    await self._store.flushed()
            changed += len(bars)
        await self._store.flushed()
        return changed

    def _changed_bars(
        self, symbol: str, day_ms: int, intervals: Sequence[Interval], revised: Mapping[Interval, IntArray]
    ) -> BarArray:
        """The bars of a day that are over and not on the tape as its trades make them."""
        gaps = self._store.gaps(symbol, open_only=True)
        stretches = read_stretches(self._store, symbol, day_ms, day_ms + DAY_MS)
        best = self._store.symbols.best(self._store.symbols.index(symbol))
        bars = rebuild_bars(stretches, intervals, gaps, self._ends(symbol), best)
        bars = bars[bars["open_time_ms"] + bars["interval_ms"] <= self._over_ms()]
        keep = np.ones(len(bars), np.bool_)
        for interval in intervals:
            places = np.flatnonzero(bars["interval_ms"] == interval.ms)
            stored = self._store.bars(symbol, interval, from_ms=day_ms, to_ms=day_ms + DAY_MS)
            stored = stored[of_trades(stored)]
            _, mine, theirs = np.intersect1d(bars["open_time_ms"][places], stored["open_time_ms"], return_indices=True)
            equal = same_bars(bars[places[mine]], stored[theirs])
            equal &= bars["source"][places[mine]] == stored["source"][theirs]
            keep[places[mine[equal]]] = False
            bars["status"][places[mine[~equal]]] = BarStatus.REVISED
            again = np.isin(bars["open_time_ms"][places], revised.get(interval, ()))
            bars["status"][places[again]] = BarStatus.REVISED
        changed: BarArray = settle(bars[keep], best)
        return changed

    def _ends(self, symbol: str) -> list[End]:
        """The first and the last trade on the tape; none without trades."""
        ends = [self._store.trades(symbol, limit=1, newest=newest) for newest in (False, True)]
        return [(int(end.id[0]), int(end.time_ms[0])) for end in ends if len(end)]

    async def put_klines(self, symbol: str, bars: BarArray, rule: Rule = THE_TAPE_STANDS) -> PutKlines:
        """Official bars where the tape has none, and in place of other imported ones when that is the rule.

        Bars that are made of trades always stand. The ids of the rule are open times divided by the interval.
        """
        interval = Interval(int(bars["interval_ms"][0]))
        from_ms, to_ms = int(bars["open_time_ms"][0]), int(bars["open_time_ms"][-1]) + 1
        stored = await asyncio.to_thread(self._store.bars, symbol, interval, from_ms=from_ms, to_ms=to_ms)
        made = of_trades(stored)
        imported = stored[(stored["source"] == BarSource.IMPORT) & ~made]
        bars = bars[~np.isin(bars["open_time_ms"], stored["open_time_ms"][made])]
        _, mine, theirs = np.intersect1d(bars["open_time_ms"], imported["open_time_ms"], return_indices=True)
        differs = ~same_bars(bars[mine], imported[theirs])
        wins = differs & ~contains(rule.told_later, bars["open_time_ms"][mine] // interval.ms)
        if not rule.replaces:
            wins[:] = False
        bars["status"][mine[wins]] = BarStatus.REVISED
        bars = np.delete(bars, mine[~wins])
        for start in range(0, len(bars), BARS_AT_ONCE):
            while not self._store.put_bars(bars[start : start + BARS_AT_ONCE]):
                await self._store.flushed()
        await self._store.flushed()
        return PutKlines(len(bars), int(wins.sum()), int((differs & ~wins).sum()))


def _as_imported(trades: GoodTrades, before: KnownIds) -> GoodTrades:
    """Trades called imported, but for those that had been listened for and fill a hole of that."""
    origin = np.where(contains(before.missed, trades.id), trades.origin, np.uint8(Origin.IMPORT))
    return replace(trades, origin=origin)


async def in_thread(batches: Iterator[T]) -> AsyncGenerator[T, None]:
    """Batches that are made in a thread, the next one while this one is being used."""
    coming = asyncio.create_task(asyncio.to_thread(next, batches, None))
    try:
        while (batch := await coming) is not None:
            coming = asyncio.create_task(asyncio.to_thread(next, batches, None))
            yield batch
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
