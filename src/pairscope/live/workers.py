"""Threads for work that would hold up the event loop: few of them, and work that nobody waits for any more ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")

Check = Callable[[], None]  # called between two pieces of work; raises `Abandoned` when nobody waits for the rest


class Abandoned(Exception):
    """Nobody waits for what is being computed."""


def never_abandoned() -> None:
    """The check of work that somebody will always wait for."""


class Workers:
    """A pool of threads of its own: what waits here delays nothing else."""

    def __init__(self, name: str, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._running: set[threading.Event] = set()

    async def run(self, work: Callable[[Check], _T]) -> _T:
        """What `work` gives. When the caller is cancelled, work that has not begun never does, and the rest ends at its
        next check.
        """
        ended = threading.Event()

        def check() -> None:
            if ended.is_set():
                raise Abandoned

        self._running.add(ended)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, check)
        finally:
            ended.set()
            self._running.discard(ended)

    def close(self) -> None:
        """Begin nothing more, and have what runs end at its next check."""
        for ended in self._running:
            ended.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
