"""One shape for every error: what happened, and what cures it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pairscope.api import wire
from pairscope.base.errors import Meanings, PairscopeError, RequestError, nearest

log = structlog.get_logger()

JSON = "application/json"


class ForeignHost(RequestError):
    code = "foreign_host"
    http_status = 421
    meanings: ClassVar[Meanings] = {
        "foreign_host": (
            "the page was asked for under a name that is not known as ours",
            "ask for localhost, or name the host in the setting `allowed_hosts`",
        )
    }


class ForeignOrigin(RequestError):
    code = "foreign_origin"
    http_status = 403
    meanings: ClassVar[Meanings] = {
        "foreign_origin": (
            "a page of another site asked for data",
            "open the dashboard at the address that pairscope printed, not a copy of it elsewhere",
        )
    }


RETRY_AFTER_S = 5  # what a passing failure is given, when nothing better is known


class Busy(RequestError):
    """More is asked than can be answered now."""

    code = "busy"
    http_status = 503
    meanings: ClassVar[Meanings] = {
        "busy": ("more is asked for at once than can be answered", "ask again after `Retry-After`, and less often"),
        "too_many": ("a client follows too many topics", "unsubscribe from one first"),
    }

    def __init__(self, message: str, *, cure: str = "", code: str | None = None, retry_after_s: int = 1) -> None:
        super().__init__(message, cure=cure, code=code)
        self.retry_after_s = retry_after_s


class ClientGone(Exception):
    """The client has closed its connection: nobody will read the answer."""


def error_body(error: PairscopeError) -> wire.ErrorBody:
    return wire.ErrorBody(code=error.code, message=error.message, cure=error.cure)


def error_json(error: PairscopeError) -> bytes:
    return msgspec.json.encode(wire.ErrorAnswer(error=error_body(error)))


def retry_headers(error: PairscopeError) -> dict[str, str]:
    """When to come back, for those errors that pass."""
    if error.http_status != 503:
        return {}
    return {"Retry-After": str(math.ceil(RETRY_AFTER_S if error.retry_after_s is None else error.retry_after_s))}


def internal_error() -> PairscopeError:
    """What a stranger may know of a fault of ours; the cause is in the log."""
    return PairscopeError(
        "the server failed to answer", cure="the log names the cause; please report it", code="internal_error"
    )


async def on_pairscope_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PairscopeError)
    if error.http_status >= 500 and error.retry_after_s is None:
        log.warning("request_failed", path=request.url.path, code=error.code, error=str(error))
    return Response(error_json(error), error.http_status, headers=retry_headers(error), media_type=JSON)


def http_error_handler(paths: Iterable[str]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The handler of an unknown address and of a method that is not served there."""
    known = [path for path in paths if "{" not in path]

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        allow = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        path = request.url.path[:80]
        if error.status_code == 405:
            told = PairscopeError(
                f"{request.method[:20]} is not served at '{path}'", cure=f"use {allow}", code="method_not_allowed"
            )
        elif error.status_code == 404:
            guess = nearest(path, known)
            cure = f"did you mean {guess}?" if guess else "see /docs for what is served"
            told = PairscopeError(f"nothing is served at '{path}'", cure=cure, code="not_found")
        else:
            told = PairscopeError(str(error.detail), cure="see /docs", code="http_error")
        headers = {"Allow": allow} if allow else None
        return Response(error_json(told), error.status_code, headers=headers, media_type=JSON)

    return on_http_error
