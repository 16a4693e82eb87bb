"""Bars that late trades belong to, made again from the tape, and the rows of gaps that are written after them.

A row of a gap is closed only once its trades are on the disk and their bars are made again: the process may be killed
between any two puts, so that such rows may say too much and never too little.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence

import numpy as np
import structlog

from pairscope.bars.builder import build_bars
from pairscope.bars.cuts import settle
from pairscope.bars.memory import BarMemory
from pairscope.base.errors import StoreUnavailable
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, Gap, IntArray, join_bars, take_bars
from pairscope.ingest.edges import Bar, Edges
from pairscope.store.tape import Tape

log = structlog.get_logger()

RETRY_S = 1.0
LONGEST_STRETCH = 12  # bars of the coarsest interval read at once to rebuild what late trades belong to


class Revisions:
    """What waits to be made again or written; lives on the event loop."""

    def __init__(self, store: Tape, memory: BarMemory, edges: Edges) -> None:
        self.bars = 0  # revised so far
        self.settlings = 0  # how often bars were made anew, or changed gaps written
        self._store = store
        self._memory = memory
        self._edges = edges
        self._late: set[Bar] = set()
        self._rows: dict[tuple[str, int], Gap] = {}  # of gaps, to be written once no late bar is left
        self._unsettled = asyncio.Event()
        self._revising = False

    @property
    def unsettled(self) -> bool:
        """Whether bars wait to be revised, or changed gaps to be written."""
        return self._revising or self._unsettled.is_set()

    def works_on(self, symbol_id: int, symbol: str) -> bool:
        """Whether bars or gaps of a symbol are being revised, or will be."""
        waiting = any(late[0] == symbol_id for late in self._late) or any(name == symbol for name, _ in self._rows)
        return waiting or self._revising

    def make_again(self, bars: Iterable[Bar], *, at_once: bool = True) -> None:
        """Have bars made from their trades; not `at_once`, when something else is told with them."""
        self._late.update(bars)
        if at_once and self._late:
            self._unsettled.set()

    def wake(self) -> None:
        """Look whether there is something to do."""
        self._unsettled.set()

    def keep_gaps(self, gaps: Sequence[Gap]) -> None:
        """Have changed gaps written, in their turn."""
        self._rows.update({(gap.symbol, gap.first_id): gap for gap in gaps})
        if gaps:
            self._unsettled.set()

    def write_now(self) -> None:
        """Write the rows that wait."""
        self._write(dict(self._rows))

    def put_bars(self, bars: BarArray) -> None:
        """Bars that the tape cannot take now are made again from their trades when it can."""
        if self._store.put_bars(bars):
            return
        for bar in bars:
            self._late.add((int(bar["symbol_id"]), Interval(int(bar["interval_ms"])), int(bar["open_time_ms"])))
        self._unsettled.set()

    def tell(self, bars: BarArray) -> None:
        """Put closed bars that say something else now, everywhere."""
        if len(bars):
            self._memory.put(bars)
            self.put_bars(bars)
            self._memory.publish(bars)

    async def run(self) -> None:
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
            bar["lost"], bar["cut"] = self._edges.state_of(symbol_id, interval, open_ms)
            known = self._memory.series(symbol_id, interval).since(open_ms)[:1]["open_time_ms"]
            bar["status"] = BarStatus.REVISED if open_ms in known else BarStatus.CLOSED
        settle(bars, self._store.symbols.best(symbol_id))
        if not self._store.put_bars(bars):
            raise StoreUnavailable("the queue of bars is full")
        self.bars += len(bars)
        self._memory.put(bars)
        self._memory.publish(bars)


def runs(times: IntArray, step: int, longest: int) -> list[IntArray]:
    """Rising times cut where the next is not one step on, and after `longest` of them.

    >>> [run.tolist() for run in runs(np.array([0, 5, 10, 20, 25]), 5, 2)]
    [[0, 5], [10], [20, 25]]
    """
    pieces = np.split(times, np.flatnonzero(np.diff(times) != step) + 1)
    return [piece[i : i + longest] for piece in pieces for i in range(0, len(piece), longest)]
