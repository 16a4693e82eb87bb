"""One job after the other, a bounded queue, and what came of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from pairscope.base.clock import SystemClock
from pairscope.base.errors import SettingsError
from pairscope.base.tasks import end
from pairscope.jobs.executor import InProcess
from pairscope.jobs.job import LINES_KEPT, Hand, Job, JobState, Work
from pairscope.jobs.queue import JobOver, Jobs, TooManyJobs, UnknownJob
from pairscope.jobs.workers import WorkerProcesses
from tests.jobs import works


@pytest.fixture
async def jobs() -> AsyncIterator[Jobs]:
    queue = Jobs(InProcess(), SystemClock(), most_waiting=3, most_kept=4)
    running = asyncio.create_task(queue.run())
    yield queue
    await end(running)


async def until_over(jobs: Jobs, job: Job) -> Job:
    while not job.state.is_over:
        await asyncio.sleep(0)
    return job


def gated(gate: asyncio.Event) -> Work:
    async def work(hand: Hand) -> str:
        hand.progress(0.25, "waits")
        await gate.wait()
        return "opened"

    return work


async def at_once(hand: Hand) -> str:
    hand.tell("a line")
    return "done at once"


async def test_a_job_tells_how_far_it_is_and_what_came_of_it(jobs: Jobs) -> None:
    gate = asyncio.Event()
    job = jobs.submit("test", "a test", gated(gate))
    assert (job.state, job.share, job.result) == (JobState.WAITING, 0.0, None)
    before = jobs.revision
    while job.words != "waits":
        await asyncio.sleep(0)
    assert (job.state, job.share) == (JobState.RUNNING, 0.25)
    assert jobs.revision > before
    gate.set()
    await until_over(jobs, job)
    assert (job.state, job.share, job.result, job.error) == (JobState.DONE, 1.0, "opened", None)
    assert job.asked_ms <= (job.began_ms or 0) <= (job.ended_ms or 0)
    assert jobs.get(job.id) is job


async def test_a_heavy_piece_runs_elsewhere_and_is_a_part_of_the_progress(jobs: Jobs) -> None:
    shares: list[float] = []

    async def work(hand: Hand) -> str:
        result = await hand.run(works.add, 3, 4, within=(0.5, 1.0))
        shares.append(job.share)
        return str(result)

    job = jobs.submit("test", "a test", work)
    await until_over(jobs, job)
    assert (job.result, shares) == ("7", [0.75])


async def test_jobs_are_done_one_after_the_other_in_their_order(jobs: Jobs) -> None:
    gate, order = asyncio.Event(), []

    def work(name: str) -> Work:
        async def do(hand: Hand) -> str:
            await gate.wait()
            order.append(name)
            assert sum(each.state is JobState.RUNNING for each in jobs.all()) == 1
            return name

        return do

    submitted = [jobs.submit("test", name, work(name)) for name in "abc"]
    gate.set()
    for job in submitted:
        await until_over(jobs, job)
    assert order == ["a", "b", "c"]
    assert [job.title for job in jobs.all()] == ["c", "b", "a"]
    assert len({job.id for job in submitted}) == 3


async def test_a_full_queue_refuses_with_its_cure_and_counts(jobs: Jobs) -> None:
    gate = asyncio.Event()
    first = jobs.submit("test", "first", gated(gate))
    while first.state is not JobState.RUNNING:
        await asyncio.sleep(0)
    waiting = [jobs.submit("test", "waits", at_once) for _ in range(3)]
    with pytest.raises(TooManyJobs, match="3 jobs wait") as refused:
        jobs.submit("test", "one too many", at_once)
    assert "cancel one" in refused.value.cure
    assert (refused.value.http_status, jobs.counters().refused, jobs.counters().waiting) == (503, 1, 3)
    jobs.cancel(waiting[0].id)
    jobs.submit("test", "fits now", at_once)
    gate.set()


async def test_a_failure_is_told_with_its_cure_and_the_next_job_is_done(jobs: Jobs) -> None:
    async def fails(hand: Hand) -> str:
        await hand.run(works.refuse)
        return ""

    async def crashes(hand: Hand) -> str:
        await hand.run(works.crash)
        return ""

    refused, crashed, after = (jobs.submit("test", "a test", work) for work in (fails, crashes, at_once))
    await until_over(jobs, after)
    assert isinstance(refused.error, SettingsError)
    assert (refused.state, refused.error.cure) == (JobState.FAILED, "yes")
    assert crashed.error is not None
    assert (crashed.error.code, crashed.state) == ("internal_error", JobState.FAILED)
    assert "a fault" not in str(crashed.error), "the cause is for the log"
    assert (after.state, after.lines) == (JobState.DONE, ["a line"])
    assert (jobs.counters().done, jobs.counters().failed) == (1, 2)


async def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_when_its_work_has_ended(jobs: Jobs) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(hand: Hand) -> str:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()
        return ""

    running, waiting = jobs.submit("test", "runs", work), jobs.submit("test", "waits", at_once)
    await begun.wait()
    assert jobs.cancel(waiting.id).state is JobState.CANCELLED
    assert jobs.cancel(running.id).state is JobState.CANCELLING
    await until_over(jobs, running)
    assert ended.is_set()
    assert running.state is JobState.CANCELLED
    with pytest.raises(JobOver, match="is cancelled"):
        jobs.cancel(running.id)
    with pytest.raises(UnknownJob):
        jobs.cancel(12)
    after = await until_over(jobs, jobs.submit("test", "after", at_once))
    assert after.state is JobState.DONE


async def test_of_those_that_are_over_only_the_last_are_kept_and_of_their_lines_the_last(jobs: Jobs) -> None:
    async def talks(hand: Hand) -> str:
        for number in range(LINES_KEPT + 5):
            hand.tell(str(number))
        return ""

    done = [await until_over(jobs, jobs.submit("test", "a test", talks)) for _ in range(6)]
    assert [job.id for job in jobs.all()] == [job.id for job in reversed(done[2:])]
    with pytest.raises(UnknownJob):
        jobs.get(done[0].id)
    assert done[-1].lines[-1] == str(LINES_KEPT + 4)
    assert (len(done[-1].lines), done[-1].lines_dropped) == (LINES_KEPT, 5)


async def test_a_share_that_is_none_changes_nothing(jobs: Jobs) -> None:
    async def work(hand: Hand) -> str:
        for share in (0.5, float("nan"), 7.0, -1.0, 0.25):
            hand.progress(share, "")
            seen.append(job.share)
        return ""

    seen: list[float] = []
    job = jobs.submit("test", "a test", work)
    await until_over(jobs, job)
    assert seen == [0.5, 0.5, 1.0, 0.0, 0.25]


async def test_the_end_of_the_queue_ends_the_process_of_the_job_that_runs(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    queue = Jobs(WorkerProcesses(), SystemClock())

    async def work(hand: Hand) -> str:
        await hand.run(works.burn, str(note))
        return ""

    job = queue.submit("test", "burns", work)
    running = asyncio.create_task(queue.run())
    while job.words != "burns":
        await asyncio.sleep(0.01)  # another process: there is nothing to await
    await end(running)
    assert job.state is JobState.CANCELLED
    assert not psutil.pid_exists(int(note.read_text()))


async def test_the_loop_goes_on_while_a_job_burns_a_core_and_holds_its_interpreter(tmp_path: Path) -> None:
    """Were the work done here, no second turn would come."""
    note = tmp_path / "pid"
    queue = Jobs(WorkerProcesses(), SystemClock())

    async def work(hand: Hand) -> str:
        await hand.run(works.hold_the_interpreter, str(note))
        return ""

    job = queue.submit("test", "burns", work)
    running = asyncio.create_task(queue.run())
    turns = 0
    while turns < 200:
        turns += note.exists()
        await asyncio.sleep(0.001)
    assert job.state is JobState.RUNNING
    await end(running)
    assert queue.counters().cancelled == 1
