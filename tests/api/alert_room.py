"""A room of alerts for tests of the API: in memory, with one rule, one channel, and one event of yesterday."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pairscope.alerts.alerts import AlertGround, Alerts
from pairscope.alerts.ledger import Entry, Ledger, Outgoing, RuleLife
from pairscope.alerts.machine import Change, Life, Stage
from pairscope.alerts.outbox import Message, Notice
from pairscope.alerts.reading import Known, read_rule
from pairscope.alerts.transition import Transition
from pairscope.base.clock import Clock
from pairscope.base.interval import Interval
from pairscope.base.settings import Settings
from pairscope.feed.source import SourceKind
from pairscope.live.market import Market
from pairscope.store.state import State

FIRED_MS = 1_723_075_100_000
RULE = {
    "pair": "ETHUSDT/BTCUSDT",
    "metric": "spread_z",
    "condition": ">",
    "threshold": 2,
    "interval": "1s",
    "window": 30,
}
# Nobody listens there, and that is told at once.
DESK = {"name": "desk", "kind": "webhook", "url": "http://127.0.0.1:9/hook", "secret": "whsec_" + "A" * 32}
FIRED = Transition(
    rule=1,
    revision=1,
    name="Wide",
    severity="warning",
    target="ETHUSDT/BTCUSDT",
    change=Change.FIRED,
    time_ms=FIRED_MS,
    recorded_ms=FIRED_MS + 20,
    value=2.4,
    interval="1s",
    window=30,
    bar_ms=FIRED_MS - 1_000,
    missing=0.0,
    messages={"desk": "fired-1"},
)


class AlertRoom:
    """Alerts, and the tools to make something happen in it."""

    def __init__(self, settings: Settings, market: Market, clock: Clock, source: SourceKind = "live") -> None:
        tape = Path("/nowhere/tape.duckdb")
        self.state = State.look(tape.with_name("state.sqlite"))
        watched: Callable[[], Sequence[str]] = lambda: settings.symbols  # noqa: E731
        self.alerts = Alerts(AlertGround(settings, self.state, tape, market, clock, source, watched))
        self.ledger = Ledger.of(self.state, tape)

    def begin(self) -> None:
        """What there is in the examples of the documentation."""
        for name in ("desk", "phone"):
            self.alerts.delivery.channels.add(DESK | {"name": name}, "ann")
        self.make({**RULE, "name": "Wide", "channels": ["desk"]})
        life = RuleLife(1, FIRED.target, Life(FIRED_MS, Stage.FIRING, fired_ms=FIRED_MS), since_ms=FIRED_MS)
        self.write(FIRED, lives=[life])
        with self.state.change() as connection:
            connection.execute("update outbox set state = 'dead', error = 'no connection', tries = 25")

    def fill(self, count: int) -> None:
        """Have so many events, with a message each, and places where rules stand."""
        for _ in range(-(-count // 3)):
            self.make({"scope": "all_pairs", "metric": "spread_z", "condition": ">", "threshold": 2})
        self.write(*(fired(time_ms=FIRED_MS + i, messages={"desk": f"filled-{i}"}) for i in range(count)))

    def make(self, body: dict[str, Any]) -> int:
        """A rule, as somebody made it."""
        known = Known(
            ["BTCUSDT", "ETHUSDT", "SOLUSDT"], [("ETHUSDT", "BTCUSDT")], [Interval(1_000)], Interval(1_000), 30
        )
        draft = read_rule(body, known)
        return self.alerts.book.create(draft.rule(), "ann", draft.written).number

    def write(self, *transitions: Transition, lives: Sequence[RuleLife] = ()) -> Sequence[Transition]:
        """Transitions with their messages, as the engine writes them."""
        outgoing = [
            Outgoing(Message(id=number, channel=channel, made_ms=each.time_ms, notice=_notice(each)), i)
            for i, each in enumerate(transitions)
            for channel, number in each.messages.items()
        ]
        return self.ledger.write(Entry(transitions=transitions, lives=lives, messages=outgoing)).transitions

    def happens(self, *transitions: Transition) -> None:
        """Transitions are written, and told to who listens."""
        self.alerts._tell(self.write(*transitions))

    def all_there_is(self) -> dict[str, list[Any]]:
        """Everything that anybody may have changed."""
        tables = ("alert_rules", "alert_mutes", "alert_history", "channels", "outbox", "audit")
        return {table: self.state.rows(f"select * from {table}") for table in tables}


def _notice(of: Transition) -> Notice:
    return Notice(
        title=f"{of.name} of {of.target}",
        text="",
        severity=of.severity,
        rule=of.name,
        target=of.target,
        transition=of.change,
        time_ms=of.time_ms,
    )


def fired(**other: Any) -> Transition:
    """The event of the examples, with something else."""
    return msgspec.structs.replace(FIRED, **other)
