"""What a job is: what was asked for, how far it is, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from pairscope.base.errors import PairscopeError
from pairscope.jobs.executor import Executor

T = TypeVar("T")

LINES_KEPT = 200  # of what a job tells, the newest


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(slots=True)
class Job:
    """One job; changed by the queue and by nobody else."""

    id: int
    kind: str
    title: str
    asked_ms: int
    state: JobState = JobState.WAITING
    share: float = 0.0  # done, from 0 to 1
    words: str = "waits for those before it"
    began_ms: int | None = None
    ended_ms: int | None = None
    result: str | None = None  # in words; of a job that is done
    error: PairscopeError | None = None  # of a job that failed
    lines: list[str] = field(default_factory=list)  # what it told on its way
    lines_dropped: int = 0


class Hand:
    """What the work of a job has in its hand: where to tell how far it is, and where heavy pieces of it run."""

    def __init__(self, job: Job, executor: Executor, changed: Callable[[], None]) -> None:
        self._job = job
        self._executor = executor
        self._changed = changed
        self._pieces: set[asyncio.Task[Any]] = set()

    def progress(self, share: float, words: str) -> None:
        """How far the job is: from 0 to 1, and in words."""
        self._job.share = min(1.0, max(0.0, share)) if share == share else self._job.share
        self._job.words = words
        self._changed()

    def tell(self, line: str) -> None:
        """A line that stays; of very many the newest."""
        self._job.lines.append(line)
        if len(self._job.lines) > LINES_KEPT:
            del self._job.lines[0]
            self._job.lines_dropped += 1
        self._changed()

    async def run(self, function: Callable[..., T], *arguments: Any, within: tuple[float, float] = (0.0, 1.0)) -> T:
        """Run a heavy piece elsewhere; its progress is the part of the job's between two shares."""
        low, high = within
        work = self._executor.run(
            function,
            *arguments,
            progress=lambda share, words: self.progress(low + (high - low) * share, words),
        )
        piece = asyncio.ensure_future(work)
        self._pieces.add(piece)
        try:
            return await piece
        finally:
            self._pieces.discard(piece)

    async def end_pieces(self) -> None:
        """End what still runs for a job that is over."""
        pieces = list(self._pieces)
        for piece in pieces:
            piece.cancel()
        if pieces:
            await asyncio.wait(pieces)


Work = Callable[[Hand], Awaitable[str]]  # gives the result in words
