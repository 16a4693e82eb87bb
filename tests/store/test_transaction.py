from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairscope.base.model import BAR, Origin, TradeBatch
from pairscope.store.transaction import newest_of_each_bar, trade_columns

KEY = ("symbol_id", "interval_ms", "open_time_ms", "source")


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([1_000, 5_000]), st.integers(0, 2), st.integers(0, 1))))
def test_of_equal_bars_the_last_stays(keys: list[tuple[int, int, int, int]]) -> None:
    bars = np.zeros(len(keys), BAR)
    for position, key in enumerate(keys):
        for name, value in zip(KEY, key, strict=True):
            bars[name][position] = value
        bars[position]["close"] = position
    newest = newest_of_each_bar(bars)
    last_position = {key: float(position) for position, key in enumerate(keys)}
    assert {tuple(int(bar[name]) for name in KEY): float(bar["close"]) for bar in newest} == last_position
    assert len(newest) == len(last_position)


def test_each_trade_carries_the_origin_of_its_batch(trades: Callable[..., TradeBatch]) -> None:
    columns = trade_columns([trades(0, 2), trades(2, 1, origin=Origin.REST), trades(3, 2, origin=Origin.SIMULATOR)])
    assert columns["id"].tolist() == [0, 1, 2, 3, 4]
    assert columns["origin"].tolist() == [0, 0, 1, 3, 3]
