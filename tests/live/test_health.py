"""Health of the bars alone: live and past, from memory and disk, before and after a restart."""

from __future__ import annotations

import numpy as np
import pytest

from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.estimators.readings import history_bars, step_of
from pairscope.analytics.estimators.terms import USUAL
from pairscope.analytics.metrics import cointegration
from pairscope.analytics.metrics.health import Health, judge
from pairscope.bars.memory import BarMemory
from pairscope.bars.merge import merge_bars
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, BarStatus, SymbolTable
from pairscope.live.health import SUGGESTIONS_KEPT, HealthBars
from pairscope.live.market import Arrival, Market
from pairscope.live.span import PairKey
from pairscope.live.windows import pair_window
from pairscope.live.workers import Workers
from tests import paths

SECOND, MINUTE = Interval(1_000), Interval(60_000)
Y, X = "YUSDT", "XUSDT"
WINDOW = 60
KEY = PairKey(Y, X, SECOND, WINDOW, USUAL)
COUNT = 12 * WINDOW


class BarsOnDisk:
    """Bars of two symbols on disk, up to a moment."""

    def __init__(self, legs: dict[str, BarArray]) -> None:
        self.legs = legs
        self.asked = 0

    def bars(
        self,
        symbol: str,
        interval: Interval,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> BarArray:
        self.asked += 1
        bars = self.legs[symbol] if interval == SECOND else merge_bars(self.legs[symbol], interval)
        at = bars["open_time_ms"]
        inside = (at >= (from_ms or 0)) & (at < (to_ms if to_ms is not None else 1 << 62))
        return bars[inside][-limit:] if limit else bars[inside]


def bars_of(log_price: np.ndarray, first_ms: int = 0) -> BarArray:
    bars = np.zeros(len(log_price), BAR)
    bars["interval_ms"] = 1_000
    bars["open_time_ms"] = first_ms + 1_000 * np.arange(len(bars))
    for name in ("open", "high", "low", "close"):
        bars[name] = np.exp(log_price)
    bars["volume"] = bars["trades"] = 1
    bars["status"] = BarStatus.CLOSED
    return bars


def legs_of(draw: paths.Draw, count: int = COUNT, seed: int = 1) -> dict[str, BarArray]:
    y, x = draw(np.random.default_rng([9, seed]), count)
    return {Y: bars_of(5.0 + 1e-3 * y), X: bars_of(4.0 + 1e-3 * x)}


def live_of(legs: dict[str, BarArray], capacity: int, end: int | None = None, is_over: bool = False) -> Market:
    """A server that has seen the bars up to a place: the newest in memory, all on disk; the last one is open."""
    seen = {symbol: bars[:end] for symbol, bars in legs.items()}
    symbols = SymbolTable([Y, X])
    memory = BarMemory([SECOND, MINUTE], capacity)
    for symbol, bars in seen.items():
        memory.warm(symbols.index(symbol), SECOND, bars[-capacity:])
        memory.warm(symbols.index(symbol), MINUTE, merge_bars(bars, MINUTE)[-capacity:])
    memory.resume(int(seen[Y]["open_time_ms"][-1]))
    return Market(symbols=symbols, memory=memory, pairs=list, reader=BarsOnDisk(seen), arrival=Arrival(is_over=is_over))


async def health(live: Market, at_ms: int) -> Health:
    return judge(await HealthBars(live).history(KEY, at_ms), WINDOW)


@pytest.mark.parametrize("draw", [paths.sound(1.0), paths.sound(2.0), paths.walks(0.7)])
async def test_the_past_gives_the_health_that_was_told_then(draw: paths.Draw) -> None:
    legs = legs_of(draw)
    now = live_of(legs, capacity=5_000)
    for end in range(8 * WINDOW, COUNT, 37):
        then = live_of(legs, capacity=5_000, end=end + 1)  # bar `end` is open
        told = await health(then, end * 1_000)
        assert told == await health(now, (end - 1) * 1_000)
        assert told.windows == 5.0


async def test_an_open_bar_is_not_read_and_the_last_bar_of_a_finished_tape_is() -> None:
    legs = legs_of(paths.sound(1.0), count=COUNT + 1)
    last_ms = COUNT * 1_000
    assert last_ms % (1_000 * step_of(WINDOW)) == 0
    told = await health(live_of(legs, capacity=5_000), last_ms)
    legs[Y]["close"][-1] *= 1.5
    assert await health(live_of(legs, capacity=5_000), last_ms) == told
    assert told.as_of_ms == last_ms - 1_000 * step_of(WINDOW)
    assert (await health(live_of(legs, capacity=5_000, is_over=True), last_ms)).as_of_ms == last_ms


async def test_a_restart_with_less_in_memory_changes_nothing() -> None:
    legs = legs_of(paths.sound(2.0))
    at_ms = (COUNT - 1) * 1_000
    told = await health(live_of(legs, capacity=5_000), at_ms)
    for capacity in (1, 50, 2 * WINDOW, history_bars(WINDOW) - 1):
        assert await health(live_of(legs, capacity=capacity), at_ms) == told


async def test_a_tape_that_is_shorter_says_so() -> None:
    told = await health(live_of(legs_of(paths.sound(1.0)), 5_000, end=3 * WINDOW), (3 * WINDOW - 1) * 1_000)
    assert 0 < told.windows < 5.0
    assert told.reasons[-1].startswith("the tape holds ")


def test_a_window_has_the_bar_before_so_that_a_spike_at_its_beginning_is_found() -> None:
    legs = legs_of(paths.walks(0.7))
    legs[Y]["close"][COUNT - WINDOW] *= 0.7
    window = pair_window(legs[Y], legs[X], KEY.span, (COUNT - 1) * 1_000)
    assert cointegration.tested(window).y_spikes.tolist() == [0]
    assert len(cointegration.tested(window).y) == WINDOW


async def test_what_a_window_does_not_show_is_suggested_where_the_tape_shows_it() -> None:
    legs = legs_of(paths.sound(8.0), count=20 * WINDOW)
    live = live_of(legs, capacity=5_000)
    at_ms = (20 * WINDOW - 1) * 1_000
    workers = Workers("test", 1)
    try:
        assert (await health(live, at_ms)).condition == Condition.NOT_SHOWN
        judging = HealthBars(live)
        found = await judging.suggest(KEY, at_ms, workers)
        assert found is not None
        assert (found.bar_ms, found.window % WINDOW) == (1_000, 0)
        assert 4 * WINDOW <= found.window <= 16 * WINDOW
        assert found.p < 0.0125
        asked = live._reader.asked  # type: ignore[attr-defined]
        assert await judging.suggest(KEY, at_ms, workers) == found
        assert live._reader.asked == asked  # type: ignore[attr-defined]
        assert len(judging._suggested) == 1 < SUGGESTIONS_KEPT
    finally:
        workers.close()


async def test_a_window_that_the_tape_does_not_fill_is_not_suggested() -> None:
    legs = legs_of(paths.sound(1.0), count=2 * WINDOW)
    workers = Workers("test", 1)
    try:
        judging = HealthBars(live_of(legs, capacity=5_000))
        assert await judging.suggest(KEY, (2 * WINDOW - 1) * 1_000, workers) is None
    finally:
        workers.close()
