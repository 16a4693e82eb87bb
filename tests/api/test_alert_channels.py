"""Channels over the API: made, tried, switched, deleted; what became of messages, and sending them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pairscope.alerts.outbox import Message, Notice, put
from tests.alerts.delivery.receiver import receiving
from tests.api.alert_room import DESK
from tests.api.test_alert_rules import ask, refused

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Served

SECRET_URL = "https://user:hunter2@hooks.example/s3cret?key=t0ken"
HOOK = {"name": "office", "kind": "webhook", "url": SECRET_URL}
NOTICE = Notice(
    title="Wide", text="", severity="info", rule="Wide", target="ETHUSDT/BTCUSDT", transition="fired", time_ms=0
)


def write(market: MadeUpMarket, *ids: str, channel: str = "desk", state: str = "dead") -> None:
    with market.room.state.change() as connection:
        put(connection, [Message(id=each, channel=channel, made_ms=1_000, notice=NOTICE) for each in ids])
        connection.execute(f"update outbox set state = ? where id in ({', '.join('?' * len(ids))})", (state, *ids))


async def test_a_channel_is_made_and_its_key_is_shown_that_once(server: Served) -> None:
    made = await ask(server, "POST", "/alerts/channels", HOOK)
    assert made["secret"].startswith("whsec_")
    assert (made["channel"]["name"], made["channel"]["place"]) == ("office", "https://hooks.example/…")
    assert made["channel"]["secrets"] == {"url": "kept", "secret": "kept"}
    listed = await ask(server, "GET", "/alerts/channels")
    assert [each["name"] for each in listed["channels"]] == ["desk", "office", "phone"]
    assert (listed["sent"], listed["failed"], listed["heartbeat"], listed["most_channels"]) == (0, 0, None, 100)
    assert "tgram" in listed["services"]
    assert await ask(server, "GET", "/alerts/channels/office") == made["channel"]


async def test_what_is_secret_is_in_no_answer(market: MadeUpMarket, server: Served) -> None:
    key = (await ask(server, "POST", "/alerts/channels", HOOK))["secret"]
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/alerts/channels", None),
        ("GET", "/alerts/channels/office", None),
        ("PUT", "/alerts/channels/office", {"kind": "webhook"}),
        ("PATCH", "/alerts/channels/office", {"is_on": False}),
        ("GET", "/alerts/messages", None),
        ("DELETE", "/alerts/channels/office", None),
    ]
    for method, path, body in asked:
        told = str(await ask(server, method, path, body))
        assert not [each for each in (key, "hunter2", "s3cret", "t0ken") if each in told], path
    answer = await server.http.post("/alerts/channels", json={**HOOK, "url": "ftp://hunter2"})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (DESK, 409, "channel_exists"),
        ({**HOOK, "kind": "pigeon"}, 422, "bad_channel"),
        ({**HOOK, "name": "page"}, 422, "bad_channel"),
        ({**HOOK, "color": "red"}, 422, "bad_channel"),
        ({**HOOK, "url": "http://169.254.169.254/latest"}, 422, "address_refused"),
        ({**HOOK, "url": "env:PATH"}, 422, "bad_secret"),
        ({}, 422, "bad_channel"),
        ([], 422, "bad_body"),
    ],
)
async def test_a_channel_that_cannot_be_is_refused(
    market: MadeUpMarket, server: Served, body: Any, status: int, code: str
) -> None:
    before = market.state_of_things()
    assert (await refused(server, "POST", "/alerts/channels", body, status))["code"] == code
    assert market.state_of_things() == before


async def test_a_channel_is_changed_and_keeps_what_is_left_out(server: Served) -> None:
    changed = await ask(server, "PUT", "/alerts/channels/phone", {"url": "https://other.example/x"})
    assert (changed["kind"], changed["place"]) == ("webhook", "https://other.example/…")
    for method, body in (("PUT", {"kind": "webhook"}), ("PATCH", {"is_on": True}), ("GET", None), ("DELETE", None)):
        assert (await refused(server, method, "/alerts/channels/fone", body, 404))["cure"] == "did you mean phone?"
    assert (await refused(server, "POST", "/alerts/channels/fone/test", {}, 404))["code"] == "unknown_channel"


async def test_a_channel_is_switched_off_and_on(server: Served) -> None:
    assert (await ask(server, "PATCH", "/alerts/channels/phone", {"is_on": False}))["off_reason"] == "person"
    assert (await ask(server, "PATCH", "/alerts/channels/phone", {"is_on": True}))["off_reason"] is None
    for body in ({}, {"on": True}, {"is_on": "yes"}):
        assert (await refused(server, "PATCH", "/alerts/channels/phone", body, 422))["code"] == "bad_body"


async def test_a_channel_that_rules_send_to_is_deleted_when_none_does(server: Served) -> None:
    error = await refused(server, "DELETE", "/alerts/channels/desk", None, 409)
    assert (error["code"], "1 (Wide)" in error["message"]) == ("channel_in_use", True)
    await ask(server, "PATCH", "/alerts/rules/1", {"channels": []})
    assert (await ask(server, "DELETE", "/alerts/channels/desk"))["name"] == "desk"
    await refused(server, "GET", "/alerts/channels/desk", None, 404)


async def test_a_channel_is_tried_at_once_and_says_what_came_of_it(server: Served) -> None:
    failed = await ask(server, "POST", "/alerts/channels/desk/test", {})
    assert (failed["channel"], failed["error"]) == ("desk", "no connection")
    async with receiving() as receiver:
        await ask(server, "PUT", "/alerts/channels/desk", {"kind": "webhook", "url": receiver.url})
        assert (await ask(server, "POST", "/alerts/channels/desk/test", {}))["error"] is None
        assert receiver.received[0].told["transition"] == "test"


async def test_messages_are_listed_by_state_and_channel(market: MadeUpMarket, server: Served) -> None:
    write(market, "a", "b", channel="phone", state="sent")
    everything = await ask(server, "GET", "/alerts/messages")
    assert {each["id"] for each in everything} == {"fired-1", "a", "b"}
    (dead,) = await ask(server, "GET", "/alerts/messages?state=DEAD")
    assert (dead["id"], dead["channel"], dead["error"], dead["tries"]) == ("fired-1", "desk", "no connection", 25)
    assert [each["id"] for each in await ask(server, "GET", "/alerts/messages?channel=phone&limit=1")] == ["b"]
    assert await ask(server, "GET", "/alerts/messages?channel=phone&state=dead") == []
    write(market, "c", channel="gone")
    assert [each["id"] for each in await ask(server, "GET", "/alerts/messages?channel=gone&state=dead")] == ["c"]
    assert await ask(server, "GET", "/alerts/messages?channel=gone&state=sent") == []
    error = await refused(server, "GET", "/alerts/messages?channel=desc", None, 404)
    assert (error["code"], error["cure"]) == ("unknown_channel", "did you mean desk?")
    await refused(server, "GET", "/alerts/messages?state=lost", None, 422)
    await refused(server, "GET", "/alerts/messages?limit=1001", None, 422)


async def test_messages_that_were_given_up_are_sent_again_with_their_ids(market: MadeUpMarket, server: Served) -> None:
    write(market, "a", "b")
    write(market, "c", channel="phone")
    assert await ask(server, "POST", "/alerts/messages/replay", {"ids": ["a", "nobody"]}) == {"waiting": 1}
    assert await ask(server, "POST", "/alerts/messages/replay", {"channel": "desk"}) == {"waiting": 2}
    waiting = await ask(server, "GET", "/alerts/messages?state=waiting")
    assert {each["id"] for each in waiting} == {"a", "b", "fired-1"}
    for body in ({}, {"ids": ["a"], "channel": "desk"}, {"ids": [f"{i}" for i in range(1_001)]}):
        assert (await refused(server, "POST", "/alerts/messages/replay", body, 422))["code"] == "bad_request"
    await refused(server, "POST", "/alerts/messages/replay", {"channel": "desc"}, 404)
