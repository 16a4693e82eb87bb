"""Metrics along time: of each bar what is said of it when it is asked for alone."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from pairscope.analytics.entry.metric import Metric
from pairscope.analytics.entry.request import MetricRequest
from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.readings import history_bars
from pairscope.analytics.registry import metric_requests
from pairscope.analytics.values import Value
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, BarStatus, Continuity, Cut
from pairscope.live.health import history_of
from pairscope.live.rows import missed_by, pair_columns, reach
from pairscope.live.span import Span
from pairscope.live.windows import measure_pair, measure_window, pair_window, share_of_ids
from pairscope.live.workers import Abandoned

SECOND = Interval(1_000)
BARS = 900


def made_up(seed: int) -> list[BarArray]:
    """Two legs that go together, with seconds without trades, a long silence, and holes."""
    chance = np.random.default_rng(seed)
    walk = 100.0 + np.cumsum(chance.normal(0, 0.05, BARS))
    legs = []
    for close in (walk, 2.0 * walk + np.cumsum(chance.normal(0, 0.02, BARS))):
        bars = np.zeros(BARS, BAR)
        bars["interval_ms"], bars["open_time_ms"] = SECOND.ms, 1_000 * np.arange(BARS)
        bars["close"], bars["trades"], bars["status"] = close, 1 + chance.integers(0, 9, BARS), BarStatus.CLOSED
        bars["lost"] = chance.choice([0] * 30 + [5], BARS)
        cuts = [Cut.HOLE_AFTER, Cut.HOLE_BEFORE, Cut.BEGIN, Cut.END]
        bars["cut"] = chance.choice([0] * 400 + [int(each) for each in cuts], BARS)
        bars["continuity"] = np.where(bars["cut"] > 0, Continuity.PARTIAL, Continuity.PROVED)
        there = chance.random(BARS) < 0.9
        there[400:490] = False
        legs.append(bars[there])
    return legs


@pytest.mark.parametrize("window", [20, 60])
def test_each_row_says_what_its_bar_says_alone(window: int) -> None:
    legs, span = made_up(1), Span(SECOND, window)
    rows = span.rows(150_000, 700_000)
    wanted = metric_requests(["bar", "half_life_ms", "spread_z:prices=level", "beta:method=huber"], "pair")
    columns = pair_columns(legs, span, rows, wanted)
    for place, at_ms in enumerate(rows):
        alone = measure_pair(legs[0], legs[1], span, at_ms, wanted)
        assert {name: column[place] for name, column in columns.items()} == {
            name: one.value for name, one in alone.items()
        }, at_ms
    assert sum(each is None for each in columns["spread_z"]) > 30


def test_health_is_that_of_the_closed_bars_up_to_the_row() -> None:
    legs, span = made_up(2), Span(SECOND, 40)
    wanted = metric_requests(["health", "spread_z"], "pair")
    rows = span.rows(600_000, 640_000)
    assert reach(span, wanted, is_pair=True) == replace(span, window=history_bars(40))
    assert reach(span, wanted[1:], is_pair=True) == span
    columns = pair_columns(legs, span, rows, wanted)
    y, x = legs
    for place, at_ms in enumerate(rows):
        window = pair_window(y, x, span, at_ms, None, history_of(y, x, SECOND, at_ms, history_bars(40)))
        alone = measure_window(window, legs, span, at_ms, wanted)
        assert {name: column[place] for name, column in columns.items()} == {
            name: one.value for name, one in alone.items()
        }
    assert None not in columns["health"]


def told_of(window: PairWindow) -> Value:
    """Everything that a metric can see, in one number."""
    history = window.history
    assert history is not None
    parts = (window.y, window.x, window.closes, history.y, history.x, history.closes)
    told = [(each.shape, each.tolist()) for each in parts if each is not None]
    places = (window.first_index, window.window, window.bars_per_year, history.last_index, history.bar_ms)
    return Value(float(zlib.crc32(repr((told, places)).encode())), len(window.y))


def test_a_metric_sees_the_same_window_and_the_same_closed_bars() -> None:
    legs, span = made_up(6), Span(SECOND, 40)
    everything = Metric(scope="pair", title="", formula="", unit="1", needs=("history",), about="tape", name="all")
    wanted = [MetricRequest("all", replace(everything, function=told_of), {})]
    rows = span.rows(600_000, 620_000)
    columns = pair_columns(legs, span, rows, wanted)
    for place, at_ms in enumerate(rows):
        history = history_of(legs[0], legs[1], SECOND, at_ms, history_bars(40))
        window = pair_window(legs[0], legs[1], span, at_ms, None, history)
        assert columns["all"][place] == told_of(window).value


def test_what_the_window_of_each_row_misses_is_that_of_the_worse_leg() -> None:
    legs, span = made_up(3), Span(SECOND, 60)
    rows = span.rows(100_000, 880_000)
    found = missed_by(legs, span, rows)
    seen = set()
    for place, at_ms in enumerate(rows):
        (alone,) = measure_pair(legs[0], legs[1], span, at_ms, metric_requests(["price_spread"], "pair")).values()
        share = float(found.share[place])
        assert (None if np.isnan(share) else share) == alone.missing
        is_cut = alone.unknown in ("gap_across_bars", "listening_ended")
        assert bool(found.is_cut[place]) == is_cut
        seen.add(alone.unknown)
    assert len(seen) >= 4
    one = missed_by(legs[:1], span, span.rows(500_000, 500_000))
    alone_share = share_of_ids(legs[0], span.start_ms(500_000), 500_000).missing
    assert (None if np.isnan(one.share[0]) else float(one.share[0])) == alone_share


def test_rows_that_nobody_waits_for_any_more_are_left() -> None:
    legs, span, asked = made_up(4), Span(SECOND, 20), 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 7:
            raise Abandoned

    with pytest.raises(Abandoned):
        pair_columns(legs, span, span.rows(150_000, 700_000), metric_requests(["half_life_ms"], "pair"), check)
    assert asked == 7


def test_the_reach_of_a_symbol_is_that_of_its_metrics() -> None:
    span = Span(SECOND, 20)
    assert reach(span, metric_requests(["rsi"], "symbol"), is_pair=False) == span
    assert reach(span, metric_requests(["garch_volatility"], "symbol"), is_pair=False).window > 20
