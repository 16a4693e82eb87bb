"""Metrics of pairscope itself."""

from __future__ import annotations

import pytest

from pairscope.alerts.system import HOUR_MS, SYSTEM_METRICS, SystemNow, SystemPast, find_system
from pairscope.base.errors import UnknownName


def test_each_is_what_is_known_now_and_none_where_nothing_is() -> None:
    past = SystemPast(SystemNow(0))
    assert {name: each.value(past) for name, each in SYSTEM_METRICS.items()} == dict.fromkeys(SYSTEM_METRICS)
    past.tell(SystemNow(1_000, 2.5, 3, 7, 0.25, 12.0, 80.0))
    found = {name: each.value(past) for name, each in SYSTEM_METRICS.items()}
    assert found == {
        **{"feed_age": 2.5, "gaps_open": 3.0, "reconnects": 0.0, "request_share": 0.25, "loop_lag": 12.0},
        **{"disk_free": 80.0},
    }


def test_reconnects_are_those_of_the_last_hour() -> None:
    past = SystemPast(SystemNow(0, reconnects=0))
    counts = {0: 0, 10: 2, 30: 3, 59: 3, 61: 3, 71: 3, 95: 5}
    found = {}
    for minute, count in counts.items():
        past.tell(SystemNow(minute * 60_000, reconnects=count))
        found[minute] = past.reconnects()
    assert found == {0: 0.0, 10: 2.0, 30: 3.0, 59: 3.0, 61: 3.0, 71: 1.0, 95: 2.0}
    past.tell(SystemNow(HOUR_MS * 9, reconnects=5))
    assert past.reconnects() == 0.0


def test_one_nobody_knows_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean loop_lag"):
        find_system("loop_lags")
