"""A process for each piece of work, which ends with the work, and with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pairscope.jobs.worker import NICENESS
from pairscope.jobs.workers import WorkerEnded, WorkerProcesses
from tests.jobs import works
from tests.patience import COMMAND_S, EVENT_S

ROOT = Path(__file__).parent.parent.parent


def nothing(share: float, words: str) -> None:
    pass


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition: object, what: str) -> None:
    """Other processes: there is nothing to await."""
    deadline_s = time.monotonic() + EVENT_S
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.01)


async def test_a_worker_is_another_process_that_lets_others_go_first() -> None:
    about = await WorkerProcesses().run(works.about_itself, progress=nothing)
    assert about["pid"] != os.getpid()
    assert about["nice"] == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS) or about["nice"] == NICENESS
    assert is_gone(about["pid"])


@pytest.mark.parametrize("work", [works.die, works.end_early])
async def test_a_worker_that_ends_without_a_result_is_told_with_its_cure(work: object) -> None:
    assert callable(work)
    with pytest.raises(WorkerEnded, match="ended without a result") as told:
        await WorkerProcesses().run(work, progress=nothing)
    assert "ask for it again" in told.value.cure


async def test_a_result_that_is_no_plain_data_is_a_fault_that_is_named() -> None:
    with pytest.raises(RuntimeError, match="pickle"):
        await WorkerProcesses().run(works.give_what_cannot_be_told, progress=nothing)


async def test_a_function_that_no_other_process_can_find_is_refused_before_one_is_started() -> None:
    with pytest.raises(Exception, match="pickle"):
        await WorkerProcesses().run(lambda progress: None, progress=nothing)


@pytest.mark.parametrize("work", [works.burn, works.hold_the_interpreter])
async def test_cancelling_ends_the_process_whatever_it_does(work: object, tmp_path: Path) -> None:
    assert callable(work)
    note = tmp_path / "pid"
    running = asyncio.ensure_future(WorkerProcesses().run(work, str(note), progress=nothing))
    await asyncio.to_thread(until, lambda: note.exists() and note.read_text(), "the work begins")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert is_gone(int(note.read_text()))


PARENT = """
import asyncio, sys
from pairscope.jobs.workers import WorkerProcesses
from tests.jobs import works
asyncio.run(WorkerProcesses().run(getattr(works, sys.argv[1]), sys.argv[2], progress=lambda *_: None))
"""


@pytest.mark.timeout(COMMAND_S)
@pytest.mark.parametrize("work", ["burn", "hold_the_interpreter"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_leaves_no_worker(work: str, how: signal.Signals, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, work, str(note)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    until(lambda: note.exists() and note.read_text(), "the work begins")
    worker = int(note.read_text())
    assert not is_gone(worker)
    parent.send_signal(how)
    parent.wait(EVENT_S)
    until(lambda: is_gone(worker), "the worker ends")
