"""Trades of the watched symbols, for ever, over as many connections as they need."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np
import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.model import Present, SymbolTable, TradeKind
from pairscope.base.reading import ascii_upper
from pairscope.feed.access import Access
from pairscope.feed.binance.connection import BATCH_FRAMES, Connection, Frames, connect
from pairscope.feed.binance.decoding import BurstDecoder
from pairscope.feed.binance.managed_connection import ConnectionOptions, ManagedConnection
from pairscope.feed.binance.protocol import (
    Acknowledged,
    Note,
    Refused,
    Rejected,
    ServerShutdown,
    stream_name,
    stream_url,
)
from pairscope.feed.health import FeedHealth, StateName
from pairscope.feed.hole_reason import HoleReasons
from pairscope.feed.judge import Judge, Judged
from pairscope.feed.silence_model import SilenceModel

log = structlog.get_logger()

STREAMS_PER_CONNECTION = 200
LAGS_KEPT = 100  # bursts of a symbol whose lag makes the median
SAMPLES_PER_REASON = 5  # frames of each kind of rejection that are shown in the log
_WORST_FIRST: tuple[StateName, ...] = ("down", "stale", "connecting", "live")

__all__ = ["BATCH_FRAMES", "TradeStream"]


class TradeStream:
    """The watched symbols, spread over lanes of at most `per_connection` streams.

    ``sink`` is called on the event loop with each judged burst, at the latest `flush_s` after it arrived, which says
    why ids would be missing in it; `is_quiet` is asked of symbols in silence whether the exchange had nothing of them;
    `is_compiled` says whether the kernel that reads frames is there, and only saves time.
    """

    def __init__(
        self,
        *,
        base_url: str,
        kind: TradeKind,
        watch: Sequence[str],
        symbols: SymbolTable,
        clock: Clock,
        judge: Judge,
        sink: Callable[[Judged], None],
        flush_s: float = 0.04,
        options: ConnectionOptions | None = None,
        per_connection: int = STREAMS_PER_CONNECTION,
        tls: ssl.SSLContext | None = None,
        access: Access | None = None,
        rng: random.Random | None = None,
        awake_s: Callable[[], float] | None = None,
        is_quiet: Callable[[Sequence[str]], Awaitable[bool]] | None = None,
        reasons: HoleReasons | None = None,
        is_compiled: Callable[[], bool] = lambda: True,
    ) -> None:
        self.health = FeedHealth(since_ms=now_ms(clock))
        self.options = options or ConnectionOptions()
        self._url = stream_url(base_url, kind)
        self._kind = kind
        self._symbols = symbols
        self._clock = clock
        self._awake_s = awake_s or clock.monotonic_s  # silence is counted by it
        self._judge = judge
        self._sink = sink
        self._flush_s = flush_s
        self._per_connection = per_connection
        self._tls = tls
        self._access = access or Access.direct(clock)
        self.door = self._access.limits.door(self._url)
        self._quiet = is_quiet  # asked of symbols in silence
        self._reasons = reasons or HoleReasons()
        self._renewed_s: dict[int, float] = {}
        self._rng = rng
        self._decoder = BurstDecoder(kind, symbols, is_compiled)
        self._expected: dict[int, SilenceModel] = {symbols.add(symbol): SilenceModel() for symbol in watch}
        names = [stream_name(symbol, kind) for symbol in watch]
        self._lanes = [self._lane(names[i : i + per_connection]) for i in range(0, len(names), per_connection)]
        self._lags: dict[int, deque[float]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[ManagedConnection, asyncio.Task[None]] = {}

    @property
    def waiting(self) -> int:
        """Frames received and not yet decoded."""
        return sum(len(lane.frames.waiting) for lane in self._lanes)

    @property
    def waiting_limit(self) -> int:
        return BATCH_FRAMES

    @property
    def rotations(self) -> int:
        return sum(lane.rotations for lane in self._lanes)

    @property
    def subscribed_for_s(self) -> float | None:
        """How long ago the newest connection subscribed; None before the first."""
        since = [lane.subscribed_s for lane in self._lanes if lane.subscribed_s is not None]
        return self._awake_s() - max(since) if since else None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._flush_for_ever(), name="feed-flush")
            for lane in self._lanes:
                self._start(lane, tasks)

    def _start(self, lane: ManagedConnection, tasks: asyncio.TaskGroup) -> None:
        self._running[lane] = tasks.create_task(lane.run(), name="feed-lane")

    def finish(self) -> None:
        """Say that nothing more will come; after `run` was cancelled."""
        self._flush_all()
        self.health.connections = 0
        self.health.become("finished", now_ms(self._clock))

    async def watch(self, symbol: str) -> None:
        """Add a symbol while running; the others lose nothing."""
        symbol_id = self._symbols.add(symbol)
        if symbol_id in self._expected:
            return
        self._expected[symbol_id] = SilenceModel(self._awake_s())
        name = stream_name(symbol, self._kind)
        room = next((lane for lane in self._lanes if len(lane.streams) < self._per_connection), None)
        if room is not None:
            await room.add([name])
            return
        lane = self._lane([name])
        self._lanes.append(lane)
        if self._tasks is not None:
            self._start(lane, self._tasks)

    async def unwatch(self, symbol: str) -> None:
        """Remove a symbol while running; the others lose nothing."""
        symbol_id, name = self._symbols.index(symbol), stream_name(symbol, self._kind)
        lane = next((lane for lane in self._lanes if name in lane.streams), None)
        if lane is None:
            return
        await lane.remove([name])
        self._expected.pop(symbol_id, None)
        self._lags.pop(symbol_id, None)
        self._renewed_s.pop(symbol_id, None)
        if not lane.streams and len(self._lanes) > 1:
            self._end(lane)

    def _end(self, lane: ManagedConnection) -> None:
        """A connection without a stream is heard by nobody, and would look broken."""
        self._lanes.remove(lane)
        if (running := self._running.pop(lane, None)) is not None:
            running.cancel()
        self._refresh()

    def unheard(self) -> list[int]:
        """The symbols whose connection is down."""
        down = [lane for lane in self._lanes if not lane.connections]
        return [self._symbols.index(name.partition("@")[0]) for lane in down for name in lane.streams]

    def lag_ms(self, symbol: str) -> float | None:
        """Median receive time less the exchange's trade time, over the newest trades of this symbol's bursts."""
        lags = self._lags.get(self._symbols.get(symbol))
        return float(np.median(np.array(lags))) if lags else None

    def silent(self) -> list[str]:
        """The symbols of `silent_streams`."""
        return [ascii_upper(name.partition("@")[0]) for name in self.silent_streams()]

    def silent_streams(self) -> list[str]:
        """Streams not heard for longer than they ever are, and streams acknowledged and never heard at all.

        Silence counts from the subscription on: why a lane without a connection is silent is known.
        """
        now_s = self._awake_s()
        silent = []
        for lane in self._lanes:
            if not lane.connections or lane.subscribed_s is None:
                continue
            for name in lane.streams:
                expected = self._expected[self._symbols.index(name.partition("@")[0])]
                last_s = expected.last_s
                limit_s = self.options.never_heard_s if last_s is None else expected.limit_s()
                if now_s - max(lane.subscribed_s, last_s or expected.since_s) > limit_s:
                    silent.append(name)
        return silent

    def listening_for_s(self, symbol: str) -> float | None:
        """For how long a symbol could have been heard without a break; None while it cannot."""
        lane = self._lane_of(symbol)
        if lane is None or not lane.connections or lane.subscribed_s is None:
            return None
        symbol_id = self._symbols.index(symbol)
        since_s = max(lane.subscribed_s, self._expected[symbol_id].since_s, self._renewed_s.get(symbol_id, 0.0))
        return self._awake_s() - since_s

    async def listen_anew(self, symbol: str, cause: str) -> None:
        """The exchange traded, and it was not heard: subscribe anew, and if that was done before, elsewhere.

        A connection that others share is left alone; a symbol that has one for itself has it replaced.
        """
        lane, symbol_id = self._lane_of(symbol), self._symbols.index(symbol)
        if lane is None:
            return
        name, again = stream_name(symbol, self._kind), symbol_id in self._renewed_s
        self._renewed_s[symbol_id] = self._awake_s()
        if len(lane.streams) == 1:
            lane.leave(cause)
        elif not again:
            await lane.renew(name)
        else:
            log.warning("stream_moved", symbol=symbol, cause="deaf after it was subscribed anew")
            await lane.remove([name])
            alone = self._lane([name])
            self._lanes.append(alone)
            if self._tasks is not None:
                self._start(alone, self._tasks)

    def _lane_of(self, symbol: str) -> ManagedConnection | None:
        name = stream_name(symbol, self._kind)
        return next((lane for lane in self._lanes if name in lane.streams), None)

    async def _is_quiet(self, lane: ManagedConnection) -> bool:
        """Whether the exchange had nothing to deliver on a connection."""
        symbols = [name.partition("@")[0].upper() for name in lane.streams]
        return self._quiet is not None and await self._quiet(symbols)

    def _lane(self, names: Sequence[str]) -> ManagedConnection:
        return ManagedConnection(
            names,
            connect=self._connect,
            flush=self._flush,
            changed=self._refresh,
            clock=self._clock,
            options=self.options,
            rng=self._rng,
            is_quiet=self._is_quiet,
            awake_s=self._awake_s,
        )

    async def _connect(self, frames: Frames) -> Connection:
        return await connect(
            self._url, frames, stale_s=self.options.stale_s, tls=self._tls, clock=self._clock, access=self._access
        )

    def _refresh(self) -> None:
        """The feed is as well as its worst lane."""
        lanes, health = self._lanes, self.health
        worst = min(lanes, key=lambda lane: _WORST_FIRST.index(lane.state))
        health.become(worst.state, now_ms(self._clock))
        health.connections = sum(lane.connections for lane in lanes)
        health.reconnects = sum(lane.reconnects for lane in lanes)
        health.next_retry_ms = min((lane.next_retry_ms for lane in lanes if lane.next_retry_ms), default=None)
        health.last_error = worst.last_error or health.last_error

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._flush_s)
            self._flush_all()

    def _flush_all(self) -> None:
        for lane in self._lanes:
            if lane.frames.waiting:
                self._flush(lane)

    def _flush(self, lane: ManagedConnection) -> None:
        frames, received_ns = lane.frames.take()
        decoded = self._decoder.decode(frames, received_ns)
        judged = self._judge.judge(decoded.rows)
        health, count = self.health, len(judged)
        health.frames += decoded.frames
        health.trades += count
        health.last_frame_ns = int(received_ns[-1])
        health.rejected.update({reason.value: number for reason, number in decoded.rejected.items()})
        for item in decoded.notes:
            self._take_note(lane, item)
        if count:
            self._heard(lane, judged, decoded.event_ms)
            reason = self._reasons.of(self.subscribed_for_s, health.reconnects)
            self._sink(replace(judged, hole_reason=reason))

    def _heard(self, lane: ManagedConnection, judged: Judged, event_ms: int) -> None:
        now_s = self._awake_s()
        rows, count = judged.rows, len(judged)
        present = Present.of(rows.symbol_id)
        newest = present.last
        lags_ms = rows.received_ns[newest] / 1e6 - rows.time_ms[newest]
        kept = judged.verdict[newest] == 0
        for symbol_id, lag_ms, is_kept in zip(present.symbols.tolist(), lags_ms.tolist(), kept.tolist(), strict=True):
            if symbol_id in self._expected:
                self._expected[symbol_id].heard(now_s)
                self._renewed_s.pop(symbol_id, None)
                if is_kept:  # the time of a refused row is worth nothing
                    self._lags.setdefault(symbol_id, deque(maxlen=LAGS_KEPT)).append(lag_ms)
        lane.heard(count, now_s)
        self.health.rate.add(count, self._clock.monotonic_s())
        if judged.verdict[-1] == 0:
            self.health.lag_ms.append(rows.received_ns[-1] / 1e6 - event_ms)

    def _take_note(self, lane: ManagedConnection, item: Note) -> None:
        match item:
            case Acknowledged():
                log.debug("feed_acknowledged", request=item.request_id)
            case Refused():
                lane.last_error = f"refused with code {item.code}: {item.message}"
                log.error("feed_refused", code=item.code, message=item.message)
            case ServerShutdown():
                log.info("feed_shutdown_announced")
                lane.rotate()
            case Rejected():
                self.health.rejected[item.reason.value] += 1
                if self.health.rejected[item.reason.value] <= SAMPLES_PER_REASON:
                    log.warning("frame_rejected", reason=item.reason.value, sample=item.sample)
