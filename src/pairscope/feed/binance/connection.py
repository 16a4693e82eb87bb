"""One socket to the exchange: frames come in as bytes and stay bytes until somebody decodes them."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import numpy as np
import picows

from pairscope.base.clock import Clock
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import IntArray

BATCH_FRAMES = 8192
HANDSHAKE_S = 10.0
SAMPLE_BYTES = 300
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

    def end_of_read(self) -> None:
        """The frames up to here were read from the socket together."""
        self._marks.append((len(self.waiting), self._now_ns()))
        if len(self.waiting) >= BATCH_FRAMES:
            self._full()

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
        self._fragments: list[bytes] = []
        self.texts = 0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type is _TEXT and frame.fin:
            self.texts += 1
            self._frames.waiting.append(frame.get_payload_as_bytes())
        else:
            self._seldom(transport, frame)
        if frame.last_in_buffer:
            self._frames.end_of_read()

    def _seldom(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind is _TEXT or kind is picows.WSMsgType.CONTINUATION:
            self._fragments.append(frame.get_payload_as_bytes())
            if frame.fin:
                self._frames.waiting.append(b"".join(self._fragments))
                self._fragments.clear()
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


async def connect(url: str, frames: Frames, *, stale_s: float, tls: ssl.SSLContext | None) -> Connection:
    """Open a connection whose frames go to `frames`.

    A peer that is gone without a Close frame answers no ping, which is noticed within `stale_s`.

    Raises:
        FeedUnavailable: with code ``http_<status>`` when the handshake is refused.
    """
    try:
        transport, listener = await picows.ws_connect(
            lambda: _Listener(frames),
            url,
            ssl_context=tls,
            websocket_handshake_timeout=HANDSHAKE_S,
            enable_auto_ping=True,
            auto_ping_idle_timeout=stale_s / 2,
            auto_ping_reply_timeout=stale_s / 2,
            logger_name="feed",
        )
    except picows.WSInvalidStatusError as error:
        status = int(error.response.status) if error.response else 0
        raise FeedUnavailable(f"the exchange refused the stream with HTTP {status}", code=f"http_{status}") from error
    except (OSError, TimeoutError, picows.WSError) as error:
        raise FeedUnavailable(f"no connection to {url}: {error or type(error).__name__}") from error
    assert isinstance(listener, _Listener)
    return Connection(transport, listener)
