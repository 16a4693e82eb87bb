"""The present state of every symbol and pair, and their past: one place to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np

from pairscope.analytics.entry.request import MetricRequest
from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.estimators.terms import USUAL, Terms
from pairscope.analytics.registry import PAIR_BAR, SYMBOL_BAR
from pairscope.bars.memory import BarMemory
from pairscope.bars.merge import merge_bars
from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, Cut, SymbolTable, join_bars, take_bars
from pairscope.base.reading import LARGEST_WINDOW, SMALLEST_WINDOW, utc_text
from pairscope.live.kernels import Kernels, Part, part_of_pair, part_of_symbol
from pairscope.live.signals import HeardAt, Signal, late_legs, signal_of
from pairscope.live.span import Span, SpanBars
from pairscope.live.windows import (
    Measured,
    PairSeries,
    bars_needed,
    measure_pair,
    measure_symbol,
    pair_series,
)
from pairscope.live.workers import Check, Workers

READS_AT_ONCE = 6  # threads: four for those who ask for bars and trades, the others for studies


class BarReader(Protocol):
    """Where bars older than memory come from."""

    def bars(
        self,
        symbol: str,
        interval: Interval,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> BarArray: ...


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """What the market says of itself."""

    pairs: int  # that are kept computed
    preparing: Sequence[Part]  # parts of the numeric code that are not there yet
    compiled_here: int  # functions that were compiled in this process, which should not happen


def _never_heard(_: str) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Arrival:
    """How bars come in."""

    heard_at: HeardAt = _never_heard
    begun: asyncio.Event = field(default_factory=asyncio.Event)  # once there are bars: the rest is compiled then
    is_over: bool = False  # nothing comes any more, and now is where the bars of the symbols in question end


class Market:
    """Answers about now from memory, about the past from memory and disk together."""

    def __init__(
        self,
        *,
        symbols: SymbolTable,
        memory: BarMemory,
        pairs: Callable[[], Sequence[tuple[str, str]]],
        reader: BarReader,
        kernels: Kernels | None = None,
        arrival: Arrival | None = None,
    ) -> None:
        """`pairs` tells those that are kept computed, as they are now."""
        arrival = arrival or Arrival()
        self.symbols = symbols
        self.intervals = memory.intervals
        self._pairs = pairs
        self._begun = arrival.begun
        self.reads = Workers("read", READS_AT_ONCE)
        self._memory = memory
        self.kernels = kernels or Kernels()
        self._reader = reader
        self._is_over = arrival.is_over
        self.heard_at = arrival.heard_at
        self.listen = memory.listen  # to every touched bar

    async def run(self) -> None:
        """Have the numeric code compiled, most of it once bars have begun to come; until cancelled."""
        await self.kernels.run(self._begun)

    def status(self) -> MarketStatus:
        return MarketStatus(
            pairs=len(self.pairs),
            preparing=[part for part in self.kernels.missing if part != "files"],  # made when first needed
            compiled_here=self.kernels.compiled_here,
        )

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """Those that are kept computed."""
        return self._pairs()

    @property
    def is_now(self) -> bool:
        """False of a tape: nothing of it is a signal."""
        return not self._is_over

    def late(self, legs: Sequence[str], interval: Interval, at_ms: int) -> tuple[str, ...]:
        """Symbols that are not heard; of a tape none is late."""
        return late_legs(legs, self.heard_at, at_ms, interval) if self.is_now else ()

    def signal(
        self, legs: Sequence[str], interval: Interval, z: float, condition: Condition | None, at_ms: int
    ) -> Signal:
        """What the present z of a pair may be read as."""
        return signal_of(z, condition, self.late(legs, interval, at_ms), is_now=self.is_now)

    # --- the numeric code ---

    def has(self, part: Part) -> bool:
        """Whether a part of the numeric code is there, and with the code of symbols the bars of the tape."""
        return self.kernels.has("symbols") and self.kernels.has(part)

    def need(self, part: Part) -> None:
        """Go on only when a part is there, and the bars of the tape: the code of pairs may come before them.

        Raises:
            WarmingUp: when they are not.
        """
        self.kernels.need("symbols")
        self.kernels.need(part)

    # --- now ---

    def bars(self, symbol: str, interval: Interval, limit: int) -> BarArray:
        """The newest bars in memory, oldest first, the open one last; of a kept interval."""
        return self._memory.series(self.symbols.index(symbol), self._kept(interval)).tail(limit)

    def symbol_metrics(
        self,
        symbol: str,
        interval: Interval,
        window: int,
        wanted: Sequence[MetricRequest] = SYMBOL_BAR,
        at_ms: int | None = None,
    ) -> dict[str, Measured]:
        """Metrics of a symbol over the `window` bars up to `at_ms`; without it the newest, the open one included."""
        check_window(window)
        self.need(part_of_symbol(wanted))
        if at_ms is None:
            at_ms = self._newest_ms([symbol], self._kept(interval))
        closed_ms = self.newest_closed_ms([symbol], interval)
        bars = self._tail(symbol, Span(interval, bars_needed(window, wanted)), at_ms)
        return measure_symbol(bars, Span(interval, window), at_ms, wanted, closed_ms)

    def pair_metrics(
        self, y: str, x: str, interval: Interval, window: int, terms: Terms = USUAL, at_ms: int | None = None
    ) -> dict[str, Measured]:
        """Every pair metric of each bar over the `window` bars of the common grid up to `at_ms`.

        Without it they are the newest, the open one included.
        """
        self.check_pair(y, x, window)
        self.need(part_of_pair(terms))
        if at_ms is None:
            at_ms = self._newest_ms([y, x], self._kept(interval))
        span = Span(interval, window)
        legs = [self._tail(symbol, span, at_ms) for symbol in (y, x)]
        return measure_pair(legs[0], legs[1], span, at_ms, PAIR_BAR[terms])

    def pair_series(
        self, y: str, x: str, interval: Interval, window: int, limit: int, terms: Terms = USUAL
    ) -> PairSeries:
        """The newest rows of a pair from memory; fewer when it has not been watched for that long."""
        self.check_pair(y, x, window)
        self.need(part_of_pair(terms))
        found = self.newest([y, x], Span(interval, window, limit=limit))
        return pair_series(found.legs[0], found.legs[1], found.span, found.rows, terms)

    def newest(self, symbols: Sequence[str], span: Span) -> SpanBars:
        """The bars in memory that the newest rows of some symbols need; the first row is one where all have begun."""
        interval = span.interval
        last_ms = self._newest_ms(symbols, self._kept(interval))
        series = [self._memory.series(self.symbols.index(symbol), interval) for symbol in symbols]
        begins = [int(s.tail(len(s))["open_time_ms"][0]) for s in series if len(s)]
        first_ms = max(last_ms - (span.limit - 1) * interval.ms, max(begins, default=last_ms))
        legs = [s.since(span.first_needed_ms(first_ms)) for s in series]
        return SpanBars(span, span.rows(first_ms, last_ms), legs)

    def newest_closed_ms(self, symbols: Sequence[str], interval: Interval) -> int:
        """Open time of the newest bar that is over and closed, by the exchange's clock; of any interval."""
        return self._newest_ms(symbols, interval) if self._is_over else self._memory.newest_closed_ms(interval)

    def _newest_ms(self, symbols: Sequence[str], interval: Interval) -> int:
        """Open time of the newest bar, by the exchange's clock.

        Where nothing comes any more it is the last one that a pair has in common, and of more symbols that of any.
        """
        if not self._is_over:
            return self._memory.newest_open_ms(interval)
        base = interval if interval in self.intervals else self.made_of(interval)
        lasts = [self._memory.series(self.symbols.index(symbol), base).last() for symbol in symbols]
        opens = [interval.floor(int(last["open_time_ms"])) for last in lasts if last is not None]
        choose = min if len(symbols) <= 2 else max
        return choose(opens, default=self._memory.newest_open_ms(interval))

    def last_closed_ms(self, symbols: Sequence[str], interval: Interval, at_ms: int) -> int:
        """Open time of a bar, or of the one before it while it is open."""
        if self._is_over or at_ms < self._newest_ms(symbols, interval):
            return at_ms
        return at_ms - interval.ms

    # --- a bar that is over, of any interval ---

    @property
    def exchange_ms(self) -> int:
        """The time of the newest trade: the clock that bars go by; 0 before the first."""
        return self._memory.exchange_ms

    def newest_ms(self, symbols: Sequence[str], interval: Interval) -> int:
        """Open time of the newest bar, which may be open; of any interval."""
        return self._newest_ms(symbols, interval)

    def fits(self, span: Span) -> bool:
        """Whether memory holds what a row of the newest bar needs, of any interval."""
        return self._memory.capacity * self.made_of(span.interval).ms >= span.interval.ms - span.first_needed_ms(0)

    def held(self, symbol: str, span: Span, at_ms: int) -> BarArray | None:
        """The bars that a row at the bar `at_ms` needs, from memory; coarser ones are merged.

        None when some of them may be on the disk alone: `load` finds those.
        """
        base = self.made_of(span.interval)
        series = self._memory.series(self.symbols.index(symbol), base)
        first_ms = span.interval.floor(span.first_needed_ms(at_ms))
        bars = series.since(first_ms)
        if len(bars) == len(series) >= series.capacity and int(bars["open_time_ms"][0]) > first_ms:
            return None
        bars = bars[: int(np.searchsorted(bars["open_time_ms"], at_ms + span.interval.ms))]
        return bars if base == span.interval else merge_bars(bars, span.interval)

    def has_hole(self, symbol: str, interval: Interval, open_ms: int) -> bool:
        """Whether trades of a bar are missing, or of what is beside it, as far as memory tells."""
        bars = self._memory.series(self.symbols.index(symbol), self.made_of(interval)).since(open_ms)
        bars = bars[: int(np.searchsorted(bars["open_time_ms"], open_ms + interval.ms))]
        return bool((bars["lost"] > 0).any() or (bars["cut"] > int(Cut.BEGIN)).any())

    def last_traded_ms(self, symbol: str, interval: Interval, at_ms: int) -> int:
        """When the last trade of a symbol came at the latest, as the bars up to one tell; 0 without a bar."""
        base = self.made_of(interval)
        bars = self._memory.series(self.symbols.index(symbol), base).tail(1)
        if len(bars) and int(bars["open_time_ms"][0]) >= at_ms + interval.ms:
            bars = self._memory.series(self.symbols.index(symbol), base).since(0)
            bars = bars[: int(np.searchsorted(bars["open_time_ms"], at_ms + interval.ms))][-1:]
        return int(bars["open_time_ms"][0]) + base.ms if len(bars) else 0

    # --- the past ---

    async def history(
        self, symbol: str, interval: Interval, from_ms: int | None, to_ms: int | None, limit: int
    ) -> BarArray:
        """Bars of [from_ms, to_ms), at most the newest `limit`; any interval, coarser ones are merged.

        The newest come from memory, so that a bar is never missing because it is not committed yet.
        """
        _check_range(from_ms, to_ms)
        index = self.symbols.index(symbol)
        base = self.made_of(interval)
        finer = limit * (interval.ms // base.ms) + interval.ms // base.ms
        held = self._memory.series(index, base)
        recent = held.tail(len(held))
        if to_ms is not None:
            recent = recent[: int(np.searchsorted(recent["open_time_ms"], to_ms))]
        if from_ms is not None:
            recent = recent[int(np.searchsorted(recent["open_time_ms"], from_ms)) :]
        if len(recent) < finer:
            until_ms = int(recent["open_time_ms"][0]) if len(recent) else to_ms
            most = finer - len(recent)
            older = partial(self._reader.bars, symbol, base, from_ms=from_ms, to_ms=until_ms, limit=most, newest=True)
            return (await self._with_older(older, recent, interval))[-limit:]
        return (merge_bars(recent, interval) if interval != base else recent)[-limit:]

    async def load(self, symbols: Sequence[str], span: Span) -> SpanBars:
        """The bars that the rows of a span need; of any interval."""
        interval, from_ms, to_ms = span.interval, span.from_ms, span.to_ms
        if span.is_newest and interval in self.intervals:
            return self.newest(symbols, span)
        _check_range(from_ms, to_ms)
        newest_ms = self._newest_ms(symbols, interval)
        if from_ms is not None and from_ms > newest_ms + interval.ms:
            raise RequestError(
                f"there is nothing yet of {utc_text(from_ms)} and later",
                cure=f"the newest bars are of {utc_text(newest_ms)}" if newest_ms else "there is no bar at all yet",
                code="bad_range",
            )
        last_ms = newest_ms if to_ms is None else min(newest_ms, interval.floor(to_ms - 1))
        first_ms = last_ms - (span.limit - 1) * interval.ms
        if from_ms is not None:
            first_ms = max(first_ms, -(-from_ms // interval.ms) * interval.ms)
        needed_ms = span.first_needed_ms(first_ms)
        count = (last_ms - needed_ms) // interval.ms + 1
        legs = [await self.history(s, interval, needed_ms, last_ms + interval.ms, count) for s in symbols]
        begins = [int(bars["open_time_ms"][0]) for bars in legs if len(bars)]
        first_ms = max(first_ms, max(begins, default=first_ms))
        return SpanBars(span, span.rows(min(first_ms, last_ms), last_ms), legs)

    async def _with_older(self, older: Callable[[], BarArray], recent: BarArray, interval: Interval) -> BarArray:
        """Read and merged in a thread: a year of days is half a million minutes."""
        recent = take_bars(recent, slice(None))
        is_kept = interval in self.intervals

        def read(_: Check) -> BarArray:
            bars = join_bars([older(), recent])
            return bars if is_kept else merge_bars(bars, interval)

        return await self.reads.run(read)

    def _tail(self, symbol: str, span: Span, at_ms: int) -> BarArray:
        return self._memory.series(self.symbols.index(symbol), span.interval).since(span.first_needed_ms(at_ms))

    def _kept(self, interval: Interval) -> Interval:
        if interval in self.intervals:
            return interval
        kept = ", ".join(map(str, self.intervals))
        raise RequestError(f"no live bars of {interval}", cure=f"kept intervals: {kept}", code="unknown_interval")

    def made_of(self, interval: Interval) -> Interval:
        """The coarsest kept interval that an interval can be merged from."""
        fitting = [kept for kept in self.intervals if interval.ms % kept.ms == 0]
        if not fitting:
            raise RequestError(
                f"bars of {interval} cannot be made from {', '.join(map(str, self.intervals))}",
                cure="ask for a multiple of a kept interval",
                code="unknown_interval",
            )
        return max(fitting)

    def check_pair(self, y: str, x: str, window: int) -> None:
        """Refuse a pair of a symbol with itself, and a window out of range."""
        if self.symbols.index(y) == self.symbols.index(x):
            raise RequestError("a pair needs two different symbols", cure="name another y or x", code="same_symbol")
        check_window(window)


def check_window(window: int) -> None:
    if not SMALLEST_WINDOW <= window <= LARGEST_WINDOW:
        raise RequestError(
            f"a window of {window} bars is out of range",
            cure=f"choose {SMALLEST_WINDOW} to {LARGEST_WINDOW:,}",
            code="bad_window",
        )


def _check_range(from_ms: int | None, to_ms: int | None) -> None:
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise RequestError(
            f"from ({utc_text(from_ms)}) is not before to ({utc_text(to_ms)})",
            cure="swap them, or leave one out",
            code="bad_range",
        )
