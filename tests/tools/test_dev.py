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
# Stands for page and server: both only wait, and so does the one that each of them starts. What they were started with
# is in a file of their number. They end when they are told to, and while there is a file `slow` they do not.
IDLE = """
import os, signal, sys, time
from pathlib import Path

folder = Path(sys.argv[1])
if os.fork() == 0:
    (folder / f"{os.getpid()}.child").touch()
    time.sleep(600)

def told(*_):
    (folder / f"{os.getpid()}.told").touch()
    while (folder / "slow").exists():
        time.sleep(0.01)
    sys.exit()

signal.signal(signal.SIGTERM, told)
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(3))
(folder / str(os.getpid())).write_text(" ".join([os.environ.get("PAIRSCOPE_URL", ""), *sys.argv[2:]]))
time.sleep(600)
"""
PROGRAM = """
import sys
from pathlib import Path
from tools import dev

folder, sources, *arguments = sys.argv[1:]
idle = [sys.executable, "-c", {idle!r}, folder]
begin, look = dev.start, dev.newest_change

def count(what):
    with Path(folder, what).open("a") as counted:
        counted.write(".")

def start(command, **environment):
    count("starts")
    return begin([*idle, *command[1:]], **environment)

def newest_change(sources):
    found = look(sources)
    count("looks")
    return found

dev.start, dev.newest_change, dev.SOURCES, dev.LOOK_S = start, newest_change, Path(sources), 0.05
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
        return {int(path.name): path.read_text() for path in self.folder.iterdir() if path.name.isdecimal()}

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + COMMAND_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)  # other processes: there is nothing to await

    def until_looked(self) -> None:
        """Until it has looked at the sources twice more: the first of them may have begun before."""
        before = self.counted("looks")
        self.until(lambda: self.counted("looks") >= before + 2)

    def counted(self, what: str) -> int:
        return (self.folder / what).stat().st_size

    def running(self) -> set[int]:
        return set(filter(is_alive, self.started()))

    def left(self) -> set[int]:
        """What was started and runs, and what that has started."""
        children = {int(path.stem) for path in self.folder.glob("*.child")}
        return self.running() | set(filter(is_alive, children))

    def page(self) -> int:
        (page,) = (number for number, text in self.started().items() if text.endswith("run dev"))
        return page


def is_alive(number: int) -> bool:
    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Dev]:
    here = Dev(tmp_path)
    try:
        here.until(lambda: len([text for text in here.started().values() if text]) == 2)
        yield here
    finally:
        here.process.kill()
        here.process.wait()
        for number in here.left():
            os.kill(number, signal.SIGKILL)


def test_server_and_page_know_of_one_another(running: Dev) -> None:
    page, server = sorted(running.started().values(), key=lambda text: "pairscope run" in text)
    assert page.startswith("http://127.0.0.1:9000 ")
    assert page.endswith("npm.py run dev")
    assert server.split()[-6:] == ["--port", "9000", "--source", "simulator", "--port", "9000"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_however_it_is_ended_nothing_is_left(running: Dev, how: signal.Signals) -> None:
    running.until(lambda: len(running.left()) == 4)
    running.process.send_signal(how)
    assert running.process.wait(COMMAND_S) == 0
    running.until(lambda: not running.left())


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_who_asks_twice_does_not_leave_half_of_it(running: Dev, again: signal.Signals) -> None:
    (running.folder / "slow").touch()
    running.process.send_signal(signal.SIGINT)
    running.until(lambda: any(running.folder.glob("*.told")))  # one of them: they are ended in turn
    running.process.send_signal(again)
    (running.folder / "slow").unlink()
    assert running.process.wait(COMMAND_S) == 0
    running.until(lambda: not running.left())


def test_when_the_page_ends_so_does_all_of_it_with_the_code_of_the_page(running: Dev) -> None:
    os.kill(running.page(), signal.SIGUSR1)
    assert running.process.wait(COMMAND_S) == 3
    running.until(lambda: not running.running())


def test_the_server_alone_starts_again_once_when_a_source_changes(running: Dev) -> None:
    (running.sources / "notes.txt").write_text("")
    running.until_looked()
    assert running.counted("starts") == 2
    (running.sources / "new.py").write_text("")
    running.until(lambda: len([text for text in running.started().values() if text]) == 3)
    running.until(lambda: len(running.running()) == 2)
    assert running.page() in running.running()
    running.until_looked()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(COMMAND_S) == 0
    running.until(lambda: not running.left())
    assert running.counted("starts") == 3


def test_what_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow").touch()
    monkeypatch.setattr(dev, "PATIENCE_S", 0.1)
    process = dev.start([sys.executable, "-c", IDLE, str(tmp_path)])
    here = tmp_path / str(process.pid)
    deadline = time.monotonic() + COMMAND_S
    while not here.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # another process: there is nothing to await
    dev.end(process)
    assert process.returncode == -signal.SIGKILL
