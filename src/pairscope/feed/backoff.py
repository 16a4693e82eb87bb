"""How long to wait before trying again."""

from __future__ import annotations

import random

from pairscope.base.chance import jitter


class Backoff:
    """Doubling waits with jitter, capped; the caller resets it once something was delivered, not once connected.

    >>> backoff = Backoff(first_s=1, cap_s=8, rng=random.Random(1))
    >>> [backoff.next_s() <= ceiling for ceiling in (1, 2, 4, 8, 8)]
    [True, True, True, True, True]
    """

    def __init__(self, *, first_s: float = 0.5, cap_s: float = 30.0, rng: random.Random | None = None) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._rng = rng or jitter()
        self._tries = 0

    def next_s(self) -> float:
        """The next wait: between half of the present ceiling and all of it."""
        ceiling = min(self._cap_s, self._first_s * 2**self._tries)
        self._tries = min(self._tries + 1, 30)
        return float(ceiling * (0.5 + 0.5 * self._rng.random()))

    def reset(self) -> None:
        self._tries = 0
