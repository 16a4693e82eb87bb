"""The room of alerts as others see it: rules, what became of them, and the way to people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pairscope.alerts.book import Kept, RuleBook
from pairscope.alerts.delivery.delivery import Delivery, deliver
from pairscope.alerts.history import AlertHistory
from pairscope.alerts.ledger import Ledger, RuleLife
from pairscope.alerts.rule import target_text
from pairscope.alerts.targets import Target, targets_of
from pairscope.alerts.transition import AlertsStatus, HistoryQuery, RuleCounts, RuleStanding, Transition
from pairscope.base.clock import Clock, now_ms
from pairscope.base.settings import Settings
from pairscope.feed.source import SourceKind
from pairscope.live.market import Market
from pairscope.store.state import State

COUNTED_DAYS = 7.0
Listener = Callable[[Sequence[Transition]], object]


@dataclass(frozen=True, slots=True)
class AlertGround:
    """What alerts stand on."""

    settings: Settings
    state: State
    tape: Path
    market: Market
    clock: Clock
    source: SourceKind = "live"
    watched: Callable[[], Sequence[str]] = tuple  # symbols


class Alerts:
    """Reads rules on the market as it goes on, and has people told; lives on the event loop.

    What is said to be for a thread reads or writes the state database; all else is cheap.
    """

    def __init__(self, ground: AlertGround) -> None:
        self._ground = ground
        self.book = RuleBook(ground.state, ground.clock)
        self.delivery: Delivery = deliver(ground.state, ground.settings, ground.clock)
        self._ledger = Ledger.of(ground.state, ground.tape)
        self._history = AlertHistory(ground.state)
        self._listeners: list[Listener] = []

    @property
    def is_on(self) -> bool:
        """Whether rules are read at all, and may be changed: of a tape that is only looked at they are not."""
        return self._ground.source != "tape"

    async def run(self) -> None:
        """Read rules and deliver, until cancelled."""
        if self.is_on:
            await self.delivery.run()

    def status(self) -> AlertsStatus:
        """What the engine says of itself."""
        return AlertsStatus(state="starting" if self.is_on else "off")

    def changed(self) -> None:
        """Rules, mutes or channels were changed: call it after the commit, from any thread."""
        self.delivery.wake()

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Be told of transitions on the event loop, once they are written; returns the way to stop it."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    # --- what became of rules ---

    def standing(self, rule: int | None = None) -> list[RuleStanding]:
        """Where each rule stands on each of its targets, by their numbers, or one of them; for a thread.

        Raises:
            UnknownName: when there is no such rule.
        """
        kept = self.book.all() if rule is None else [self.book.get(rule)]
        lives = {(each.rule, each.target): each for each in self._ledger.read().lives}
        symbols, pairs = self._ground.watched(), self._ground.market.pairs
        return [
            _standing(each, target, lives.get((each.number, target_text(target))))
            for each in kept
            for target in targets_of(each.rule, symbols, pairs)
        ]

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
        is_real = self._ground.source in ("live", "tape")
        return self._history.counts(made, days, now_ms(self._ground.clock), simulated=not is_real)


def _standing(kept: Kept, target: Target, life: RuleLife | None) -> RuleStanding:
    found = RuleStanding(
        rule=kept.number,
        revision=kept.revision,
        target=target_text(target),
        symbols=target,
        half_life_ms=kept.rule.half_life_ms,
    )
    if life is None:
        return found
    held = life.life
    known = {"stage": held.stage, "veil": held.veil, "since_ms": life.since_ms, "fired_ms": held.fired_ms}
    return msgspec.structs.replace(found, **known, fire=life.fire)
