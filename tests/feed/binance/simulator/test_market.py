"""The market is a function of seed and time, whatever was asked before and in whatever portions."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.base.errors import SettingsError, UnknownName
from pairscope.feed.binance.simulator.listing import LISTINGS, Listing, crowd
from pairscope.feed.binance.simulator.market import AggTrades, SimulatedMarket

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
SYMBOLS = st.sampled_from([listing.symbol for listing in LISTINGS])
MARKET = SimulatedMarket(seed=1)


def same(one: AggTrades, other: AggTrades) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(AggTrades)
    )


@settings(max_examples=25, deadline=None)
@given(SYMBOLS, st.lists(st.integers(0, 600_000), min_size=2, max_size=6).map(sorted), st.booleans())
def test_any_division_of_time_gives_the_same_trades(symbol: str, cuts: list[int], by_flush: bool) -> None:
    market = SimulatedMarket(seed=1)  # nothing remembered
    ask = market.flushed if by_flush else market.trades
    parts = [ask(symbol, START_MS + a, START_MS + b) for a, b in itertools.pairwise(cuts)]
    whole = (MARKET.flushed if by_flush else MARKET.trades)(symbol, START_MS + cuts[0], START_MS + cuts[-1])
    assert same(AggTrades.concatenate(parts), whole)


@settings(max_examples=25, deadline=None)
@given(SYMBOLS, st.integers(0, 24 * HOUR_MS), st.integers(1, 2_000), st.integers(1, 500))
def test_pages_by_id_are_the_trades_by_time(symbol: str, offset_ms: int, limit: int, page: int) -> None:
    market = SimulatedMarket(seed=1)
    first_id = market.first_id_at(symbol, START_MS + offset_ms)
    whole = MARKET.by_id(symbol, first_id, limit)
    pages = [market.by_id(symbol, first_id + at, min(page, limit - at)) for at in range(0, limit, page)]
    assert same(AggTrades.concatenate(pages), whole)
    assert whole.id.tolist() == list(range(first_id, first_id + limit))
    assert whole.time_ms[0] >= START_MS + offset_ms
    assert same(MARKET.trades(symbol, int(whole.time_ms[0]), int(whole.time_ms[-1])), whole.slice(0, _before(whole)))


def _before(trades: AggTrades) -> int:
    """How many trades are older than the last millisecond."""
    return int(np.searchsorted(trades.time_ms, trades.time_ms[-1]))


@pytest.mark.parametrize("symbol", [listing.symbol for listing in LISTINGS])
def test_ids_times_and_fills_are_in_order(symbol: str) -> None:
    trades = MARKET.trades(symbol, START_MS, START_MS + 2 * HOUR_MS)
    assert (np.diff(trades.id) == 1).all()
    assert (np.diff(trades.time_ms) >= 0).all()
    assert (np.diff(trades.flush_ms) >= 0).all()
    delay = trades.flush_ms - trades.time_ms
    assert (delay.min(), delay.max()) == (4, 158)
    assert (trades.last_fill >= trades.first_fill).all()
    holes = trades.first_fill[1:] - trades.last_fill[:-1] - 1
    assert holes.tolist() == (trades.burnt[:-1] == 1).tolist()
    assert 0 < holes.sum() < 0.01 * len(trades)


def test_ids_go_on_over_midnight() -> None:
    midnight_ms = START_MS // 86_400_000 * 86_400_000
    trades = MARKET.trades("ETHUSDT", midnight_ms - 60_000, midnight_ms + 60_000)
    assert (np.diff(trades.id) == 1).all()
    assert (np.diff(trades.first_fill) >= 1).all()


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.symbol)
def test_prices_and_sizes_are_on_the_grid_and_activity_is_as_listed(listing: Listing) -> None:
    trades = MARKET.trades(listing.symbol, START_MS - 24 * HOUR_MS, START_MS)
    ticks = trades.price / float(listing.tick_size)
    lots = trades.size / float(listing.step_size)
    assert np.abs(ticks - np.rint(ticks)).max() < 1e-6
    assert np.abs(lots - np.rint(lots)).max() < 1e-4
    assert (lots >= trades.last_fill - trades.first_fill + 0.99).all()
    assert len(trades) == pytest.approx(86_400 * listing.trades_per_s, rel=0.6)
    assert 0.45 < trades.buyer_is_maker.mean() < 0.55


def test_busy_moments_and_large_trades_look_like_the_real_ones() -> None:
    trades = MARKET.trades("BTCUSDT", START_MS - 24 * HOUR_MS, START_MS)
    per_second = np.bincount((trades.time_ms - trades.time_ms[0]) // 1_000)
    assert per_second.max() > 300
    assert (per_second == 0).mean() > 0.01
    assert np.unique(trades.time_ms, return_counts=True)[1].max() >= 8
    assert trades.size.max() > 300 * np.median(trades.size)


def test_prices_bounce_between_bid_and_ask_where_a_tick_is_large() -> None:
    changes = np.diff(MARKET.trades("ADAUSDT", START_MS - 24 * HOUR_MS, START_MS).price)
    assert np.corrcoef(changes[:-1], changes[1:])[0, 1] < -0.2


def test_the_rate_multiplies_how_many_trades_there_are() -> None:
    usual, busy = (
        sum(len(market.trades(symbol, START_MS, START_MS + HOUR_MS)) for symbol in market.listings)
        for market in (MARKET, SimulatedMarket(seed=1, rate=10))
    )
    assert busy == pytest.approx(10 * usual, rel=0.01)


def test_another_seed_is_another_world() -> None:
    other = SimulatedMarket(seed=2).trades("BTCUSDT", START_MS, START_MS + 60_000)
    assert not same(MARKET.trades("BTCUSDT", START_MS, START_MS + 60_000), other)


def test_nothing_traded_before_2020_and_unknown_symbols_are_told() -> None:
    assert len(MARKET.trades("BTCUSDT", 0, 1_500_000_000_000)) == 0
    assert MARKET.first_id_at("BTCUSDT", 0) == 1
    assert MARKET.by_id("BTCUSDT", -5, 3).id.tolist() == [1, 2, 3]
    with pytest.raises(UnknownName, match="does not list 'FOOUSDT'"):
        MARKET.trades("FOOUSDT", START_MS, START_MS + 1)


def test_more_symbols_change_nothing_for_the_usual_ones() -> None:
    many = SimulatedMarket(seed=1, listings=crowd(50))
    assert len(many.listings) == 50
    window = (START_MS, START_MS + 60_000)
    assert same(many.trades("SOLUSDT", *window), MARKET.trades("SOLUSDT", *window))
    assert not np.array_equal(many.trades("C008USDT", *window).price, many.trades("C009USDT", *window).price)


@pytest.mark.parametrize("rate", [0, -1, 1_001, float("nan")])
def test_a_rate_that_makes_no_market_is_refused(rate: float) -> None:
    with pytest.raises(SettingsError, match="rate"):
        SimulatedMarket(rate=rate)
