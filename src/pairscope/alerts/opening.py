"""The state database as the room of alerts holds it: open for as long as pairscope runs."""

from __future__ import annotations

from pathlib import Path

import structlog

from pairscope.base.errors import DataFolderError
from pairscope.store.state import State, state_path

log = structlog.get_logger()


def open_state(tape: Path, *, is_looked_at: bool) -> State:
    """The state of a tape, to be closed by whoever opens it; of one that is only looked at a copy in memory.

    Raises:
        DataFolderError: when it cannot be used. Of a tape that is looked at it is empty then: the tape is shown all the
            same.
    """
    path = state_path(tape)
    if not is_looked_at:
        return State.open(path)
    try:
        return State.look(path)
    except DataFolderError as error:
        log.warning("alerts_not_read", path=str(path), cause=str(error))
        return State.look(path.with_name(f"{path.name}.none"))
