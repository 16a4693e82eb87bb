"""The room of alerts as others see it: where rules stand, what became of them, and who is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pairscope.alerts.alerts import AlertGround, Alerts, Heard
from pairscope.alerts.machine import Stage
from pairscope.alerts.rule import Clause, Comparison
from pairscope.alerts.transition import HistoryQuery, Transition, Withheld
from pairscope.base.errors import UnknownName
from pairscope.base.settings import Settings
from pairscope.feed.source import SourcePlan
from tests.alerts.played import START_MS, NoDisk, PlayedMarket, play, played, price_rule, reading
from tests.alerts.test_no_live_data import FALLBACK, LIVE
from tests.patience import EVENT_S

SIMULATOR = replace(LIVE, kind="simulator")


@pytest.fixture
def market(tmp_path: Path) -> Iterator[PlayedMarket]:
    with played(tmp_path) as market:
        market.second(90.0)
        yield market


def ground_of(market: PlayedMarket, plan: SourcePlan = LIVE, **settings: object) -> AlertGround:
    return AlertGround(
        settings=Settings.model_validate({"source": "auto", **settings}),
        state=market.state,
        tape=market.tape,
        market=market.market,
        clock=market.clock,
        source=plan.kind,
        watched=lambda: market.watched,
        heard=Heard(plan, NoDisk(), market.inflow(), lambda: market.system),
    )


@contextlib.asynccontextmanager
async def running(alerts: Alerts) -> AsyncIterator[None]:
    task = asyncio.create_task(alerts.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(EVENT_S):
        while not condition():
            await asyncio.sleep(0.002)


async def test_it_reads_rules_as_the_market_goes_on_and_tells_who_listens(market: PlayedMarket) -> None:
    alerts = Alerts(ground_of(market))
    heard: list[Transition] = []
    stop = alerts.listen(heard.extend)
    async with running(alerts):
        await until(lambda: alerts.status().state == "running")
        market.rule(price_rule())
        alerts.changed()
        await until(lambda: alerts.status().rules == 1)
        for _ in range(3):
            market.second(101.0)
        await until(lambda: bool(heard))
        assert alerts.history(HistoryQuery()) == heard
        (counted,) = alerts.counts()
        assert (counted.rule, counted.fires) == (1, 1)
        stop()
        for _ in range(3):
            market.second(90.0)
        await until(lambda: len(alerts.history(HistoryQuery())) == 2)
    assert len(heard) == 1
    assert alerts.note(1, "seen").note == "seen"


async def test_it_tells_where_each_rule_stands(market: PlayedMarket) -> None:
    alerts = Alerts(ground_of(market))
    second = Clause(metric="last_return", comparison=Comparison.ABOVE, high=-9.0)
    market.rule(price_rule(second=second, half_life_ms=60_000), price_rule(enabled=False))
    market.rule(price_rule(scope="all_symbols", symbols=()))
    async with running(alerts):
        await until(lambda: alerts.status().rules == 2)
        for _ in range(3):
            market.second(101.0)
        await until(lambda: alerts.status().transitions == 2 and not alerts.status().behind_ms)
        assert alerts.status().firing == 2
        standing = alerts.standing()
        assert [(each.rule, each.target) for each in standing] == [
            *((1, "BTCUSDT"), (2, "BTCUSDT")),
            *((3, symbol) for symbol in market.watched),
        ]
        one, off, other = standing[:3]
        assert (one.stage, one.value, one.beyond) == (Stage.FIRING, 101.0, 1.0)
        assert one.second == 0.0
        assert (one.since_ms, one.read_ms) == (one.fired_ms, START_MS + 3_000)
        assert (one.fire, one.missing) == (1, 0.0)
        assert (one.half_life_ms, one.half_life_now_ms) == (60_000, None)
        assert (off.stage, off.read_ms, off.value) == (Stage.INACTIVE, None, None)
        assert other.stage is Stage.FIRING
        assert [each.beyond for each in alerts.standing(3)] == [1.0, -50.0, -50.0]
    with pytest.raises(UnknownName, match="no rule 9"):
        alerts.standing(9)


async def told_of(market: PlayedMarket, alerts: Alerts) -> Transition:
    """The first that a rule does there."""
    market.rule(price_rule(channels=("desk",)))
    async with running(alerts):
        await until(lambda: alerts.status().rules == 1)
        for _ in range(3):
            market.second(101.0)
        await until(lambda: any(each.rule for each in market.transitions()))
    return next(each for each in market.transitions() if each.rule)


async def test_of_a_simulated_market_nothing_leaves_the_machine(market: PlayedMarket) -> None:
    found = await told_of(market, Alerts(ground_of(market, SIMULATOR, source="simulator")))
    assert (found.simulated, found.withheld, market.outbox()) == (True, Withheld.SIMULATED, [])


async def test_it_does_when_that_is_asked_for_and_says_what_it_is_of(market: PlayedMarket) -> None:
    found = await told_of(market, Alerts(ground_of(market, SIMULATOR, source="simulator", alerts_from_simulator=True)))
    assert (found.simulated, found.withheld) == (True, None)
    ((_, channel, body),) = market.outbox()
    assert (channel, body["simulated"]) == ("desk", True)


async def test_that_there_is_no_live_data_leaves_it_all_the_same(market: PlayedMarket) -> None:
    alerts = Alerts(ground_of(market, FALLBACK))
    heard: list[Sequence[Transition]] = []
    alerts.listen(heard.append)
    found = await told_of(market, alerts)
    assert found.withheld is Withheld.SIMULATED
    ((_, channel, body),) = market.outbox()
    assert (channel, body["rule"], body.get("simulated", False)) == ("desk", "Live data", False)
    assert heard[0][0].rule == 0


async def test_of_a_tape_that_is_looked_at_nothing_is_read(market: PlayedMarket) -> None:
    market.rule(price_rule())
    alerts = Alerts(ground_of(market, replace(LIVE, kind="tape")))
    await alerts.run()
    assert (alerts.is_on, alerts.status().state) == (False, "off")
    assert [each.value for each in alerts.standing()] == [None]
    alerts.changed()


async def test_where_nothing_is_heard_rules_stand_as_they_are_kept(market: PlayedMarket) -> None:
    async with running(Alerts(ground_of(market))):
        market.rule(price_rule())
        for _ in range(3):
            market.second(101.0)
    alerts = Alerts(replace(ground_of(market), heard=None))
    async with reading(market) as engine:
        await play(market, engine, 101.0, 101.0, 101.0)
    (standing,) = alerts.standing()
    assert (alerts.is_on, alerts.status().state) == (True, "starting")
    assert (standing.stage, standing.fire, standing.read_ms) == (Stage.FIRING, 1, None)


async def test_a_new_state_database_begins_with_the_first_rule_on_all_pairs_for_the_page(market: PlayedMarket) -> None:
    Alerts(ground_of(market, replace(LIVE, kind="tape"))).begin()
    alerts = Alerts(ground_of(market))
    assert alerts.book.all() == []
    alerts.begin()
    (first,) = alerts.book.all()
    assert (first.rule.scope, first.rule.channels, first.rule.enabled) == ("all_pairs", (), True)
    assert (first.rule.first.metric, first.rule.half_life_ms) == ("spread_z", 300_000)
    alerts.book.delete(first.number, "ann")
    Alerts(ground_of(market)).begin()
    assert alerts.book.all() == [], "it was not wanted"


async def test_a_disk_that_is_full_keeps_nobody_from_starting(market: PlayedMarket) -> None:
    with market.state.change() as connection:
        connection.execute("create trigger full before insert on alert_rules begin select raise(abort, 'full'); end")
    alerts = Alerts(ground_of(market))
    alerts.begin()
    assert alerts.book.all() == []
