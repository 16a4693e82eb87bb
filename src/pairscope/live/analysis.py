"""Questions that take more than a glance: all tests of a pair, a metric along time, everything against everything.

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
from pairscope.analytics.estimators.lead_lag import LeadLag, lead_lag
from pairscope.analytics.estimators.readings import PairHistory
from pairscope.analytics.estimators.suggestion import Suggestion
from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.metrics.cointegration import tested
from pairscope.analytics.metrics.health import Health, health_of
from pairscope.analytics.registry import metric_requests
from pairscope.analytics.values import Reason
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BoolArray, FloatArray, IntArray, TradeBatch, join_bars, take_bars
from pairscope.live.health import HealthBars
from pairscope.live.kernels import part_of_pair, part_of_symbol
from pairscope.live.market import Market, Span, check_window
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

    async def pair(
        self,
        y: str,
        x: str,
        interval: Interval,
        window: int,
        terms: Terms,
        wanted: Sequence[MetricRequest],
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int,
        tests: bool = False,
    ) -> PairStudy:
        """Rows of a pair and its metrics at the last of them; with `tests` also the curves of its trades."""
        self._live.check_pair(y, x, window)
        self._live.kernels.need(
            "tests" if tests and part_of_pair(terms, wanted) != "rest" else part_of_pair(terms, wanted)
        )
        span = await self._live.span([y, x], interval, window, from_ms, to_ms, limit)
        ticks = None
        if tests or any("trades" in each.metric.needs for each in wanted):
            ticks = PairTicks(*[await self._tape(symbol, span, interval, window) for symbol in (y, x)])
        history = None
        if tests or any("history" in each.metric.needs for each in wanted):
            history = await self._judging.history(y, x, interval, window, span.last_ms)
        held = HeldSpan(span)
        study = await self.workers.run(
            lambda check: _study_pair(held.whole(), interval, window, terms, wanted, ticks, history, tests, check)
        )
        return replace(
            study, suggestion=await self._suggestion(study.health, y, x, interval, window, span.last_ms, terms)
        )

    async def verdict(self, y: str, x: str, interval: Interval, window: int, terms: Terms) -> PairVerdict:
        """The present health of a pair and, below a minute, the correlation of its trades."""
        self._live.check_pair(y, x, window)
        self._live.kernels.need("tests")
        span = self._live.newest([y, x], interval, window, 1)
        ticks = None
        if interval.ms < TRADES_LEAD_BELOW_MS:
            ticks = PairTicks(*[await self._tape(symbol, span, interval, window) for symbol in (y, x)])
        history = await self._judging.history(y, x, interval, window, span.last_ms)
        held = HeldSpan(span)
        found = await self.workers.run(
            lambda check: _verdict(held.whole(), interval, window, terms, ticks, history, check)
        )
        suggestion = await self._suggestion(found.health, y, x, interval, window, span.last_ms, terms)
        return replace(found, suggestion=suggestion)

    async def _suggestion(
        self, health: Health | None, y: str, x: str, interval: Interval, window: int, at_ms: int, terms: Terms
    ) -> Suggestion | None:
        """Of a pair that is not held."""
        if health is None or health.is_held or health.condition is Condition.UNKNOWN:
            return None
        return await self._judging.suggest(y, x, interval, window, at_ms, terms, self.workers)

    async def symbol(
        self, symbol: str, interval: Interval, window: int, wanted: Sequence[MetricRequest]
    ) -> dict[str, Measured]:
        """The present metrics of a symbol, the open bar included."""
        check_window(window)
        self._live.kernels.need(part_of_symbol(wanted))
        held = HeldSpan(self._live.newest([symbol], interval, bars_needed(window, wanted), 1))
        closed_ms = self._live.newest_closed_ms([symbol], interval)
        return await self._live.reads.run(
            lambda check: measure_symbol(held.leg(0), interval, window, held.last_ms, wanted, closed_ms, check)
        )

    async def symbol_series(
        self,
        symbol: str,
        interval: Interval,
        window: int,
        wanted: Sequence[MetricRequest],
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int,
    ) -> SymbolSeries:
        """Metrics of a symbol along time."""
        check_window(window)
        self._live.kernels.need("rest")
        needed = bars_needed(window, wanted)
        held = HeldSpan(await self._live.span([symbol], interval, needed, from_ms, to_ms, limit))
        closed_ms = self._live.newest_closed_ms([symbol], interval)
        first_ms, last_ms = held.first_ms, held.last_ms
        return await self.workers.run(
            lambda check: symbol_series(held.leg(0), interval, window, first_ms, last_ms, wanted, closed_ms, check)
        )

    async def matrix(
        self, symbols: Sequence[str], interval: Interval, window: int, of: CorrelationOf, to_ms: int | None = None
    ) -> MatrixStudy:
        """Correlations over the newest window, or the one that ends before `to_ms`."""
        check_window(window)
        self._live.kernels.need("rest")
        if of == "trades" and len(symbols) > MOST_BY_TRADES:
            raise RequestError(
                f"trades of {len(symbols)} symbols at once", cure=f"name at most {MOST_BY_TRADES}: symbols=A,B,C"
            )
        span = await self._live.span(symbols, interval, window, None, to_ms, 1)
        held = HeldSpan(span)
        tapes = [await self._tape(symbol, span, interval, window) for symbol in symbols] if of == "trades" else []

        def compute(check: Check) -> MatrixStudy:
            closes, shares = _window_of(held, interval, window, check)
            if of == "trades":
                found = _matrix_of_trades(tapes, check)
            else:
                found = _matrix_of_bars(closes, held.last_ms, interval, window, of)
            return MatrixStudy(symbols, held.last_ms, *found[:2], shares, found[2])

        return await self.workers.run(compute)

    async def _tape(self, symbol: str, span: Span, interval: Interval, window: int) -> TradeSeries:
        """The trades of the window that ends at the last row."""
        first_ms, end_ms = span.last_ms - (window - 1) * interval.ms, span.last_ms + interval.ms

        def read(_: Check) -> TradeSeries:
            trades = self._trades.trades(symbol, from_ms=first_ms, to_ms=end_ms, limit=MOST_TRADES, newest=True)
            in_time = trades.take(np.argsort(trades.time_ms, kind="stable"))
            return series_of(in_time.time_ms, in_time.price)

        return await self._live.reads.run(read)


class HeldSpan:
    """A span that a thread may read while the feed goes on.

    Of bars given out by a series only the newest may change, so that only it is copied on the event loop.
    """

    def __init__(self, span: Span) -> None:
        self.first_ms, self.last_ms = span.first_ms, span.last_ms
        self._parts = [(bars[:-1], take_bars(bars, slice(-1, None))) for bars in span.legs]

    def __len__(self) -> int:
        return len(self._parts)

    def leg(self, i: int) -> BarArray:
        """A copy of the bars of a symbol."""
        return join_bars(self._parts[i])

    def whole(self) -> Span:
        return Span(self.first_ms, self.last_ms, [self.leg(i) for i in range(len(self))])


def _study_pair(
    span: Span,
    interval: Interval,
    window: int,
    terms: Terms,
    wanted: Sequence[MetricRequest],
    ticks: PairTicks | None,
    history: PairHistory | None,
    tests: bool,
    check: Check,
) -> PairStudy:
    y, x = span.legs
    series = pair_series(y, x, interval, window, span.first_ms, span.last_ms, terms)
    one = pair_window(y, x, interval, window, span.last_ms, ticks, history)
    metrics = measure_window(one, y, x, interval, span.last_ms, wanted, check)
    if not tests or ticks is None:
        return PairStudy(series, metrics)
    view = one.on(terms.prices, terms.intercept)
    closes = tested(view)
    start_ms = span.last_ms - (window - 1) * interval.ms
    spikes = [(start_ms + places * interval.ms).tolist() for places in (closes.y_spikes, closes.x_spikes)]
    check()
    lag = lead_lag(ticks.y, ticks.x)
    check()
    curve = epps_curve(ticks.y, ticks.x)
    return PairStudy(series, metrics, health_of(view), spikes=spikes, lead_lag=lag, epps=curve)


def _verdict(
    span: Span,
    interval: Interval,
    window: int,
    terms: Terms,
    ticks: PairTicks | None,
    history: PairHistory,
    check: Check,
) -> PairVerdict:
    y, x = span.legs
    one = pair_window(y, x, interval, window, span.last_ms, ticks, history)
    check()
    health = health_of(one.on(terms.prices, terms.intercept))
    check()
    measured = measure_window(one, y, x, interval, span.last_ms, OF_TRADES, check) if ticks else {}
    return PairVerdict(health, None, measured.get("correlation_hy"))


Found = tuple[FloatArray, IntArray, list[list[Reason | None]]]


def _window_of(held: HeldSpan, interval: Interval, window: int, check: Check) -> tuple[FloatArray, list[Shares]]:
    """Closes of the window's bars, symbol by symbol, and what is missing in those of each."""
    start_ms = held.last_ms - (window - 1) * interval.ms
    closes, shares = np.empty((len(held), window)), []
    for i in range(len(held)):
        check()
        bars = held.leg(i)
        closes[i] = align_closes([bars], interval, start_ms, held.last_ms, stale_limit_ms(interval))[1][0]
        shares.append(share_of_ids(bars, start_ms, held.last_ms))
    return closes, shares


def _matrix_of_bars(
    closes: FloatArray, last_ms: int, interval: Interval, window: int, of: Literal["returns", "prices"]
) -> Found:
    start_ms = last_ms - (window - 1) * interval.ms
    found = correlation_matrix(np.log(closes), window, start_ms // interval.ms, "levels" if of == "prices" else of)
    needed = window - (of == "returns")
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
