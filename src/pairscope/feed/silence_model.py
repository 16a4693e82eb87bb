"""How long a symbol is usually silent, learned from itself, so that a quiet symbol raises no false alarm."""

from __future__ import annotations

from pairscope.feed.health import Rate

LEARNING_S = 600.0
MOMENT_S = 0.25  # trades closer together than this are one moment: a burst teaches nothing about silence
QUIET_GAPS = 20.0  # by chance once in e^20
LEAST_S = 10.0
UNKNOWN_S = 60.0  # for a symbol heard only once


class SilenceModel:
    """The usual gap between the moments a symbol is heard; a burst is one moment.

    >>> quiet = SilenceModel()
    >>> for second in range(0, 3_600, 30):
    ...     quiet.heard(float(second))
    >>> 500 < quiet.limit_s() < 700  # about twenty times thirty seconds
    True
    """

    def __init__(self, since_s: float = 0.0) -> None:
        self.since_s = since_s  # when it began to be listened for
        self.last_s: float | None = None
        self._moments = Rate(tau_s=LEARNING_S)
        self._counted_s = -1.0

    def heard(self, now_s: float) -> None:
        self.last_s = now_s
        if now_s - self._counted_s >= MOMENT_S:
            self._counted_s = now_s
            self._moments.add(1, now_s)

    def limit_s(self) -> float:
        """The silence after which something is wrong."""
        if self.last_s is None:
            return UNKNOWN_S
        usual = self._moments.per_second(self.last_s)
        return max(LEAST_S, QUIET_GAPS / usual) if usual > 0 else UNKNOWN_S
