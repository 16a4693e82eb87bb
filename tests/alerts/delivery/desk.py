"""A delivery over a real state database, under a clock that tests move."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channels import Channels
from pairscope.alerts.delivery.delivery import Delivery, deliver
from pairscope.alerts.outbox import Message, Notice, put
from pairscope.base.clock import ManualClock, now_ms
from pairscope.base.settings import Settings
from pairscope.base.tasks import end
from pairscope.store.state import State
from tests.patience import EVENT_S, within

START_MS = 1_764_244_800_000  # 2025-11-27 12:00 UTC
HOUR_S = 3_600
KEY = "whsec_" + "A" * 43 + "="


def notice(number: int = 0, **changed: Any) -> Notice:
    told: dict[str, Any] = {
        "title": f"alert {number}",
        "text": f"spread_z of ETHUSDT/BTCUSDT is 2.{number}",
        "severity": "warning",
        "rule": "stretched",
        "target": "ETHUSDT/BTCUSDT",
        "transition": "firing",
        "time_ms": START_MS,
        "value": 2.0 + number,
        "number": number,
    }
    return Notice(**(told | changed))


@dataclass
class Desk:
    state: State
    clock: ManualClock
    delivery: Delivery
    channels: Channels

    def webhook(self, name: str, url: str, **more: Any) -> None:
        self.channels.add({"name": name, "kind": "webhook", "url": url, "secret": KEY} | more)

    def put(self, channel: str, numbers: Iterable[int], **changed: Any) -> list[str]:
        """Write messages, and give their ids."""
        messages = [
            Message(
                id=f"{channel}-{number}",
                channel=channel,
                made_ms=now_ms(self.clock),
                notice=notice(number, **changed),
            )
            for number in numbers
        ]
        with self.state.change() as connection:
            put(connection, messages)
        self.delivery.wake()
        return [each.id for each in messages]

    def fates(self, channel: str) -> dict[str, str]:
        return dict(
            self.state.rows("select id, state from outbox where channel = ? order by made_ms, rowid", (channel,))
        )

    def tries(self) -> dict[str, int]:
        return dict(self.state.rows("select id, tries from outbox"))

    def next_s(self) -> float | None:
        """How long until something is to be sent; 0 or below when it should be on its way."""
        found = self.state.rows(
            "select channel, min(max(due_ms, coalesce(rests_until_ms, 0))) from outbox"
            " left join channels on name = channel where outbox.state = 'waiting' and carried_by is null"
            " group by channel"
        )
        rates, now = self.delivery._rates, now_ms(self.clock)
        waits = [max((due - now) / 1_000, rates[name].opens_s if name in rates else 0) for name, due in found]
        return min(waits, default=None)

    async def settled(self) -> None:
        """Wait until nothing is on its way, nor due."""
        self.delivery.wake()
        until = time.monotonic() + EVENT_S
        while True:
            next_s = self.next_s()
            if not self.delivery.status().on_their_way and (next_s is None or next_s > 0):
                return
            assert time.monotonic() < until, self.state.rows("select * from outbox where state = 'waiting'")
            await asyncio.sleep(0.005)

    async def pass_time(self, seconds: float) -> None:
        """Let so much time pass, with all that is due in it sent when it is due."""
        until_s = self.clock.monotonic_s() + seconds
        await self.settled()
        while (next_s := self.next_s()) is not None and self.clock.monotonic_s() + next_s <= until_s:
            self.clock.advance(next_s + 0.001)
            await self.settled()
        self.clock.advance(max(0.0, until_s - self.clock.monotonic_s()))
        await self.settled()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.delivery.run())
        try:
            yield
        finally:
            await end(task)


def desk(folder: Path, *, state: State | None = None, clock: ManualClock | None = None, **settings: Any) -> Desk:
    """One that may send to this machine, unless told otherwise."""
    state = state or State.open(folder / "state.sqlite")
    clock = clock or ManualClock(START_MS)
    made = Settings(**({"alert_hosts_allowed": ("127.0.0.1",)} | settings))
    delivery = deliver(state, made, clock)
    return Desk(state, clock, delivery, delivery.channels)


async def until(condition: Any, seconds: float = 20.0) -> None:
    """Wait for a state that has no event."""
    async with asyncio.timeout(within(seconds)):
        while not condition():
            await asyncio.sleep(0.005)


__all__ = ["HOUR_S", "KEY", "START_MS", "Desk", "Destinations", "desk", "notice", "until"]


def log_of(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[MutableMapping[str, Any]]:
    """All that a module tells its log from now on, however logs are set up in this process."""
    kept = LogCapture()
    every = structlog.make_filtering_bound_logger(logging.NOTSET)
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[kept], wrapper_class=every))
    return kept.entries


def events(told: list[MutableMapping[str, Any]]) -> list[str]:
    """What a log was told of, by name."""
    return [each["event"] for each in told]
