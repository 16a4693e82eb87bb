"""Whoever follows alerts is told of each event as it happens, once, and that rules were changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pairscope.alerts.machine import Change
from pairscope.api import wire
from pairscope.api.alert_topic import COUNTS_HOLD_S, MOST_AT_ONCE, MOST_HELD, AlertFeed
from pairscope.base.clock import ManualClock, SystemClock, now_ms
from tests.api.alert_room import FIRED_MS, fired
from tests.api.test_alert_rules import ask

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Page, Served


def happen(market: MadeUpMarket, count: int = 1, **other: Any) -> None:
    events = [fired(**{"time_ms": FIRED_MS + i, "messages": {}} | other) for i in range(count)]
    market.room.happens(*events)


async def next_event(page: Page) -> wire.AlertsEvent:
    found: wire.AlertsEvent = await page.next(wire.AlertsEvent)
    return found


@pytest.mark.parametrize("form", ["whole", "changes"])
async def test_who_follows_alerts_is_told_of_each_event_with_a_number(
    market: MadeUpMarket, server: Served, form: str
) -> None:
    async with server.page() as page:
        await page.follow("alerts", updates=form)
        first = await page.next(wire.AlertsSnapshot)
        assert (first.events, first.engine.state, first.changes) == ([], "starting", 0)
        happen(market, 2, messages={"desk": "m"})
        told = [await next_event(page) for _ in range(2)]
        assert [each.seq - first.seq for each in told] == [1, 2]
        assert [(each.event.number, each.event.change) for each in told] == [(2, "fired"), (3, "fired")]
        assert (told[0].event.channels, told[0].event.messages) == (["desk"], [])


async def test_both_forms_are_one_topic(server: Served) -> None:
    async with server.page() as one, server.page() as other:
        for page, form in ((one, "whole"), (other, "changes")):
            await page.follow("alerts", updates=form)
            await page.next(wire.AlertsSnapshot)
        assert server.hub.counters().topics == 1


async def test_who_comes_later_is_told_of_the_newest_events_since_the_start(
    market: MadeUpMarket, server: Served
) -> None:
    happen(market, MOST_HELD + 5)
    async with server.page() as page:
        await page.follow("alerts")
        events = (await page.next(wire.AlertsSnapshot)).events
        assert [each.number for each in events] == list(range(MOST_HELD + 6, 6, -1))
        happen(market)
        assert (await next_event(page)).event.number == MOST_HELD + 7


async def test_who_was_away_is_told_what_was_missed_and_nothing_twice(market: MadeUpMarket, server: Served) -> None:
    async with server.page() as page:
        await page.follow("alerts")
        await page.next(wire.AlertsSnapshot)
        happen(market)
        seen = (await next_event(page)).seq
    happen(market, 2)
    async with server.page() as page:
        await page.follow("alerts", since=seen)
        assert [(await next_event(page)).event.number for _ in range(2)] == [3, 4]
        happen(market)
        assert (await next_event(page)).event.number == 5


async def test_the_steps_on_the_way_are_not_told(market: MadeUpMarket, server: Served) -> None:
    async with server.page() as page:
        await page.follow("alerts")
        await page.next(wire.AlertsSnapshot)
        happen(market, change=Change.PENDING)
        happen(market, change=Change.DROPPED)
        happen(market, change=Change.RESOLVED)
        assert (await next_event(page)).event.change is Change.RESOLVED


async def test_very_many_at_once_are_told_as_a_snapshot(market: MadeUpMarket, server: Served) -> None:
    async with server.page() as page:
        await page.follow("alerts")
        first = await page.next(wire.AlertsSnapshot)
        happen(market, MOST_AT_ONCE + 1)
        second = await page.next(wire.AlertsSnapshot, wire.AlertsEvent)
        assert (second.seq - first.seq, len(second.events)) == (1, MOST_AT_ONCE + 1)
        happen(market, MOST_AT_ONCE)
        told = [await next_event(page) for _ in range(MOST_AT_ONCE)]
        assert [each.seq - second.seq for each in told] == list(range(1, MOST_AT_ONCE + 1))


async def test_who_follows_is_told_that_somebody_changed_something(market: MadeUpMarket, server: Served) -> None:
    async with server.page() as page:
        await page.follow("alerts")
        await page.next(wire.AlertsSnapshot)
        await page.next(wire.AlertsNow)
        await ask(server, "PATCH", "/alerts/rules/1", {"note": "n"})
        assert (await page.next(wire.AlertsNow)).changes == 1
        await ask(server, "PATCH", "/alerts/channels/desk", {"is_on": False})
        assert (await page.next(wire.AlertsNow)).changes == 2


async def test_what_all_rules_did_is_counted_once_in_a_while(market: MadeUpMarket) -> None:
    clock = ManualClock()
    feed = AlertFeed(market.room.alerts, clock)
    before = feed.counts()
    happen(market, recorded_ms=now_ms(SystemClock()))
    assert feed.counts() is before
    clock.advance(COUNTS_HOLD_S)
    assert [each.fires for each in feed.counts()] == [before[0].fires + 1]


async def test_nothing_is_told_while_nothing_happens(server: Served) -> None:
    async with server.page() as page:
        await page.follow("alerts")
        await page.next(wire.AlertsNow)
        await page.follow("status")
        for _ in range(3):
            assert isinstance(await page.next(wire.AlertsNow, wire.StatusMessage), wire.StatusMessage)
