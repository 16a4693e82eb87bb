"""What a rule is: on what it is read, when it is true, how long that has to last, and who hears of it."""

from __future__ import annotations

import enum
import math
from typing import Literal

import msgspec

from pairscope.alerts.machine import Patience
from pairscope.alerts.schedule import Weekly
from pairscope.base.interval import Interval

MOST_RULES = 1_000  # of one state database; beyond it, rules on all pairs are the better way
AlertScope = Literal["symbol", "pair", "all_symbols", "all_pairs", "system"]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
SYSTEM = "system"  # the one target of rules about pairscope itself
UPDATE_GAP_MS = 10_000  # between two updates of a rule that is read on each; what is further apart is a gap


class Comparison(enum.StrEnum):
    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="
    CROSSES_ABOVE = "crosses_above"
    CROSSES_BELOW = "crosses_below"
    OUTSIDE = "outside"
    INSIDE = "inside"
    IS = "is"  # of a metric that is a word


UPWARDS = (Comparison.ABOVE, Comparison.AT_LEAST, Comparison.CROSSES_ABOVE)
DOWNWARDS = (Comparison.BELOW, Comparison.AT_MOST, Comparison.CROSSES_BELOW)
BANDS = (Comparison.OUTSIDE, Comparison.INSIDE)


class Clause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One condition: a metric, what it is compared with, and where it counts as having come back.

    ``low`` and ``high`` are the ends of a band; of a threshold one of them. ``reset_low`` and ``reset_high`` are the
    same ends, moved away from the breach.
    """

    metric: str  # as it is asked for, with its parameters: spread_z:method=huber
    comparison: Comparison
    low: float | None = None
    high: float | None = None
    reset_low: float | None = None
    reset_high: float | None = None
    word: str | None = None

    @property
    def name(self) -> str:
        """Of the metric, without its parameters."""
        return self.metric.partition(":")[0]

    @property
    def threshold(self) -> float | None:
        """The one level of a condition that has one."""
        return self.high if self.comparison in UPWARDS else self.low if self.comparison in DOWNWARDS else None

    def beyond(self, value: float) -> float:
        """How far a value is past the nearest threshold; negative on the quiet side, in the unit of the metric.

        >>> Clause(metric="rsi", comparison=Comparison.ABOVE, high=70.0).beyond(65.0)
        -5.0
        """
        over = value - (math.inf if self.high is None else self.high)
        under = (-math.inf if self.low is None else self.low) - value
        return -max(over, under) if self.comparison is Comparison.INSIDE else max(over, under)


class AlertRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A rule as it is kept: nothing in it is still to be worked out.

    What was said in half-lives stands in milliseconds and bars, of the half-life that was measured when the rule was
    saved.
    """

    name: str
    scope: AlertScope
    symbols: tuple[str, ...] = ()  # of one symbol or pair (y, x); empty for all and for the system
    first: Clause
    second: Clause | None = None
    interval: str = "1s"
    window: int = 300
    half_life_ms: int | None = None  # of a rule in half-lives
    hold_ms: int = 0
    keep_ms: int = 0
    cooldown_ms: int = 300_000
    no_data_after_ms: int = 60_000
    missing_limit: float = 0.05  # of the trades of a window; with more missing, its value counts as none
    on_update: bool = False  # read on each update of the open bar, and not on closed bars alone
    severity: Severity = "warning"
    channels: tuple[str, ...] = ()  # none: the page alone
    weekly: tuple[str, ...] = ()  # when it may be sent; always when empty
    enabled: bool = True
    note: str = ""

    @property
    def clauses(self) -> tuple[Clause, ...]:
        return (self.first,) if self.second is None else (self.first, self.second)

    @property
    def bars(self) -> Interval:
        return Interval.parse(self.interval)

    @property
    def patience(self) -> Patience:
        """What the state machine is given."""
        step_ms = UPDATE_GAP_MS if self.on_update or self.scope == "system" else self.bars.ms
        return Patience(self.hold_ms, self.keep_ms, self.cooldown_ms, self.no_data_after_ms, step_ms)

    @property
    def question(self) -> tuple[object, ...]:
        """What the condition is: a rule with another one begins anew, one with the same keeps its state."""
        return (
            *(self.scope, self.symbols, self.first, self.second, self.interval, self.window, self.hold_ms),
            *(self.keep_ms, self.no_data_after_ms, self.missing_limit, self.on_update, self.half_life_ms),
        )

    def may_be_sent(self, at_ms: int) -> bool:
        """Whether a moment lies in one of the weekly windows."""
        return not self.weekly or any(Weekly.parse(each).holds(at_ms) for each in self.weekly)

    def opens_ms(self, at_ms: int) -> int:
        """The first moment from one on that lies in one of the weekly windows."""
        return min((Weekly.parse(each).opens_ms(at_ms) for each in self.weekly), default=at_ms)


def target_text(symbols: tuple[str, ...]) -> str:
    """What a rule is read on, in a word.

    >>> target_text(("ETHUSDT", "BTCUSDT")), target_text(("BTCUSDT",)), target_text(())
    ('ETHUSDT/BTCUSDT', 'BTCUSDT', 'system')
    """
    return "/".join(symbols) or SYSTEM
