"""What every record of the wire is, and the one shape of errors."""

from __future__ import annotations

import msgspec

Number = float | None


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything on the wire."""


class ErrorBody(Wire, frozen=True, kw_only=True):
    code: str
    message: str
    cure: str


class ErrorAnswer(Wire, frozen=True, kw_only=True):
    """The one shape of every error, whatever the endpoint."""

    error: ErrorBody
