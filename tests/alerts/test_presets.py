"""The rules to begin with: each can be saved once a person has filled in what it asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pairscope.alerts.presets import PRESETS, STRETCHED, Preset, first_rule
from pairscope.base.interval import Interval
from tests.alerts.test_reading import KNOWN, rule_of

ANSWERS = {"pair": "ETHUSDT/BTCUSDT", "symbol": "BTCUSDT", "threshold": 0.5}


@pytest.mark.parametrize("preset", PRESETS, ids=[each.key for each in PRESETS])
def test_a_preset_is_a_rule_with_what_it_asks_for(preset: Preset) -> None:
    rule = rule_of({**preset.body, **{each: ANSWERS[each] for each in preset.asks}})
    assert rule.name == preset.body["name"]
    assert rule.channels == ()


def test_each_has_its_own_name_and_the_first_asks_for_nothing() -> None:
    assert len({each.key for each in PRESETS}) == len(PRESETS) == 12
    assert PRESETS[0].asks == ()
    assert PRESETS[0].body["scope"] == "all_pairs"


def test_a_new_database_begins_with_the_first_as_it_was_measured() -> None:
    draft = first_rule(KNOWN)
    assert draft.rule() == rule_of(STRETCHED)
    assert (draft.rule().scope, draft.rule().channels, draft.rule().enabled) == ("all_pairs", (), True)
    assert not draft.needs_half_life
    assert draft.needs_deviation == []


@pytest.mark.parametrize(
    ("kept", "bars", "half_life_ms"),
    [
        ("1s", "10s", 300_000),
        ("15s", "15s", 300_000),
        ("1m", "1m", 300_000),
        ("5m", "5m", 1_500_000),
        ("1d", "1d", 432_000_000),
    ],
)
def test_with_coarser_bars_its_half_life_is_one_that_can_be_seen(kept: str, bars: str, half_life_ms: int) -> None:
    known = replace(KNOWN, intervals=[Interval.parse(kept)])
    rule = first_rule(known).rule()
    assert (rule.interval, rule.half_life_ms) == (bars, half_life_ms)
    assert rule.window * rule.bars.ms == 24 * half_life_ms
