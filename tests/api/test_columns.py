from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.clustering import distances
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks, TradeSeries, hayashi_yoshida, series_of
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Flag
from pairscope.api.columns import bar_columns, correlation_rows, pair_columns, quantity, trade_columns
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarSource, BarStatus, Continuity, Origin, TradeBatch
from pairscope.live.analysis import MatrixStudy, _matrix_of_trades
from pairscope.live.windows import Measured, PairSeries, Shares

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket


def test_bars_carry_their_vwap_their_missing_share_and_words_for_their_codes() -> None:
    bars = np.zeros(2, BAR)
    bars["volume"], bars["quote_volume"] = [4.0, 0.0], [10.0, 0.0]
    bars["trades"], bars["lost"] = [3, 0], [1, 0]
    bars["status"], bars["source"] = [BarStatus.REVISED, BarStatus.OPEN], [BarSource.IMPORT, BarSource.LIVE]
    columns = msgspec.json.decode(msgspec.json.encode(bar_columns(bars)))
    assert columns["vwap"] == [2.5, None]
    assert columns["missing"] == [0.25, 0.0]
    assert columns["status"] == ["revised", "open"]
    assert columns["source"] == ["import", "live"]


def test_bars_keep_every_bit_of_their_numbers(market: MadeUpMarket) -> None:
    bars = market.live.bars("BTCUSDT", Interval(1_000), 100)
    columns = msgspec.json.decode(msgspec.json.encode(bar_columns(bars)))
    for name in ("open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "buy_volume", "trades"):
        np.testing.assert_array_equal(columns[name], bars[name])


def series(y: list[float], x: list[float]) -> PairSeries:
    nan, times = np.full(len(y), np.nan), np.arange(len(y)) * 1_000
    return PairSeries(times, np.array(y), np.array(x), nan, nan, nan, nan, nan, np.zeros(len(y), np.int64))


def test_what_is_not_a_number_is_null_in_a_pair() -> None:
    columns = msgspec.json.decode(msgspec.json.encode(pair_columns(series([1.0, math.inf], [2.0, math.nan]))))
    assert columns["y"] == [1.0, None]
    assert columns["x"] == [2.0, None]
    assert columns["beta"] == [None, None]


def test_rows_before_the_first_price_are_left_out() -> None:
    nan = math.nan
    assert pair_columns(series([nan, nan, 1.0, nan], [nan, 2.0, nan, nan])).open_time_ms == [1_000, 2_000, 3_000]
    assert pair_columns(series([nan], [nan])).open_time_ms == []


def test_a_null_quantity_always_has_a_reason() -> None:
    measured = Measured(value=math.nan, unit="1", window=30, n=2, as_of_ms=None, missing=0.0, reason=None)
    assert quantity(measured).value is None
    assert quantity(measured).reason == "not_finite"


def test_each_trade_names_where_it_came_from() -> None:
    one, whole = np.ones(2), np.ones(2, np.int64)
    origins = np.array([Origin.WS, Origin.ARCHIVE], np.uint8)
    batch = TradeBatch(whole.astype(np.int32), whole, whole, one, one, one > 0, whole, origins)
    assert trade_columns(batch).origin == ["ws", "archive"]


def trending(seed: int, changes: int) -> tuple[TradeSeries, TradeSeries]:
    """One price that keeps its direction for long, seen of two symbols half a second apart."""
    step = np.random.default_rng([74, seed]).normal(0, 1e-5, 2 * changes)
    for t in range(1, len(step)):
        step[t] += 0.99 * step[t - 1]
    price, time_ms = np.exp(np.cumsum(step)), np.arange(2 * changes) * 450
    return series_of(time_ms[::2], price[::2]), series_of(time_ms[1::2], price[1::2])


@pytest.mark.parametrize("changes", [40, 20_000])
def test_a_correlation_of_trades_beyond_one_is_told_as_it_is_with_its_flag(changes: int) -> None:
    y, x = trending(1, changes)
    found = _matrix_of_trades([y, x, y])
    assert found[1][0, 1] > 0.9 * changes
    study = MatrixStudy(["Y", "X", "Z"], 0, *found[:2], [Shares(0.0, 0.0, None, Continuity.PROVED)] * 3, found[2])
    told = correlation_rows(study, np.array([1, 0, 2]), of="trades", interval="1s", window=300)
    assert told.correlation[0][1] == hayashi_yoshida(y, x).correlation
    assert told.correlation[0][1] > 1.05
    assert told.flag == [[None, "beyond_one", "beyond_one"], ["beyond_one", None, None], ["beyond_one", None, None]]
    nothing = PairWindow(np.ones(3), np.ones(3), 0, 3, 1.0, PairTicks(y, x))
    for name in ("correlation_hy", "correlation_hy_naive"):
        value = CATALOGUE[name].compute(nothing)
        assert value.flags == (Flag.BEYOND_ONE,), name
    assert CATALOGUE["correlation_hy"].compute(nothing).value == told.correlation[0][1]
    assert np.isfinite(distances(found[0])).all()  # and takes it for one
