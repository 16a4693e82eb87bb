"""The whole application: routes, dashboard, stream and guard; and how uvicorn is to serve it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from html import escape
from pathlib import Path
from typing import ClassVar

import msgspec
import uvicorn
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from pairscope import __version__
from pairscope.api import pages, wire
from pairscope.api.alert_rules import rule_desk
from pairscope.api.alert_topic import AlertFeed
from pairscope.api.dashboard import Dashboard, read_assets, to_dashboard
from pairscope.api.endpoint import ByMethod, Context, Rooms, Served
from pairscope.api.errors import JSON, http_error_handler, on_pairscope_error
from pairscope.api.gates import Gates
from pairscope.api.guard import Guard, own_hosts, refuse
from pairscope.api.http_server import Connections, SocketProtocol, http_protocol
from pairscope.api.hub import Also, Hub
from pairscope.api.routes import ENDPOINTS
from pairscope.api.schema import openapi_document, openapi_json
from pairscope.api.websocket import Socket
from pairscope.base.errors import Meanings, PairscopeError, RequestError
from pairscope.base.net import send_at_once
from pairscope.base.settings import Settings
from pairscope.base.tasks import end
from pairscope.live.analysis import Analyses
from pairscope.live.verdicts import Verdicts

STATIC = Path(__file__).parent.parent / "static"


class NoSuchSocket(RequestError):
    code = "not_found"
    http_status = 404


class UpgradeRequired(RequestError):
    code = "upgrade_required"
    meanings: ClassVar[Meanings] = {
        "upgrade_required": ("`/ws` was asked for as a page", "connect to it as a WebSocket: `ws://`")
    }
    http_status = 426


def create_app(settings: Settings, rooms: Rooms, *, static: Path = STATIC) -> FastAPI:
    """The application for one running system. The `clients` and `requests` of the status are filled in here.

    `app.state.hub` is the stream's hub; it runs while the application's lifespan does.
    """
    gates, connections, live = Gates(), Connections(), rooms.market

    def with_requests() -> wire.Status:
        return msgspec.structs.replace(rooms.board.status(), requests=_requests(gates, connections))

    studies = Analyses(live, rooms.tape)
    verdicts = Verdicts(live, studies, rooms.clock)
    feed = AlertFeed(rooms.alerts, rooms.clock)
    hub = Hub(
        live=live,
        status=with_requests,
        clock=rooms.clock,
        window=settings.window,
        also=Also(verdicts, rooms.tape_jobs.jobs, feed),
    )
    desk = rule_desk(settings, rooms, studies)
    context = Context(settings, rooms, studies, desk, feed, hub.status_now, gates)
    pages_routes = [
        Route("/", to_dashboard),
        Route("/app", to_dashboard),
        Route("/app/{path:path}", Dashboard(read_assets(static)).serve),
        Route("/docs", _reference),
        Route(pages.STYLE_PATH, _style),
        Route("/openapi.json", _openapi),
        Route("/ws", _not_a_socket),
    ]
    routes = _routes(context)
    app = FastAPI(
        title="pairscope",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        routes=[*routes, WebSocketRoute("/ws", Socket(hub)), *pages_routes],
        lifespan=_running(hub, verdicts, studies),
    )
    app.router.default = _nothing_there(app.router.default)
    app.state.hub = hub
    app.state.context = context
    app.state.connections = connections
    app.add_exception_handler(PairscopeError, on_pairscope_error)
    known = [*(route.path for route in routes), "/docs", "/openapi.json", "/app/", "/ws"]
    app.add_exception_handler(HTTPException, http_error_handler(known))
    app.add_middleware(Guard, hosts=own_hosts(settings), behind_tls=settings.names())
    return app


def _requests(gates: Gates, connections: Connections) -> wire.RequestsStatus:
    return wire.RequestsStatus(
        connections=connections.open,
        connections_limit=connections.most,
        connections_refused=connections.refused,
        timed_out=connections.timed_out,
        disk=gates.disk.status(),
        metrics=gates.metrics.status(),
        everything=gates.everything.gate.status(),
        studies=gates.study.status(),
    )


def _routes(context: Context) -> list[Route]:
    by_path: dict[str, dict[str, Served]] = {}
    for one in ENDPOINTS:
        by_path.setdefault(one.path, {})[one.method] = Served(one, context)
    return [Route(path, ByMethod(served)) for path, served in by_path.items()]


def _running(
    hub: Hub, verdicts: Verdicts, studies: Analyses
) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = [
            asyncio.create_task(hub.run(), name="hub"),
            asyncio.create_task(verdicts.run(), name="verdicts"),
        ]
        await asyncio.to_thread(_build_constants)
        try:
            yield
        finally:
            await end(*running)
            studies.close()

    return lifespan


def _build_constants() -> None:
    """Before the first request, that none has to wait for it."""
    openapi_json()
    _reference_page()
    pages.style()


async def _reference(request: Request) -> Response:
    address = str(request.base_url).rstrip("/")
    return Response(_reference_page().replace(_ADDRESS, escape(address).encode()), media_type="text/html")


_ADDRESS = b"http://address.of.this.server"


@functools.cache
def _reference_page() -> bytes:
    """Built once; only the address it is asked at differs."""
    return pages.reference_page(openapi_document(), _ADDRESS.decode()).encode()


async def _style(request: Request) -> Response:
    return Response(pages.style(), media_type="text/css")


async def _openapi(request: Request) -> Response:
    return Response(openapi_json(), media_type=JSON)


async def _not_a_socket(request: Request) -> Response:
    raise UpgradeRequired("/ws is a WebSocket", cure="connect to it with ws:// and see /docs for its messages")


def _nothing_there(otherwise: ASGIApp) -> ASGIApp:
    """What answers where no route does: a WebSocket gets the same error as everybody."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            path = scope["path"][:80]
            await refuse(
                scope, receive, send, NoSuchSocket(f"no WebSocket is served at '{path}'", cure="connect to /ws")
            )
        else:
            await otherwise(scope, receive, send)

    return answer


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to the program: uvicorn would raise a captured one again before anybody has cleaned up."""
        yield


def make_server(app: FastAPI, listening: Sequence[socket.socket]) -> uvicorn.Server:
    """The server of the application; to be run with ``serve(sockets=listening)``."""
    # asyncio does this only for sockets made with an explicit protocol number. Without it every short answer waits
    # 40 ms for the peer's delayed acknowledgement.
    for each in listening:
        send_at_once(each)
    connections: Connections = app.state.connections
    config = uvicorn.Config(
        app,
        http=http_protocol(connections),
        timeout_keep_alive=round(connections.idle_s),
        ws=SocketProtocol,
        ws_max_size=65_536,
        ws_per_message_deflate=False,  # each message is encoded once for all; compressing is once for each
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=3,
    )
    return _Server(config)
