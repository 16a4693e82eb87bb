"""A venue's official daily and monthly files: what one is, what was found in it, and what reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pairscope.base.errors import ArchiveError
from pairscope.base.id_ranges import Runs, holes, size, union
from pairscope.base.interval import DAY_MS, Interval
from pairscope.base.model import BarArray, TradeKind
from pairscope.feed.judge import GoodTrades, Judge, Judged, Refusal


class ArchiveKind(StrEnum):
    AGG = "aggTrades"
    RAW = "trades"
    KLINES = "klines"

    @property
    def trade_kind(self) -> TradeKind | None:
        return {"aggTrades": TradeKind.AGG, "trades": TradeKind.RAW}.get(self.value)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """An official file, as its name tells it. Its period is half-open."""

    path: Path
    symbol: str
    kind: ArchiveKind
    interval: Interval | None  # of klines
    from_ms: int
    to_ms: int

    @property
    def name(self) -> str:
        """The name without its ending: the same for a zip and for the CSV that was in it."""
        return self.path.stem


class LeftOut(Protocol):
    """Rows of a file that are no trades."""

    count: int

    @property
    def told(self) -> list[str]:
        """What is said of them to people."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in a file of trades."""

    rows: int  # that could be read
    ids: Runs  # of its trades
    refused: Mapping[Refusal, Runs]  # ids that exist and whose rows are no trades, by the reason
    doubles: int
    conflicting: int  # of these, contradict the first one
    unsorted: int  # rows that came after a higher id
    faults: LeftOut
    first_ms: int
    last_ms: int

    @property
    def trades(self) -> int:
        return size(self.ids)

    @property
    def known(self) -> Runs:
        """All ids the file tells of."""
        return union(self.ids, *self.refused.values())

    @property
    def missing(self) -> Runs:
        """Ids between the first and the last that the file does not have."""
        return holes(self.known)


@dataclass(frozen=True, slots=True)
class KlinesReport:
    """The bars of a file, oldest first, each once, and what is odd about it."""

    bars: BarArray
    notes: tuple[str, ...]


class TradesReader(Protocol):
    """The trades of one file; reading it is work for a thread."""

    def examine(self) -> FileReport:
        """Read the whole file and tell what it holds.

        Raises:
            ArchiveError: when it is damaged, is not what its name says, or holds no trade.
        """

    def batches(self, symbol_id: int, wanted: Runs) -> Iterator[GoodTrades]:
        """The trades of these ids, each once, in batches that are sorted by id."""

    def judged(self, symbol_id: int, wanted: Runs) -> Iterator[Judged]:
        """The rows of these ids, each id once, refused ones only for ids that come as no trade."""


class ArchiveFiles(Protocol):
    """How a venue's official files are found and read; nothing of it needs the network."""

    def find(
        self, paths: Iterable[Path], refused: list[ArchiveError] | None = None, *, later_first: bool = False
    ) -> list[ArchiveFile]:
        """The official files among these paths and in these folders, in the order in which they are to be read.

        Raises:
            ArchiveError: for a path that is not there, a file that is not called like an official one, or none.
        """

    def named(self, path: Path) -> ArchiveFile | None:
        """What a file is by its name; None when it is not called like an official one."""

    def name(self, symbol: str, kind: ArchiveKind, day: date) -> str:
        """What the venue calls a daily file."""

    def checked(self, path: Path) -> str:
        """The SHA-256 of a file, compared with the official one when that lies beside it.

        Raises:
            ArchiveError: when the two differ.
        """

    def trades(self, file: ArchiveFile, received_ns: int, judge: Judge, kept_rows: int) -> TradesReader:
        """A reader; a file of more than `kept_rows` is read twice, and not held in memory meanwhile."""

    def klines(self, file: ArchiveFile, symbol_id: int, *, last_stands: bool = False) -> KlinesReport:
        """Read and check a file of klines.

        Raises:
            ArchiveError: when it cannot be used.
        """

    def unused_ids(self, absent: Runs, file: ArchiveFile, proofs: Iterable[ArchiveFile]) -> Runs:
        """Those of some raw ids that no trade has, as files of aggregated trades prove."""


def day_ms(day: date) -> int:
    """The first millisecond of a UTC day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000


def covers(file: ArchiveFile, first_ms: int, last_ms: int) -> str:
    """Which part of its day or month a file is of, from the time of its first row to that of its last."""
    one_day = file.to_ms - file.from_ms == DAY_MS
    pattern = "%H:%M" if one_day else "%Y-%m-%d %H:%M"
    first, last = (datetime.fromtimestamp(ms / 1_000, UTC).strftime(pattern) for ms in (first_ms, last_ms))
    return f"covers {first}–{last} of its {'day' if one_day else 'month'}"
