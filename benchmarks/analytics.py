"""The statistics beside the libraries people use for them, and how soon the first number is there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.processes import BenchmarkError, Child
from benchmarks.report import Goal, Section, Spread, Table, number
from benchmarks.yardstick import in_yardsticks, yardstick_s

PATIENCE_S = 300.0
PAIRS_OF_500 = 124_750
# Several threads of a linear-algebra library spin for each other on problems of this size: one is faster.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Contest:
    task: str
    does: str
    peer: str
    goal: float | None = None  # how many times faster ours shall be


CONTESTS = (
    Contest("cointegration", "Engle–Granger, both directions, lags by AIC, 1,000 bars", "coint, twice", 2_500),
    Contest("adf", "ADF, lags by AIC, 1,000 bars", "adfuller", 1_500),
    Contest(
        "rolling", "rolling beta, spread, z and correlation, 100,000 bars", "pandas rolling cov, var, mean, corr", 5
    ),
    Contest("kalman", "Kalman filter of 1,000 bars, its noise fitted on 875", "MLEModel: fit, then filter", 100),
    Contest("kalman_pass", "one likelihood of that model, 1,000 bars", "loglike"),
    Contest("garch", "GARCH(1,1) of 999 returns, from three starts", "arch, from its one", 20),
    Contest("huber", "Huber line, 1,000 bars", "RLM with HuberT", 40),
)
# In yardsticks, see `yardstick.py`.
BAR_GOALS = {"bar_50": (50, 0.005), "bar_1000": (1_000, 0.05)}
CPU_GOAL, COLD_GOAL, WARM_GOAL = 25.0, 500.0, 38.0
STARTS = {
    "cold": "from pairscope.live.compiling import warm_up_all; warm_up_all()",
    "warm": "from pairscope.analytics.warm import warm_up_live; warm_up_live()",
    "warm, all": "from pairscope.live.compiling import warm_up_all; warm_up_all()",
}
STARTED = {
    "cold": "every kernel, none compiled yet",
    "warm": "the first metrics of a symbol and a pair, kernels compiled",
    "warm, all": "every kernel loaded",
}


@dataclass(slots=True)
class Measured:
    """Seconds for one result, a round each."""

    wall_s: list[float]
    cpu_s: list[float]


def run(*, quick: bool, progress: Callable[[str], None]) -> Section:
    rounds, symbols, cold_runs, warm_runs = (3, 60, 1, 2) if quick else (9, 500, 3, 7)
    found = _contests(rounds, symbols, progress)
    starts = _starts(cold_runs, warm_runs, progress)
    return _section(found, starts)


def _contests(rounds: int, symbols: int, progress: Callable[[str], None]) -> dict[tuple[str, str], Measured]:
    found = {}
    with Child("benchmarks.numbers", rounds, symbols, environment=ONE_THREAD) as child:
        for task in (*(contest.task for contest in CONTESTS), *BAR_GOALS, "hayashi_yoshida"):
            message = child.expect("measured", PATIENCE_S)
            if message["task"] != task:
                raise BenchmarkError(f"expected the figures of {task}, was {message['task']}")
            for who, seconds in message["seconds"].items():
                wall_s, cpu_s = map(list, zip(*seconds, strict=True))
                found[task, who] = Measured(wall_s, cpu_s)
                progress(f"{task}, {who}: {1e6 * Spread.of(wall_s).median:,.2f} µs")
    return found


def _starts(cold_runs: int, warm_runs: int, progress: Callable[[str], None]) -> dict[str, Measured]:
    found = {name: Measured([], []) for name in STARTS}
    for turn in range(cold_runs):
        with tempfile.TemporaryDirectory() as cache:
            _start("cold", cache, found["cold"])
            progress(f"cold kernels {turn + 1}/{cold_runs}: {found['cold'].wall_s[-1]:.1f} s")
            if turn == 0:
                for _ in range(warm_runs):
                    _start("warm", cache, found["warm"])
                    _start("warm, all", cache, found["warm, all"])
    return found


def _start(name: str, cache: str, measured: Measured) -> None:
    """Seconds from the command to the end of a fresh process, and what its processors worked."""
    program = f"{STARTS[name]}; import time; print(time.process_time())"
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env={**os.environ, "XDG_CACHE_HOME": cache},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BenchmarkError(done.stderr[-3000:])
    measured.wall_s.append(time.monotonic() - began_s)
    measured.cpu_s.append(float(done.stdout))


def _section(found: dict[tuple[str, str], Measured], starts: dict[str, Measured]) -> Section:
    rows, goals = [], []
    for contest in CONTESTS:
        ours = found[contest.task, "pairscope"]
        (theirs,) = (each for (task, who), each in found.items() if task == contest.task and who != "pairscope")
        ratio = Spread.of([slow / fast for slow, fast in zip(theirs.wall_s, ours.wall_s, strict=True)])
        cpu_ratio = Spread.of([slow / fast for slow, fast in zip(theirs.cpu_s, ours.cpu_s, strict=True)])
        texts = [Spread.of(values).text(1e6) for values in (ours.wall_s, ours.cpu_s, theirs.wall_s, theirs.cpu_s)]
        rows.append((contest.does, *texts[:2], contest.peer, *texts[2:], ratio.text(), number(cpu_ratio.median)))
        if contest.goal:
            promise = f"{contest.does}: at least {contest.goal:,.0f}×"
            goals.append(Goal(promise, f"{number(ratio.median)}×", ratio.median >= contest.goal))
    pair_cpu_s = Spread.of(found["cointegration", "pairscope"].cpu_s).median
    all_cpu_s = pair_cpu_s * PAIRS_OF_500
    stick_s = yardstick_s()
    goals.append(in_yardsticks(f"Engle–Granger of {PAIRS_OF_500:,} pairs, CPU", all_cpu_s, CPU_GOAL, stick_s))
    alone = []
    for task, (pairs, most) in BAR_GOALS.items():
        ours = found[task, "pairscope"]
        does = f"all bar statistics of {pairs:,} pairs for one new bar, window 300"
        alone.append((does, f"{Spread.of(ours.wall_s).text(1e3)} ms", f"{Spread.of(ours.cpu_s).text(1e3)} ms"))
        goals.append(in_yardsticks(does, Spread.of(ours.wall_s).median, most, stick_s))
    rate = Spread.of([1e-6 / wall_s for wall_s in found["hayashi_yoshida", "pairscope"].wall_s])
    alone.append(("Hayashi–Yoshida correlation with its variances", f"{rate.text()} million trades/s", "—"))
    for name, measured in starts.items():
        does = f"{name}: {STARTED[name]}"
        alone.append((does, f"{Spread.of(measured.wall_s).text()} s", f"{Spread.of(measured.cpu_s).text()} s"))
    for name, most in (("cold", COLD_GOAL), ("warm", WARM_GOAL)):
        goals.append(in_yardsticks(STARTED[name], Spread.of(starts[name].wall_s).median, most, stick_s))
    rounds = len(found["adf", "pairscope"].wall_s)
    columns = ("statistic", "pairscope µs", "CPU µs", "beside", "µs", "CPU µs", "× faster", "× less CPU")
    return Section(
        title="Statistics",
        method="Simulated log prices with seeds; both sides compute the same numbers, which is checked first "
        f"(`numbers.py`). One process, one thread for each; {rounds} rounds, interleaved, "
        "in rotated order. Medians (min–max) for one result; ratios are of the same round.\n"
        "Starts: a fresh process each, from the command to its end; the cold one with an empty cache of kernels.",
        tables=[Table(columns, rows), Table(("what", "wall", "CPU"), alone)],
        goals=goals,
        remarks=[
            "Engle–Granger is timed over all pairs of the panel and given for one. The Kalman peer is statsmodels' "
            "compiled filter, its variance concentrated out, with the optimiser it comes with."
        ],
    )
