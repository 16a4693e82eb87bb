"""Plain functions that jobs of tests do, in this process or another."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pairscope.base.errors import SettingsError
from pairscope.jobs.executor import Progress


def add(progress: Progress, one: int, other: int) -> int:
    progress(0.5, "half way")
    return one + other


def about_itself(progress: Progress) -> dict[str, Any]:
    print("what a library prints")  # must not come between the records
    return {"pid": os.getpid(), "nice": os.getpriority(os.PRIO_PROCESS, 0)}


def refuse(progress: Progress) -> None:
    raise SettingsError("no", cure="yes")


def crash(progress: Progress) -> None:
    raise ValueError("a fault")


def give_what_cannot_be_told(progress: Progress) -> Any:
    return lambda: None


def die(progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def end_early(progress: Progress) -> None:
    sys.exit(3)


def large(progress: Progress, byte_count: int) -> bytes:
    return bytes(byte_count)


def burn(progress: Progress, note: str) -> None:
    """Burn one core, and hold the interpreter, for ever; the number of the process is left in a file."""
    Path(note).write_text(str(os.getpid()))
    share = 0.0
    while True:
        sum(range(100_000))
        share = (share + 0.001) % 1.0
        progress(share, "burns")


def hold_the_interpreter(progress: Progress, note: str) -> None:
    """Hold the interpreter for long in one call into C."""
    Path(note).write_text(str(os.getpid()))
    sum(itertools.repeat(1, 10**11))


def wait_for(progress: Progress, gate: str) -> str:
    """Wait until a file is there."""
    while not Path(gate).exists():
        progress(0.1, "waits")
        time.sleep(0.01)  # another process: there is nothing to await
    return "was opened"
