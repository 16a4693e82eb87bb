"""From bars to windows: what a halt leaves to be said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.registry import metric_requests
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray, BarStatus
from pairscope.live.span import Span
from pairscope.live.windows import measure_pair, measure_symbol, pair_series, symbol_series

MINUTE = Interval(60_000)
INDICATORS = ("price_z", "rsi", "ema", "sma", "trend", "signal")


@pytest.fixture(scope="session")
def halted(cases_dir: Path) -> BarArray:
    """Minutes 600 to 629 without a trade, which are no bars, and 630 to 659 missing."""
    rows = np.loadtxt(cases_dir / "statistics" / "HALTUSDT-1m-2026-11-24.csv", delimiter=",", skiprows=1)
    rows = rows[rows[:, 8] > 0]
    bars = np.zeros(len(rows), BAR)
    bars["interval_ms"], bars["open_time_ms"] = MINUTE.ms, rows[:, 0]
    bars["close"], bars["volume"], bars["trades"] = rows[:, 4], rows[:, 5], rows[:, 8]
    bars["status"] = BarStatus.CLOSED
    return bars


@pytest.mark.parametrize("window", [30, 60, 300])
def test_one_rule_says_what_is_left_of_a_halt(halted: BarArray, window: int) -> None:
    begin_ms = int(halted["open_time_ms"][0])
    first_ms, last_ms = (begin_ms + minute * MINUTE.ms for minute in (590, 700))
    wanted = metric_requests(INDICATORS, "symbol")
    span = Span(MINUTE, window)
    series = symbol_series(halted, span, span.rows(first_ms, last_ms), wanted)
    reasons = {}
    for at_ms in series.open_time_ms.tolist():
        found = measure_symbol(halted, span, at_ms, wanted)
        minute = (at_ms - begin_ms) // MINUTE.ms
        reasons[minute] = {one.reason for one in found.values()}
        row = int(np.flatnonzero(series.open_time_ms == at_ms)[0])
        assert {name: one.value for name, one in found.items()} == {
            name: column[row] for name, column in series.metrics.items()
        }
        if found["price_z"].value is None:
            assert len(reasons[minute]) == 1, minute
    assert reasons[599] == {None}
    assert reasons[609] <= {None, "constant_series"}  # the last price is carried for ten bars
    stale = [minute for minute in range(610, 660) if reasons[minute] == {"stale"}]
    silent = [minute for minute in range(610, 660) if reasons[minute] <= {"stale", "too_few_observations"}]
    assert silent == list(range(610, 660))
    assert stale[0] == 610
    there = {minute: len({*range(minute - window + 1, minute + 1)} - {*range(610, 660)}) for minute in range(660, 701)}
    again = next(minute for minute in there if None in reasons[minute])
    assert again == next(minute for minute, bars in there.items() if 2 * bars >= window)


def test_rows_of_a_pair_are_its_metrics_on_prices_and_without_an_intercept(halted: BarArray) -> None:
    other = halted.copy()
    random = np.random.default_rng(75)
    other["close"] = 20.0 * halted["close"] + np.cumsum(random.normal(0, 3.0, len(halted)))
    begin_ms = int(halted["open_time_ms"][0])
    first_ms, last_ms = (begin_ms + minute * MINUTE.ms for minute in (595, 665))
    names, span = ("beta", "alpha", "spread", "spread_z", "correlation"), Span(MINUTE, 100)
    for terms in (Terms(prices="level"), Terms(intercept=False), Terms("huber", "level", False)):
        series = pair_series(halted, other, span, span.rows(first_ms, last_ms), terms)
        wanted = metric_requests(names, "pair", terms)
        for row, at_ms in enumerate(series.open_time_ms.tolist()):
            found = measure_pair(halted, other, span, at_ms, wanted)
            for name in names:
                value = float(getattr(series, name)[row])
                assert (value if np.isfinite(value) else None) == found[name].value, (terms, name, row)
