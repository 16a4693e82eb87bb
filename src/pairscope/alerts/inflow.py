"""How trades come in, as far as reading rules depends on it, and the time of events that is made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from dataclasses import dataclass, field


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Inflow:
    """What whoever takes trades in tells of itself."""

    now_ms: Callable[[], int]  # by the clock that the times of trades follow
    awake_s: Callable[[], float]  # a time that goes on only while this process does its work; for differences
    is_filling: Callable[[], bool] = _never  # whether missing trades are being fetched, or bars made anew of them
    unsure: Callable[[], Set[str]] = frozenset  # symbols that may have traded without being heard
    is_over: Callable[[], bool] = _never  # whether nothing comes any more, and that is how it should be
    ready: asyncio.Event = field(default_factory=asyncio.Event)  # once the bars of the tape are in memory


class EventTime:
    """The time of the newest trade, which goes on by this machine's clock while none comes.

    So the silence of a feed is a time in which nothing is known, and not a time that never was.
    """

    def __init__(self, exchange_ms: Callable[[], int], inflow: Inflow) -> None:
        self._exchange_ms = exchange_ms
        self._inflow = inflow
        self._newest_ms = 0
        self._heard_s = inflow.awake_s()

    def hear(self) -> None:
        """Trades came."""
        newest_ms = self._exchange_ms()
        if newest_ms > self._newest_ms:
            self._newest_ms, self._heard_s = newest_ms, self._inflow.awake_s()

    def now_ms(self) -> int:
        """The present; 0 before the first trade."""
        self.hear()
        if not self._newest_ms or self._inflow.is_over():
            return self._newest_ms
        return self._newest_ms + max(0, round(1_000 * (self._inflow.awake_s() - self._heard_s)))

    def is_current(self, within_ms: int) -> bool:
        """Whether trades have come as far as now, and not only those of before a start."""
        return self._exchange_ms() > self._inflow.now_ms() - within_ms
