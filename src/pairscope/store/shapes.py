"""How trades and bars lie in their tables and in sealed files, and the queries that span both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pairscope.base.model import BAR, TRADE_COLUMNS, BarSource, Continuity, Cut
from pairscope.store.sealed_catalog import Part, PartKind
from pairscope.store.sealed_files import SealedFiles
from pairscope.store.transaction import same_bar


@dataclass(frozen=True, slots=True)
class Shape:
    """How a kind of row is laid down, in its table and in its parts."""

    kind: PartKind
    columns: str
    time: str
    first_id: str
    last_id: str
    order: tuple[str, ...]  # within a symbol (and interval)


TRADES = Shape("trades", ", ".join(TRADE_COLUMNS), "time_ms", "id", "id", ("id",))
BARS = Shape(
    "bars",
    ", ".join(f'"{name}"' for name in BAR.names or ()),
    "open_time_ms",
    "first_id",
    "last_id",
    ("open_time_ms", "source"),
)

# The last columns of bars that were written before there were such; those that are cut were marked in the migration.
BARS_OF_FORMAT_2 = f"""
    coalesce(
        continuity, case source when {BarSource.LIVE:d} then {Continuity.PROVED:d} else {Continuity.UNPROVED:d} end
    )::utinyint as continuity, coalesce(cut, {Cut.NONE:d})::utinyint as cut
"""


def spanning(sealed_files: SealedFiles, shape: Shape, condition: str, parts: list[Part]) -> str:
    """The query for rows of one symbol (and interval) that fulfil a condition, in the open table and in parts.

    A bar of the open table hides the same one of a part: it is a revised one.
    """
    opened = f"select {shape.columns} from {shape.kind} where {condition}"
    if not parts:
        return opened
    rows = file_rows([sealed_files.path(part) for part in parts], shape)
    sealed = f"select {shape.columns} from {rows} sealed where {condition}"
    if shape is BARS:
        last_ms = max(part.last_ms for part in parts)
        sealed += f"""
            and not exists (
                select 1 from (select * from bars where {condition} and open_time_ms <= {last_ms}) opened
                where opened.open_time_ms = sealed.open_time_ms and {same_bar("opened", "sealed")}
            )
        """
    return f"select * from ({sealed} union all {opened})"


def file_rows(paths: list[Path], shape: Shape = TRADES) -> str:
    """Parquet files as something to select from."""
    names = ", ".join(quoted(str(path)) for path in paths)
    if shape is TRADES:
        return f"read_parquet([{names}], hive_partitioning = false)"
    # Files of version 0.1.0 do not have the last two columns.
    files = f"select * from read_parquet([{names}], hive_partitioning = false, union_by_name = true)"
    return f"(select * replace ({BARS_OF_FORMAT_2}) from (select * from bars where false union all by name {files}))"


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
