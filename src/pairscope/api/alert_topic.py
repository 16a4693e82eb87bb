"""The topic of alerts: each event as it happens, and how the engine is."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial

from pairscope.alerts.alerts import Alerts
from pairscope.alerts.transition import MINOR, RuleCounts, Transition
from pairscope.api import wire
from pairscope.api.alert_answers import engine_info, event_info
from pairscope.api.topics import Pace, Topic, Touched, encode
from pairscope.base.clock import Clock

MOST_HELD = 100  # events, which a new client is told
MOST_AT_ONCE = 50  # more than these are told as a new snapshot
COUNTS_HOLD_S = 10.0
PERIOD_S = 1.0  # between two messages of how the engine is


class AlertFeed:
    """What was heard of rules since the start, for everybody who follows; lives on the event loop.

    The steps on the way to an event are left out: of them only where a rule stands is told, when it is asked.
    """

    def __init__(self, alerts: Alerts, clock: Clock) -> None:
        self._alerts = alerts
        self.heard = 0  # events since the start
        self.changes = 0  # of rules, mutes and channels
        self.newest: deque[Transition] = deque(maxlen=MOST_HELD)
        self._clock = clock
        self._counted: tuple[float, list[RuleCounts]] | None = None
        alerts.listen(self._hear)

    def _hear(self, transitions: Sequence[Transition]) -> None:
        for each in transitions:
            if each.change not in MINOR:
                self.newest.append(each)
                self.heard += 1

    def changed(self) -> None:
        """Somebody changed rules, mutes or channels: the engine and everybody who follows are told."""
        self.changes += 1
        self._alerts.changed()

    def counts(self) -> list[RuleCounts]:
        """What all rules did, as of a few seconds ago at most; for a thread.

        All of their history is read for it, and whoever writes an event waits meanwhile.
        """
        now_s, counted = self._clock.monotonic_s(), self._counted
        if counted is None or now_s - counted[0] >= COUNTS_HOLD_S:
            self._counted = counted = (now_s, self._alerts.counts())
        return counted[1]

    def engine(self) -> wire.AlertEngine:
        return engine_info(self._alerts.status())


class AlertsTopic(Topic):
    """Events of all rules, none of which is lost, and the newest state of the engine."""

    def __init__(self, name: str, first_seq: int, feed: AlertFeed) -> None:
        super().__init__(name, first_seq)
        self._feed = feed
        self._heard = feed.heard
        self._told: tuple[wire.AlertEngine, int] | None = None
        self._pace = Pace(PERIOD_S)

    def on_bars(self, touched: Touched) -> None:
        pass

    def pump(self, now_s: float) -> None:
        new, self._heard = self._feed.heard - self._heard, self._feed.heard
        if new > MOST_AT_ONCE:
            self.start_over()
        else:
            for event in list(self._feed.newest)[len(self._feed.newest) - new :]:
                self.publish(partial(self._event, event))
        if self.clients and self._told != (now := self._now()) and self._pace.allows(now_s):
            self._told = now
            self.send_newest("alerts", self._of_engine())

    def _now(self) -> tuple[wire.AlertEngine, int]:
        return self._feed.engine(), self._feed.changes

    def _event(self, event: Transition, seq: int) -> wire.Wire:
        return wire.AlertsEvent(topic=self.name, seq=seq, event=event_info(event, {}))

    def _of_engine(self) -> str:
        engine, changes = self._now()
        return encode(wire.AlertsNow(topic=self.name, seq=self.seq, engine=engine, changes=changes))

    def snapshot(self, limit: int) -> str:
        engine, changes = self._now()
        events = [event_info(each, {}) for each in reversed(self._feed.newest)]
        return encode(wire.AlertsSnapshot(topic=self.name, seq=self.seq, engine=engine, changes=changes, events=events))

    def present(self) -> dict[str, str]:
        return {"alerts": self._of_engine()}
