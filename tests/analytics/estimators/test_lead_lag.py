from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from pairscope.analytics.entry.window import PairWindow
from pairscope.analytics.estimators.hayashi_yoshida import PairTicks, TradeSeries, hayashi_yoshida
from pairscope.analytics.estimators.lead_lag import LeadLag, lag_grid, lead_lag
from pairscope.analytics.registry import CATALOGUE
from pairscope.analytics.values import Reason
from pairscope.base.errors import RequestError
from pairscope.base.model import IntArray

Tapes = Callable[..., tuple[TradeSeries, TradeSeries]]


@pytest.mark.parametrize("lag_ms", [300, 0, -150])
def test_a_known_lag_is_found_with_an_interval_around_it(diffusions: Tapes, lag_ms: int) -> None:
    for seed in range(3):
        found = lead_lag(*diffusions(seed, rates=(20.0, 10.0), lag_ms=lag_ms))
        assert found.reason is None
        assert found.lag_ms == pytest.approx(lag_ms, abs=40)
        assert found.low_ms - 10 <= lag_ms <= found.high_ms + 10
        assert found.high_ms - found.low_ms < 150
        assert found.contrast == pytest.approx(0.8, abs=0.05)
        if lag_ms:
            assert found.leader == ("x" if lag_ms > 0 else "y")


def test_the_legs_exchanged_exchange_the_sign(diffusions: Tapes) -> None:
    y, x = diffusions(1, rates=(20.0, 10.0), lag_ms=200)
    one, other = lead_lag(y, x), lead_lag(x, y)
    np.testing.assert_allclose(one.contrasts, other.contrasts[::-1], rtol=1e-9)
    assert (one.leader, other.leader) == ("x", "y")
    assert one.lag_ms == -other.lag_ms


def test_without_a_lag_it_is_the_hayashi_yoshida_correlation(diffusions: Tapes) -> None:
    y, x = diffusions(2)
    found = lead_lag(y, x, np.array([0]))
    assert found.contrasts[0] == pytest.approx(hayashi_yoshida(y, x, 0).correlation, rel=1e-12)


def test_trades_of_neighbouring_milliseconds_do_not_overlap() -> None:
    random = np.random.default_rng(4)
    y, x = (
        TradeSeries(np.sort(random.choice(1_000, 700, replace=False)), np.cumsum(random.normal(0, 1e-4, 700)))
        for _ in range(2)
    )
    assert lead_lag(y, x, np.array([0])).contrasts[0] == pytest.approx(hayashi_yoshida(y, x, 0).correlation, rel=1e-12)


def test_the_same_trades_give_the_same_interval(diffusions: Tapes) -> None:
    y, x = diffusions(3, rates=(10.0, 5.0), lag_ms=100)
    one, other = lead_lag(y, x), lead_lag(y, x)
    assert (one.low_ms, one.high_ms) == (other.low_ms, other.high_ms)


def test_independent_prices_have_no_lag(diffusions: Tapes) -> None:
    found = lead_lag(*diffusions(4, correlation=0.0))
    assert (found.reason, found.leader) == (Reason.UNCERTAIN, None)
    assert math.isnan(found.lag_ms)


def test_a_short_tape_has_no_lag(diffusions: Tapes) -> None:
    y, x = diffusions(5)
    begin = y.time_ms[0]
    short = [
        TradeSeries(t.time_ms[t.time_ms < begin + 60_000], t.log_price[t.time_ms < begin + 60_000]) for t in (y, x)
    ]
    nothing = TradeSeries(np.zeros(0, np.int64), np.zeros(0))
    for one, other in ((*short,), (y, nothing), (nothing, x)):
        assert lead_lag(one, other).reason == Reason.NO_TRADES


def test_a_grid_or_lags_that_make_no_sense_are_refused(diffusions: Tapes) -> None:
    for reach, step in ((10, 0), (5, 10)):
        with pytest.raises(RequestError, match="step"):
            lag_grid(reach, step)
    with pytest.raises(RequestError, match="ascend"):
        lead_lag(*diffusions(6), np.array([10, 0]))


def test_the_metric_is_that_of_the_tapes_a_window_carries(diffusions: Tapes) -> None:
    y, x = diffusions(7, rates=(20.0, 10.0), lag_ms=200)
    metric, closes = CATALOGUE["lead_lag"], np.zeros(0)
    window = PairWindow(closes, closes, 0, 3, 1.0, PairTicks(y, x))
    assert metric.compute(window).value == lead_lag(y, x).lag_ms
    assert metric.compute(window, reach_ms=500, step_ms=50).value == lead_lag(y, x, lag_grid(500, 50)).lag_ms
    assert metric.compute(PairWindow(closes, closes, 0, 3, 1.0)).reason == Reason.NO_TRADES


def test_a_window_looks_for_who_leads_once_whatever_its_terms(
    diffusions: Tapes, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def looking(y: TradeSeries, x: TradeSeries, lags_ms: IntArray) -> LeadLag:
        looked.append(len(lags_ms))
        return lead_lag(y, x, lags_ms)

    monkeypatch.setattr("pairscope.analytics.entry.window.lead_lag", looking)
    tapes, closes = diffusions(7, rates=(20.0, 10.0)), np.zeros(0)
    window = PairWindow(closes, closes, 0, 3, 1.0, PairTicks(*tapes))
    CATALOGUE["lead_lag"].compute(window)
    assert window.on("level", False).lead() is window.lead()
    assert looked == [201]
    window.lead(500, 50)
    assert looked == [201, 21]
