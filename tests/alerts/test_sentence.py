"""Rules and their news in plain words."""

from __future__ import annotations

from pairscope.alerts.machine import Change
from pairscope.alerts.reading import read_rule
from pairscope.alerts.rule import AlertRule
from pairscope.alerts.sentence import clause_text, group_title, sentence_of, text_of, title_of
from tests.alerts.test_reading import KNOWN, PAIR, SYMBOL, rule_of


def wide(**more: object) -> AlertRule:
    return rule_of({**PAIR, "name": "Wide", **more})


def test_each_condition_has_its_words() -> None:
    said = [
        clause_text(wide(**{"condition": condition, "threshold": threshold}).first)
        for condition, threshold in ((">=", 2), ("<", -1.5), ("outside", 2), ("inside", [-1, 2]), ("crosses_below", 0))
    ]
    assert said == ["is at least 2", "is below -1.5", "is outside ±2", "is inside -1 to 2", "crosses below 0"]


def test_a_rule_reads_as_a_sentence() -> None:
    both = {"and": {"metric": "coint_p", "condition": "<", "threshold": 0.05}, "for": "90s", "interval": "5s"}
    assert sentence_of(wide(**both)) == (
        "spread_z of ETHUSDT/BTCUSDT is above 2 and coint_p is below 0.05 for 90s, of 300 bars of 5s"
    )
    assert sentence_of(rule_of(SYMBOL)) == "rsi of BTCUSDT is above 70, of 300 bars of 1s"
    silent = read_rule({"metric": "feed_age", "condition": ">", "threshold": 10}, KNOWN).rule()
    assert sentence_of(silent) == "feed_age of pairscope is above 10"
    word = read_rule({"scope": "all_pairs", "metric": "health", "condition": "is", "threshold": "broken"}, KNOWN).rule()
    assert sentence_of(word).startswith("health of each pair is broken")


def test_titles_and_texts_say_what_became_of_it() -> None:
    rule = wide(**{"for": "10s"})
    assert title_of(rule, Change.FIRED, "A/B", 2.41) == "spread_z of A/B is 2.41"
    assert title_of(rule, Change.RESOLVED, "A/B", 0.31) == "over: spread_z of A/B is 0.31"
    assert title_of(rule, Change.NO_DATA, "A/B", None) == "no data: spread_z of A/B"
    assert text_of(rule, Change.FIRED, 1_723_075_210_000).endswith("; it holds since 2024-08-08T00:00:00Z.")
    assert "(leg stale)" in text_of(rule, Change.NO_DATA, 1_723_075_210_000, "leg_stale")
    many = group_title(rule, Change.RESOLVED, [f"S{i}" for i in range(12)])
    assert many == "over: Wide: 12 at once, S0, S1, S2, S3, S4, S5, S6, S7, S8, S9 and 2 more"
