"""Recorded frames as the source of the simulated exchange."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import structlog

from pairscope.base.clock import Clock, now_ms
from pairscope.base.errors import SettingsError
from pairscope.base.reading import ascii_lower
from pairscope.feed.binance.simulator.data_faults import SimulatedInstrument
from pairscope.feed.binance.simulator.hub import FrameHub
from pairscope.feed.binance.simulator.listing import LISTINGS
from pairscope.feed.binance.simulator.source import TooOld, TradeQuery
from pairscope.feed.binance.simulator.wire import Frame
from pairscope.feed.recording import RecordedFrame, read_frames

_log = structlog.get_logger()
_LOOK_AHEAD = 20_000  # frames read before the start, to learn what the recording is about
_REST_ROWS = 100_000  # trades of each symbol REST remembers
_BATCH = 256
_POLL_S = 0.02
_FIRST_MS = 1_567_296_000_000  # 2019-09-01: a recording of USD-M futures is not older
_CLOCK_MS = 86_400_000  # that a recorder's clock may be wrong
_EVENT_TIMES = re.compile(rb'"([ET])":(\d{13})(?=[,}])')
_KLINE_TIMES = re.compile(rb'"([ETt])":(\d{13})(?=[,}])')


class _Envelope(msgspec.Struct):
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


class _Event(msgspec.Struct):
    """What every event has, and what trades have."""

    e: str = ""
    event_ms: int = msgspec.field(default=0, name="E")
    s: str = ""
    a: object = None  # the id of an aggregate trade; the asks of a book
    t: object = None  # the id of a trade
    p: object = None
    q: object = None

    @property
    def trade_id(self) -> int | None:
        id_ = {"aggTrade": self.a, "trade": self.t}.get(self.e)
        return id_ if isinstance(id_, int) else None


_read_envelope = msgspec.json.Decoder(_Envelope).decode
_read_event = msgspec.json.Decoder(_Event).decode


class _Piece(NamedTuple):
    """A recorded frame with what playing needs to know of it."""

    received_ns: int
    frame: Frame
    event: _Event


class _Row(msgspec.Struct):
    """A recorded aggregate trade as REST tells it."""

    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741 - the exchange's name
    T: int
    m: bool
    nq: str | msgspec.UnsetType = msgspec.UNSET


_read_row = msgspec.json.Decoder(_Row).decode


class RecordingSource:
    """Plays recordings, merged by receive time, once clients have subscribed.

    Args:
        paths: recordings as `read_frames` takes them.
        speed: N times as fast as recorded; 0 is as fast as the clients can take it, losing nothing.
        times: ``kept`` sends payloads byte for byte; ``now`` moves the times in them by one constant, so that the
            first frame played happens now. Ids are never touched.
        start_after: the last id had of a stream (``{"btcusdt@trade": 5266583935}``): playing starts with the first
            trade of these streams that is new; what comes before is only told by REST.
        wait_for: streams that must be subscribed before playing starts. Without it playing starts when
            subscriptions have been there, unchanged, for ``settle_s``.
    """

    def __init__(
        self,
        paths: Path | str | Sequence[Path | str],
        clock: Clock,
        *,
        speed: float = 1.0,
        times: Literal["kept", "now"] = "kept",
        start_after: Mapping[str, int] | None = None,
        wait_for: Sequence[str] = (),
        settle_s: float = 0.25,
    ) -> None:
        self.finished = asyncio.Event()
        self.frames_played = 0
        self.frames_left_out = 0  # recorded without the name of a stream, and of a kind that does not tell it
        if not speed >= 0:
            raise SettingsError(f"a replay cannot run at speed {speed}", cure="use 1 for real time, 0 for full speed")
        self._paths = paths
        self._clock = clock
        self._speed = speed
        self._times = times
        self._had = dict(start_after or {})
        self._wait_for = set(wait_for)
        self._settle_s = settle_s
        self._instruments: dict[str, SimulatedInstrument] = {}
        self._rows: dict[str, deque[_Row]] = {}
        self._shift_ms: int | None = 0 if times == "kept" else None
        self._played_ms = 0
        self._received_ms = 0
        self._pieces: Iterator[_Piece] = iter(())

    def start(self) -> None:
        """Open the recordings and read a little ahead.

        Raises:
            RecordingError: for a recording that cannot be used.
        """
        pieces = self._pieces_of(read_frames(self._paths))
        ahead = list(islice(pieces, _LOOK_AHEAD))
        for piece in ahead:
            self._learn(piece)
        self._played_ms = ahead[0].event.event_ms if ahead else 0
        self._pieces = chain(ahead, pieces)

    def now_ms(self) -> int:
        """The time of the frame played last when times are kept, else the clock's."""
        return self._played_ms if self._times == "kept" else now_ms(self._clock)

    def latest_ms(self) -> int:
        """The time that no recorded trade can be later than.

        With times kept it is when the newest frame played was received, not what any frame says; a day more, because a
        recorder's clock may have told local time. A recording without such a time is held against our own clock.
        """
        ours_ms = now_ms(self._clock)
        if self._times == "now" or not _FIRST_MS <= self._received_ms <= ours_ms:
            return ours_ms
        return min(ours_ms, self._received_ms + _CLOCK_MS)

    def instruments(self) -> list[SimulatedInstrument]:
        return list(self._instruments.values())

    def agg_trades(self, query: TradeQuery, lag_ms: int) -> list[bytes]:
        rows = list(self._rows.get(query.symbol, ()))
        if not rows:
            return []
        shift_ms = self._shift_ms or 0
        newest_ms = self._played_ms - lag_ms
        start_ms = -1 if query.start_ms is None else query.start_ms - shift_ms
        end_ms = newest_ms if query.end_ms is None else min(newest_ms, query.end_ms - shift_ms)
        if query.from_id is not None and query.from_id < rows[0].a and len(rows) == _REST_ROWS:
            raise TooOld
        found = [row for row in rows if (query.from_id or 0) <= row.a and start_ms <= row.T <= end_ms]
        newest = query.from_id is None and query.start_ms is None
        found = found[-query.limit :] if newest else found[: query.limit]
        return [msgspec.json.encode(msgspec.structs.replace(row, T=row.T + shift_ms)) for row in found]

    async def play(self, hub: FrameHub) -> None:
        pieces = self._new_pieces()
        first = next(pieces, None)
        await self._clients_ready(hub)
        try:
            if first is not None:
                if self._shift_ms is None:
                    self._shift_ms = now_ms(self._clock) - first.event.event_ms
                await self._play_from(first, pieces, hub)
        finally:
            _log.info("replay_finished", frames=self.frames_played, left_out=self.frames_left_out)
            self.finished.set()

    async def _clients_ready(self, hub: FrameHub) -> None:
        while not hub.wanted or not self._wait_for <= hub.wanted:
            await hub.changed()
        settled = bool(self._wait_for)
        while not settled:
            try:
                async with asyncio.timeout(self._settle_s):
                    await hub.changed()
            except TimeoutError:
                settled = bool(hub.wanted)

    async def _play_from(self, first: _Piece, rest: Iterator[_Piece], hub: FrameHub) -> None:
        start_s = self._clock.monotonic_s()
        batch: list[Frame] = []
        for piece in chain([first], rest):
            if self._speed:
                due_s = start_s + (piece.received_ns - first.received_ns) / 1e9 / self._speed
                while (wait_s := due_s - self._clock.monotonic_s()) > 0:
                    await self._send(batch, hub)
                    await asyncio.sleep(min(max(wait_s, 0.001), _POLL_S))
            batch.append(self._played(piece))
            if len(batch) == _BATCH:
                await self._send(batch, hub)
        await self._send(batch, hub)

    async def _send(self, batch: list[Frame], hub: FrameHub) -> None:
        if not batch:
            return
        hub.publish(batch)
        self.frames_played += len(batch)
        batch.clear()
        await hub.drained()
        await asyncio.sleep(0)

    def _pieces_of(self, frames: Iterator[RecordedFrame]) -> Iterator[_Piece]:
        for frame in frames:
            piece = _piece_of(frame)
            if piece is None:
                self.frames_left_out += 1
            else:
                yield piece

    def _new_pieces(self) -> Iterator[_Piece]:
        """The pieces from the first trade on that was not had before, without the later ones that were."""
        begun = not self._had
        for piece in self._pieces:
            id_ = piece.event.trade_id
            had = self._had.get(piece.frame.stream)
            if id_ is not None and had is not None and id_ <= had:
                self._remember(piece)
                continue
            begun = begun or had is not None
            if begun:
                yield piece
            else:
                self._remember(piece)

    def _played(self, piece: _Piece) -> Frame:
        self._learn(piece)
        self._remember(piece)
        if not self._shift_ms:
            return piece.frame
        return Frame(piece.frame.stream, _shifted(piece, self._shift_ms))

    def _remember(self, piece: _Piece) -> None:
        self._received_ms = piece.received_ns // 1_000_000
        self._played_ms = piece.event.event_ms or self._played_ms
        if piece.event.trade_id is not None and piece.event.e == "aggTrade":
            try:
                row = _read_row(piece.frame.data)
            except msgspec.DecodeError:  # played as it is, for the client to reject
                return
            self._rows.setdefault(piece.event.s, deque(maxlen=_REST_ROWS)).append(row)

    def _learn(self, piece: _Piece) -> None:
        """List a symbol by the decimals of its first trade, unless its steps are known."""
        event = piece.event
        if event.s in self._instruments or event.trade_id is None:
            return
        if not (isinstance(event.p, str) and isinstance(event.q, str)):
            return
        known = next((each for each in LISTINGS if each.symbol == event.s), None)
        price_decimals, size_decimals = _decimals(event.p), _decimals(event.q)
        self._instruments[event.s] = SimulatedInstrument(
            event.s,
            known.tick_size if known else f"{10.0**-price_decimals:.{price_decimals}f}",
            known.step_size if known else f"{10.0**-size_decimals:.{size_decimals}f}",
            known.price_decimals if known else price_decimals,
            known.size_decimals if known else size_decimals,
        )


def _piece_of(recorded: RecordedFrame) -> _Piece | None:
    """A piece of a combined frame, or of a raw trade; None for raw frames whose stream cannot be told."""
    envelope = _read_envelope(recorded.payload)
    data = bytes(envelope.data) or recorded.payload
    try:
        event = _read_event(data)
    except msgspec.DecodeError:
        event = _Event()
    stream = envelope.stream or f"{ascii_lower(event.s)}@{event.e}"
    if not envelope.stream and event.trade_id is None:
        return None
    return _Piece(recorded.received_ns, Frame(stream, data), event)


def _shifted(piece: _Piece, shift_ms: int) -> bytes:
    times = _KLINE_TIMES if piece.event.e == "kline" else _EVENT_TIMES
    return times.sub(lambda match: b'"%b":%d' % (match[1], int(match[2]) + shift_ms), piece.frame.data)


def _decimals(number: str) -> int:
    return len(number.partition(".")[2])
