"""What became of rules, as records: each transition, where every rule stands now, and what they did in sum."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from pairscope.alerts.machine import Change, Stage, Veil

# Steps on the way, of which nobody is told, and which are kept for less long.
MINOR: frozenset[Change] = frozenset({Change.PENDING, Change.DROPPED, Change.RECOVERING, Change.RETURNED})
# Of which people are told; a superseded episode ends without a word.
TOLD: frozenset[Change] = frozenset({Change.FIRED, Change.RESOLVED, Change.NO_DATA, Change.ERROR, Change.DATA_BACK})


class Withheld(enum.StrEnum):
    """Why a transition is recorded and was not sent."""

    SIMULATED = "simulated"  # its trades are none of a market, and `alerts_from_simulator` is off
    MUTED = "muted"  # by a person, until a time
    OUTSIDE = "outside_windows"  # of the rule's week
    FEED_SILENT = "feed_silent"  # a rule on the age of the feed fires, and says it for all
    UNTOLD = "beginning_not_sent"  # it ends something of which nobody was told


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one rule on one target, as it was at that moment.

    ``number`` rises over all rules. ``messages`` names for each channel the message that tells it: what became of that
    is asked of the delivery, by its id. ``fire`` is the number of the transition with which the episode began.
    """

    rule: int
    revision: int
    name: str  # of the rule, then
    severity: str
    target: str
    change: Change
    time_ms: int  # of the event: the end of the bar
    recorded_ms: int
    number: int = 0
    value: float | str | None = None
    second: float | str | None = None  # of the second condition
    reason: str | None = None  # why there is no value
    interval: str | None = None  # None of what is read on no bars
    window: int | None = None
    bar_ms: int | None = None  # open time of the bar it was read from
    missing: float | None = None  # share of the trades of its window
    health: str | None = None  # of the pair at that bar; it is looked up after the transition is recorded
    half_life_ms: int | None = None  # of the rule
    fire: int | None = None
    simulated: bool = False
    withheld: Withheld | None = None
    messages: Mapping[str, str] = {}
    revised_ms: int | None = None  # when a bar of the episode was made anew from trades that came late
    note: str = ""


class RuleStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rule stands on one target now.

    ``beyond`` is how far the value is past the nearest threshold, in its unit; negative on the quiet side.
    """

    rule: int
    revision: int
    target: str
    symbols: tuple[str, ...]
    stage: Stage = Stage.INACTIVE
    veil: Veil = Veil.NONE
    since_ms: int | None = None  # when the stage began
    read_ms: int | None = None  # the last reading, known or not; None before the first
    fired_ms: int | None = None
    fire: int | None = None  # the transition with which the open episode began
    value: float | str | None = None
    second: float | str | None = None
    reason: str | None = None
    missing: float | None = None
    beyond: float | None = None
    half_life_ms: int | None = None  # when the rule was saved
    half_life_now_ms: float | None = None  # of the pair, read every now and then
    half_life_reason: str | None = None  # why there is none today


class RuleCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule did within some days, on all its targets."""

    rule: int
    fires: int
    resolves: int
    no_data: int  # and errors
    withheld: int  # fires that were recorded and not sent
    last_fired_ms: int | None
    days: float  # the time they are of: since the rule is read, if that is less
    fires_a_day: float | None
    judged: int  # fires of rules with a half-life that are two of them old
    reverted: int  # of those: over within two half-lives
    reverted_share: float | None
    reverted_reason: str | None = None  # why there is no share


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which transitions are asked for; the newest first, and of those before a number the next page."""

    limit: int = 100
    rule: int | None = None
    target: str | None = None
    changes: tuple[Change, ...] = ()  # none: all, but for minor ones
    minor: bool = False  # with the steps on the way
    from_ms: int | None = None
    to_ms: int | None = None
    before: int | None = None


class AlertsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine says of itself."""

    state: str  # off, starting, catching_up, running
    rules: int = 0  # that are switched on
    instances: int = 0  # of rules on targets
    firing: int = 0
    unknown: int = 0  # instances of which nothing is known
    muted_by: str | None = None  # the rule that says the feed is silent, while it fires
    readings: int = 0  # since the start
    transitions: int = 0
    messages: int = 0
    behind_ms: int = 0  # from the end of the oldest bar that is not read yet
    skipped: int = 0  # bars that were too far back after a restart
    failures: int = 0  # metrics that could not be computed for a fault
    error: str | None = None  # why the state database cannot be written
