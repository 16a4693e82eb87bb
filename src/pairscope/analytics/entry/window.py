"""What a metric is computed on: the newest bars of a symbol, or of a pair on a common grid.

A window computes what several of its metrics share once, when first asked; that needs an instance dictionary,
so these two records have no slots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import TypeVar

import numpy as np

from pairscope.analytics.estimators.hayashi_yoshida import PairTicks
from pairscope.analytics.estimators.hedge import METHODS, NO_HEDGE, Hedge, ols_hedge
from pairscope.analytics.estimators.lead_lag import REACH_MS, STEP_MS, LeadLag, lag_grid, lead_lag
from pairscope.analytics.estimators.readings import PairHistory
from pairscope.analytics.estimators.terms import Prices
from pairscope.analytics.kernels.moments import PriceMoments, VolumeSums, price_moments, volume_sums
from pairscope.analytics.kernels.rolling import RollingMoments, rolling_moments
from pairscope.base.model import BoolArray, FloatArray, IntArray


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
    high: FloatArray | None = None  # on the grid as closes are; for metrics that need them
    low: FloatArray | None = None

    @cached_property
    def present(self) -> tuple[int, bool]:
        """How many closes of the window there are, and whether the newest is one of them."""
        return _present(np.isfinite(self.close[-self.window :]))

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

    The last position is the bar asked about; ``first_index`` is the absolute index of the first. ``closes`` are what
    the logarithms are of. `on` is the same window on other terms: y and x are then closes when ``prices`` says so, and
    without an ``intercept`` lines go through zero.
    """

    y: FloatArray
    x: FloatArray
    first_index: int
    window: int
    bars_per_year: float
    ticks: PairTicks | None = None  # the trades of the window's time
    history: PairHistory | None = None  # the closed bars of several windows
    closes: FloatArray | None = None  # float64[2, n]
    prices: Prices = "log"
    intercept: bool = True
    _hedges: dict[str, Hedge] = field(default_factory=dict, init=False, repr=False, compare=False)
    # Of the trades, which are the same on all terms, by reach and step.
    _leads: dict[tuple[int, int], LeadLag] = field(default_factory=dict, repr=False, compare=False)
    # Windows of the same bars, this one too, by their terms.
    _views: dict[tuple[Prices, bool], PairWindow] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of_closes(
        cls,
        y: FloatArray,
        x: FloatArray,
        first_index: int,
        window: int,
        bars_per_year: float,
        ticks: PairTicks | None = None,
        history: PairHistory | None = None,
    ) -> PairWindow:
        """The window of closes, which are kept beside their logarithms."""
        closes = np.array([y, x])
        logs = np.log(closes, where=closes > 0.0, out=np.full(closes.shape, np.nan))
        return cls(logs[0], logs[1], first_index, window, bars_per_year, ticks, history, closes)

    def on(self, prices: Prices, intercept: bool) -> PairWindow:
        """The same window on other terms; asked again, the same record, with all that it has computed."""
        self._views.setdefault((self.prices, self.intercept), self)
        if (prices, intercept) not in self._views:
            closes = self.closes
            if closes is None:
                legs = np.array([self.y, self.x])
                with np.errstate(over="ignore"):
                    closes = np.exp(legs) if self.prices == "log" else legs
            y, x = (self.y, self.x) if prices == self.prices else closes if prices == "level" else np.log(closes)
            history = None if self.history is None else self.history.on(prices, intercept)
            self._views[prices, intercept] = replace(
                self, y=y, x=x, history=history, closes=closes, prices=prices, intercept=intercept, _views=self._views
            )
        return self._views[prices, intercept]

    @cached_property
    def present(self) -> tuple[int, bool]:
        """How many bars of the window have both closes, and whether the newest is one of them."""
        return _present(np.isfinite(self.y[-self.window :]) & np.isfinite(self.x[-self.window :]))

    @property
    def newest_is_present(self) -> bool:
        return self.present[1]

    def hedge(self, method: str) -> Hedge:
        """The line through the window by one of `hedge.METHODS`."""
        if method not in self._hedges:
            first = max(0, len(self.y) - self.window)
            self._hedges[method] = METHODS[method](
                self.y[first:], self.x[first:], self.window, self.first_index + first, self.intercept
            )
        return self._hedges[method]

    def lead(self, reach_ms: int = REACH_MS, step_ms: int = STEP_MS) -> LeadLag | None:
        """By how much x leads y in the trades of the window; None without them."""
        if self.ticks is not None and (reach_ms, step_ms) not in self._leads:
            self._leads[reach_ms, step_ms] = lead_lag(self.ticks.y, self.ticks.x, lag_grid(reach_ms, step_ms))
        return self._leads.get((reach_ms, step_ms))

    @cached_property
    def returns(self) -> Hedge:
        """Least squares of the window - 1 log returns of y inside the window on those of x, whatever the terms are."""
        if self.prices != "log" or not self.intercept:
            return self.on("log", True).returns
        first = max(0, len(self.y) - self.window)
        y, x = self.y[first:], self.x[first:]
        if self.window < 3:  # one return has no deviation
            return NO_HEDGE
        return ols_hedge(y[1:] - y[:-1], x[1:] - x[:-1], self.window - 1, self.first_index + first + 1)


def _present(there: BoolArray) -> tuple[int, bool]:
    return int(np.count_nonzero(there)), bool(len(there) and there[-1])


_W = TypeVar("_W", SymbolWindow, PairWindow)
_T = TypeVar("_T")


def once(function: Callable[[_W], _T]) -> Callable[[_W], _T]:
    """Keep what a function says of a window with the window, as a cached property of it would be."""
    name = f"_{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def kept(window: _W) -> _T:
        known = vars(window)
        if name not in known:
            known[name] = function(window)
        answer: _T = known[name]
        return answer

    return kept
