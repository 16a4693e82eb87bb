"""Rules over the API: made in every form, changed in part, deleted, brought back, muted; each change with its maker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pairscope.alerts.presets import PRESETS
from pairscope.alerts.rule_fields import OF_CLAUSE, RULE_KEYS
from pairscope.api import wire
from pairscope.api.routes import ENDPOINTS
from tests.api.alert_room import AlertRoom, fired

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Serve, Served

Z = {"pair": "ETHUSDT/BTCUSDT", "metric": "spread_z", "condition": ">", "threshold": 2}


async def ask(server: Served, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await server.http.request(method, path, **({} if body is None else {"json": body}))
    assert answer.status_code == status, answer.text
    return answer.json()


async def refused(server: Served, method: str, path: str, body: Any, status: int) -> dict[str, str]:
    error: dict[str, str] = (await ask(server, method, path, body, status))["error"]
    assert error["cure"]
    return error


async def test_a_rule_is_made_read_and_listed(server: Served) -> None:
    made = await ask(server, "POST", "/alerts/rules", {**Z, "name": "Wider", "threshold": 3})
    assert (made["id"], made["revision"], made["name"], made["symbols"]) == (2, 1, "Wider", ["ETHUSDT", "BTCUSDT"])
    assert made["sentence"] == "spread_z of ETHUSDT/BTCUSDT is above 3, of 30 bars of 1s"
    condition = {"metric": "spread_z", "condition": ">", "threshold": 3.0, "reset": 0.75, "text": "is above 3"}
    assert (made["first"], made["second"]) == (condition, None)
    assert made["written"] == {**Z, "name": "Wider", "threshold": 3}
    assert (made["targets"], made["stages"], made["nearest"]["stage"]) == (1, {"inactive": 1}, "inactive")
    assert (made["counts"]["fires"], made["muted_until_ms"]) == (0, None)
    again = await rule(server, 2)
    assert again == made | {"counts": again["counts"]}, "time goes on, of which the counts are"
    listed = await ask(server, "GET", "/alerts/rules")
    assert [each["id"] for each in listed["rules"]] == [1, 2]
    assert (listed["mutes"], listed["engine"]["state"], listed["most_rules"]) == ([], "starting", 1_000)


async def rule(server: Served, number: int) -> Any:
    return await ask(server, "GET", f"/alerts/rules/{number}")


async def test_what_is_left_to_be_measured_is_measured_of_the_market(market: MadeUpMarket, server: Served) -> None:
    body = {"symbol": "BTCUSDT", "metric": "last_price", "condition": ">", "threshold": 130}
    made = await ask(server, "POST", "/alerts/rules", body)
    assert 130 - 10 < made["first"]["reset"] < 130 - 2
    error = await refused(server, "POST", "/alerts/rules", {**Z, "for": "1 half-life"}, 422)
    assert error["code"] == "half_life_unknown"
    assert len(market.room.alerts.book.all()) == 2


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        ({**Z, "metric": "spread_zz"}, 404, "unknown_metric", "did you mean spread_z?"),
        ({**Z, "treshold": 2}, 404, "unknown_parameter", "did you mean threshold?"),
        ({**Z, "threshold": "2"}, 422, "bad_parameter", "finite number"),
        ({**Z, "reset": 3}, 422, "bad_rule", "other side"),
        ({**Z, "channels": ["desc"]}, 404, "unknown_channel", "did you mean desk?"),
        ({**Z, "pair": "ETHUSD/BTCUSDT"}, 404, "unknown_symbol", "did you mean ETHUSDT?"),
        ({**Z, "pair": "<script>/BTCUSDT"}, 404, "unknown_symbol", "watched are"),
        (
            {**Z, "and": {"metric": "rsi", "condition": ">", "threshold": 70}},
            422,
            "bad_rule",
            "a metric of a pair",
        ),
        ({**Z, "windows": ["weekdays"]}, 422, "bad_parameter", "Mon-Fri"),
        ([], 422, "bad_body", "send one such as"),
        ("rule", 422, "bad_body", "send one such as"),
    ],
)
async def test_what_is_no_rule_is_refused_with_its_cure_and_nothing_is_kept(
    market: MadeUpMarket, server: Served, body: Any, status: int, code: str, said: str
) -> None:
    before = market.state_of_things()
    for method, path in (("POST", "/alerts/rules"), ("POST", "/alerts"), ("PUT", "/alerts/rules/1")):
        error = await refused(server, method, path, body, status)
        assert error["code"] == code
        assert said in error["cure"]
    assert market.state_of_things() == before


async def test_symbols_are_read_in_any_spelling(server: Served) -> None:
    made = await ask(server, "POST", "/alerts/rules", {**Z, "pair": "binance.ethusdt/btcusdt"})
    assert made["symbols"] == ["ETHUSDT", "BTCUSDT"]


async def test_with_the_same_condition_a_rule_stays_the_same_and_with_another_it_is_a_new_revision(
    server: Served,
) -> None:
    before = await rule(server, 1)
    renamed = await ask(server, "PUT", "/alerts/rules/1", {**before["written"], "name": "New", "severity": "critical"})
    assert (renamed["revision"], renamed["name"], renamed["severity"]) == (1, "New", "critical")
    patched = await ask(server, "PATCH", "/alerts/rules/1", {"note": "n", "channels": ["phone"], "severity": None})
    assert (patched["revision"], patched["note"], patched["channels"]) == (1, "n", ["phone"])
    assert (patched["name"], patched["severity"]) == ("New", "warning")
    other = await ask(server, "PATCH", "/alerts/rules/1", {"value": 2.5})
    assert (other["revision"], other["first"]["threshold"], other["channels"]) == (2, 2.5, ["phone"])
    assert other["changed_ms"] >= other["made_ms"] == before["made_ms"]
    moved = await ask(server, "PATCH", "/alerts/rules/1", {"scope": "all_pairs"})
    assert (moved["revision"], moved["scope"], moved["symbols"], moved["targets"]) == (3, "all_pairs", [], 3)


async def test_of_two_changes_at_once_neither_is_lost(server: Served) -> None:
    notes = [{"note": "n"}, {"enabled": False}, {"severity": "info"}, {"name": "New"}]
    await asyncio.gather(*(ask(server, "PATCH", "/alerts/rules/1", each) for each in notes))
    now = await rule(server, 1)
    assert (now["note"], now["enabled"], now["severity"], now["name"]) == ("n", False, "info", "New")


async def test_a_rule_is_deleted_and_brought_back(server: Served) -> None:
    gone = await ask(server, "DELETE", "/alerts/rules/1")
    assert gone["deleted_ms"] is not None
    assert (await refused(server, "GET", "/alerts/rules/1", None, 404))["code"] == "unknown_rule"
    for method, body in (("DELETE", None), ("PATCH", {"note": ""}), ("PUT", Z)):
        await refused(server, method, "/alerts/rules/1", body, 404)
    assert (await ask(server, "GET", "/alerts/rules"))["rules"] == []
    back = await ask(server, "POST", "/alerts/rules/1/undo", {})
    assert (back["id"], back["revision"], back["deleted_ms"], back["written"]) == (1, 2, None, gone["written"])
    assert (await ask(server, "POST", "/alerts/rules/1/undo", {}))["revision"] == 2
    await refused(server, "POST", "/alerts/rules/9/undo", {}, 404)
    await refused(server, "POST", "/alerts/rules/1/undo", {"really": True}, 422)


@pytest.mark.parametrize(("number", "status"), [("7", 404), ("x", 422), ("0", 422), ("9" * 30, 422), ("1e3", 422)])
async def test_a_number_that_is_no_rule_is_refused(server: Served, number: str, status: int) -> None:
    for method, path, body in (
        ("GET", f"/alerts/rules/{number}", None),
        ("PATCH", f"/alerts/rules/{number}", {}),
        ("DELETE", f"/alerts/rules/{number}", None),
        ("GET", f"/alerts/{number}", None),
        ("DELETE", f"/alerts/{number}", None),
    ):
        await refused(server, method, path, body, status)


async def test_it_is_written_who_changed_what(market: MadeUpMarket, server: Served) -> None:
    own = {"origin": f"http://127.0.0.1:{server.port}", "sec-fetch-site": "same-origin"}
    await server.http.patch("/alerts/rules/1", json={"note": "n"}, headers=own)
    await ask(server, "PUT", "/alerts/mutes", {"rule": 1, "for": "15m"})
    await ask(server, "PATCH", "/alerts/channels/desk", {"is_on": False})
    await ask(server, "DELETE", "/alerts/rules/1")
    rows = market.room.state.rows("select who, what, subject from audit where who <> 'ann' order by number")
    assert [(who, subject) for who, _, subject in rows] == [
        ("page at 127.0.0.1", "alert rule 1"),
        ("program at 127.0.0.1", "alert rule 1"),
        ("program at 127.0.0.1", "channel desk"),
        ("program at 127.0.0.1", "alert rule 1"),
    ]


async def test_the_engine_is_told_of_every_change(market: MadeUpMarket, server: Served) -> None:
    told: list[None] = []
    market.room.alerts.changed = lambda: told.append(None)  # type: ignore[method-assign]
    changes: list[tuple[str, str, Any]] = [
        ("POST", "/alerts/rules", Z),
        ("PUT", "/alerts/rules/2", {**Z, "threshold": 3}),
        ("PATCH", "/alerts/rules/2", {"note": "n"}),
        ("DELETE", "/alerts/rules/2", None),
        ("POST", "/alerts/rules/2/undo", {}),
        ("POST", "/alerts", Z),
        ("DELETE", "/alerts/3", None),
        ("PUT", "/alerts/mutes", {"for": "1m"}),
        ("DELETE", "/alerts/mutes", None),
    ]
    for number, (method, path, body) in enumerate(changes, start=1):
        await ask(server, method, path, body)
        assert len(told) == number, path


# --- the short forms --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"symbol": "BTCUSDT", "metric": "z_score", "condition": ">", "threshold": 2.0, "enabled": True},
            {"symbol": "BTCUSDT", "pair": None, "metric": "price_z", "condition": ">", "threshold": 2.0},
        ),
        (
            {"metric": "zscore", "operator": ">", "value": 2},
            {"symbol": None, "pair": "ETHUSDT/BTCUSDT", "metric": "spread_z", "operator": ">", "value": 2.0},
        ),
        (
            {"name": "Low", "threshold": -2, "direction": "below", "pair": ["SOLUSDT", "BTCUSDT"]},
            {"name": "Low", "pair": "SOLUSDT/BTCUSDT", "metric": "spread_z", "condition": "<", "threshold": -2.0},
        ),
        (
            {"scope": "all_symbols", "metric": "rsi", "condition": "outside", "threshold": [30, 70], "reset": [40, 60]},
            {"symbol": None, "pair": None, "metric": "rsi", "condition": "outside", "threshold": [30.0, 70.0]},
        ),
        (
            {"symbol": "ETHUSDT", "metric": "trend", "condition": "is", "threshold": "uptrend", "enabled": False},
            {"symbol": "ETHUSDT", "metric": "trend", "condition": "is", "threshold": "uptrend", "enabled": False},
        ),
    ],
)
async def test_the_short_forms_are_answered_in_their_own_words(
    server: Served, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = await ask(server, "POST", "/alerts", body)
    assert {key: made[key] for key in expected} == expected
    assert (made["operator"], made["value"]) == (made["condition"], made["threshold"])
    assert made["message"]
    (listed,) = [each for each in await ask(server, "GET", "/alerts") if each["id"] == made["id"]]
    assert listed == await ask(server, "GET", f"/alerts/{made['id']}")
    assert {**listed, "state": None} == made
    assert (await ask(server, "DELETE", f"/alerts/{made['id']}"))["id"] == made["id"]
    assert [each["id"] for each in await ask(server, "GET", "/alerts")] == [1]


async def test_a_short_form_tells_the_most_urgent_state_and_the_last_fire(market: MadeUpMarket, server: Served) -> None:
    (short,) = await ask(server, "GET", "/alerts")
    assert (short["state"], short["last_fired_ms"]) == ("firing", fired().time_ms)


# --- mutes ------------------------------------------------------------------------------------------


async def test_a_rule_or_all_of_them_are_muted_until_a_time(server: Served) -> None:
    (mute,) = await ask(server, "PUT", "/alerts/mutes", {"rule": 1, "for": "15m", "note": "lunch"})
    assert (mute["rule"], mute["note"]) == (1, "lunch")
    assert mute["until_ms"] - mute["since_ms"] == pytest.approx(900_000, abs=1_000)
    assert (await rule(server, 1))["muted_until_ms"] == mute["until_ms"]
    until_ms = mute["until_ms"] + 60_000
    both = await ask(server, "PUT", "/alerts/mutes", {"until_ms": until_ms})
    assert [each["rule"] for each in both] == [None, 1]
    listed = await ask(server, "GET", "/alerts/rules")
    assert (listed["rules"][0]["muted_until_ms"], listed["mutes"]) == (until_ms, both)
    assert [each["rule"] for each in await ask(server, "DELETE", "/alerts/mutes")] == [1]
    assert await ask(server, "DELETE", "/alerts/mutes?rule=1") == await ask(server, "GET", "/alerts/mutes") == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "bad_mute"),
        ({"rule": 1}, 422, "bad_mute"),
        ({"for": "15m", "until_ms": 1}, 422, "bad_mute"),
        ({"for": "soon"}, 422, "bad_mute"),
        ({"for": "31d"}, 422, "bad_parameter"),
        ({"until_ms": 1}, 422, "bad_parameter"),
        ({"rule": 9, "for": "15m"}, 404, "unknown_rule"),
        ({"rule": "one", "for": "15m"}, 422, "bad_body"),
        ({"for": "15m", "note": "n" * 2_001}, 422, "bad_body"),
    ],
)
async def test_a_mute_that_cannot_be_is_refused(server: Served, body: Any, status: int, code: str) -> None:
    assert (await refused(server, "PUT", "/alerts/mutes", body, status))["code"] == code
    assert await ask(server, "GET", "/alerts/mutes") == []


# --- the rest ---------------------------------------------------------------------------------------


async def test_presets_are_given_as_they_would_be_sent(server: Served) -> None:
    found = await ask(server, "GET", "/alerts/presets")
    assert [each["key"] for each in found] == [each.key for each in PRESETS]
    made = await ask(server, "POST", "/alerts/rules", found[0]["rule"])
    assert (made["scope"], made["half_life_ms"], made["interval"]) == ("all_pairs", 300_000, "10s")


async def test_of_a_rule_on_many_the_most_urgent_is_told_and_the_others_are_counted(
    market: MadeUpMarket, server: Served
) -> None:
    number = market.room.make({"scope": "all_pairs", "metric": "spread_z", "condition": ">", "threshold": 2})
    told = await rule(server, number)
    assert (told["targets"], told["stages"], told["unknown"]) == (3, {"inactive": 3}, 0)
    assert (await rule(server, 1))["stages"] == {"firing": 1}


def test_everything_that_changes_alerts_says_so() -> None:
    writes = [each for each in ENDPOINTS if each.group == "Alerts" and each.scope == "write"]
    assert writes
    assert all(each.writes_state for each in writes)
    assert not [each for each in ENDPOINTS if each.scope == "read" and each.writes_state]


async def test_of_a_tape_that_is_looked_at_rules_are_shown_and_nothing_is_changed(
    market: MadeUpMarket, serve: Serve
) -> None:
    looked_at = AlertRoom(market.settings, market.live, market.clock, "tape")
    looked_at.begin()
    before = looked_at.all_there_is()
    async with serve(market.app(alerts=looked_at.alerts)) as server:
        listed = await ask(server, "GET", "/alerts/rules")
        assert (len(listed["rules"]), listed["engine"]["state"]) == (1, "off")
        for each in ENDPOINTS:
            if each.writes_state:
                error = await refused(server, each.method, each.example, each.example_body, 409)
                assert error["code"] == "looked_at"
                assert "without --source tape" in error["cure"]
    assert looked_at.all_there_is() == before
    looked_at.state.close()


def test_a_rule_as_it_is_sent_has_every_key_that_is_read() -> None:
    assert {each.encode_name for each in msgspec.structs.fields(wire.NewRule)} == {*RULE_KEYS}
    assert {each.encode_name for each in msgspec.structs.fields(wire.NewCondition)} == {*OF_CLAUSE}
