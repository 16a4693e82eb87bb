"""Many rules on many targets in one pass: each does what it does alone."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from pairscope.alerts.book import Kept
from pairscope.alerts.machine import Change, Life, Stage, Veil
from pairscope.alerts.panel import MetricNow, Panel, Placed, Slot
from pairscope.alerts.relive import ValueRows, relive
from pairscope.alerts.rule import AlertRule, Clause, Comparison
from tests.alerts.test_relive import ABOVE, rule

ETH, SOL = ("ETHUSDT", "BTCUSDT"), ("SOLUSDT", "BTCUSDT")
Told = dict[tuple[int, str], list[tuple[int, Change]]]


def placed(*rules: AlertRule, target: tuple[str, ...] = ETH) -> list[Placed]:
    return [Placed(Kept(number, 1, each, 0, 0), target) for number, each in enumerate(rules, start=1)]


def run(panel: Panel, moments: list[tuple[int, list[MetricNow]]]) -> Told:
    told: Told = {each.key: [] for each in panel.placed}
    for at_ms, found in moments:
        glance = panel.look(at_ms, found)
        panel.adopt(glance)
        for moved in glance.moved:
            told[panel.placed[moved.place].key] += [(at_ms, change) for change in moved.changes]
    return told


def test_rules_that_ask_for_the_same_number_share_a_slot() -> None:
    health = Clause(metric="health", comparison=Comparison.IS, word="broken")
    both = rule(first=ABOVE, second=Clause(metric="beta", comparison=Comparison.BELOW, low=1.0))
    panel = Panel([*placed(rule(), both, rule(first=health), rule(window=60)), *placed(rule(), target=SOL)])
    assert panel.slots == [
        Slot(ETH, "1s", 300, "spread_z"),
        Slot(ETH, "1s", 300, "health", "broken"),
        Slot(ETH, "1s", 60, "spread_z"),
        Slot(SOL, "1s", 300, "spread_z"),
        Slot(ETH, "1s", 300, "beta"),
    ]
    assert [panel.slot_of(place, 1) for place in range(2)] == [None, 4]


def test_a_word_is_read_as_whether_it_is_that() -> None:
    panel = Panel(placed(rule(first=Clause(metric="health", comparison=Comparison.IS, word="broken"))))
    words = [MetricNow("broken"), MetricNow("not_shown"), MetricNow(None), MetricNow("broken")]
    told = run(panel, [(1_000 * second, [each]) for second, each in enumerate(words, start=1)])
    changes = [(1_000, Change.FIRED), (2_000, Change.RESOLVED), (4_000, Change.FIRED)]
    assert told[1, "ETHUSDT/BTCUSDT"] == changes


def test_a_value_of_too_few_trades_counts_as_none_for_the_rule_that_says_so() -> None:
    panel = Panel(placed(rule(missing_limit=0.05), rule(missing_limit=0.2)))
    run(panel, [(1_000, [MetricNow(3.0, missing=0.1)])])
    assert [panel.life(place).stage for place in (0, 1)] == [Stage.INACTIVE, Stage.FIRING]
    run(panel, [(2_000, [MetricNow(3.0, is_cut=True)])])
    assert panel.life(0).stage is Stage.INACTIVE
    run(panel, [(3_000, [MetricNow(3.0, missing=None)])])  # not known to be too few
    assert panel.life(0).stage is Stage.FIRING


def test_what_cannot_be_read_is_an_error_for_both_conditions_of_a_rule() -> None:
    beta = Clause(metric="beta", comparison=Comparison.BELOW, low=1.0)
    panel = Panel([*placed(rule(window=60)), *placed(rule(), rule(second=beta))])
    run(panel, [(9_000, [MetricNow(None), MetricNow(3.0), MetricNow(None, is_error=True)])])
    assert [panel.life(place).veil for place in range(3)] == [Veil.NO_DATA, Veil.NONE, Veil.ERROR]
    run(panel, [(9_000, [MetricNow(None, is_error=True), MetricNow(3.0), MetricNow(None)])])
    assert panel.life(0).veil is Veil.NO_DATA  # once, whatever the reason is later


def test_looking_changes_nothing_until_it_is_adopted() -> None:
    panel = Panel(placed(rule()))
    panel.look(1_000, [MetricNow(3.0)])
    assert (panel.life(0), panel.restless, panel.read_ms) == (Life(seen_ms=0), [], None)


def test_what_was_read_before_a_restart_is_known_again_for_what_crosses() -> None:
    crosses = rule(first=Clause(metric="spread_z", comparison=Comparison.CROSSES_ABOVE, high=2.0, reset_high=0.5))
    for recalled_ms, expected in ((1_000, [(2_000, Change.FIRED)]), (0, [])):
        panel = Panel(placed(crosses), {(1, "ETHUSDT/BTCUSDT"): Life(seen_ms=1_000)})
        panel.recall(recalled_ms, [MetricNow(0.0)])
        assert panel.life(0) == Life(seen_ms=1_000)
        assert run(panel, [(2_000, [MetricNow(3.0)])])[1, "ETHUSDT/BTCUSDT"] == expected


def test_those_of_which_less_is_known_are_found() -> None:
    panel = Panel(placed(rule(), rule(window=60)))
    run(panel, [(1_000, [MetricNow(0.0), MetricNow(None)])])
    assert panel.unknown(1_000) == [1]
    assert panel.life(1) == Life(seen_ms=0)


def test_no_rule_at_all_is_read_too() -> None:
    panel = Panel([])
    panel.adopt(panel.look(1_000, []))
    assert (len(panel), panel.restless) == (0, [])


def random_rule(chance: random.Random) -> AlertRule:
    comparisons = [Comparison.ABOVE, Comparison.AT_LEAST, Comparison.CROSSES_ABOVE, Comparison.OUTSIDE]
    comparison = chance.choice(comparisons)
    low = (-2.0, -0.5) if comparison is Comparison.OUTSIDE else (None, None)
    first = Clause(
        metric=chance.choice(["spread_z", "beta"]),
        comparison=comparison,
        low=low[0],
        reset_low=low[1],
        high=2.0,
        reset_high=0.5,
    )
    second = Clause(metric="beta", comparison=Comparison.BELOW, low=1.0, reset_low=1.5)
    times = {name: chance.choice([0, 1_000, 2_000]) for name in ("hold_ms", "keep_ms", "cooldown_ms")}
    given: dict[str, Any] = {"first": first, "second": chance.choice([None, second]), "window": chance.choice([20, 30])}
    return rule(**given, **times)


@pytest.mark.parametrize("seed", range(20))
def test_each_does_what_it_does_alone(seed: int) -> None:
    chance = random.Random(seed)
    panel = Panel([*placed(*(random_rule(chance) for _ in range(30))), *placed(random_rule(chance), target=SOL)][:30])
    at_ms, moments = 0, []
    for _ in range(80):
        at_ms += chance.choice([1_000] * 8 + [2_000, 30_000])
        drawn = [chance.choice([0.0, -3.0, 0.7, 1.2, 3.0, 3.0, None]) for _ in panel.slots]
        moments.append((at_ms, [MetricNow(each, missing=chance.choice([0.0, 0.0, 0.1])) for each in drawn]))
    told = run(panel, moments)
    times = np.array([at_ms for at_ms, _ in moments])
    for place, one in enumerate(panel.placed):
        slots = [panel.slot_of(place, clause) for clause in range(len(one.kept.rule.clauses))]
        values = np.array([[known(found[slot]) for _, found in moments] for slot in slots if slot is not None])
        alone = list(relive(one.kept.rule, Life(seen_ms=0), ValueRows(times, values)))
        assert told[one.key] == [(int(times[each.place]), change) for each in alone for change in each.changes]
        assert panel.life(place) == alone[-1].life
    assert sum(map(len, told.values())) > 100


def known(found: MetricNow) -> float:
    return float("nan") if found.value is None or (found.missing or 0.0) > 0.05 else float(found.value)
