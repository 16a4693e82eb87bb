"""The server on its ports: listening, telling people where it is, serving until told to end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import structlog
import uvicorn

from pairscope.api import wire
from pairscope.api.endpoint import Rooms
from pairscope.api.listening import address_of, exposure, listen, open_browser, wants_browser
from pairscope.api.server import create_app, make_server
from pairscope.base.saying import say
from pairscope.base.settings import Settings
from pairscope.base.tasks import end

log = structlog.get_logger()

Started = Callable[[str, str, Path], None]  # address, source, tape


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[list[socket.socket]]:
    """The ports of the settings, taken before anything else is started.

    Raises:
        SettingsError: when one is taken or may not be used.
    """
    with contextlib.ExitStack() as taken:
        sockets = [taken.enter_context(listen(settings.host, settings.port))]
        if settings.frontend_port is not None:
            sockets.append(taken.enter_context(listen(settings.host, settings.frontend_port, "--frontend-port")))
        yield sockets


class Api:
    """The application and its server; `label` says of the source what people are told."""

    def __init__(self, settings: Settings, rooms: Rooms, label: str) -> None:
        self.app = create_app(settings, rooms)
        self._settings = settings
        self._tape = rooms.tape
        self._label = label

    def status(self) -> wire.Status:
        """Of the whole system, as ``/status`` tells it."""
        told: wire.Status = self.app.state.context.status()
        return told

    async def run(
        self, sockets: list[socket.socket], market: Callable[[], Awaitable[None]], started: Started | None = None
    ) -> None:
        """Serve with the market behind it, until cancelled or the market fails."""
        self._tape.announce(address_of(self._settings.host, self._settings.port))
        server = make_server(self.app, sockets)
        behind = asyncio.ensure_future(market())
        behind.add_done_callback(lambda task: _stop_on_failure(task, server))
        page = asyncio.create_task(self._tell(server, started), name="page")
        try:
            await _served(server, sockets)
        finally:
            await end(page, behind)

    async def _tell(self, server: uvicorn.Server, started: Started | None) -> None:
        """Say where it is, once it is there, and open it when that is wanted."""
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.02)
        settings = self._settings
        url = settings.base_url or address_of(settings.host, settings.port)
        log.info("serving", url=url, source=self._label, tape=str(self._tape.path))
        if started is not None:
            started(url, self._label, self._tape.path)
        meaning = exposure(settings.host, settings.port, settings.names())
        if meaning is not None:
            say(meaning)
        say(f"pairscope is on {url}  ({self._label})  stop it with Ctrl-C")
        if wants_browser(settings.open) and not await asyncio.to_thread(open_browser, url):
            say(f"no browser could be opened: open {url} yourself")


async def _served(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
    """Serve until cancelled; requests and sockets are let go of in good order then."""
    serving = asyncio.create_task(server.serve(sockets=sockets), name="server")
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


def _stop_on_failure(task: asyncio.Future[None], server: uvicorn.Server) -> None:
    """A market that died must not leave a page that looks alive."""
    if not task.cancelled() and task.exception() is not None:
        server.should_exit = True
