"""How the conditions of rules are read: the metric, the threshold or the band, and where it counts as come back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from pairscope.alerts.rule import BANDS, DOWNWARDS, UPWARDS, AlertScope, Clause, Comparison
from pairscope.alerts.system import SYSTEM_METRICS, SystemMetric, find_system
from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.registry import CATALOGUE, metric_request
from pairscope.base.errors import Meanings, RequestError


class RuleRefused(RequestError):
    """A rule that cannot be kept as it is written."""

    code = "bad_rule"
    meanings: ClassVar[Meanings] = {
        "bad_rule": ("a rule of an alert that contradicts itself or lacks something", "the cure says what to write"),
        "half_life_unknown": (
            "a rule in half-lives on a pair whose half-life is not known",
            "write its times out, such as 10s, or name a half-life with `half_life`",
        ),
    }


def read_clause(given: Mapping[str, Any], scope: AlertScope) -> tuple[Clause, Any, Metric | SystemMetric]:
    """A condition, its reset level as it was given, and its metric.

    Raises:
        RequestError: with the cure.
    """
    text, metric = _metric(given, scope)
    told = given.get("condition")
    word = told.strip().lower().replace(" ", "_") if isinstance(told, str) else ""
    if metric.unit_of({}) == "word":
        if word not in ("is", "=", "=="):
            word = WORDS[metric.name][0]
            raise RuleRefused(f"{metric.name} is a word", cure=f'write "condition": "is", "threshold": "{word}"')
        return Clause(metric=text, comparison=Comparison.IS, word=_word(metric.name, given)), None, metric
    if word not in set(Comparison) - {Comparison.IS}:
        choices = ", ".join(each for each in Comparison if each is not Comparison.IS)
        cure = f"choose from {choices}"
        raise RequestError(f"'condition' cannot be '{str(told)[:40]}'", cure=cure, code="bad_parameter")
    comparison = Comparison(word)
    ends = _ends(given.get("threshold"), comparison, "threshold")
    return Clause(metric=text, comparison=comparison, low=ends[0], high=ends[1]), given.get("reset"), metric


def _metric(given: Mapping[str, Any], scope: AlertScope) -> tuple[str, Metric | SystemMetric]:
    text = given.get("metric")
    if not isinstance(text, str) or not text.strip():
        raise RuleRefused("the rule names no metric", cure='add "metric", such as spread_z or rsi')
    if scope == "system":
        return text.strip().lower(), find_system(text.strip().lower())
    of = "pair" if scope in ("pair", "all_pairs") else "symbol"
    name, colon, rest = text.strip().lower().partition(":")
    name = _ALSO_CALLED.get((name, of), _ALSO_CALLED.get((name, ""), name))
    if name in SYSTEM_METRICS:
        raise RuleRefused(f"{name} is of pairscope itself, and this is of a {of}", cure="write two rules")
    if name in CATALOGUE and CATALOGUE[name].scope != of:
        other = CATALOGUE[name].scope
        cure = f'give it a {other} of its own, "{other}": ..., or choose a metric of a {of}'
        raise RuleRefused(f"{name} is of a {other}, and this rule is on a {of}", cure=cure)
    found = metric_request(f"{name}{colon}{rest}", "pair" if of == "pair" else "symbol")
    if not is_for_rules(found.metric):
        raise RuleRefused(f"{name} is not read at each bar", cure="choose another metric for a rule")
    return found.name, found.metric


# The words that a metric may be.
WORDS: Mapping[str, Sequence[str]] = {
    "health": (Condition.BROKEN, *(each for each in Condition if each is not Condition.BROKEN)),
    "trend": ("uptrend", "downtrend", "sideways"),
    "signal": ("SHORT", "LONG", "NEUTRAL"),
}


def _word(name: str, given: Mapping[str, Any]) -> str:
    told, known = str(given.get("threshold", "")).strip(), {each.lower(): str(each) for each in WORDS[name]}
    if told.lower() in known:
        return known[told.lower()]
    cure = f"choose from {', '.join(known.values())}"
    raise RequestError(f"{name} is never '{told[:40]}'", cure=cure, code="bad_parameter")


def is_for_rules(metric: Metric) -> bool:
    """Whether a rule may be read on a metric of the market: it is known at each bar, and a number or a state."""
    return "trades" not in metric.needs and metric.unit != "name"


# Names that others give to metrics of ours.
_ALSO_CALLED = {
    **{
        (name, of): own
        for name in ("z_score", "zscore", "z")
        for of, own in (("pair", "spread_z"), ("symbol", "price_z"))
    },
    ("price", ""): "last_price",
    ("close", ""): "last_price",
    ("corr", "pair"): "correlation",
    ("hedge_ratio", "pair"): "beta",
}


def _ends(value: Any, comparison: Comparison, key: str) -> tuple[float | None, float | None]:
    """Low and high end: of a threshold one of them, of a band both; a number alone is a band around 0."""
    if comparison in BANDS:
        if _is_number(value) and float(value) > 0.0:
            return -float(value), float(value)
        if isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value)):
            low, high = map(float, value)
            if low <= high:
                return low, high
        cure = "give two numbers, the lower one first: [-2, 2]; or one above 0 for a band around 0"
        raise RequestError(f"'{key}' cannot be '{str(value)[:40]}' for a band", cure=cure, code="bad_parameter")
    if not _is_number(value):
        raise RequestError(f"'{key}' cannot be '{str(value)[:40]}'", cure="give a finite number", code="bad_parameter")
    return (None, float(value)) if comparison in UPWARDS else (float(value), None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def with_reset(clause: Clause, given: Any, is_centred: bool, deviation: float) -> Clause:
    """The clause with its reset level: the one given, or the default.

    The default is a quarter of the threshold for a metric that lies around 0, and for others the threshold moved away
    from the breach by half the deviation of the metric over the last day.
    """
    if clause.comparison is Comparison.IS:
        return clause
    low, high = clause.low, clause.high
    is_inside = clause.comparison is Comparison.INSIDE
    if given is not None:
        reset_low, reset_high = _ends(given, clause.comparison, "reset")
    elif is_centred and not is_inside and _is_around_0(clause):
        reset_low, reset_high = (None if each is None else each / 4.0 for each in (low, high))
    else:
        away = deviation / 2.0 * (1.0 if is_inside else -1.0)
        reset_low = None if low is None else low - away
        reset_high = None if high is None else high + away
        if reset_low is not None and reset_high is not None and reset_low > reset_high:  # a band narrower than that
            reset_low = reset_high = (reset_low + reset_high) / 2.0
    sign = -1.0 if is_inside else 1.0
    for level, reset in (
        (high, reset_high),
        (None if low is None else -low, None if reset_low is None else -reset_low),
    ):
        if level is not None and reset is not None and sign * (reset - level) > 0.0:
            raise RuleRefused(
                "the reset level lies on the side of the breach: the rule would be over while it is true",
                cure="move it to the other side of the threshold",
            )
    return msgspec.structs.replace(clause, reset_low=reset_low, reset_high=reset_high)


def _is_around_0(clause: Clause) -> bool:
    """Whether a quarter of the threshold lies on its quiet side."""
    if clause.comparison in UPWARDS:
        return clause.high is not None and clause.high > 0.0
    if clause.comparison in DOWNWARDS:
        return clause.low is not None and clause.low < 0.0
    return clause.low is not None and clause.high is not None and clause.low < 0.0 < clause.high
