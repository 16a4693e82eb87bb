"""What crosses the wire, once: every REST answer and WebSocket message as a typed record.

The OpenAPI schema and the dashboard's TypeScript types are generated from these classes. Conventions:
times are integer milliseconds (``_ms``); bars and series travel as columns of equal length; what cannot
be given is ``null``, and a single value then carries its ``reason``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pairscope.live.kernels import Part

Number = float | None


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything on the wire."""


# --- errors -----------------------------------------------------------------------------------------


class ErrorBody(Wire, frozen=True, kw_only=True):
    code: str
    message: str
    cure: str


class ErrorAnswer(Wire, frozen=True, kw_only=True):
    """The one shape of every error, whatever the endpoint."""

    error: ErrorBody


# --- numbers ----------------------------------------------------------------------------------------


class Quantity(Wire, frozen=True, kw_only=True):
    """One metric: its value, or null with the reason, and what it was computed from."""

    value: float | str | None
    unit: str
    window: int  # bars asked for
    n: int  # observations used
    as_of_ms: int | None  # open time of the last bar used
    missing: Number  # share of the window's trade ids that are not on the tape; null when it is not known
    reason: str | None = None
    missing_reason: str | None = None  # why missing is null
    backfilled: float = 0.0  # share of its trades that came later than by the socket
    flags: list[str] | msgspec.UnsetType = msgspec.UNSET  # what is to be known of a value; left out when nothing is


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
    status: list[str]  # open, closed, revised, partial: not heard from its beginning to its end
    source: list[str]  # live, upload, import
    continuity: list[str] = []  # proved, sampled, unproved, partial; missing is a number only where it is proved
    missing_reason: list[str | None] = []  # why missing is null
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
    origin: list[str]


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
    # Why it is not to be acted on: leg_late, not_now (a tape, or a time that is past), unjudged (health is not known
    # yet), or the health of a pair that is not shown to be one; null: it is a signal.
    muted: str | None
    late: list[str]  # legs that are not heard: for two bars, but never less than 3 s nor more than 10 s


class PairSuggestion(Wire, frozen=True, kw_only=True):
    """An interval and a window in which the tape itself shows a pair."""

    interval: str
    window: int
    p: float


class PairHealth(Wire, frozen=True, kw_only=True):
    """One word for a pair, what speaks against it, and how long it has been so; of closed bars."""

    condition: Literal["cointegrated", "weakening", "broken", "not_shown", "unrelated", "unknown"]
    reasons: list[str]
    as_of_ms: int | None  # open time of the bar of the newest reading
    since_ms: int | None  # of the reading at which the condition began
    is_since_before: bool  # it began earlier, beyond what is replayed
    held_until_ms: int | None  # when a pair that is neither cointegrated nor weakening last was
    shares: dict[str, float]  # of the readings of the last four windows, by condition
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
    reason: str | None
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
    on: Literal["returns", "levels", "hy"]
    interval: str
    window: int
    as_of_ms: int
    correlation: list[list[Number]]
    n: list[list[int]]  # observations of each pair
    reason: list[list[str | None]]
    flag: list[list[str | None]]  # what is to be known of a number that is there: beyond_one
    missing: list[Number]  # of each symbol, the share of the window's trade ids not on the tape; null when unknown
    missing_reason: list[str | None]  # why missing is null


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


# --- the running system -----------------------------------------------------------------------------


class Health(Wire, frozen=True, kw_only=True):
    """Whether the process lives and its parts work; 200 when ok or starting, 503 when degraded."""

    status: Literal["ok", "starting", "degraded"]
    version: str
    problems: list[str]


class SymbolInfo(Wire, frozen=True, kw_only=True):
    symbol: str
    tick_size: float
    price_decimals: int
    step_size: float


class Opening(Wire, frozen=True, kw_only=True):
    """Where a page begins whose address names nothing."""

    pair: str | None  # Y/X
    interval: str
    window: int


class Config(Wire, frozen=True, kw_only=True):
    """What the dashboard needs once, at its start."""

    version: str
    symbols: list[SymbolInfo]
    pairs: list[str]  # Y/X
    intervals: list[str]
    metric_interval: str
    window: int
    max_bars: int
    trade_kind: str
    opening: Opening


class MetricParameter(Wire, frozen=True, kw_only=True):
    name: str
    kind: Literal["int", "float", "choice"]
    default: float | str
    low: Number
    high: Number
    choices: list[str]
    remarks: dict[str, str]  # what is to be known of a choice
    wants: dict[str, int]  # bars of the window below which a choice is of little use
    wants_each: int  # bars of the window that each unit of a number wants, until what was before is forgotten; 0: none


class MetricInfo(Wire, frozen=True, kw_only=True):
    name: str
    scope: Literal["symbol", "pair"]
    title: str
    formula: str
    unit: str
    unit_on_levels: str  # of a pair on prices themselves instead of their logarithms
    window: int  # default; 0 when the metric has none
    fewest: int
    reference: str
    remark: str
    parameters: list[MetricParameter]
    # Computed with each bar, the open one included; when a bar has closed; or when asked for.
    cadence: Literal["bar", "close", "scan"]
    needs: Literal["bars", "trades", "history"]


class SourceStatus(Wire, frozen=True, kw_only=True):
    kind: Literal["live", "simulator", "replay", "tape"]
    requested: Literal["auto", "live", "simulator", "replay", "tape"]
    label: str  # what to call it on the page: "Binance USD-M Futures", "Simulated market", ...
    banner: str | None  # to be shown where nobody can miss it
    reason: str | None  # why auto fell back: unreachable, http_451, ...
    detail: str | None
    finished: bool  # a replay that has played to its end


class FeedStatus(Wire, frozen=True, kw_only=True):
    state: Literal["connecting", "live", "stale", "down", "finished", "off"]  # off: a tape, nothing is received
    since_ms: int
    connections: int
    reconnects: int
    last_error: str | None
    next_retry_ms: int | None
    last_frame_ms: int | None  # our clock
    frames: int
    trades: int
    trades_per_s: float
    lag_ms_p50: Number  # receive time less exchange event time
    lag_ms_p95: Number
    duplicates: int
    conflicting: int  # of the duplicates, contradict what came first
    rejected: dict[str, int]  # reason -> frames or rows not taken
    rejected_by_origin: dict[str, dict[str, int]]  # socket, rest, archive; frames: those that hold no row
    noted: dict[str, int]  # reason -> rows that are odd and kept
    frames_waiting: int
    frames_limit: int
    silent: list[str]  # streams acknowledged and not heard


class GoneSymbol(Wire, frozen=True, kw_only=True):
    """A symbol that was asked for and is not listed, or no longer."""

    symbol: str
    nearest: str | None  # the listed name most like it


class ExchangeStatus(Wire, frozen=True, kw_only=True):
    """How we stand with the exchange: the way to it, its limits, its clock, its list."""

    proxy: str | None  # that the stream goes through; without user and password
    next_allowed_ms: int | None  # before which its REST API asked not to be asked; null: now
    next_allowed_why: str | None  # HTTP 429, ...
    stream_next_allowed_ms: int | None
    archive_next_allowed_ms: int | None
    connections: int  # asked for in the last five minutes, by all processes of the data folder
    connections_allowed: int
    clock_offset_ms: Number  # our clock less the exchange's; null when unknown
    clock_checked_ms: int | None
    gone: list[GoneSymbol]
    halted: dict[str, str]  # listed and not trading: the exchange's word for it


class StoreStatus(Wire, frozen=True, kw_only=True):
    path: str
    trades_committed: int
    rows_waiting: int
    rows_limit: int
    rows_refused: int
    commit_ms_p50: Number
    commit_ms_p99: Number
    last_commit_ms: int | None
    commits_retried: int  # failed, and were written by another attempt: nothing was lost
    reads_waiting: int  # questions to the tape that wait for those before them
    reads_repeated: int  # because memory ran out, or a failed commit turned them out
    database_bytes: int
    error: str | None


class ClientsStatus(Wire, frozen=True, kw_only=True):
    clients: int
    topics: int
    sent: int
    conflated: int
    cut_off: int


class GateStatus(Wire, frozen=True, kw_only=True):
    """A line of those who ask, and how many have left it without an answer since the start."""

    waiting: int
    refused: int  # told when to come back, because the line was full
    abandoned: int  # closed their connection while they waited, or while it was computed


class RequestsStatus(Wire, frozen=True, kw_only=True):
    """HTTP connections, and the lines in which requests wait."""

    connections: int
    connections_limit: int
    connections_refused: int
    timed_out: int  # did not send their request, or did not read its answer, in time
    disk: GateStatus
    metrics: GateStatus  # of a symbol
    everything: GateStatus  # metrics of all symbols and pairs
    studies: GateStatus


class SymbolStatus(Wire, frozen=True, kw_only=True):
    symbol: str
    last_price: Number
    last_trade_ms: int | None
    received_ms: int | None
    trades: int
    last_id: int | None
    gaps_open: int
    ids_missing: int


class SymbolsWatched(Wire, frozen=True, kw_only=True):
    """What is watched after a change, and how many symbols may be."""

    symbols: list[str]
    pairs: list[str]  # Y/X
    most_symbols: int


class KernelsStatus(Wire, frozen=True, kw_only=True):
    """Compiled numeric code: made by other processes, in parts."""

    preparing: list[Part]  # not there yet: what needs one of them is answered with 503 and `Retry-After`
    compiled_here: int  # functions this process had to compile itself: always 0, or a fault of pairscope


class LoopStatus(Wire, frozen=True, kw_only=True):
    """How late this process came to its work within the last minute."""

    lag_ms_p50: float
    lag_ms_p99: float
    lag_ms_longest: float


class Status(Wire, frozen=True, kw_only=True):
    version: str
    now_ms: int
    started_ms: int
    uptime_s: float
    warming_up: bool  # numeric kernels are still being compiled
    kernels: KernelsStatus
    loop: LoopStatus
    memory_bytes: int
    source: SourceStatus
    notices: list[str]  # that people should see on every page; empty when all is well
    feed: FeedStatus
    exchange: ExchangeStatus
    store: StoreStatus
    clients: ClientsStatus
    requests: RequestsStatus
    symbols: list[SymbolStatus]
    pairs_computed: int  # kept computed; others are computed when somebody looks at them
    pairs_possible: int  # of the watched symbols, or those of the settings


class TapeGap(Wire, frozen=True, kw_only=True):
    """A run of trade ids that exist and are not on the tape, or were not once."""

    symbol: str
    first_id: int
    last_id: int
    ids: int
    found_ms: int
    after_ms: int | None  # time of the trade before the hole
    before_ms: int | None  # time of the trade after it
    reason: str
    obstacle: str | None  # why it cannot be filled for now
    closed_ms: int | None


class TapeSymbol(Wire, frozen=True, kw_only=True):
    symbol: str
    first_id: int | None
    last_id: int | None
    first_ms: int | None
    last_ms: int | None
    trades: int
    backfilled: int  # of these, came later than by the socket
    imported: int | None  # of these, nobody had listened for; null until the sealed days were looked through
    imported_bars: int | None  # bars that were imported or uploaded
    imported_goes_ms: int | None  # when the first of it may be deleted; null: never, or not known yet
    ids_missing: int
    gaps_open: int
    gaps_closed: int
    lag_ms: Number  # median receive time less trade time over the newest bursts; null while it is not heard
    verified_ms: int | None  # when `pairscope verify` last read all of it
    verified_differences: int | None  # that it found then


class BackfillStatus(Wire, frozen=True, kw_only=True):
    ids_waiting: int
    pages: int
    trades: int
    failures: int
    last_error: str | None
    weight_used: int  # in this minute, by this process
    weight_allowed: int  # of it, at most half of the exchange's limit
    weight_limit: int
    banned_until_ms: int | None
    archive_ids: int  # too old for REST: only a daily file may still have them
    archive_files: int  # daily files read
    archive_trades: int  # that they brought
    archive_error: str | None


class DiskStatus(Wire, frozen=True, kw_only=True):
    open_bytes: int  # the file of the open day
    trades_bytes: int  # sealed days
    bars_bytes: int
    free_bytes: int
    sealed_days: int
    quarantined: list[str]  # damaged files, moved aside
    damaged_logs: list[str]  # of the open file, set aside
    used_bytes: int | None  # all of the tape, against its bound; null before the first look
    most_bytes: int | None  # that it may take; null: no bound
    let_go: list[str]  # days that made room, the newest first
    keep_data_days: int
    keep_bar_days: int
    keep_imported_days: int | None  # of days with anything imported or uploaded; null: for ever


class TapeStatus(Wire, frozen=True, kw_only=True):
    """What the tape holds and what it lacks."""

    symbols: list[TapeSymbol]
    gaps: list[TapeGap]  # open ones first, then the newest closed ones; at most a few hundred
    backfill: BackfillStatus
    disk: DiskStatus


# --- WebSocket /ws ----------------------------------------------------------------------------------
#
# Topics: `status`, `symbol:{SYMBOL}:{interval}`, `pair:{Y}:{X}:{interval}:{window}:{method}`, the last with
# `:prices=level` and `:intercept=false` after it where they are asked for.
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
    status: str
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
    quote_volume: float | msgspec.UnsetType = msgspec.UNSET  # vwap is quote_volume / volume
    buy_volume: float | msgspec.UnsetType = msgspec.UNSET
    trades: int | msgspec.UnsetType = msgspec.UNSET
    missing: Number | msgspec.UnsetType = msgspec.UNSET  # of a new bar 0
    missing_reason: str | msgspec.UnsetType | None = msgspec.UNSET  # null
    continuity: str | msgspec.UnsetType = msgspec.UNSET  # proved
    backfilled: float | msgspec.UnsetType = msgspec.UNSET  # 0
    source: str | msgspec.UnsetType = msgspec.UNSET  # live
    status: str | msgspec.UnsetType = msgspec.UNSET  # that of the message


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
    missing_reason: str | msgspec.UnsetType | None = msgspec.UNSET
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
    reasons: list[str | None] | msgspec.UnsetType = msgspec.UNSET
    flags: list[list[str]] | msgspec.UnsetType = msgspec.UNSET
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
    | Ping
    | Preparing
    | ErrorMessage
)
