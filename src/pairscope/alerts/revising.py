"""How a rule becomes another one: which of its keys are its condition, and which only stand beside it.

What was measured when a rule was saved stays with it until its condition is another one: a rule that gets a new name or
another channel keeps its half-life, its reset levels and what it is doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pairscope.alerts.durations import HalfLives, whole_ms
from pairscope.alerts.reading import Draft, Known, check_channels, read_rule, read_time
from pairscope.alerts.rule import AlertRule
from pairscope.alerts.rule_fields import CHECKED, KNOWN, MOST_NAME, long_form
from pairscope.alerts.sentence import sentence_of

_ON_WHAT = ("scope", "symbol", "pair")
BESIDE = ("name", "note", "enabled", "severity", "channels", "windows", "cooldown")


def merged(written: Mapping[str, Any], patch: object) -> dict[str, Any]:
    """What a rule says once a part of it is said anew; null takes a key back, and a target is one whole thing.

    Raises:
        RequestError: for keys nobody knows, and one thing said twice.

    >>> merged({"metric": "rsi", "threshold": 70, "note": "n"}, {"value": 75, "note": None})
    {'metric': 'rsi', 'threshold': 75}
    """
    said = long_form(patch, is_whole=False)
    is_moved = any(said.get(key) is not None for key in _ON_WHAT)
    kept = {key: value for key, value in written.items() if not (is_moved and key in _ON_WHAT)}
    return {key: value for key, value in {**kept, **said}.items() if value is not None}


def revise(rule: AlertRule, before: Mapping[str, Any], after: Mapping[str, Any], known: Known) -> AlertRule | Draft:
    """A rule that is written otherwise from now on: itself with another name, or a draft with another condition.

    Raises:
        RequestError: with the cure.
    """
    conditions = [{key: value for key, value in each.items() if key not in BESIDE} for each in (before, after)]
    cooldown = None if after.get("cooldown") is None else read_time("cooldown", after["cooldown"])
    if conditions[0] != conditions[1] or (isinstance(cooldown, HalfLives) and rule.half_life_ms is None):
        return read_rule(after, known)
    usual = {each.name: each.default for each in msgspec.structs.fields(AlertRule)} | {"name": ""}
    beside: dict[str, Any] = {}
    for field, key in KNOWN.items():
        if key in BESIDE:
            told = CHECKED[key](key, after.get(key))
            beside[field] = usual[field] if told is None else told
    check_channels(beside["channels"], known)
    beside["cooldown_ms"] = usual["cooldown_ms"] if cooldown is None else whole_ms(cooldown, rule.half_life_ms)
    found: AlertRule = msgspec.structs.replace(rule, **beside)
    return found if found.name else msgspec.structs.replace(found, name=sentence_of(found)[:MOST_NAME])
