"""How many messages have gone to a channel within the last minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from pairscope.base.clock import Clock

MINUTE_S = 60.0


class SendingRate:
    """Counts what goes out, whatever became of it, by the time that no one can set.

    The cap lives here, where messages leave, and not where they are written: it holds for those of all rules together,
    for retries, for what piled up while a receiver was away, and for what a person replays; and the outbox has every
    message by itself, whatever it went out in.

    >>> from pairscope.base.clock import ManualClock
    >>> clock = ManualClock()
    >>> rate = SendingRate(clock, per_minute=2)
    >>> rate.count(), rate.left, clock.advance(40), rate.count(), rate.left, rate.opens_s
    (None, 1, None, None, 0, 20.0)
    """

    def __init__(self, clock: Clock, per_minute: int, ages_s: Iterable[float] = ()) -> None:
        """``ages_s``: how long ago those went out that another process sent."""
        self._clock = clock
        self._most = per_minute
        now_s = clock.monotonic_s()
        self._times_s = deque(now_s - age_s for age_s in sorted(ages_s, reverse=True))

    def count(self) -> None:
        """One goes out now."""
        self._times_s.append(self._clock.monotonic_s())

    @property
    def left(self) -> int:
        """How many more may go out now."""
        until_s = self._clock.monotonic_s() - MINUTE_S
        while self._times_s and self._times_s[0] <= until_s:
            self._times_s.popleft()
        return max(0, self._most - len(self._times_s))

    @property
    def opens_s(self) -> float:
        """How long until one may go out."""
        if self.left or not self._times_s:
            return 0.0
        return self._times_s[len(self._times_s) - self._most] + MINUTE_S - self._clock.monotonic_s()
