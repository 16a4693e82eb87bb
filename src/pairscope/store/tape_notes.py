"""What the state database says of one tape: read from a copy, changed in one transaction each."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from pairscope.base.errors import DataFolderError
from pairscope.store import side_files
from pairscope.store.state import NAME, State, kept_states, place_of, state_path

log = structlog.get_logger()


class TapeNotes:
    """The rows of one tape in the state of its data folder."""

    def __init__(self, tape: Path) -> None:
        if tape.name == NAME:
            raise DataFolderError(f"{tape} is the name of the state database", cure="choose another name for the tape")
        self.path = state_path(tape)
        self._tape = tape

    def prepare(self, *, is_new: bool) -> None:
        """Before the tape is opened for writing: look whether its state can be read, and take over older files.

        A tape that is begun anew knows nothing of what was imported into the one before it in its place.

        Raises:
            DataFolderError: when the state cannot be used.
        """
        if not self.path.exists() and not side_files.any_of(self._tape):
            return
        with State.open(self.path, check=True) as state:
            side_files.take_over(state, self._tape)
            if is_new and state.rows(_NUMBER, (place_of(self._tape),)):
                with state.change() as connection:
                    connection.execute("update tapes set is_over = 1 where place = ?", (place_of(self._tape),))
                log.info("tape_begun_anew", tape=str(self._tape))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query about this tape gives; it may name `:tape`, its number, and `:place`. Nothing is written.

        Raises:
            DataFolderError: when the state cannot be read.
        """
        if not self.path.exists() and not side_files.any_of(self._tape):
            return []
        with State.look(self.path) as state:
            side_files.take_over(state, self._tape, renames=False)
            place = place_of(self._tape)
            number = state.rows(_NUMBER, (place,))
            return state.rows(query, {"tape": number[0][0] if number else None, "place": place})

    @contextlib.contextmanager
    def change(self) -> Iterator[Changing]:
        """One transaction about this tape.

        Raises:
            FileNotWritten: when it cannot be written; nothing is changed then. `DiskFull` when there is no room.
            DataFolderError: when the state cannot be used.
        """
        with State.open(self.path) as state:
            side_files.take_over(state, self._tape)
            with state.change() as connection:
                yield Changing(connection, side_files.tape_number(connection, self._tape), place_of(self._tape))


@dataclass(frozen=True, slots=True)
class StateReport:
    """How the state of a tape is."""

    byte_count: int
    damaged: list[str]  # databases that were set aside, and files of older versions that could not be taken over
    error: str | None  # why it cannot be read; None when it can


def report_state(tape: Path) -> StateReport:
    """Look at the state of a tape; nothing is written."""
    path = state_path(tape)
    error = None
    try:
        TapeNotes(tape).rows("select 1")
    except DataFolderError as found:
        error = str(found)
    sizes = (each.stat().st_size for each in (path, path.with_name(f"{path.name}-wal")) if each.is_file())
    damaged = [each.name for each in (*kept_states(path), *side_files.unreadable_files(tape))]
    return StateReport(sum(sizes), damaged, error)


class Changing:
    """A transaction that is under way."""

    def __init__(self, connection: sqlite3.Connection, tape: int, place: str) -> None:
        self.tape = tape
        self.place = place
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any]) -> None:
        self._connection.execute(statement, values)

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(statement, rows)


_NUMBER = "select tape from tapes where place = ? and not is_over"
