"""Commands are told to stop: by each signal, with their terminal gone, with nobody reading, on a busy machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.model import TradeKind
from pairscope.cli.ending import Ended, run_until_told
from pairscope.feed.recording import ReadTally, read_frames
from pairscope.store.tape import Tape
from tests import prepared
from tests.patience import START_S, STOP_S
from tests.test_cli import clean_environment, free_port

Process = subprocess.Popen[bytes] | prepared.Program


@pytest.fixture(autouse=True)
def hangups_are_heard() -> Iterator[None]:
    """By the processes a test starts: under `nohup make test` they would inherit that they are ignored."""
    before = signal.signal(signal.SIGHUP, _outlive)
    yield
    signal.signal(signal.SIGHUP, before)


def _outlive(_: int, __: object) -> None:
    """A signal with a handler is heard by default in a process that is started; this one goes on."""


class Command:
    """A command in a process of its own, and what it printed."""

    def __init__(self, folder: Path, *arguments: str, **given: Any) -> None:
        self.log = folder / "out.txt"
        command = ("-m", "pairscope", *arguments)
        with self.log.open("wb") as log:
            given = {"stdout": log, "stderr": log, "env": clean_environment(), "cwd": folder, **given}
            if "preexec_fn" in given:
                self.process: Process = subprocess.Popen([sys.executable, *command], **given)
            else:
                self.process = prepared.start(*command, **given)

    def until(self, condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + START_S
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline_s, self.log.read_text()
            time.sleep(0.05)  # another process: there is nothing to await

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(STOP_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def start(*arguments: str, **given: Any) -> Command:
        started.append(Command(tmp_path, *arguments, **given))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def run_arguments(folder: Path) -> list[str]:
    return ["run", "--source", "simulator", "--port", str(free_port()), "--data-dir", str(folder)]


def announced(folder: Path) -> bool:
    return bool(list(folder.glob("*/*server.json")))


def has_trades(folder: Path) -> bool:
    """Whether something was committed, so that there is something to lose."""
    return announced(folder) and any(each.stat().st_size for each in folder.glob("*/tape.duckdb.wal"))


def assert_ended_in_good_order(folder: Path) -> None:
    (tape,) = folder.glob("*/tape.duckdb")
    assert not announced(folder)
    assert not list(folder.glob("*/tape.duckdb.wal")), "the log was not written into the tape"
    store = Tape.open(tape, kind=TradeKind.AGG, clock=SystemClock())
    store.close()
    assert "tape_closed" in (folder / "pairscope.log").read_text()


@contextlib.contextmanager
def busy_machine(loops: int) -> Iterator[None]:
    """As many endless loops as asked."""
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_ends_a_server_in_good_order(
    tmp_path: Path, start: Callable[..., Command], how: signal.Signals
) -> None:
    folder = tmp_path / "data"
    running = start(*run_arguments(folder), fresh=True)
    running.until(lambda: has_trades(folder))
    assert running.end(how) == 0, running.log.read_text()
    assert_ended_in_good_order(folder)


def test_a_server_ends_in_good_order_on_a_busy_machine(tmp_path: Path, start: Callable[..., Command]) -> None:
    folder = tmp_path / "data"
    running = start(*run_arguments(folder))
    running.until(lambda: has_trades(folder))
    with busy_machine(4):
        assert running.end(signal.SIGTERM) == 0, running.log.read_text()
    assert_ended_in_good_order(folder)


def test_a_server_that_is_stopped_while_it_starts_leaves_nothing_behind(
    tmp_path: Path, start: Callable[..., Command]
) -> None:
    folder = tmp_path / "data"
    running = start(*run_arguments(folder))
    running.until(lambda: list(folder.glob("*/tape.duckdb")))
    assert running.end(signal.SIGTERM) == 0, running.log.read_text()
    assert_ended_in_good_order(folder)


def test_a_closed_terminal_ends_a_server_in_good_order(tmp_path: Path, start: Callable[..., Command]) -> None:
    folder = tmp_path / "data"
    controller, terminal = os.openpty()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    popen = {"stdin": terminal, "stdout": terminal, "stderr": terminal, "preexec_fn": own_terminal}
    running = start(*run_arguments(folder), **popen)
    os.close(terminal)
    running.until(lambda: has_trades(folder))
    os.close(controller)
    assert running.process.wait(STOP_S) == 0
    assert_ended_in_good_order(folder)


def test_a_server_goes_on_when_nobody_reads_what_it_prints(tmp_path: Path, start: Callable[..., Command]) -> None:
    folder = tmp_path / "data"
    reads, prints = os.pipe()
    running = start(*run_arguments(folder), stdout=prints)
    os.close(prints)
    os.close(reads)
    running.until(lambda: has_trades(folder))
    assert running.end(signal.SIGTERM) == 0, running.log.read_text()
    assert "Traceback" not in running.log.read_text()
    assert_ended_in_good_order(folder)


def test_a_server_runs_without_any_output(tmp_path: Path) -> None:
    closed = 'exec "$0" "$@" >&- 2>&- <&-'
    silent = subprocess.Popen(
        ["sh", "-c", closed, sys.executable, "-m", "pairscope", *run_arguments(tmp_path / "silent")],
        env=clean_environment(),
    )
    try:
        deadline_s = time.monotonic() + START_S
        while not has_trades(tmp_path / "silent"):
            assert silent.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)  # another process: there is nothing to await
        silent.terminate()
        assert silent.wait(STOP_S) == 0
    finally:
        silent.kill()
        silent.wait()
    assert_ended_in_good_order(tmp_path / "silent")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_recording_started_in_the_background_of_a_script_is_whole_when_it_is_stopped(
    tmp_path: Path, start: Callable[..., Command], how: signal.Signals
) -> None:
    file = tmp_path / "day.txt.zst"
    arguments = ["record", str(file), "--source", "simulator", "--symbols", "BTCUSDT"]
    # As a shell without job control has it for `record &`.
    recording = start(*arguments, deaf_to=[signal.SIGINT])
    recording.until(lambda: file.exists() and file.stat().st_size > 2_000)
    assert recording.end(how) == 0, recording.log.read_text()
    tally = ReadTally()
    frames = list(read_frames(file, tally))
    assert (tally.bad_lines, tally.damaged_files) == (0, 0)
    assert f"{len(frames):,} frames in {file}" in recording.log.read_text()


def test_a_hangup_that_nohup_ignores_ends_nothing() -> None:
    with worker(leave_s=0, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as child:
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGTERM)
        child.wait(STOP_S)
        assert child.stdout is not None
        assert child.stdout.read() == f"leaving\n{int(signal.SIGTERM)}\n"


def test_the_simulated_exchange_is_ended_by_a_signal(start: Callable[..., Command]) -> None:
    simulator = start("simulator", "--port", "0", "--rest-port", "0")
    simulator.until(lambda: "REST" in simulator.log.read_text())
    assert simulator.end(signal.SIGTERM) == 0, simulator.log.read_text()


STUBBORN = """
import asyncio, sys
from pairscope.cli.ending import run_until_told

async def work():
    print("working", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("leaving", flush=True)
        await asyncio.sleep({leave_s})

ended = run_until_told(work())
print(ended.signal, flush=True)
sys.exit(ended.exit_code())
"""


@contextlib.contextmanager
def worker(leave_s: float, **popen: Any) -> Iterator[subprocess.Popen[str]]:
    program = STUBBORN.format(leave_s=leave_s)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=clean_environment(), **popen
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "working\n"
        try:
            yield child
        finally:
            child.kill()


def test_the_exit_code_of_unfinished_work_names_the_signal() -> None:
    with worker(leave_s=0) as child:
        child.send_signal(signal.SIGTERM)
        assert child.wait(STOP_S) == 128 + signal.SIGTERM
        assert child.stdout is not None
        assert child.stdout.read() == f"leaving\n{int(signal.SIGTERM)}\n"


def test_a_second_signal_does_not_wait() -> None:
    with worker(leave_s=3_600) as child:
        assert child.stdout is not None
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "leaving\n"
        while child.poll() is None:  # until it is no longer taken for the first one
            child.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.1)
        assert child.returncode == 128 + signal.SIGINT


def test_signals_sent_together_are_one_request() -> None:
    with worker(leave_s=0.2) as child:
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGTERM)
        assert child.stdout is not None
        assert child.stdout.read().startswith("leaving\n")


def test_a_signal_that_does_not_interrupt_the_wait_ends_it_all_the_same() -> None:
    """One that comes just before the wait does not; neither does one that the kernel gives to another thread."""
    program = """
import asyncio, signal, sys, threading, time
from pairscope.cli.ending import run_until_told

def tell():
    time.sleep(0.3)  # by then the loop waits, for ever
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

async def work():
    threading.Thread(target=tell).start()
    await asyncio.Event().wait()

sys.exit(run_until_told(work()).exit_code())
"""
    told = subprocess.run([sys.executable, "-c", program], check=False, env=clean_environment(), timeout=STOP_S)
    assert told.returncode == 128 + signal.SIGTERM


def test_work_that_ends_by_itself_gives_its_result() -> None:
    async def answer() -> int:
        return 42

    before = signal.getsignal(signal.SIGTERM)
    assert run_until_told(answer()) == Ended(result=42)
    assert signal.getsignal(signal.SIGTERM) == before
