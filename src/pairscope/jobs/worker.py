"""A worker process: does one piece of work, tells how far it is, and never outlives its parent.

Started as ``python -m pairscope.jobs.worker`` by `pairscope.jobs.workers`. Its standard input stays open as long as the
parent lives: at its end the process ends, wherever it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import threading
import traceback
from typing import IO, Any

import psutil

from pairscope.base.logs import set_up_logs
from pairscope.jobs.pipe import Done, Failed, Message, Task, Told, packed, read

NICENESS = 15  # the live path goes first
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do the work that is named on the standard input."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    _end_with_parent()
    _go_behind_others()
    heard = os.fdopen(os.dup(0), "rb")
    said = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not come between the records
    try:
        order: Task = read(heard)
    except EOFError:
        return
    threading.Thread(target=_end_at_eof, args=(heard,), daemon=True).start()
    set_up_logs("warning", None)
    _write(said, _worked(order, said))
    said.close()
    os._exit(0)  # the thread that listens holds the input


def _worked(order: Task, said: IO[bytes]) -> Message:
    try:
        sys.path[:] = order.path
        function, arguments = pickle.loads(order.call)
        return Done(function(lambda share, words: _write(said, Told(share, words)), *arguments))
    except Exception as error:  # noqa: BLE001 - the edge of the process: whatever fails is the parent's to tell
        return Failed(error, traceback.format_exc())


def _write(said: IO[bytes], message: Message) -> None:
    try:
        content = packed(message)
    except Exception as error:  # noqa: BLE001 - a result, or an error, that is no plain data
        trace = getattr(message, "trace", "") or traceback.format_exc()
        content = packed(Failed(RuntimeError(f"{type(error).__name__}: {error}"), trace))
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[said.write(rest) :]
    except OSError:  # nobody reads any more
        os._exit(1)


def _end_with_parent() -> None:
    """Have the kernel end this process with its parent, even when it holds the interpreter for long; Linux only."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended just before
        os._exit(1)


def _go_behind_others() -> None:
    with contextlib.suppress(psutil.Error, OSError):
        psutil.Process().nice(getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", NICENESS))  # the former on Windows


def _end_at_eof(heard: IO[bytes]) -> Any:
    with contextlib.suppress(OSError):
        while heard.read(1):
            pass
    os._exit(1)


if __name__ == "__main__":
    main()
