"""Long work: what may be asked for, how far it is and what came of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from pairscope.api.wire.record import ErrorBody, Wire


class NewImport(Wire, frozen=True, kw_only=True, tag_field="kind", tag="import", forbid_unknown_fields=True):
    """Past trades or bars onto the tape: official daily files of a symbol, or files below the folder `imports`."""

    symbol: str | None = None  # with `from` and `to`: its daily files are downloaded
    first: str | None = msgspec.field(name="from", default=None)  # the first UTC day, 2026-11-01
    last: str | None = msgspec.field(name="to", default=None)  # the last one; the same day when left out
    files: list[str] = []  # files or folders below the folder `imports` of the data folder


class NewVerify(Wire, frozen=True, kw_only=True, tag_field="kind", tag="verify", forbid_unknown_fields=True):
    """Compare the tape with itself: every id once or in a gap, every bar equal to its trades."""

    symbols: list[str] = []  # all of the tape when empty
    first: str | None = msgspec.field(name="from", default=None)  # the first UTC day
    last: str | None = msgspec.field(name="to", default=None)


NewJob = NewImport | NewVerify


class JobInfo(Wire, frozen=True, kw_only=True):
    """One piece of long work."""

    id: int
    kind: Literal["import", "verify"]
    title: str
    state: Literal["waiting", "running", "cancelling", "done", "failed", "cancelled"]
    share: float  # done, from 0 to 1
    words: str  # what it does now
    asked_ms: int
    began_ms: int | None
    ended_ms: int | None
    result: str | None  # of one that is done
    error: ErrorBody | None  # of one that failed
    lines: list[str]  # what it told on its way, the newest of very many
    lines_dropped: int


class JobList(Wire, frozen=True, kw_only=True):
    """The jobs that wait, run, or ended lately, the newest first."""

    jobs: list[JobInfo]
    waiting: int
    waiting_limit: int  # one more is refused
    refused: int  # since the start, because as many waited as may
    done: int
    failed: int
    cancelled: int
