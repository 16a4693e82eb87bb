"""From the command to the first answer, cold and warm, and the memory after a while at a steady rate."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.exchange import rate_for
from benchmarks.processes import Child, Message, free_port, pairscope
from benchmarks.report import Goal, Section, Spread, Table, number
from benchmarks.yardstick import in_yardsticks, yardstick_s

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")
TRADES_PER_S = 1_000
SAMPLE_S = 5.0
WARM_GOAL = 75.0  # yardsticks
MEMORY_GOAL_MB = 350.0
COLD_PATIENCE_S = 180.0


def run(*, quick: bool, progress: Callable[[str], None]) -> Section:
    minutes, cold_runs, warm_runs = (0.2, 1, 2) if quick else (10.0, 3, 7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cold = []
        for turn in range(cold_runs):
            own = folder / f"cold-{turn}"
            cold.append(_start(own / "data", own / "cache"))
            progress(f"cold start {turn + 1}/{cold_runs}: health {cold[-1][0]:.2f} s, warm {cold[-1][1]:.2f} s")
        with Child("benchmarks.exchange", rate_for(SYMBOLS, TRADES_PER_S, minutes)) as exchange:
            ready = exchange.expect("ready")
            data, cache = folder / "data", folder / "cold-0" / "cache"
            memory, trades = _memory(data, cache, ready, minutes, progress)
            warm = []
            for turn in range(warm_runs):
                warm.append(_start(data, cache, ready))
                progress(f"warm start {turn + 1}/{warm_runs}: health {warm[-1][0]:.2f} s, warm {warm[-1][1]:.2f} s")
    return _section(cold, warm, memory, trades, minutes)


def _start(data: Path, cache: Path, exchange: Message | None = None) -> tuple[float, float]:
    """Seconds from the command to the first 200 of ``/health``, and until the kernels are there and it is running."""
    with pairscope(free_port(), data, exchange, XDG_CACHE_HOME=str(cache)) as server:
        healthy_s = server.wait("/health", patience_s=COLD_PATIENCE_S)
        running_s = server.wait("/status", lambda status: not status["warming_up"], patience_s=COLD_PATIENCE_S)
    return healthy_s, running_s


def _memory(
    data: Path, cache: Path, exchange: Message, minutes: float, progress: Callable[[str], None]
) -> tuple[list[float], int]:
    """Resident megabytes, sampled at equal distances, and the trades stored meanwhile."""
    samples = []
    with pairscope(free_port(), data, exchange, XDG_CACHE_HOME=str(cache)) as server:
        server.wait("/status", lambda status: status["feed"]["state"] == "live", patience_s=COLD_PATIENCE_S)
        end_s = time.monotonic() + 60 * minutes
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(SAMPLE_S, left_s))
            samples.append(server.resident_mb())
            if len(samples) % 12 == 0 or len(samples) == 1:
                progress(f"{len(samples) * SAMPLE_S:.0f} s at {TRADES_PER_S:,} trades/s: {samples[-1]:.0f} MB resident")
        trades = int(server.status()["store"]["trades_committed"])
    return samples, trades


def _section(
    cold: list[tuple[float, float]], warm: list[tuple[float, float]], memory: list[float], trades: int, minutes: float
) -> Section:
    rows = []
    for what, runs in (("cold: no data, no compiled kernels", cold), (f"warm: a tape of {trades:,} trades", warm)):
        healthy, running = (Spread.of([each[place] for each in runs]).text() for place in (0, 1))
        rows.append((what, str(len(runs)), healthy, running))
    warm_s = Spread.of([running for _, running in warm]).median
    return Section(
        title="Start and memory",
        method="`python -m pairscope run` on a free port; `/health` and then `/status` are asked every 10 ms.\n"
        "Cold: empty data folder and empty cache of kernels, the simulated market inside. Warm: after the memory run, "
        "on its tape, kernels cached.\n"
        f"Memory: {minutes:g} minutes against the simulated exchange at {TRADES_PER_S:,} trades/s over {len(SYMBOLS)} "
        "symbols, nobody watching; resident set of the process.",
        tables=[
            Table(("start", "runs", "s to /health", "s to following the market"), rows),
            Table(
                ("trades stored", "resident MB at the start", "highest", "at the end"),
                [(f"{trades:,}", number(memory[0]), number(max(memory)), number(memory[-1]))],
            ),
        ],
        goals=[
            in_yardsticks("warm start", warm_s, WARM_GOAL, yardstick_s()),
            Goal(
                f"at most {MEMORY_GOAL_MB:.0f} MB after {minutes:g} minutes",
                f"{memory[-1]:.0f} MB",
                memory[-1] <= MEMORY_GOAL_MB,
            ),
        ],
    )
