"""Make a small data folder by the code of a released version, to be opened by every later one.

    python tools/make_format_fixture.py v0.1.0

checks that tag out beside the repository, and lets its command line, with the packages of today, do what a person
does: import files of candles and of trades, back-fill two days from a simulated exchange, lose a sealed day, follow
the exchange, add a symbol, and be killed, so that the newest rows stand in the write-ahead log. The folder goes to
``tests/formats/v0.1.0/data.tar.zst``. What is in it is read by DuckDB alone, without any code of pairscope, and lies
beside it: ``trades.parquet``, ``bars.parquet``, ``gaps.parquet``, and the names of the files in ``files.txt``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import zstandard

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ROOT / "tests" / "formats"
PATIENCE_S = 120.0
MOST_BYTES = 400_000  # a slow machine takes longer, and keeps more
DAY_MS = 86_400_000
START_MS = 1_723_075_200_000  # 2024-08-08, the day of the imported files
RATE = "0.0008"  # of the simulated market: few trades make a small file
STEP_S = 0.1
SETTINGS = """
symbols = ["BTCUSDT", "ETHUSDT"]
intervals = ["1m", "5m"]
metric_interval = "1m"
history_minutes = 1
stale_s = 60
keep_data_days = 3650
"""
ROTTEN = "XRPUSDT"  # its sealed day is damaged


class Release:
    """The command line of a released version."""

    def __init__(self, tag: str, sources: Path, work: Path) -> None:
        self.tag = tag
        self._sources = sources
        self._work = work
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PAIRSCOPE_")}
        self._environment = {**clean, "PYTHONPATH": str(sources / "src")}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-m", "pairscope", *arguments]
        return subprocess.Popen(
            command, cwd=self._work, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def do(self, *arguments: str, may_find: bool = False) -> None:
        """Run a command to its end; `verify` and `import` end with 1 when they find something to tell."""
        process = self.start(*arguments)
        told, _ = process.communicate(timeout=PATIENCE_S)
        if process.returncode not in ((0, 1) if may_find else (0,)):
            raise SystemExit(f"{self.tag} pairscope {' '.join(arguments)}:\n{told}")
        print(told, end="")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def make(tag: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        sources, data = work / "sources", work / "data"
        subprocess.run(["git", "worktree", "add", "--detach", str(sources), tag], cwd=ROOT, check=True)
        try:
            live_through(Release(tag, sources, work), work, data)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(sources)], cwd=ROOT, check=True)
        keep(data, FORMATS / tag)


def live_through(release: Release, work: Path, data: Path) -> None:
    """What the folder goes through."""
    place = ("--data-dir", str(data))
    release.do("import", *map(str, official_files(work / "files")), *place)
    streams, rest = free_port(), free_port()
    exchange = release.start("simulator", "--port", str(streams), "--rest-port", str(rest), "--rate", RATE)
    settings = work / "exchange.toml"
    url = f"http://127.0.0.1:{rest}"
    settings.write_text(
        f'exchange_rest_url = "{url}"\nexchange_ws_url = "ws://127.0.0.1:{streams}"\narchive_url = "{url}"\n{SETTINGS}'
    )
    try:
        assert exchange.stdout is not None
        exchange.stdout.readline()
        first = datetime.now(UTC).date() - timedelta(days=1)
        release.do("backfill", "--from", str(first), *place, "--settings", str(settings))
        release.do("verify", *place, "--settings", str(settings), may_find=True)
        rot(data)
        release.do("verify", "--symbols", ROTTEN, *place, "--settings", str(settings), may_find=True)
        follow(release, data, settings, add="SOLUSDT")
        follow(release, data, settings, add=None)
    finally:
        exchange.kill()
        exchange.communicate()


def official_files(folder: Path) -> list[Path]:
    """An hour of candles, minutes of trades, and of raw ones with a hole, as the exchange publishes them."""
    folder.mkdir()
    candles = [
        f"{at},10,12,9,11,4.0,{at + 59_999},42.0,8,2.0,21.0,0"
        for at in range(START_MS, START_MS + DAY_MS // 24, 60_000)
    ]
    raw = [
        f"{i},{100 + i % 7}.5,0.{1 + i % 3},1.0,{START_MS + 1_000 * i},{str(i % 2 == 0).lower()}"
        for i in range(1, 600)
        if not 200 <= i < 230
    ]
    together = [f"{i},5.{i % 7},3,{2 * i},{2 * i + 1},{START_MS + 1_000 * i},false" for i in range(1, 300)]
    return [
        packed(folder / "SOLUSDT-1m-2024-08-08.zip", candles),
        packed(folder / "BTCUSDT-trades-2024-08-08.zip", raw),
        packed(folder / f"{ROTTEN}-aggTrades-2024-08-08.zip", together),
    ]


def packed(path: Path, lines: list[str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{path.stem}.csv", "\n".join(lines) + "\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


def rot(data: Path) -> None:
    """Cut a sealed file short, as a bad disk would: its ids become a gap that is not closed."""
    (file,) = data.glob(f"live-aggTrade/tape.days/trades/date=2024-08-08/**/symbol={ROTTEN}/*.parquet")
    file.write_bytes(file.read_bytes()[:-100])


def follow(release: Release, data: Path, settings: Path, add: str | None) -> None:
    """Run on the tape until a trade is committed, and be killed."""
    port = free_port()
    flags = ("--source", "live", "--port", str(port), "--data-dir", str(data), "--settings", str(settings))
    running = release.start("run", *flags)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: b'"state":"live"' in ask(f"{url}/status").replace(b" ", b""))
        if add is not None:
            ask(f"{url}/symbols/{add}", method="PUT")
        before = newest(url)
        until(lambda: newest(url) > before)
    finally:
        running.send_signal(signal.SIGKILL)
        running.communicate()


def newest(url: str) -> int:
    status: dict[str, Any] = json.loads(ask(f"{url}/status"))
    return int(status["store"].get("last_commit_ms") or 0)


def ask(url: str, method: str = "GET") -> bytes:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=PATIENCE_S) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError:
        raise
    except OSError:  # it is still starting
        return b'{"store": {}}'


def until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the released version did not get there")
        time.sleep(STEP_S)


def nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file without its owner."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def keep(data: Path, folder: Path) -> None:
    """Write the folder and what is in it to its place among the tests."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.rmtree(data / "live-aggTrade" / "downloads", ignore_errors=True)
    (data / "pairscope.log").unlink(missing_ok=True)
    files = sorted(path for path in data.rglob("*") if path.is_file())
    (folder / "files.txt").write_text("".join(f"{path.relative_to(data).as_posix()}\n" for path in files))
    with (
        (folder / "data.tar.zst").open("wb") as out,
        zstandard.ZstdCompressor(level=19).stream_writer(out) as packing,
        tarfile.open(fileobj=packing, mode="w|") as archive,
    ):
        for path in files:
            archive.add(path, path.relative_to(data).as_posix(), filter=nobodys)
    tell(data, folder)
    total = sum(path.stat().st_size for path in folder.iterdir())
    print("\n".join(f"{path.stat().st_size:>9,}  {path.name}" for path in sorted(folder.iterdir())))
    if total > MOST_BYTES:
        raise SystemExit(f"{total:,} bytes are too many to be committed: lower RATE")


TRADES = "id, time_ms, price, size, buyer_is_maker, received_ns, origin"
BARS = (
    'interval_ms, open_time_ms, "open", high, low, "close", volume, quote_volume, buy_volume, trades, first_id, '
    "last_id, lost, backfilled, status, source"
)
GAPS = "first_id, last_id, found_ms, reason, after_ms, before_ms, closed_ms, obstacle"


def tell(data: Path, folder: Path) -> None:
    """Every row of every tape, read by DuckDB alone: those of the file and those of the sealed days."""
    rows: dict[str, list[str]] = {"trades": [], "bars": [], "gaps": []}
    with duckdb.connect() as connection:
        for number, path in enumerate(sorted(data.glob("*/tape.duckdb"))):
            connection.execute(f"attach '{path}' as t{number}")
            tape, days = path.parent.name, path.with_suffix(".days")
            for table, columns in (("trades", TRADES), ("bars", BARS), ("gaps", GAPS)):
                chosen = f"'{tape}' as tape, name as symbol, {columns}"
                rows[table].append(f"select {chosen} from t{number}.{table} join t{number}.symbols using (symbol_id)")
                if table != "gaps" and list(days.glob(f"{table}/**/*.parquet")):
                    sealed = f"read_parquet('{days}/{table}/**/*.parquet', hive_partitioning = false)"
                    joined = f"{sealed} join t{number}.symbols using (symbol_id)"
                    rows[table].append(f"select {chosen} from {joined}")
        for table, order in (("trades", "tape, symbol, id"), ("bars", "all"), ("gaps", "all")):
            query = f"{' union all '.join(rows[table])} order by {order}"
            connection.execute(f"copy ({query}) to '{folder / table}.parquet' (compression zstd, compression_level 19)")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    make(sys.argv[1])
