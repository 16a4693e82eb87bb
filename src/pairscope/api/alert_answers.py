"""What the room of alerts knows, as records of the wire."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from pairscope.alerts.book import Kept
from pairscope.alerts.delivery.channels import ChannelView
from pairscope.alerts.delivery.letter import LetterView
from pairscope.alerts.machine import Stage, Veil
from pairscope.alerts.mutes import Mute
from pairscope.alerts.rule import Clause, Comparison, target_text
from pairscope.alerts.sentence import clause_text, sentence_of
from pairscope.alerts.transition import AlertsStatus, RuleCounts, RuleStanding, Transition
from pairscope.api import wire

# The more urgent a stage is, the earlier it stands.
URGENCY = (Stage.FIRING, Stage.RECOVERING, Stage.PENDING, Stage.INACTIVE)


def rule_info(
    kept: Kept, standing: Sequence[RuleStanding] = (), counts: RuleCounts | None = None, mutes: Sequence[Mute] = ()
) -> wire.AlertRuleInfo:
    """A rule, with where it stands on all of its targets in sum."""
    rule = kept.rule
    muted = [each.until_ms for each in mutes if each.rule in (None, kept.number)]
    nearest = min(standing, key=urgency, default=None)
    return wire.AlertRuleInfo(
        id=kept.number,
        revision=kept.revision,
        name=rule.name,
        sentence=sentence_of(rule),
        scope=rule.scope,
        symbols=list(rule.symbols),
        first=condition(rule.first),
        second=None if rule.second is None else condition(rule.second),
        interval=rule.interval,
        window=rule.window,
        half_life_ms=rule.half_life_ms,
        hold_ms=rule.hold_ms,
        keep_ms=rule.keep_ms,
        cooldown_ms=rule.cooldown_ms,
        no_data_after_ms=rule.no_data_after_ms,
        missing_limit=rule.missing_limit,
        on_update=rule.on_update,
        severity=rule.severity,
        channels=list(rule.channels),
        windows=list(rule.weekly),
        enabled=rule.enabled,
        note=rule.note,
        made_ms=kept.made_ms,
        changed_ms=kept.changed_ms,
        deleted_ms=kept.deleted_ms,
        muted_until_ms=max(muted, default=None),
        written=dict(kept.written),
        counts=None if counts is None else counts_info(counts),
        targets=len(standing),
        stages=dict(Counter(each.stage for each in standing)),
        unknown=sum(each.veil is not Veil.NONE for each in standing),
        nearest=None if nearest is None else standing_info(nearest),
    )


def rule_infos(
    rules: Sequence[Kept],
    standing: Iterable[RuleStanding],
    counts: Iterable[RuleCounts],
    mutes: Sequence[Mute],
) -> list[wire.AlertRuleInfo]:
    """Many rules, each with what is known of it."""
    of_rule: dict[int, list[RuleStanding]] = defaultdict(list)
    for each in standing:
        of_rule[each.rule].append(each)
    counted = {each.rule: each for each in counts}
    return [rule_info(kept, of_rule[kept.number], counted.get(kept.number), mutes) for kept in rules]


def urgency(standing: RuleStanding) -> tuple[int, float]:
    """What is less comes first: by stage, then what is furthest past its threshold, or nearest to it."""
    return URGENCY.index(standing.stage), math.inf if standing.beyond is None else -standing.beyond


def condition(clause: Clause) -> wire.AlertCondition:
    return wire.AlertCondition(
        metric=clause.metric,
        condition=clause.comparison,
        threshold=_level(clause, clause.low, clause.high),
        reset=None if clause.comparison is Comparison.IS else _level(clause, clause.reset_low, clause.reset_high),
        text=clause_text(clause),
    )


def _level(clause: Clause, low: float | None, high: float | None) -> wire.Level:
    if clause.comparison is Comparison.IS:
        return clause.word
    ends = [each for each in (low, high) if each is not None]
    return ends[0] if len(ends) == 1 else ends or None


def short_rule(kept: Kept, standing: Sequence[RuleStanding] = ()) -> wire.ShortRule:
    """A rule in the words of the short forms."""
    rule, first = kept.rule, condition(kept.rule.first)
    stages = sorted((each.stage for each in standing), key=URGENCY.index)
    return wire.ShortRule(
        id=kept.number,
        name=rule.name,
        symbol=rule.symbols[0] if rule.scope == "symbol" else None,
        pair=target_text(rule.symbols) if rule.scope == "pair" else None,
        metric=first.metric,
        condition=first.condition,
        threshold=first.threshold,
        operator=first.condition,
        value=first.threshold,
        enabled=rule.enabled,
        message=sentence_of(rule),
        state=stages[0] if stages else None,
        last_fired_ms=max((each.fired_ms for each in standing if each.fired_ms is not None), default=None),
    )


def counts_info(counts: RuleCounts) -> wire.AlertCounts:
    told = _fields(counts)
    del told["rule"]
    return wire.AlertCounts(**told)


def standing_info(standing: RuleStanding) -> wire.AlertStanding:
    return wire.AlertStanding(**_fields(standing) | {"symbols": list(standing.symbols)})


def engine_info(status: AlertsStatus) -> wire.AlertEngine:
    return wire.AlertEngine(**_fields(status))


def mute_info(mute: Mute) -> wire.AlertMute:
    return wire.AlertMute(rule=mute.rule, since_ms=mute.since_ms, until_ms=mute.until_ms, note=mute.remark)


def event_info(event: Transition, letters: Mapping[str, LetterView]) -> wire.AlertEvent:
    """A transition, with what became of its messages; those that are forgotten are left out."""
    found = [letters[each] for each in event.messages.values() if each in letters]
    told = {"channels": list(event.messages), "messages": [message_info(each) for each in found]}
    return wire.AlertEvent(**_fields(event) | told)


def message_info(letter: LetterView) -> wire.AlertMessage:
    return wire.AlertMessage(**_fields(letter))


def channel_info(view: ChannelView) -> wire.AlertChannel:
    return wire.AlertChannel(**_fields(view))


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(record)
