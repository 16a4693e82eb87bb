from __future__ import annotations

import math

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.bars.align import align_closes, stale_limit_ms
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray

SECOND = Interval(1_000)


def bars(*rows: tuple[int, float]) -> BarArray:
    made = np.zeros(len(rows), BAR)
    made["open_time_ms"] = [time for time, _ in rows]
    made["close"] = [close for _, close in rows]
    return made


def aligned(made: BarArray, first_ms: int, last_ms: int, stale_ms: int = 60_000) -> list[float]:
    closes: list[float] = align_closes([made], SECOND, first_ms, last_ms, stale_ms)[1][0].tolist()
    return closes


def test_the_last_close_is_carried_forward_and_never_backward() -> None:
    closes = aligned(bars((2_000, 2.0), (4_000, 4.0)), 1_000, 5_000)
    assert math.isnan(closes[0])
    assert closes[1:] == [2.0, 2.0, 4.0, 4.0]


def test_a_close_before_the_grid_is_carried_into_it() -> None:
    assert aligned(bars((0, 7.0)), 2_000, 3_000) == [7.0, 7.0]


def test_a_close_is_carried_for_the_stale_limit_and_no_longer() -> None:
    closes = aligned(bars((0, 7.0)), 0, 4_000, stale_ms=3_000)
    assert closes[:4] == [7.0] * 4
    assert math.isnan(closes[4])


def test_bars_after_the_grid_are_not_seen() -> None:
    assert aligned(bars((0, 1.0), (9_000, 9.0)), 0, 1_000) == [1.0, 1.0]


def test_the_grid_starts_and_ends_at_the_bars_that_hold_the_given_times() -> None:
    grid, closes = align_closes([bars(), bars((1_000, 1.0))], SECOND, 1_500, 2_500, 60_000)
    assert grid.tolist() == [1_000, 2_000]
    assert closes.shape == (2, 2)
    assert np.isnan(closes[0]).all()


def test_no_series_give_an_empty_matrix() -> None:
    grid, closes = align_closes([], SECOND, 0, 1_000, 60_000)
    assert (len(grid), closes.shape) == (2, (0, 2))


@settings(deadline=None, max_examples=50)
@given(places=st.sets(st.integers(0, 40), max_size=15), limit=st.integers(0, 10))
def test_alignment_equals_the_forward_fill_of_pandas(places: set[int], limit: int) -> None:
    made = bars(*((place * 1_000, float(place)) for place in sorted(places)))
    column = pd.Series([float(place) if place in places else np.nan for place in range(41)])
    expected = column.ffill(limit=limit) if limit else column
    np.testing.assert_array_equal(aligned(made, 0, 40_000, stale_ms=limit * 1_000), expected.to_numpy())


@settings(deadline=None, max_examples=50)
@given(places=st.sets(st.integers(0, 40), min_size=1, max_size=15), now=st.integers(0, 40))
def test_bars_that_come_later_never_change_an_earlier_close(places: set[int], now: int) -> None:
    known = bars(*((place * 1_000, float(place)) for place in sorted(places) if place <= now))
    later = bars(*((place * 1_000, float(place)) for place in sorted(places)))
    np.testing.assert_array_equal(aligned(known, 0, now * 1_000), aligned(later, 0, now * 1_000))


def test_the_stale_limit_is_ten_bars_and_never_below_a_minute() -> None:
    assert [stale_limit_ms(Interval(ms)) for ms in (1_000, 6_000, 60_000)] == [60_000, 60_000, 600_000]
