"""The room of alerts as others see it: rules, what became of them, and the way to people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from pairscope.alerts.book import RuleBook
from pairscope.alerts.delivery.delivery import Delivery, deliver
from pairscope.alerts.engine import Books, Engine, Hearers, Sources
from pairscope.alerts.history import AlertHistory
from pairscope.alerts.inflow import Inflow
from pairscope.alerts.ledger import Ledger
from pairscope.alerts.mutes import Mutes
from pairscope.alerts.no_live_data import tell_source
from pairscope.alerts.panel import Placed
from pairscope.alerts.presets import first_rule
from pairscope.alerts.reading import Known
from pairscope.alerts.standing import number_of, standing_of
from pairscope.alerts.system import SystemNow
from pairscope.alerts.targets import targets_of
from pairscope.alerts.transition import AlertsStatus, HistoryQuery, RuleCounts, RuleStanding, Transition
from pairscope.alerts.values import MarketValues
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import DataFolderError
from pairscope.base.interval import Interval
from pairscope.base.settings import Settings
from pairscope.feed.source import SourceKind, SourcePlan
from pairscope.live.analysis import Analyses, TradeReader
from pairscope.live.market import Market
from pairscope.store.state import State

log = structlog.get_logger()

COUNTED_DAYS = 7.0
Listener = Callable[[Sequence[Transition]], object]


@dataclass(frozen=True, slots=True)
class Heard:
    """What rules are read on."""

    plan: SourcePlan
    trades: TradeReader
    inflow: Inflow
    system: Callable[[], SystemNow]
    is_well: Callable[[], bool] = lambda: True  # so that the sign of life may be given


@dataclass(frozen=True, slots=True)
class AlertGround:
    """What alerts stand on. Where nothing is heard rules are kept, and not read."""

    settings: Settings
    state: State
    tape: Path
    market: Market
    clock: Clock
    source: SourceKind = "live"
    watched: Callable[[], Sequence[str]] = tuple  # symbols
    heard: Heard | None = None


class Alerts:
    """Reads rules on the market as it goes on, and has people told; lives on the event loop.

    What is said to be for a thread reads or writes the state database; all else is cheap.
    """

    def __init__(self, ground: AlertGround) -> None:
        self._ground = ground
        self._is_real = ground.source in ("live", "tape")
        self.book = RuleBook(ground.state, ground.clock)
        self.mutes = Mutes(ground.state, ground.clock)
        is_well = ground.heard.is_well if ground.heard is not None else lambda: True
        self.delivery: Delivery = deliver(
            ground.state, ground.settings, ground.clock, is_well=is_well, note=self.book.note_channel
        )
        self._ledger = Ledger.of(ground.state, ground.tape)
        self._history = AlertHistory(ground.state)
        self._listeners: list[Listener] = []
        self._studies: Analyses | None = None
        self._engine: Engine | None = None
        if self.is_on and ground.heard is not None:
            self._studies = Analyses(ground.market, ground.heard.trades)
            self._engine = self._made_engine(ground.heard, self._studies)

    def _made_engine(self, heard: Heard, studies: Analyses) -> Engine:
        ground = self._ground
        values = MarketValues(ground.market, studies, ground.clock, ground.watched)
        may_send = self._is_real or ground.settings.alerts_from_simulator
        return Engine(
            Sources(ground.market, values, heard.inflow, ground.watched, heard.system),
            Books(self.book, self.mutes, self._ledger, self._history),
            Hearers(self._tell, self.delivery.wake, is_simulated=not self._is_real, may_send=may_send),
            ground.clock,
        )

    @property
    def is_on(self) -> bool:
        """Whether rules are read at all, and may be changed: of a tape that is only looked at they are not."""
        return self._ground.source != "tape"

    def begin(self) -> None:
        """Keep the rule that a new state database begins with; for a thread, before `run`."""
        if not self.is_on:
            return
        settings = self._ground.settings
        interval = Interval.parse(settings.metric_interval)
        draft = first_rule(Known((), (), self._ground.market.intervals, interval, settings.window))
        try:
            self.book.begin(draft.rule(), draft.written)
        except DataFolderError as error:  # it is begun with at the next start
            log.error("alerts_not_written", cause=error.message)

    async def run(self) -> None:
        """Read rules and deliver, until cancelled."""
        if not self.is_on:
            return
        try:
            await self._tell_source()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.delivery.run(), name="delivery")
                if self._engine is not None:
                    tasks.create_task(self._engine.run(), name="rules")
        finally:
            if self._studies is not None:
                self._studies.close()

    async def _tell_source(self) -> None:
        """That there is no live data, or again."""
        ground, heard, at_ms = self._ground, self._ground.heard, now_ms(self._ground.clock)
        if heard is None:
            return

        def tell() -> Sequence[Transition]:
            source, rules, mutes = ground.settings.source, self.book.all(), self.mutes.all()
            return tell_source(ground.state, heard.plan, source, rules, mutes, at_ms).transitions

        try:
            self._tell(await asyncio.to_thread(tell))
        except DataFolderError as error:  # it is told at the next start
            log.error("alerts_not_written", cause=error.message)

    def status(self) -> AlertsStatus:
        """What the engine says of itself."""
        if self._engine is None:
            return AlertsStatus(state="starting" if self.is_on else "off")
        return self._engine.status()

    def changed(self) -> None:
        """Rules, mutes or channels were changed: call it after the commit, from any thread."""
        self.delivery.wake()
        if self._engine is not None:
            self._engine.changed()

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Be told of transitions on the event loop, once they are written; returns the way to stop it."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def _tell(self, transitions: Sequence[Transition]) -> None:
        for each in list(self._listeners):
            each(transitions)

    # --- what became of rules ---

    def standing(self, rule: int | None = None) -> list[RuleStanding]:
        """Where each rule stands on each of its targets, by their numbers, or one of them; for a thread.

        Raises:
            UnknownName: when there is no such rule.
        """
        kept = self.book.all() if rule is None else [self.book.get(rule)]
        symbols, pairs = self._ground.watched(), self._ground.market.pairs
        placed = [Placed(each, target) for each in kept for target in targets_of(each.rule, symbols, pairs)]
        now = {} if self._engine is None else self._engine.standing()
        unread = [each for each in placed if number_of(each) not in now]
        lives = {(each.rule, each.target): each for each in self._ledger.read().lives} if unread else {}
        return [now.get(number_of(each)) or standing_of(each, lives.get(each.key)) for each in placed]

    def history(self, query: HistoryQuery) -> list[Transition]:
        """Transitions, the newest first; for a thread."""
        return self._history.transitions(query)

    def note(self, number: int, text: str) -> Transition:
        """Write a remark on a transition; for a thread.

        Raises:
            UnknownName: when there is none of this number.
        """
        return self._history.note(number, text)

    def counts(self, days: float = COUNTED_DAYS, rule: int | None = None) -> list[RuleCounts]:
        """What each rule did within some days, or one of them, on the kind of source that is heard now; for a thread.

        Raises:
            UnknownRule: when there is no such rule.
        """
        kept = self.book.all() if rule is None else [self.book.get(rule)]
        made = {each.number: each.made_ms for each in kept}
        return self._history.counts(made, days, now_ms(self._ground.clock), simulated=not self._is_real)
