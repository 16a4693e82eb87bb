"""From the WebSocket to the stored trade and the closed bar, beside what people use today."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import trustme

from benchmarks.clients.pairscope_client import INTERVALS
from benchmarks.frames import NAMES, TRADES_PER_S, TradesToSend, count_closed_bars, make_tape
from benchmarks.processes import BenchmarkError, Child
from benchmarks.report import Goal, Section, Spread, Table, number
from pairscope.bars.memory import CLOSING_GRACE_MS
from pairscope.base.interval import Interval
from pairscope.live.kernels import PARTS

OURS = "pairscope"
USUAL = "json, insert per tick, pandas resample each second"
SETTLE_S = 1.0
FLOOR = "picows and msgspec"
FLOOR_GOAL = 1.5


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    does: str
    module: str
    arguments: tuple[str, ...] = ()
    limit_s: float = 60.0  # slow ones are stopped after so long; their rate is that of the trades until then
    goal: float | None = None  # how many times faster ours shall be


PEERS = (
    Peer(OURS, "ids checked, stored, committed; 1s 5s 1m 5m bars", "pairscope_client"),
    Peer(FLOOR, "the floor: decodes the same fields; nothing kept", "floor_client"),
    Peer("cryptofeed", "decodes and normalises; callback does nothing", "cryptofeed_client", goal=3),
    Peer("ccxt.pro", "decodes, unifies, caches; nothing kept", "ccxt_client", goal=8),
    Peer(USUAL, "SQLite as it comes, a commit per tick", "usual_client", ("plain",), 8.0, goal=200),
    Peer(f"{USUAL}, tuned", "SQLite in WAL mode, synchronous=normal", "usual_client", ("wal",), 8.0),
)


@dataclass(frozen=True, slots=True)
class Run:
    trades: int
    per_s: float
    cpu_us: float  # processor time of all threads for each trade
    memory_mb: float


def run(*, quick: bool, progress: Callable[[str], None]) -> Section:
    trades, rounds = (20_000, 2) if quick else (200_000, 7)
    tape = make_tape(trades)
    progress("compiling what is not compiled yet")
    subprocess.run([sys.executable, "-m", "pairscope.live.compiling", *PARTS], check=True)
    runs: dict[str, list[Run]] = {peer.name: [] for peer in PEERS}
    with tempfile.TemporaryDirectory() as folder:
        authority, certificate = _certificates(Path(folder))
        with Child("benchmarks.sender", certificate, trades) as sender:
            ready = sender.expect("ready")
            for turn in range(rounds):
                start = turn % len(PEERS)
                for peer in PEERS[start:] + PEERS[:start]:  # nobody always comes first
                    done = _measure(peer, f"wss://127.0.0.1:{ready['port']}", authority, tape, sender)
                    runs[peer.name].append(done)
                    progress(f"round {turn + 1}/{rounds}  {peer.name}: {done.per_s:,.0f}/s, {done.cpu_us:.2f} µs CPU")
    return _section(tape, runs, ready["mean_bytes"])


def _certificates(folder: Path) -> tuple[Path, Path]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return folder / "authority.pem", folder / "server.pem"


def _measure(peer: Peer, url: str, authority: Path, tape: TradesToSend, sender: Child) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        module = f"benchmarks.clients.{peer.module}"
        with Child(module, *peer.arguments, url, authority, len(tape), folder, peer.limit_s) as client:
            sender.expect("subscribed")
            time.sleep(SETTLE_S)
            client.tell("start")
            client.expect("marked")
            sender.tell("go")
            started_s = sender.expect("sending")["at_s"]  # the monotonic clock is one for all processes
            done = client.expect("finished")
        sender.expect("gone")
        if peer.name == OURS:
            _verify(Path(folder) / "tape.duckdb", tape)
    trades = done["trades"]
    return Run(
        trades=trades,
        per_s=trades / (done["at_s"] - started_s),
        cpu_us=done["cpu_s"] / trades * 1e6,
        memory_mb=done["memory_mb"],
    )


def _verify(path: Path, tape: TradesToSend) -> None:
    """Everything sent must be in the file that the process, killed by now, left behind."""
    with duckdb.connect(path) as database:
        stored = _row(database, "select count(*), count(distinct (symbol_id, id)), sum(size) from trades")
        if stored[:2] != (len(tape), len(tape)) or abs(stored[2] / tape.size.sum() - 1) > 1e-9:
            raise BenchmarkError(f"sent {len(tape)} trades, stored {stored}")
        for text in INTERVALS:
            interval_ms = Interval.parse(text).ms
            expected = count_closed_bars(tape, interval_ms, CLOSING_GRACE_MS)
            (found,) = _row(database, f"select count(*) from bars where interval_ms = {interval_ms}")
            if found != expected:
                raise BenchmarkError(f"expected {expected} closed bars of {text}, stored {found}")


def _row(database: duckdb.DuckDBPyConnection, query: str) -> tuple[float, ...]:
    row = database.execute(query).fetchone()
    assert row is not None
    return row


def _section(tape: TradesToSend, runs: dict[str, list[Run]], mean_bytes: float) -> Section:
    ours = runs[OURS]
    rows, goals = [], []
    for peer in PEERS:
        own = runs[peer.name]
        ratio = Spread.of([mine.per_s / theirs.per_s for mine, theirs in zip(ours, own, strict=True)])
        rows.append(
            (
                peer.name,
                peer.does,
                f"{int(Spread.of([each.trades for each in own]).median):,}",
                Spread.of([each.per_s for each in own]).text(),
                Spread.of([each.cpu_us for each in own]).text(),
                "1" if peer.name == OURS else ratio.text(),
                f"{max(each.memory_mb for each in own):.0f}",
            )
        )
        if peer.goal:
            measured = f"{number(ratio.median)}×"
            goals.append(Goal(f"at least {peer.goal:g}× {peer.name}", measured, ratio.median >= peer.goal))
    floor = Spread.of([mine.cpu_us / theirs.cpu_us for mine, theirs in zip(ours, runs[FLOOR], strict=True)])
    promise = f"at most {FLOOR_GOAL:g}× the CPU per trade of the floor"
    goals.append(Goal(promise, f"{floor.text()}×", floor.median <= FLOOR_GOAL))
    columns = (
        "client",
        "what it does",
        "trades",
        "trades/s",
        "CPU µs per trade",
        "pairscope is × faster",
        "resident MB",
    )
    return Section(
        title="Ingest: from the WebSocket to the stored trade and the closed bar",
        method=f"{len(tape):,} combined aggTrade frames of {len(NAMES)} symbols ({mean_bytes:.0f} bytes each, "
        f"{len(tape) / TRADES_PER_S:.0f} s of a market with {TRADES_PER_S:,} trades/s), already framed, sent over TLS "
        "on loopback as fast as the client takes them.\n"
        f"Each client is a process of its own; {len(ours)} rounds, interleaved, in rotated order; time runs from the "
        "first byte sent to the last trade handled (pairscope: committed), CPU is that of all its threads.\n"
        "After each round the file pairscope left is opened and its trades and closed bars are counted. Medians "
        "(min–max); ratios are of the same round.",
        tables=[Table(columns, rows)],
        goals=goals,
        remarks=[
            "The two usual designs are stopped after 8 s: their rate is that of the trades they handled until then. "
            "ccxt.pro gets a correction without which it stops reading after the first burst "
            "(`clients/ccxt_client.py`)."
        ],
    )
