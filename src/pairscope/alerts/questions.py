"""What rules ask of the market: of each target and window all numbers at once, each once, however many rules ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pairscope.alerts.panel import MetricNow, Slot
from pairscope.alerts.targets import Target
from pairscope.analytics.entry.request import MetricRequest
from pairscope.analytics.estimators.terms import USUAL
from pairscope.analytics.registry import metric_request
from pairscope.bars.cuts import MissingReason
from pairscope.base.interval import Interval
from pairscope.live.kernels import Part
from pairscope.live.signals import late_after_ms
from pairscope.live.windows import Measured, bars_needed


class Asked(NamedTuple):
    """A number of a question: where rules look for it, and as what it is computed."""

    slot: int
    request: MetricRequest


@dataclass(frozen=True, slots=True)
class Question:
    """The numbers of one window of one target."""

    target: Target
    interval: Interval
    window: int
    asked: tuple[Asked, ...]

    @property
    def is_pair(self) -> bool:
        return len(self.target) == 2

    @property
    def wanted(self) -> Sequence[MetricRequest]:
        """Each metric once: a word that several rules compare is one."""
        return list({each.request.name: each.request for each in self.asked}.values())

    @property
    def bars(self) -> int:
        """How many bars it takes."""
        return self.window if self.is_pair else bars_needed(self.window, self.wanted)

    @property
    def is_dear(self) -> bool:
        """Whether it takes so long that others must not wait for it."""
        return any(each.metric.cadence != "bar" or "history" in each.metric.needs for each in self.wanted)

    @property
    def part(self) -> Part:
        """The part of the compiled code that it takes: what is computed with each bar is there first."""
        if self.is_dear:
            return "rest"
        if not self.is_pair:
            return "symbols"
        usual = USUAL.parameters
        told = [(key, value) for each in self.wanted for key, value in each.parameters.items() if key in usual]
        is_usual = all(value == usual[key] for key, value in told if key != "prices")
        return "pairs" if is_usual else "tests"

    def answered(self, found: Mapping[str, Measured]) -> list[tuple[int, MetricNow]]:
        """What rules see of the numbers that were computed."""
        return [(each.slot, metric_now(found[each.request.name])) for each in self.asked]

    def unanswered(self, why: MetricNow) -> list[tuple[int, MetricNow]]:
        """The same when there are none."""
        return [(each.slot, why) for each in self.asked]


def questions_of(slots: Sequence[Slot]) -> list[Question]:
    """The questions that the slots of rules add up to; those of the system are none of the market.

    >>> eth = ("ETHUSDT", "BTCUSDT")
    >>> slots = [Slot(eth, "1s", 300, name) for name in ("spread_z", "beta")]
    >>> [(each.target, [one.request.name for one in each.asked]) for each in questions_of(slots)]
    [(('ETHUSDT', 'BTCUSDT'), ['spread_z', 'beta'])]
    """
    found: dict[tuple[Target, str, int], list[Asked]] = {}
    for place, slot in enumerate(slots):
        if slot.target:
            request = metric_request(slot.metric, "pair" if len(slot.target) == 2 else "symbol")
            found.setdefault((slot.target, slot.interval, slot.window), []).append(Asked(place, request))
    return [
        Question(target, Interval.parse(interval), window, tuple(asked))
        for (target, interval, window), asked in found.items()
    ]


def metric_now(found: Measured) -> MetricNow:
    """What rules see of a metric.

    Where it cannot be told how many trades are missing, because a hole lies across an end of the window, too many may
    be; that listening began within it, or that trades have no numbers, speaks against no value.
    """
    reason = None if found.reason is None else found.reason.value
    return MetricNow(found.value, found.missing, found.unknown in (MissingReason.HOLE, MissingReason.END), reason)


def is_late(traded_ms: int, end_ms: int, interval: Interval) -> bool:
    """Whether a symbol is not heard at the end of a bar, as its bars tell.

    Args:
        traded_ms: when its last trade came at the latest; 0 for never.

    >>> is_late(60_000, 63_000, Interval(1_000)), is_late(60_000, 64_000, Interval(1_000))
    (False, True)
    """
    return end_ms - traded_ms > late_after_ms(interval)
