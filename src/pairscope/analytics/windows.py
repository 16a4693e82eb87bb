"""What a metric is computed on: the newest bars of a symbol, or of a pair on a common grid.

A window computes what several of its metrics share once, when first asked; that needs an instance dictionary,
so these two records have no slots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

from pairscope.analytics.hedge import METHODS, NO_HEDGE, Hedge, ols_hedge
from pairscope.analytics.moments import PriceMoments, VolumeSums, price_moments, volume_sums
from pairscope.analytics.readings import PairHistory
from pairscope.analytics.rolling import RollingMoments, rolling_moments
from pairscope.analytics.ticks import PairTicks
from pairscope.base.model import FloatArray, IntArray


@dataclass(frozen=True)
class SymbolWindow:
    """The newest bars of a symbol, oldest first.

    ``close`` lies on the grid of bars, NaN where missing, its last value at the bar asked about; ``first_index`` is
    the absolute index of its first: open_time_ms // interval_ms. The other columns are of the bars that had trades,
    in any number. ``history`` has the closes of the newest closed bars on the same grid, for metrics that are of closed
    bars and need more of them than a window; it ends before the bar asked about while that one is open.
    """

    close: FloatArray
    volume: FloatArray
    quote_volume: FloatArray
    buy_volume: FloatArray
    trades: IntArray
    bars_per_year: float
    first_index: int
    window: int
    history: FloatArray | None = None

    @cached_property
    def prices(self) -> PriceMoments:
        return price_moments(self.close[-self.window :])

    @cached_property
    def sums(self) -> VolumeSums:
        return volume_sums(self.volume, self.quote_volume, self.buy_volume, self.trades)

    @cached_property
    def rolled(self) -> RollingMoments:
        first = max(0, len(self.close) - self.window)
        return rolling_moments(self.close[first:], self.window, self.first_index + first)


@dataclass(frozen=True)
class PairWindow:
    """The newest log closes of y and x on one grid of bars, oldest first, NaN where missing.

    The last position is the bar asked about; ``first_index`` is the absolute index of the first.
    """

    y: FloatArray
    x: FloatArray
    first_index: int
    window: int
    bars_per_year: float
    ticks: PairTicks | None = None  # the trades of the window's time
    history: PairHistory | None = None  # the closed bars of several windows
    _hedges: dict[str, Hedge] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def newest_is_present(self) -> bool:
        return len(self.y) > 0 and math.isfinite(self.y[-1]) and math.isfinite(self.x[-1])

    def hedge(self, method: str) -> Hedge:
        """The line through the window by one of `hedge.METHODS`."""
        if method not in self._hedges:
            first = max(0, len(self.y) - self.window)
            self._hedges[method] = METHODS[method](
                self.y[first:], self.x[first:], self.window, self.first_index + first
            )
        return self._hedges[method]

    @cached_property
    def returns(self) -> Hedge:
        """Least squares of the window - 1 returns of y inside the window on those of x."""
        first = max(0, len(self.y) - self.window)
        y, x = self.y[first:], self.x[first:]
        if self.window < 3:  # one return has no deviation
            return NO_HEDGE
        return ols_hedge(y[1:] - y[:-1], x[1:] - x[:-1], self.window - 1, self.first_index + first + 1)
