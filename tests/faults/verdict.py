"""What must be true of a tape at the end, whatever happened to it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from pairscope.bars.cuts import ends_with_the_day
from pairscope.bars.rebuild import VALUES, rebuild_bars
from pairscope.base.id_ranges import intersect, no_runs, run, runs_of, size, union
from pairscope.base.model import BarArray, BarStatus, Continuity, Cut, Gap
from tests.faults.process import INTERVALS, Process
from tests.faults.truth import Truth


def assert_tape_is_true(process: Process, truth: Truth) -> None:
    """Ids, trades, gap rows and bars of one symbol against what the exchange really traded."""
    symbol, symbol_id = truth.symbol, process.tape.symbols.index(truth.symbol)
    stored = process.tape.trades(symbol)
    assert len(np.unique(stored.id)) == len(stored), f"{symbol}: an id is on the tape twice"
    held, gaps = runs_of(stored.id), process.tape.gaps(symbol, open_only=True)
    assert_rows_are_disjoint(process.tape.gaps(symbol))
    assert gaps == process.tracker.open_gaps(symbol_id), f"{symbol}: the rows on disk are not what is missing"
    missing = union(*(run(gap.first_id, gap.last_id) for gap in gaps)) if gaps else no_runs()
    assert not size(intersect(held, missing)), f"{symbol}: ids said to be missing are on the tape"
    known = union(held, missing)
    first_id = int(known[0, 0])
    assert known.tolist() == [[first_id, truth.last_id]], f"{symbol}: ids are missing without a word"
    wanted = truth.without(missing, symbol_id, first_id, truth.last_id + 1)
    for column in ("id", "time_ms", "price", "size", "buyer_is_maker"):
        np.testing.assert_array_equal(getattr(stored, column), getattr(wanted, column), err_msg=column)
    wanted = wanted.take(np.arange(len(wanted)))
    object.__setattr__(wanted, "origin", stored.origin)  # the exchange does not know how a trade came to us
    expected = rebuild_bars([wanted], INTERVALS, gaps)
    _cut_where_listening_began(expected, int(wanted.time_ms[0]))
    assert_bars_are(process, symbol, expected)


def assert_rows_are_disjoint(gaps: Sequence[Gap]) -> None:
    for before, after in itertools.pairwise(gaps):
        assert before.last_id < after.first_id, f"gap rows overlap: {before} {after}"


def assert_bars_are(process: Process, symbol: str, expected: BarArray) -> None:
    """Bars in memory, and those on the tape but for the open ones, are these to the bit."""
    for interval in INTERVALS:
        wanted = expected[expected["interval_ms"] == interval.ms]
        shown = process.memory.series(process.tape.symbols.index(symbol), interval).tail(len(wanted) + 10)
        assert_same(shown, wanted, f"{symbol} {interval} in memory")
        closed = wanted[: int((shown["status"] != BarStatus.OPEN).sum())]
        kept = process.tape.bars(symbol, interval)
        # What was open when a connection was lost is kept as partial, and open again once it is heard anew.
        kept = kept[kept["open_time_ms"] <= closed["open_time_ms"].max(initial=0)]
        assert_same(kept, closed, f"{symbol} {interval} on the tape")


def _cut_where_listening_began(bars: BarArray, first_ms: int) -> None:
    """What no trade tells: the tape begins somewhere inside the bar of its first id.

    Where times step back, it holds trades of a bar before that one, too, and lacks others of both.
    """
    for place in np.flatnonzero(bars["open_time_ms"] <= first_ms).tolist():
        bar = bars[place]
        if not ends_with_the_day(int(bar["open_time_ms"]), int(bar["interval_ms"]), Cut.BEGIN):
            bar["cut"] |= np.uint8(Cut.BEGIN)
            bar["continuity"] = Continuity.PARTIAL


def assert_same(found: BarArray, wanted: BarArray, what: str) -> None:
    np.testing.assert_array_equal(found["open_time_ms"], wanted["open_time_ms"], err_msg=what)
    known = wanted.copy()
    # Nothing tells that the newest bar is over, or will be heard to its end, when a stop came inside it and nothing new
    # came since.
    newest = known[-1:]
    if len(newest) and found["cut"][-1] == newest["cut"][0] | Cut.END:
        newest["cut"] |= np.uint8(Cut.END)
        newest["continuity"] = Continuity.PARTIAL
    for name in VALUES:
        np.testing.assert_array_equal(found[name], known[name], err_msg=f"{what}: {name}")
