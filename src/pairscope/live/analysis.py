"""Analyses made on request: all tests of a pair, a metric along time, the correlations of all symbols.

What is asked for is gathered on the event loop, from memory and disk, and computed in threads of its own, in pieces:
a study that nobody waits for any more ends after the piece it is at.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, Protocol, get_args

import numpy as np

from pairscope.analytics.entry.request import MetricRequest
from pairscope.analytics.estimators.clustering import correlation_matrix
from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.estimators.hayashi_yoshida import (
    FEWEST_CHANGES,
    TRADES_LEAD_BELOW_MS,
    EppsCurve,
    PairTicks,
    TradeSeries,
    epps_curve,
    hayashi_yoshida,
    series_of,
)
from pairscope.analytics.estimators.lead_lag import LeadLag
from pairscope.analytics.estimators.readings import PairHistory
from pairscope.analytics.estimators.suggestion import Suggestion
from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.metrics.cointegration import tested
from pairscope.analytics.metrics.health import Health, health_of
from pairscope.analytics.registry import metric_requests
from pairscope.analytics.values import Reason
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.base.errors import RequestError
from pairscope.base.model import BarArray, BoolArray, FloatArray, IntArray, TradeBatch, join_bars, take_bars
from pairscope.live.health import HealthBars
from pairscope.live.kernels import part_of_pair, part_of_symbol
from pairscope.live.market import Market, check_window
from pairscope.live.span import PairKey, Span, SpanBars
from pairscope.live.windows import (
    Measured,
    PairSeries,
    Shares,
    SymbolSeries,
    bars_needed,
    measure_symbol,
    measure_window,
    pair_series,
    pair_window,
    share_of_ids,
    symbol_series,
)
from pairscope.live.workers import Check, Workers, never_abandoned

STUDIES_AT_ONCE = min(4, max(1, (os.cpu_count() or 1) - 1))  # a processor is left to the rest of the program
MOST_TRADES = 200_000  # of each symbol, the newest of the window, that a study reads
OF_TRADES = tuple(metric_requests(["correlation_hy"], "pair"))
MOST_BY_TRADES = 30  # symbols whose trades are compared with one another
CorrelationOf = Literal["returns", "prices", "trades"]
CORRELATIONS_OF: tuple[CorrelationOf, ...] = get_args(CorrelationOf)


class TradeReader(Protocol):
    """Where trades come from."""

    def trades(
        self,
        symbol: str,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> TradeBatch: ...


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """What is to be known of a pair; with `tests` also what its tests are drawn from."""

    wanted: Sequence[MetricRequest]
    tests: bool = False

    def needs(self, name: str) -> bool:
        """Whether an input of metrics has to be there."""
        return self.tests or any(name in each.metric.needs for each in self.wanted)


@dataclass(frozen=True, slots=True)
class Beside:
    """What a pair is judged by besides the bars of its window."""

    ticks: PairTicks | None = None
    history: PairHistory | None = None


@dataclass(frozen=True, slots=True)
class PairStudy:
    """A pair along time, its metrics at the last row, and, when they were asked for, what its tests are drawn from."""

    series: PairSeries
    metrics: dict[str, Measured]
    health: Health | None = None
    suggestion: Suggestion | None = None  # for a pair that is not held
    spikes: Sequence[Sequence[int]] = ((), ())  # open times of the bars of y and of x that its tests do without
    lead_lag: LeadLag | None = None
    epps: EppsCurve | None = None


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """What is known of a pair besides its bars."""

    health: Health | None
    suggestion: Suggestion | None
    of_trades: Measured | None  # correlation of the trades, below a minute


@dataclass(frozen=True, slots=True)
class MatrixStudy:
    """Correlations of symbols with one another; NaN with a reason where one cannot be given."""

    symbols: Sequence[str]
    as_of_ms: int
    matrix: FloatArray  # float64[k, k]
    n: IntArray  # int64[k, k]
    shares: Sequence[Shares]  # of each symbol
    reasons: Sequence[Sequence[Reason | None]]


class Analyses:
    """Asks bars of `live` and trades of the tape."""

    def __init__(self, live: Market, trades: TradeReader) -> None:
        self._live = live
        self._trades = trades
        self._judging = HealthBars(live)
        self.workers = Workers("study", STUDIES_AT_ONCE)

    def close(self) -> None:
        """Begin nothing more, and end what runs."""
        self.workers.close()

    async def pair(self, y: str, x: str, terms: Terms, span: Span, question: PairQuestion) -> PairStudy:
        """Rows of a pair and its metrics at the last of them; with its tests also the curves of its trades."""
        key = PairKey(y, x, span.interval, span.window, terms)
        self._live.check_pair(y, x, span.window)
        part = part_of_pair(terms, question.wanted)
        self._live.need("tests" if question.tests and part != "rest" else part)
        found = await self._live.load(key.legs, span)
        ticks = await self._ticks(key, found) if question.needs("trades") else None
        history = await self._judging.history(key, found.last_ms) if question.needs("history") else None
        held = HeldBars(found)
        study = await self.workers.run(
            lambda check: _study_pair(held.whole(), terms, question, Beside(ticks, history), check)
        )
        return replace(study, suggestion=await self._suggestion(study.health, key, found.last_ms))

    async def verdict(self, key: PairKey) -> PairVerdict:
        """The present health of a pair and, below a minute, the correlation of its trades."""
        self._live.check_pair(key.y, key.x, key.window)
        self._live.need("tests")
        newest = self._live.newest(key.legs, key.span)
        ticks = await self._ticks(key, newest) if key.interval.ms < TRADES_LEAD_BELOW_MS else None
        history = await self._judging.history(key, newest.last_ms)
        held = HeldBars(newest)
        found = await self.workers.run(lambda check: _verdict(held.whole(), key.terms, Beside(ticks, history), check))
        return replace(found, suggestion=await self._suggestion(found.health, key, newest.last_ms))

    async def _suggestion(self, health: Health | None, key: PairKey, at_ms: int) -> Suggestion | None:
        """Of a pair that is not held."""
        if health is None or health.is_held or health.condition is Condition.UNKNOWN:
            return None
        return await self._judging.suggest(key, at_ms, self.workers)

    async def symbol(self, symbol: str, span: Span, wanted: Sequence[MetricRequest]) -> dict[str, Measured]:
        """The metrics of a symbol at the last row of a span; without an end the present ones, the open bar included."""
        check_window(span.window)
        self._live.need(part_of_symbol(wanted))
        reaching = _reaching(span, wanted)
        is_newest = span.is_newest and span.interval in self._live.intervals
        found = self._live.newest([symbol], reaching) if is_newest else await self._live.load([symbol], reaching)
        held = HeldBars(found)
        closed_ms = self._live.newest_closed_ms([symbol], span.interval)
        return await self._live.reads.run(
            lambda check: measure_symbol(held.leg(0), span, held.last_ms, wanted, closed_ms, check)
        )

    async def symbol_series(self, symbol: str, span: Span, wanted: Sequence[MetricRequest]) -> SymbolSeries:
        """Metrics of a symbol along time."""
        check_window(span.window)
        self._live.need("rest")
        held = HeldBars(await self._live.load([symbol], _reaching(span, wanted)))
        closed_ms = self._live.newest_closed_ms([symbol], span.interval)
        return await self.workers.run(
            lambda check: symbol_series(held.leg(0), span, held.rows, wanted, closed_ms, check)
        )

    async def matrix(self, symbols: Sequence[str], span: Span, of: CorrelationOf) -> MatrixStudy:
        """Correlations over the window of the newest row of a span."""
        check_window(span.window)
        self._live.need("rest")
        if of == "trades" and len(symbols) > MOST_BY_TRADES:
            raise RequestError(
                f"trades of {len(symbols)} symbols at once", cure=f"name at most {MOST_BY_TRADES}: symbols=A,B,C"
            )
        found = await self._live.load(symbols, span)
        held = HeldBars(found)
        tapes = await self._trades_of(symbols, found) if of == "trades" else []

        def compute(check: Check) -> MatrixStudy:
            closes, shares = _window_of(held, check)
            if of == "trades":
                told = _matrix_of_trades(tapes, check)
            else:
                told = _matrix_of_bars(closes, held.last_ms, span, of)
            return MatrixStudy(symbols, held.last_ms, *told[:2], shares, told[2])

        return await self.workers.run(compute)

    async def _ticks(self, key: PairKey, found: SpanBars) -> PairTicks:
        return PairTicks(*await self._trades_of(key.legs, found))

    async def _trades_of(self, symbols: Sequence[str], found: SpanBars) -> list[TradeSeries]:
        """The trades of each in the window that ends at the last row."""
        return [await self._tape(symbol, found) for symbol in symbols]

    async def _tape(self, symbol: str, found: SpanBars) -> TradeSeries:
        first_ms, end_ms = found.span.start_ms(found.last_ms), found.last_ms + found.span.interval.ms

        def read(_: Check) -> TradeSeries:
            trades = self._trades.trades(symbol, from_ms=first_ms, to_ms=end_ms, limit=MOST_TRADES, newest=True)
            in_time = trades.take(np.argsort(trades.time_ms, kind="stable"))
            return series_of(in_time.time_ms, in_time.price)

        return await self._live.reads.run(read)


class HeldBars:
    """Bars of a span that a thread may read while the feed goes on.

    Of bars given out by a series only the newest may change, so that only it is copied on the event loop.
    """

    def __init__(self, found: SpanBars) -> None:
        self.span, self.rows, self.last_ms = found.span, found.rows, found.last_ms
        self._parts = [(bars[:-1], take_bars(bars, slice(-1, None))) for bars in found.legs]

    def __len__(self) -> int:
        return len(self._parts)

    def leg(self, i: int) -> BarArray:
        """A copy of the bars of a symbol."""
        return join_bars(self._parts[i])

    def whole(self) -> SpanBars:
        return SpanBars(self.span, self.rows, [self.leg(i) for i in range(len(self))])


def _reaching(span: Span, wanted: Sequence[MetricRequest]) -> Span:
    """The span whose bars reach back as far as metrics need."""
    return replace(span, window=bars_needed(span.window, wanted))


def _study_pair(found: SpanBars, terms: Terms, question: PairQuestion, beside: Beside, check: Check) -> PairStudy:
    (y, x), span, last_ms, ticks = found.legs, found.span, found.last_ms, beside.ticks
    series = pair_series(y, x, span, found.rows, terms)
    one = pair_window(y, x, span, last_ms, ticks, beside.history)
    metrics = measure_window(one, (y, x), span, last_ms, question.wanted, check)
    if not question.tests or ticks is None:
        return PairStudy(series, metrics)
    view = one.on(terms.prices, terms.intercept)
    closes = tested(view)
    start_ms = span.start_ms(last_ms)
    spikes = [(start_ms + places * span.interval.ms).tolist() for places in (closes.y_spikes, closes.x_spikes)]
    check()
    lead = one.lead()  # of all metrics its own is among, it is there already
    check()
    curve = epps_curve(ticks.y, ticks.x)
    return PairStudy(series, metrics, health_of(view), spikes=spikes, lead_lag=lead, epps=curve)


def _verdict(found: SpanBars, terms: Terms, beside: Beside, check: Check) -> PairVerdict:
    y, x = found.legs
    one = pair_window(y, x, found.span, found.last_ms, beside.ticks, beside.history)
    check()
    health = health_of(one.on(terms.prices, terms.intercept))
    check()
    has_ticks = beside.ticks is not None
    measured = measure_window(one, (y, x), found.span, found.last_ms, OF_TRADES, check) if has_ticks else {}
    return PairVerdict(health, None, measured.get("correlation_hy"))


Found = tuple[FloatArray, IntArray, list[list[Reason | None]]]


def _window_of(held: HeldBars, check: Check) -> tuple[FloatArray, list[Shares]]:
    """Closes of the window's bars, symbol by symbol, and what is missing in those of each."""
    interval, start_ms = held.span.interval, held.span.start_ms(held.last_ms)
    closes, shares = np.empty((len(held), held.span.window)), []
    for i in range(len(held)):
        check()
        bars = held.leg(i)
        closes[i] = align_closes([bars], interval, start_ms, held.last_ms, stale_limit_ms(interval))[1][0]
        shares.append(share_of_ids(bars, start_ms, held.last_ms))
    return closes, shares


def _matrix_of_bars(closes: FloatArray, last_ms: int, span: Span, of: Literal["returns", "prices"]) -> Found:
    first_index = span.start_ms(last_ms) // span.interval.ms
    found = correlation_matrix(np.log(closes), span.window, first_index, "levels" if of == "prices" else of)
    needed = span.window - (of == "returns")
    few = 2 * found.n < needed
    return found.matrix, found.n, _reasons(found.matrix, few, Reason.TOO_FEW, Reason.CONSTANT)


def _matrix_of_trades(tapes: Sequence[TradeSeries], check: Check = never_abandoned) -> Found:
    k = len(tapes)
    matrix, n = np.full((k, k), np.nan), np.zeros((k, k), np.int64)
    for i, j in combinations(range(k), 2):
        check()
        found = hayashi_yoshida(tapes[i], tapes[j])
        matrix[i, j] = matrix[j, i] = found.correlation
        n[i, j] = n[j, i] = found.n
    for i in range(k):
        own = hayashi_yoshida(tapes[i], tapes[i])
        matrix[i, i], n[i, i] = (1.0 if np.isfinite(own.correlation) else np.nan), own.n
    return matrix, n, _reasons(matrix, n < FEWEST_CHANGES, Reason.NO_TRADES, Reason.NO_VARIANCE)


def _reasons(matrix: FloatArray, few: BoolArray, why_few: Reason, otherwise: Reason) -> list[list[Reason | None]]:
    reasons = np.full(few.shape, otherwise, object)
    reasons[few] = why_few
    reasons[np.isfinite(matrix)] = None
    told: list[list[Reason | None]] = reasons.tolist()
    return told
