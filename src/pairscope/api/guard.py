"""What every request passes first: who may ask, under which name, and what the answer forbids the browser.

A page of another site can make a browser send requests here, over HTTP or WebSocket, and with a name that it
points at this machine (DNS rebinding) even read the answers. So the name asked for must be one of ours, and the
origin, where a browser names one, must be the very page we serve.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pairscope.api.errors import JSON, ForeignHost, ForeignOrigin, error_json, internal_error, retry_headers
from pairscope.base.errors import PairscopeError
from pairscope.base.settings import Settings

log = structlog.get_logger()

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_EVERYWHERE = {"", "0.0.0.0", "::"}
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_NO_STORE = (b"cache-control", b"no-store")


def own_hosts(settings: Settings) -> frozenset[str]:
    """The names this server may be asked for, without port."""
    named = {settings.host, *settings.names()} - _EVERYWHERE
    return LOOPBACK | {f"[{name}]" if ":" in name and name[0] != "[" else name for name in map(str.lower, named)}


class Guard:
    """ASGI middleware around everything, WebSocket included."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], behind_tls: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._behind_tls = frozenset(name.lower() for name in behind_tls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            log.warning("request_refused", path=scope["path"][:200], code=refusal.code, reason=refusal.message)
            await refuse(scope, receive, send, refusal)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> PairscopeError | None:
        hosts, origins, site, mode = [], [], b"", b""
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                origins.append(value)
            elif name == b"sec-fetch-site":
                site = value
            elif name == b"sec-fetch-mode":
                mode = value
        authority = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        found = _AUTHORITY.fullmatch(authority)
        if found is None or found[1] not in self._hosts:
            return ForeignHost(
                f"this server is not '{authority[:80]}'",
                cure="ask for localhost, or name the host in the setting allowed_hosts",
            )
        if any(not self._is_own(origin, authority, found[1], scope["scheme"]) for origin in origins):
            return _foreign_origin(origins[0].decode("latin-1"))
        # Browsers send no origin with some requests (an image, a script), but tell that another site made them.
        visits = mode == b"navigate" and scope.get("method", "GET") in ("GET", "HEAD")
        if site in (b"cross-site", b"same-site") and not visits:
            return _foreign_origin("another site")
        return None

    def _is_own(self, origin: bytes, authority: str, host: str, scheme: str) -> bool:
        named_scheme, separator, named = origin.decode("latin-1").lower().partition("://")
        secure = scheme in ("https", "wss")
        schemes = {"https"} if secure else {"http", "https"} if host in self._behind_tls else {"http"}
        return bool(separator) and named == authority and named_scheme in schemes

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = with_security(message.get("headers", ()))
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except Exception:  # the edge of a request: whatever fails inside, the server goes on
            log.exception("request_crashed", path=scope["path"][:200])
            if started:
                raise
            await _send_error(send_guarded, internal_error())


def with_security(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    guarded = [*headers, *SECURITY_HEADERS]
    if not any(name == b"cache-control" for name, _ in guarded):
        guarded.append(_NO_STORE)
    return guarded


def _foreign_origin(origin: str) -> ForeignOrigin:
    return ForeignOrigin(
        f"requests of '{origin[:80]}' are not answered", cure="open the dashboard at the address pairscope printed"
    )


async def refuse(scope: Scope, receive: Receive, send: Send, refusal: PairscopeError) -> None:
    """Answer before anything else has seen the request; a WebSocket is never accepted."""
    if scope["type"] == "http":
        await _send_error(send, refusal)
        return
    await receive()  # websocket.connect
    if "websocket.http.response" in scope.get("extensions", {}):
        await _send_error(send, refusal, "websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": 1008})


async def _send_error(send: Send, error: PairscopeError, kind: str = "http.response") -> None:
    body = error_json(error)
    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
    headers += [(name.lower().encode(), value.encode()) for name, value in retry_headers(error).items()]
    start = {"type": f"{kind}.start", "status": error.http_status, "headers": with_security(headers)}
    await send(start)
    await send({"type": f"{kind}.body", "body": body})
