"""Raw frames of the watched symbols to a recording, as they come from the socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from pairscope.base.clock import Clock
from pairscope.base.errors import FileNotWritten
from pairscope.base.model import TradeKind
from pairscope.base.pulse import Pulse
from pairscope.feed.access import Access
from pairscope.feed.binance.connection import Connection, Frames, connect
from pairscope.feed.binance.managed_connection import ConnectionOptions, ManagedConnection
from pairscope.feed.binance.protocol import stream_name, stream_url
from pairscope.feed.recording import FrameWriter

STREAMS_PER_CONNECTION = 200
FLUSH_S = 0.25
_WRAPPED = b'{"stream":'  # what comes from a stream; answers to our requests begin otherwise


class Recorder:
    """Writes every frame of the watched streams, over the same lanes that feed a tape."""

    def __init__(
        self,
        *,
        base_url: str,
        kind: TradeKind,
        watch: Sequence[str],
        clock: Clock,
        writer: FrameWriter,
        options: ConnectionOptions | None = None,
        tls: ssl.SSLContext | None = None,
        access: Access | None = None,
    ) -> None:
        self.frames = 0
        self._url = stream_url(base_url, kind)
        self._clock = clock
        self._writer = writer
        self._options = options or ConnectionOptions()
        self._tls = tls
        self._access = access or Access.direct(clock)
        self._pulse = Pulse(clock)
        names = [stream_name(symbol, kind) for symbol in watch]
        groups = [names[i : i + STREAMS_PER_CONNECTION] for i in range(0, len(names), STREAMS_PER_CONNECTION)]
        self._lanes = [self._lane(group) for group in groups]

    @property
    def state(self) -> str:
        """How the connections are; of several the first that is not live."""
        return next((lane.state for lane in self._lanes if lane.state != "live"), "live")

    async def run(self) -> None:
        """Record until cancelled; what came is then in the file.

        Raises:
            FileNotWritten: when the disk is full or fails; what came before is in the file.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pulse.run(), name="record-pulse")
                for lane in self._lanes:
                    tasks.create_task(lane.run(), name="record-lane")
                while True:
                    await asyncio.sleep(FLUSH_S)
                    self.flush()
        except BaseExceptionGroup as group:
            failed = group.subgroup(FileNotWritten)
            if failed is None:
                raise
            raise _first_of(failed) from group
        finally:
            if not self._writer.failed:
                self.flush()

    def flush(self) -> None:
        """Hand what came so far to the operating system."""
        for lane in self._lanes:
            if lane.frames.waiting:
                self._write(lane)
        self._writer.flush()

    def _write(self, lane: ManagedConnection) -> None:
        frames, received_ns = lane.frames.take()
        trades = 0
        for frame, received in zip(frames, received_ns.tolist(), strict=True):
            if frame.startswith(_WRAPPED):
                self._writer.write(received, frame)
                trades += 1
        self.frames += trades
        if trades:
            lane.heard(trades, self._pulse.awake_s())

    def _lane(self, names: Sequence[str]) -> ManagedConnection:
        return ManagedConnection(
            names,
            connect=self._connect,
            flush=self._write,
            changed=lambda: None,
            clock=self._clock,
            options=self._options,
            awake_s=self._pulse.awake_s,
        )

    async def _connect(self, frames: Frames) -> Connection:
        return await connect(
            self._url, frames, stale_s=self._options.stale_s, tls=self._tls, clock=self._clock, access=self._access
        )


def _first_of(group: BaseExceptionGroup[FileNotWritten]) -> FileNotWritten:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
