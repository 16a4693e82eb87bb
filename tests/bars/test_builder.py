from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.bars.builder import BarBuilder, _apply, build_bars
from pairscope.bars.merge import merge_bars
from pairscope.bars.warm import warm_up
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarSource, BarStatus, IntArray, Origin, TradeBatch, of_trades

MakeTrades = Callable[..., TradeBatch]
SECOND = Interval(1_000)
END_OF_TIME_MS = 2**62


def in_order(bars: BarArray) -> BarArray:
    return bars[np.lexsort((bars["open_time_ms"], bars["symbol_id"]))]


def cut(batch: TradeBatch, places: list[int]) -> list[TradeBatch]:
    edges = [0, *sorted(place % (len(batch) + 1) for place in places), len(batch)]
    return [batch.take(np.arange(a, b)) for a, b in itertools.pairwise(edges)]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 400),
    places=st.lists(st.integers(0, 10_000), max_size=8),
    interval_ms=st.sampled_from([1_000, 5_000, 60_000]),
)
def test_any_cutting_into_batches_gives_the_same_bits(
    random_trades: MakeTrades, seed: int, count: int, places: list[int], interval_ms: int
) -> None:
    batch = random_trades(seed, count)
    builder = BarBuilder(Interval(interval_ms))
    closed = [builder.update(part).closed for part in cut(batch, places)]
    bars = in_order(np.concatenate([*closed, builder.close_until(END_OF_TIME_MS)]))
    assert bars.tobytes() == build_bars(batch, Interval(interval_ms)).tobytes()


def by_hand(batch: TradeBatch, interval: Interval) -> dict[tuple[int, int], list[int]]:
    """Places of the trades of each bar."""
    bars: dict[tuple[int, int], list[int]] = {}
    for place in range(len(batch)):
        key = int(batch.symbol_id[place]), interval.floor(int(batch.time_ms[place]))
        bars.setdefault(key, []).append(place)
    return bars


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 300))
def test_a_bar_is_what_a_patient_person_would_compute(random_trades: MakeTrades, seed: int, count: int) -> None:
    batch = random_trades(seed, count)
    expected = by_hand(batch, SECOND)
    bars = build_bars(batch, SECOND)
    assert [(int(bar["symbol_id"]), int(bar["open_time_ms"])) for bar in bars] == sorted(expected)
    for bar in bars:
        places = expected[int(bar["symbol_id"]), int(bar["open_time_ms"])]
        prices = [Decimal(str(batch.price[place])) for place in places]
        sizes = [Decimal(str(batch.size[place])) for place in places]
        bought = [size for size, place in zip(sizes, places, strict=True) if not batch.buyer_is_maker[place]]
        assert [bar["open"], bar["high"], bar["low"], bar["close"]] == [
            float(price) for price in (prices[0], max(prices), min(prices), prices[-1])
        ]
        assert bar["volume"] == float(sum(sizes))
        assert bar["buy_volume"] == float(sum(bought))
        assert bar["quote_volume"] == float(sum(p * s for p, s in zip(prices, sizes, strict=True)))
        assert (bar["trades"], bar["first_id"], bar["last_id"]) == (
            len(places),
            batch.id[places[0]],
            batch.id[places[-1]],
        )
        assert (bar["status"], bar["interval_ms"], bar["lost"]) == (BarStatus.CLOSED, 1_000, 0)


def test_many_small_trades_after_a_large_one_are_not_rounded_away(trades: MakeTrades) -> None:
    tape = trades([(0, 0, 1e9, 1.0), *((i, 0, 1.0, 1e-7) for i in range(1, 10_001)), (10_001, 1_000, 1.0, 1.0)])
    for bars in (build_bars(tape, SECOND), build_bars(tape.take(np.arange(10_001)), SECOND)):
        assert (bars["quote_volume"][0], bars["volume"][0]) == (1_000_000_000.001, 1.001)


def test_a_trade_of_the_next_bar_closes_the_open_one(trades: MakeTrades) -> None:
    builder = BarBuilder(SECOND)
    assert len(builder.update(trades([(1, 100, 10.0, 1.0), (2, 999, 11.0, 1.0)])).closed) == 0
    (bar,) = builder.update(trades([(3, 1_000, 12.0, 1.0)])).closed
    assert (bar["open_time_ms"], bar["close"], bar["status"]) == (0, 11.0, BarStatus.CLOSED)
    assert builder.open_bars()["open_time_ms"].tolist() == [1_000]


def test_the_lowest_id_opens_a_bar_and_the_highest_closes_it(trades: MakeTrades) -> None:
    builder = BarBuilder(SECOND)
    builder.update(trades([(5, 500, 10.0, 1.0), (7, 700, 12.0, 1.0), (4, 400, 9.0, 1.0), (6, 600, 11.0, 1.0)]))
    (bar,) = builder.open_bars()
    assert (bar["open"], bar["close"], bar["first_id"], bar["last_id"], bar["trades"]) == (9.0, 12.0, 4, 7, 4)


def test_a_trade_of_an_earlier_bar_changes_nothing_and_is_reported_once(trades: MakeTrades) -> None:
    builder = BarBuilder(SECOND)
    builder.update(trades([(1, 0, 10.0, 1.0), (4, 1_500, 11.0, 1.0)]))
    before = builder.open_bars()
    update = builder.update(trades([(2, 900, 99.0, 1.0), (3, 950, 99.0, 1.0)]))
    assert update.late == [(0, 0)]
    assert len(update.closed) == 0
    assert builder.open_bars().tobytes() == before.tobytes()


def test_building_all_at_once_puts_a_late_trade_where_it_belongs(trades: MakeTrades) -> None:
    tape = trades([(1, 0, 10.0, 1.0), (3, 1_500, 11.0, 1.0), (2, 900, 12.0, 0.5)])
    bars = build_bars(tape, SECOND, np.array([0, 2, 1]))
    assert bars["trades"].tolist() == [2, 1]
    assert bars["close"].tolist() == [12.0, 11.0]
    assert bars["lost"].tolist() == [1, 2]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), swaps=st.lists(st.tuples(st.integers(0, 199), st.integers(1, 30)), max_size=10))
def test_closed_bars_and_rebuilt_late_ones_are_the_bars_of_the_whole_tape(
    random_trades: MakeTrades, seed: int, swaps: list[tuple[int, int]]
) -> None:
    tape = random_trades(seed, 200)
    order = np.arange(200)
    for place, distance in swaps:
        other = min(199, place + distance)
        order[[place, other]] = order[[other, place]]
    arrived = tape.take(order)
    builder = BarBuilder(SECOND)
    update = builder.update(arrived)
    bars = {
        (int(bar["symbol_id"]), int(bar["open_time_ms"])): bar
        for bar in np.concatenate([update.closed, builder.close_until(END_OF_TIME_MS)])
    }
    for symbol_id, open_ms in update.late:
        inside = (tape.symbol_id == symbol_id) & (tape.time_ms // 1_000 == open_ms // 1_000)
        (bars[symbol_id, open_ms],) = build_bars(tape.take(inside), SECOND)
    for expected in build_bars(tape, SECOND):
        assert bars[int(expected["symbol_id"]), int(expected["open_time_ms"])].tolist() == expected.tolist()


def test_lost_ids_are_charged_to_the_bar_of_the_trade_they_precede(trades: MakeTrades) -> None:
    lost: IntArray = np.array([0, 3, 0, 2])
    tape = trades([(1, 0, 1.0, 1.0), (5, 500, 1.0, 1.0), (6, 1_000, 1.0, 1.0), (9, 1_100, 1.0, 1.0)])
    assert build_bars(tape, SECOND, lost)["lost"].tolist() == [3, 2]


def test_a_bar_is_imported_when_all_its_trades_are_and_backfilled_is_what_was_listened_for(trades: MakeTrades) -> None:
    batch = trades([(i, at, 1.0, 1.0) for i, at in enumerate([100, 200, 1_100, 1_200, 2_100, 2_200, 2_300], 1)])
    kinds = [Origin.IMPORT, Origin.IMPORT, Origin.IMPORT, Origin.WS, Origin.REST, Origin.ARCHIVE, Origin.IMPORT]
    bars = build_bars(replace(batch, origin=np.array(kinds, np.uint8)), SECOND)
    assert bars["source"].tolist() == [BarSource.IMPORT, BarSource.LIVE, BarSource.LIVE]
    assert bars["backfilled"].tolist() == [0, 0, 2]
    merged = merge_bars(bars[:2], Interval.parse("1m"))
    assert merged["source"].tolist() == [BarSource.LIVE]
    assert of_trades(bars).all()
    assert merge_bars(bars[:1], Interval.parse("1m"))["source"].tolist() == [BarSource.IMPORT]


def test_closing_by_time_takes_only_bars_that_are_over(trades: MakeTrades) -> None:
    builder = BarBuilder(SECOND)
    builder.update(trades([(1, 100, 1.0, 1.0)]))
    builder.update(trades([(1, 1_100, 1.0, 1.0)], symbol_id=1))
    assert len(builder.close_until(999)) == 0
    assert builder.close_until(1_000)["symbol_id"].tolist() == [0]
    assert len(builder.close_until(1_000)) == 0
    assert builder.open_bars()["symbol_id"].tolist() == [1]


def test_a_trade_of_a_bar_closed_by_time_is_late(trades: MakeTrades) -> None:
    builder = BarBuilder(SECOND)
    builder.update(trades([(1, 100, 1.0, 1.0)]))
    builder.close_until(1_000)
    assert builder.update(trades([(2, 999, 1.0, 1.0)])).late == [(0, 0)]
    assert builder.update(trades([(3, 1_000, 1.0, 1.0)])).late == []


def test_trades_of_bars_already_known_are_late(trades: MakeTrades) -> None:
    builder = BarBuilder(SECOND)
    builder.skip_before(0, 5_000)
    update = builder.update(trades([(1, 4_999, 1.0, 1.0), (2, 5_000, 2.0, 1.0)]))
    assert update.late == [(0, 4_000)]
    assert builder.open_bars()["open"].tolist() == [2.0]


def test_an_open_bar_before_the_skipped_time_is_dropped(trades: MakeTrades) -> None:
    builder = BarBuilder(SECOND)
    builder.update(trades([(1, 100, 1.0, 1.0)]))
    builder.skip_before(0, 1_000)
    assert len(builder.open_bars()) == 0


def test_open_bars_are_copies_of_the_symbols_asked_for(trades: MakeTrades) -> None:
    builder = BarBuilder(SECOND)
    builder.update(trades([(1, 100, 1.0, 0.1)]))
    builder.update(trades([(1, 100, 5.0, 1.0)], symbol_id=40))
    seen = builder.open_bars([40, 7, 1_000])
    assert (seen["symbol_id"].tolist(), seen["status"].tolist()) == ([40], [BarStatus.OPEN])
    builder.open_bars()["volume"] = -1.0
    builder.update(trades([(2, 200, 1.0, 0.2)]))
    assert builder.open_bars([0])["volume"].tolist() == [0.3]


def test_no_trades_give_no_bars() -> None:
    assert len(build_bars(TradeBatch.empty(), SECOND)) == 0
    assert len(BarBuilder(SECOND).open_bars()) == 0


def test_columns_of_any_memory_layout_give_the_same_bars(random_trades: MakeTrades) -> None:
    batch = random_trades(1, 200)
    columns = {field.name: getattr(batch, field.name) for field in fields(batch) if field.name != "origin"}
    spread_out: dict[str, Any] = {name: np.repeat(column, 2)[::2] for name, column in columns.items()}
    for column in spread_out.values():
        column.flags.writeable = False
    assert build_bars(replace(batch, **spread_out), SECOND).tobytes() == build_bars(batch, SECOND).tobytes()


def test_warming_up_leaves_one_compiled_form_for_all_batches(random_trades: MakeTrades) -> None:
    warm_up()
    BarBuilder(SECOND).update(random_trades(2, 50), np.zeros(50, np.int64))
    assert len(getattr(_apply, "signatures")) == 1  # noqa: B009 - what Numba adds to a function


def test_the_sums_of_a_long_bar_owe_nothing(trades: MakeTrades) -> None:
    for seller in (False, True):
        batch = replace(
            trades([(k, 100, 3.0, 0.1) for k in range(20_000)]), buyer_is_maker=np.full(20_000, seller, np.bool_)
        )
        (bar,) = build_bars(batch, SECOND)
        assert (bar["volume"], bar["quote_volume"], bar["buy_volume"]) == (2_000.0, 6_000.0, 0.0 if seller else 2_000.0)
