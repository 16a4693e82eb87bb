"""Spans say where windows begin; rows and the bars they need follow from that."""

from __future__ import annotations

import pytest

from pairscope.analytics.estimators.terms import USUAL
from pairscope.bars.align import stale_limit_ms
from pairscope.base.interval import Interval
from pairscope.live.span import PairKey, Span, SpanBars

MINUTE = Interval(60_000)


@pytest.mark.parametrize("window", [1, 2, 300])
def test_a_window_ends_at_its_row_and_has_as_many_bars_as_it_says(window: int) -> None:
    span, at_ms = Span(MINUTE, window), 1_000 * MINUTE.ms
    assert len(span.rows(span.start_ms(at_ms), at_ms)) == window


def test_bars_reach_back_to_the_bar_before_the_window_and_as_far_as_a_price_is_carried() -> None:
    span, at_ms = Span(MINUTE, 20), 1_000 * MINUTE.ms
    before_ms = span.start_ms(at_ms) - MINUTE.ms
    assert span.first_needed_ms(at_ms) <= before_ms - stale_limit_ms(MINUTE)


def test_a_span_is_of_the_newest_rows_while_neither_end_is_given() -> None:
    assert Span(MINUTE, 20, limit=7).is_newest
    assert not Span(MINUTE, 20, from_ms=0).is_newest
    assert not Span(MINUTE, 20, to_ms=0).is_newest


def test_the_last_row_is_that_of_the_rows() -> None:
    span = Span(MINUTE, 20)
    assert SpanBars(span, span.rows(60_000, 180_000), ()).last_ms == 180_000


def test_a_pair_knows_its_legs_and_its_newest_row() -> None:
    key = PairKey("ETHUSDT", "BTCUSDT", MINUTE, 30, USUAL)
    assert key.legs == ("ETHUSDT", "BTCUSDT")
    assert key.span == Span(MINUTE, 30)
