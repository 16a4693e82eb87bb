"""Every row of a tape as DuckDB reads it, without any code of pairscope: trades, bars and gaps, sealed ones too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb

from tools.digests.shape import column, condensed

TABLES = {"trades": "symbol, id", "bars": "symbol, interval_ms, open_time_ms", "gaps": "symbol, first_id"}


def rows_of(tape: Path) -> dict[str, Any]:
    """Of each table its columns, in the order of symbols and times."""
    found: dict[str, Any] = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{tape}' as tape (read_only)")
        for table, order in TABLES.items():
            query = f"select name as symbol, {table}.* from tape.{table} join tape.symbols using (symbol_id)"
            sealed = tape.with_suffix(".days") / table
            if list(sealed.rglob("*.parquet")):
                files = f"read_parquet('{sealed}/**/*.parquet', hive_partitioning = false, union_by_name = true)"
                query += (
                    f" union all by name select name as symbol, s.* from {files} s join tape.symbols using (symbol_id)"
                )
            relation = connection.execute(f"select * exclude (symbol_id) from ({query}) order by {order}")
            names = [each[0] for each in relation.description or ()]
            columns = list(zip(*relation.fetchall(), strict=True)) or [()] * len(names)
            found[table] = {
                name: condensed(_column(list(values)), (table, name))
                for name, values in zip(names, columns, strict=True)
            }
    return found


def _column(values: list[Any]) -> Any:
    plain = [repr(value) if isinstance(value, float) and not math.isfinite(value) else value for value in values]
    return column(plain) if plain else []
