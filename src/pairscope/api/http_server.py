"""How connections are spoken to, where uvicorn's own manner is not ours: limits, deadlines and the one error shape.

Every refusal here happens before there is a request that a handler could answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from pairscope.api.errors import JSON, Busy, error_json, retry_headers
from pairscope.api.guard import with_security
from pairscope.base.errors import Meanings, PairscopeError, RequestError

ABORT_S = 5.0  # how long a WebSocket's last words wait for a peer that does not read


class NotHttp(RequestError):
    code = "http_error"
    http_status = 400


class TooSlow(RequestError):
    code = "too_slow"
    http_status = 408
    meanings: ClassVar[Meanings] = {
        "too_slow": ("a request that did not arrive whole in time", "send all of it at once; see what holds it up")
    }


@dataclass
class Connections:
    """Limits of all connections of the process, and what was refused."""

    most: int = 500  # of HTTP; WebSockets have a limit of their own
    unfinished_s: float = 15.0  # from a request's first byte, or the connection's, to its last
    idle_s: float = 15.0  # between two requests
    unread_s: float = 30.0  # without any progress of an answer that is sent
    open: int = 0
    refused: int = 0
    timed_out: int = 0


def http_protocol(connections: Connections) -> type[H11Protocol]:
    """The protocol of one process's HTTP connections."""

    class Bound(_HttpProtocol):
        shared = connections

    return Bound


class _HttpProtocol(H11Protocol):
    shared: Connections

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._counted = False
        self._deadline: asyncio.TimerHandle | None = None  # of a request that is not here to its end
        self._reading: asyncio.TimerHandle | None = None  # looks whether the peer reads
        self._unread_bytes = 0

    # --- the connection ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.shared.open >= self.shared.most:
            self.shared.refused += 1
            self._refuse(Busy(f"{self.shared.most} connections are open", cure="close some, or try again later"))
            return
        self.shared.open += 1
        self._counted = True
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._release()
        super().connection_lost(exc)

    def _release(self) -> None:
        """The connection is closed, or becomes a WebSocket."""
        if self._counted:
            self._counted = False
            self.shared.open -= 1
        for timer in (self._deadline, self._reading):
            if timer is not None:
                timer.cancel()
        self._deadline = self._reading = None

    # --- the request ---

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():  # refused: what else comes is not read
            return
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_request()
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None and not self.cycle.more_body:
            self._request_is_here()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._release()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body and not self.transport.is_closing():
            self._expect_request()  # the rest of a body that nobody wanted

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.shared.unfinished_s, self._give_up)

    def _request_is_here(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        self.shared.timed_out += 1
        if self.cycle is not None and self.cycle.response_started:
            self.transport.abort()  # another answer is half sent, or a body never ends
            return
        told = f"the request did not arrive whole in {self.shared.unfinished_s:g} s"
        self._refuse(TooSlow(told, cure="send all of it at once"))

    def send_400_response(self, msg: str) -> None:
        self._refuse(NotHttp("what was sent is not HTTP", cure="send an HTTP/1.1 request, such as GET /status"))

    def _refuse(self, error: PairscopeError) -> None:
        """Answer without a request and close; what was sent meanwhile is not read."""
        body = error_json(error)
        status = HTTPStatus(error.http_status)
        head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        head += [name + b": " + value for name, value in _headers(error, body)]
        self.transport.write(b"\r\n".join([*head, b"", body]))
        self.transport.close()

    # --- the answer ---

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_bytes = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(self.shared.unread_s, self._look_whether_read)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _look_whether_read(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting >= self._unread_bytes:
            self.shared.timed_out += 1
            self.transport.abort()
            return
        self._unread_bytes = waiting
        self._reading = self.loop.call_later(self.shared.unread_s, self._look_whether_read)


class SocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket: a handshake that fails has the one error shape, and a peer that does not read is let go."""

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(ABORT_S, self.transport.abort)  # a polite close would wait for ever

    def handle_connect(self, event: Request) -> None:
        accept = self.conn.accept

        def told(request: Request) -> Response:
            response = accept(request)
            return response if response.status_code == 101 else _handshake_refusal(response)

        self.conn.accept = told  # type: ignore[method-assign]
        super().handle_connect(event)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:  # it could not even be read
            self.handshake_initiated = True
            self.transport.write(_handshake_refusal(Response(400, "Bad Request", Headers())).serialize())
            self.transport.close()


def _handshake_refusal(response: Response) -> Response:
    error = NotHttp(
        "this is no handshake of a WebSocket",
        cure="send GET with Upgrade: websocket, Sec-WebSocket-Version: 13 and a Sec-WebSocket-Key",
    )
    body = error_json(error)
    headers = Headers({name.decode(): value.decode() for name, value in _headers(error, body)})
    for name in ("Sec-WebSocket-Version", "Upgrade", "Allow"):  # what a client of another version is told
        if name in response.headers:
            headers[name] = response.headers[name]
    return Response(response.status_code, response.reason_phrase, headers, body)


def _headers(error: PairscopeError, body: bytes) -> list[tuple[bytes, bytes]]:
    own = {"Content-Type": JSON, "Content-Length": str(len(body)), "Connection": "close", **retry_headers(error)}
    return with_security([(name.lower().encode(), value.encode()) for name, value in own.items()])
