"""A gap as its row on the tape, where the time a file was last looked for stands behind the word of the obstacle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from pairscope.base.gaps import GapReason, Obstacle
from pairscope.base.model import Gap, SymbolTable


def gap_of(symbol: str, row: Sequence[Any]) -> Gap:
    """The gap of a row: first and last id, found, reason, after, before, closed, obstacle.

    >>> gap_of("A", (1, 2, 0, "skipped", None, None, None, "no_archive_file 1970-01-01T00:00:05Z")).looked_ms
    5000
    """
    first_id, last_id, found_ms, reason, after_ms, before_ms, closed_ms, obstacle = row
    word, _, looked = (obstacle or "").partition(" ")
    return Gap(
        symbol,
        first_id,
        last_id,
        found_ms,
        GapReason(reason),
        after_ms=after_ms,
        before_ms=before_ms,
        closed_ms=closed_ms,
        obstacle=Obstacle(word) if word else None,
        looked_ms=round(datetime.fromisoformat(looked).timestamp() * 1_000) if looked else None,
    )


def obstacle_text(gap: Gap) -> str | None:
    """What `gap_of` reads as the obstacle of a gap, and the time with it.

    >>> obstacle_text(Gap("A", 1, 2, 0, GapReason.SKIPPED, obstacle=Obstacle.NO_FILE, looked_ms=5_000))
    'no_archive_file 1970-01-01T00:00:05Z'
    """
    if gap.obstacle is None or gap.looked_ms is None:
        return gap.obstacle and gap.obstacle.value
    return f"{gap.obstacle.value} {datetime.fromtimestamp(gap.looked_ms / 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def read_gaps(
    cursor: duckdb.DuckDBPyConnection, symbols: SymbolTable, symbol_id: int | None, open_only: bool
) -> list[Gap]:
    """The gaps on the tape by symbol and first id; of one symbol, or only those not closed, when asked."""
    rows = cursor.execute(
        """
        select symbol_id, first_id, last_id, found_ms, reason, after_ms, before_ms, closed_ms, obstacle from gaps
        where (? is null or symbol_id = ?) and (not ? or closed_ms is null) order by symbol_id, first_id
        """,
        [symbol_id, symbol_id, open_only],
    ).fetchall()
    return [gap_of(symbols.name(row[0]), row[1:]) for row in rows]
