"""The room of alerts as others see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pairscope.alerts.alerts import AlertGround, Alerts
from pairscope.alerts.machine import Stage
from pairscope.alerts.transition import HistoryQuery
from pairscope.base.clock import ManualClock
from pairscope.base.errors import UnknownName
from pairscope.store.state import State
from tests.alerts.test_reading import PAIR, rule_of
from tests.api.conftest import SYMBOLS, MadeUpMarket


@pytest.fixture
def alerts(tmp_path: Path) -> Iterator[Alerts]:
    market = MadeUpMarket(tmp_path, ManualClock(0))
    with State.open(tmp_path / "state.sqlite") as state:
        yield Alerts(
            AlertGround(
                settings=market.settings,
                state=state,
                tape=market.store.path,
                market=market.live,
                clock=ManualClock(5_000),
                watched=lambda: SYMBOLS,
            )
        )
    market.store.close()


def test_a_rule_stands_on_each_of_its_targets(alerts: Alerts) -> None:
    alerts.book.create(rule_of({**PAIR, "name": "Wide"}), "ann")
    alerts.book.create(rule_of({"scope": "all_pairs", "metric": "spread_z", "condition": ">", "threshold": 2}), "ann")
    standing = alerts.standing()
    assert [(each.rule, each.target, each.stage) for each in standing][:2] == [
        (1, "ETHUSDT/BTCUSDT", Stage.INACTIVE),
        (2, "ETHUSDT/BTCUSDT", Stage.INACTIVE),
    ]
    assert len(alerts.standing(2)) == 3
    with pytest.raises(UnknownName, match="no rule 9"):
        alerts.standing(9)


def test_what_never_happened_is_told_as_nothing(alerts: Alerts) -> None:
    alerts.book.create(rule_of(PAIR), "ann")
    assert alerts.history(HistoryQuery()) == []
    (counted,) = alerts.counts()
    assert (counted.fires, counted.last_fired_ms) == (0, None)
