"""Where rules stand now, as people ask for it: stage, value, and how far that is from the threshold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from pairscope.alerts.afterwards import WindowOf
from pairscope.alerts.beat import Beat
from pairscope.alerts.ledger import RuleLife
from pairscope.alerts.panel import MetricNow, Placed
from pairscope.alerts.rule import Comparison, target_text
from pairscope.alerts.transition import RuleStanding

Number = tuple[int, int, str]  # of a rule, of its revision, and its target


def number_of(placed: Placed) -> Number:
    """By which the standing of a rule is found, as long as its condition is the same."""
    return placed.kept.number, placed.kept.revision, target_text(placed.target)


def standing_of(placed: Placed, kept: RuleLife | None = None) -> RuleStanding:
    """That of a rule that is not read now, as it is kept."""
    found = RuleStanding(
        rule=placed.kept.number,
        revision=placed.kept.revision,
        target=target_text(placed.target),
        symbols=placed.target,
        half_life_ms=placed.kept.rule.half_life_ms,
    )
    if kept is None:
        return found
    life = kept.life
    known = {"stage": life.stage, "veil": life.veil, "since_ms": kept.since_ms, "fired_ms": life.fired_ms}
    return msgspec.structs.replace(found, **known, fire=kept.fire)


def standings(beats: Iterable[Beat], half_lives: Mapping[WindowOf, MetricNow]) -> dict[Number, RuleStanding]:
    """Those of all that are read."""
    return {
        number_of(placed): _read(beat, place, half_lives)
        for beat in beats
        for place, placed in enumerate(beat.panel.placed)
    }


def _read(beat: Beat, place: int, half_lives: Mapping[WindowOf, MetricNow]) -> RuleStanding:
    placed, kept, life = beat.panel.placed[place], beat.kept[place], beat.panel.life(place)
    rule = placed.kept.rule
    first, second = beat.known(place, 0), beat.known(place, 1)
    value = None if first is None else first.value
    today = None
    if rule.half_life_ms is not None and rule.scope != "system":
        today = half_lives.get((placed.target, rule.interval, rule.window))
    is_number = isinstance(value, int | float) and rule.first.comparison is not Comparison.IS
    return msgspec.structs.replace(
        standing_of(placed, replace(kept, life=life)),
        read_ms=beat.panel.read_ms,
        value=value,
        second=None if second is None else second.value,
        reason=next((each.reason for each in (first, second) if each is not None and each.reason), None),
        missing=None if first is None else first.missing,
        beyond=rule.first.beyond(float(value)) if is_number and value is not None else None,
        half_life_now_ms=today.value if today is not None and isinstance(today.value, float) else None,
        half_life_reason=None if today is None else today.reason,
    )
