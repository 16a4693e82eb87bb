"""What a webhook gets: signed by the channel's key, over the connection it is meant for, and told in few words."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trustme

from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channel import Webhook, read_key
from pairscope.alerts.delivery.letter import Letter, payload
from pairscope.alerts.delivery.secret import Secrets
from pairscope.alerts.delivery.webhook import Poster, WebhookSender, signed
from pairscope.base.clock import ManualClock
from tests.alerts.delivery.desk import KEY, START_MS, notice
from tests.alerts.delivery.receiver import OK, TRICKLES, Answer, Received, receiving


def letter(url: str, key: str = KEY, **more: Any) -> Letter:
    return Letter(id="msg-1", channel="desk", settings=Webhook(url, key), notice=notice(1), **more)


def sender(
    folder: Path, look_up: Any = None, trusted: ssl.SSLContext | None = None, **environment: str
) -> WebhookSender:
    clock = ManualClock(START_MS)
    destinations = Destinations(("127.0.0.1",), look_up or (lambda *_: ("127.0.0.1",)))
    poster = Poster(destinations, clock, lambda: trusted or ssl.create_default_context())
    return WebhookSender(poster, Secrets(folder / "secrets", environment), clock)


def is_signed(request: Received, key: bytes) -> bool:
    """As the description of Standard Webhooks has a receiver check it, written anew."""
    told = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    right = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    return request.headers["webhook-signature"].split(" ") == [f"v1,{right}"]


async def test_a_message_is_signed_and_says_what_happened(tmp_path: Path) -> None:
    async with receiving() as receiver:
        assert (await sender(tmp_path).send(letter(receiver.url))).is_sent
    (request,) = receiver.received
    assert (request.method, request.path) == ("POST", "/hook")
    assert is_signed(request, read_key(KEY))
    assert not is_signed(request, bytes(32)[:-1] + b"1")
    assert int(request.headers["webhook-timestamp"]) == START_MS // 1_000
    assert request.headers["webhook-id"] == request.headers["idempotency-key"] == "msg-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("pairscope/")
    told = msgspec.json.decode(request.body)
    assert (told["type"], told["timestamp"]) == ("alert.firing", "2025-11-27T12:00:00.000Z")
    assert datetime.fromisoformat(told["timestamp"]) == datetime.fromtimestamp(START_MS / 1_000, UTC)
    assert told["data"] == {"id": "msg-1"} | msgspec.to_builtins(notice(1))


def test_a_signature_is_that_of_the_published_example() -> None:
    """The id, time, body and key of the description's own example."""
    key = read_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_digest_has_its_messages_by_their_ids() -> None:
    told = msgspec.json.decode(payload(letter("http://x/", carried=(("a", notice(1)), ("b", notice(2))))))
    assert [(each["id"], each["number"]) for each in told["data"]["messages"]] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (202, None),
        (204, None),
        (299, None),
        (301, "it redirects (301), which is not followed"),
        (400, "it answered 400"),
        (410, "it wants no more messages (410)"),
        (500, "it answered 500"),
    ],
)
async def test_what_came_of_it_is_told_by_the_status(tmp_path: Path, status: int, error: str | None) -> None:
    async with receiving(Answer(status)) as receiver:
        outcome = await sender(tmp_path).send(letter(receiver.url))
    assert outcome.error == error
    assert outcome.is_gone == (status == 410)


async def test_who_it_is_sent_as_stands_in_the_address_and_the_port_in_the_host(tmp_path: Path) -> None:
    async with receiving() as receiver:
        url = f"http://me:pass@hooks.example:{receiver.port}/a%20b?key=1"
        assert (await sender(tmp_path).send(letter(url))).is_sent
    (request,) = receiver.received
    assert request.headers["host"] == f"hooks.example:{receiver.port}"
    assert request.path == "/a%20b?key=1"
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"me:pass"


async def test_the_next_address_of_a_host_is_tried_when_nobody_answers_at_the_first(tmp_path: Path) -> None:
    async with receiving() as receiver:
        both = sender(tmp_path, lambda *_: ("127.0.0.9", "127.0.0.1"))
        both._poster._destinations._names.add("hooks.example")
        assert (await both.send(letter(f"http://hooks.example:{receiver.port}/"))).is_sent
    assert receiver.ids == ["msg-1"], "and nothing is sent twice"


@pytest.mark.parametrize(
    ("name", "error"), [("hooks.example", None), ("other.example", "its certificate is not trusted")]
)
async def test_a_certificate_is_checked_for_the_name_though_an_address_is_asked(
    tmp_path: Path, name: str, error: str | None
) -> None:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("hooks.example").configure_cert(server)
    authority.configure_trust(client)
    async with receiving(trusted=server) as receiver:
        asking = sender(tmp_path, trusted=client)
        outcome = await asking.send(letter(f"https://{name}:{receiver.port}/"))
        assert outcome.error == error
        assert len(receiver.received) == (error is None)


async def test_a_certificate_of_nobody_known_is_not_trusted(tmp_path: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("hooks.example").configure_cert(server)
    async with receiving(trusted=server) as receiver:
        outcome = await sender(tmp_path).send(letter(f"https://hooks.example:{receiver.port}/"))
    assert outcome.error == "its certificate is not trusted"


async def test_what_is_named_elsewhere_is_read_when_it_is_sent(tmp_path: Path) -> None:
    async with receiving() as receiver:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "key").write_text(f"{KEY}\n")
        asking = sender(tmp_path, PAIRSCOPE_SECRET_HOOK=receiver.url)
        assert (await asking.send(letter("env:PAIRSCOPE_SECRET_HOOK", "file:key"))).is_sent
        assert is_signed(receiver.received[0], read_key(KEY))
        gone = await asking.send(letter("env:PAIRSCOPE_SECRET_OTHER", "file:key"))
        assert gone.error == "the variable PAIRSCOPE_SECRET_OTHER is not set"
        wrong = await sender(tmp_path, PAIRSCOPE_SECRET_HOOK="ftp://x").send(letter("env:PAIRSCOPE_SECRET_HOOK"))
        assert wrong.error == "the address of a webhook cannot be read"
    assert len(receiver.received) == 1


async def test_an_answer_is_not_waited_for_beyond_its_head(tmp_path: Path) -> None:
    """A body without end is nobody's business; neither is what it says."""
    answers = iter([Answer(200, [("Content-Length", "1000000000")]), OK])
    async with receiving(lambda _: next(answers)) as receiver:
        assert (await sender(tmp_path).send(letter(receiver.url))).is_sent


async def test_an_answer_that_does_not_come_to_its_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairscope.alerts.delivery.webhook.WHOLE_S", 0.2)
    async with receiving(Answer(TRICKLES)) as receiver:
        assert (await sender(tmp_path).send(letter(receiver.url))).error == "no answer in time"


async def test_an_odd_id_is_sent_as_it_is_or_not_at_all(tmp_path: Path) -> None:
    async with receiving() as receiver:
        odd = msgspec.structs.replace(letter(receiver.url), id="a\r\nX-Evil: 1")
        assert not (await sender(tmp_path).send(odd)).is_sent
    assert receiver.received == []


def test_the_host_of_a_request_is_what_stands_in_its_address() -> None:
    assert httpx.URL("http://[::1]:80/").netloc == b"[::1]"
