"""Bars, trades, metrics and what is told of pairs, as they cross the wire."""

from __future__ import annotations

from typing import Literal

import msgspec

from pairscope.analytics.entry.metric import Unit
from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.metrics.cointegration import Rejection
from pairscope.analytics.values import Flag, Reason
from pairscope.api.wire.alerts import PairAlerts
from pairscope.api.wire.record import Number, Wire
from pairscope.bars.cuts import MissingReason
from pairscope.live.signals import Muted

BarStatus = Literal["open", "closed", "revised", "partial"]  # partial: not heard from its beginning to its end
BarSource = Literal["live", "upload", "import"]
Continuity = Literal["proved", "sampled", "unproved", "partial"]
Origin = Literal["ws", "rest", "archive", "simulator", "import"]


class Quantity(Wire, frozen=True, kw_only=True):
    """One metric: its value, or null with the reason, and what it was computed from."""

    value: float | str | None
    unit: Unit
    window: int  # bars asked for
    n: int  # observations used
    as_of_ms: int | None  # open time of the last bar used
    missing: Number  # share of the window's trade ids that are not on the tape; null when it is not known
    reason: Reason | None = None
    missing_reason: MissingReason | None = None  # why missing is null
    continuity: Continuity | None = None  # what is proved of the trades of its bars, the worst of them; null: no bar
    backfilled: float = 0.0  # share of its trades that came later than by the socket
    flags: list[Flag] | msgspec.UnsetType = msgspec.UNSET  # what is to be known of a value; left out when nothing is


class BarColumns(Wire, frozen=True, kw_only=True):
    """Bars of one symbol and interval, oldest first."""

    open_time_ms: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    quote_volume: list[float]
    buy_volume: list[float]
    vwap: list[Number]
    trades: list[int]
    missing: list[Number]  # share of the bar's trade ids that are not on the tape; null when it is not known
    status: list[BarStatus]
    source: list[BarSource]
    continuity: list[Continuity] = []  # missing is a number only where it is proved
    missing_reason: list[MissingReason | None] = []  # why missing is null
    backfilled: list[float] = []  # share of the trades that came later than by the socket


class Ohlc(Wire, frozen=True, kw_only=True):
    symbol: str
    interval: str
    bars: BarColumns


class TradeColumns(Wire, frozen=True, kw_only=True):
    id: list[int]
    time_ms: list[int]
    price: list[float]
    size: list[float]
    buyer_is_maker: list[bool]
    received_ns: list[int]
    origin: list[Origin]


class LatestTrades(Wire, frozen=True, kw_only=True):
    symbol: str
    trades: TradeColumns


class PairColumns(Wire, frozen=True, kw_only=True):
    """A pair on the common grid of bars. Row i uses nothing later than bar i."""

    open_time_ms: list[int]
    y: list[Number]  # close of y, last price carried forward
    x: list[Number]
    beta: list[Number]
    alpha: list[Number]
    spread: list[Number]
    spread_z: list[Number]
    correlation: list[Number]
    carried: list[int] = []  # legs that did not trade in the bar, so that an older price stands: 1 y, 2 x, 3 both


class PairSignal(Wire, frozen=True, kw_only=True):
    """What the z of a pair may be read as. The spread counts as stretched from |z| = 2."""

    side: Literal["flat", "short", "long"] | None  # expected of the spread: nothing, to fall, to rise; null without a z
    muted: Muted | None  # why it is not to be acted on; null: it is a signal
    late: list[str]  # legs that are not heard: for two bars, but never less than 3 s nor more than 10 s


class PairSuggestion(Wire, frozen=True, kw_only=True):
    """An interval and a window in which the tape itself shows a pair."""

    interval: str
    window: int
    p: float


class PairHealth(Wire, frozen=True, kw_only=True):
    """One word for a pair, what speaks against it, and how long it has been so; of closed bars."""

    condition: Condition
    reasons: list[str]
    doubts: int  # of the reasons, the first so many speak against the pair; others tell what is not known
    as_of_ms: int | None  # open time of the bar of the newest reading
    since_ms: int | None  # of the reading at which the condition began
    is_since_before: bool  # it began earlier, beyond what is replayed
    held_until_ms: int | None  # when a pair that is neither cointegrated nor weakening last was
    shares: dict[Condition, float]  # of the readings of the last four windows, by condition
    windows: float  # of readings that were replayed, at most five
    visible_half_life: Number  # bars, for not_shown: what this window would have seen in 4 of 5 cases
    suggestion: PairSuggestion | None  # for a pair that is not held


class PairSpikes(Wire, frozen=True, kw_only=True):
    """Open times of the bars whose leap was taken back at once: the tests and the half-life do without them."""

    y: list[int]
    x: list[int]


class LeadLagCurve(Wire, frozen=True, kw_only=True):
    """How well the trades of y fit those of x moved later by a lag; the leader moves first."""

    lag_ms: Number
    low_ms: Number  # 95 % interval
    high_ms: Number
    leader: Literal["y", "x"] | None
    n: int
    reason: Reason | None
    lags_ms: list[int]
    contrasts: list[Number]


class EppsColumns(Wire, frozen=True, kw_only=True):
    """Correlation of returns by the length of the bars, beside the one of the trades themselves."""

    interval_s: list[int]
    correlation: list[Number]
    n: list[int]
    hayashi_yoshida: Number


class PairTests(Wire, frozen=True, kw_only=True):
    """What the tests of a pair are drawn from; their numbers are among the metrics."""

    health: PairHealth
    rejection: Rejection | None  # what coint_p says; null without one
    spikes: PairSpikes
    lead_lag: LeadLagCurve
    epps: EppsColumns


class PairAnswer(Wire, frozen=True, kw_only=True):
    y: str
    x: str
    interval: str
    window: int
    method: str
    prices: Literal["log", "level"]  # what y and x are
    intercept: bool
    remarks: list[str]  # what is to be known of every number on these terms
    series: PairColumns
    metrics: dict[str, Quantity]
    tests: PairTests | None = None
    signal: PairSignal | None = None  # at the last row; with the tests alone, for it rests on them
    alerts: PairAlerts | None = None  # when they were asked for


class SymbolAnswer(Wire, frozen=True, kw_only=True):
    symbol: str
    interval: str
    window: int
    metrics: dict[str, Quantity]


class SymbolSeriesAnswer(Wire, frozen=True, kw_only=True):
    """Metrics of a symbol at each bar, by name. Row i uses nothing later than bar i."""

    symbol: str
    interval: str
    window: int
    open_time_ms: list[int]
    close: list[Number]
    metrics: dict[str, list[float | str | None]]


class CorrelationMatrix(Wire, frozen=True, kw_only=True):
    """Every symbol with every other; null where there is no number, with the reason in the same place."""

    symbols: list[str]
    of: Literal["returns", "prices", "trades"]
    on: Literal["returns", "levels", "hy"]  # the same in the words of version 0.2; in this version only
    interval: str
    window: int
    as_of_ms: int
    correlation: list[list[Number]]
    n: list[list[int]]  # observations of each pair
    reason: list[list[Reason | None]]
    flag: list[list[Flag | None]]  # what is to be known of a number that is there: beyond_one
    missing: list[Number]  # of each symbol, the share of the window's trade ids not on the tape; null when unknown
    missing_reason: list[MissingReason | None]  # why missing is null
    continuity: list[Continuity | None] = []  # of each symbol


class Clustering(Wire, frozen=True, kw_only=True):
    """Groups of symbols that move together. The matrix is in the order of the tree, so that groups stand together."""

    matrix: CorrelationMatrix
    cut: float  # distance below which symbols belong together
    cluster: list[int]  # of each symbol, numbered along the tree
    clusters: list[list[str]]
    left: list[int]  # the two parts of each join: a symbol below k, else k + the join that made it
    right: list[int]
    height: list[float]  # distance of the two, never falling


class AnalyticsAnswer(Wire, frozen=True, kw_only=True):
    """The present metrics of every watched symbol and of the pairs that are kept computed (named Y/X)."""

    interval: str
    window: int
    symbols: dict[str, dict[str, Quantity]]
    pairs: dict[str, dict[str, Quantity]]
    pairs_left_out: int = 0  # because the answer would hold more than 100,000 values; ask for them one at a time
