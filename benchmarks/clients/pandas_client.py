"""What people do with an official file today: WAY FILE WARM_UP_FILE FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.clients.watch import Watch, peak_mb
from benchmarks.processes import say

INTERVALS = ("1s", "5s", "1min", "5min")


def read(file: Path, folder: Path) -> pd.DataFrame:
    return pd.read_csv(file)


def to_parquet(file: Path, folder: Path) -> pd.DataFrame:
    frame = pd.read_csv(file)
    frame.to_parquet(folder / f"{file.stem}.parquet", compression="zstd")
    return frame


def to_duckdb(file: Path, folder: Path) -> pd.DataFrame:
    """What pairscope leaves behind, trades and the bars of four intervals, but that no id is looked at."""
    frame = pd.read_csv(file)
    with duckdb.connect(folder / f"{file.stem}.duckdb") as database:
        database.register("frame", frame)
        database.execute("create table trades as select * from frame")
        by_time = frame.set_index(pd.to_datetime(frame["transact_time"], unit="ms"))
        for number, interval in enumerate(INTERVALS):
            bars = by_time["price"].resample(interval).ohlc()
            bars["volume"] = by_time["quantity"].resample(interval).sum()
            database.register("bars", bars.dropna().reset_index())
            database.execute(f"create table bars_{number} as select * from bars")
    return frame


WAYS = {way.__name__: way for way in (read, to_parquet, to_duckdb)}


def main() -> None:
    bring, (file, warm_up, folder) = WAYS[sys.argv[1]], map(Path, sys.argv[2:])
    bring(warm_up, folder)
    watch = Watch()
    with watch.running():
        trades = len(bring(file, folder))
    say("brought", trades=trades, took_s=watch.took_s, cpu_s=watch.cpu_s, memory_mb=peak_mb())


if __name__ == "__main__":
    main()
