"""Rules as people write them: the long form, the short ones, and for each that cannot be, what to write instead."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pairscope.alerts.clauses import WORDS
from pairscope.alerts.reading import Facts, Known, read_rule
from pairscope.alerts.rule import AlertRule, Comparison
from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.registry import CATALOGUE
from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval

KNOWN = Known(
    symbols=["BTCUSDT", "ETHUSDT", "SOLUSDT"],
    pairs=[("ETHUSDT", "BTCUSDT"), ("SOLUSDT", "BTCUSDT")],
    intervals=[Interval(1_000), Interval(5_000), Interval(60_000)],
    interval=Interval(1_000),
    window=300,
    channels=["desk", "phone"],
)
PAIR = {"pair": "ETHUSDT/BTCUSDT", "metric": "spread_z", "condition": ">", "threshold": 2}
SYMBOL = {"symbol": "BTCUSDT", "metric": "rsi", "condition": ">", "threshold": 70}


NOTHING = Facts()


def rule_of(body: object, facts: Facts = NOTHING) -> AlertRule:
    return read_rule(body, KNOWN).rule(facts)


def test_the_long_form_says_all_of_a_rule() -> None:
    rule = rule_of(
        {
            **PAIR,
            **{"name": "Wide", "condition": "outside", "threshold": [-2, 2.5], "reset": [-0.5, 0.5]},
            **{"and": {"metric": "coint_p", "condition": "<", "threshold": 0.05, "reset": 0.1}},
            **{"interval": "10s", "window": "1h", "for": "20s", "keep_firing_for": "30s", "cooldown": "10m"},
            **{"no_data_after": "2m", "severity": "critical", "channels": ["desk"], "enabled": False, "note": "n"},
            **{"windows": ["Mon-Fri 08:00-22:00 Europe/Berlin"], "missing_limit": 0.1, "on_update": False},
        }
    )
    assert (rule.name, rule.scope, rule.symbols) == ("Wide", "pair", ("ETHUSDT", "BTCUSDT"))
    assert (rule.first.low, rule.first.high, rule.first.reset_low, rule.first.reset_high) == (-2.0, 2.5, -0.5, 0.5)
    assert rule.second is not None
    assert (rule.second.metric, rule.second.low, rule.second.reset_low) == ("coint_p", 0.05, 0.1)
    assert (rule.interval, rule.window, rule.half_life_ms) == ("10s", 360, None)
    assert (rule.hold_ms, rule.keep_ms, rule.cooldown_ms, rule.no_data_after_ms) == (20_000, 30_000, 600_000, 120_000)
    assert (rule.severity, rule.channels, rule.enabled, rule.note) == ("critical", ("desk",), False, "n")
    assert rule.patience.step_ms == 10_000


def test_no_time_at_all_is_not_the_usual_time() -> None:
    rule = rule_of({**PAIR, "cooldown": 0, "no_data_after": "0", "for": 0})
    assert (rule.cooldown_ms, rule.no_data_after_ms, rule.hold_ms) == (0, 0, 0)
    assert (rule_of(PAIR).cooldown_ms, rule_of(PAIR).no_data_after_ms) == (300_000, 60_000)


@pytest.mark.parametrize(
    ("body", "metric", "symbols", "comparison"),
    [
        (
            {"symbol": "BTCUSDT", "metric": "z_score", "condition": ">", "threshold": 2.0, "enabled": True},
            "price_z",
            ("BTCUSDT",),
            ">",
        ),
        ({"metric": "zscore", "operator": ">", "value": 2}, "spread_z", ("ETHUSDT", "BTCUSDT"), ">"),
        (
            {"name": "s", "value": 2, "direction": "above", "pair": ["SOLUSDT", "BTCUSDT"]},
            "spread_z",
            ("SOLUSDT", "BTCUSDT"),
            ">",
        ),
        (
            {"name": "s", "threshold": -2, "direction": "below", "y": "solusdt", "x": "btcusdt"},
            "spread_z",
            ("SOLUSDT", "BTCUSDT"),
            "<",
        ),
        (
            {"symbol": "BTCUSDT", "metric": "price", "condition": "above", "threshold": 70_000},
            "last_price",
            ("BTCUSDT",),
            ">",
        ),
        (
            {"metric": "RSI:period=21", "symbol": "ethusdt", "condition": "Crosses Above", "threshold": 70},
            "rsi:period=21",
            ("ETHUSDT",),
            "crosses_above",
        ),
        ({"metric": "feed_age", "condition": "gt", "threshold": 10}, "feed_age", (), ">"),
    ],
)
def test_the_short_forms_that_people_bring_are_read(
    body: dict[str, Any], metric: str, symbols: tuple[str, ...], comparison: str
) -> None:
    rule = rule_of(body)
    assert (rule.first.metric, rule.symbols, rule.first.comparison) == (metric, symbols, Comparison(comparison))


@pytest.mark.parametrize("metric", [each for each in CATALOGUE.values() if each.unit == "word"], ids=lambda m: m.name)
def test_the_words_of_a_metric_are_those_that_its_formula_tells_in_any_case(metric: Metric) -> None:
    on = {"symbol": "BTCUSDT"} if metric.scope == "symbol" else {"pair": "ETHUSDT/BTCUSDT"}
    for word in WORDS[metric.name]:
        assert re.search(rf"\b{word}\b", metric.formula)
        rule = rule_of({**on, "metric": metric.name, "condition": "is", "threshold": word.title()})
        assert rule.first.word == word


def test_the_reset_level_of_what_lies_around_0_is_a_quarter_of_the_threshold() -> None:
    assert rule_of(PAIR).first.reset_high == 0.5
    both = rule_of({**PAIR, "condition": "outside"}).first
    assert (both.low, both.high, both.reset_low, both.reset_high) == (-2.0, 2.0, -0.5, 0.5)
    below = rule_of({**PAIR, "condition": "<", "threshold": -2}).first
    assert (below.low, below.reset_low) == (-2.0, -0.5)
    assert rule_of({**PAIR, "threshold": -1}).first.reset_high == -1.0  # a quarter of it would lie on the breach


def test_that_of_others_lies_half_a_deviation_of_a_day_away_from_the_breach() -> None:
    facts = Facts(deviations={"rsi": 12.0})
    assert read_rule(SYMBOL, KNOWN).needs_deviation == ["rsi"]
    assert rule_of(SYMBOL, facts).first.reset_high == 64.0
    assert rule_of({**SYMBOL, "condition": "<", "threshold": 30}, facts).first.reset_low == 36.0
    inside = rule_of({**SYMBOL, "condition": "inside", "threshold": [40, 60]}, facts).first
    assert (inside.reset_low, inside.reset_high) == (34.0, 66.0)
    narrow = rule_of({**SYMBOL, "condition": "outside", "threshold": [48, 52]}, facts).first
    assert (narrow.reset_low, narrow.reset_high) == (50.0, 50.0)
    assert rule_of(SYMBOL).first.reset_high == 70.0  # nothing is known of the last day


def test_half_lives_become_bars_and_times_that_stay() -> None:
    body = {**PAIR, "window": "12 half-lives", "for": "0.1hl", "cooldown": "1 half-life"}
    assert read_rule(body, KNOWN).needs_half_life
    rule = rule_of(body, Facts(half_life_ms=301_400.0))
    assert (rule.interval, rule.window, rule.half_life_ms) == ("15s", 241, 301_400)
    assert (rule.hold_ms, rule.cooldown_ms) == (30_000, 301_000)
    named = read_rule({**body, "half_life": "5m"}, KNOWN)
    assert not named.needs_half_life
    assert (named.rule().interval, named.rule().window) == ("10s", 360)
    assert rule_of({**body, "half_life": "5m", "interval": "5s"}).window == 720


def test_a_rule_without_a_name_is_called_by_its_sentence() -> None:
    assert rule_of(PAIR).name == "spread_z of ETHUSDT/BTCUSDT is above 2, of 300 bars of 1s"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("rule", "send an object"),
        ({**PAIR, "treshold": 2}, "did you mean threshold?"),
        ({**PAIR, "metric": "spread_zz"}, "did you mean spread_z?"),
        ({**PAIR, "metric": ""}, 'add "metric"'),
        ({**PAIR, "metric": "spread_z:methd=ols"}, "did you mean spread_z:method=...?"),
        ({**SYMBOL, "metric": "rsi:period=0"}, "give a whole number from"),
        ({**SYMBOL, "metric": "spread_z"}, "is of a pair, and this rule is on a symbol"),
        ({**PAIR, "metric": "lead_lag"}, "choose another metric"),
        ({**PAIR, "threshold": float("nan")}, "give a finite number"),
        ({**PAIR, "threshold": True}, "give a finite number"),
        ({**PAIR, "threshold": "2"}, "give a finite number"),
        ({**PAIR, "condition": "outside", "threshold": [2, -2]}, "the lower one first"),
        ({**PAIR, "condition": "=>"}, "choose from"),
        ({**PAIR, "condition": None}, "choose from"),
        ({**PAIR, "reset": 2.5}, "move it to the other side"),
        ({**PAIR, "condition": "<", "threshold": -2, "reset": -2.5}, "move it to the other side"),
        ({**PAIR, "condition": "inside", "threshold": [-1, 1], "reset": [-0.5, 2]}, "move it to the other side"),
        ({**PAIR, "and": {"metric": "rsi", "condition": ">", "threshold": 70}}, "is of a symbol"),
        ({**PAIR, "and": {"metric": "feed_age", "condition": ">", "threshold": 9}}, "write two rules"),
        ({**PAIR, "and": {"metric": "coint_p", "condition": "<", "threshold": 0.05, "name": "x"}}, "known: metric"),
        ({**PAIR, "symbol": "BTCUSDT"}, "leave out one of the two"),
        ({**PAIR, "pair": "ETHUSDT"}, "a pair is two symbols"),
        ({**PAIR, "pair": "ETHUSDT/ETHUSDT"}, "two different symbols"),
        ({**PAIR, "pair": "ETHUSD/BTCUSDT"}, "did you mean ETHUSDT?"),
        ({**PAIR, "scope": "all_pairs"}, "leave out symbol and pair"),
        ({**PAIR, "scope": "everything"}, "choose from symbol, pair"),
        ({**PAIR, "operator": ">"}, "both 'condition' and 'operator'"),
        ({**PAIR, "for": "2 fortnights"}, "give a duration such as 10s"),
        ({**PAIR, "for": "-1s"}, "give a duration such as 10s"),
        ({**PAIR, "for": "3M"}, "did you mean 3m?"),
        ({**PAIR, "window": 1}, "give from"),
        ({**PAIR, "window": "1h", "interval": "7s"}, "cannot be built"),
        ({**PAIR, "interval": "1s", "window": "2m", "channels": ["dest"]}, "did you mean desk?"),
        ({**PAIR, "windows": ["weekdays"]}, "write it as Mon-Fri"),
        ({**PAIR, "severity": "loud"}, "choose from info, warning, critical"),
        ({**PAIR, "enabled": "yes"}, "give true or false"),
        ({**PAIR, "missing_limit": 2}, "a share from 0 to 1"),
        ({**PAIR, "name": "two\nlines"}, "in one line"),
        ({**PAIR, "half_life": "1 hl"}, "such as 5m"),
        ({**PAIR, "half_life": "4s", "for": "1hl"}, "choose shorter bars, name a longer"),
        ({**PAIR, "half_life": "4m", "for": "1hl", "interval": "1m"}, "choose shorter bars, name a longer"),
        ({**PAIR, "window": "12 half-lives"}, "name one"),
        ({"scope": "all_pairs", "metric": "spread_z", "condition": ">", "threshold": 2, "for": "1hl"}, "5m"),
        ({"metric": "health", "condition": ">", "threshold": 2}, '"condition": "is", "threshold": "broken"'),
        ({"metric": "health", "condition": "is", "threshold": "brokn"}, "choose from broken, cointegrated"),
        ({"metric": "health", "condition": "is"}, "choose from broken, cointegrated"),
        ({"metric": "feed_age", "symbol": "BTCUSDT", "condition": ">", "threshold": 2}, "leave out symbol"),
        ({"scope": "system", "metric": "feed_agee", "condition": ">", "threshold": 2}, "did you mean feed_age?"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_cure(body: object, said: str) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        rule_of(body)
    assert refused.value.cure


def test_a_half_life_that_is_not_known_is_refused_with_its_reason() -> None:
    draft = read_rule({**PAIR, "window": "12 half-lives"}, KNOWN)
    with pytest.raises(RequestError, match="not_mean_reverting") as refused:
        draft.rule(Facts(why_no_half_life="not_mean_reverting"))
    assert refused.value.code == "half_life_unknown"
