"""Bars from stretches of a tape are the bars a live builder makes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.bars.builder import build_bars
from pairscope.bars.rebuild import rebuild_bars, same_bars
from pairscope.base.gaps import GapReason
from pairscope.base.interval import Interval
from pairscope.base.model import Gap, TradeBatch

SECOND, MINUTE = Interval.parse("1s"), Interval.parse("1m")
START_MS = 86_400_000 * 20_000


def trades(count: int, seed: int) -> TradeBatch:
    """Five minutes of trades, a tenth of which have a time a little before that of the id before them."""
    draw = np.random.default_rng(seed)
    times = START_MS + np.sort(draw.integers(0, 300_000, count))
    times -= np.where(draw.random(count) < 0.1, draw.integers(0, 1_500, count), 0)
    return TradeBatch(
        symbol_id=np.zeros(count, np.int32),
        id=np.arange(1, count + 1),
        time_ms=np.maximum(times, START_MS),
        price=np.round(draw.uniform(90, 110, count), 2),
        size=np.round(draw.exponential(1, count) + 0.001, 3),
        buyer_is_maker=draw.random(count) < 0.5,
        received_ns=np.zeros(count, np.int64),
        origin=(draw.random(count) < 0.3).astype(np.uint8),
    )


def in_stretches(batch: TradeBatch, length_ms: int) -> list[TradeBatch]:
    starts = range(START_MS, START_MS + 300_000, length_ms)
    return [batch.take((batch.time_ms >= start) & (batch.time_ms < start + length_ms)) for start in starts]


@settings(deadline=None)  # the first call compiles
@given(count=st.integers(1, 400), seed=st.integers(0, 1_000), length_s=st.sampled_from([7, 60, 300]))
def test_any_stretches_give_the_bars_of_the_whole(count: int, seed: int, length_s: int) -> None:
    batch = trades(count, seed)
    bars = rebuild_bars(in_stretches(batch, 1_000 * length_s), [SECOND, MINUTE], [])
    for interval in (SECOND, MINUTE):
        whole = build_bars(batch, interval)
        own = bars[bars["interval_ms"] == interval.ms]
        assert len(own) == len(whole)
        assert same_bars(own, whole).all()


def test_holes_are_charged_to_the_bar_of_the_trade_after_them() -> None:
    batch = trades(400, seed=1)
    after = START_MS + 130_000
    gaps = [
        Gap("BTCUSDT", 1_000, 1_009, 1, GapReason.START, before_ms=after),
        Gap("BTCUSDT", 2_000, 2_004, 1, GapReason.START, before_ms=after + 1),
        Gap("BTCUSDT", 3_000, 3_000, 1, GapReason.START, before_ms=after, closed_ms=2),
        Gap("BTCUSDT", 4_000, 4_000, 1, GapReason.START),
        Gap("BTCUSDT", 5_000, 5_000, 1, GapReason.START, before_ms=START_MS + 900_000),
    ]
    bars = rebuild_bars([batch], [MINUTE], gaps)
    assert bars["lost"].tolist() == [0, 0, 15, 0, 0]


def test_no_trades_make_no_bars() -> None:
    assert len(rebuild_bars([], [SECOND], [])) == 0
