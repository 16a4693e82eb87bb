"""The bars of one symbol and one interval in memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pairscope.base.model import BAR, BarArray, IntArray, join_bars, take_bars, whole_bars

_FEW = 16  # so many numbers are compared faster one by one


class BarSeries:
    """Bars, oldest first, of which at least the ``capacity`` newest are kept.

    `tail` and `since` return views that must not be written to. What is put later never shows in an earlier view, but
    for a replaced newest bar: of a view, all but the last bar is for ever as it was.

    >>> series = BarSeries(capacity=2)
    >>> bars = np.zeros(3, BAR)
    >>> bars["open_time_ms"] = [0, 1_000, 2_000]
    >>> series.put(bars)
    >>> [int(bar["open_time_ms"]) for bar in series.tail(2)]
    [1000, 2000]
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"expected a capacity of at least 1, was {capacity}")
        self.capacity = capacity
        self._storage: BarArray = np.empty(2 * capacity, BAR)
        self._whole, self._opens = whole_bars(self._storage), self._storage["open_time_ms"]
        self._end = 0

    def put(self, bars: BarArray) -> None:
        """Append bars newer than the last, replace those of an equal open time, insert the others.

        Of two given bars with one open time the later given counts.
        """
        if len(bars) == 0:
            return
        opens = bars["open_time_ms"]
        begin = self._end
        if begin and self._opens[begin - 1] >= opens[0]:
            begin -= 1  # the newest may be replaced, and no other
        fits = begin + len(bars) <= len(self._storage)
        if fits and (begin == self._end or self._opens[begin] == opens[0]) and _rise(opens):
            self._whole[begin : begin + len(bars)] = whole_bars(bars)
            self._end = begin + len(bars)
        else:
            everything = join_bars([self._bars(), bars])
            # The first of equal times in reverse order is the one given last.
            _, newest = np.unique(everything["open_time_ms"][::-1], return_index=True)
            self._replace_all(take_bars(everything, len(everything) - 1 - newest))

    def tail(self, count: int) -> BarArray:
        """The ``count`` newest bars, or all when there are fewer."""
        return self._storage[max(0, self._end - count) : self._end]

    def since(self, open_time_ms: int) -> BarArray:
        """The bars that open at or after a time."""
        bars = self._bars()
        return bars[np.searchsorted(bars["open_time_ms"], open_time_ms) :]

    def last(self) -> np.void | None:
        """A copy of the newest bar, or None without bars."""
        if self._end == 0:
            return None
        newest: np.void = self._storage[self._end - 1].copy()
        return newest

    def __len__(self) -> int:
        return self._end

    def _bars(self) -> BarArray:
        return self._storage[: self._end]

    def _replace_all(self, bars: BarArray) -> None:
        kept = bars[-self.capacity :]
        # New memory, so that views given out before keep what they saw.
        self._storage = np.empty(2 * self.capacity, BAR)
        self._whole, self._opens = whole_bars(self._storage), self._storage["open_time_ms"]
        self._whole[: len(kept)] = whole_bars(kept)
        self._end = len(kept)


def _rise(times: IntArray) -> bool:
    if len(times) <= _FEW:
        return all(one < other for one, other in pairwise(times.tolist()))
    return bool((times[1:] > times[:-1]).all())
