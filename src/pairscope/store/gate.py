"""How many may read the tape at once, so that the one who writes it always has memory left.

DuckDB gives readers and the writer one limit between them, and fails whoever asks for more: a commit as readily as a
question. What a question holds is bounded (see `reads.PAGE_ROWS`), so it is enough to bound how many are answered at a
time. The others wait in the order they came.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from pairscope.base.errors import Meanings, StoreUnavailable

SMALL = 1  # some thousand rows
LARGE = 2  # as many as there are, or a whole day to be sealed
CAPACITY = 3  # so one large question and a small one: at most 40 of 64 MB, measured with files of full row groups
PATIENCE_S = 20.0


class TapeBusy(StoreUnavailable):
    """More was asked of the tape than it could answer in good time."""

    code = "tape_busy"
    meanings: ClassVar[Meanings] = {
        "tape_busy": (
            "more was asked of the tape at once than it could answer in good time",
            "ask again in a moment, for fewer rows, or with fewer clients at a time",
        )
    }


class Gate:
    """Admits questions up to a capacity; a thread that is inside may ask on without waiting for itself."""

    def __init__(self, capacity: int = CAPACITY, patience_s: float = PATIENCE_S) -> None:
        self.capacity = capacity
        self._patience_s = patience_s
        self._free = capacity
        self._line: deque[object] = deque()
        self._changed = threading.Condition()
        self._inside = threading.local()

    @property
    def waiting(self) -> int:
        """How many questions wait for those before them."""
        return len(self._line)

    @contextmanager
    def passing(self, weight: int) -> Iterator[None]:
        """Hold so much of the capacity for the time of a `with` block.

        Raises:
            TapeBusy: when it was not to be had in good time.
        """
        if getattr(self._inside, "held", False):
            yield
            return
        self._take(weight)
        self._inside.held = True
        try:
            yield
        finally:
            self._inside.held = False
            with self._changed:
                self._free += weight
                self._changed.notify_all()

    def _take(self, weight: int) -> None:
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            try:
                admitted = self._changed.wait_for(
                    lambda: self._line[0] is ticket and self._free >= weight, self._patience_s
                )
                if not admitted:
                    raise TapeBusy("too much is asked of the tape at once", cure="ask again in a moment, or for less")
                self._free -= weight
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()
