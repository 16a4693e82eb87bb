"""The rules to begin with: each can be saved once a person has filled in what it asks for."""

from __future__ import annotations

import pytest

from pairscope.alerts.presets import PRESETS, Preset
from tests.alerts.test_reading import rule_of

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
