"""Alerts: rules and where they stand, what became of them, and the channels that people hear of it by."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from pairscope.alerts.machine import Change, Stage, Veil
from pairscope.alerts.rule import AlertScope, Comparison, Severity
from pairscope.alerts.transition import Withheld
from pairscope.api.wire.record import Number, Wire

Remark = Annotated[str, msgspec.Meta(max_length=2_000)]
Level = float | str | list[float] | None  # a threshold, the word of a metric that is one, the two ends of a band


# --- what is sent -----------------------------------------------------------------------------------


class NewCondition(Wire, frozen=True, kw_only=True):
    """A second condition, of the same symbol or pair, read from the same bar."""

    metric: str
    condition: str
    threshold: Level = None
    reset: Level = None


class NewRule(Wire, frozen=True, kw_only=True):
    """A rule as it is sent; what is left out is as it usually is, null takes a key of a rule back.

    Durations are `10s 5m 1h`, seconds, or half-lives: `0.5 half-lives`. The short forms of others are read too:
    `operator` and `value`, `direction` (above, below), `y` and `x`, `symbols`, `timeframe`.
    """

    metric: str | None = None
    condition: str | None = None  # > >= < <= crosses_above crosses_below outside inside, or is of a word
    threshold: Level = None
    reset: Level = None  # where it counts as having come back
    name: str | None = None  # the sentence of the rule when there is none
    scope: AlertScope | None = None
    symbol: str | None = None
    pair: str | list[str] | None = None  # ETHUSDT/BTCUSDT
    second: NewCondition | None = msgspec.field(name="and", default=None)
    interval: str | None = None
    window: int | str | None = None
    half_life: int | str | None = None  # to reckon with; measured when there is none and times are told in half-lives
    hold: int | str | None = msgspec.field(name="for", default=None)
    keep_firing_for: int | str | None = None
    cooldown: int | str | None = None
    no_data_after: int | str | None = None
    missing_limit: float | None = None
    on_update: bool | None = None
    severity: Severity | None = None
    channels: list[str] | None = None
    windows: list[str] | None = None  # Mon-Fri 08:00-22:00 Europe/Berlin
    enabled: bool | None = None
    note: str | None = None
    operator: str | None = None
    value: Level = None
    direction: str | None = None
    y: str | None = None
    x: str | None = None
    symbols: str | list[str] | None = None
    tf: str | None = None
    timeframe: str | None = None


class Nothing(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty body: that it is called JSON keeps pages of other sites from sending it."""


class NewMute(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when a rule, or all of them, are recorded and not sent."""

    rule: int | None = None  # all of them when there is none
    until_ms: int | None = None
    duration: str | None = msgspec.field(name="for", default=None)  # 15m, in place of until_ms
    note: Remark = ""


class NewNote(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A remark in place of the one that is there."""

    note: Remark


class NewSwitch(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a channel is to be on."""

    is_on: bool


class NewReplay(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages that were given up are to be sent again: by their ids, or all of a channel."""

    ids: list[str] = []
    channel: str | None = None


class NewChannel(Wire, frozen=True, kw_only=True):
    """A channel as it is sent: each kind has fields of its own. Of one that is changed, secrets left out stay."""

    name: str | None = None
    kind: Literal["webhook", "mail", "service"] | None = None
    url: str | None = None  # of a webhook, and of a service as apprise writes it
    secret: str | None = None  # of a webhook: whsec_ and base64; made when there is none
    host: str | None = None  # of mail
    port: int | None = None
    security: Literal["starttls", "tls", "none"] | None = None
    user: str | None = None
    password: str | None = None
    sender: str | None = None
    to: list[str] | None = None


# --- rules ------------------------------------------------------------------------------------------


class AlertCondition(Wire, frozen=True, kw_only=True):
    metric: str  # with its parameters
    condition: Comparison
    threshold: Level
    reset: Level
    text: str  # is above 2


class AlertCounts(Wire, frozen=True, kw_only=True):
    """What a rule did within the last days, on all its targets."""

    fires: int
    resolves: int
    no_data: int  # and errors
    withheld: int  # fires that were recorded and not sent
    last_fired_ms: int | None
    days: float  # the time they are of
    fires_a_day: Number
    judged: int  # fires of rules with a half-life that are two of them old
    reverted: int  # of those: over within two half-lives
    reverted_share: Number
    reverted_reason: Literal["no_fires", "too_recent", "no_half_life"] | None  # why there is no share


class AlertStanding(Wire, frozen=True, kw_only=True):
    """Where a rule stands on one target now."""

    rule: int
    revision: int
    target: str  # a symbol, Y/X, or system
    symbols: list[str]
    stage: Stage
    veil: Veil
    since_ms: int | None  # when the stage began
    read_ms: int | None  # the last reading, known or not; null before the first
    fired_ms: int | None
    fire: int | None  # number of the transition with which the open episode began
    value: float | str | None
    second: float | str | None  # of the second condition
    reason: str | None  # why there is no value
    missing: Number
    beyond: Number  # how far the value is past the nearest threshold; negative on the quiet side
    half_life_ms: int | None  # when the rule was saved
    half_life_now_ms: Number  # of the pair today
    half_life_reason: str | None  # why there is none today


class AlertRuleInfo(Wire, frozen=True, kw_only=True):
    """A rule, as it is read: half-lives stand in milliseconds and bars, of the half-life when it was saved."""

    id: int
    revision: int  # rises with each other condition, and with nothing else
    name: str
    sentence: str
    scope: AlertScope
    symbols: list[str]  # of one symbol or pair (y, x)
    first: AlertCondition
    second: AlertCondition | None
    interval: str
    window: int
    half_life_ms: int | None
    hold_ms: int
    keep_ms: int
    cooldown_ms: int
    no_data_after_ms: int
    missing_limit: float
    on_update: bool
    severity: Severity
    channels: list[str]
    windows: list[str]
    enabled: bool
    note: str
    made_ms: int
    changed_ms: int
    deleted_ms: int | None
    muted_until_ms: int | None  # by itself, or with all of them
    written: dict[str, Any]  # as it would be sent, to change it
    counts: AlertCounts | None
    targets: int  # on which it is read
    stages: dict[Stage, int]  # of its targets
    unknown: int  # targets of which nothing is known
    nearest: AlertStanding | None  # of its targets, the one that is furthest past the threshold, or nearest to it


class AlertMute(Wire, frozen=True, kw_only=True):
    rule: int | None  # null: all of them
    since_ms: int
    until_ms: int
    note: str


class AlertEngine(Wire, frozen=True, kw_only=True):
    """What the engine says of itself."""

    state: Literal["off", "starting", "catching_up", "running"]
    rules: int  # that are switched on
    instances: int  # of rules on targets
    firing: int
    unknown: int
    muted_by: str | None  # the rule that says the feed is silent, while it fires
    readings: int  # since the start
    transitions: int
    messages: int
    behind_ms: int  # from the end of the oldest bar that is not read yet
    skipped: int  # bars that were too far back after a restart
    failures: int  # metrics that could not be computed for a fault
    error: str | None


class AlertRules(Wire, frozen=True, kw_only=True):
    rules: list[AlertRuleInfo]
    mutes: list[AlertMute]
    engine: AlertEngine
    most_rules: int


class AlertPreset(Wire, frozen=True, kw_only=True):
    """A rule to begin with: `asks` names what has to be filled in before it can be saved."""

    key: str
    title: str
    rule: dict[str, Any]
    asks: list[str]


class ShortRule(Wire, frozen=True, kw_only=True):
    """A rule in the words of the short forms."""

    id: int
    name: str
    symbol: str | None
    pair: str | None
    metric: str
    condition: Comparison
    threshold: Level
    operator: Comparison  # the same as condition and threshold
    value: Level
    enabled: bool
    message: str  # the rule as a sentence
    state: Stage | None  # the most urgent of its targets
    last_fired_ms: int | None


class AlertStandings(Wire, frozen=True, kw_only=True):
    standing: list[AlertStanding]  # what fires first, then by how near it is
    left_out: int  # because there are more than were asked for


# --- what became of them ------------------------------------------------------------------------------


class AlertMessage(Wire, frozen=True, kw_only=True):
    """What became of a message to a channel so far."""

    id: str
    channel: str
    state: Literal["waiting", "sent", "dead"]
    title: str
    transition: str
    made_ms: int
    due_ms: int
    tries: int
    tried_ms: int | None
    error: str | None  # of the last try that failed
    carried_by: str | None  # the digest it went out in


class AlertEvent(Wire, frozen=True, kw_only=True):
    """One change of one rule on one target, as it was at that moment."""

    number: int  # rises over all rules
    rule: int
    revision: int
    name: str  # of the rule, then
    severity: Severity
    target: str
    change: Change
    time_ms: int  # of the event: the end of the bar
    recorded_ms: int
    value: float | str | None
    second: float | str | None
    reason: str | None  # why there is no value
    interval: str | None
    window: int | None
    bar_ms: int | None  # open time of the bar it was read from
    missing: Number
    health: str | None  # of the pair at that bar
    half_life_ms: int | None
    fire: int | None  # the number with which the episode began
    simulated: bool  # its trades are none of a market
    withheld: Withheld | None  # why it was recorded and not sent
    revised_ms: int | None  # when a bar of the episode was made anew from trades that came late
    note: str
    channels: list[str]  # that it goes to
    messages: list[AlertMessage]  # what became of it there; in the stream it is not known yet


class AlertEvents(Wire, frozen=True, kw_only=True):
    events: list[AlertEvent]  # the newest first
    limit: int  # that was in force
    next: int | None  # to be given as `before` for the page after this one; null at the end


class PairAlerts(Wire, frozen=True, kw_only=True):
    """What rules say of a pair: where they stand, and their events within the series."""

    standing: list[AlertStanding]
    events: list[AlertEvent]


# --- channels -----------------------------------------------------------------------------------------


class AlertChannel(Wire, frozen=True, kw_only=True):
    """A channel, without what must stay secret."""

    name: str
    kind: Literal["webhook", "mail", "service"]
    place: str
    secrets: dict[str, str]  # how each is kept, never what it is
    made_ms: int
    off_reason: str | None  # gone: its receiver answered 410; person: somebody switched it off
    waiting: int
    dead: int
    sent_ms: int | None  # when a message was last accepted
    failing_since_ms: int | None
    failures: int  # in a row
    error: str | None
    rests_until_ms: int


class AlertChannelMade(Wire, frozen=True, kw_only=True):
    channel: AlertChannel
    secret: str | None  # the key that was made for a webhook: shown this once


class AlertHeartbeat(Wire, frozen=True, kw_only=True):
    last_ms: int | None  # when a call arrived
    left_out: int  # because all was not well
    error: str | None


class AlertDelivery(Wire, frozen=True, kw_only=True):
    channels: list[AlertChannel]
    most_channels: int
    on_their_way: int
    sent: int  # since the start
    failed: int  # attempts
    heartbeat: AlertHeartbeat | None
    services: list[str]  # that a channel may be a service of


class AlertTried(Wire, frozen=True, kw_only=True):
    """What came of a test."""

    channel: str
    error: str | None  # null: it was accepted
    took_ms: int


class AlertReplayed(Wire, frozen=True, kw_only=True):
    waiting: int  # messages that wait now to be sent again
