"""The one thread that writes the tape, and the bounded queue in front of it.

Puts never wait. A batch that does not fit is refused whole and counted. Everything that waits goes to the disk
in one transaction, about every ``commit_ms``. When a write fails nothing more is acknowledged: the rows stay in
memory, within the same bound, the file is opened anew, and they are written again until it works.

Jobs (the sealing of a day, its deletion) run between two such transactions, each in one of its own. A job that fails
is not tried again: its future says so, once it is certain whether it reached the disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import duckdb
import numpy as np
import structlog
from numpy.typing import NDArray

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import StoreUnavailable
from pairscope.base.model import BarArray, Gap, SymbolTable, TradeBatch
from pairscope.feed.judge import GoodTrades
from pairscope.store.database import Database
from pairscope.store.schema import TapeContents, commit_number
from pairscope.store.transaction import NewestBars, Work, carry_out, write

log = structlog.get_logger()

T = TypeVar("T")

BARS_LIMIT = 200_000
GAPS_LIMIT = 20_000
FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 2.0
ATTEMPTS_AT_CLOSE = 5
COMMITS_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class WriterCounters:
    trades_committed: int
    rows_waiting: int
    rows_refused: int
    commit_ms_p50: float
    commit_ms_p99: float
    last_commit_ms: int | None
    commits_retried: int
    error: str | None


class WriterJobRefused(Exception):
    """Raised by a job that finds it cannot be done; nothing of it is written, and the disk is not to blame."""


class JobUnsettled(StoreUnavailable):
    """The tape was closed before it could be known whether a job is on the disk."""


@dataclass(frozen=True, slots=True)
class _Job:
    act: Callable[[duckdb.DuckDBPyConnection], Any]
    future: Future[Any]


class Writer:
    """Owns the thread that writes. Puts may come from any thread."""

    def __init__(
        self, database: Database, state: TapeContents, *, clock: Clock, commit_ms: int, queue_rows: int
    ) -> None:
        self._database = database
        self._symbols: SymbolTable = state.symbols
        self._clock = clock
        self._commit_s = commit_ms / 1_000
        self._queue_rows = queue_rows
        self._newest_bars = NewestBars()
        self._thread = threading.Thread(target=self._run, name="tape-writer", daemon=True)

        self._changed = threading.Condition()  # guards everything below
        self._trades: list[TradeBatch] = []
        self._bars: list[BarArray] = []
        self._gaps: list[tuple[int, Gap]] = []
        self._trades_waiting = 0  # in the queue and in the transaction under way, as the next two
        self._bars_waiting = 0
        self._gaps_waiting = 0
        self._puts = 0
        self._puts_committed = 0
        self._flushes: list[tuple[int, Future[None]]] = []
        self._jobs: deque[_Job] = deque()
        self._urgent = False
        self._stopping = False
        self._number = state.commit_number
        self._symbols_stored = len(state.symbols)
        self._trades_committed = 0
        self._rows_refused = 0
        self._rows_lost = 0
        self._commits_retried = 0
        self._commit_ms: deque[float] = deque(maxlen=COMMITS_REMEMBERED)
        self._last_commit_ms: int | None = None
        self._error: str | None = None

    def start(self) -> None:
        self._thread.start()

    def put_trades(self, batch: GoodTrades) -> bool:
        with self._changed:
            if not self._accepts(batch.symbol_id, self._trades_waiting, self._queue_rows):
                return False
            self._trades.append(batch)
            self._trades_waiting += len(batch)
            return True

    def put_bars(self, bars: BarArray) -> bool:
        with self._changed:
            if not self._accepts(bars["symbol_id"], self._bars_waiting, BARS_LIMIT):
                return False
            self._bars.append(bars)
            self._bars_waiting += len(bars)
            return True

    def put_gaps(self, gaps: Sequence[Gap]) -> bool:
        rows = [(self._symbols.add(gap.symbol), gap) for gap in gaps]
        with self._changed:
            if not self._accepts(np.array([symbol_id for symbol_id, _ in rows]), self._gaps_waiting, GAPS_LIMIT):
                return False
            self._gaps.extend(rows)
            self._gaps_waiting += len(rows)
            return True

    def _accepts(self, symbol_ids: NDArray[np.integer[Any]], waiting: int, limit: int) -> bool:
        """Take a put when its rows fit, else count them as refused."""
        rows = len(symbol_ids)
        if self._stopping:
            raise StoreUnavailable("the tape is closed", cure="start pairscope again")
        if rows and int(symbol_ids.max()) >= len(self._symbols):
            raise ValueError(f"no symbol has the integer {int(symbol_ids.max())}")
        if waiting + rows > limit:
            self._rows_refused += rows
            return False
        self._puts += 1
        self._changed.notify_all()
        return True

    def flush(self) -> Future[None]:
        """Commit at once; done when everything put before is on the disk, failed when it never will be."""
        future: Future[None] = Future()
        with self._changed:
            if self._stopping:
                raise StoreUnavailable("the tape is closed", cure="start pairscope again")
            if self._puts_committed == self._puts:
                future.set_result(None)
            else:
                self._flushes.append((self._puts, future))
                self._urgent = True
                self._changed.notify_all()
        return future

    def submit(self, act: Callable[[duckdb.DuckDBPyConnection], T]) -> Future[T]:
        """Have a job done in a transaction of its own, in its turn.

        The future fails with `WriterJobRefused` when the job raised it, and with StoreUnavailable when the job did not
        reach the disk. With `JobUnsettled`, a StoreUnavailable too, the tape was closed before that could be known.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._stopping:
                raise StoreUnavailable("the tape is closed", cure="start pairscope again")
            self._jobs.append(_Job(act, future))
            self._urgent = True  # a day has many files, and each waits for its job
            self._changed.notify_all()
        return future

    def stop(self) -> int:
        """Write what waits, end the thread, and say how many rows could not be written."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        return self._rows_lost

    def counters(self) -> WriterCounters:
        with self._changed:
            took = np.array(self._commit_ms or [np.nan])
            return WriterCounters(
                trades_committed=self._trades_committed,
                rows_waiting=self._trades_waiting,
                rows_refused=self._rows_refused,
                commit_ms_p50=float(np.percentile(took, 50)),
                commit_ms_p99=float(np.percentile(took, 99)),
                last_commit_ms=self._last_commit_ms,
                commits_retried=self._commits_retried,
                error=self._error,
            )

    def _run(self) -> None:
        while self._something_to_do():
            work = self._take_work()
            if work is not None and not self._written(work):
                self._give_up(work)
                break
            job = self._take_job()
            if job is not None:
                self._do(job)
        self._dismiss_jobs()

    def _something_to_do(self) -> bool:
        """Wait for something to do, at least the pause between two commits; False when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._urgent or self._stopping, self._commit_s)
            self._changed.wait_for(lambda: self._puts > self._puts_committed or self._jobs or self._stopping)
            self._urgent = False
            return self._puts > self._puts_committed or not self._stopping

    def _take_work(self) -> Work | None:
        """Everything that waits to be written."""
        with self._changed:
            if self._puts == self._puts_committed:
                return None
            work = Work(
                number=self._number + 1,
                puts=self._puts,
                first_symbol_id=self._symbols_stored,
                symbols=self._symbols.rows(self._symbols_stored),
                trades=self._trades,
                bars=self._bars,
                gaps=self._gaps,
            )
            self._trades, self._bars, self._gaps = [], [], []
            return work

    def _written(self, work: Work) -> bool:
        """Write until it works; False when the tape is being closed and several attempts failed."""
        return self._persist(lambda failed: self._attempt(work, after_failure=failed))

    def _persist(self, attempt: Callable[[bool], bool]) -> bool:
        """Attempt until it works; False when the tape is being closed and several attempts failed."""
        attempts_left = ATTEMPTS_AT_CLOSE
        retry_s = FIRST_RETRY_S
        failed = False
        while not attempt(failed):
            failed = True
            attempts_left -= self._pause(retry_s)
            if attempts_left <= 0:
                return False
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)
        return True

    def _pause(self, seconds: float) -> bool:
        """Wait before the next attempt, less when closing begins meanwhile; whether the tape is being closed."""
        with self._changed:
            closing = self._stopping
            self._changed.wait_for(lambda: self._stopping and not closing, seconds)
            return self._stopping

    def _attempt(self, work: Work, *, after_failure: bool) -> bool:
        started_s = self._clock.monotonic_s()
        try:
            if after_failure:
                self._database.reopen()
            # A transaction whose failure came after it reached the disk must not be written a second time.
            if not after_failure or commit_number(self._database.connection) != work.number:
                write(self._database.connection, work, self._newest_bars)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: whatever it is, the rows are tried again
            self._failed(error)
            return False
        self._committed(work, (self._clock.monotonic_s() - started_s) * 1_000)
        return True

    def _failed(self, error: Exception) -> None:
        text = str(error).partition("\n")[0]
        with self._changed:
            news = self._error != text
            self._error = text
            self._commits_retried += 1
        if news:
            log.error("write_failed", cause=text, exc_info=not isinstance(error, duckdb.Error))

    def _take_job(self) -> _Job | None:
        with self._changed:
            return self._jobs.popleft() if self._jobs and not self._stopping else None

    def _dismiss_jobs(self) -> None:
        with self._changed:
            jobs, self._jobs = self._jobs, deque()
        for job in jobs:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(StoreUnavailable("the tape was closed before this could be done"))

    def _do(self, job: _Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        self._number += 1  # not given twice, whatever becomes of this one
        results: list[Any] = []
        try:
            refusal = self._carried_out(lambda connection: results.append(job.act(connection)))
        except Exception as error:  # noqa: BLE001 - the edge of the thread: whatever it is, it is told to who asked
            self._failed(error)
            self._settle(job, results, error)
            return
        if refusal is None:
            job.future.set_result(results[0])
        else:
            job.future.set_exception(refusal)

    def _carried_out(self, act: Callable[[duckdb.DuckDBPyConnection], None]) -> WriterJobRefused | None:
        try:
            carry_out(self._database.connection, self._number, act)
        except WriterJobRefused as refusal:
            self._database.connection.execute("rollback")
            return refusal
        return None

    def _settle(self, job: _Job, results: list[Any], error: Exception) -> None:
        """After a failure, open the file again and see what is on the disk: the job, or nothing of it."""
        found: list[int] = []

        def look(_: bool) -> bool:
            try:
                self._database.reopen()
                found.append(commit_number(self._database.connection))
            except Exception as error:  # noqa: BLE001 - as above: it is tried again
                self._failed(error)
                return False
            return True

        if not self._persist(look):
            job.future.set_exception(JobUnsettled("the tape was closed before this was known to be on the disk"))
            return
        with self._changed:
            self._error = None
        if found[-1] == self._number:
            job.future.set_result(results[0])
        else:
            job.future.set_exception(StoreUnavailable(str(error).partition("\n")[0], cure="it is tried again later"))

    def _committed(self, work: Work, took_ms: float) -> None:
        if self._error is not None:
            log.info("write_recovered", rows=work.trade_rows)
        with self._changed:
            self._forget(work)
            self._number = work.number
            self._symbols_stored += len(work.symbols)
            self._puts_committed = work.puts
            self._trades_committed += work.trade_rows
            self._commit_ms.append(took_ms)
            self._last_commit_ms = now_ms(self._clock)
            self._error = None
            done = [future for puts, future in self._flushes if puts <= work.puts]
            self._flushes = [(puts, future) for puts, future in self._flushes if puts > work.puts]
        for future in done:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def _forget(self, work: Work) -> None:
        self._trades_waiting -= work.trade_rows
        self._bars_waiting -= sum(len(bars) for bars in work.bars)
        self._gaps_waiting -= len(work.gaps)

    def _give_up(self, work: Work) -> None:
        with self._changed:
            self._rows_lost = self._trades_waiting + self._bars_waiting + self._gaps_waiting
            futures = [future for _, future in self._flushes]
            self._flushes = []
        log.error("rows_lost_at_close", rows=self._rows_lost, cause=self._error, first_commit=work.number)
        for future in futures:
            if future.set_running_or_notify_cancel():
                future.set_exception(StoreUnavailable("the tape was closed before its rows could be written"))
