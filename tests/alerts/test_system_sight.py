"""Alerts in the whole system: a simulated exchange, a rule of a person, a receiver of webhooks, and its own metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pairscope.alerts.transition import HistoryQuery
from pairscope.app import Parts
from tests.alerts.delivery.desk import KEY
from tests.alerts.delivery.receiver import receiving
from tests.alerts.played import price_rule
from tests.patience import WORK_S
from tests.test_app import running, settings_of


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WORK_S):
        while not condition():
            await asyncio.sleep(0.01)


def sends(system: Parts, url: str, **rule: Any) -> int:
    """A channel, and a rule that sends to it; its number."""
    alerts = system.alerts
    alerts.delivery.channels.add({"name": "desk", "kind": "webhook", "url": url, "secret": KEY}, "ann")
    made = alerts.book.create(price_rule(1.0, channels=("desk",), **rule), "ann")
    alerts.changed()
    return made.number


async def test_a_rule_on_the_simulated_market_reaches_a_receiver(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, alerts_from_simulator=True, alert_hosts_allowed=("127.0.0.1",))
    async with receiving() as receiver, running(settings) as door:
        alerts = door.system.alerts
        number = sends(door.system, receiver.url)
        await receiver.comes(1)
        told = receiver.received[0].told
        assert (told["transition"], told["target"], told["simulated"]) == ("fired", "BTCUSDT", True)
        await until(lambda: any(each.rule == number for each in alerts.history(HistoryQuery())))
        (fired,) = alerts.history(HistoryQuery(rule=number))
        assert (fired.messages, told["number"]) == ({"desk": receiver.ids[0]}, fired.number)
        standing = next(each for each in alerts.standing(number))
        assert (standing.fire, standing.value) != (None, None)
        assert alerts.status().failures == 0


async def test_what_it_sees_of_itself_can_be_told(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as door:
        heard = door.system.alerts._ground.heard
        assert heard is not None
        await until(lambda: (heard.system().feed_age_s or 0.0) < 5.0)
        now = heard.system()
        assert now.gaps_open is not None
        assert now.reconnects == 0
        assert 0.0 <= (now.request_share or 0.0) <= 1.0
        assert (now.loop_lag_ms or 0.0) >= 0.0
        assert now.disk_free_gb is not None
        assert heard.inflow.ready.is_set()
