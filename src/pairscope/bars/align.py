"""Several symbols on one grid of bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairscope.base.interval import Interval
from pairscope.base.jit import kernel, plain
from pairscope.base.model import BarArray, FloatArray, IntArray


def stale_limit_ms(interval: Interval) -> int:
    """How long a close may be carried forward: ten bars, and never less than a minute.

    >>> stale_limit_ms(Interval.parse("1s")), stale_limit_ms(Interval.parse("5m"))
    (60000, 3000000)
    """
    return max(10 * interval.ms, 60_000)


def align_closes(
    series: Sequence[BarArray], interval: Interval, first_ms: int, last_ms: int, stale_ms: int
) -> tuple[IntArray, FloatArray]:
    """Closes of k symbols at the open times of one grid: ``(grid[n], closes[k, n])``.

    The grid holds every bar from the one that holds ``first_ms`` to the one that holds ``last_ms``. The last close
    is carried forward, never backward, for at most ``stale_ms`` after the end of its bar; NaN before the first bar of a
    series and where the last close is older. To carry into the first place, give bars from a little earlier.

    Args:
        series: for each symbol its bars of ``interval``, oldest first.

    >>> from pairscope.base.model import BAR
    >>> bars = np.zeros(2, BAR)
    >>> bars["open_time_ms"], bars["close"] = [1_000, 3_000], [10.0, 11.0]
    >>> grid, closes = align_closes([bars], Interval.parse("1s"), 0, 4_000, 60_000)
    >>> grid.tolist(), closes.tolist()
    ([0, 1000, 2000, 3000, 4000], [[nan, 10.0, 10.0, 11.0, 11.0]])
    """
    first_ms = interval.floor(first_ms)
    grid = np.arange(first_ms, last_ms + 1, interval.ms, dtype=np.int64)
    closes = np.empty((len(series), len(grid)))
    for row, bars in zip(closes, series, strict=True):
        open_time_ms, close = plain(bars["open_time_ms"]), plain(bars["close"])
        _carry_forward(open_time_ms, close, first_ms, interval.ms, stale_ms, row)
    return grid, closes


@kernel
def _carry_forward(
    open_time_ms: IntArray, close: FloatArray, first_ms: int, interval_ms: int, stale_ms: int, out: FloatArray
) -> None:
    seen = 0
    for place in range(len(out)):
        grid_ms = first_ms + place * interval_ms
        while seen < len(open_time_ms) and open_time_ms[seen] <= grid_ms:
            seen += 1
        out[place] = np.nan
        if seen > 0 and grid_ms - open_time_ms[seen - 1] <= stale_ms:
            out[place] = close[seen - 1]
