"""Messages of the WebSocket, to the server and from it."""

from __future__ import annotations

from typing import Literal

import msgspec

from pairscope.analytics.values import Flag, Reason
from pairscope.api.wire.alerts import AlertEngine, AlertEvent
from pairscope.api.wire.jobs import JobList
from pairscope.api.wire.numbers import (
    BarColumns,
    BarSource,
    BarStatus,
    Continuity,
    PairColumns,
    PairHealth,
    PairSignal,
    Quantity,
)
from pairscope.api.wire.record import ErrorBody, Number, Wire
from pairscope.api.wire.system import Status
from pairscope.bars.cuts import MissingReason

#
# Topics: `status`, `jobs`, `alerts`, `symbol:{SYMBOL}:{interval}`, `pair:{Y}:{X}:{interval}:{window}:{method}`, the
# last with `:prices=level` and `:intercept=false` after it where they are asked for.
# With `updates: changes` a market goes on with `symbol` or `pair`: one message a moment, and in it what changed.
# `seq` numbers the messages of a topic that are never dropped (closed and revised bars). An update of the open
# bar carries the seq it follows; of those the newest wins. A client that missed a seq asks again with `since`.
# Numbers begin at the time in microseconds at which the server opened the topic, so that those of an earlier process
# are never mistaken for present ones: a `since` the server cannot place is answered with a snapshot.


class Subscribe(Wire, frozen=True, kw_only=True, tag_field="op", tag="sub", forbid_unknown_fields=True):
    topic: str
    since: int | None = None
    limit: int = 1000  # bars in the snapshot
    # How markets go on after the snapshot: `changes` sends one message of what changed, `whole` a bar and its metrics
    # as two messages, the way of version 0.1, which ends with version 0.3.
    updates: Literal["whole", "changes"] = "whole"


class Unsubscribe(Wire, frozen=True, kw_only=True, tag_field="op", tag="unsub", forbid_unknown_fields=True):
    topic: str


ClientMessage = Subscribe | Unsubscribe


class SymbolSnapshot(Wire, frozen=True, kw_only=True, tag_field="type", tag="symbol_snapshot"):
    topic: str
    seq: int
    symbol: str
    interval: str
    bars: BarColumns
    metrics: dict[str, Quantity]
    of: int | msgspec.UnsetType = msgspec.UNSET  # the number under which the topic's changes come


class SymbolBar(Wire, frozen=True, kw_only=True, tag_field="type", tag="symbol_bar"):
    """One bar, open, closed or revised: as a BarColumns of length one."""

    topic: str
    seq: int
    bar: BarColumns


class SymbolMetrics(Wire, frozen=True, kw_only=True, tag_field="type", tag="symbol_metrics"):
    topic: str
    seq: int
    metrics: dict[str, Quantity]


class PairSnapshot(Wire, frozen=True, kw_only=True, tag_field="type", tag="pair_snapshot"):
    topic: str
    seq: int
    y: str
    x: str
    interval: str
    window: int
    method: str
    prices: Literal["log", "level"]
    intercept: bool
    remarks: list[str]
    y_bars: BarColumns  # bars of y, for candles and volume
    series: PairColumns
    metrics: dict[str, Quantity]
    # With `changes` alone:
    of: int | msgspec.UnsetType = msgspec.UNSET  # the number under which the topic's changes come
    health: PairHealth | msgspec.UnsetType | None = msgspec.UNSET  # null: not known yet
    of_trades: Quantity | msgspec.UnsetType | None = msgspec.UNSET  # correlation of trades, which leads below a minute
    signal: PairSignal | msgspec.UnsetType = msgspec.UNSET


class PairBar(Wire, frozen=True, kw_only=True, tag_field="type", tag="pair_bar"):
    """One bar of a pair, as columns of length one; `status` is the status of the bar."""

    topic: str
    seq: int
    status: BarStatus
    y_bar: BarColumns  # empty columns when y did not trade in the bar
    series: PairColumns


class PairMetrics(Wire, frozen=True, kw_only=True, tag_field="type", tag="pair_metrics"):
    topic: str
    seq: int
    metrics: dict[str, Quantity]


class BarChange(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """What of a bar is another than before; of a bar that is new, all that is not as it usually is."""

    open: float | msgspec.UnsetType = msgspec.UNSET
    high: float | msgspec.UnsetType = msgspec.UNSET
    low: float | msgspec.UnsetType = msgspec.UNSET
    close: float | msgspec.UnsetType = msgspec.UNSET
    volume: float | msgspec.UnsetType = msgspec.UNSET
    quote_volume: float | msgspec.UnsetType = msgspec.UNSET
    buy_volume: float | msgspec.UnsetType = msgspec.UNSET
    vwap: Number | msgspec.UnsetType = msgspec.UNSET
    trades: int | msgspec.UnsetType = msgspec.UNSET
    missing: Number | msgspec.UnsetType = msgspec.UNSET  # of a new bar 0
    missing_reason: MissingReason | msgspec.UnsetType | None = msgspec.UNSET  # null
    continuity: Continuity | msgspec.UnsetType = msgspec.UNSET  # proved
    backfilled: float | msgspec.UnsetType = msgspec.UNSET  # 0
    source: BarSource | msgspec.UnsetType = msgspec.UNSET  # live
    status: BarStatus | msgspec.UnsetType = msgspec.UNSET  # that of the message


class PairRow(Wire, frozen=True, kw_only=True):
    """A row of a pair that is not the newest."""

    beta: Number
    alpha: Number
    spread: Number
    spread_z: Number
    correlation: Number


class Shares(Wire, frozen=True, kw_only=True):
    """What all metrics of a moment have in common; what is left out is as it was."""

    missing: Number | msgspec.UnsetType = msgspec.UNSET
    missing_reason: MissingReason | msgspec.UnsetType | None = msgspec.UNSET
    continuity: Continuity | msgspec.UnsetType | None = msgspec.UNSET
    backfilled: float | msgspec.UnsetType = msgspec.UNSET


class MarketUpdate(Wire, frozen=True, kw_only=True):
    """What is another at one moment than at the one before; what is left out is as it was.

    A numbered one (closed, revised) has all of its bar; an open one follows the number it carries, and so it has what
    changed since the open one before, or, for a client that did not get that, all that changed since the number.
    """

    of: int  # the topic, as its snapshot numbered it
    seq: int
    # Of the bar; without `row`, also what the metrics are as of. Left out of an open one: that of the message before.
    open_time_ms: int | msgspec.UnsetType = msgspec.UNSET
    status: Literal["closed", "revised", "partial"] | msgspec.UnsetType = msgspec.UNSET  # left out: open
    bar: BarChange | msgspec.UnsetType = msgspec.UNSET  # left out where nothing was traded
    bar_ms: int | msgspec.UnsetType = msgspec.UNSET  # open time of that bar when it is an older one, and still open
    # The metrics of the moment, in the order of the snapshot's.
    values: list[float | str | None] | msgspec.UnsetType = msgspec.UNSET
    n: list[int] | msgspec.UnsetType = msgspec.UNSET
    reasons: list[Reason | None] | msgspec.UnsetType = msgspec.UNSET
    flags: list[list[Flag]] | msgspec.UnsetType = msgspec.UNSET
    shares: Shares | msgspec.UnsetType = msgspec.UNSET


class SymbolUpdate(MarketUpdate, frozen=True, kw_only=True, tag_field="type", tag="symbol"):
    """A symbol at one moment."""


class PairUpdate(MarketUpdate, frozen=True, kw_only=True, tag_field="type", tag="pair"):
    """A pair at one moment: bar of y, row, metrics, and what they may be read as."""

    y: Number | msgspec.UnsetType = msgspec.UNSET  # left out where the bar has its close
    x: Number | msgspec.UnsetType = msgspec.UNSET
    carried: int | msgspec.UnsetType = msgspec.UNSET
    # Of a row that is not the newest; the metrics stay. The moment now follows at once: to be shown together with it.
    row: PairRow | msgspec.UnsetType = msgspec.UNSET
    health: PairHealth | msgspec.UnsetType | None = msgspec.UNSET
    of_trades: Quantity | msgspec.UnsetType | None = msgspec.UNSET
    signal: PairSignal | msgspec.UnsetType = msgspec.UNSET


class StatusMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="status"):
    topic: str
    seq: int
    status: Status


class Ping(Wire, frozen=True, kw_only=True, tag_field="type", tag="ping"):
    """Each second, so that a client knows a silent server from a silent market."""

    now_ms: int


class Preparing(Wire, frozen=True, kw_only=True, tag_field="type", tag="preparing"):
    """What the topic needs is still being compiled; its snapshot comes when that is done."""

    topic: str


class ErrorMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="error"):
    topic: str | None
    error: ErrorBody


class JobsMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="jobs"):
    """All jobs, as they stand."""

    topic: str
    seq: int
    jobs: JobList


class AlertsSnapshot(Wire, frozen=True, kw_only=True, tag_field="type", tag="alerts_snapshot"):
    """How the engine of alerts is, and the newest events since the start of the server."""

    topic: str
    seq: int
    engine: AlertEngine
    changes: int  # of rules, mutes and channels since the start: when it rises, they are to be asked for anew
    events: list[AlertEvent]  # the newest first


class AlertsEvent(Wire, frozen=True, kw_only=True, tag_field="type", tag="alert"):
    """An event of a rule."""

    topic: str
    seq: int
    event: AlertEvent


class AlertsNow(Wire, frozen=True, kw_only=True, tag_field="type", tag="alerts"):
    """How the engine of alerts is now."""

    topic: str
    seq: int
    engine: AlertEngine
    changes: int


ServerMessage = (
    SymbolSnapshot
    | SymbolBar
    | SymbolMetrics
    | PairSnapshot
    | PairBar
    | PairMetrics
    | SymbolUpdate
    | PairUpdate
    | StatusMessage
    | JobsMessage
    | AlertsSnapshot
    | AlertsEvent
    | AlertsNow
    | Ping
    | Preparing
    | ErrorMessage
)
