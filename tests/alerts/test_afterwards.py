"""What is looked up after something was told: the health of its pair at that bar, and half-lives of today."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pairscope.alerts import afterwards as module
from pairscope.alerts.afterwards import Afterwards, PairAt
from pairscope.alerts.history import AlertHistory
from pairscope.alerts.ledger import Entry, Ledger
from pairscope.alerts.machine import Change
from pairscope.alerts.panel import MetricNow
from pairscope.alerts.questions import Question
from pairscope.base.clock import ManualClock
from pairscope.base.errors import StoreUnavailable
from pairscope.live.windows import Measured
from pairscope.store.state import State
from tests.alerts.test_ledger import told
from tests.patience import EVENT_S

ETH = ("ETHUSDT", "BTCUSDT")


class Studies:
    """Values that answer what a test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[Question, int]] = []
        self.answer: Any = "broken"

    async def study(self, question: Question, open_ms: int) -> dict[str, Measured]:
        self.asked.append((question, open_ms))
        if isinstance(self.answer, Exception):
            raise self.answer
        name = question.asked[0].request.name
        return {name: Measured(self.answer, "word", 300, 9, open_ms, 0.0, None)}


class Desk:
    def __init__(self, folder: Path) -> None:
        self.state = State.open(folder / "state.sqlite")
        self.history, self.clock, self.studies = AlertHistory(self.state), ManualClock(0), Studies()
        self.pairs: list[PairAt] = []
        self.afterwards = Afterwards(
            self.studies,  # type: ignore[arg-type]
            self.history,
            self.at_once,
            self.clock,
            lambda: self.pairs,
        )

    @staticmethod
    async def at_once(work: Callable[[], Any]) -> Any:
        return work()

    def tell(self, *bars_ms: int | None) -> list[int]:
        rows = [told(Change.FIRED, bar_ms=bar_ms, interval="1s", window=300) for bar_ms in bars_ms]
        written = Ledger(self.state, 1).write(Entry(transitions=rows)).transitions
        self.afterwards.look_up(written)
        return [each.number for each in written]

    async def until(self, condition: Callable[[], bool]) -> None:
        running = asyncio.create_task(self.afterwards.run())
        try:
            async with asyncio.timeout(EVENT_S):
                while not condition():
                    await asyncio.sleep(0.001)
        finally:
            running.cancel()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_transitions_of_a_pair_are_given_its_health_at_that_bar_looked_up_once(desk: Desk) -> None:
    first, second, third = desk.tell(5_000, 5_000, 6_000)
    await desk.until(lambda: desk.history.get(third).health is not None)
    assert {desk.history.get(each).health for each in (first, second, third)} == {"broken"}
    assert [(question.target, at_ms) for question, at_ms in desk.studies.asked] == [(ETH, 5_000), (ETH, 6_000)]
    assert desk.studies.asked[0][0].wanted[0].name == "health"


async def test_what_is_of_no_pair_or_of_no_bar_has_none(desk: Desk) -> None:
    desk.tell(None)
    desk.afterwards.look_up([told(Change.FIRED, target="BTCUSDT", bar_ms=5, interval="1s", window=30)])
    (number,) = desk.tell(7_000)
    await desk.until(lambda: desk.history.get(number).health is not None)
    assert len(desk.studies.asked) == 1


@pytest.mark.parametrize("failure", [StoreUnavailable("the disk"), ZeroDivisionError()])
async def test_one_that_cannot_be_looked_up_holds_up_no_other(desk: Desk, failure: Exception) -> None:
    desk.studies.answer = failure
    (lost,) = desk.tell(5_000)
    await desk.until(lambda: len(desk.studies.asked) == 1)
    desk.studies.answer = "weakening"
    (found,) = desk.tell(6_000)
    await desk.until(lambda: desk.history.get(found).health == "weakening")
    assert desk.history.get(lost).health is None


async def test_so_many_wait_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    desk.tell(1_000, 2_000, 3_000, 1_000)
    assert desk.afterwards.dropped == 1


async def test_half_lives_of_today_are_read_of_each_window_once(desk: Desk) -> None:
    desk.studies.answer = 123_000.0
    desk.pairs = [PairAt(ETH, "10s", 720, 50_000)] * 3
    await desk.until(lambda: bool(desk.afterwards.half_lives))
    assert desk.afterwards.half_lives == {(ETH, "10s", 720): MetricNow(123_000.0, 0.0)}
    assert [question.wanted[0].name for question, _ in desk.studies.asked] == ["half_life_ms"]


async def test_history_that_is_too_old_goes(desk: Desk) -> None:
    desk.tell(None)
    desk.clock.advance(2 * module.KEPT_MS / 1_000)
    await desk.until(lambda: desk.state.rows("select count(*) from alert_history") == [(0,)])
