"""One client of the simulated exchange: its subscriptions, its limits, its pings and its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from pairscope.base.clock import Clock, now_ms
from pairscope.feed.binance.simulator.wire import (
    BadRequest,
    Request,
    Route,
    error_reply,
    read_request,
    reply,
    route_of,
    text_frame,
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What the exchange allows a connection; the defaults are the real ones, as measured in 2026."""

    messages_per_s: int = 10
    streams: int = 1024
    ping_every_s: float = 180.0
    pong_within_s: float = 600.0
    life_s: float = 86_400.0
    buffered_bytes: int = 64 << 20  # not yet taken by a slow client, before it is cut off
    flat_errors: bool = False  # error replies as documented instead of as measured


_CLOSING_S = 1.0  # how long a client may take to answer a close


class ClientConnection(WSListener):
    """Answers control messages; frames are queued by the hub and sent in one write.

    ``changed`` is called after each change of the subscriptions, with the streams that came and went.
    """

    def __init__(
        self,
        route: Route,
        streams: list[str],
        *,
        combined: bool,
        limits: ConnectionLimits,
        clock: Clock,
        opened: Callable[[ClientConnection], None],
        changed: Callable[[ClientConnection, list[str], list[str]], None],
        closed: Callable[[ClientConnection], None],
    ) -> None:
        self.route = route
        self.combined = combined
        self.frozen = False
        self.frames_sent = 0
        self.writable = asyncio.Event()
        self.writable.set()
        self._limits = limits
        self._clock = clock
        self._opened, self._changed, self._closed = opened, changed, closed
        self._streams: dict[str, None] = {}
        self._first_streams = streams
        self._received_s: deque[float] = deque(maxlen=limits.messages_per_s)
        self._asked_s: float | None = None  # of the oldest ping that waits for its pong
        self._closing = False
        self._outgoing: list[bytes] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._transport: WSTransport | None = None

    # Called by picows.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._opened(self)
        self._timer("ping", self._limits.ping_every_s, self._ping)
        self._timer("life", self._limits.life_s, lambda: self.close(WSCloseCode.GOING_AWAY, "connection expired"))
        if self._first_streams:
            self._subscribe(self._first_streams)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            if not self._closing:
                transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.PONG:
            self._asked_s = None
        elif frame.msg_type == WSMsgType.TEXT and not self._closing and self._within_limit():
            self._answer(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self.writable.set()
        self._closed(self)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    # Called by the hub.

    @property
    def streams(self) -> list[str]:
        """Subscribed streams in the order they came, those this route never serves among them."""
        return list(self._streams)

    def queue(self, message: bytes) -> None:
        """Take a framed message along with the next `flush`."""
        self._outgoing.append(message)

    def flush(self) -> bool:
        """Send what is queued; false when the client is so slow that it has to be cut off."""
        messages, self._outgoing = self._outgoing, []
        if self._transport is None or self.frozen or self._closing or not messages:
            return True
        transport = self._transport.underlying_transport
        transport.write(b"".join(messages))
        return transport.get_write_buffer_size() <= self._limits.buffered_bytes

    def write_raw(self, octets: bytes) -> None:
        """Put bytes on the wire that need not be WebSocket at all."""
        if self._transport is not None:
            self._transport.underlying_transport.write(octets)

    def close(self, code: WSCloseCode = WSCloseCode.GOING_AWAY, reason: str = "") -> None:
        """Close politely; the socket goes when the client answers, or after a second. A frozen one is torn down."""
        if self._transport is None or self._closing:
            return
        if self.frozen:
            self.abort()
            return
        self.flush()
        self._closing = True
        self._transport.send_close(code, reason.encode())
        self._timer("closing", _CLOSING_S, self.abort)

    def abort(self) -> None:
        """Tear the TCP connection down without a word."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def freeze(self) -> None:
        """Neither read nor write again, with the socket open: what a half-open connection looks like."""
        self.frozen = True
        self.writable.set()
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    # Control messages.

    def _within_limit(self) -> bool:
        now_s = self._now_s()
        if len(self._received_s) == self._limits.messages_per_s and now_s - self._received_s[0] < 1.0:
            self.close(WSCloseCode.POLICY_VIOLATION, "Too many requests")
            return False
        self._received_s.append(now_s)
        return True

    def _answer(self, payload: bytes) -> None:
        try:
            request = read_request(payload)
            result = self._obey(request)
        except BadRequest as error:
            self._send(error_reply(error.code, str(error), error.id, flat=self._limits.flat_errors))
        else:
            if not self._closing:
                self._send(reply(result, request.id))

    def _obey(self, request: Request) -> object:
        match request.method:
            case "SUBSCRIBE":
                self._subscribe(_names(request))
            case "UNSUBSCRIBE":
                gone = [name for name in _names(request) if name in self._streams]
                for name in gone:
                    del self._streams[name]
                self._changed(self, [], gone)
            case "LIST_SUBSCRIPTIONS":
                return list(self._streams)
            case "GET_PROPERTY":
                _property(request)
                return self.combined
            case "SET_PROPERTY":
                _property(request)
                if len(request.params) != 2 or not isinstance(request.params[1], bool):
                    raise BadRequest(1, "Invalid value type: expected Boolean", request.id)
                self.combined = request.params[1]
        return None

    def _subscribe(self, names: list[str]) -> None:
        new = [name for name in dict.fromkeys(names) if name not in self._streams]
        if len(self._streams) + len(new) > self._limits.streams:
            self._send(error_reply(4, "Too many subscriptions", None, flat=self._limits.flat_errors))
            self.close(WSCloseCode.POLICY_VIOLATION, "Invalid request")
            return
        self._streams.update(dict.fromkeys(new))
        # Streams of another route, of another case or of no known kind are acknowledged and stay silent.
        self._changed(self, [name for name in new if route_of(name) is self.route], [])

    def _send(self, payload: bytes) -> None:
        self.queue(text_frame(payload))
        self.flush()

    # Life.

    def _ping(self) -> None:
        if self._asked_s is not None and self._now_s() - self._asked_s > self._limits.pong_within_s:
            self.abort()
            return
        if self._transport is not None and not self.frozen and not self._closing:
            self._transport.send_ping(b"%d" % now_ms(self._clock))
            self._asked_s = self._now_s() if self._asked_s is None else self._asked_s
        self._timer("ping", self._limits.ping_every_s, self._ping)

    def _timer(self, name: str, delay_s: float, action: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(delay_s, action)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _names(request: Request) -> list[str]:
    names = [name for name in request.params if isinstance(name, str)]
    if not names or len(names) != len(request.params):
        raise BadRequest(2, "Invalid request: params must be an array of stream names", request.id)
    return names


def _property(request: Request) -> None:
    if not request.params or request.params[0] != "combined":
        raise BadRequest(0, "Unknown property", request.id)
