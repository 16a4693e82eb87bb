"""A rule with another name is the same rule; one with another condition is read anew."""

from __future__ import annotations

from typing import Any

import pytest

from pairscope.alerts.reading import Draft, Facts, read_rule
from pairscope.alerts.revising import BESIDE, merged, revise
from pairscope.alerts.rule import AlertRule
from pairscope.base.errors import RequestError
from tests.alerts.test_reading import KNOWN, PAIR, SYMBOL

IN_HALF_LIVES = {**PAIR, "window": "12 half-lives", "for": "0.1hl", "cooldown": "1hl"}
MEASURED = Facts(half_life_ms=301_400.0)


def saved(body: dict[str, Any], facts: Facts = MEASURED) -> tuple[AlertRule, dict[str, Any]]:
    draft = read_rule(body, KNOWN)
    return draft.rule(facts), dict(draft.written)


def patched(body: dict[str, Any], patch: dict[str, Any]) -> AlertRule | Draft:
    rule, written = saved(body)
    return revise(rule, written, merged(written, patch), KNOWN)


def test_what_stands_beside_the_condition_changes_and_nothing_else() -> None:
    rule, _ = saved(IN_HALF_LIVES)
    patch = {"name": "New", "note": "n", "enabled": False, "severity": "critical", "channels": ["desk"]}
    found = patched(IN_HALF_LIVES, {**patch, "windows": ["daily 08:00-22:00"], "cooldown": "2hl"})
    assert isinstance(found, AlertRule)
    assert found.question == rule.question
    assert (found.name, found.note, found.enabled, found.severity) == ("New", "n", False, "critical")
    assert (found.channels, found.weekly, found.cooldown_ms) == (("desk",), ("daily 08:00-22:00",), 603_000)


def test_null_takes_a_key_back_to_what_is_usual() -> None:
    body = {**PAIR, "name": "New", "severity": "critical", "cooldown": "1h", "channels": ["desk"], "enabled": False}
    found = patched(body, dict.fromkeys(("name", "severity", "cooldown", "channels", "enabled")))
    assert isinstance(found, AlertRule)
    assert found == saved(PAIR)[0]


@pytest.mark.parametrize(
    "patch",
    [
        {"threshold": 3},
        {"value": 3},
        {"for": "2hl"},
        {"window": 100},
        {"and": {"metric": "coint_p", "condition": "<", "threshold": 0.05, "reset": 0.1}},
        {"on_update": True},
        {"missing_limit": 0.5},
        {"pair": "SOLUSDT/BTCUSDT"},
        {"direction": "below", "threshold": -2},
    ],
)
def test_another_condition_is_read_anew_and_measured_anew(patch: dict[str, Any]) -> None:
    found = patched(IN_HALF_LIVES, patch)
    assert isinstance(found, Draft)
    assert found.needs_half_life
    assert found.rule(MEASURED).question != saved(IN_HALF_LIVES)[0].question


def test_the_whole_rule_said_once_more_is_the_same_rule() -> None:
    rule, written = saved(IN_HALF_LIVES)
    assert revise(rule, written, read_rule({**IN_HALF_LIVES, "name": "x"}, KNOWN).written, KNOWN) != rule
    assert revise(rule, written, read_rule(IN_HALF_LIVES, KNOWN).written, KNOWN) == rule


def test_a_target_is_one_whole_thing() -> None:
    _, written = saved(PAIR)
    moved = merged(written, {"scope": "all_pairs"})
    assert (moved["scope"], "pair" in moved) == ("all_pairs", False)
    back = merged(moved, {"y": "SOLUSDT", "x": "BTCUSDT"})
    assert (back["pair"], "scope" in back) == (("SOLUSDT", "BTCUSDT"), False)
    other = merged(back, {"symbol": "BTCUSDT", "metric": "rsi"})
    assert (other["symbol"], "pair" in other) == ("BTCUSDT", False)


def test_a_direction_alone_turns_the_condition_and_leaves_the_metric() -> None:
    _, written = saved({**PAIR, "metric": "spread"})
    turned = merged(written, {"direction": "below"})
    assert (turned["metric"], turned["condition"]) == ("spread", "<")


def test_a_rule_on_a_symbol_that_is_not_watched_any_more_can_still_be_switched_off() -> None:
    rule, written = saved(SYMBOL, Facts(deviations={"rsi": 12.0}))
    written["symbol"] = "GONEUSDT"
    found = revise(rule, written, merged(written, {"enabled": False}), KNOWN)
    assert isinstance(found, AlertRule)
    assert (found.enabled, found.first) == (False, rule.first)
    with pytest.raises(RequestError, match="not watched"):
        revise(rule, written, merged(written, {"threshold": 71}), KNOWN)


def test_a_cooldown_in_half_lives_has_a_rule_without_one_measured() -> None:
    found = patched(PAIR, {"cooldown": "2hl"})
    assert isinstance(found, Draft)
    assert found.needs_half_life


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"enable": False}, "did you mean enabled?"),
        ({"channels": ["dest"]}, "did you mean desk?"),
        ({"severity": "loud"}, "choose from"),
        ({"cooldown": "soon"}, "give a duration"),
        ({"threshold": 2, "value": 3}, "both"),
        ([], "send an object"),
    ],
)
def test_a_patch_that_cannot_be_is_refused_with_its_cure(patch: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        patched(PAIR, patch)


def test_the_short_forms_are_written_with_what_they_are_on() -> None:
    short = {"metric": "zscore", "operator": ">", "value": 2}
    assert saved(short)[1] == {"pair": "ETHUSDT/BTCUSDT", "metric": "zscore", "condition": ">", "threshold": 2}
    assert saved({**SYMBOL, "scope": "symbol", "note": None})[1] == {**SYMBOL}
    assert saved({"metric": "feed_age", "condition": ">", "threshold": 9})[1]["scope"] == "system"
    assert (
        saved({"scope": "all_pairs", "metric": "spread_z", "condition": ">", "threshold": 9})[1]["scope"] == "all_pairs"
    )


@pytest.mark.parametrize(
    "body", [PAIR, SYMBOL, IN_HALF_LIVES, {"metric": "feed_age", "condition": ">", "threshold": 9}]
)
def test_what_is_written_reads_as_the_same_rule(body: dict[str, Any]) -> None:
    rule, written = saved(body)
    assert read_rule(written, KNOWN).rule(MEASURED) == rule


def test_what_is_beside_a_condition_is_no_part_of_the_question() -> None:
    rule, _ = saved(PAIR)
    for key, value in {"name": "x", "note": "x", "enabled": False, "severity": "info", "channels": ["desk"]}.items():
        assert key in BESIDE
        found = patched(PAIR, {key: value})
        assert isinstance(found, AlertRule)
        assert found.question == rule.question
