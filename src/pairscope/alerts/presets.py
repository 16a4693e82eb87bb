"""Rules to begin with: bodies in the long form, as a person would send them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pairscope.alerts.durations import BARS_OF_HALF_LIFE
from pairscope.alerts.reading import Draft, Known, read_rule

USUAL_HALF_LIFE_MS = 300_000  # of what is not measured yet


@dataclass(frozen=True, slots=True)
class Preset:
    """A rule to begin with; ``asks`` names what a person has to fill in before it can be saved."""

    key: str
    title: str
    body: Mapping[str, Any]
    asks: tuple[str, ...] = ()


# Measured on simulated spreads of half-life 300 s, given and of a fitted line: tests/alerts/test_calm.py.
STRETCHED: Mapping[str, Any] = {
    "name": "Spread stretched",
    "scope": "all_pairs",
    "metric": "spread_z",
    "condition": "outside",
    "threshold": 1.8,
    "reset": 0.45,
    "half_life": "5m",
    "window": "24 half-lives",
    "for": "10s",
    "cooldown": "5m",
}

PRESETS: tuple[Preset, ...] = (
    Preset("stretched", "A spread is stretched", STRETCHED),
    Preset(
        "spread",
        "A spread leaves a band",
        {"name": "Spread outside", "metric": "spread", "condition": "outside", "cooldown": "5m"},
        ("pair", "threshold"),
    ),
    Preset(
        "price",
        "A price crosses a level",
        {"name": "Price", "metric": "last_price", "condition": "crosses_above", "window": 2, "cooldown": "1m"},
        ("symbol", "threshold"),
    ),
    Preset(
        "rsi",
        "RSI leaves 30 to 70",
        {
            **{"name": "RSI", "metric": "rsi", "condition": "outside", "threshold": [30, 70], "reset": [40, 60]},
            **{"interval": "1m", "window": 100, "cooldown": "15m"},
        },
        ("symbol",),
    ),
    Preset(
        "volatility",
        "Prices move more than usual",
        {"name": "Volatility", "metric": "volatility_annual", "condition": ">", "interval": "1m", "window": 60},
        ("symbol", "threshold"),
    ),
    Preset(
        "correlation",
        "Returns of a pair do not move together any more",
        {
            **{"name": "Correlation drop", "metric": "correlation", "condition": "<", "threshold": 0.5, "reset": 0.7},
            **{"interval": "1m", "window": 120, "for": "5m", "cooldown": "1h"},
        },
        ("pair",),
    ),
    Preset(
        "broken",
        "The health of a pair turns broken",
        {
            **{"name": "Health broken", "metric": "health", "condition": "is", "threshold": "broken"},
            **{"interval": "1m", "window": 300, "cooldown": "1h"},
        },
        ("pair",),
    ),
    Preset(
        "feed_silent",
        "The feed is silent",
        {
            **{"name": "Feed silent", "metric": "feed_age", "condition": ">", "threshold": 10, "reset": 3},
            **{"severity": "critical", "cooldown": "5m"},
        },
    ),
    Preset(
        "reconnects",
        "The connection is lost again and again",
        {"name": "Reconnects", "metric": "reconnects", "condition": ">=", "threshold": 5, "reset": 2, "cooldown": "1h"},
    ),
    Preset(
        "requests",
        "The request budget is nearly used up",
        {
            **{"name": "Request budget", "metric": "request_share", "condition": ">", "threshold": 0.8, "reset": 0.6},
            **{"for": "5s", "cooldown": "15m"},
        },
    ),
    Preset(
        "gap",
        "A gap is not closed",
        {
            **{"name": "Gap not closed", "metric": "gaps_open", "condition": ">", "threshold": 0, "reset": 0},
            **{"for": "15m", "cooldown": "1h"},
        },
    ),
    Preset(
        "disk",
        "The disk is nearly full",
        {
            **{"name": "Disk low", "metric": "disk_free", "condition": "<", "threshold": 2, "reset": 3},
            **{"severity": "critical", "for": "1m", "cooldown": "6h"},
        },
    ),
)


def first_rule(known: Known) -> Draft:
    """The rule that a new state database begins with: on all pairs, for the page alone, and on.

    Nothing is measured yet, so that its half-life is the usual one, or the shortest that can be seen in the kept bars.
    """
    finest_ms = min(each.ms for each in known.intervals)
    half_life_ms = max(USUAL_HALF_LIFE_MS, BARS_OF_HALF_LIFE[0] * finest_ms)
    return read_rule({**STRETCHED, "half_life": f"{half_life_ms // 1_000}s"}, known)
