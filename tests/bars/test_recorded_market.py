"""Bars of a recorded market against figures computed elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.registry import pair_metrics
from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.bars.builder import build_bars
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, TradeBatch

pytestmark = pytest.mark.data

SYMBOLS = ("BTCUSDT", "ETHUSDT")
MINUTE = Interval(60_000)
FIRST_MS, LAST_MS = 1_723_161_300_000, 1_723_161_540_000  # 2024-08-08 23:55 and 23:59 UTC
# open, high, low, close, volume, trades
BTCUSDT = [
    (61807.7, 61839.9, 61760.3, 61760.3, 136.450, 2005),
    (61760.4, 61760.4, 61700.0, 61701.2, 203.143, 1992),
    (61701.3, 61719.0, 61620.0, 61628.1, 607.148, 4717),
    (61628.2, 61730.4, 61590.3, 61694.4, 890.437, 7387),
    (61694.5, 61730.6, 61645.0, 61659.8, 466.221, 3461),
]
ETHUSDT_VOLUMES = [1172.012, 1611.512, 1378.284, 1924.640, 2358.963]


def of_symbol(bars: BarArray, symbol: str) -> BarArray:
    within = (bars["open_time_ms"] >= FIRST_MS) & (bars["open_time_ms"] <= LAST_MS)
    own: BarArray = bars[within & (bars["symbol_id"] == SYMBOLS.index(symbol))]
    return own


@pytest.fixture(scope="module")
def bars(recorded_day: TradeBatch) -> BarArray:
    return build_bars(recorded_day, MINUTE)


def test_minute_bars_of_btcusdt_equal_the_reference_figures(bars: BarArray) -> None:
    own = of_symbol(bars, "BTCUSDT")
    assert own[["open", "high", "low", "close", "volume", "trades"]].tolist() == BTCUSDT


def test_minute_volumes_of_ethusdt_equal_the_reference_figures(bars: BarArray) -> None:
    assert of_symbol(bars, "ETHUSDT")["volume"].tolist() == ETHUSDT_VOLUMES


def test_every_recorded_trade_is_in_one_bar(recorded_day: TradeBatch, bars: BarArray) -> None:
    assert bars["trades"].sum() == len(recorded_day)
    assert (bars["last_id"] - bars["first_id"] + 1 == bars["trades"]).all()


def test_the_pair_statistics_of_one_second_bars_equal_the_reference_figures(recorded_day: TradeBatch) -> None:
    second = Interval(1_000)
    bars = build_bars(recorded_day, second)
    btc, eth = (bars[bars["symbol_id"] == index] for index in range(2))
    first_ms = max(int(leg["open_time_ms"][0]) for leg in (btc, eth))
    last_ms = min(int(leg["open_time_ms"][-1]) for leg in (btc, eth))
    grid, closes = align_closes([eth, btc], second, first_ms, last_ms, stale_limit_ms(second))
    y, x = np.log(closes)
    metrics = pair_metrics(PairWindow(y, x, first_ms // 1_000, len(grid), second.per_year))
    assert metrics["beta"].value == pytest.approx(0.2131233, abs=5e-8)
    assert metrics["alpha"].value == pytest.approx(5.54323383, abs=5e-9)
    assert metrics["correlation"].value == pytest.approx(0.6375, abs=5e-5)
    assert (metrics["beta"].n, metrics["correlation"].n) == (344, 343)
