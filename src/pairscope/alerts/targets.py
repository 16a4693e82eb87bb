"""On what a rule is read: one symbol or pair, or each that is watched."""

from __future__ import annotations

from collections.abc import Sequence

from pairscope.alerts.rule import AlertRule

Target = tuple[str, ...]  # one symbol, a pair (y, x), or nothing of the system


def targets_of(rule: AlertRule, symbols: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[Target]:
    """The targets of a rule, as symbols and pairs are watched now.

    >>> from pairscope.alerts.rule import Clause, Comparison
    >>> z = Clause(metric="spread_z", comparison=Comparison.ABOVE, high=2.0)
    >>> targets_of(AlertRule(name="", scope="all_pairs", first=z), ["A", "B"], [("B", "A")])
    [('B', 'A')]
    """
    match rule.scope:
        case "all_symbols":
            return [(symbol,) for symbol in symbols]
        case "all_pairs":
            return list(pairs)
    return [rule.symbols]
