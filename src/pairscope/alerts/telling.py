"""What is told of a moment, and to whom: transitions with the reason why one is not sent, and messages of the others.

What happens to several targets of a rule at once is one message for each channel. What ends something is told when its
beginning was: where nothing may be sent at that moment, it waits until something may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from pairscope.alerts.ledger import Outgoing, RuleLife
from pairscope.alerts.machine import Change, Life, Stage
from pairscope.alerts.mutes import Mute
from pairscope.alerts.outbox import Message, Notice
from pairscope.alerts.panel import MetricNow, Placed
from pairscope.alerts.rule import AlertRule, target_text
from pairscope.alerts.sentence import group_text, group_title, text_of, title_of
from pairscope.alerts.transition import TOLD, Transition, Withheld

ENDS = (Change.RESOLVED, Change.DATA_BACK)  # of something that was told, or was not


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all that is told at a moment."""

    now_ms: int
    origin: str  # of the state database
    tape: int
    is_simulated: bool = False
    may_send: bool = True  # of trades of no market
    mutes: Sequence[Mute] = ()
    feed_silent: str | None = None  # the name of a rule that says so for all


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a reading did to a rule on a target: its changes, from the life before it to the one after."""

    placed: Placed
    kept: RuleLife  # before
    life: Life
    changes: tuple[Change, ...]
    time_ms: int
    bar_ms: int | None = None
    first: MetricNow | None = None
    second: MetricNow | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that is to be written of some occasions."""

    transitions: Sequence[Transition]
    lives: Sequence[RuleLife]
    messages: Sequence[Outgoing]


@dataclass(slots=True)
class _Line:
    """A transition that may be sent, on the way to its message."""

    place: int
    rule: AlertRule
    told: Transition
    count: int  # of the transitions of its life, with it
    due_ms: int


def account_of(occasions: Iterable[Occasion], setting: Setting) -> Account:
    """What is written of occasions: each change as a transition, lives after it, and messages."""
    transitions: list[Transition] = []
    lives: list[RuleLife] = []
    lines: list[_Line] = []
    for each in occasions:
        kept, rule = each.kept, each.placed.kept.rule
        for change in each.changes:
            kept = replace(kept, changes=kept.changes + 1)
            withheld, due_ms = _judged(rule, change, kept, setting) if change in TOLD else (None, None)
            transitions.append(_transition(each, change, kept, withheld, setting))
            if due_ms is not None and rule.channels:
                lines.append(_Line(len(transitions) - 1, rule, transitions[-1], kept.changes, due_ms))
            kept = _noted(kept, change, is_sent=due_ms is not None and bool(rule.channels))
        since_ms = each.time_ms if each.life.stage is not each.kept.life.stage else each.kept.since_ms
        is_open = each.life.stage in (Stage.FIRING, Stage.RECOVERING)
        lives.append(replace(kept, life=each.life, since_ms=since_ms, fire=kept.fire if is_open else None))
    messages = []
    for group in _groups(lines):
        ids = {channel: _identity(group, channel, setting) for channel in group[0].rule.channels}
        for line in group:
            transitions[line.place] = msgspec.structs.replace(line.told, messages=ids)
        notice = _notice(group, setting)
        messages += [
            Outgoing(
                Message(id=ids[each], channel=each, made_ms=setting.now_ms, notice=notice, due_ms=group[0].due_ms),
                group[-1].place,
            )
            for each in ids
        ]
    return Account(transitions, lives, messages)


def _noted(kept: RuleLife, change: Change, *, is_sent: bool) -> RuleLife:
    """What was told of an episode, for what ends it."""
    if change in (Change.FIRED, Change.RESOLVED, Change.SUPERSEDED):
        return replace(kept, is_told=is_sent and change is Change.FIRED)
    if change in (Change.NO_DATA, Change.ERROR, Change.DATA_BACK):
        return replace(kept, is_veil_told=is_sent and change is not Change.DATA_BACK)
    return kept


def _judged(rule: AlertRule, change: Change, kept: RuleLife, setting: Setting) -> tuple[Withheld | None, int | None]:
    """Why a change is not sent, or when it is."""
    now_ms = setting.now_ms
    if not setting.may_send:
        return Withheld.SIMULATED, None
    muted_until_ms = max((each.until_ms for each in setting.mutes if each.holds(kept.rule, now_ms)), default=now_ms)
    if change in ENDS:
        was_told = kept.is_told if change is Change.RESOLVED else kept.is_veil_told
        return (None, rule.opens_ms(muted_until_ms)) if was_told else (Withheld.UNTOLD, None)
    if muted_until_ms > now_ms:
        return Withheld.MUTED, None
    if setting.feed_silent is not None and rule.scope != "system":
        return Withheld.FEED_SILENT, None
    return (None, now_ms) if rule.may_be_sent(now_ms) else (Withheld.OUTSIDE, None)


def _transition(
    each: Occasion, change: Change, kept: RuleLife, withheld: Withheld | None, setting: Setting
) -> Transition:
    number, revision, rule = each.placed.kept.number, each.placed.kept.revision, each.placed.kept.rule
    first, second = each.first, each.second
    of_bars = rule.scope != "system"
    missing = [known.missing for known in (first, second) if known is not None and known.missing is not None]
    return Transition(
        rule=number,
        revision=revision,
        name=rule.name,
        severity=rule.severity,
        target=target_text(each.placed.target),
        change=change,
        time_ms=each.time_ms,
        recorded_ms=setting.now_ms,
        value=None if first is None else first.value,
        second=None if second is None else second.value,
        reason=_reason(change, first, second),
        interval=rule.interval if of_bars else None,
        window=rule.window if of_bars else None,
        bar_ms=each.bar_ms,
        missing=max(missing, default=None),
        half_life_ms=rule.half_life_ms,
        fire=kept.fire,
        simulated=setting.is_simulated,
        withheld=withheld if rule.channels else None,
    )


def _reason(change: Change, *found: MetricNow | None) -> str | None:
    """Why there is no value; of one that is known but of too few trades, that."""
    if change not in (Change.NO_DATA, Change.ERROR):
        return next((each.reason for each in found if each is not None and each.reason is not None), None)
    known = [each for each in found if each is not None]
    return next((each.reason for each in known if each.reason is not None), "missing_trades" if known else None)


# --- messages -----------------------------------------------------------------------------------------


def _groups(lines: Sequence[_Line]) -> list[list[_Line]]:
    """What is one message: the same change of one rule, on any of its targets, at one moment."""
    found: dict[tuple[int, Change, int, int], list[_Line]] = {}
    for each in lines:
        key = (each.told.rule, each.told.change, each.told.time_ms, each.due_ms)
        found.setdefault(key, []).append(each)
    return list(found.values())


def _identity(group: Sequence[_Line], channel: str, setting: Setting) -> str:
    """The same whenever the same is told again, and of no other database."""
    first = group[0].told
    told = (setting.origin, setting.tape, first.rule, first.revision, first.change, channel)
    parts = [*told, *(part for each in group for part in (each.told.target, each.count))]
    return f"alert_{hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]}"


def _notice(group: Sequence[_Line], setting: Setting) -> Notice:
    one, rule = group[0].told, group[0].rule
    targets = [each.told.target for each in group]
    more: dict[str, str | float | bool | None] = {"rule_number": one.rule, "revision": one.revision}
    more |= {"metric": rule.first.metric, "interval": one.interval, "window": one.window}
    text = text_of(rule, one.change, one.time_ms, one.reason)
    title = title_of(rule, one.change, one.target, one.value)
    if len(group) > 1:
        title = group_title(rule, one.change, targets)
        text = group_text(text, [(each.told.target, each.told.value) for each in group])
        more["targets"] = len(group)
    else:
        more |= {"missing": one.missing, "second": one.second}
    value = one.value if len(group) == 1 and not isinstance(one.value, str) else None
    return Notice(
        title=title,
        text=text,
        severity=rule.severity,
        rule=rule.name,
        target=targets[0] if len(group) == 1 else f"{len(group)} targets",
        transition=one.change.value,
        time_ms=one.time_ms,
        value=value,
        reason=one.reason if value is None else None,
        simulated=setting.is_simulated,
        more={name: each for name, each in more.items() if each is not None},
    )
