from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.bars.series import BarSeries
from pairscope.base.model import BAR, BarArray, no_bars


def bars(*rows: tuple[int, float]) -> BarArray:
    made = np.zeros(len(rows), BAR)
    made["open_time_ms"] = [time for time, _ in rows]
    made["close"] = [close for _, close in rows]
    return made


def rows(made: BarArray) -> list[tuple[int, float]]:
    return [(int(bar["open_time_ms"]), float(bar["close"])) for bar in made]


@given(
    capacity=st.integers(1, 6),
    puts=st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=15),
)
def test_a_series_holds_the_newest_bars_as_a_sorted_table_would(capacity: int, puts: list[list[int]]) -> None:
    series = BarSeries(capacity)
    expected: dict[int, float] = {}
    counter = 0.0
    for times in puts:
        given_rows = []
        for time in times:
            counter += 1.0
            given_rows.append((time, counter))
        series.put(bars(*given_rows))
        expected.update(given_rows)
        newest = sorted(expected.items())[-capacity:]
        assert rows(series.tail(capacity)) == newest
        # A bar that fell out stays out: what is older than the capacity is gone for the table too.
        expected = dict(rows(series.tail(len(series))))
        assert len(series) <= 2 * capacity


def test_a_late_bar_is_inserted_at_its_place() -> None:
    series = BarSeries(5)
    series.put(bars((1_000, 1.0), (3_000, 3.0)))
    series.put(bars((2_000, 2.0)))
    assert rows(series.tail(5)) == [(1_000, 1.0), (2_000, 2.0), (3_000, 3.0)]


def test_the_open_bar_is_replaced_in_place() -> None:
    series = BarSeries(5)
    series.put(bars((1_000, 1.0)))
    series.put(bars((1_000, 2.0)))
    assert rows(series.tail(5)) == [(1_000, 2.0)]


def test_a_closed_bar_replaces_its_open_one_when_newer_bars_come_with_it() -> None:
    series = BarSeries(5)
    series.put(bars((1_000, 1.0), (2_000, 2.0)))
    series.put(bars((2_000, 2.5), (3_000, 3.0)))
    assert rows(series.tail(5)) == [(1_000, 1.0), (2_000, 2.5), (3_000, 3.0)]


def test_bars_since_a_time_include_the_one_that_opens_then() -> None:
    series = BarSeries(5)
    series.put(bars((1_000, 1.0), (2_000, 2.0), (3_000, 3.0)))
    assert rows(series.since(2_000)) == [(2_000, 2.0), (3_000, 3.0)]
    assert rows(series.since(2_001)) == [(3_000, 3.0)]
    assert rows(series.since(9_000)) == []


def test_the_last_bar_is_a_copy() -> None:
    series = BarSeries(5)
    assert series.last() is None
    series.put(bars((1_000, 1.0)))
    last = series.last()
    assert last is not None
    series.put(bars((1_000, 2.0)))
    assert last["close"] == 1.0


def test_a_view_never_shows_bars_that_came_after_it() -> None:
    series = BarSeries(2)
    series.put(bars((0, 0.0), (1, 1.0)))
    view = series.tail(2)
    for time in range(2, 20):
        series.put(bars((time, float(time))))
    assert rows(view) == [(0, 0.0), (1, 1.0)]


def test_putting_nothing_changes_nothing() -> None:
    series = BarSeries(2)
    series.put(no_bars())
    assert len(series) == 0


def test_a_series_for_no_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, was 0"):
        BarSeries(0)


@given(
    first=st.lists(st.integers(0, 12), min_size=1, max_size=12),
    puts=st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=6), max_size=10),
)
def test_of_a_view_all_but_the_newest_bar_stays_as_it_was(first: list[int], puts: list[list[int]]) -> None:
    series = BarSeries(4)
    series.put(bars(*[(time, -1.0) for time in first]))
    view = series.tail(12)
    before = rows(view)[:-1]
    for i, times in enumerate(puts):
        series.put(bars(*[(time, float(i)) for time in times]))
        assert rows(view)[:-1] == before
