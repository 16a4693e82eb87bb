"""Many messages as one, for a channel that gets more of them than a person can read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from pairscope.alerts.outbox import Notice

PREFIX = "digest_"
LINES = 20
SEVERITIES = ("info", "warning", "critical")  # the last is the worst


def digest_id(messages: Sequence[str], time_ms: int) -> str:
    """The id of a digest that is made now, of the ids of what it carries.

    >>> digest_id(["a", "b"], 0) == digest_id(["a", "b"], 0) != digest_id(["a", "b"], 1)
    True
    """
    told = hashlib.sha256("\n".join((str(time_ms), *messages)).encode()).hexdigest()
    return f"{PREFIX}{told[:32]}"


def digest(notices: Sequence[Notice], time_ms: int) -> Notice:
    """What is told in place of all of them: how many of which kind, of which rules, and the latest by their titles."""
    kinds = Counter(each.transition for each in notices)
    rules = Counter(each.rule for each in notices)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
    lines = [f"{count} of {rule}" for rule, count in rules.most_common(LINES)]
    if len(rules) > LINES:
        lines.append(f"and those of {len(rules) - LINES} more rules")
    latest = [each.title for each in notices[-LINES:]]
    return Notice(
        title=f"{len(notices)} alerts: {counted}",
        text="\n".join(
            ("More came than this channel gets one by one.", "", *lines, "", f"The last {len(latest)}:", *latest)
        ),
        severity=max((each.severity for each in notices), key=_rank),
        rule=next(iter(rules)) if len(rules) == 1 else "",
        target="",
        transition="digest",
        time_ms=time_ms,
        simulated=all(each.simulated for each in notices),
        more={"messages": len(notices)},
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
