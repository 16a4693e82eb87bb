"""How a command is told to stop: Ctrl-C, SIGTERM and a closed terminal (SIGHUP) all end it the same way.

The first signal cancels the work, which flushes, closes and cleans up on its way out. A second one, when somebody has
lost patience, ends the process at once: what is committed stays, as it does when a process is killed.

A shell without job control has its background commands ignore SIGINT; it is heard all the same, or `record &` in a
script could not be ended by it. A SIGHUP that is ignored stays so: that is what `nohup` is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, Generic, TypeVar

from pairscope.base.clock import SystemClock

T = TypeVar("T")

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
# A closed terminal sends SIGHUP twice, a supervisor SIGTERM and SIGHUP together: that is no impatience.
ONE_REQUEST_S = 0.5


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """How work ended: with a result, or because a signal told it to."""

    result: T | None = None
    signal: int | None = None

    def exit_code(self, done: int = 0) -> int:
        """What the shell is told: 128 and the number of the signal, as is the custom."""
        return done if self.signal is None else 128 + self.signal


def run_until_told(work: Coroutine[Any, Any, T]) -> Ended[T]:
    """Run to the end, or until a signal says stop; the work has cleaned up in both cases."""
    told = _Told()
    with _handled_by(told.on_signal):
        try:
            return Ended(asyncio.run(told.heard_by(work)))
        except asyncio.CancelledError:
            if told.signal is None:
                raise
            return Ended(signal=told.signal)


class _Told:
    """The signal that said stop, and the task it stops."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._first_s = 0.0
        self._stop: Callable[[], object] = lambda: None

    async def heard_by(self, work: Coroutine[Any, Any, T]) -> T:
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        self._stop = partial(loop.call_soon_threadsafe, task.cancel)
        if self.signal is not None:
            task.cancel()
        with _waking(loop):
            try:
                return await task
            finally:
                self._stop = lambda: None  # the loop is about to close

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        now_s = SystemClock.monotonic_s()
        if self.signal is None:
            self.signal, self._first_s = number, now_s
            self._stop()
        elif now_s - self._first_s > ONE_REQUEST_S:
            os._exit(128 + number)


@contextlib.contextmanager
def _waking(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Every signal wakes the loop, also one that comes just before it waits, or to another thread of the process.

    Python runs a handler between two of its own instructions, and a loop that has begun to wait has none: without this
    such a signal is heard when something else happens, which in a quiet process may be never.
    """
    if os.name == "nt":  # there the loop does it by itself
        yield
        return
    ear, bell = os.pipe()
    os.set_blocking(ear, False)
    os.set_blocking(bell, False)
    loop.add_reader(ear, os.read, ear, 4096)
    before = signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        loop.remove_reader(ear)
        os.close(ear)
        os.close(bell)


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Signals go to the handler meanwhile. Not by the loop: it may stand still, and a second signal must work then."""
    hangup = getattr(signal, "SIGHUP", None)
    heard = [each for each in ENDING if each != hangup or signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous if previous is not None else signal.SIG_DFL)
