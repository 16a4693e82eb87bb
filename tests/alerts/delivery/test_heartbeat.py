"""The sign of life is given every minute while all is well, and not otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pairscope.alerts.delivery import heartbeat
from pairscope.alerts.delivery.delivery import deliver
from pairscope.base.clock import ManualClock
from pairscope.base.settings import Settings
from pairscope.base.tasks import end
from pairscope.store.state import State
from tests.alerts.delivery.desk import log_of
from tests.alerts.delivery.receiver import HANGS, OK, Answer, receiving


async def test_it_is_given_every_minute_to_the_address_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host lies inside and is named nowhere else: who may set the one may set the other."""
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.01)
    is_well = [True]
    async with receiving() as watcher:
        with State.open(tmp_path / "state.sqlite") as state:
            settings = Settings(alert_heartbeat_url=f"http://127.0.0.1:{watcher.port}/ping/abc")
            delivery = deliver(state, settings, ManualClock(5_000), is_well=lambda: is_well[0])
            task = asyncio.create_task(delivery.run())
            await watcher.comes(3)
            told = delivery.status().heartbeat
            assert told is not None
            assert (told.last_ms, told.error) == (5_000, None)
            is_well[0] = False
            await asyncio.sleep(0)
            before = len(watcher.received)
            while (told := delivery.status().heartbeat) is not None and told.left_out < 3:
                await asyncio.sleep(0.005)
            assert len(watcher.received) <= before + 1
            await end(task)
    assert {(each.method, each.path) for each in watcher.received} == {("GET", "/ping/abc")}


async def test_one_that_does_not_arrive_is_told_once_without_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = log_of(heartbeat, monkeypatch)
    answers = iter([Answer(404), Answer(404), OK, Answer(404)])
    async with receiving(lambda _: next(answers)) as watcher:
        with State.open(tmp_path / "state.sqlite") as state:
            settings = Settings(alert_heartbeat_url=f"http://127.0.0.1:{watcher.port}/ping/s3cr3t")
            beating = deliver(state, settings, ManualClock(5_000))._heartbeat
            assert beating is not None
            await beating.beat()
            assert beating.status().error == "it answered 404"
            assert beating.status().last_ms is None
            for _ in range(3):
                await beating.beat()
    assert [each["event"] for each in told].count("heartbeat_not_sent") == 2
    assert "s3cr3t" not in repr(told)
    assert "s3cr3t" not in repr(settings)


async def test_a_watcher_that_does_not_answer_is_not_waited_for_into_the_next_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "MOST_S", 0.1)
    async with receiving(Answer(HANGS)) as watcher:
        with State.open(tmp_path / "state.sqlite") as state:
            settings = Settings(alert_heartbeat_url=f"http://127.0.0.1:{watcher.port}/")
            beating = deliver(state, settings, ManualClock())._heartbeat
            assert beating is not None
            await beating.beat()
    assert beating.status().error == "no answer in time"


async def test_a_fault_in_what_says_whether_all_is_well_ends_the_delivery_and_is_told(tmp_path: Path) -> None:
    def is_well() -> bool:
        raise ZeroDivisionError

    with State.open(tmp_path / "state.sqlite") as state:
        delivery = deliver(state, Settings(alert_heartbeat_url="http://127.0.0.1:1/"), ManualClock(), is_well=is_well)
        running = asyncio.create_task(delivery.run())
        while not running.done():
            delivery.wake()
            await asyncio.sleep(0.001)
    with pytest.raises(ZeroDivisionError):
        await running


async def test_without_an_address_there_is_none(tmp_path: Path) -> None:
    with State.open(tmp_path / "state.sqlite") as state:
        assert deliver(state, Settings(), ManualClock()).status().heartbeat is None
