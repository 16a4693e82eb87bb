from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.base.model import BAR, Origin, TradeBatch
from pairscope.store.schema import TABLES
from pairscope.store.transaction import NewestBars, Work, newest_of_each_bar, trade_columns, write

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


_BarKey = tuple[int, int, int, int]


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.lists(
                st.tuples(st.integers(0, 1), st.sampled_from([1_000, 5_000]), st.integers(0, 5), st.integers(0, 1)),
                max_size=4,
            ),
        ),
        max_size=8,
    )
)
def test_a_bar_is_on_the_tape_once_in_whatever_order_bars_come(puts: list[tuple[bool, list[_BarKey]]]) -> None:
    newest, expected = NewestBars(), dict[_BarKey, float]()
    with duckdb.connect(config={"threads": 1}) as connection:
        for table in TABLES.values():
            connection.execute(table)
        for number, (started_anew, keys) in enumerate(puts):
            newest = NewestBars() if started_anew else newest
            bars = np.zeros(len(keys), BAR)
            for name, values in zip(KEY, zip(*keys, strict=True), strict=False):
                bars[name] = values
            bars["close"] = 10 * number + np.arange(len(keys))
            expected |= dict(zip(keys, bars["close"].tolist(), strict=True))
            write(connection, Work(number, number, 0, [], [], [bars], []), newest)
        stored = connection.execute(f'select {", ".join(KEY)}, "close" from bars').fetchall()
    assert sorted(stored) == sorted((*key, close) for key, close in expected.items())


def test_bars_newer_than_all_before_replace_nothing_and_those_of_a_failed_write_may() -> None:
    bars = np.zeros(2, BAR)
    bars["open_time_ms"] = [5_000, 6_000]
    newest = NewestBars()
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(TABLES["bars"])
        assert not len(newest.replacing(connection, bars))
        assert len(newest.replacing(connection, bars)) == 2
        assert not len(newest.replacing(connection, np.array([(0, 0, 7_000, *[0] * 16)], BAR)))
