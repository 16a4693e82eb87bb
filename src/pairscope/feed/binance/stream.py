"""The only loop that owns a socket to the exchange: connect, subscribe, watch, hand on, try again.

Frames are kept as bytes until the next flush and then decoded together. The buffer is bounded: when it reaches
`batch_frames` it is decoded at once, inside the socket's own callback, so a burst slows the reading down (TCP
pushes back) and nothing is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable, Sequence

import numpy as np
import picows
import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.base.model import IntArray, SymbolTable, TradeKind
from pairscope.feed.backoff import Backoff
from pairscope.feed.binance.protocol import (
    Acknowledged,
    Decoded,
    Decoder,
    Note,
    Refused,
    Rejected,
    ServerShutdown,
    stream_name,
    stream_url,
    subscriptions,
)
from pairscope.feed.health import FeedHealth, Rate

log = structlog.get_logger()

MESSAGES_PER_S = 4  # the exchange cuts a connection that sends more than ten
BATCH_FRAMES = 8192
NEVER_HEARD_S = 15.0  # after which an acknowledged but silent connection is replaced
QUIET_GAPS = 20  # a silence this many times the usual gap between frames is a stall
SAMPLES_PER_REASON = 5  # frames of each kind of rejection that are shown in the log
HANDSHAKE_S = 10.0


class _Buffer:
    """Frames as they arrived, with one receive time for all frames of a read."""

    def __init__(self, clock: Clock) -> None:
        self._now_ns = clock.now_ns
        self.frames: list[bytes] = []
        self._marks: list[tuple[int, int]] = []

    def mark(self) -> None:
        self._marks.append((len(self.frames), self._now_ns()))

    def take(self) -> tuple[list[bytes], IntArray]:
        if not self._marks or self._marks[-1][0] != len(self.frames):
            self.mark()
        frames, marks = self.frames, self._marks
        self.frames, self._marks = [], []
        ends = np.array([end for end, _ in marks], np.int64)
        times = np.array([time_ns for _, time_ns in marks], np.int64)
        return frames, np.repeat(times, np.diff(ends, prepend=0))


class _Socket(picows.WSListener):
    """Copies payloads into the buffer; anything slower would stall the socket."""

    def __init__(self, buffer: _Buffer, flush: Callable[[], None]) -> None:
        self._buffer = buffer
        self._flush = flush
        self._fragments: list[bytes] = []
        self.inbound = 0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self.inbound += 1
        kind = frame.msg_type
        if kind is picows.WSMsgType.TEXT and frame.fin:
            self._buffer.frames.append(frame.get_payload_as_bytes())
        elif kind is picows.WSMsgType.TEXT or kind is picows.WSMsgType.CONTINUATION:
            self._fragment(frame)
        elif kind is picows.WSMsgType.BINARY:  # never sent by the exchange: counted as undecodable
            self._buffer.frames.append(b"\x00" + frame.get_payload_as_bytes()[:300])
        elif kind is picows.WSMsgType.CLOSE:
            transport.disconnect()
        if frame.last_in_buffer and self._buffer.frames:
            self._buffer.mark()
        if len(self._buffer.frames) >= BATCH_FRAMES:
            self._flush()

    def _fragment(self, frame: picows.WSFrame) -> None:
        self._fragments.append(frame.get_payload_as_bytes())
        if frame.fin:
            self._buffer.frames.append(b"".join(self._fragments))
            self._fragments.clear()


class TradeStream:
    """Trades of the watched symbols from one connection, for ever.

    ``sink`` is called on the event loop with each decoded burst, at the latest `flush_s` after it arrived.
    """

    def __init__(
        self,
        *,
        base_url: str,
        kind: TradeKind,
        watch: Sequence[str],
        symbols: SymbolTable,
        clock: Clock,
        sink: Callable[[Decoded], None],
        flush_s: float = 0.04,
        stale_s: float = 5.0,
        never_heard_s: float = NEVER_HEARD_S,
        tls: ssl.SSLContext | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.health = FeedHealth(since_ms=now_ms(clock))
        self._url = stream_url(base_url, kind)
        self._kind = kind
        self._watch = list(watch)
        self._symbols = symbols
        self._clock = clock
        self._sink = sink
        self._flush_s = flush_s
        self._stale_s = stale_s
        self._never_heard_s = never_heard_s
        self._tls = tls
        self._backoff = Backoff(rng=rng)
        self._buffer = _Buffer(clock)
        self._decoder = Decoder(kind, symbols)
        self._heard_s: dict[int, float] = {}
        self._subscribed_s: float | None = None
        self._usual = Rate(tau_s=60)
        self._leave: str | None = None

    @property
    def waiting(self) -> int:
        """Frames received and not yet decoded."""
        return len(self._buffer.frames)

    def silent_streams(self) -> list[str]:
        """Streams subscribed a while ago and never heard since: misspelt, on the wrong route, or simply quiet."""
        if self._subscribed_s is None or self._clock.monotonic_s() - self._subscribed_s < self._never_heard_s:
            return []
        quiet = [s for s in self._watch if self._symbols.get(s) not in self._heard_s]
        return [stream_name(symbol, self._kind) for symbol in quiet]

    async def run(self) -> None:
        """Stay connected until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._flush_for_ever(), name="feed-flush")
            tasks.create_task(self._connect_for_ever(), name="feed-connect")

    def finish(self) -> None:
        """Say that nothing more will come; after `run` was cancelled."""
        self._flush_rest()
        self.health.connections = 0
        self.health.become("finished", now_ms(self._clock))

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._flush_s)
            if self._buffer.frames:
                self._flush()

    async def _connect_for_ever(self) -> None:
        while True:
            self.health.become("connecting" if not self.health.reconnects else "down", now_ms(self._clock))
            before = self.health.trades
            try:
                cause = await self._connected()
            except FeedUnavailable as error:
                cause = error.message
            self._flush_rest()
            if self.health.trades > before:
                self._backoff.reset()
            await self._wait(cause)

    async def _wait(self, cause: str) -> None:
        wait_s = self._backoff.next_s()
        health, at_ms = self.health, now_ms(self._clock)
        health.become("down", at_ms)
        health.connections = 0
        health.reconnects += 1
        health.last_error, health.next_retry_ms = cause, at_ms + round(wait_s * 1000)
        log.warning("feed_disconnected", cause=cause, retry_in_s=round(wait_s, 2))
        await asyncio.sleep(wait_s)
        health.next_retry_ms = None

    async def _connected(self) -> str:
        """One connection from handshake to end; returns why it ended."""
        transport, socket = await self._open()
        self.health.connections = 1
        try:
            await self._subscribe(transport)
            log.info("feed_subscribed", url=self._url, streams=len(self._watch))
            return await self._watch_over(transport, socket)
        finally:
            transport.disconnect(graceful=False)

    async def _open(self) -> tuple[picows.WSTransport, _Socket]:
        try:
            transport, listener = await picows.ws_connect(
                lambda: _Socket(self._buffer, self._flush),
                self._url,
                ssl_context=self._tls,
                websocket_handshake_timeout=HANDSHAKE_S,
                # A peer that is gone without a Close frame answers no ping: noticed within `stale_s`.
                enable_auto_ping=True,
                auto_ping_idle_timeout=self._stale_s / 2,
                auto_ping_reply_timeout=self._stale_s / 2,
                logger_name="feed",
            )
        except picows.WSInvalidStatusError as error:
            status = int(error.response.status) if error.response else 0
            raise FeedUnavailable(
                f"the exchange refused the stream with HTTP {status}", code=f"http_{status}"
            ) from error
        except (OSError, TimeoutError, picows.WSError) as error:
            raise FeedUnavailable(f"no connection to {self._url}: {error or type(error).__name__}") from error
        assert isinstance(listener, _Socket)
        return transport, listener

    async def _subscribe(self, transport: picows.WSTransport) -> None:
        self._leave = None
        self._heard_s.clear()
        for request in subscriptions(stream_name(symbol, self._kind) for symbol in self._watch):
            if transport.is_disconnected:
                return
            transport.send(picows.WSMsgType.TEXT, request)
            await asyncio.sleep(1 / MESSAGES_PER_S)
        self._subscribed_s = self._clock.monotonic_s()

    async def _watch_over(self, transport: picows.WSTransport, socket: _Socket) -> str:
        ended = asyncio.ensure_future(transport.wait_disconnected())
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=min(0.5, self._stale_s / 10))
                cause = self._leave or self._stalled()
                if cause:
                    return cause
            close = transport.close_handshake
            told = close.recv if close else None
            return f"closed by the exchange ({told.code.value} {told.reason})" if told else "connection lost"
        finally:
            ended.cancel()
            with contextlib.suppress(asyncio.CancelledError, picows.WSError, OSError):
                await ended

    def _stalled(self) -> str | None:
        """Whether the connection has been silent for longer than this market ever is."""
        now_s = self._clock.monotonic_s()
        subscribed_s = self._subscribed_s or now_s
        heard_s = max(self._heard_s.values(), default=None)
        if heard_s is None:
            silent_s = now_s - subscribed_s
            if silent_s > self._stale_s:
                self.health.become("stale", now_ms(self._clock))
                self.health.last_error = "acknowledged and silent: wrong route, or no such stream"
            return "acknowledged, but no trade ever came" if silent_s > self._never_heard_s else None
        usual = self._usual.per_second(heard_s)
        limit_s = max(self._stale_s, QUIET_GAPS / usual if usual > 0 else 60.0)
        silent_s = now_s - heard_s
        if silent_s > self._stale_s:
            self.health.become("stale", now_ms(self._clock))
        return f"no trade for {silent_s:.1f} s" if silent_s > min(limit_s, 60.0) else None

    def _flush_rest(self) -> None:
        if self._buffer.frames:
            self._flush()

    def _flush(self) -> None:
        frames, received_ns = self._buffer.take()
        decoded = self._decoder.decode(frames, received_ns)
        health, count = self.health, len(decoded.trades)
        health.frames += decoded.frames
        health.trades += count
        health.last_frame_ns = int(received_ns[-1])
        health.rejected.update({reason.value: number for reason, number in decoded.rejected.items()})
        for item in decoded.notes:
            self._take_note(item)
        if count:
            self._heard(decoded)
            self._sink(decoded)

    def _heard(self, decoded: Decoded) -> None:
        now_s = self._clock.monotonic_s()
        for symbol_id in np.unique(decoded.trades.symbol_id).tolist():
            self._heard_s[symbol_id] = now_s
        count = len(decoded.trades)
        self._usual.add(count, now_s)
        self.health.rate.add(count, now_s)
        self.health.lag_ms.append(decoded.trades.received_ns[-1] / 1e6 - decoded.event_ms)
        self.health.become("live", now_ms(self._clock))

    def _take_note(self, item: Note) -> None:
        match item:
            case Acknowledged():
                log.debug("feed_acknowledged", request=item.request_id)
            case Refused():
                self.health.last_error = f"refused with code {item.code}: {item.message}"
                log.error("feed_refused", code=item.code, message=item.message)
            case ServerShutdown():
                self._leave = "the exchange announced a shutdown"
            case Rejected():
                self.health.rejected[item.reason.value] += 1
                if self.health.rejected[item.reason.value] <= SAMPLES_PER_REASON:
                    log.warning("frame_rejected", reason=item.reason.value, sample=item.sample)
