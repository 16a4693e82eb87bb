"""What is on the tape: symbols, gaps, back-fill, disk."""

from __future__ import annotations

from typing import Literal

from pairscope.api.wire.record import Number, Wire
from pairscope.base.gaps import GapReason, Obstacle


class TapeGap(Wire, frozen=True, kw_only=True):
    """A run of trade ids that exist and are not on the tape, or were not once."""

    symbol: str
    first_id: int
    last_id: int
    ids: int
    found_ms: int
    after_ms: int | None  # time of the trade before the hole
    before_ms: int | None  # time of the trade after it
    reason: GapReason
    obstacle: Obstacle | None  # why it cannot be filled for now
    looked_ms: int | None  # of no_archive_file: when the file was last looked for
    closed_ms: int | None


class TapeSymbol(Wire, frozen=True, kw_only=True):
    symbol: str
    first_id: int | None
    last_id: int | None
    first_ms: int | None
    last_ms: int | None
    trades: int
    backfilled: int  # of these, came later than by the socket
    backfilled_share: Number  # null without a trade
    imported: int | None  # of these, nobody had listened for; null until the sealed days were looked through
    imported_bars: int | None  # bars that were imported or uploaded
    imported_goes_ms: int | None  # when the first of it may be deleted; null: never, or not known yet
    ids_missing: int
    gaps_open: int
    gaps_closed: int
    lag_ms: Number  # median receive time less trade time over the newest bursts; null while it is not heard
    verified_ms: int | None  # when `pairscope verify` last read all of it
    verified_differences: int | None  # that it found then


class TapeTotals(Wire, frozen=True, kw_only=True):
    """All symbols together."""

    state: Literal["empty", "complete", "incomplete"]
    ids: int  # from the first to the last of every symbol
    trades: int
    backfilled: int
    backfilled_share: Number  # of the trades; null without any
    ids_missing: int
    gaps_open: int
    gaps_closed: int


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


class DamagedFile(Wire, frozen=True, kw_only=True):
    """A sealed file that is not what it was; what was in it is a gap, and is asked for again."""

    file: str
    damage: str  # how it was seen


class DayLetGo(Wire, frozen=True, kw_only=True):
    """A day that was deleted for newer ones to have room."""

    kind: Literal["trades", "bars"]
    day: str  # 2026-11-27
    file_bytes: int
    at_ms: int


class DiskStatus(Wire, frozen=True, kw_only=True):
    open_bytes: int  # the file of the open day
    trades_bytes: int  # sealed days
    bars_bytes: int
    free_bytes: int
    sealed_days: int
    damaged: list[DamagedFile]  # moved aside
    quarantined: list[str]  # the same as lines of text; in this version only
    damaged_logs: list[str]  # of the open file, set aside
    state_bytes: int  # the database of what people and programs change
    damaged_states: list[str]  # such databases, and files of older versions, that could not be read and were set aside
    state_error: str | None  # why it cannot be read now
    used_bytes: int | None  # all of the tape, against its bound; null before the first look
    most_bytes: int | None  # that it may take; null: no bound
    is_near_bound: bool  # nine tenths of it are taken
    made_room: list[DayLetGo]  # the newest first
    let_go: list[str]  # the same as lines of text; in this version only
    keep_data_days: int
    keep_bar_days: int
    keep_imported_days: int | None  # of days with anything imported or uploaded; null: for ever


class TapeStatus(Wire, frozen=True, kw_only=True):
    """What the tape holds and what it lacks."""

    totals: TapeTotals
    symbols: list[TapeSymbol]
    gaps: list[TapeGap]  # open ones first, then the newest closed ones; at most a few hundred
    backfill: BackfillStatus
    disk: DiskStatus
