"""The list of sealed files: a row for each in the table ``parts`` makes it a part of the tape.

A part holds one day (UTC, by exchange time) of one symbol: its trades sorted by id, or its bars of one interval
sorted by open time. A file without a row is not part of the tape, a row with ``damage`` stays as the memory of a
file that can no longer be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import duckdb

from pairscope.base.interval import Interval
from pairscope.base.symbol import name_of

Cursor = duckdb.DuckDBPyConnection
PartKind = Literal["trades", "bars"]

PATTERNS = ("date=*/venue=*/symbol=*/*", "date=*/symbol=*/*")  # of files of one kind, those of before format 4 too
_NUMBER = re.compile(r"(?:\w+-)?(\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class Part:
    """One sealed file."""

    number: int  # never given twice
    kind: PartKind
    symbol: str
    symbol_id: int
    interval_ms: int  # 0 for trades
    day_ms: int  # midnight, UTC
    row_count: int
    first_id: int
    last_id: int
    first_ms: int  # of trades their exchange times, of bars their open times
    last_ms: int
    last_id_ms: int  # time of the row with the last id
    byte_count: int
    sha256: str
    damage: str | None = None
    damaged_ms: int | None = None
    venue: str | None = None  # the folder of its venue; None: a file of before format 4, which lies in none

    @property
    def day(self) -> str:
        """The day as people write it: 2026-11-20."""
        return day_name(self.day_ms)

    @property
    def path(self) -> Path:
        """Where the file lies, from the folder of sealed days."""
        name = (
            f"{self.number}.parquet" if self.kind == "trades" else f"{Interval(self.interval_ms)}-{self.number}.parquet"
        )
        folder = Path(self.kind, f"date={self.day}")
        if self.venue is None:
            return folder / f"symbol={self.symbol}" / name
        return folder / f"venue={self.venue}" / f"symbol={name_of(self.symbol)}" / name

    def __str__(self) -> str:
        return self.path.as_posix()


_STORED = tuple(field.name for field in fields(Part) if field.name != "symbol")
_SELECT = f"select {', '.join(_STORED)} from parts"


def day_name(day_ms: int) -> str:
    """A day as people write it; one that no calendar has, of an impossible time on a tape, by its number.

    >>> day_name(1_732_060_800_000), day_name(1_732_060_800_000_000)
    ('2024-11-20', 'day-20047000')
    """
    try:
        return datetime.fromtimestamp(day_ms / 1_000, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return f"day-{day_ms // 86_400_000}"


def number_of(path: Path) -> int | None:
    """The number in the name of a part's file; None when the name is none of ours."""
    match = _NUMBER.fullmatch(path.name)
    return int(match[1]) if match else None


def select_parts(cursor: Cursor, where: str = "", values: list[int | str] | None = None) -> list[Part]:
    """Readable parts that fulfil a condition, by rising day and number."""
    condition = f"damage is null and {where}" if where else "damage is null"
    return _select(cursor, condition, values)


def damaged_parts(cursor: Cursor) -> list[Part]:
    """Parts that were found damaged."""
    return _select(cursor, "damage is not null")


def _select(cursor: Cursor, condition: str, values: list[int | str] | None = None) -> list[Part]:
    """Most readings find no part: for them the join with the names of symbols was most of the work."""
    rows = cursor.execute(f"{_SELECT} where {condition}", values or []).fetchall()
    if not rows:
        return []
    names = dict(cursor.execute("select symbol_id, name from symbols").fetchall())
    stored = [dict(zip(_STORED, row, strict=True)) for row in rows]
    parts = [Part(symbol=names[each["symbol_id"]], **each) for each in stored if each["symbol_id"] in names]
    return sorted(parts, key=lambda part: (part.day_ms, part.symbol, part.number))


def insert_part(connection: Cursor, part: Part) -> None:
    places = ", ".join("?" for _ in _STORED)
    connection.execute(f"insert into parts values ({places})", [getattr(part, name) for name in _STORED])


def delete_parts(connection: Cursor, numbers: list[int]) -> None:
    if numbers:
        connection.execute(f"delete from parts where number in ({', '.join(map(str, numbers))})")


def mark_damaged(connection: Cursor, part: Part, damage: str, now_ms: int) -> bool:
    """Take a part out of the tape; False when it is no readable part any more."""
    values = [damage, now_ms, part.number]
    query = "update parts set damage = ?, damaged_ms = ? where number = ? and damage is null"
    ((changed,),) = connection.execute(query, values).fetchall()
    return bool(changed)


def given_numbers(connection: Cursor) -> int:
    """The highest number of a part that was ever given out."""
    ((number,),) = connection.execute("select part_number from tape_format").fetchall()
    return int(number)


def take_numbers(connection: Cursor, count: int) -> int:
    """Numbers for parts about to be written; returns the first.

    They are given out before their files are made: an unlisted file with such a number is the rest of a crash, one
    with a higher number is something this tape knows nothing of.
    """
    first = given_numbers(connection) + 1
    connection.execute("update tape_format set part_number = ?", [first + count - 1])
    return first
