"""Where a long piece of work runs: in this process, in one of its own, or, later, on other machines.

The work is a plain function of the top level of a module, so that it can be named to another process. Its first
argument is a `Progress`, the others and its result are plain data. The same function gives the same result wherever it
runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Takes how far the work is: from 0 to 1, and in words for people."""

    def __call__(self, share: float, words: str) -> None: ...


class Executor(Protocol):
    """Runs functions somewhere."""

    async def run(self, function: Callable[..., T], *arguments: Any, progress: Progress) -> T:
        """The result of a function; what it raises is raised here. Cancelled, the work ends.

        `progress` is called on the event loop.
        """


class Cancelled(BaseException):
    """Raised in work that nobody waits for any more, at its next word of progress."""


class InProcess:
    """Runs work in a thread of this process: for tests, and where no process can be started."""

    async def run(self, function: Callable[..., T], *arguments: Any, progress: Progress) -> T:
        loop = asyncio.get_running_loop()
        is_over = False

        def told(share: float, words: str) -> None:
            if is_over:
                raise Cancelled
            loop.call_soon_threadsafe(progress, share, words)

        pool = ThreadPoolExecutor(1)
        try:
            return await loop.run_in_executor(pool, lambda: function(told, *arguments))
        finally:
            is_over = True
            pool.shutdown(wait=False)
