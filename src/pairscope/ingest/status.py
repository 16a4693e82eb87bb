"""What the room that takes trades in says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pairscope.base.clock import Clock, now_ms
from pairscope.base.model import Gap
from pairscope.feed.clock_check import ClockCheck
from pairscope.feed.health import StateName
from pairscope.feed.limits import MOST_CONNECTIONS
from pairscope.feed.source import Gone
from pairscope.feed.tally import Tally
from pairscope.feed.venue import RequestBudget, Stream, Venue
from pairscope.ingest.intake import IntakeCounters, Newest
from pairscope.ingest.repair.archive_fill import ArchiveFill
from pairscope.ingest.repair.repair import RepairStatus
from pairscope.ingest.watch import Watch


@dataclass(frozen=True, slots=True)
class FeedNow:
    """The stream of trades. Lags are those of the clock; of trades of another day they say nothing."""

    state: StateName
    since_ms: int
    connections: int
    reconnects: int
    last_error: str | None
    next_retry_ms: int | None
    last_frame_ms: int | None
    frames: int
    trades: int
    trades_per_s: float
    lag_ms_p50: float | None
    lag_ms_p95: float | None
    rejected: Mapping[str, int]  # frames, by reason
    waiting: int  # frames
    waiting_limit: int
    silent: Sequence[str]  # streams


@dataclass(frozen=True, slots=True)
class ExchangeNow:
    """How we stand with the exchange."""

    proxy: str | None
    next_allowed_ms: int | None
    next_allowed_why: str
    stream_next_allowed_ms: int | None
    archive_next_allowed_ms: int | None
    connections: int
    connections_allowed: int
    clock_offset_ms: float | None
    clock_checked_ms: int | None
    clock_notice: str | None
    gone: Sequence[Gone]
    halted: Mapping[str, str]
    without_history: Sequence[str]


@dataclass(frozen=True, slots=True)
class BudgetNow:
    """What may be asked of the exchange, in its own unit."""

    used: int
    own_limit: int
    limit: int
    banned_until_ms: int | None


@dataclass(frozen=True, slots=True)
class RepairsNow:
    """Everything that closes holes; what is not there for this source is not there here."""

    budget: BudgetNow
    backfill: RepairStatus
    archive: RepairStatus
    all: Sequence[RepairStatus]


@dataclass(frozen=True, slots=True)
class SymbolNow:
    """A watched symbol."""

    symbol: str
    newest: Newest | None  # trade since the start
    last_id: int | None
    gaps: Sequence[Gap]  # open ones


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """All of it."""

    feed: FeedNow
    exchange: ExchangeNow
    counters: IntakeCounters
    tally: Tally
    finished: bool  # a replay, to its end
    symbols: Sequence[SymbolNow]
    possible_pairs: int


def feed_now(stream: Stream, clock: Clock) -> FeedNow:
    health = stream.health
    return FeedNow(
        state=health.state,
        since_ms=health.since_ms,
        connections=health.connections,
        reconnects=health.reconnects,
        last_error=health.last_error,
        next_retry_ms=health.next_retry_ms,
        last_frame_ms=health.last_frame_ns // 1_000_000 or None,
        frames=health.frames,
        trades=health.trades,
        trades_per_s=round(health.rate.per_second(clock.monotonic_s()), 2),
        lag_ms_p50=health.lag_percentile(50),
        lag_ms_p95=health.lag_percentile(95),
        rejected=health.rejected,
        waiting=stream.waiting,
        waiting_limit=stream.waiting_limit,
        silent=stream.silent_streams(),
    )


def exchange_now(
    venue: Venue,
    stream: Stream,
    archive: ArchiveFill | None,
    clock_check: ClockCheck,
    watch: Watch,
) -> ExchangeNow:
    door = venue.budget.door
    return ExchangeNow(
        proxy=venue.proxy,
        next_allowed_ms=door.next_allowed_ms,
        next_allowed_why=door.why,
        stream_next_allowed_ms=stream.door.next_allowed_ms,
        archive_next_allowed_ms=archive.next_allowed_ms if archive else None,
        connections=stream.door.connections,
        connections_allowed=MOST_CONNECTIONS,
        clock_offset_ms=clock_check.offset_ms,
        clock_checked_ms=clock_check.checked_ms,
        clock_notice=clock_check.notice,
        gone=watch.gone,
        halted=watch.halted,
        without_history=watch.without_history,
    )


def budget_now(budget: RequestBudget, clock: Clock) -> BudgetNow:
    banned_ms = budget.banned_until_ms
    return BudgetNow(
        used=budget.used,
        own_limit=budget.own_limit,
        limit=budget.limit,
        banned_until_ms=banned_ms if banned_ms > now_ms(clock) else None,
    )
