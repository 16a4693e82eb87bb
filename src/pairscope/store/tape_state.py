"""A tape as it stands: its counters and its room on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pairscope.store import data_folder
from pairscope.store.database import Database
from pairscope.store.room import Room
from pairscope.store.writer import WriterCounters


@dataclass(frozen=True, slots=True)
class StoreCounters:
    """How the disk is doing. Percentiles are of the last commits, NaN before the first."""

    trades_committed: int  # since the tape was opened
    rows_waiting: int  # trades accepted and not yet on the disk
    rows_limit: int
    rows_refused: int  # trades, bars and gaps that found their queue full
    commit_ms_p50: float
    commit_ms_p99: float
    last_commit_ms: int | None  # wall time
    commits_retried: int  # failed, and were written by another attempt
    reads_waiting: int  # for those before them
    reads_repeated: int  # because memory ran out, or a failed commit turned them out
    database_bytes: int
    error: str | None  # why the last write failed, while it has not succeeded again


@dataclass(frozen=True, slots=True)
class TapeState:
    """A tape as it stands."""

    path: Path
    counters: StoreCounters
    room: Room


def counted(path: Path, database: Database, writer: WriterCounters, rows_limit: int) -> StoreCounters:
    """What the parts of a tape count, together."""
    return StoreCounters(
        trades_committed=writer.trades_committed,
        rows_waiting=writer.rows_waiting,
        rows_limit=rows_limit,
        rows_refused=writer.rows_refused,
        commit_ms_p50=writer.commit_ms_p50,
        commit_ms_p99=writer.commit_ms_p99,
        last_commit_ms=writer.last_commit_ms,
        commits_retried=writer.commits_retried,
        reads_waiting=database.gate.waiting,
        reads_repeated=database.reads_repeated,
        database_bytes=data_folder.size_bytes(path),
        error=writer.error,
    )
