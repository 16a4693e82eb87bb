"""The one rule for rows of official files that are not what their file is of.

Such a row is left out, named by its line and counted. A file with too many of them is something else, and refused
whole: more than one bar in a hundred, because nothing else tells of a bar that is left out; more than half of the
trades, because the id of each stays known, and a gap says what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from pairscope.base.errors import ArchiveError
from pairscope.feed.archive_files import ArchiveFile
from pairscope.feed.binance.archive import anew

BAD_BARS, BAD_TRADES = 0.01, 0.5
SHOWN = 3  # lines that are named
FIRST_US = 10**14  # times from here on are in µs: as ms they would lie in the year 5138


def too_many(bad: int, rows: int, share: float) -> bool:
    """Whether so many bad rows of so many say that a file is something else."""
    return bad > share * rows


def left_out(count: int, first: Mapping[int, str], what: str) -> list[str]:
    """What is told of bad rows: how many, and what is wrong with those that are named.

    >>> left_out(4, {9: "cannot be read", 7: "has no price"}, "bars")
    ['4 rows are no bars and were left out: line 7 has no price; line 9 cannot be read; and 2 more']
    """
    if not count:
        return []
    shown = sorted(first)[:SHOWN]
    named = "; ".join(f"line {line} {first[line]}" for line in shown)
    more = f"; and {count - len(shown):,} more" if count > len(shown) else ""
    return [f"{count:,} rows are no {what} and were left out: {named}{more}"]


def refuse_times_in_us(file: ArchiveFile) -> NoReturn:
    """Refuse a file for the unit of its times."""
    raise ArchiveError(
        f"{file.path.name} has its times in µs, as files of the spot market have; those of USD-M futures are in ms",
        cure="give the files of data/futures/um",
    )


def refuse(file: ArchiveFile, count: int, rows: int, first: Mapping[int, str], what: str) -> NoReturn:
    """Refuse a file for its bad rows, the first of which is named."""
    line = min(first)
    raise ArchiveError(
        f"{count:,} of {rows:,} rows of {file.path.name} are no {what}: line {line} {first[line]}",
        cure=anew(file.path),
    )
