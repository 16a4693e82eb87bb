"""What a rule leaves to be measured when it is saved: its pair's half-life, how far its metric wanders in a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pairscope.alerts.durations import BARS_OF_HALF_LIFE
from pairscope.alerts.reading import Draft, Facts
from pairscope.alerts.rule import AlertScope
from pairscope.analytics.entry.request import MetricRequest
from pairscope.analytics.estimators.terms import PARAMETERS, USUAL, Terms
from pairscope.analytics.registry import metric_request
from pairscope.analytics.values import Flag
from pairscope.base.interval import DAY_MS, Interval
from pairscope.live.analysis import PairQuestion, PairStudy
from pairscope.live.span import Span
from pairscope.live.windows import SymbolSeries

Pair = tuple[str, str]  # y, x
SAMPLES = 48  # of a day; beyond them a deviation is known to a tenth
FEWEST_SAMPLES = 8
MOST_TARGETS = 3  # of a rule on all of them, on which its metric is looked at
_SPANS_MS = (DAY_MS, DAY_MS // 24, DAY_MS // 288)  # shorter ones where less is there
_HALF_LIFE = "half_life_ms"


class Studies(Protocol):
    """Where metrics as of any time come from."""

    async def pair(self, y: str, x: str, terms: Terms, span: Span, question: PairQuestion) -> PairStudy: ...

    async def symbol_series(self, symbol: str, span: Span, wanted: Sequence[MetricRequest]) -> SymbolSeries: ...


class Closed(Protocol):
    """Where bars end."""

    @property
    def pairs(self) -> Sequence[Pair]: ...

    def newest_closed_ms(self, symbols: Sequence[str], interval: Interval) -> int: ...


@dataclass(frozen=True, slots=True)
class MeasuredHalfLife:
    """In milliseconds, or why there is none."""

    ms: float | None
    reason: str = ""


class Measuring:
    """Measures by the studies that everybody asks; its answers are those of closed bars."""

    def __init__(self, studies: Studies, live: Closed) -> None:
        self._studies = studies
        self._live = live

    async def facts(self, draft: Draft) -> Facts:
        """All that a draft leaves to be measured.

        Raises:
            RuleRefused: when its times cannot be told in bars.
            WarmingUp: while the numeric code for it is not there.
        """
        found = MeasuredHalfLife(None)
        scope = draft.fields["scope"]
        if draft.needs_half_life and scope == "pair":
            known = draft.known
            intervals = [known.interval, *(each for each in known.intervals if each != known.interval)]
            spans = [Span(each, known.window) for each in intervals]
            found = await self.half_life((draft.symbols[0], draft.symbols[1]), spans, terms_of(draft.clauses[0].metric))
        facts = Facts(found.ms, found.reason)
        metrics = draft.needs_deviation if scope != "system" else ()
        if not metrics:
            return facts
        interval, window, _ = draft.bars(facts)
        targets = self._targets(draft)
        deviations = {each: await self._deviation(each, targets, Span(interval, window)) for each in metrics}
        return Facts(found.ms, found.reason, deviations)

    async def half_life(self, pair: Pair, spans: Sequence[Span], terms: Terms = USUAL) -> MeasuredHalfLife:
        """The half-life of a pair as of the last closed bar, in the first view in which it is of 5 to 50 bars.

        Where no view shows it so, it is that of the first which shows it at all; the reason is that of the first view.
        """
        first: MeasuredHalfLife | None = None
        least, most = BARS_OF_HALF_LIFE
        reason = ""
        for span in spans:
            request = metric_request(_HALF_LIFE, "pair", terms)
            at_ms = self._live.newest_closed_ms(pair, span.interval)
            measured = (await self._of_pair(pair, request, span, at_ms)).metrics[request.name]
            if not isinstance(measured.value, float) or Flag.BELOW_ONE_BAR in measured.flags:
                reason = reason or str(measured.reason or Flag.BELOW_ONE_BAR)
                continue
            found = MeasuredHalfLife(measured.value)
            if least <= measured.value / span.interval.ms <= most:
                return found
            first = first or found
        return first or MeasuredHalfLife(None, reason)

    def _targets(self, draft: Draft) -> Sequence[tuple[str, ...]]:
        scope: AlertScope = draft.fields["scope"]
        if scope == "all_pairs":
            return list(self._live.pairs)[:MOST_TARGETS]
        if scope == "all_symbols":
            return [(each,) for each in draft.known.symbols[:MOST_TARGETS]]
        return [draft.symbols]

    async def _deviation(self, metric: str, targets: Sequence[tuple[str, ...]], span: Span) -> float:
        """Of the values of a metric over the last day, the median over targets; 0 where too little is known."""
        found = [await self._deviation_on(metric, target, span, SAMPLES // len(targets)) for target in targets]
        known = [each for each in found if each is not None]
        return float(np.median(known)) if known else 0.0

    async def _deviation_on(self, metric: str, target: tuple[str, ...], span: Span, samples: int) -> float | None:
        newest_ms = self._live.newest_closed_ms(target, span.interval)
        for whole_ms in _SPANS_MS:
            step_ms = max(1, whole_ms // samples // span.interval.ms) * span.interval.ms
            count = min(samples, max(FEWEST_SAMPLES, whole_ms // step_ms))
            values = [await self._value(metric, target, span, newest_ms - back * step_ms) for back in range(count)]
            known = [each for each in values if each is not None]
            if len(known) >= FEWEST_SAMPLES:
                return float(np.std(known, ddof=1))
        return None

    async def _value(self, metric: str, target: tuple[str, ...], span: Span, at_ms: int) -> float | None:
        if len(target) == 1:
            request = metric_request(metric, "symbol")
            until = Span(span.interval, span.window, to_ms=at_ms + span.interval.ms, limit=1)
            column = (await self._studies.symbol_series(target[0], until, [request])).metrics[request.name]
            value = column[-1] if column else None
        else:
            request = metric_request(metric, "pair")
            value = (await self._of_pair((target[0], target[1]), request, span, at_ms)).metrics[request.name].value
        return value if isinstance(value, float) else None

    async def _of_pair(self, pair: Pair, request: MetricRequest, span: Span, at_ms: int) -> PairStudy:
        until = Span(span.interval, span.window, to_ms=at_ms + span.interval.ms, limit=1)
        return await self._studies.pair(*pair, USUAL, until, PairQuestion([request]))


def terms_of(metric: str) -> Terms:
    """The terms that a metric names, or the usual ones.

    >>> terms_of("spread_z:method=huber").method, terms_of("correlation").method
    ('huber', 'ols')
    """
    given = (part.partition("=") for part in metric.split(":")[1:])
    return Terms.read({key: value for key, _, value in given if key in PARAMETERS})
