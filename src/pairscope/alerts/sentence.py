"""Rules and what became of them in plain words: for lists, for the titles and the texts of messages."""

from __future__ import annotations

from collections.abc import Sequence

from pairscope.alerts.machine import Change
from pairscope.alerts.rule import AlertRule, Clause, Comparison, target_text
from pairscope.base.reading import utc_text

_IS = {
    Comparison.ABOVE: "is above",
    Comparison.AT_LEAST: "is at least",
    Comparison.BELOW: "is below",
    Comparison.AT_MOST: "is at most",
    Comparison.CROSSES_ABOVE: "crosses above",
    Comparison.CROSSES_BELOW: "crosses below",
    Comparison.OUTSIDE: "is outside",
    Comparison.INSIDE: "is inside",
    Comparison.IS: "is",
}
_WHOM = {"all_symbols": "each symbol", "all_pairs": "each pair", "system": "pairscope"}
_BECAME = {
    Change.FIRED: "",
    Change.RESOLVED: "over: ",
    Change.NO_DATA: "no data: ",
    Change.ERROR: "cannot be read: ",
    Change.DATA_BACK: "data again: ",
}
MOST_NAMED = 10  # targets in one message; more are counted


def number_text(value: float) -> str:
    """A number as people read it.

    >>> number_text(2.0), number_text(-0.123456), number_text(65_000.5), number_text(1e-7)
    ('2', '-0.1235', '65,000.5', '1e-07')
    """
    return f"{value:,.10g}" if abs(value) >= 1_000 else f"{value:.4g}"


def duration_text(ms: int) -> str:
    """A duration in its largest whole unit.

    >>> duration_text(300_000), duration_text(90_000), duration_text(500), duration_text(86_400_000)
    ('5m', '90s', '0.5s', '1d')
    """
    for unit_ms, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m")):
        if ms and ms % unit_ms == 0:
            return f"{ms // unit_ms}{unit}"
    return f"{ms / 1_000:g}s"


def clause_text(clause: Clause) -> str:
    """A condition: ``is above 2``."""
    if clause.comparison is Comparison.IS:
        told = clause.word or ""
    elif clause.threshold is not None:
        told = number_text(clause.threshold)
    else:
        ends = [number_text(each) for each in (clause.low, clause.high) if each is not None]
        told = f"±{ends[1]}" if clause.low is not None and clause.high == -clause.low else " to ".join(ends)
    return f"{_IS[clause.comparison]} {told}"


def sentence_of(rule: AlertRule) -> str:
    """A rule in one sentence.

    >>> from pairscope.alerts.rule import AlertRule, Clause, Comparison
    >>> z = Clause(metric="spread_z", comparison=Comparison.OUTSIDE, low=-2.0, high=2.0)
    >>> sentence_of(AlertRule(name="", scope="all_pairs", first=z, interval="10s", window=720, hold_ms=10_000))
    'spread_z of each pair is outside ±2 for 10s, of 720 bars of 10s'
    """
    whom = _WHOM.get(rule.scope) or target_text(rule.symbols)
    told = f"{rule.first.metric} of {whom} {clause_text(rule.first)}"
    if rule.second is not None:
        told += f" and {rule.second.metric} {clause_text(rule.second)}"
    if rule.hold_ms:
        told += f" for {duration_text(rule.hold_ms)}"
    return told if rule.scope == "system" else f"{told}, of {rule.window} bars of {rule.interval}"


def title_of(rule: AlertRule, change: Change, target: str, value: float | str | None) -> str:
    """The title of a message about one target."""
    now = "" if value is None else f" is {value if isinstance(value, str) else number_text(value)}"
    return f"{_BECAME.get(change, f'{change.value}: ')}{rule.first.name} of {target}{now}"


def group_title(rule: AlertRule, change: Change, targets: Sequence[str]) -> str:
    """The title of one message about several targets of a rule.

    >>> from pairscope.alerts.rule import AlertRule, Clause, Comparison
    >>> rule = AlertRule(name="wide", scope="all_pairs", first=Clause(metric="spread_z", comparison=Comparison.ABOVE))
    >>> group_title(rule, Change.FIRED, ["A/B", "A/C"])
    'wide: 2 at once, A/B, A/C'
    """
    named = ", ".join(targets[:MOST_NAMED])
    more = f" and {len(targets) - MOST_NAMED} more" if len(targets) > MOST_NAMED else ""
    return f"{_BECAME.get(change, '')}{rule.name}: {len(targets)} at once, {named}{more}"


def group_text(text: str, values: Sequence[tuple[str, float | str | None]]) -> str:
    """The text of such a message: that of one of them, and the value of each.

    >>> print(group_text("Rule: wide.", [("A/B", 2.25), ("A/C", None)]))
    Rule: wide.
    A/B 2.25
    A/C -
    """
    told = [(target, "-" if value is None else value) for target, value in values]
    lines = [f"{target} {value if isinstance(value, str) else number_text(value)}" for target, value in told]
    more = [f"and {len(lines) - MOST_NAMED} more"] if len(lines) > MOST_NAMED else []
    return "\n".join([text, *lines[:MOST_NAMED], *more])


def text_of(rule: AlertRule, change: Change, time_ms: int, reason: str | None = None) -> str:
    """The text of a message: the rule, when it happened, and what is not known."""
    told = f"{rule.name}. " if rule.name != sentence_of(rule) else ""
    what = {
        Change.FIRED: "it holds since",
        Change.RESOLVED: "it came back past the reset level at",
        Change.NO_DATA: "nothing has been known of it, as of",
        Change.ERROR: "it could not be read, as of",
        Change.DATA_BACK: "it is read again since",
    }.get(change, "at")
    if change is Change.FIRED and not rule.hold_ms:
        what = "it became so at"
    why = f" ({reason.replace('_', ' ')})" if reason else ""
    at_ms = time_ms - rule.hold_ms if change is Change.FIRED else time_ms
    return f"{told}Rule: {sentence_of(rule)}; {what} {utc_text(at_ms)}{why}."
