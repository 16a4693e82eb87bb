"""What `make dev` starts belongs together, begins anew with each change of a source, and leaves nothing behind."""

from __future__ import annotations

import doctest
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.patience import COMMAND_S
from tools import dev

ROOT = Path(__file__).parent.parent.parent
# Stands for the page and for the server: both only wait; what they were started with is in a file of their number.
IDLE = """
import os, sys, time
from pathlib import Path
Path(sys.argv[1], str(os.getpid())).write_text(" ".join([os.environ.get("PAIRSCOPE_URL", ""), *sys.argv[2:]]))
time.sleep(600)
"""
PROGRAM = """
import sys
from pathlib import Path
from tools import dev

folder, sources, *arguments = sys.argv[1:]
idle = [sys.executable, "-c", {idle!r}, folder]
begin = dev.start
dev.start = lambda command, **environment: begin([*idle, *command[1:]], **environment)
dev.SOURCES = Path(sources)
sys.exit(dev.main(arguments))
"""


def test_examples_hold() -> None:
    assert doctest.testmod(dev).failed == 0


def test_the_market_is_simulated_unless_another_is_named() -> None:
    assert dev.command([], "9")[-4:] == ["--port", "9", "--source", "simulator"]
    assert dev.command(["--source=tape"], "9")[-3:] == ["--port", "9", "--source=tape"]


class Dev:
    """The program, with processes that do nothing in the places of page and server."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sources = folder / "started", folder / "sources"
        self.folder.mkdir()
        self.sources.mkdir()
        program = PROGRAM.format(idle=IDLE)
        arguments = [str(self.folder), str(self.sources), "--port", "9000"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )

    def started(self) -> dict[int, str]:
        """By number, what was started."""
        return {int(path.name): path.read_text() for path in self.folder.iterdir()}

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + COMMAND_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)  # other processes: there is nothing to await

    def running(self) -> set[int]:
        return {number for number in self.started() if psutil.pid_exists(number)}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Dev]:
    here = Dev(tmp_path)
    try:
        here.until(lambda: len([text for text in here.started().values() if text]) == 2)
        yield here
    finally:
        here.process.kill()
        here.process.wait()
        for number in here.running():
            os.kill(number, signal.SIGKILL)


def test_server_and_page_know_of_one_another(running: Dev) -> None:
    page, server = sorted(running.started().values(), key=lambda text: "pairscope run" in text)
    assert page.startswith("http://127.0.0.1:9000 ")
    assert page.endswith("npm.py run dev")
    assert server.split()[-6:] == ["--port", "9000", "--source", "simulator", "--port", "9000"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_however_it_is_ended_nothing_is_left(running: Dev, how: signal.Signals) -> None:
    running.process.send_signal(how)
    assert running.process.wait(COMMAND_S) == 0
    running.until(lambda: not running.running())


def test_the_server_alone_starts_again_when_a_source_changes(running: Dev) -> None:
    before = running.started()
    (page,) = (number for number, text in before.items() if text.endswith("run dev"))
    (running.sources / "new.py").write_text("")
    running.until(lambda: len(running.started()) == 3)
    running.until(lambda: len(running.running()) == 2)
    assert page in running.running()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(COMMAND_S) == 0
    running.until(lambda: not running.running())
