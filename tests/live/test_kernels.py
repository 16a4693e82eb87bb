"""Compiled code that is not there yet: asking says so, and only other processes compile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pairscope.analytics.estimators.terms import USUAL, Terms
from pairscope.analytics.registry import PAIR_BAR, PAIR_TESTS, SYMBOL_BAR, metric_requests
from pairscope.live.kernels import PARTS, Kernels, WarmingUp, part_of_pair, part_of_symbol
from tests.patience import STOP_S


def test_what_needs_a_part_that_is_not_there_is_told_when_to_ask_again() -> None:
    kernels = Kernels(ready=["symbols"])
    kernels.need("symbols")
    with pytest.raises(WarmingUp) as refused:
        kernels.need("pairs")
    assert (refused.value.http_status, refused.value.code) == (503, "warming_up")
    assert refused.value.retry_after_s
    assert kernels.missing == [part for part in PARTS if part != "symbols"]


def test_each_question_needs_the_part_that_holds_its_code() -> None:
    assert part_of_symbol(SYMBOL_BAR) == "symbols"
    assert part_of_symbol(metric_requests(["rsi:period=5"], "symbol")) == "rest"
    assert part_of_pair(USUAL) == part_of_pair(USUAL, PAIR_BAR[USUAL]) == part_of_pair(Terms(prices="level")) == "pairs"
    assert part_of_pair(Terms("kalman")) == part_of_pair(USUAL, PAIR_TESTS[USUAL]) == "tests"
    assert part_of_pair(Terms(intercept=False)) == "tests"
    assert part_of_pair(USUAL, metric_requests(["hurst"], "pair")) == "rest"


def test_a_process_that_compiles_ends_when_the_one_that_started_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio; from pairscope.live import kernels\n"
        "start = asyncio.create_subprocess_exec\n"
        "async def told(*arguments, **options):\n"
        "    child = await start(*arguments, **options)\n"
        "    print('child', child.pid, flush=True)\n"
        "    return child\n"
        "asyncio.create_subprocess_exec = told\n"
        "asyncio.run(kernels.compile_apart('tests'))\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        child = int(next(line for line in parent.stdout if line.startswith("child ")).split()[1])
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline_s = time.monotonic() + STOP_S
        while runs(child):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)  # a process that is not ours: there is nothing to await


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
