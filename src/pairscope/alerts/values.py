"""The values that rules are read on: from bars in memory, on the event loop; what takes longer, by studies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import structlog

from pairscope.alerts.panel import MetricNow
from pairscope.alerts.questions import Question, is_late
from pairscope.analytics.estimators.terms import USUAL
from pairscope.base.clock import Clock
from pairscope.base.errors import PairscopeError
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray
from pairscope.live.analysis import Analyses, PairQuestion
from pairscope.live.market import Market
from pairscope.live.span import Span
from pairscope.live.windows import Measured, measure_pair, measure_symbol

log = structlog.get_logger()

SLICE_S = 0.004  # of the event loop, before others have their turn
LATE = MetricNow(None, reason="leg_late")
NOT_HELD = MetricNow(None, reason="not_in_memory")  # so far back are no bars of the window
NOT_WATCHED = MetricNow(None, reason="not_watched", is_error=True)
FAULT = MetricNow(None, reason="fault", is_error=True)
Answers = list[tuple[int, MetricNow]]


class MarketValues:
    """Answers questions of rules; the bars of a symbol are merged once for all that ask for them.

    A question that fails is an error of its own rules and of no others.
    """

    def __init__(self, market: Market, studies: Analyses, clock: Clock, watched: Callable[[], Iterable[str]]) -> None:
        self.failures = 0
        self._market = market
        self._studies = studies
        self._clock = clock
        self._watched = watched
        self._finest = min(market.intervals)

    def is_ready(self, questions: Sequence[Question]) -> bool:
        """Whether the compiled code that they take is there."""
        return all(self._market.has(each.part) for each in questions)

    def is_slow(self, question: Question) -> bool:
        """Whether others must not wait for it: it takes long, or bars from the disk."""
        return question.is_dear or not self._market.fits(Span(question.interval, question.bars))

    async def closed(self, questions: Sequence[Question], end_ms: int) -> Answers:
        """What is known at the bars that end at a moment, all of them over."""
        return await self._answers([(each, end_ms - each.interval.ms, each.interval) for each in questions], end_ms)

    async def present(self, questions: Sequence[Question], event_ms: int) -> Answers:
        """What is known now, of the open bars."""
        newest = [(each, self._market.newest_ms(each.target, each.interval), self._finest) for each in questions]
        return await self._answers(newest, event_ms)

    def late(self, question: Question, event_ms: int) -> bool:
        """Whether a leg is not heard now."""
        return self._is_late(question, event_ms, self._finest)

    def has_hole(self, questions: Sequence[Question], end_ms: int) -> bool:
        """Whether a bar that ends at a moment misses trades that may still come."""
        symbols = set(self._watched()) & {symbol for each in questions for symbol in each.target}
        intervals = {each.interval for each in questions}
        return any(self._market.has_hole(symbol, each, end_ms - each.ms) for symbol in symbols for each in intervals)

    def has_trades(self, questions: Sequence[Question], end_ms: int) -> bool:
        """Whether any symbol that is watched traded in a bar that ends at a moment."""
        intervals = {each.interval for each in questions}
        return any(
            self._market.last_traded_ms(symbol, each, end_ms - each.ms) > end_ms - each.ms
            for symbol in self._watched()
            for each in intervals
        )

    async def _answers(self, asked: Sequence[tuple[Question, int, Interval]], end_ms: int) -> Answers:
        watched, merged = set(self._watched()), _Merged(self._market)
        began_s, found = self._clock.monotonic_s(), Answers()
        for question, open_ms, heard_in in asked:
            if not watched.issuperset(question.target):
                found += question.unanswered(NOT_WATCHED)
            elif self._is_late(question, end_ms, heard_in):
                found += question.unanswered(LATE)
            else:
                found += self._guarded(question, open_ms, merged)
            if self._clock.monotonic_s() - began_s > SLICE_S:
                await asyncio.sleep(0)
                began_s = self._clock.monotonic_s()
        return found

    def _is_late(self, question: Question, end_ms: int, heard_in: Interval) -> bool:
        last = (self._market.last_traded_ms(each, heard_in, end_ms - heard_in.ms) for each in question.target)
        return any(is_late(each, end_ms, question.interval) for each in last)

    def _guarded(self, question: Question, open_ms: int, merged: _Merged) -> Answers:
        span = Span(question.interval, question.window)
        legs = [merged.bars(each, replace(span, window=question.bars), open_ms) for each in question.target]
        known = [each for each in legs if each is not None]
        if len(known) < len(legs):
            return question.unanswered(NOT_HELD)
        try:
            if question.is_pair:
                return question.answered(measure_pair(known[0], known[1], span, open_ms, question.wanted))
            return question.answered(measure_symbol(known[0], span, open_ms, question.wanted))
        except Exception:  # of one question; the others go on
            log.exception("alert_metric_failed", target="/".join(question.target), interval=str(question.interval))
            self.failures += 1
            return question.unanswered(FAULT)

    async def studied(self, question: Question, open_ms: int, end_ms: int) -> Answers:
        """What is known of a bar, by a study in a thread; from the disk where bars of it are there alone."""
        if not set(self._watched()).issuperset(question.target):
            return question.unanswered(NOT_WATCHED)
        if self._is_late(question, end_ms, question.interval):
            return question.unanswered(LATE)
        try:
            return question.answered(await self.study(question, open_ms))
        except PairscopeError as error:  # the tape cannot be read now
            log.warning("alert_not_read", target="/".join(question.target), cause=error.message)
            return question.unanswered(MetricNow(None, reason=error.code, is_error=True))
        except Exception:  # of one question; the others go on
            log.exception("alert_metric_failed", target="/".join(question.target), interval=str(question.interval))
            self.failures += 1
            return question.unanswered(FAULT)

    async def study(self, question: Question, open_ms: int) -> dict[str, Measured]:
        """The metrics of a question at a bar.

        Raises:
            PairscopeError: when the tape cannot be read.
        """
        span = Span(question.interval, question.window, to_ms=open_ms + question.interval.ms)
        if not question.is_pair:
            return await self._studies.symbol(question.target[0], span, question.wanted)
        y, x = question.target
        return (await self._studies.pair(y, x, USUAL, span, PairQuestion(question.wanted))).metrics


class _Merged:
    """Bars of one moment, each of a symbol and an interval once."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._found: dict[tuple[str, Span, int], BarArray | None] = {}

    def bars(self, symbol: str, span: Span, open_ms: int) -> BarArray | None:
        key = (symbol, span, open_ms)
        if key not in self._found:
            self._found[key] = self._market.held(symbol, span, open_ms)
        return self._found[key]
