"""What is looked up after something was told, because it takes longer: the health of pairs, and half-lives of today."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from pairscope.alerts.history import AlertHistory
from pairscope.alerts.panel import MetricNow, Slot
from pairscope.alerts.questions import Question, metric_now, questions_of
from pairscope.alerts.targets import Target
from pairscope.alerts.transition import Transition
from pairscope.alerts.values import MarketValues
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import PairscopeError
from pairscope.base.interval import DAY_MS
from pairscope.base.tasks import comes

log = structlog.get_logger()

MOST_WAITING = 1_000  # pairs at a bar; beyond them health stays unknown, and that is counted
HALF_LIVES_S = 900.0  # between two looks at the half-lives of all rules that are told in them
MOST_HALF_LIVES = 500  # of one look
FORGET_S = 3_600.0
KEPT_MS = 400 * DAY_MS  # of what people were told, and might have been
LOOK_S = 30.0
WindowOf = tuple[Target, str, int]
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class PairAt:
    """A window of a pair at a bar."""

    target: Target
    interval: str
    window: int
    bar_ms: int

    @property
    def window_of(self) -> WindowOf:
        """Without the bar."""
        return self.target, self.interval, self.window

    def question(self, metric: str) -> Question:
        """What one metric of it is."""
        (found,) = questions_of([Slot(self.target, self.interval, self.window, metric)])
        return found


class Afterwards:
    """Looks things up one after the other, and lets history go that is too old, until cancelled."""

    def __init__(
        self,
        values: MarketValues,
        history: AlertHistory,
        in_thread: InThread,
        clock: Clock,
        in_half_lives: Callable[[], Iterable[PairAt]],
    ) -> None:
        self.dropped = 0
        self.half_lives: Mapping[WindowOf, MetricNow] = {}
        self._values = values
        self._history = history
        self._in_thread = in_thread
        self._clock = clock
        self._in_half_lives = in_half_lives
        self._waiting: dict[PairAt, list[int]] = {}
        self._news = asyncio.Event()
        self._looked_s = self._forgot_s = float("-inf")

    def look_up(self, transitions: Sequence[Transition]) -> None:
        """Have the health of the pairs noted that transitions are of."""
        for each in transitions:
            target = tuple(each.target.split("/"))
            if len(target) != 2 or each.bar_ms is None or each.interval is None or each.window is None:
                continue
            at = PairAt(target, each.interval, each.window, each.bar_ms)
            if at not in self._waiting and len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                continue
            self._waiting.setdefault(at, []).append(each.number)
            self._news.set()

    async def run(self) -> None:
        """Look things up, until cancelled."""
        while True:
            self._news.clear()
            await self._note_health()
            now_s = self._clock.monotonic_s()
            if now_s - self._looked_s >= HALF_LIVES_S:
                self._looked_s = now_s
                await self._look_at_half_lives()
            if now_s - self._forgot_s >= FORGET_S:
                self._forgot_s = now_s
                await self._in_thread(partial(self._history.forget, now_ms(self._clock), KEPT_MS))
            await comes(self._news, LOOK_S)

    async def _note_health(self) -> None:
        while self._waiting:
            at = next(iter(self._waiting))
            numbers = self._waiting.pop(at)
            found = await self._studied(at, "health")
            if isinstance(found.value, str):
                await self._in_thread(partial(self._history.tell_health, numbers, found.value))

    async def _look_at_half_lives(self) -> None:
        found = {}
        for at in itertools.islice(dict.fromkeys(self._in_half_lives()), MOST_HALF_LIVES):
            found[at.window_of] = await self._studied(at, "half_life_ms")
            await self._note_health()  # which comes first
        self.half_lives = found
        if not found:
            self._looked_s = float("-inf")  # no rule is read yet

    async def _studied(self, at: PairAt, metric: str) -> MetricNow:
        question = at.question(metric)
        try:
            found = await self._values.study(question, at.bar_ms)
        except PairscopeError as error:
            return MetricNow(None, reason=error.code)
        except Exception:  # of one pair; the others go on
            log.exception("alert_not_looked_up", target="/".join(at.target), metric=metric)
            return MetricNow(None, reason="fault")
        return metric_now(found[question.asked[0].request.name])
