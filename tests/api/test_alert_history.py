"""What rules did and where they stand, over the API: by rule, target, change and time, with what was sent of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pairscope.alerts.ledger import RuleLife
from pairscope.alerts.machine import Change, Life, Stage
from tests.api.alert_room import FIRED_MS, fired
from tests.api.test_alert_rules import ask, refused

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Markets, Serve, Served


def write_many(market: MadeUpMarket, count: int) -> None:
    """Fires and resolves of two pairs in turn, a second apart."""
    events = [
        fired(
            change=Change.RESOLVED if i % 2 else Change.FIRED,
            target="SOLUSDT/BTCUSDT" if i % 4 > 1 else "ETHUSDT/BTCUSDT",
            time_ms=FIRED_MS + 1_000 * (i + 1),
            messages={},
        )
        for i in range(count)
    ]
    market.room.write(*events)


async def events(server: Served, query: str = "") -> Any:
    return (await ask(server, "GET", f"/alerts/history{query}"))["events"]


async def test_an_event_tells_what_was_known_and_what_became_of_its_message(server: Served) -> None:
    (event,) = await events(server)
    told = {key: event[key] for key in ("number", "rule", "name", "target", "change", "value", "window", "missing")}
    assert told == {
        **{"number": 1, "rule": 1, "name": "Wide", "target": "ETHUSDT/BTCUSDT", "change": "fired", "value": 2.4},
        **{"window": 30, "missing": 0.0},
    }
    assert (event["time_ms"], event["bar_ms"], event["fire"]) == (FIRED_MS, FIRED_MS - 1_000, 1)
    assert (event["simulated"], event["withheld"], event["health"]) == (False, None, None)
    (message,) = event["messages"]
    assert (message["channel"], message["state"], message["error"]) == ("desk", "dead", "no connection")


async def test_history_is_given_page_by_page_the_newest_first(market: MadeUpMarket, server: Served) -> None:
    write_many(market, 9)
    first = await ask(server, "GET", "/alerts/history?limit=4")
    assert [each["number"] for each in first["events"]] == [10, 9, 8, 7]
    second = await ask(server, "GET", f"/alerts/history?limit=4&before={first['next']}")
    third = await ask(server, "GET", f"/alerts/history?limit=4&before={second['next']}")
    assert [each["number"] for each in second["events"]] == [6, 5, 4, 3]
    assert ([each["number"] for each in third["events"]], third["next"]) == ([2, 1], None)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?rule=1", [5, 4, 3, 2, 1]),
        ("?rule=2", []),
        ("?target=SOLUSDT/BTCUSDT", [5, 4]),
        ("?target=solusdt-btcusdt", [5, 4]),
        ("?target=system", []),
        ("?change=fired", [4, 2, 1]),
        ("?change=FIRED,resolved&target=ETHUSDT/BTCUSDT", [3, 2, 1]),
        (f"?from={FIRED_MS + 3_000}", [5, 4]),
        (f"?to={FIRED_MS + 1_000}", [1]),
        ("?minor=true", [6, 5, 4, 3, 2, 1]),
        ("?change=pending", [6]),
    ],
)
async def test_history_is_asked_for_by_what_is_meant(
    market: MadeUpMarket, server: Served, query: str, numbers: list[int]
) -> None:
    write_many(market, 4)
    market.room.write(fired(change=Change.PENDING, time_ms=FIRED_MS, messages={}))
    assert [each["number"] for each in await events(server, query)] == numbers


async def test_the_setting_bounds_what_is_given_and_not_what_is_kept(markets: Markets, serve: Serve) -> None:
    market = markets(alert_history=3)
    write_many(market, 9)
    async with serve(market.app()) as server:
        page = await ask(server, "GET", "/alerts/history?limit=50")
        assert ([each["number"] for each in page["events"]], page["limit"], page["next"]) == ([10, 9, 8], 3, 8)
        assert [each["number"] for each in await events(server, "?before=3")] == [2, 1]


@pytest.mark.parametrize("query", ["?limit=0", "?limit=5001", "?rule=x", "?change=exploded", "?before=0", "?from=noon"])
async def test_history_that_is_not_understood_is_refused(server: Served, query: str) -> None:
    await refused(server, "GET", f"/alerts/history{query}", None, 422)


@pytest.mark.parametrize("address", ["/alerts/history", "/alerts/standing"])
async def test_a_target_that_nobody_knows_is_refused_with_the_nearest(server: Served, address: str) -> None:
    error = await refused(server, "GET", f"{address}?target=ETHUSD/BTCUSDT", None, 404)
    assert (error["code"], error["cure"]) == ("unknown_symbol", "did you mean ETHUSDT?")


async def test_a_remark_is_written_on_an_event_and_taken_away(server: Served) -> None:
    noted = await ask(server, "PUT", "/alerts/history/1/note", {"note": "of the outage"})
    assert (noted["note"], noted["messages"][0]["id"]) == ("of the outage", "fired-1")
    assert await events(server) == [noted]
    assert (await ask(server, "PUT", "/alerts/history/1/note", {"note": ""}))["note"] == ""
    await refused(server, "PUT", "/alerts/history/9/note", {"note": "x"}, 404)
    await refused(server, "PUT", "/alerts/history/1/note", {"note": "x" * 2_001}, 422)
    await refused(server, "PUT", "/alerts/history/1/note", {}, 422)


async def test_of_messages_that_are_forgotten_nothing_is_told(market: MadeUpMarket, server: Served) -> None:
    with market.room.state.change() as connection:
        connection.execute("delete from outbox")
    assert (await events(server))[0]["messages"] == []


# --- where rules stand ------------------------------------------------------------------------------


async def test_what_fires_stands_before_what_does_not(market: MadeUpMarket, server: Served) -> None:
    everywhere = market.room.make({"scope": "all_pairs", "metric": "spread_z", "condition": ">", "threshold": 2})
    pending = RuleLife(everywhere, "SOLUSDT/ETHUSDT", Life(FIRED_MS, Stage.PENDING), since_ms=FIRED_MS)
    market.room.write(lives=[pending])
    found = await ask(server, "GET", "/alerts/standing")
    told = [(each["rule"], each["target"], each["stage"]) for each in found["standing"]]
    assert told[:2] == [(1, "ETHUSDT/BTCUSDT", "firing"), (everywhere, "SOLUSDT/ETHUSDT", "pending")]
    assert {stage for _, _, stage in told[2:]} == {"inactive"}
    assert (len(told), found["left_out"]) == (4, 0)
    few = await ask(server, "GET", "/alerts/standing?limit=3")
    assert (few["standing"], few["left_out"]) == (found["standing"][:3], 1)
    of_one = await ask(server, "GET", f"/alerts/standing?rule={everywhere}&target=SOLUSDT-ETHUSDT")
    assert of_one["standing"] == [found["standing"][1]]
    assert [each["rule"] for each in (await ask(server, "GET", "/alerts/standing?rule=1"))["standing"]] == [1]
    await refused(server, "GET", "/alerts/standing?rule=9", None, 404)


# --- beside a pair ----------------------------------------------------------------------------------


async def test_a_pair_is_told_with_its_alerts_when_they_are_asked_for(market: MadeUpMarket, server: Served) -> None:
    address = "/analytics/pair?y=ETHUSDT&x=BTCUSDT&interval=1s&limit=60"
    assert (await ask(server, "GET", address))["alerts"] is None
    times = (await ask(server, "GET", address))["series"]["open_time_ms"]
    within, at_the_end = times[10] + 1_000, times[-1] + 1_000
    for time_ms in (within, at_the_end, at_the_end + 1, times[0] - 1):
        market.room.write(fired(time_ms=time_ms, messages={}))
    market.room.write(fired(time_ms=within, target="SOLUSDT/BTCUSDT", messages={}))
    found = (await ask(server, "GET", f"{address}&alerts=true"))["alerts"]
    assert [each["time_ms"] for each in found["events"]] == [at_the_end, within]
    assert [(each["rule"], each["stage"]) for each in found["standing"]] == [(1, "firing")]
    other = (await ask(server, "GET", f"{address.replace('ETH', 'SOL')}&alerts=true"))["alerts"]
    assert ([each["target"] for each in other["events"]], other["standing"]) == (["SOLUSDT/BTCUSDT"], [])


async def test_a_pair_without_a_bar_has_no_events(new_market: MadeUpMarket, serve: Serve) -> None:
    async with serve(new_market.app()) as server:
        found = await ask(server, "GET", "/analytics/pair?y=ETHUSDT&x=BTCUSDT&alerts=true")
        assert (found["alerts"]["events"], len(found["alerts"]["standing"])) == ([], 1)
