"""The command line as a person meets it: one line for each mistake, exit code 2, nothing lost."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import prepared
from tests.loopback import get
from tests.patience import COMMAND_S, START_S, STOP_S


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PAIRSCOPE_")}


def pairscope(
    *arguments: str, seconds: float = COMMAND_S, encoding: str = "utf-8", fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """A command, to its end; a `fresh` one in a Python that has loaded nothing."""
    command = ("-m", "pairscope", *arguments)
    return prepared.run(*command, seconds=seconds, env=clean_environment(), encoding=encoding, fresh=fresh)


def assert_refused(done: subprocess.CompletedProcess[str], *says: str) -> None:
    assert done.returncode == 2, done.stderr
    error = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(error) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for text in says:
        assert text in error[0]


class Running:
    """A pairscope of its own process, and its API."""

    def __init__(
        self, folder: Path, *arguments: str, fresh: bool = False, program: Sequence[str] = ("-m", "pairscope")
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [*program, "run", "--port", str(self.port), "--data-dir", str(folder), *arguments]
        self.log = folder.parent / f"{folder.name}.{self.port}.log"
        around: dict[str, Any] = {"env": clean_environment(), "start_new_session": True}
        with self.log.open("wb") as log:
            self.process = prepared.start(*command, stdout=log, stderr=log, **around, fresh=fresh)

    def get(self, path: str) -> Any:
        answer = get(self.url + path)
        answer.raise_for_status()
        return answer.json()

    def until(self, condition: Any, seconds: float = START_S) -> Any:
        """The status, once it fulfils a condition."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                status = self.get("/status")
            except httpx.TransportError:
                status = None
            if status is not None and condition(status):
                return status
            time.sleep(0.05)  # another process: there is nothing to await
        raise AssertionError(f"not within {seconds} s: {self.log.read_text()[-3000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=STOP_S)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    """Starts pairscopes and stops what is left of them."""
    running: list[Running] = []

    def start(folder: Path, *arguments: str, fresh: bool = False) -> Running:
        running.append(Running(folder, *arguments, fresh=fresh))
        return running[-1]

    yield start
    for each in running:
        each.stop(signal.SIGKILL)


def test_help_names_the_commands_and_shows_examples() -> None:
    done = pairscope("--help", fresh=True)
    assert done.returncode == 0
    assert "run" in done.stdout
    assert "simulator" in done.stdout
    assert "--source replay" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--source", "simulator", "--data-dir", "/dev/null/x"], "/dev/null/x"),
        (["import", "nowhere"], "no file or folder nowhere"),
        (["backfill", "--from", "yesterday"], "is no day"),
        (["record", "{here}", "--source", "simulator"], "exists already"),
        (["doctor", "--data-dir", "{here}"], "no tape in"),
        (["verify", "--data-dir", "{here}"], "no tape in"),
        (["simulator", "{here}/missing.gz", "--port", "0", "--rest-port", "0"], "missing.gz"),
    ],
)
def test_every_command_starts_in_a_python_of_its_own(tmp_path: Path, arguments: list[str], says: str) -> None:
    assert_refused(pairscope(*(text.format(here=tmp_path) for text in arguments), fresh=True), says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--source", "binance"], "source"),
        (["--source", "replay"], "--source replay FILE"),
        (["--source", "replay", "missing.gz"], "missing.gz"),
        (["--port", "99999"], "port"),
        (["--symbols", "BTC/USDT"], "cannot be a symbol"),
        (["--source", "simulator", "--symbols", "BTCUSD"], "did you mean BTCUSDT?"),
        (["--intervals", "7s"], "divide a day"),
        (["--settings", "missing.toml"], "no settings file"),
        (["--data-dir", "/dev/null/x", "--source", "simulator"], "/dev/null/x"),
    ],
)
def test_what_cannot_start_says_so_in_one_line(arguments: list[str], says: str) -> None:
    assert_refused(pairscope("run", *arguments), says)


def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = pairscope("run", "--source", "simulator", "--port", str(port), "--data-dir", str(tmp_path))
    assert_refused(done, f"127.0.0.1:{port}", "--port")
    assert not list(tmp_path.rglob("*.duckdb"))


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01garbage" * 50, b'{"not": "a frame"}\n', gzip.compress(b"x", mtime=0)[:9]]
)
def test_a_recording_without_frames_is_refused(tmp_path: Path, content: bytes) -> None:
    recording = tmp_path / "day.gz"
    recording.write_bytes(content)
    assert_refused(pairscope("run", "--source", "replay", str(recording), "--data-dir", str(tmp_path)), "day.gz")


def test_a_second_process_is_told_how_to_reach_the_first(tmp_path: Path, run: Any) -> None:
    first = run(tmp_path / "data", "--source", "simulator")
    first.until(lambda status: status["feed"]["trades"] > 0)
    done = pairscope("run", "--source", "simulator", "--port", str(free_port()), "--data-dir", str(tmp_path / "data"))
    assert_refused(done, str(first.port))
    assert first.get("/health")["status"] == "ok"


def test_an_unreachable_exchange_falls_back_to_the_simulator_and_says_why(tmp_path: Path, run: Any) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'exchange_rest_url = "http://127.0.0.1:{free_port()}"\n')
    started = run(tmp_path / "data", "--settings", str(settings))
    source = started.until(lambda status: status["feed"]["trades"] > 0)["source"]
    assert (source["kind"], source["requested"], source["reason"]) == ("simulator", "auto", "unreachable")
    assert "not real prices" in source["banner"]


def test_live_never_falls_back(tmp_path: Path, run: Any) -> None:
    settings = tmp_path / "settings.toml"
    nowhere = free_port()
    settings.write_text(
        f'exchange_rest_url = "http://127.0.0.1:{nowhere}"\nexchange_ws_url = "ws://127.0.0.1:{nowhere}"\n'
    )
    started = run(tmp_path / "data", "--settings", str(settings), "--source", "live")
    status = started.until(lambda status: status["feed"]["state"] == "down")
    assert status["source"]["kind"] == "live"
    assert status["feed"]["last_error"]
    assert get(started.url + "/health").status_code == 503


def test_ctrl_c_keeps_everything_and_ends_well(tmp_path: Path, run: Any) -> None:
    first = run(tmp_path / "data", "--source", "simulator")
    first.until(lambda status: status["store"]["trades_committed"] > 50)
    assert first.stop() == 0
    second = run(tmp_path / "data", "--source", "simulator")
    second.until(lambda status: status["feed"]["trades"] > 0)
    bars = second.get("/ohlc/BTCUSDT/1s?limit=5000")["bars"]
    assert bars["open_time_ms"] == sorted(set(bars["open_time_ms"]))


def test_a_killed_replay_goes_on_where_its_tape_ends(tmp_path: Path, run: Any) -> None:
    recording = tmp_path / "day.gz"
    total = 6_000
    write_recording(recording, total)
    flags = ["--source", "replay", str(recording), "--speed", "4"]
    first = run(tmp_path / "data", *flags)
    first.until(lambda status: status["store"]["trades_committed"] > 500)
    first.stop(signal.SIGKILL)
    second = run(tmp_path / "data", *flags)
    status = second.until(lambda status: status["source"]["finished"] and status["feed"]["state"] == "finished")
    assert 0 < status["feed"]["trades"] < total
    assert status["feed"]["duplicates"] == 0
    (symbol,) = status["symbols"]
    assert (symbol["last_id"], symbol["ids_missing"]) == (total, 0)
    bars = second.get("/ohlc/BTCUSDT/5m?limit=5000")["bars"]
    assert sum(bars["trades"]) == total


def test_a_hole_inside_a_recording_is_the_recordings(tmp_path: Path, run: Any) -> None:
    recording = tmp_path / "day.gz"
    write_recording(recording, 600, without=range(200, 300))
    started = run(tmp_path / "data", "--source", "replay", str(recording), "--speed", "0")
    started.until(lambda status: status["source"]["finished"] and status["feed"]["state"] == "finished")
    (gap,) = started.get("/status/tape")["gaps"]
    assert (gap["first_id"], gap["last_id"], gap["reason"]) == (200, 299, "recording")


def write_recording(path: Path, total: int, without: range = range(0)) -> None:
    """A trade each 5 ms."""
    start_ms = 1_700_000_000_000
    with gzip.open(path, "wt") as out:
        for i in range(1, total + 1):
            if i in without:
                continue
            time_ms = start_ms + 5 * i
            event = {"e": "aggTrade", "E": time_ms, "s": "BTCUSDT", "a": i, "p": f"{30_000 + i % 7}.0", "q": "0.001"}
            event |= {"f": i, "l": i, "T": time_ms, "m": i % 2 == 0}
            out.write(f"{time_ms * 1_000_000} {json.dumps({'stream': 'btcusdt@aggTrade', 'data': event})}\n")


def test_a_second_port_serves_the_same_and_what_listening_everywhere_means_is_said(tmp_path: Path) -> None:
    second = free_port()
    arguments = ["--source", "simulator", "--host", "0.0.0.0", "--frontend-port", str(second), "--no-open"]
    running = Running(tmp_path / "data", *arguments)
    try:
        running.until(lambda status: status["started_ms"])
        for url in (running.url, f"http://127.0.0.1:{second}"):
            assert get(f"{url}/symbols").json() == running.get("/symbols")
            assert "<div id=" in get(f"{url}/app/").text
        told = running.log.read_text()
        assert f"pairscope is on http://localhost:{running.port}" in told
        assert "every network this machine is in" in told
        assert "--allowed-hosts" in told
    finally:
        running.process.terminate()
        running.process.wait(STOP_S)


@pytest.mark.parametrize("arguments", [["--host", ""], ["--interval", "1s"], ["--intervals", "60"], ["--window", "1M"]])
def test_what_was_not_meant_is_refused(arguments: list[str]) -> None:
    done = pairscope("run", "--source", "simulator", *arguments)
    assert done.returncode == 2
    assert "did you mean" in done.stderr or "0.0.0.0" in done.stderr
