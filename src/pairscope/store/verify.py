"""Proof that a tape is what it says: its ids without a hole that no gap tells of, its bars those of its trades.

Nothing is changed. Everything is read from the disk again; what was in anyone's memory does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pairscope.bars.cuts import settle
from pairscope.bars.rebuild import VALUES, rebuild_bars, same_bars
from pairscope.base.gaps import SETTLED
from pairscope.base.id_ranges import Runs, contains, intersect, no_runs, run, runs_of, size, subtract, union
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, BarSource, BoolArray, Cut, Gap, TradeBatch, TradeKind, of_trades
from pairscope.store.gap_rows import obstacle_text
from pairscope.store.iterate import absent_ids, read_stretches
from pairscope.store.kline_check import KlineCheck
from pairscope.store.tape import Tape

APART_MS = 60_000  # trades of one moment may come in any order
ROUNDING = 1e-5  # relative, and of the last digits of a quote volume: prices may have few digits
TOLD = 20  # differences of a symbol that are described; the others are counted


@dataclass(slots=True)
class TapeVerdict:
    """What was found of one symbol."""

    symbol: str
    trades: int = 0
    first_id: int | None = None
    last_id: int | None = None
    ids_missing: int = 0  # in open gaps
    days: int = 0  # with trades or bars
    ids: int = 0  # from the first to the last: on the tape, or told to be missing
    bars_alone: int = 0  # without trades beside them: checked against themselves
    ids_unused: int = 0  # of raw trades: ids the exchange may have given to no trade
    bars: int = 0  # compared with trades
    bars_unproved: int = 0  # older than the trades that are kept
    klines: int = 0  # compared with official ones
    klines_shifted: int = 0  # differ from official ones because an aggregate crosses their border, as it may
    differences: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """How many rows were compared with anything: a verdict on none of them proves nothing."""
        return self.trades + self.bars + self.bars_alone + self.klines

    def differs(self, what: str) -> None:
        """Count a difference, and keep its description while there are not too many."""
        self.differences += 1
        if len(self.told) < TOLD:
            self.told.append(f"{self.symbol}: {what}")


def verdict_lines(verdict: TapeVerdict) -> list[str]:
    """What is said of it to people; what differs stands further in."""
    ids = f"ids {verdict.first_id} to {verdict.last_id}, " if verdict.first_id is not None else ""
    parts = [
        f"{verdict.symbol}: {verdict.days:,} days, {ids}{verdict.trades:,} trades of {verdict.ids:,} ids, "
        f"{verdict.ids_missing:,} ids in gaps, "
        f"{verdict.bars:,} bars equal to their trades" + (" but for what follows" if verdict.differences else "")
    ]
    if verdict.klines:
        parts.append(
            f"{verdict.klines:,} official bars compared, {verdict.klines_shifted:,} with a trade across a border"
        )
    if verdict.bars_alone:
        parts.append(f"{verdict.bars_alone:,} bars without trades beside them compared with themselves only")
    if verdict.bars_unproved:
        parts.append(f"{verdict.bars_unproved:,} bars are older than the trades that are kept")
    if verdict.ids_unused:
        parts.append(f"{verdict.ids_unused:,} ids have no trade, as the exchange leaves some out")
    more = verdict.differences - len(verdict.told)
    return ["; ".join(parts), *(f"  {each}" for each in verdict.told), *([f"  and {more:,} more"] if more > 0 else [])]


def verify_symbol(
    store: Tape,
    symbol: str,
    *,
    kind: TradeKind,
    intervals: Sequence[Interval],
    from_ms: int | None = None,
    to_ms: int | None = None,
    klines: Sequence[BarArray] = (),
) -> TapeVerdict:
    """Check a symbol between two times (whole UTC days), or all of it.

    Args:
        klines: official bars of this symbol; each array of one interval, oldest first.

    Raises:
        StoreUnavailable: when the tape cannot be read.
    """
    verdict = TapeVerdict(symbol)
    gaps = store.gaps(symbol)
    still_open = [gap for gap in gaps if gap.closed_ms is None]
    every = tuple(sorted({*intervals, *store.intervals(symbol)}))
    checked = tuple(sorted({*every, *(Interval(int(bars["interval_ms"][0])) for bars in klines)}))
    ids = _IdCheck(verdict)
    bars = _BarCheck(store, verdict, every, _ends_ms(store, symbol))
    official = KlineCheck(klines, exact=kind is TradeKind.RAW)
    all_with_trades = store.days_with("trades", symbol)
    with_trades = {day for day in all_with_trades if _overlaps(day, from_ms, to_ms)}
    best = store.symbols.best(store.symbols.index(symbol))
    with_bars = {day for day in store.days_with("bars", symbol) if _overlaps(day, from_ms, to_ms)}
    for day_ms in sorted(with_trades | with_bars):
        verdict.days += 1
        if day_ms not in with_trades:
            bars.check_empty(symbol, day_ms, too_old=not all_with_trades or day_ms < all_with_trades[0])
            continue
        hours = [ids.seen(trades) for trades in read_stretches(store, symbol, day_ms, day_ms + DAY_MS)]
        made = rebuild_bars(hours, checked, still_open, best=best)
        bars.check(symbol, made, day_ms)
        official.add(made)
    if with_trades:
        ids.conclude(store, symbol, gaps, kind)
    if from_ms is None and to_ms is None:
        ids.count(store, symbol)
    for what in official.differences():
        verdict.differs(what)
    verdict.klines, verdict.klines_shifted = official.compared, official.shifted
    return verdict


def _overlaps(day_ms: int, from_ms: int | None, to_ms: int | None) -> bool:
    return (from_ms is None or day_ms + DAY_MS > from_ms) and (to_ms is None or day_ms < to_ms)


def _ends_ms(store: Tape, symbol: str) -> list[int | None]:
    """Times of the first and of the last trade of a symbol."""
    ends = [store.trades(symbol, limit=1, newest=newest) for newest in (False, True)]
    return [int(end.time_ms[0]) if len(end) else None for end in ends]


class _IdCheck:
    """Every id once, and every hole told."""

    def __init__(self, verdict: TapeVerdict) -> None:
        self._verdict = verdict
        self._seen = no_runs()
        self._highest: tuple[int, int] | None = None  # id and time of the trade with the highest id so far

    def seen(self, trades: TradeBatch) -> TradeBatch:
        """Take in trades as they stand on the tape; give them back with each id once."""
        verdict, ids = self._verdict, trades.id
        verdict.trades += len(trades)
        doubled = np.diff(ids) == 0
        for trade_id in np.unique(ids[1:][doubled]).tolist():
            verdict.differs(f"trade {trade_id} is on the tape more than once")
        here = runs_of(ids)
        for first_id, last_id in intersect(self._seen, here).tolist():
            verdict.differs(f"trades {first_id} to {last_id} are on the tape more than once")
        self._check_times(trades)
        self._seen = union(self._seen, here)
        broken = ~((trades.price > 0) & (trades.size > 0) & np.isfinite(trades.price) & np.isfinite(trades.size))
        for trade_id in ids[broken].tolist():
            verdict.differs(f"trade {trade_id} has no price or no size")
        return trades.take(np.append(True, ~doubled)) if doubled.any() else trades

    def _check_times(self, trades: TradeBatch) -> None:
        """The exchange numbers trades as they happen: an earlier id has no later time."""
        fresh = ~contains(self._seen, trades.id)
        ids, times = trades.id[fresh], trades.time_ms[fresh]
        if not len(ids):
            return
        wrong = np.maximum.accumulate(times) - times > APART_MS
        if self._highest is not None:
            wrong |= (ids < self._highest[0]) & (times - self._highest[1] > APART_MS)
        for first_id, last_id in runs_of(ids[wrong]).tolist():
            self._verdict.differs(f"the times of trades {first_id} to {last_id} do not follow their ids")
        if self._highest is None or ids[-1] > self._highest[0]:
            self._highest = int(ids[-1]), int(times[-1])

    def count(self, store: Tape, symbol: str) -> None:
        """As many trades by id as were read by time."""
        symbol_id = store.symbols.index(symbol)
        held = sum(holding.trades for holding in store.holdings() if holding.symbol_id == symbol_id)
        if held != self._verdict.trades:
            self._verdict.differs(f"{held} trades are on the tape, and {self._verdict.trades} were read by their times")

    def conclude(self, store: Tape, symbol: str, gaps: Sequence[Gap], kind: TradeKind) -> None:
        verdict, seen = self._verdict, self._seen
        verdict.first_id, verdict.last_id = int(seen[0, 0]), int(seen[-1, 1])
        span = run(verdict.first_id, verdict.last_id)
        verdict.ids = size(span)
        still_open = union(*(run(gap.first_id, gap.last_id) for gap in gaps if gap.closed_ms is None))
        known = union(still_open, *(run(gap.first_id, gap.last_id) for gap in gaps if gap.reason in SETTLED))
        verdict.ids_missing = size(intersect(span, still_open))
        self._tell_contradictions(seen, gaps)
        # Near the ends of the range an id may belong to a trade just outside of it.
        missing = absent_ids(store, symbol, subtract(span, union(seen, known)))
        if kind is TradeKind.RAW:
            verdict.ids_unused = size(missing)
            return
        for first_id, last_id in missing.tolist():
            verdict.differs(f"ids {first_id} to {last_id} are neither on the tape nor in a gap")

    def _tell_contradictions(self, seen: Runs, gaps: Sequence[Gap]) -> None:
        for gap in gaps:
            if gap.closed_ms is not None:
                continue
            for first_id, last_id in intersect(seen, run(gap.first_id, gap.last_id)).tolist():
                why = f" (obstacle {obstacle_text(gap)})" if gap.obstacle else ""
                self._verdict.differs(f"ids {first_id} to {last_id} are on the tape, and in an open gap{why}")


class _BarCheck:
    """Every stored bar equal to the bit to the one its trades make."""

    def __init__(
        self, store: Tape, verdict: TapeVerdict, intervals: Sequence[Interval], ends_ms: Sequence[int | None]
    ) -> None:
        self._store = store
        self._verdict = verdict
        self._newest = {interval: store.last_bars(interval) for interval in intervals}
        self._first_ms: dict[Interval, int] = {}
        self._ends_ms = ends_ms

    def check(self, symbol: str, made: BarArray, day_ms: int) -> None:
        """Compare the bars of a day."""
        for interval, newest in self._newest.items():
            newest_ms = newest.get(self._store.symbols.index(symbol))
            if newest_ms is None:
                continue
            stored = self._store.bars(symbol, interval, from_ms=day_ms, to_ms=day_ms + DAY_MS)
            self._check_alone(interval, stored[~of_trades(stored)])
            stored = stored[of_trades(stored)]
            own = made[made["interval_ms"] == interval.ms]
            first_ms = self._first_ms.setdefault(interval, int(own["open_time_ms"][0]))
            self._verdict.bars_unproved += int((stored["open_time_ms"] < first_ms).sum())
            self._compare(interval, stored[stored["open_time_ms"] >= first_ms], own, newest_ms)

    def check_empty(self, symbol: str, day_ms: int, *, too_old: bool) -> None:
        """A day without trades has no bars made of trades either, unless it is older than the trades that are kept."""
        for interval in self._newest:
            stored = self._store.bars(symbol, interval, from_ms=day_ms, to_ms=day_ms + DAY_MS)
            made = of_trades(stored)
            self._check_alone(interval, stored if too_old else stored[~made])
            if too_old:
                self._verdict.bars_unproved += int(made.sum())
                continue
            for open_ms in stored["open_time_ms"][made].tolist():
                self._verdict.differs(f"the {interval} bar of {open_ms} has no trades")

    def _check_alone(self, interval: Interval, bars: BarArray) -> None:
        """What can be told of bars without their trades: that each can be one, and is there once."""
        verdict = self._verdict
        verdict.bars_alone += len(bars)
        for open_ms in bars["open_time_ms"][~_possible(bars, interval)].tolist():
            verdict.differs(f"the {interval} bar of {open_ms} cannot be one: its figures contradict each other")
        keys = bars["open_time_ms"] * len(BarSource) + bars["source"]
        if len(np.unique(keys)) < len(keys):
            verdict.differs(f"some {interval} bars are stored more than once")

    def _as_far_as_known(self, interval: Interval, stored: BarArray, made: BarArray) -> tuple[BarArray, BarArray]:
        """Whether listening went on before the first and after the last trade, trades do not tell: the bar does."""
        stored, made = stored.copy(), made.copy()
        for at_ms, cut in zip(self._ends_ms, (Cut.BEGIN, Cut.END), strict=True):
            if at_ms is None:
                continue
            end_ms = interval.floor(at_ms)
            # A bar before that of the first trade holds trades that came after it: times step back now and then.
            at_the_end = stored["open_time_ms"] <= end_ms if cut is Cut.BEGIN else stored["open_time_ms"] == end_ms
            made["cut"][at_the_end] |= stored["cut"][at_the_end] & np.uint8(cut)
        return stored, settle(made, self._store.symbols.best_of(made["symbol_id"]))

    def _compare(self, interval: Interval, stored: BarArray, made: BarArray, newest_ms: int) -> None:
        verdict = self._verdict
        opens, theirs, mine = np.intersect1d(stored["open_time_ms"], made["open_time_ms"], return_indices=True)
        verdict.bars += len(opens)
        if len(stored) > len(np.unique(stored["open_time_ms"])):
            verdict.differs(f"some {interval} bars are stored more than once")
        stored_ones, made_ones = self._as_far_as_known(interval, stored[theirs], made[mine])
        for place in np.flatnonzero(~same_bars(stored_ones, made_ones)).tolist():
            verdict.differs(_bar_difference(interval, stored_ones[place], made_ones[place]))
        for open_ms in np.setdiff1d(stored["open_time_ms"], opens).tolist():
            verdict.differs(f"the {interval} bar of {open_ms} has no trades")
        for open_ms in np.setdiff1d(made["open_time_ms"], opens).tolist():
            if open_ms < newest_ms:  # later ones are made when the next server starts
                verdict.differs(f"the {interval} bar of {open_ms} is not stored, though there are trades")


def _possible(bars: BarArray, interval: Interval) -> BoolArray:
    """Which bars do not contradict themselves; their mean price may be off by the rounding of their volumes."""
    low, high, volume, quote = (bars[name] for name in ("low", "high", "volume", "quote_volume"))
    finite = np.isfinite(low) & np.isfinite(high) & np.isfinite(volume) & np.isfinite(quote)
    with np.errstate(all="ignore"):
        divisor = np.where(volume > 0, volume, 1.0)
        mean = np.where(volume > 0, quote / divisor, bars["close"])
        slack = ROUNDING * (high + 1.0 / divisor)
    possible: BoolArray = (
        finite
        & (bars["open_time_ms"] % interval.ms == 0)
        & (low > 0)
        & (low <= np.minimum(bars["open"], bars["close"]))
        & (high >= np.maximum(bars["open"], bars["close"]))
        & ((volume > 0) == (bars["trades"] > 0))
        & (mean >= low - slack)
        & (mean <= high + slack)
    )
    return possible


def _bar_difference(interval: Interval, stored: np.void, made: np.void) -> str:
    parts = [f"{name} {stored[name]} instead of {made[name]}" for name in VALUES if stored[name] != made[name]]
    return f"the {interval} bar of {int(stored['open_time_ms'])} has {', '.join(parts)}"
