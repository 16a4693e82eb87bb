"""The endpoints of long work, and the topic that tells how far it is."""

from __future__ import annotations

from pairscope.api import wire
from pairscope.api.endpoint import Context, Endpoint
from pairscope.api.errors import error_body
from pairscope.api.query import Parameter, Query
from pairscope.api.topics import Pace, Topic, Touched, encode
from pairscope.base.errors import RequestError
from pairscope.base.reading import read_integer
from pairscope.jobs.job import Job
from pairscope.jobs.queue import Jobs

PERIOD_S = 0.25  # between two messages
LARGEST_ID = 2**53 - 1

JOB_IN_PATH = Parameter(
    "id",
    "Number of a job.",
    {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
    1_790_000_000_000,
    where="path",
    required=True,
)


def job_info(job: Job) -> wire.JobInfo:
    return wire.JobInfo(
        id=job.id,
        kind=job.kind,  # type: ignore[arg-type]
        title=job.title,
        state=job.state.value,
        share=job.share,
        words=job.words,
        asked_ms=job.asked_ms,
        began_ms=job.began_ms,
        ended_ms=job.ended_ms,
        result=job.result,
        error=error_body(job.error) if job.error else None,
        lines=list(job.lines),
        lines_dropped=job.lines_dropped,
    )


def job_list(jobs: Jobs) -> wire.JobList:
    counters = jobs.counters()
    return wire.JobList(
        jobs=[job_info(job) for job in jobs.all()],
        waiting=counters.waiting,
        waiting_limit=counters.waiting_limit,
        refused=counters.refused,
        done=counters.done,
        failed=counters.failed,
        cancelled=counters.cancelled,
    )


async def get_jobs(context: Context, query: Query) -> wire.JobList:
    return job_list(context.rooms.tape_jobs.jobs)


async def get_job(context: Context, query: Query) -> wire.JobInfo:
    return job_info(context.rooms.tape_jobs.jobs.get(_job_id(query)))


async def delete_job(context: Context, query: Query) -> wire.JobInfo:
    return job_info(context.rooms.tape_jobs.jobs.cancel(_job_id(query)))


async def post_job(context: Context, query: Query) -> wire.JobInfo:
    tape_jobs = context.rooms.tape_jobs
    match query.body:
        case wire.NewImport(symbol=str() as symbol, files=[]) as asked:
            if asked.first is None:
                raise RequestError("'from' is missing", cure="name the first day, such as 2026-11-01")
            return job_info(tape_jobs.download(symbol, asked.first, asked.last or asked.first))
        case wire.NewImport(symbol=None, first=None, last=None, files=files) if files:
            return job_info(tape_jobs.bring(files))
        case wire.NewImport():
            raise RequestError(
                "an import names a symbol and days, or files", cure="give symbol, from and to, or files, and not both"
            )
        case wire.NewVerify(symbols=symbols, first=first, last=last):
            return job_info(tape_jobs.verify(symbols, first, last))
    raise AssertionError(query.body)


def _job_id(query: Query) -> int:
    return read_integer("id", query.needed("id", "name a job in the path"), 1, LARGEST_ID)


class JobsTopic(Topic):
    """All jobs, when anything of them has changed."""

    def __init__(self, name: str, first_seq: int, jobs: Jobs) -> None:
        super().__init__(name, first_seq)
        self._jobs = jobs
        self._told = jobs.revision
        self._pace = Pace(PERIOD_S)

    def on_bars(self, touched: Touched) -> None:
        pass

    def pump(self, now_s: float) -> None:
        if self.clients and self._told != self._jobs.revision and self._pace.allows(now_s):
            self._told = self._jobs.revision
            self.send_newest("jobs", self.snapshot(0))

    def snapshot(self, limit: int) -> str:
        return encode(wire.JobsMessage(topic=self.name, seq=self.seq, jobs=job_list(self._jobs)))

    def present(self) -> dict[str, str]:
        return {"jobs": self.snapshot(0)}


JOBS = (
    Endpoint(
        path="/jobs",
        group="Jobs",
        summary="Long work: what waits, runs and ended lately",
        description="The newest first. The topic `jobs` of the stream tells the same whenever it changes.",
        answer=wire.JobList,
        handler=get_jobs,
        example="/jobs",
    ),
    Endpoint(
        path="/jobs",
        group="Jobs",
        summary="Ask for an import or a verification",
        description="It is put at the end of a queue, and done in a process of its own while everything goes on."
        " An `import` names a symbol and UTC days, whose official files are downloaded, or `files` below the folder"
        " `imports` of the data folder, called as the exchange calls them. A `verify` reads the whole tape, or some"
        " symbols or days of it.",
        answer=wire.JobInfo,
        handler=post_job,
        example="/jobs",
        body=wire.NewJob,
        example_body={"kind": "verify", "symbols": ["BTCUSDT"]},
        may_be_refused=True,
        method="POST",
    ),
    Endpoint(
        path="/jobs/{id}",
        group="Jobs",
        summary="One job",
        description="How far it is, what it told on its way, and its result or why it failed.",
        answer=wire.JobInfo,
        handler=get_job,
        example="/jobs/1790000000000",
        parameters=(JOB_IN_PATH,),
    ),
    Endpoint(
        path="/jobs/{id}",
        group="Jobs",
        summary="Cancel a job",
        description="One that waits is over at once, one that runs as soon as its work has ended; what it brought to"
        " the tape until then stays there. Refused for a job that is over.",
        answer=wire.JobInfo,
        handler=delete_job,
        example="/jobs/1790000000000",
        parameters=(JOB_IN_PATH,),
        may_be_refused=True,
        method="DELETE",
    ),
)
