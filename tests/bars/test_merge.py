from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.bars.builder import build_bars
from pairscope.bars.merge import merge_bars
from pairscope.base.errors import RequestError
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, BarStatus, TradeBatch, no_bars

SUMS = ("volume", "quote_volume", "buy_volume")
EXACT = [name for name in BAR.names or () if name not in SUMS]


def bars_at(open_times_ms: list[int], interval_ms: int = 1_000) -> BarArray:
    bars = np.zeros(len(open_times_ms), BAR)
    bars["open_time_ms"] = open_times_ms
    bars["interval_ms"] = interval_ms
    bars["status"] = BarStatus.CLOSED
    return bars


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 400), minutes=st.sampled_from([5_000, 15_000, 60_000]))
def test_merged_bars_are_the_bars_of_the_trades(
    random_trades: Callable[..., TradeBatch], seed: int, count: int, minutes: int
) -> None:
    batch = random_trades(seed, count)
    merged = merge_bars(build_bars(batch, Interval(1_000)), Interval(minutes))
    direct = build_bars(batch, Interval(minutes))
    assert merged[EXACT].tolist() == direct[EXACT].tolist()
    for name in SUMS:
        np.testing.assert_allclose(merged[name], direct[name], rtol=1e-12)


def test_lost_ids_add_up() -> None:
    bars = bars_at([0, 1_000, 60_000])
    bars["lost"] = [2, 3, 4]
    assert merge_bars(bars, Interval(60_000))["lost"].tolist() == [5, 4]


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([BarStatus.CLOSED, BarStatus.CLOSED], BarStatus.CLOSED),
        ([BarStatus.CLOSED, BarStatus.REVISED], BarStatus.REVISED),
        ([BarStatus.REVISED, BarStatus.OPEN], BarStatus.OPEN),
    ],
)
def test_a_merged_bar_is_as_finished_as_its_least_finished_part(parts: list[BarStatus], whole: BarStatus) -> None:
    bars = bars_at([0, 1_000])
    bars["status"] = parts
    assert merge_bars(bars, Interval(60_000))["status"].tolist() == [whole]


def test_bars_of_two_symbols_at_one_time_stay_apart() -> None:
    bars = bars_at([0, 0])
    bars["symbol_id"] = [0, 1]
    assert merge_bars(bars, Interval(60_000))["symbol_id"].tolist() == [0, 1]


def test_no_bars_merge_to_no_bars() -> None:
    assert len(merge_bars(no_bars(), Interval(60_000))) == 0


def test_an_interval_that_does_not_divide_the_wanted_one_is_refused() -> None:
    with pytest.raises(RequestError, match="bars of 2m cannot be merged to 3m"):
        merge_bars(bars_at([0], interval_ms=120_000), Interval(180_000))


def test_bars_of_two_intervals_are_refused() -> None:
    bars = np.concatenate([bars_at([0]), bars_at([5_000], interval_ms=5_000)])
    with pytest.raises(RequestError, match="bars of 1s, 5s cannot be merged"):
        merge_bars(bars, Interval(60_000))
