from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.hayashi_yoshida import (
    REACH_MS,
    PairTicks,
    TradeSeries,
    common_span,
    epps_curve,
    hayashi_yoshida,
    series_of,
)
from pairscope.analytics.estimators.lead_lag import lead_lag
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Flag, Reason, Value
from pairscope.base.errors import RequestError
from pairscope.base.model import FloatArray

Tapes = Callable[..., tuple[TradeSeries, TradeSeries]]


def by_all_pairs(y: TradeSeries, x: TradeSeries, reach_ms: int = 0) -> float:
    """The definition, without any shortcut; NaN when a variance is not positive."""

    def covariance(y: TradeSeries, x: TradeSeries) -> float:
        opened = np.maximum.outer(y.time_ms[:-1] - reach_ms, x.time_ms[:-1])
        closed = np.minimum.outer(y.time_ms[1:] + reach_ms, x.time_ms[1:])
        return float(np.sum(np.outer(np.diff(y.log_price), np.diff(x.log_price))[opened < closed]))

    squared = covariance(y, y), covariance(x, x)
    return covariance(y, x) / math.sqrt(squared[0] * squared[1]) if min(squared) > 0 else math.nan


def tape(times: list[int], logs: FloatArray) -> TradeSeries:
    return series_of(np.array(times), np.exp(logs))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), span=st.sampled_from([60, 200, 5_000]), reach_ms=st.sampled_from([0, 3, 40, 700]))
def test_the_correlation_is_that_of_the_definition(seed: int, span: int, reach_ms: int) -> None:
    random = np.random.default_rng(seed)
    y, x = (
        tape(sorted(random.integers(0, span, count).tolist()), np.cumsum(random.normal(0, 1e-3, count)))
        for count in (90, 60)
    )
    found = hayashi_yoshida(y, x, reach_ms)
    y, x = common_span(y, x)
    assert found.n == min(len(y), len(x)) - 1
    if found.n >= 30:
        expected = by_all_pairs(y, x, reach_ms)
        assert found.correlation == pytest.approx(expected, rel=1e-8, abs=1e-12, nan_ok=True)


def test_trading_at_the_same_times_it_is_the_plain_correlation_of_returns_around_zero() -> None:
    random = np.random.default_rng(1)
    steps = random.normal(0, 1e-3, (2, 100))
    y, x = (tape(list(range(0, 1_000, 10)), np.cumsum(row)) for row in steps)
    dy, dx = steps[:, 1:]
    assert hayashi_yoshida(y, x, 0).correlation == pytest.approx(dy @ dx / math.sqrt((dy @ dy) * (dx @ dx)))


def test_the_true_correlation_is_found_where_one_second_bars_show_a_quarter_of_it(diffusions: Tapes) -> None:
    pairs = [diffusions(seed) for seed in range(12)]
    curves = [epps_curve(y, x) for y, x in pairs]
    assert np.mean([curve.hayashi_yoshida for curve in curves]) == pytest.approx(0.8, abs=0.03)
    assert np.mean([hayashi_yoshida(y, x, 0).correlation for y, x in pairs]) == pytest.approx(0.8, abs=0.03)
    at = {int(s): np.mean([c.correlation[k] for c in curves]) for k, s in enumerate(curves[0].interval_s)}
    assert at[1] == pytest.approx(0.225, abs=0.03)
    assert at[5] == pytest.approx(0.547, abs=0.03)
    assert at[60] == pytest.approx(0.753, abs=0.06)


def test_bounce_and_delay_make_the_textbook_number_too_small_and_a_reach_mends_it(diffusions: Tapes) -> None:
    for bounce, lag_ms in ((1e-3, 0), (0.0, 150)):
        textbook, mended = [], []
        for seed in range(12):
            y, x = diffusions(seed, rates=(10.0, 5.0), lag_ms=lag_ms)
            random = np.random.default_rng(seed)
            y, x = (TradeSeries(t.time_ms, t.log_price + random.choice([-bounce, bounce], len(t))) for t in (y, x))
            textbook.append(hayashi_yoshida(y, x, 0).correlation)
            mended.append(hayashi_yoshida(y, x).correlation)
        assert np.mean(textbook) < 0.6
        assert np.mean(mended) == pytest.approx(0.8, abs=0.03)


@pytest.mark.data
def test_recorded_trades_show_what_longer_bars_show(data_dir: Path) -> None:
    tapes = []
    for name in ("eth", "btc"):
        rows = []
        with gzip.open(data_dir / "usdm-trades-2024-08-08" / f"usdm_{name}usdt_20240808.gz", "rt") as lines:
            for line in lines:
                if "@trade" in line:
                    trade = json.loads(line.split(" ", 1)[1])["data"]
                    rows.append((trade["T"], float(trade["p"])))
        tapes.append(series_of(np.array([row[0] for row in rows]), np.array([row[1] for row in rows])))
    curve = epps_curve(tapes[0], tapes[1], (1, 30))
    assert curve.correlation[0] == pytest.approx(0.6375, abs=0.002)
    assert hayashi_yoshida(tapes[0], tapes[1], 0).correlation < 0.2
    assert curve.correlation[0] < curve.hayashi_yoshida < curve.correlation[1]
    leader = lead_lag(tapes[0], tapes[1])
    assert leader.leader == "x"  # BTC
    assert 0 < leader.lag_ms < 100


def test_the_curve_is_pearsons_correlation_of_last_prices() -> None:
    random = np.random.default_rng(2)
    times = [np.sort(random.choice(60_000, 400, replace=False)) for _ in range(2)]
    logs = [np.cumsum(random.normal(0, 1e-3, 400)) for _ in range(2)]
    curve = epps_curve(tape(times[0].tolist(), logs[0]), tape(times[1].tolist(), logs[1]), (2,))
    first, last = max(t[0] for t in times), min(t[-1] for t in times)
    grid = np.arange(-(-first // 2_000), last // 2_000 + 1) * 2_000
    sampled = [row[np.searchsorted(t, grid, "right") - 1] for t, row in zip(times, logs, strict=True)]
    assert curve.n[0] == len(grid) - 1
    assert curve.correlation[0] == pytest.approx(np.corrcoef(*np.diff(sampled))[0, 1], rel=1e-10)


def test_a_tape_keeps_the_last_trade_of_a_millisecond_and_no_trade_without_a_price() -> None:
    found = series_of(np.array([1, 1, 1, 2, 3, 3]), np.array([5.0, 6.0, 7.0, 0.0, 8.0, math.nan]))
    assert found.time_ms.tolist() == [1, 3]
    assert found.log_price.tolist() == [math.log(7.0), math.log(8.0)]


def test_time_that_goes_backwards_is_refused() -> None:
    with pytest.raises(RequestError, match="sort them by id"):
        series_of(np.array([2, 1]), np.ones(2))
    with pytest.raises(RequestError, match="as many"):
        series_of(np.array([2, 1]), np.ones(3))
    with pytest.raises(RequestError, match="0 ms or more"):
        hayashi_yoshida(tape([], np.zeros(0)), tape([], np.zeros(0)), -1)
    with pytest.raises(RequestError, match="whole seconds"):
        epps_curve(tape([], np.zeros(0)), tape([], np.zeros(0)), (0,))


def test_only_the_time_both_tapes_cover_counts(diffusions: Tapes) -> None:
    y, x = diffusions(3)
    late = slice(len(x) // 2, len(x) - 100)
    part = TradeSeries(x.time_ms[late], x.log_price[late])
    cut, other = common_span(y, part)
    assert other.time_ms.tolist() == part.time_ms.tolist()
    inside = (y.time_ms >= part.time_ms[0]) & (y.time_ms <= part.time_ms[-1])
    assert cut.time_ms.tolist() == y.time_ms[inside].tolist()
    assert hayashi_yoshida(y, part).correlation == pytest.approx(by_all_pairs(cut, part, REACH_MS))
    assert hayashi_yoshida(y, part).n == len(part) - 1


def test_few_trades_or_a_still_price_have_no_correlation() -> None:
    times = list(range(0, 3_100, 100))
    moving, still = tape(times, np.sin(times) / 100), tape(times, np.zeros(31))
    assert hayashi_yoshida(moving, moving).correlation == pytest.approx(1.0)
    assert math.isnan(hayashi_yoshida(moving, still).correlation)
    assert math.isnan(hayashi_yoshida(moving, tape(times[:-1], np.sin(times[:-1]))).correlation)
    assert hayashi_yoshida(moving, tape([], np.zeros(0))).n == 0
    assert np.isnan(epps_curve(moving, tape([], np.zeros(0))).correlation).all()


def test_the_metric_is_that_of_the_tapes_a_window_carries(diffusions: Tapes) -> None:
    y, x = diffusions(4)
    metric, closes = CATALOGUE["correlation_hy"], np.zeros(0)
    found, textbook = hayashi_yoshida(y, x), hayashi_yoshida(y, x, 0)
    window = PairWindow(closes, closes, 0, 3, 1.0, PairTicks(y, x))
    assert CATALOGUE["correlation_hy_naive"].compute(window).value == textbook.correlation
    few, still = TradeSeries(x.time_ms[:9], x.log_price[:9]), TradeSeries(x.time_ms, np.zeros(len(x)))
    expected = [
        (PairTicks(y, x), Value(found.correlation, found.n)),
        (PairTicks(y, few), Value(None, hayashi_yoshida(y, few).n, Reason.NO_TRADES)),
        (PairTicks(y, still), Value(None, found.n, Reason.NO_VARIANCE)),
        (None, Value(None, 0, Reason.NO_TRADES)),
    ]
    for ticks, value in expected:
        assert metric.compute(PairWindow(closes, closes, 0, 3, 1.0, ticks)) == value


@pytest.mark.parametrize("count", [40, 3_000])
def test_an_estimate_beyond_one_is_given_as_it_is_and_flagged(count: int) -> None:
    beyond = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        bounce = random.normal(0, 1e-3, count)  # taken out of the variances by the reach, and not out of what follows
        at_ms = 1_000 * np.arange(count)
        y = TradeSeries(at_ms, bounce)
        x = TradeSeries(at_ms + 600, random.choice([-1.0, 1.0]) * bounce + random.normal(0, 1e-4, count))
        estimate = hayashi_yoshida(y, x, 100).correlation
        if math.isnan(estimate):
            continue
        told = CATALOGUE["correlation_hy"].compute(
            PairWindow(np.zeros(2), np.zeros(2), 0, 2, 1.0, PairTicks(y, x)), reach_ms=100
        )
        assert told.value == estimate
        assert told.flags == ((Flag.BEYOND_ONE,) if abs(estimate) > 1.0 else ())
        beyond += abs(estimate) > 1.0
    assert beyond >= 5
