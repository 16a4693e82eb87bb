"""Who asked, and whether they are still there: work for a client that has left is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from starlette.types import Receive, Scope

from pairscope.api.errors import ClientGone

# Who makes the request that is being answered, for what is written of changes.
asked_by: ContextVar[str] = ContextVar("asked_by", default="")
# Of the request that is being answered. Watching costs two tasks, so that only work that takes long does it.
receive_of_request: ContextVar[Receive | None] = ContextVar("receive_of_request", default=None)


def who_asks(scope: Scope) -> str:
    """Whether the page or a program asks, and from where.

    >>> who_asks({"headers": [(b"sec-fetch-site", b"same-origin")], "client": ("127.0.0.1", 50_000)})
    'page at 127.0.0.1'
    """
    is_page = (b"sec-fetch-site", b"same-origin") in scope["headers"]
    address = (scope.get("client") or ("an unknown address",))[0]
    return f"{'page' if is_page else 'program'} at {address}"


@asynccontextmanager
async def while_connected() -> AsyncIterator[None]:
    """Cancels what is done inside as soon as the client closes its connection.

    Raises:
        ClientGone: then.
    """
    receive, task = receive_of_request.get(), asyncio.current_task()
    if receive is None or task is None:  # not asked over HTTP
        yield
        return
    left = False

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        left = True
        task.cancel()

    watcher = asyncio.create_task(watch(), name="watch_client")
    try:
        yield
    except asyncio.CancelledError:
        if left and task.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        watcher.cancel()
