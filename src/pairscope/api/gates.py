"""How much is done at once for those who ask: what is more waits in a line of its own, and beyond it is told to return.

Cheap reads and long studies pass different gates, so that a hundred studies delay no chart.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pairscope.api import wire
from pairscope.api.caller import while_connected
from pairscope.api.errors import Busy, ClientGone
from pairscope.live.analysis import STUDIES_AT_ONCE

LONGEST_RETRY_S = 60
_NEWEST_WEIGHT = 0.2  # of the newest turn in the mean of how long they take


def _loop_s() -> float:
    """The time of the loop, by which its turns wait too."""
    return asyncio.get_running_loop().time()


class Gate:
    """Few turns at once, few more wait, and the rest are refused; a turn whose client has left ends.

    Args:
        told: what is refused, for people: "too many studies are being computed".
        cure: what they can do.
    """

    def __init__(self, told: str, cure: str, *, at_once: int, waiting: int) -> None:
        self.refused = 0
        self.abandoned = 0
        self.at_once = at_once
        self._told = told
        self._cure = cure
        self._most = at_once + waiting
        self._inside = 0
        self._turns = asyncio.Semaphore(at_once)
        self._mean_s = 0.0

    @property
    def waiting(self) -> int:
        return max(0, self._inside - self.at_once)

    def status(self) -> wire.GateStatus:
        return wire.GateStatus(waiting=self.waiting, refused=self.refused, abandoned=self.abandoned)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it.

        Raises:
            Busy: when too many wait.
            ClientGone: when the client leaves, before the turn or in it.
        """
        if self._inside >= self._most:
            self.refused += 1
            raise Busy(self._told, cure=self._cure, retry_after_s=self.retry_after_s())
        self._inside += 1
        try:
            async with while_connected(), self._turns:
                began_s = _loop_s()
                yield
                self._mean_s += _NEWEST_WEIGHT * (_loop_s() - began_s - self._mean_s)
        except ClientGone:
            self.abandoned += 1
            raise
        finally:
            self._inside -= 1

    def retry_after_s(self) -> int:
        """When about half of those who wait now will have had their turn."""
        wait_s = self._mean_s * self._inside / self.at_once / 2
        return min(LONGEST_RETRY_S, max(1, math.ceil(wait_s)))


class SharedAnswers:
    """One answer for all who wait for the same: each gets one that was begun after it asked."""

    def __init__(self, gate: Gate, most: int = 8) -> None:
        self.gate = gate
        self._most = most
        self._held: dict[Hashable, tuple[float, bytes]] = {}  # when it was begun, and the body

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What `make` gives, or gave to another who waited.

        Raises:
            Busy, ClientGone: as `Gate.turn`.
        """
        asked_s = _loop_s()
        async with self.gate.turn():
            begun_s, body = self._held.get(key, (0.0, b""))
            if begun_s < asked_s:
                begun_s = _loop_s()
                body = await make()
                self._held.pop(key, None)
                if self.gate.waiting:  # else nobody asked before it was begun
                    self._held[key] = begun_s, body
            while len(self._held) > (self._most if self.gate.waiting else 0):
                del self._held[next(iter(self._held))]
            return body


def _disk() -> Gate:
    cure = "ask again in a moment, and less often"
    return Gate("too many requests wait for the disk", cure, at_once=4, waiting=60)


def _metrics() -> Gate:
    cure = "ask again in a moment, or subscribe to the symbol's topic"
    return Gate("too many ask for metrics of a symbol", cure, at_once=2, waiting=60)


def _everything() -> SharedAnswers:
    cure = "ask again in a moment, or for single pairs"
    return SharedAnswers(Gate("too many ask for the metrics of everything", cure, at_once=1, waiting=100))


def _studies() -> Gate:
    cure = "ask again when Retry-After says, and for fewer at once"
    return Gate("too many studies are being computed", cure, at_once=STUDIES_AT_ONCE, waiting=32)


@dataclass(frozen=True, slots=True)
class Gates:
    """Of everything that can be asked for and takes a while."""

    disk: Gate = field(default_factory=_disk)  # reads of the tape: what is not in memory
    metrics: Gate = field(default_factory=_metrics)  # of one symbol, from memory
    everything: SharedAnswers = field(default_factory=_everything)  # metrics of all, on the event loop
    study: Gate = field(default_factory=_studies)  # everything else that is computed for one answer
