"""Bars made of trades beside the exchange's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, FloatArray, no_bars

_PRICES = ("open", "high", "low", "close")
_SUMS = ("volume", "quote_volume", "buy_volume")
_TOLERANCE = 1e-9  # of sums: the exchange rounds them to eight decimals


class KlineCheck:
    """Collects bars of one symbol, oldest first, and compares those that are wholly on the tape.

    Args:
        official: bars of the exchange, each array of one interval.
        exact: false for aggregated trades. An aggregate has the time of its first fill only, so when it crosses the
            border of two bars the later one lacks what the earlier one has too much; such neighbours are no difference.
    """

    def __init__(self, official: Sequence[BarArray], *, exact: bool) -> None:
        self.compared = 0
        self.shifted = 0
        self._official = official
        self._exact = exact
        self._made: list[BarArray] = []

    def add(self, made: BarArray) -> None:
        """Take the bars of a day, of any intervals."""
        wanted = np.unique(np.concatenate([np.empty(0, np.int32), *(bars["interval_ms"] for bars in self._official)]))
        self._made.append(made[np.isin(made["interval_ms"], wanted)])

    def differences(self) -> Iterator[str]:
        """What differs, as sentences; counts on the way."""
        everything = np.concatenate([no_bars(), *self._made])
        for official in self._official:
            interval = Interval(int(official["interval_ms"][0]))
            made = everything[everything["interval_ms"] == interval.ms]
            # The first and the last bar may be cut off by the tape, one with lost ids is not whole.
            made = made[np.argsort(made["open_time_ms"])][1:-1]
            made = made[made["lost"] == 0]
            if not len(made):
                continue
            yield from self._compare(interval, official, made)

    def _compare(self, interval: Interval, official: BarArray, made: BarArray) -> Iterator[str]:
        opens, theirs, mine = np.intersect1d(official["open_time_ms"], made["open_time_ms"], return_indices=True)
        self.compared += len(opens)
        official, made = official[theirs], made[mine]
        differs = _differs(official, made)
        if not self._exact:
            shifted = _shifted(opens, differs, made["volume"] - official["volume"], interval.ms)
            self.shifted += int(shifted.sum())
            differs &= ~shifted
        for place in np.flatnonzero(differs).tolist():
            names = [n for n in (*_PRICES, *_SUMS) if _differs(official[[place]], made[[place]], (n,))[0]]
            parts = [f"{name} {made[place][name]}, officially {official[place][name]}" for name in names]
            yield f"the {interval} bar of {int(opens[place])} has {', '.join(parts)}"


def _differs(
    official: BarArray, made: BarArray, names: Sequence[str] = (*_PRICES, *_SUMS)
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    differs = np.zeros(len(made), np.bool_)
    for name in names:
        if name in _PRICES:
            differs |= made[name] != official[name]
        else:
            differs |= ~np.isclose(made[name], official[name], rtol=_TOLERANCE, atol=1e-8)
    return differs


def _shifted(
    opens: np.ndarray[tuple[int], np.dtype[np.int64]],
    differs: np.ndarray[tuple[int], np.dtype[np.bool_]],
    surplus: FloatArray,
    interval_ms: int,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which differing bars stand in a row whose surplus of volume adds up to nothing."""
    shifted = np.zeros(len(opens), np.bool_)
    places = np.flatnonzero(differs)
    if not len(places):
        return shifted
    for group in np.split(places, np.flatnonzero(np.diff(opens[places]) != interval_ms) + 1):
        moved = np.abs(surplus[group]).max()
        if len(group) > 1 and moved > 0 and abs(surplus[group].sum()) <= _TOLERANCE * max(1.0, moved):
            shifted[group] = True
    return shifted
