"""What the page opens on when there is no exchange: a pair that the simulated market shows at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.estimators.readings import PairHistory
from pairscope.analytics.metrics.health import judge
from pairscope.base.clock import SystemClock
from pairscope.base.model import FloatArray
from pairscope.base.settings import Settings
from pairscope.feed.binance.simulator.listing import HISTORY_MINUTES, OPENING
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.source import Opening, SourcePlan
from pairscope.feed.venues import plan_source

NOON_MS = 1_767_268_800_000  # 2026-01-01 12:00 UTC


async def plan_of(folder: Path, **settings: Any) -> SourcePlan:
    given: dict[str, Any] = {"source": "simulator", "data_dir": folder}
    return await plan_source(Settings(**(given | settings)), SystemClock())


async def test_the_simulated_market_has_150_minutes_of_history_unless_others_are_asked_for(tmp_path: Path) -> None:
    assert (await plan_of(tmp_path)).history_minutes == HISTORY_MINUTES == 150
    assert (await plan_of(tmp_path, history_minutes=15)).history_minutes == 15
    assert (await plan_of(tmp_path, history_minutes=0)).history_minutes == 0


async def test_it_opens_on_a_pair_of_its_own_unless_somebody_has_chosen(tmp_path: Path) -> None:
    assert (await plan_of(tmp_path)).opening == Opening(*OPENING)
    assert (await plan_of(tmp_path, window=300)).opening is None
    assert (await plan_of(tmp_path, metric_interval="1m")).opening is None
    assert (await plan_of(tmp_path, symbols=("SOLUSDT", "BTCUSDT"))).opening is None
    assert (await plan_of(tmp_path, intervals=("5s", "1m"), metric_interval="5s")).opening is None


def closes(market: SimulatedMarket, symbol: str, end_ms: int, seconds: int) -> FloatArray:
    """Log closes of one-second bars, carried forward."""
    trades = market.trades(symbol, end_ms - seconds * 1_000, end_ms)
    second = (trades.time_ms - (end_ms - seconds * 1_000)) // 1_000
    last = np.full(seconds, np.nan)
    last[second] = np.log(trades.price)  # of one second the last stands
    known = np.maximum.accumulate(np.where(np.isfinite(last), np.arange(seconds), -1))
    return np.where(known >= 0, last[known], np.nan)


def opening_health(market: SimulatedMarket, end_ms: int) -> Condition:
    y, x, _, window = OPENING
    seconds = HISTORY_MINUTES * 60
    legs = [closes(market, symbol, end_ms, seconds) for symbol in (y, x)]
    return judge(PairHistory(legs[0], legs[1], end_ms // 1_000 - 1, 1_000), window).condition


def test_what_it_opens_on_is_cointegrated_there() -> None:
    assert opening_health(SimulatedMarket(1), NOON_MS) == Condition.COINTEGRATED


@pytest.mark.slow
def test_what_it_opens_on_is_cointegrated_there_at_nearly_any_time() -> None:
    market = SimulatedMarket(1)
    found = [opening_health(market, NOON_MS + hour * 5_000_000) for hour in range(40)]
    assert found.count(Condition.COINTEGRATED) >= 38
