"""Work in processes of its own: one for each piece, nicer than this one, ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import structlog

from pairscope.base.errors import Meanings, PairscopeError
from pairscope.jobs.executor import Progress
from pairscope.jobs.pipe import LENGTH_BYTES, Done, Failed, Message, Told, packed, task

log = structlog.get_logger()

T = TypeVar("T")


class WorkerEnded(PairscopeError):
    """A worker process ended without a result: it was killed, or memory ran out."""

    code = "worker_ended"
    http_status = 500
    meanings: ClassVar[Meanings] = {
        "worker_ended": (
            "the process of a job ended before its work was done: it was killed, or memory ran out",
            "ask for it again; when memory is short, for less at a time",
        )
    }


class WorkerProcesses:
    """An executor that starts a process for each piece of work."""

    async def run(self, function: Callable[..., T], *arguments: Any, progress: Progress) -> T:
        """As `Executor.run`.

        Raises:
            WorkerEnded: when the process ends without a result.
        """
        order = packed(task(sys.path, function, arguments))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pairscope.jobs.worker", stdin=PIPE, stdout=PIPE, start_new_session=True
        )
        try:
            result: T = await self._follow(process, order, progress)
            return result
        finally:
            await _ended(process)

    async def _follow(self, process: Process, order: bytes, progress: Progress) -> Any:
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(order)
            await process.stdin.drain()
        while True:
            match await _next(process):
                case Told(share, words):
                    progress(share, words)
                case Done(result):
                    return result
                case Failed(error, trace):
                    if not isinstance(error, PairscopeError):
                        log.error("worker_failed", trace=trace)
                    raise error
                case None:
                    raise WorkerEnded(
                        f"the worker process {process.pid} ended without a result",
                        cure="ask for it again; when memory is short, for less at a time",
                    )


async def _next(process: Process) -> Message | None:
    """The next record of a worker; None when it has ended."""
    assert process.stdout is not None
    try:
        head = await process.stdout.readexactly(LENGTH_BYTES)
        body = await process.stdout.readexactly(int.from_bytes(head, "big"))
    except asyncio.IncompleteReadError:
        return None
    message: Message = await asyncio.to_thread(pickle.loads, body)
    return message


async def _ended(process: Process) -> None:
    """End a process that may still work, and return when it is gone, whoever is cancelled meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    gone = asyncio.ensure_future(process.wait())
    try:
        await asyncio.shield(gone)
    except asyncio.CancelledError:
        await asyncio.wait([gone])
        raise
