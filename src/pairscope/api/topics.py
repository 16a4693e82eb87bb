"""A topic: its clients, the numbers of its messages, and the last of them for those who missed some.

Each message is made and encoded once and shared by all clients.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from pairscope.api import wire
from pairscope.api.mailbox import Mailbox
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray

RING = 600  # messages a client may have missed and still get one by one

Touched = Mapping[tuple[str, Interval], BarArray]  # bars of one flush by symbol and interval
_encoder = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> str:
    return _encoder.encode(message).decode()


class Subscriber(Protocol):
    mailbox: Mailbox


class Topic(ABC):
    """Clients of one topic, the number of its last message, and the last messages for those who missed some."""

    def __init__(self, name: str, first_seq: int) -> None:
        self.name = name
        self.key = name  # among all topics: one that is told in two forms is two
        self.seq = first_seq
        self.clients: dict[Subscriber, int] = {}  # and how many bars their snapshots hold
        self._ring: deque[str] = deque(maxlen=RING)

    # --- clients ---

    def add(self, client: Subscriber, limit: int, since: int | None) -> None:
        """Bring a client up to date: by what it missed when that is still held, else by a snapshot."""
        self.clients[client] = limit
        client.mailbox.forget(self.name)
        missed = None if since is None else self._missed(since)
        if missed is None:
            client.mailbox.post(self.name, self.snapshot(limit))
            return
        for message in missed:
            client.mailbox.post(self.name, message)
        for kind, message in self.present().items():
            client.mailbox.keep(self.name, kind, message)

    def end(self) -> None:
        """Nobody is told anything more: let go of what was held for them."""
        self.clients.clear()

    def remove(self, client: Subscriber) -> None:
        del self.clients[client]
        client.mailbox.forget(self.name)

    def _missed(self, since: int) -> list[str] | None:
        count = self.seq - since
        return list(self._ring)[len(self._ring) - count :] if 0 <= count <= len(self._ring) else None

    # --- messages ---

    def publish(self, make: Callable[[int], msgspec.Struct]) -> None:
        """Number a message and send it to every client, whatever happens."""
        self.seq += 1
        message = encode(make(self.seq))
        self._ring.append(message)
        for client in self.clients:
            client.mailbox.post(self.name, message)

    def start_over(self) -> None:
        """Too much has changed for deltas: everybody gets a snapshot."""
        self.seq += 1
        self._ring.clear()
        for client, limit in self.clients.items():
            client.mailbox.forget(self.name)
            client.mailbox.post(self.name, self.snapshot(limit))

    def send_newest(self, kind: str, message: str) -> None:
        """Send a message in the place of an older one that still waits."""
        for client in self.clients:
            client.mailbox.keep(self.name, kind, message)

    # --- what differs ---

    @abstractmethod
    def on_bars(self, touched: Touched) -> None:
        """Take the bars of a flush."""

    @abstractmethod
    def pump(self, now_s: float) -> None:
        """Send what is due."""

    @abstractmethod
    def snapshot(self, limit: int) -> str:
        """Everything a new client needs."""

    @abstractmethod
    def present(self) -> dict[str, str]:
        """The messages that newer ones replace, as of now, by kind."""


class Pace:
    """Lets something happen at most once a period on average, and at once after a pause.

    The due times keep to their period, so that a caller who only comes every 40 ms still gets 10 a second.
    """

    __slots__ = ("_due_s", "_period_s")

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._due_s = float("-inf")

    def allows(self, now_s: float) -> bool:
        if now_s < self._due_s:
            return False
        self._due_s = max(self._due_s, now_s - self._period_s / 2) + self._period_s
        return True


class StatusTopic(Topic):
    """The status of the running system, each second."""

    def __init__(self, name: str, first_seq: int, status: Callable[[], wire.Status]) -> None:
        super().__init__(name, first_seq)
        self._status = status
        self._pace = Pace(1.0)

    def on_bars(self, touched: Touched) -> None:
        pass

    def pump(self, now_s: float) -> None:
        if self.clients and self._pace.allows(now_s):
            self.send_newest("status", self.snapshot(0))

    def snapshot(self, limit: int) -> str:
        return encode(wire.StatusMessage(topic=self.name, seq=self.seq, status=self._status()))

    def present(self) -> dict[str, str]:
        return {"status": self.snapshot(0)}
