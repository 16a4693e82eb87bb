"""The one event that is of no rule: a simulated market runs because the exchange could not be used, and no more.

It leaves the machine whatever the settings say of simulated markets, to each channel that some rule names: who waits
for news of a market is told that there is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from pairscope.alerts.book import Kept
from pairscope.alerts.ledger import Entry, Ledger, Outgoing, RuleLife, Written
from pairscope.alerts.machine import Change, Life, Stage
from pairscope.alerts.mutes import Mute
from pairscope.alerts.outbox import Message, Notice
from pairscope.alerts.rule import SYSTEM
from pairscope.alerts.transition import Transition, Withheld
from pairscope.base.reading import utc_text
from pairscope.base.settings import SourceName
from pairscope.feed.source import SourcePlan
from pairscope.store.state import State

NUMBER = 0  # no rule has it
NAME = "Live data"
NO_TAPE = 0  # it is of none: one begins on the tape of the real market, and ends there
_SINCE = """
    select max(read_ms) from alert_cursors join tapes using (tape) where place like 'live-%' and beat <> 'system'
"""


def tell_source(
    state: State, plan: SourcePlan, asked: SourceName, rules: Sequence[Kept], mutes: Sequence[Mute], at_ms: int
) -> Written:
    """Write that there is no live data any more, or that there is again; once each, however often it is started.

    Raises:
        FileNotWritten: when it cannot be written; `DiskFull` when there is no room.
    """
    ledger = Ledger(state, NO_TAPE)
    known = [each for each in ledger.read().lives if each.rule == NUMBER]
    channels = sorted({channel for each in rules if each.rule.enabled for channel in each.rule.channels})
    heard_by = None if any(each.holds(NUMBER, at_ms) for each in mutes) else channels
    life = known[0] if known else RuleLife(NUMBER, SYSTEM, Life(seen_ms=0))
    is_open = life.life.stage is Stage.FIRING
    if not is_open and asked == "auto" and plan.kind == "simulator":
        ((last_ms,),) = state.rows(_SINCE)
        told = f"No live data since {utc_text(last_ms or at_ms)}"
        why = f": {plan.detail or plan.reason}" if plan.detail or plan.reason else ""
        text = f"{told}{why}. A simulated market runs in its place."
        return _told(ledger, life, (told, text), heard_by, at_ms)
    if is_open and plan.kind == "live":
        told = f"Live data again since {utc_text(at_ms)}"
        return _told(ledger, life, (told, f"{told}."), heard_by, at_ms)
    return Written([], [])


def _told(
    ledger: Ledger, life: RuleLife, words: tuple[str, str], channels: Sequence[str] | None, at_ms: int
) -> Written:
    """What begins where nothing was open, else its end; to channels, unless all rules are muted."""
    title, text = words
    is_begin = life.life.stage is not Stage.FIRING
    change = Change.FIRED if is_begin else Change.RESOLVED
    changes = life.changes + 1
    messages = {each: _identity(ledger.origin, change, changes, each) for each in channels or ()}
    severity = "critical" if is_begin else "info"
    notice = Notice(
        title=title, text=text, severity=severity, rule=NAME, target=SYSTEM, transition=change.value, time_ms=at_ms
    )
    transition = Transition(
        rule=NUMBER,
        revision=1,
        name=NAME,
        severity=severity,
        target=SYSTEM,
        change=change,
        time_ms=at_ms,
        recorded_ms=at_ms,
        reason=title,
        fire=life.fire,
        withheld=Withheld.MUTED if channels is None else None,
        messages=messages,
    )
    stage = Stage.FIRING if is_begin else Stage.INACTIVE
    fired_ms = at_ms if is_begin else life.life.fired_ms
    after = replace(
        life,
        life=Life(at_ms, stage, fired_ms=fired_ms),
        is_as_read=False,
        since_ms=at_ms,
        changes=changes,
        fire=None,
        is_told=bool(messages) and is_begin,
    )
    outgoing = [
        Outgoing(Message(id=identity, channel=channel, made_ms=at_ms, notice=notice), 0)
        for channel, identity in messages.items()
    ]
    return ledger.write(Entry(lives=[after], transitions=[transition], messages=outgoing))


def _identity(origin: str, change: Change, changes: int, channel: str) -> str:
    told = "\n".join((origin, str(NUMBER), change.value, str(changes), channel))
    return f"alert_{hashlib.sha256(told.encode()).hexdigest()[:32]}"
