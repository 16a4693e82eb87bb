"""The closed bars that the health of a pair is read from, and those of the windows that are suggested instead."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import numpy as np

from pairscope.analytics.estimators.readings import PairHistory, history_bars, step_of
from pairscope.analytics.estimators.suggestion import Rung, Suggestion, rungs, try_rung
from pairscope.analytics.estimators.terms import Terms
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray
from pairscope.live.market import Market
from pairscope.live.span import PairKey, Span
from pairscope.live.workers import Check, Workers

SUGGESTIONS_KEPT = 256  # of pairs, intervals and windows; a suggestion is looked for once a reading


def first_closed_ms(last_ms: int, interval: Interval, bars: int) -> int:
    """The earliest bar that can matter to so many closed ones: a price is carried into the first."""
    return last_ms - bars * interval.ms - stale_limit_ms(interval)


def history_of(y: BarArray, x: BarArray, interval: Interval, last_ms: int, bars: int) -> PairHistory:
    """So many closed bars of a pair on one grid; their arrays must reach back to `first_closed_ms`."""
    start_ms = Span(interval, bars).start_ms(last_ms)
    _, closes = align_closes([y, x], interval, start_ms, last_ms, stale_limit_ms(interval))
    logs = np.log(closes)
    return PairHistory(logs[0], logs[1], last_ms // interval.ms, interval.ms, closes)


class HealthBars:
    """Asks `live` for closed bars, from memory and disk."""

    def __init__(self, live: Market) -> None:
        self._live = live
        self._suggested: OrderedDict[tuple[PairKey, int], Suggestion | None] = OrderedDict()

    async def history(self, key: PairKey, at_ms: int) -> PairHistory:
        """The closed bars of a pair that its health at the bar `at_ms` depends on."""
        return await self._closed(key.legs, key.interval, history_bars(key.window), at_ms)

    async def suggest(self, key: PairKey, at_ms: int, workers: Workers) -> Suggestion | None:
        """The shortest longer window in which the closed bars before the end of `at_ms` show the pair."""
        reading = self._live.last_closed_ms(key.legs, key.interval, at_ms) // key.interval.ms // step_of(key.window)
        terms = Terms(prices=key.terms.prices, intercept=key.terms.intercept)  # of least squares, by any method
        known = (key._replace(terms=terms), reading)
        if known not in self._suggested:
            self._suggested[known] = await self._first_rung(key, at_ms, workers)
            while len(self._suggested) > SUGGESTIONS_KEPT:
                self._suggested.popitem(last=False)
        return self._suggested[known]

    async def _first_rung(self, key: PairKey, at_ms: int, workers: Workers) -> Suggestion | None:
        interval, terms = key.interval, key.terms
        end_ms = self._live.last_closed_ms(key.legs, interval, at_ms) + interval.ms
        for rung in rungs(key.window, interval.ms, [each.ms for each in self._live.intervals]):
            longer = Interval(rung.bar_ms)
            last_ms = longer.floor(end_ms) - longer.ms  # the last of its bars that is over
            history = await self._closed(key.legs, longer, rung.window + 1, last_ms)
            found = await workers.run(partial(_try, history.on(terms.prices, terms.intercept), rung))
            if found is not None:
                return found
        return None

    async def _closed(self, pair: tuple[str, str], interval: Interval, bars: int, at_ms: int) -> PairHistory:
        last_ms = self._live.last_closed_ms(pair, interval, at_ms)
        from_ms = first_closed_ms(last_ms, interval, bars)
        count = (last_ms - from_ms) // interval.ms + 1
        legs = [await self._live.history(s, interval, from_ms, last_ms + interval.ms, count) for s in pair]
        return history_of(legs[0], legs[1], interval, last_ms, bars)


def _try(history: PairHistory, rung: Rung, _: Check) -> Suggestion | None:
    return try_rung(history, rung)
