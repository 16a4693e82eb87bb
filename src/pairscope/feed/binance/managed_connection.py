"""A group of streams on one connection: kept alive, watched over, moved to a new one before the old one's life ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import FeedUnavailable
from pairscope.base.tasks import end
from pairscope.feed.backoff import Backoff
from pairscope.feed.binance.connection import Connection, Frames
from pairscope.feed.binance.protocol import subscriptions
from pairscope.feed.health import Rate, StateName

log = structlog.get_logger()

MESSAGES_PER_S = 4  # the exchange cuts a connection that sends more than ten
QUIET_GAPS = 20  # a silence this many times the usual gap between trades is a stall
LONGEST_SILENCE_S = 60.0
RETRY_ROTATION_S = 60.0
QUIET_S = 60.0  # for which an answer that nothing was traded holds
_ROTATE = "rotate"


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How a connection is watched."""

    stale_s: float = 5.0
    never_heard_s: float = 15.0  # after which an acknowledged but silent connection is replaced
    rotate_s: float = 23 * 3600.0  # the exchange ends every connection after 24 hours
    overlap_s: float = 2.0  # for which the old connection stays after the new one is heard
    steady_s: float = 60.0  # of delivery without a break, after which a lost connection is tried again at once
    longest_retry_s: float = 30.0  # between two tries, when the connection is lost again and again


class ManagedConnection:
    """One connection at a time, two while it rotates. Doubled trades of the overlap fall to the continuity tracker.

    Args:
        connect: opens a connection whose frames go to the given buffer.
        flush: called when the buffer is full.
        changed: called when the state, the error or the number of connections changed.
        is_quiet: asked before a silent connection is given up: whether the exchange had nothing to deliver.
        awake_s: a time that stands still when this process does; silence is counted by it.
    """

    def __init__(
        self,
        streams: Sequence[str],
        *,
        connect: Callable[[Frames], Awaitable[Connection]],
        flush: Callable[[ManagedConnection], None],
        changed: Callable[[], None],
        clock: Clock,
        options: ConnectionOptions,
        rng: random.Random | None = None,
        is_quiet: Callable[[ManagedConnection], Awaitable[bool]] | None = None,
        awake_s: Callable[[], float] | None = None,
    ) -> None:
        self.streams = list(streams)
        self.frames = Frames(clock, lambda: flush(self))
        self.state: StateName = "connecting"
        self.connections = 0
        self.reconnects = 0
        self.rotations = 0
        self.last_error: str | None = None
        self.next_retry_ms: int | None = None
        self.subscribed_s: float | None = None
        self._connect = connect
        self._changed = changed
        self._clock = clock
        self._awake_s = awake_s or clock.monotonic_s  # while this process stood still, nobody was silent
        self._options = options
        self._backoff = Backoff(cap_s=options.longest_retry_s, rng=rng)
        self._is_quiet = is_quiet
        self._asked_wait_s = 0.0  # by the exchange, or by our own limits
        self._quiet_until_s = float("-inf")
        self._delivers_since_s: float | None = None  # of this life; a rotation does not end it
        self._usual = Rate(tau_s=60)
        self._heard_s: float | None = None
        self._connection: Connection | None = None
        self._rotate_at_s = 0.0
        self._leave: str | None = None
        self._requests = 0
        self._telling = asyncio.Lock()  # one at a time says which streams it wants, and none is forgotten

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            cause = await self._one_life()
            self._connection, self.connections = None, 0
            wait_s = max(self._backoff.next_s(), self._asked_wait_s)
            self.reconnects += 1
            self.next_retry_ms = now_ms(self._clock) + round(wait_s * 1000)
            self._become("down", cause)
            log.warning("feed_disconnected", cause=cause, retry_in_s=round(wait_s, 2), streams=len(self.streams))
            await asyncio.sleep(wait_s)
            self.next_retry_ms = None

    async def _one_life(self) -> str:
        """From a handshake to the end of the last connection it led to; returns the cause."""
        self._asked_wait_s, self._delivers_since_s = 0.0, None
        try:
            connection = await self._opened()
        except FeedUnavailable as error:
            self._asked_wait_s = error.retry_after_s or 0.0
            return error.message
        try:
            while True:
                cause = await self._watch(connection)
                if cause != _ROTATE:
                    return cause
                connection = await self._rotated(connection)
        finally:
            connection.close()

    async def _opened(self) -> Connection:
        connection = await self._connect(self.frames)
        self.connections += 1
        self._heard_s, self._leave = None, None
        self._quiet_until_s = float("-inf")
        self._rotate_at_s = self._clock.monotonic_s() + self._options.rotate_s
        try:
            async with self._telling:
                await self._send(connection, self._subscriptions("SUBSCRIBE", self.streams))
                self._connection = connection
        except asyncio.CancelledError:
            connection.close()
            raise
        self.subscribed_s = self._awake_s()
        log.info("feed_subscribed", streams=len(self.streams))
        self._changed()
        return connection

    async def _rotated(self, old: Connection) -> Connection:
        """Open the next connection, and close the old one only once the new one is heard; the one to go on with."""
        try:
            new = await self._opened()
        except FeedUnavailable as error:
            self._rotate_at_s = self._clock.monotonic_s() + max(RETRY_ROTATION_S, error.retry_after_s or 0.0)
            log.warning("feed_rotation_failed", cause=error.message)
            return old
        try:
            await self._overlapped(new)
        except asyncio.CancelledError:
            new.close()
            raise
        only_old_heard = not new.heard and self._heard_s is not None
        worse = old.is_open and (only_old_heard or not new.is_open)
        kept, left = (old, new) if worse else (new, old)
        left.close()
        self._connection = kept
        self.connections -= 1
        if worse:
            async with self._telling:  # what was added meanwhile went to the new one
                await self._send(kept, self._subscriptions("SUBSCRIBE", self.streams))
            self._rotate_at_s = self._clock.monotonic_s() + RETRY_ROTATION_S
            log.warning("feed_rotation_failed", cause="nothing was heard on the new connection")
        else:
            self.rotations += 1
            log.info("feed_rotated", streams=len(self.streams))
        self._changed()
        return kept

    async def _overlapped(self, new: Connection) -> None:
        deadline_s = self._clock.monotonic_s() + self._options.never_heard_s
        # Polled, because the socket's callback counts frames and does nothing else.
        while not new.heard and new.is_open and self._clock.monotonic_s() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(self._options.overlap_s)

    async def _watch(self, connection: Connection) -> str:
        ended = asyncio.ensure_future(connection.ended())
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=min(0.5, self._options.stale_s / 10))
                cause = self._leave or self._stalled()
                if cause and (self._leave or not await self._nothing_traded()):
                    return cause
                if self._clock.monotonic_s() >= self._rotate_at_s:
                    return _ROTATE
            return ended.result()
        finally:
            await end(ended)

    def _stalled(self) -> str | None:
        """Whether the connection has been silent for longer than these symbols together ever are."""
        now_s = self._awake_s()
        if not self.streams or now_s < self._quiet_until_s:
            return None
        if self._heard_s is None:
            silent_s = now_s - (self.subscribed_s or now_s)
            if silent_s > self._options.stale_s:
                self._become("stale", "acknowledged and silent: wrong route, or no such stream")
            return "acknowledged, but no trade ever came" if silent_s > self._options.never_heard_s else None
        usual = self._usual.per_second(self._heard_s)
        limit_s = max(self._options.stale_s, QUIET_GAPS / usual if usual > 0 else LONGEST_SILENCE_S)
        silent_s = now_s - self._heard_s
        if silent_s > self._options.stale_s:
            self._become("stale", self.last_error)
        return f"no trade for {silent_s:.1f} s" if silent_s > min(limit_s, LONGEST_SILENCE_S) else None

    async def _nothing_traded(self) -> bool:
        """Whether the silence is that of the market; an answer holds for a while."""
        if self._is_quiet is None or not await self._is_quiet(self):
            return False
        self._quiet_until_s = self._awake_s() + QUIET_S
        if self.state != "live":
            self._become("live", None)
        return True

    def heard(self, trades: int, now_s: float) -> None:
        """Trades came: only this proves that a connection works, and only going on does that it is well."""
        self._heard_s = now_s
        self._usual.add(trades, now_s)
        if self._delivers_since_s is None:
            self._delivers_since_s = now_s
        elif now_s - self._delivers_since_s >= self._options.steady_s:
            self._backoff.reset()
        if self.state != "live" and self.connections:  # else they came right before the connection was lost
            self._become("live", None)

    def rotate(self) -> None:
        """Move to a new connection now, without losing a trade."""
        self._rotate_at_s = 0.0

    async def renew(self, stream: str) -> None:
        """Subscribe to one stream anew; the others on the connection lose nothing."""
        async with self._telling:
            if stream in self.streams:
                await self._tell("UNSUBSCRIBE", [stream])
                await self._tell("SUBSCRIBE", [stream])

    def leave(self, cause: str) -> None:
        """Give this connection up."""
        self._leave = cause

    async def add(self, streams: Sequence[str]) -> None:
        """Subscribe to more on the running connection."""
        async with self._telling:
            self.streams += streams
            await self._tell("SUBSCRIBE", streams)

    async def remove(self, streams: Sequence[str]) -> None:
        """Leave some streams; the others go on."""
        async with self._telling:
            self.streams = [stream for stream in self.streams if stream not in streams]
            await self._tell("UNSUBSCRIBE", streams)

    async def _tell(self, method: str, streams: Sequence[str]) -> None:
        if self._connection is not None:
            await self._send(self._connection, self._subscriptions(method, streams))
            await asyncio.sleep(1 / MESSAGES_PER_S)  # the next one waits for this

    def _subscriptions(self, method: str, streams: Sequence[str]) -> list[bytes]:
        requests = list(subscriptions(streams, first_id=self._requests + 1, method=method))
        self._requests += len(requests)
        return requests

    async def _send(self, connection: Connection, requests: Iterable[bytes]) -> None:
        for place, each in enumerate(requests):
            if place:
                await asyncio.sleep(1 / MESSAGES_PER_S)
            connection.send(each)

    def _become(self, state: StateName, cause: str | None) -> None:
        self.state = state
        if cause is not None:
            self.last_error = cause
        self._changed()
