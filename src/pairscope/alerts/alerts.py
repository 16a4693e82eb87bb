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
from pairscope.alerts.standing import number_of, standing_of
from pairscope.alerts.system import SystemNow
from pairscope.alerts.targets import targets_of
from pairscope.alerts.transition import AlertsStatus, HistoryQuery, RuleCounts, RuleStanding, Transition
from pairscope.alerts.values import MarketValues
from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import DataFolderError
from pairscope.base.settings import Settings
from pairscope.feed.source import SourcePlan
from pairscope.live.analysis import Analyses, TradeReader
from pairscope.live.market import Market
from pairscope.store.state import State

log = structlog.get_logger()

COUNTED_DAYS = 7.0
Listener = Callable[[Sequence[Transition]], object]


@dataclass(frozen=True, slots=True)
class AlertGround:
    """What alerts stand on."""

    settings: Settings
    state: State
    tape: Path
    market: Market
    trades: TradeReader
    clock: Clock
    plan: SourcePlan
    inflow: Inflow
    watched: Callable[[], Sequence[str]]  # symbols
    system: Callable[[], SystemNow]
    is_well: Callable[[], bool] = lambda: True


class Alerts:
    """Reads rules on the market as it goes on, and has people told; lives on the event loop.

    What is said to be for a thread reads or writes the state database; all else is cheap.
    """

    def __init__(self, ground: AlertGround) -> None:
        self._ground = ground
        self._is_real = ground.plan.kind in ("live", "tape")
        self.book = RuleBook(ground.state, ground.clock)
        self.mutes = Mutes(ground.state, ground.clock)
        self.delivery: Delivery = deliver(
            ground.state, ground.settings, ground.clock, is_well=ground.is_well, note=self.book.note_channel
        )
        self._history = AlertHistory(ground.state)
        self._listeners: list[Listener] = []
        self._studies = Analyses(ground.market, ground.trades)
        self._values = MarketValues(ground.market, self._studies, ground.clock, ground.watched)
        self._engine = self._made_engine() if self.is_on else None

    def _made_engine(self) -> Engine:
        ground = self._ground
        may_send = self._is_real or ground.settings.alerts_from_simulator
        return Engine(
            Sources(ground.market, self._values, ground.inflow, ground.watched, ground.system),
            Books(self.book, self.mutes, Ledger.of(ground.state, ground.tape), self._history),
            Hearers(self._tell, self.delivery.wake, is_simulated=not self._is_real, may_send=may_send),
            ground.clock,
        )

    @property
    def is_on(self) -> bool:
        """Whether rules are read at all, and may be changed: of a tape that is only looked at they are not."""
        return self._ground.plan.kind != "tape"

    async def run(self) -> None:
        """Read rules and deliver, until cancelled."""
        if self._engine is None:
            return
        try:
            await self._tell_source()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.delivery.run(), name="delivery")
                tasks.create_task(self._engine.run(), name="rules")
        finally:
            self._studies.close()

    async def _tell_source(self) -> None:
        """That there is no live data, or again."""
        ground, at_ms = self._ground, now_ms(self._ground.clock)

        def tell() -> Sequence[Transition]:
            source, rules, mutes = ground.settings.source, self.book.all(), self.mutes.all()
            return tell_source(ground.state, ground.plan, source, rules, mutes, at_ms).transitions

        try:
            self._tell(await asyncio.to_thread(tell))
        except DataFolderError as error:  # it is told at the next start
            log.error("alerts_not_written", cause=error.message)

    def status(self) -> AlertsStatus:
        """What the engine says of itself."""
        if self._engine is None:
            return AlertsStatus(state="off")
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
        return [now.get(number_of(each)) or standing_of(each) for each in placed]

    def history(self, query: HistoryQuery) -> list[Transition]:
        """Transitions, the newest first; for a thread."""
        return self._history.transitions(query)

    def note(self, number: int, text: str) -> Transition:
        """Write a remark on a transition; for a thread.

        Raises:
            UnknownName: when there is none of this number.
        """
        return self._history.note(number, text)

    def counts(self, days: float = COUNTED_DAYS) -> list[RuleCounts]:
        """What each rule did within some days, on the kind of source that is heard now; for a thread."""
        made = {each.number: each.made_ms for each in self.book.all()}
        return self._history.counts(made, days, now_ms(self._ground.clock), simulated=not self._is_real)
