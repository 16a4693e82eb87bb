"""Past trades onto a tape that a running server holds: beside the live feed, and never in its way.

While a symbol's past is brought, its holes are in the hands of who brings: the feed goes on with what is newer than the
moment of the hand-over, and nobody else fetches, closes or rebuilds what is older. After it the feed takes back the
holes that are left, as a restart would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import numpy as np

from pairscope.base.clock import Clock, now_ms
from pairscope.base.id_ranges import Runs, union
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, Gap, IntArray, join_bars
from pairscope.feed.judge import GoodTrades, Judge
from pairscope.ingest.history.known_ids import RefusedIds
from pairscope.ingest.history.merge import Brought, Merge
from pairscope.ingest.history.replace import THE_TAPE_STANDS, Rule
from pairscope.ingest.intake import Intake
from pairscope.store.tape import Tape

ROWS_AT_ONCE = 4_000  # put between two turns of the event loop
POLL_S = 0.05
SETTLED_MS = 60_000  # bars that ended so long before the newest trade are not the feed's any more


class MergeBesideFeed(Merge):
    """A `Merge` on the tape of a running server."""

    def __init__(self, store: Tape, intervals: Sequence[Interval], clock: Clock, judge: Judge, intake: Intake) -> None:
        super().__init__(store, intervals, clock, judge)
        self._intake = intake
        self._handed_over_id = 0  # ids up to this one are ours
        self._until_ms = 0  # bars that end later are the feed's
        self._goes_beyond = False  # what is brought is newer than what the feed heard
        self._changed: list[BarArray] = []  # bars that are on the disk now

    async def bring(
        self,
        symbol: str,
        batches: AsyncGenerator[GoodTrades, None],
        ids: Runs,
        refused: RefusedIds,
        unused: Runs,
        rule: Rule = THE_TAPE_STANDS,
    ) -> Brought:
        symbol_id = self._store.symbols.add(symbol)
        everything = union(ids, unused, *refused.values())
        last_id = int(everything[-1, 1]) if len(everything) else 0
        while self._intake.works_on(symbol_id):  # noqa: ASYNC110 - several things have to be over at one moment
            await asyncio.sleep(POLL_S)
        self._handed_over_id = self._intake.hand_over(symbol_id, last_id)
        self._changed = []
        try:
            self._until_ms = await self._settled_until(symbol, last_id)
            return await super().bring(symbol, self._paced(batches), ids, refused, unused, rule)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._give_back(symbol, symbol_id)))

    async def _give_back(self, symbol: str, symbol_id: int) -> None:
        await self._store.flushed()
        first, last, gaps = await asyncio.to_thread(self._ends_and_gaps, symbol)
        self._intake.take_back(symbol_id, first, last, gaps)
        if self._goes_beyond:
            self._intake.go_on_from(symbol_id, await asyncio.to_thread(self._newest_bars, symbol))
        self._intake.look_again(symbol_id, join_bars(self._changed), self._until_ms)

    async def _settled_until(self, symbol: str, last_id: int) -> int:
        """Bars that end later are made by the feed: all after its newest trade, and those just before it."""
        now = now_ms(self._clock)
        newest = await asyncio.to_thread(self._store.trades, symbol, limit=1, newest=True)
        self._goes_beyond = not len(newest) or int(newest.id[0]) < last_id
        if self._goes_beyond:  # the feed does not hear it, or not any more
            return now
        return min(now, int(newest.time_ms[0]) - SETTLED_MS)

    def _newest_bars(self, symbol: str) -> dict[Interval, BarArray]:
        most = self._intake.bars_kept
        return {each: self._store.bars(symbol, each, limit=most, newest=True) for each in self._intervals}

    def _ends_and_gaps(self, symbol: str) -> tuple[tuple[int, int] | None, tuple[int, int] | None, list[Gap]]:
        ends = [self._store.trades(symbol, limit=1, newest=newest) for newest in (False, True)]
        first, last = ((int(end.id[0]), int(end.time_ms[0])) if len(end) else None for end in ends)
        return first, last, self._own_gaps(symbol)

    def _own_gaps(self, symbol: str) -> list[Gap]:
        return [gap for gap in super()._own_gaps(symbol) if gap.first_id <= self._handed_over_id]

    async def _paced(self, batches: AsyncGenerator[GoodTrades, None]) -> AsyncGenerator[GoodTrades, None]:
        """Few at a time, and the next when these are on the disk: the queue of the tape is the feed's."""
        async with aclosing(batches):
            async for batch in batches:
                for start in range(0, len(batch), ROWS_AT_ONCE):
                    yield batch.take(np.arange(start, min(start + ROWS_AT_ONCE, len(batch))))
                    await self._store.flushed()

    def _over_ms(self) -> int:
        return self._until_ms

    def _changed_bars(
        self, symbol: str, day_ms: int, intervals: Sequence[Interval], revised: Mapping[Interval, IntArray]
    ) -> BarArray:
        bars = super()._changed_bars(symbol, day_ms, intervals, revised)
        self._changed.append(bars)
        return bars
