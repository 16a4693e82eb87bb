"""The known truth is in the prices: an estimator that knows nothing of the model finds it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.stattools import coint

from pairscope.base.model import FloatArray
from pairscope.feed.binance.simulator.listing import LISTINGS, MINUTE_MS, TRUTH, Relation, Truth
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.noise import Noise
from pairscope.feed.binance.simulator.prices import FIRST_DAY, PriceModel
from pairscope.feed.binance.simulator.rhythm import DAY_MINUTES, busyness

DAY = 20_700  # in September 2026
MARKET = SimulatedMarket(seed=1)


def closes(symbol: str, step_ms: int, count: int, start_ms: int = DAY * 86_400_000) -> FloatArray:
    """Log of the last price traded before the end of each step."""
    trades = MARKET.trades(symbol, start_ms - MINUTE_MS, start_ms + count * step_ms)
    ends = start_ms + step_ms * np.arange(1, count + 1)
    return np.log(trades.price[np.searchsorted(trades.time_ms, ends) - 1])


def regress(y: FloatArray, x: FloatArray) -> tuple[float, FloatArray]:
    """Slope and residual of y on x."""
    beta, alpha = np.polyfit(x, y, 1)
    return float(beta), y - alpha - beta * x


def doubt(y: FloatArray, x: FloatArray) -> float:
    """The p-value of "not cointegrated", Engle-Granger."""
    return float(coint(y, x, maxlag=1, autolag=None)[1])


def half_life_s(spread: FloatArray, step_s: float) -> float:
    keep = float(np.polyfit(spread[:-1], spread[1:], 1)[0])
    return step_s * math.log(0.5) / math.log(keep)


HOLDING = [relation for relation in TRUTH.relations if relation.breaks is None]


@pytest.mark.parametrize("relation", HOLDING, ids=lambda relation: relation.y)
def test_the_beta_of_a_relation_is_found_in_its_minute_closes(relation: Relation) -> None:
    y, x = (closes(symbol, 60_000, 1_440) for symbol in (relation.y, relation.x))
    beta, _ = regress(y, x)
    assert beta == pytest.approx(relation.beta, rel=0.03)
    assert doubt(y, x) < 0.01


@pytest.mark.parametrize("relation", HOLDING, ids=lambda relation: relation.y)
def test_the_half_life_and_size_of_a_spread_are_found_when_beta_is_known(relation: Relation) -> None:
    step_s = max(relation.half_life_s / 10, 1.0)
    y, x = (closes(symbol, int(step_s * 1000), 3_000) for symbol in (relation.y, relation.x))
    spread = y - relation.beta * x
    # Every tenth of a half-life the noise of ticks and unequal trade times would shorten the estimate: use lag 5.
    keep = float(np.corrcoef(spread[:-5], spread[5:])[0, 1])
    assert 5 * step_s * math.log(0.5) / math.log(keep) == pytest.approx(relation.half_life_s, rel=0.35)
    assert spread.std() == pytest.approx(relation.spread_sd, rel=0.25)


def test_a_relation_that_breaks_is_cointegrated_before_and_not_while_broken() -> None:
    relation = TRUTH.relation("BNBUSDT", "BTCUSDT")
    start_ms = DAY * 86_400_000
    assert [relation.holds(start_ms + minute * MINUTE_MS) for minute in (0, 79, 80, 119, 120)] == [
        True, True, False, False, True,
    ]  # fmt: skip
    y, x = (closes(symbol, 1_000, 7_200, start_ms) for symbol in ("BNBUSDT", "BTCUSDT"))
    spread = y - relation.beta * x
    held, broken = spread[1_200:4_800], spread[4_800:]
    assert held.std() < 2 * relation.spread_sd < broken.std()
    assert half_life_s(held[::30], 30) < 180 < half_life_s(broken[::30], 30)


@pytest.mark.parametrize(("y", "x"), [("ADAUSDT", "LINKUSDT"), ("LINKUSDT", "BTCUSDT"), ("ADAUSDT", "XRPUSDT")])
def test_independent_walks_are_neither_correlated_nor_cointegrated(y: str, x: str) -> None:
    first, second = closes(y, 60_000, 1_440), closes(x, 60_000, 1_440)
    assert abs(np.corrcoef(np.diff(first), np.diff(second))[0, 1]) < 0.1
    assert doubt(first, second) > 0.05


def test_a_correlated_symbol_with_a_walk_of_its_own_is_not_cointegrated() -> None:
    ((y, x, _),) = TRUTH.correlated
    first, second = closes(y, 60_000, 1_440), closes(x, 60_000, 1_440)
    assert np.corrcoef(np.diff(first), np.diff(second))[0, 1] > 0.4
    assert doubt(first, second) > 0.05


def test_traded_prices_stay_within_a_few_ticks_of_the_model() -> None:
    trades = MARKET.trades("BTCUSDT", DAY * 86_400_000, DAY * 86_400_000 + 10 * MINUTE_MS)
    model = np.exp(MARKET.prices.log_prices("BTCUSDT", trades.time_ms))
    off = np.abs(trades.price - model) / 0.1
    assert np.median(off) < 2
    assert off.max() < 20  # an order that eats through many levels


def test_paths_are_continuous_over_minutes_and_midnight() -> None:
    model = PriceModel(LISTINGS, TRUTH, Noise(1))
    for symbol in ("BTCUSDT", "DOGEUSDT", "BNBUSDT"):
        for minute in (DAY * DAY_MINUTES - 1, DAY * DAY_MINUTES, DAY * DAY_MINUTES + 79):
            assert model.minute(symbol, minute)[-1] == pytest.approx(model.minute(symbol, minute + 1)[0], abs=1e-11)


def test_the_daily_volatility_of_a_walk_is_as_listed() -> None:
    model = PriceModel(LISTINGS, TRUTH, Noise(1))
    midnights = np.array([model.minute("ADAUSDT", day * DAY_MINUTES)[0] for day in range(FIRST_DAY, FIRST_DAY + 400)])
    assert np.diff(midnights).std() == pytest.approx(0.04, rel=0.1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(FIRST_DAY, FIRST_DAY + 5_000))
def test_busyness_averages_to_one_and_is_never_zero(seed: int, day: int) -> None:
    weights = busyness(Noise(seed), "BTCUSDT", day)
    assert weights.mean() == pytest.approx(1)
    assert weights.min() > 0
    assert weights.max() < 60


def test_a_half_life_too_long_to_be_looked_up_is_refused() -> None:
    slow = Truth((Relation("ETHUSDT", "BTCUSDT", 1.0, 7_200, 0.001),), (), ())
    with pytest.raises(ValueError, match="half-life"):
        PriceModel(LISTINGS, slow, Noise(1))
