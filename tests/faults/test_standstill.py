"""A process that is held for seconds and goes on: nobody else is blamed, nothing is lost, and it is told."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pairscope.base.pulse import LONGEST_LIMIT_MS
from tests import prepared
from tests.loopback import get
from tests.patience import START_S
from tests.test_cli import clean_environment, free_port

# The command line, which is told to be troubled by standing still for other than its own ten seconds.
PROGRAM = """
import sys
from pairscope.base import pulse
from pairscope.cli import main

pulse.LONGEST_LIMIT_MS = {limit_ms!r}
sys.exit(main())
"""


def until(condition: Callable[[], Any]) -> Any:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        try:
            if found := condition():
                return found
        except (httpx.TransportError, OSError):
            pass
        time.sleep(0.05)  # another process: there is nothing to await
    raise AssertionError("not in time")


def answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True


@pytest.fixture
def exchange() -> Iterator[dict[str, str]]:
    """The simulated exchange in a process of its own, which goes on meanwhile; where it is, as settings."""
    port, rest_port = free_port(), free_port()
    command = ["-m", "pairscope", "simulator", "--port", str(port), "--rest-port", str(rest_port)]
    with Path("simulator.txt").open("wb") as out:
        process = prepared.start(*command, env=clean_environment(), stdout=out, stderr=out)
    try:
        until(lambda: answers(port) and answers(rest_port))
        yield {
            "PAIRSCOPE_EXCHANGE_WS_URL": f"ws://127.0.0.1:{port}",
            "PAIRSCOPE_EXCHANGE_REST_URL": f"http://127.0.0.1:{rest_port}",
            "PAIRSCOPE_HISTORY_MINUTES": "0",
        }
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("held_s", [4.0, pytest.param(12.0, marks=pytest.mark.slow)])
def test_a_process_that_was_held_blames_nobody_and_lacks_nothing(
    tmp_path: Path, exchange: dict[str, str], held_s: float
) -> None:
    program = PROGRAM.format(limit_ms=min(LONGEST_LIMIT_MS, (held_s - 1.0) * 1_000))
    exchange["PAIRSCOPE_STALE_S"] = str(held_s / 3)  # so long a connection may be silent
    port = free_port()
    log = tmp_path / "log.txt"
    flags = ["--source", "live", "--symbols", "BTCUSDT,ETHUSDT", "--port", str(port), "--data-dir", str(tmp_path / "d")]

    def ask(path: str) -> Any:
        return get(f"http://127.0.0.1:{port}{path}").json()

    with log.open("wb") as out:
        process = prepared.start(
            "-c", program, "run", *flags, env=clean_environment() | exchange, stdout=out, stderr=out
        )
    try:
        before = until(lambda: (status := ask("/status"))["feed"]["trades"] > 100 and status)
        process.send_signal(signal.SIGSTOP)
        time.sleep(held_s)  # the fault itself
        process.send_signal(signal.SIGCONT)
        health = until(lambda: (told := ask("/health"))["status"] == "degraded" and told)
        assert [problem for problem in health["problems"] if "this process stood still" in problem] == health[
            "problems"
        ]
        status = until(lambda: (now := ask("/status"))["feed"]["trades"] > 2 * before["feed"]["trades"] and now)
        assert status["feed"]["state"] == "live"
        assert status["feed"]["reconnects"] == before["feed"]["reconnects"] == 0
        assert status["feed"]["last_error"] is None
        assert status["loop"]["lag_ms_longest"] > (held_s - 1) * 1_000
        assert sum(symbol["ids_missing"] for symbol in status["symbols"]) == 0
        told = log.read_text()
        assert "stood_still" in told
        for blamed in ("stale", "feed_disconnected", "stream_deaf", "silent_stream"):
            assert blamed not in told, told[-3_000:]
    finally:
        process.kill()
        process.wait()
