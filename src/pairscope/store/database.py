"""One open DuckDB file: a connection for the one that writes, a cursor for each that reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import duckdb
import structlog

from pairscope.base.errors import StoreUnavailable
from pairscope.store.gate import SMALL, Gate

log = structlog.get_logger()

READ_PATIENCE_S = 2.0  # how long a read waits for a file that is being opened anew
INTERRUPT_EVERY_S = 0.02
INTERRUPTS = 250  # before a reader that does not leave is left behind

T = TypeVar("T")


class Database:
    """Shares a file between a writer and readers, and opens it anew after a failed write.

    DuckDB keeps one instance of a file in a process as long as any cursor on it lives. After a failed write
    that instance cannot be trusted, so its readers are interrupted and waited for before the file is opened
    again: only then does the new instance read what is on the disk.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, connect: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = connection
        self._source = connection.cursor()  # readers' cursors come from here, not from the one that is writing
        self._connect = connect
        self._readers: dict[duckdb.DuckDBPyConnection, int] = {}  # with the number of the read
        self._reads = 0
        self._changed = threading.Condition()
        self._closed = False
        self.gate = Gate()
        self.reads_repeated = 0

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The writer's connection.

        Raises:
            StoreUnavailable: while the file is not open.
        """
        if self._connection is None:
            raise StoreUnavailable("the tape is not open")
        return self._connection

    @contextmanager
    def reading(self, weight: int = SMALL) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of one's own, which sees committed rows, when the others leave room for one of such weight.

        Raises:
            StoreUnavailable: after close, while the file cannot be opened, or when the read fails.
        """
        with self.gate.passing(weight):
            cursor = self._enter()
            try:
                yield cursor
            except duckdb.Error as error:
                raise _unreadable(error) from error
            finally:
                self._leave(cursor)

    def read(self, question: Callable[[duckdb.DuckDBPyConnection], T], weight: int = SMALL) -> T:
        """Ask a question; once more, with nobody beside it, when memory ran out or a failed write turned it out.

        Raises:
            StoreUnavailable: as `reading`.
        """
        try:
            with self.reading(weight) as cursor:
                return question(cursor)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, duckdb.OutOfMemoryException | duckdb.InterruptException):
                raise
        with self._changed:
            self.reads_repeated += 1
        with self.reading(self.gate.capacity) as cursor:
            return question(cursor)

    def reads_begun(self) -> int:
        """How many reads have begun; the number of the newest."""
        with self._changed:
            return self._reads

    def reads_ended(self) -> int:
        """Every read up to and with this number has ended."""
        with self._changed:
            return min(self._readers.values(), default=self._reads + 1) - 1

    def _enter(self) -> duckdb.DuckDBPyConnection:
        with self._changed:
            self._changed.wait_for(lambda: self._connection is not None or self._closed, READ_PATIENCE_S)
            if self._closed:
                raise StoreUnavailable("the tape is closed", cure="start pairscope again")
            if self._connection is None:
                raise StoreUnavailable("the tape cannot be opened at present", cure="look at its disk")
            try:
                cursor = self._source.cursor()
            except duckdb.Error as error:
                raise _unreadable(error) from error
            self._reads += 1
            self._readers[cursor] = self._reads
            return cursor

    def _leave(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with self._changed:
            self._readers.pop(cursor, None)
            cursor.close()
            self._changed.notify_all()

    def reopen(self) -> None:
        """Let go of the file and open it again.

        Raises:
            duckdb.Error: when it cannot be opened; it stays shut until the next attempt.
        """
        self._shut()
        opened = self._connect()
        with self._changed:
            self._connection, self._source = opened, opened.cursor()
            self._changed.notify_all()

    def close(self) -> None:
        """Interrupt the readers and let go of the file for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._shut()

    def _shut(self) -> None:
        with self._changed:
            connection, self._connection = self._connection, None
            if not self._turned_out():
                log.warning("readers_did_not_leave", readers=len(self._readers))
        if connection is not None:
            try:
                self._source.close()
                connection.close()
            except duckdb.Error as error:
                log.warning("tape_close_failed", cause=str(error))

    def _turned_out(self) -> bool:
        """Interrupt readers until all have left; again and again, because one may be between two statements."""
        for _ in range(INTERRUPTS):
            for cursor in self._readers:
                cursor.interrupt()
            if self._changed.wait_for(lambda: not self._readers, INTERRUPT_EVERY_S):
                return True
        return False


def _unreadable(error: duckdb.Error) -> StoreUnavailable:
    text = str(error).partition("\n")[0]
    return StoreUnavailable(f"the tape could not be read: {text}", cure="try again in a moment")
