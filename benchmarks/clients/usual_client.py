"""The design most tutorials end with: json, an insert per tick, and pandas resampling the ticks each second."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from datetime import UTC, datetime

import pandas as pd
import websockets

from benchmarks.clients.stopwatch import Stopwatch, read_task

RESAMPLED_TICKS = 20_000
QUERY = f"select * from ticks order by rowid desc limit {RESAMPLED_TICKS}"


def open_database(path: str, *, tuned: bool) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    if tuned:  # what a careful author would set
        database.execute("pragma journal_mode=wal")
        database.execute("pragma synchronous=normal")
    database.execute("create table ticks (ts text, symbol text, price real, qty real)")
    return database


def resample(database: sqlite3.Connection) -> pd.DataFrame:
    ticks = pd.read_sql(QUERY, database)
    ticks["ts"] = pd.to_datetime(ticks["ts"], format="ISO8601")
    return ticks.set_index("ts").sort_index().groupby("symbol")["price"].resample("1s").ohlc()


async def main() -> None:
    tuned = sys.argv.pop(1) == "wal"
    task = read_task()
    watch = Stopwatch(task)
    database = open_database(str(task.folder / "ticks.db"), tuned=tuned)
    resampled_s = time.monotonic()
    async with websockets.connect(f"{task.url}/stream?streams=all", ssl=task.tls(), compression=None) as socket:
        async for message in socket:
            trade = json.loads(message)["data"]
            time_text = datetime.fromtimestamp(trade["T"] / 1000, UTC).isoformat()
            row = (time_text, trade["s"], float(trade["p"]), float(trade["q"]))
            database.execute("insert into ticks values (?, ?, ?, ?)", row)
            database.commit()
            watch.tick()
            if time.monotonic() - resampled_s >= 1:
                resample(database)
                resampled_s = time.monotonic()


if __name__ == "__main__":
    asyncio.run(main())
