"""Misbehaviour on command: what the simulated exchange does wrong, until told otherwise.

Faults act on the frames before they are shared out, so that each connection sees the same; REST goes on
telling the truth, as the real exchange's does, but for faults of the data themselves (`data`). All of them combine.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from pairscope.feed.binance.simulator.data_faults import DataFaults
from pairscope.feed.binance.simulator.wire import Frame


class FaultyDoor(enum.StrEnum):
    """Where a client can be refused."""

    WS = "ws"
    REST = "rest"


@dataclass(slots=True)
class _Task:
    """A fault for a number of frames to come, of one stream or of any."""

    stream: str | None
    left: int
    held: list[Frame] = field(default_factory=list)

    def concerns(self, frame: Frame) -> bool:
        return self.left > 0 and (self.stream is None or self.stream == frame.stream)


class Faults:
    """Frames lost, doubled, swapped, silenced or replaced by garbage; clients refused; REST slow or behind.

    >>> faults = Faults()
    >>> faults.skip(2, stream="btcusdt@aggTrade")
    >>> [frame.data for frame in faults.apply([Frame("btcusdt@aggTrade", b"%d" % n) for n in range(4)])]
    [b'2', b'3']
    """

    def __init__(self) -> None:
        self.data = DataFaults()  # what is told wrongly, by the streams and by REST
        self.rest_delay_s = 0.0  # how long each REST answer takes
        self.rest_lag_ms = 0  # how far REST is behind the streams
        self._skips: list[_Task] = []
        self._doubles: list[_Task] = []
        self._swaps: list[_Task] = []
        self._silent: set[str] = set()
        self._all_silent = False
        self._flap_after = 0
        self._flaps_left: int | None = None
        self._garbage: list[bytes] = []
        self._refusals: dict[FaultyDoor, tuple[int, int | None]] = {}
        self._retry_after: dict[FaultyDoor, str] = {}

    def skip(self, count: int = 1, *, stream: str | None = None) -> None:
        """Never send the next frames: a hole in the ids."""
        self._skips.append(_Task(stream, count))

    def duplicate(self, count: int = 1, *, stream: str | None = None) -> None:
        """Send each of the next frames twice."""
        self._doubles.append(_Task(stream, count))

    def reorder(self, count: int = 2, *, stream: str | None = None) -> None:
        """Hold the next frames back until all are there, then send them last first."""
        self._swaps.append(_Task(stream, count))

    def garbage(self, *payloads: bytes) -> None:
        """Send these payloads as text messages to every connection, before the next frames."""
        self._garbage.extend(payloads or (b'{"stream":"btcusdt@aggTrade","da\xff\x00',))

    def silence(self, stream: str | None = None) -> None:
        """Lose every frame of a stream, or of all, while everything else goes on as if nothing were wrong."""
        if stream is None:
            self._all_silent = True
        else:
            self._silent.add(stream)

    def speak(self, stream: str | None = None) -> None:
        """End the silence of a stream, or all silence."""
        if stream is None:
            self._all_silent = False
            self._silent.clear()
        else:
            self._silent.discard(stream)

    def flap(self, after_frames: int = 1, *, times: int | None = None) -> None:
        """Close each connection shortly after it delivers: as soon as it was sent so many frames; 0 ends it.

        `times` is how many connections it happens to; all, when left out.
        """
        self._flap_after, self._flaps_left = after_frames, times

    def flaps(self, frames_sent: int) -> bool:
        """Whether a connection that was sent so many frames is closed now; counts as one time."""
        if not self._flap_after or frames_sent < self._flap_after or self._flaps_left == 0:
            return False
        if self._flaps_left is not None:
            self._flaps_left -= 1
        return True

    def refuse(
        self, status: int, *, door: FaultyDoor, times: int | None = None, retry_after: str | None = None
    ) -> None:
        """Answer new connections (``FaultyDoor.WS``) or requests (``FaultyDoor.REST``) with an HTTP status; 0 ends it.

        `retry_after` goes with it as the header of that name.
        """
        self._refusals.pop(door, None)
        if retry_after is not None:
            self._retry_after[door] = retry_after
        if status:
            self._refusals[door] = (status, times)

    def refusal(self, door: FaultyDoor) -> int | None:
        """The status a client is refused with just now; counts as one refusal."""
        if door not in self._refusals:
            return None
        status, times = self._refusals[door]
        if times is not None:
            self.refuse(status if times > 1 else 0, door=door, times=times - 1)
        return status

    def refusal_headers(self, door: FaultyDoor) -> dict[str, str]:
        """What is told beside the status."""
        return {"Retry-After": self._retry_after[door]} if door in self._retry_after else {}

    def take_garbage(self) -> list[bytes]:
        """The garbage to send now; it is sent once."""
        garbage, self._garbage = self._garbage, []
        return garbage

    def apply(self, frames: list[Frame]) -> list[Frame]:
        """What is sent instead of these frames."""
        frames = self.data.apply(frames)
        if not (self._all_silent or self._silent or self._skips or self._doubles or self._swaps):
            return frames
        out: list[Frame] = []
        for frame in frames:
            self._pass(frame, out)
        for tasks in (self._skips, self._doubles, self._swaps):
            tasks[:] = [task for task in tasks if task.left > 0]
        return out

    def _pass(self, frame: Frame, out: list[Frame]) -> None:
        if self._all_silent or frame.stream in self._silent or _due(self._skips, frame):
            return
        copies = 2 if _due(self._doubles, frame) else 1
        swap = _due(self._swaps, frame)
        if swap is None:
            out.extend([frame] * copies)
            return
        swap.held.extend([frame] * copies)
        if swap.left == 0:
            out.extend(reversed(swap.held))


def _due(tasks: list[_Task], frame: Frame) -> _Task | None:
    for task in tasks:
        if task.concerns(frame):
            task.left -= 1
            return task
    return None
