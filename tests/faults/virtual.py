"""Virtual time: an event loop that jumps to its next timer instead of waiting for it, and the clock that belongs to it.

Everything that sleeps through asyncio and asks a handed-in clock runs as it is, hours in milliseconds, and the same
way each time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Everything waits and no timer is set: in real time this would hang for ever."""


class _Leap(selectors.SelectSelector):
    """Where a loop waits: here it only notes that the time has passed."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("every task waits, and no timer is set")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """No sockets and no threads: what goes to a thread is done at once."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now_s

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits
            future.set_exception(error)
        return future


class VirtualClock:
    """The clock of a machine in virtual time; its wall time can jump, its monotonic time cannot."""

    def __init__(self, start_ms: int) -> None:
        self._offset_ns = start_ms * 1_000_000
        self._loop = asyncio.get_running_loop()

    def now_ns(self) -> int:
        return self._offset_ns + round(self._loop.time() * 1e9)

    def monotonic_s(self) -> float:
        return self._loop.time()

    def jump(self, seconds: float) -> None:
        """Set the wall time forward or back, as an operator or NTP may."""
        self._offset_ns += round(seconds * 1e9)


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, without waiting."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
