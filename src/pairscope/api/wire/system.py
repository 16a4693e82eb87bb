"""What the running system says of itself: sources, feed, store, requests, settings."""

from __future__ import annotations

from typing import Literal

from pairscope.alerts.system import SystemUnit
from pairscope.analytics.entry.metric import Unit
from pairscope.api.wire.record import Number, Wire
from pairscope.live.kernels import Part


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
    base: str | None = None  # the two assets as the venue names them; null where it has not told them
    quote: str | None = None  # the one that prices are in
    kind: Literal["perpetual", "future", "spot", "other"] | None = None
    contract_size: float | None = None  # of the base asset, in one unit of a size
    native: str | None = None  # the venue's own spelling


class Legs(Wire, frozen=True, kw_only=True):
    """The two symbols of a pair: y is regressed on x."""

    y: str
    x: str


class Opening(Wire, frozen=True, kw_only=True):
    """Where a page begins whose address names nothing."""

    pair: str | None  # Y/X
    legs: Legs | None  # the same in two fields
    interval: str
    window: int


class Config(Wire, frozen=True, kw_only=True):
    """What the dashboard needs once, at its start."""

    version: str
    symbols: list[SymbolInfo]
    pairs: list[str]  # Y/X
    legs: list[Legs]  # of each pair
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
    scope: Literal["symbol", "pair", "system"]  # system: of pairscope itself, for rules of alerts alone
    title: str
    formula: str
    unit: Unit | SystemUnit
    unit_on_levels: Unit | SystemUnit  # of a pair on prices themselves instead of their logarithms
    window: int  # default; 0 when the metric has none
    fewest: int
    reference: str
    remark: str
    parameters: list[MetricParameter]
    # Computed with each bar, the open one included; when a bar has closed; when asked for; or every few seconds.
    cadence: Literal["bar", "close", "on_request", "clock"]
    needs: Literal["bars", "trades", "history", "nothing"]
    in_rules: bool  # a rule of alerts may be read on it
    is_centred: bool  # it lies around 0 and comes back there
    words: list[str]  # one of which it is, for a metric that is a word


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
