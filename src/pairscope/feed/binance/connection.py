"""One socket to the exchange: frames come in as bytes and stay bytes until somebody decodes them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import numpy as np
import picows
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import IntArray
from pairscope.feed.access import Access, certificates
from pairscope.feed.limits import MOST_CONNECTIONS, HostAccess
from pairscope.feed.proxy import Proxy
from pairscope.feed.retry_after import retry_after_s, until_text

BATCH_FRAMES = 8192
HANDSHAKE_S = 10.0
CONNECT_S = 20.0  # for all of it: the way there, a proxy, TLS and the handshake
SAMPLE_BYTES = 300
MESSAGE_BYTES = 1_000_000  # of one sent in pieces; the exchange's are a few hundred
_TEXT = picows.WSMsgType.TEXT


class Frames:
    """Frames as they arrived, with one receive time for all frames of a read.

    Bounded: from `BATCH_FRAMES` on they are handed on at the end of the read, inside the socket's own callback, so a
    burst slows the reading down (TCP pushes back) and nothing is dropped.
    """

    def __init__(self, clock: Clock, full: Callable[[], None]) -> None:
        self.waiting: list[bytes] = []
        self._full = full
        self._now_ns = clock.now_ns
        self._marks: list[tuple[int, int]] = []

    def end_of_read(self) -> int:
        """The frames up to here were read from the socket together; how many they are."""
        waiting = len(self.waiting)
        read = waiting - (self._marks[-1][0] if self._marks else 0)
        self._marks.append((waiting, self._now_ns()))
        if waiting >= BATCH_FRAMES:
            self._full()
        return read

    def take(self) -> tuple[list[bytes], IntArray]:
        """All waiting frames and when each was received."""
        if not self._marks or self._marks[-1][0] != len(self.waiting):
            self._marks.append((len(self.waiting), self._now_ns()))
        frames, marks = self.waiting, self._marks
        self.waiting, self._marks = [], []
        ends = np.array([end for end, _ in marks], np.int64)
        times = np.array([time_ns for _, time_ns in marks], np.int64)
        return frames, np.repeat(times, np.diff(ends, prepend=0))


class _Listener(picows.WSListener):
    """Copies payloads; anything slower would stall the socket."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._pieces = bytearray()
        self.texts = 0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type is _TEXT and frame.fin:
            self._frames.waiting.append(frame.get_payload_as_bytes())
        else:
            self._seldom(transport, frame)
        if frame.last_in_buffer:
            self.texts += self._frames.end_of_read()

    def _seldom(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind is _TEXT or kind is picows.WSMsgType.CONTINUATION:
            self._pieces += frame.get_payload_as_bytes()
            if frame.fin:
                self._frames.waiting.append(bytes(self._pieces))
                self._pieces.clear()
            elif len(self._pieces) > MESSAGE_BYTES:  # it may never end: counted as undecodable, and connected anew
                self._frames.waiting.append(b"\x00" + bytes(self._pieces[:SAMPLE_BYTES]))
                self._pieces.clear()
                transport.disconnect()
        elif kind is picows.WSMsgType.BINARY:  # never sent by the exchange: counted as undecodable
            self._frames.waiting.append(b"\x00" + frame.get_payload_as_bytes()[:SAMPLE_BYTES])
        elif kind is picows.WSMsgType.CLOSE:
            transport.disconnect()


class Connection:
    """An open connection; made by `connect`."""

    def __init__(self, transport: picows.WSTransport, listener: _Listener) -> None:
        self._transport = transport
        self._listener = listener
        self._requests = 0

    @property
    def is_open(self) -> bool:
        return not self._transport.is_disconnected

    @property
    def heard(self) -> bool:
        """Whether more came than one answer to each request."""
        return self._listener.texts > self._requests

    def send(self, request: bytes) -> None:
        if self.is_open:
            self._requests += 1
            self._transport.send(picows.WSMsgType.TEXT, request)

    def close(self) -> None:
        self._transport.disconnect(graceful=False)

    async def ended(self) -> str:
        """Wait for the end; returns its cause."""
        try:
            await self._transport.wait_disconnected()
        except (picows.WSError, OSError) as error:
            return f"connection lost ({error or type(error).__name__})"
        close = self._transport.close_handshake
        told = close.recv if close else None
        return f"closed by the exchange ({told.code.value} {told.reason})" if told else "connection lost"


async def connect(
    url: str, frames: Frames, *, stale_s: float, tls: ssl.SSLContext | None, clock: Clock, access: Access
) -> Connection:
    """Open a connection whose frames go to `frames`, through the proxy of its address and within the limits.

    A peer that is gone without a Close frame answers no ping, which is noticed within `stale_s`.

    Raises:
        FeedUnavailable: with code ``http_<status>`` when the handshake is refused, ``asked_to_wait`` or
            ``connections_used_up`` when it is not even tried, ``proxy_...`` when a proxy is in the way.
    """
    door, proxy = access.limits.door(url), access.proxies.of(url)
    _check_limits(door)
    door.attempt()
    if tls is None and url.startswith("wss:"):
        tls = certificates()
    try:
        async with asyncio.timeout(CONNECT_S):
            transport, listener = await picows.ws_connect(
                lambda: _Listener(frames),
                url,
                ssl_context=tls,
                proxy=proxy.picows_url if proxy else None,
                websocket_handshake_timeout=HANDSHAKE_S,
                enable_auto_ping=True,
                auto_ping_idle_timeout=stale_s / 2,
                auto_ping_reply_timeout=stale_s / 2,
                logger_name="feed",
            )
    except picows.WSInvalidStatusError as error:
        raise _refused(error, door, clock) from error
    except (ProxyError, ProxyConnectionError, ProxyTimeoutError) as error:
        assert proxy is not None
        raise proxy.refused(str(error) or type(error).__name__) from error
    except (OSError, TimeoutError, picows.WSError) as error:
        raise FeedUnavailable(_no_connection(url, proxy, error), code="unreachable") from error
    assert isinstance(listener, _Listener)
    return Connection(transport, listener)


def _check_limits(door: HostAccess) -> None:
    wait_s = door.connection_wait_s
    if wait_s <= 0:
        return
    if door.wait_s > 0:
        raise FeedUnavailable(
            f"{door.host} asked us to wait ({door.why}): it is asked again at {until_text(door.next_allowed_ms)}",
            code="asked_to_wait",
            retry_after_s=door.wait_s,
        )
    raise FeedUnavailable(
        f"{door.connections} connections were opened in 5 minutes and {MOST_CONNECTIONS} are allowed: "
        f"the next one waits {wait_s:.0f} s",
        code="connections_used_up",
        retry_after_s=wait_s,
    )


def _refused(error: picows.WSInvalidStatusError, door: HostAccess, clock: Clock) -> FeedUnavailable:
    status = int(error.response.status) if error.response else 0
    headers = {str(name): str(value) for name, value in error.response.headers.items()} if error.response else {}
    wait_s = retry_after_s(headers, now_ms(clock))
    if wait_s is not None:
        door.forbid(wait_s, f"HTTP {status}")
    return FeedUnavailable(
        f"the exchange refused the stream with HTTP {status}"
        + (f": it is asked again at {until_text(door.next_allowed_ms)}" if wait_s else "")
        + (": it does not serve this location, a --proxy elsewhere may help" if status == 451 else ""),
        code=f"http_{status}",
        retry_after_s=wait_s,
    )


def _no_connection(url: str, proxy: Proxy | None, error: Exception) -> str:
    """In plain words: the texts of the libraries hold addresses, numbers of errors, or nothing."""
    host = urlsplit(url).netloc
    through = f" through the proxy {proxy.shown}" if proxy else ""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted: {error.verify_message}"
    elif isinstance(error, TimeoutError):
        why = "no answer in time"
    elif isinstance(error, ConnectionRefusedError):
        why = "the connection is refused"
    elif isinstance(error, socket.gaierror):
        why = "the name cannot be looked up"
    else:
        why = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return f"no connection to {host}{through}: {why}"
