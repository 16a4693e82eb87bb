"""A bound on what a tape takes on the disk: a warning near it, and at it the oldest sealed live days go.

Trades go before bars, and never anything imported or uploaded, nor what is not sealed yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from pairscope.base import files
from pairscope.base.errors import FileNotWritten
from pairscope.base.interval import DAY_MS
from pairscope.store.database import Database
from pairscope.store.retention import Going, Retention, old_gaps
from pairscope.store.sealed_catalog import Cursor, Part, PartKind, select_parts
from pairscope.store.shapes import TRADES

log = structlog.get_logger()

NEAR = 0.9  # of the bound: told from there
MOST_TOLD = 50


@dataclass(frozen=True, slots=True)
class LetGo:
    """A day that made room for newer ones."""

    kind: PartKind
    day: str
    file_bytes: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Room:
    """How a tape stands to its bound, as it was last looked at."""

    limit_bytes: int | None
    used_bytes: int | None  # None before the first look
    let_go: tuple[LetGo, ...]  # the newest last

    @property
    def is_near(self) -> bool:
        return self.limit_bytes is not None and (self.used_bytes or 0) >= NEAR * self.limit_bytes

    @property
    def is_over(self) -> bool:
        """Over it, and nothing is left that may go: what may has gone when this is seen."""
        return self.limit_bytes is not None and (self.used_bytes or 0) > self.limit_bytes


class RoomKeeper:
    """Keeps a tape within its bound. One call of `keep` at a time."""

    def __init__(self, path: Path, database: Database, retention: Retention, limit_bytes: int | None) -> None:
        self._file = path.with_name(f"{path.name}.let_go.json")
        self._database = database
        self._retention = retention
        self._limit_bytes = limit_bytes
        self.room = Room(limit_bytes, None, self._read())

    def _read(self) -> tuple[LetGo, ...]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=tuple[LetGo, ...])
        except (OSError, msgspec.DecodeError):
            return ()

    def keep(self, used_bytes: int, now_ms: int) -> None:
        """Take note of what the tape takes, and let days go when it is more than it may.

        Raises:
            StoreUnavailable: when the tape cannot be read or written; nothing is changed then.
        """
        before, let_go = self.room, self.room.let_go
        if self._limit_bytes is not None and used_bytes > self._limit_bytes:
            gone = self._let_go(used_bytes - self._limit_bytes, now_ms)
            used_bytes -= sum(day.file_bytes for day in gone)
            let_go = (*let_go, *gone)[-MOST_TOLD:]
            if gone:
                self._write(let_go)
        self.room = Room(self._limit_bytes, used_bytes, let_go)
        figures = {"used_bytes": used_bytes, "most_bytes": self._limit_bytes}
        if self.room.is_over and not before.is_over:
            log.error("disk_bound_not_kept", **figures, cure="raise most_disk_gb: all that is left is imported or open")
        elif self.room.is_near and not before.is_near:
            log.warning("disk_bound_near", **figures, then="the oldest sealed live days go")

    def _let_go(self, excess_bytes: int, now_ms: int) -> list[LetGo]:
        with self._database.reading() as cursor:
            cursor.execute("begin")
            protected = self._retention.imported_days(cursor)
            parts = [part for part in select_parts(cursor) if part not in protected]
        days: dict[tuple[bool, int], list[Part]] = {}
        for part in parts:
            days.setdefault((part.kind != TRADES.kind, part.day_ms), []).append(part)
        chosen: list[Part] = []
        gone: list[LetGo] = []
        for _, own in sorted(days.items()):
            if sum(day.file_bytes for day in gone) >= excess_bytes:
                break
            chosen += own
            gone.append(LetGo(own[0].kind, own[0].day, sum(part.byte_count for part in own), now_ms))
        if not chosen:
            return []
        numbers = {part.number for part in chosen}
        self._retention.delete(lambda connection: _going(connection, numbers))
        for day in gone:
            log.warning("day_let_go", kind=day.kind, day=day.day, file_bytes=day.file_bytes, cause="most_disk_gb")
        return gone

    def _write(self, let_go: tuple[LetGo, ...]) -> None:
        try:
            files.write_whole(self._file, msgspec.json.encode(let_go))
        except FileNotWritten as error:
            log.warning("let_go_not_kept", cause=error.message)


def _going(connection: Cursor, numbers: set[int]) -> Going:
    parts = [part for part in select_parts(connection) if part.number in numbers]
    days = {(part.symbol_id, part.day_ms) for part in parts if part.kind == TRADES.kind}
    newest_ms = max((day_ms for _, day_ms in days), default=-DAY_MS) + DAY_MS
    return Going(parts, [], old_gaps(connection, newest_ms, lambda symbol_id, day_ms: (symbol_id, day_ms) not in days))
