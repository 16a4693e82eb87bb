"""What a feed says of itself: state, rates, lag, and which streams are not heard."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

StateName = Literal["connecting", "live", "stale", "down", "finished", "off"]


class Rate:
    """Events a second, weighted towards the last `tau_s` seconds.

    >>> rate = Rate(tau_s=10)
    >>> for second in range(100):
    ...     rate.add(50, now_s=float(second))
    >>> round(rate.per_second(now_s=100.0))  # a little less than 50: the last ones are a second old
    48
    """

    def __init__(self, tau_s: float) -> None:
        self._tau_s = tau_s
        self._weight = 0.0
        self._at_s: float | None = None
        self._since_s = 0.0

    def add(self, count: int, now_s: float) -> None:
        if self._at_s is None:
            self._at_s = self._since_s = now_s
        self._weight = self._weight * self._decay(now_s) + count
        self._at_s = now_s

    def per_second(self, now_s: float) -> float:
        if self._at_s is None:
            return 0.0
        # Before `tau` has passed, divide by the time that was really watched.
        watched = max(1.0, now_s - self._since_s)
        return self._weight * self._decay(now_s) / (self._tau_s * -math.expm1(-watched / self._tau_s))

    def _decay(self, now_s: float) -> float:
        return math.exp(-max(0.0, now_s - (self._at_s or 0.0)) / self._tau_s)


@dataclass(slots=True)
class FeedHealth:
    """Mutable counters of one feed; written by the stream, read by the status page."""

    state: StateName = "connecting"
    since_ms: int = 0
    connections: int = 0
    reconnects: int = 0
    last_error: str | None = None
    next_retry_ms: int | None = None
    last_frame_ns: int = 0
    frames: int = 0
    trades: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    lag_ms: deque[float] = field(default_factory=lambda: deque(maxlen=1500))
    rate: Rate = field(default_factory=lambda: Rate(tau_s=5))

    def become(self, state: StateName, now_ms: int) -> None:
        if state != self.state:
            self.state, self.since_ms = state, now_ms

    def lag_percentile(self, percent: float) -> float | None:
        """Receive time less the exchange's event time; includes the offset between the two clocks."""
        return float(np.percentile(np.array(self.lag_ms), percent)) if self.lag_ms else None
