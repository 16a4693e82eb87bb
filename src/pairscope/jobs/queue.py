"""The queue of jobs: bounded, one at a time, and what came of the last ones."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import Meanings, PairscopeError, RequestError, UnknownName
from pairscope.jobs.executor import Executor
from pairscope.jobs.job import Hand, Job, JobState, Work

log = structlog.get_logger()

MOST_WAITING = 20
MOST_KEPT = 50  # that are over


class TooManyJobs(PairscopeError):
    """The queue is full."""

    code = "too_many_jobs"
    http_status = 503
    retry_after_s = 30.0
    meanings: ClassVar[Meanings] = {
        "too_many_jobs": (
            "as many jobs wait as may",
            "ask again when one is over, or cancel one: `DELETE /jobs/{id}`",
        )
    }


class JobOver(RequestError):
    """A job that has ended cannot be cancelled."""

    code = "job_over"
    http_status = 409
    meanings: ClassVar[Meanings] = {"job_over": ("a job that has ended", "nothing is to be done")}


class UnknownJob(UnknownName):
    code = "unknown_job"
    meanings: ClassVar[Meanings] = {
        "unknown_job": ("a job that never was, or ended long ago", "see `GET /jobs` for those that are known")
    }


@dataclass(frozen=True, slots=True)
class JobCounters:
    waiting: int
    waiting_limit: int
    refused: int  # since the start, because the queue was full
    done: int
    failed: int
    cancelled: int


class Jobs:
    """Runs one job after the other, until cancelled; lives on the event loop."""

    def __init__(
        self, executor: Executor, clock: Clock, *, most_waiting: int = MOST_WAITING, most_kept: int = MOST_KEPT
    ) -> None:
        self.revision = 0  # another number after each change
        self._executor = executor
        self._clock = clock
        self._most_waiting = most_waiting
        self._waiting: deque[tuple[Job, Work]] = deque()
        self._running: tuple[Job, asyncio.Future[str]] | None = None
        self._over: deque[Job] = deque(maxlen=most_kept)
        self._wake = asyncio.Event()
        self._last_id = 0
        self._refused = 0
        self._ended = dict.fromkeys((JobState.DONE, JobState.FAILED, JobState.CANCELLED), 0)

    def submit(self, kind: str, title: str, work: Work) -> Job:
        """Put a job at the end of the queue.

        Raises:
            TooManyJobs: when as many wait as may.
        """
        if len(self._waiting) >= self._most_waiting:
            self._refused += 1
            raise TooManyJobs(
                f"{len(self._waiting)} jobs wait", cure="ask again when one is over, or cancel one: DELETE /jobs/{id}"
            )
        at_ms = now_ms(self._clock)
        self._last_id = max(self._last_id + 1, at_ms)  # so that no number is of a job of an earlier process
        job = Job(self._last_id, kind, title, at_ms)
        self._waiting.append((job, work))
        self._changed()
        self._wake.set()
        return job

    def get(self, job_id: int) -> Job:
        """A job by its number.

        Raises:
            UnknownJob: when there is none.
        """
        for job in self.all():
            if job.id == job_id:
                return job
        raise UnknownJob(f"there is no job {job_id}", cure="see GET /jobs for those that are known")

    def all(self) -> Sequence[Job]:
        """The newest first."""
        running = [self._running[0]] if self._running else []
        return sorted([*self._over, *running, *(job for job, _ in self._waiting)], key=lambda job: -job.id)

    def cancel(self, job_id: int) -> Job:
        """End a job: one that waits at once, one that runs as soon as its work has ended.

        Raises:
            UnknownJob: when there is none.
            JobOver: when it has ended.
        """
        job = self.get(job_id)
        if job.state.is_over:
            raise JobOver(f"job {job_id} is {job.state.value}", cure="nothing is to be done")
        if self._running is not None and self._running[0] is job:
            job.state, job.words = JobState.CANCELLING, "is being ended"
            self._running[1].cancel()
        else:
            self._waiting = deque(each for each in self._waiting if each[0] is not job)
            self._end(job, JobState.CANCELLED)
        self._changed()
        return job

    def counters(self) -> JobCounters:
        return JobCounters(
            waiting=len(self._waiting),
            waiting_limit=self._most_waiting,
            refused=self._refused,
            done=self._ended[JobState.DONE],
            failed=self._ended[JobState.FAILED],
            cancelled=self._ended[JobState.CANCELLED],
        )

    async def run(self) -> None:
        """Work until cancelled; the job that runs then is cancelled, with its process."""
        while True:
            self._wake.clear()
            while self._waiting:
                await self._do(*self._waiting.popleft())
            await self._wake.wait()

    async def _do(self, job: Job, work: Work) -> None:
        job.state, job.words, job.began_ms = JobState.RUNNING, "begins", now_ms(self._clock)
        hand = Hand(job, self._executor, self._changed)
        task = asyncio.ensure_future(_at_the_edge(work, hand))
        self._running = job, task
        self._changed()
        log.info("job_began", job=job.id, kind=job.kind, title=job.title)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            await asyncio.wait([task])
            await hand.end_pieces()
            self._running = None
            self._conclude(job, task)

    def _conclude(self, job: Job, task: asyncio.Future[str]) -> None:
        if task.cancelled():
            self._end(job, JobState.CANCELLED)
        elif (error := task.exception()) is None:
            job.result = task.result()
            self._end(job, JobState.DONE)
        else:
            assert isinstance(error, PairscopeError)
            job.error = error
            self._end(job, JobState.FAILED)

    def _end(self, job: Job, state: JobState) -> None:
        job.state, job.ended_ms = state, now_ms(self._clock)
        job.words = {JobState.DONE: "done", JobState.FAILED: "failed", JobState.CANCELLED: "cancelled"}[state]
        job.share = 1.0 if state is JobState.DONE else job.share
        self._ended[state] += 1
        self._over.append(job)
        self._changed()
        log.info("job_ended", job=job.id, kind=job.kind, state=state.value)

    def _changed(self) -> None:
        self.revision += 1


async def _at_the_edge(work: Work, hand: Hand) -> str:
    """The edge of a job: whatever fails in it, the queue goes on."""
    try:
        return await work(hand)
    except PairscopeError:
        raise
    except Exception as error:
        log.exception("job_crashed")
        raise PairscopeError(
            f"the job failed: {type(error).__name__}",
            cure="the log names the cause; please report it",
            code="internal_error",
        ) from error
