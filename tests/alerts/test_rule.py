"""What a rule is, and what makes it another one."""

from __future__ import annotations

import msgspec
import pytest

from pairscope.alerts.rule import AlertRule, Clause, Comparison
from pairscope.base.reading import read_time_ms
from tests.alerts.test_reading import PAIR, rule_of

RULE = rule_of({**PAIR, "and": {"metric": "coint_p", "condition": "<", "threshold": 0.05}})


def test_a_rule_is_kept_as_it_is() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RULE), type=AlertRule) == RULE


@pytest.mark.parametrize(
    "change",
    [
        *({"name": "another"}, {"channels": ("desk",)}, {"severity": "info"}, {"weekly": ("Mon 08:00-09:00",)}),
        *({"enabled": False}, {"note": "n"}, {"cooldown_ms": 1}),
    ],
)
def test_a_renamed_or_rerouted_rule_asks_the_same(change: dict[str, object]) -> None:
    assert msgspec.structs.replace(RULE, **change).question == RULE.question


@pytest.mark.parametrize(
    "change",
    [
        *({"window": 301}, {"interval": "5s"}, {"hold_ms": 1}, {"keep_ms": 1}, {"on_update": True}, {"second": None}),
        *({"symbols": ("SOLUSDT", "BTCUSDT")}, {"first": Clause(metric="b", comparison=Comparison.ABOVE, high=2.0)}),
    ],
)
def test_another_condition_is_another_question(change: dict[str, object]) -> None:
    assert msgspec.structs.replace(RULE, **change).question != RULE.question


def test_how_far_a_value_is_beyond_is_negative_on_the_quiet_side() -> None:
    band = Clause(metric="m", comparison=Comparison.OUTSIDE, low=-2.0, high=2.0)
    inside = Clause(metric="m", comparison=Comparison.INSIDE, low=-2.0, high=2.0)
    assert [band.beyond(value) for value in (2.5, 0.5, -3.0)] == [0.5, -1.5, 1.0]
    assert [inside.beyond(value) for value in (2.5, 0.5)] == [-0.5, 1.5]


def test_it_is_sent_within_its_windows_alone() -> None:
    rule = msgspec.structs.replace(RULE, weekly=("Mon-Fri 08:00-12:00", "Sat 10:00-11:00"))
    times = ["2026-11-27T09:00:00Z", "2026-11-27T13:00:00Z", "2026-11-28T10:30:00Z"]
    assert [rule.may_be_sent(read_time_ms("t", each)) for each in times] == [True, False, True]
    assert RULE.may_be_sent(0)
