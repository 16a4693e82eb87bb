"""Mail goes to the server of the channel, at the address that was checked, under its certificate, and once."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from pairscope.alerts.delivery import mail
from pairscope.alerts.delivery.addresses import Destinations
from pairscope.alerts.delivery.channel import Mail
from pairscope.alerts.delivery.letter import Letter
from pairscope.alerts.delivery.mail import MailSender, written
from pairscope.alerts.delivery.outcome import Outcome
from pairscope.alerts.delivery.secret import Secrets
from pairscope.base.clock import ManualClock
from pairscope.base.net import UnknownHost
from tests.alerts.delivery.desk import START_MS, notice

SECRET = "s3cr3t"


@dataclass
class MailServer:
    """Speaks as much of the protocol as there is need for; ``says`` are answers other than yes."""

    certificate: ssl.SSLContext | None
    says: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    port: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)  # by one who was told nothing

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._talk(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.says.get('greeting', '220 here')}\r\n".encode())
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ")[0].upper().split(":")[0]
            self.heard.append(line)
            if verb in self.says:
                answer = self.says[verb]
            elif verb == "EHLO":
                answer = (
                    "250-here\r\n250-AUTH PLAIN\r\n250 STARTTLS" if self.certificate else "250-here\r\n250 AUTH PLAIN"
                )
            else:
                answer = {"DATA": "354 go on", "AUTH": "235 welcome", "STARTTLS": "220 go", "QUIT": "221 bye"}.get(
                    verb, "250 yes"
                )
            if answer == "silence":
                await reader.read()
                self.left.set()
                return
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
            if verb == "STARTTLS":
                assert self.certificate is not None
                await writer.start_tls(self.certificate)
            if verb == "DATA" and answer.startswith("354"):
                self.messages.append((await reader.readuntil(b"\r\n.\r\n"))[:-5])
                writer.write(f"{self.says.get('message', '250 taken')}\r\n".encode())


@contextlib.asynccontextmanager
async def serving(
    certificate: ssl.SSLContext | None = None, says: Mapping[str, str] | None = None, *, at_once: bool = False
) -> AsyncIterator[MailServer]:
    """A mail server on this machine, with TLS when it is asked for or at once."""
    server = MailServer(certificate, dict(says or {}))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=certificate if at_once else None)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


@pytest.fixture(scope="module")
def certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server that is called smtp.example, and what trusts it."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("smtp.example").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def send(folder: Path, trusted: ssl.SSLContext | None = None, **settings: Any) -> Outcome:
    told = {
        "host": "smtp.example",
        "sender": "desk@b.example",
        "to": ("a@b.example", "c@d.example"),
        "security": "none",
    }
    clock = ManualClock(START_MS)
    sender = MailSender(
        Destinations(("127.0.0.1",), lambda *_: ("127.0.0.1",)),
        Secrets(folder, {"PAIRSCOPE_SECRET_SMTP": SECRET}),
        clock,
        lambda: trusted or ssl.create_default_context(),
    )
    return await sender.send(Letter(id="msg-1", channel="me", settings=Mail(**(told | settings)), notice=notice(1)))


def parsed(message: bytes) -> EmailMessage:
    found = message_from_bytes(message, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


async def test_a_message_is_handed_over_to_everybody_it_is_for(tmp_path: Path) -> None:
    async with serving() as server:
        assert (await send(tmp_path, port=server.port)).is_sent
    (text,) = server.messages
    message = parsed(text)
    assert (message["Subject"], message["From"]) == ("alert 1", "desk@b.example")
    assert message["To"] == "a@b.example, c@d.example"
    assert message["Date"].datetime.timestamp() == START_MS // 1_000
    assert message.get_content().strip() == "spread_z of ETHUSDT/BTCUSDT is 2.1"
    assert [each for each in server.heard if each.startswith("rcpt")] == [
        "rcpt TO:<a@b.example>",
        "rcpt TO:<c@d.example>",
    ]


async def test_the_next_address_of_a_server_is_tried_when_nobody_answers_at_the_first(tmp_path: Path) -> None:
    settings = Mail("smtp.example", "a@b.example", ("c@d.example",), security="none")
    async with serving() as server:
        both = Destinations(("127.0.0.0/8",), lambda *_: ("127.0.0.9", "127.0.0.1"))
        sender = MailSender(both, Secrets(tmp_path, {}), ManualClock(START_MS))
        letter = Letter(
            id="m", channel="me", settings=msgspec.structs.replace(settings, port=server.port), notice=notice()
        )
        assert (await sender.send(letter)).is_sent
    assert len(server.messages) == 1


def test_a_repetition_has_the_same_message_id() -> None:
    letter = Letter(id="msg-1", channel="me", settings=Mail("h", "a@b", ("c@d",)), notice=notice(1))
    assert written(letter, 1)["Message-ID"] == written(letter, 9)["Message-ID"]
    other = Letter(id="msg-2", channel="me", settings=Mail("h", "a@b", ("c@d",)), notice=notice(1))
    assert written(letter, 1)["Message-ID"] != written(other, 1)["Message-ID"]


def test_a_title_of_several_lines_adds_no_header() -> None:
    letter = Letter(
        id="m\r\nBcc: x@y",
        channel="me",
        settings=Mail("h", "a@b", ("c@d",)),
        notice=notice(title="a\r\nBcc: x@y.example"),
    )
    message = written(letter, 1)
    assert message["Subject"] == "a Bcc: x@y.example"
    assert message["Bcc"] is None


async def test_a_login_goes_over_a_connection_that_was_secured(
    tmp_path: Path, certificates: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server_side, trusted = certificates
    login = {"user": "me", "password": "env:PAIRSCOPE_SECRET_SMTP"}
    async with serving(server_side) as server:
        assert (await send(tmp_path, trusted, port=server.port, security="starttls", **login)).is_sent
    verbs = [each.split(" ")[0].upper() for each in server.heard]
    assert verbs.index("STARTTLS") < verbs.index("AUTH") < verbs.index("MAIL")
    auth = next(each for each in server.heard if each.upper().startswith("AUTH")).split(" ")[-1]
    assert base64.b64decode(auth) == f"\0me\0{SECRET}".encode()
    async with serving(server_side, at_once=True) as server:
        assert (await send(tmp_path, trusted, port=server.port, security="tls", **login)).is_sent
    assert len(server.messages) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_another_name_gets_no_password(
    tmp_path: Path, certificates: tuple[ssl.SSLContext, ssl.SSLContext], security: str
) -> None:
    server_side, trusted = certificates
    login = {"host": "other.example", "user": "me", "password": SECRET}
    async with serving(server_side, at_once=security == "tls") as server:
        outcome = await send(tmp_path, trusted, port=server.port, security=security, **login)
    assert outcome.error == "the certificate of the mail server is not trusted"
    assert not [each for each in server.heard if each.upper().startswith("AUTH")]


async def test_a_server_without_starttls_gets_no_password(tmp_path: Path) -> None:
    async with serving() as server:
        outcome = await send(tmp_path, port=server.port, security="starttls", user="me", password=SECRET)
    assert outcome.error == "the mail server has no STARTTLS, or no login"
    assert not [each for each in server.heard if each.upper().startswith("AUTH")]


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ({"greeting": "554 go away"}, "the mail server answered 554"),
        ({"MAIL": f"550 {SECRET}"}, "the mail server answered 550"),
        ({"RCPT": f"550 {SECRET}"}, "the mail server refused the address of everybody it was for"),
        ({"DATA": "452 full"}, "the mail server answered 452"),
        ({"message": f"554 {SECRET}"}, "the mail server answered 554"),
        ({"greeting": "hello"}, "what answers is no mail server"),
    ],
)
async def test_what_the_server_says_is_told_by_its_number_alone(
    tmp_path: Path, says: dict[str, str], error: str
) -> None:
    async with serving(says=says) as server:
        outcome = await send(tmp_path, port=server.port)
    assert outcome.error == error


async def test_a_login_that_is_refused_is_told_so(
    tmp_path: Path, certificates: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server_side, trusted = certificates
    async with serving(server_side, {"AUTH": f"535 {SECRET}"}) as server:
        outcome = await send(tmp_path, trusted, port=server.port, security="starttls", user="me", password=SECRET)
    assert outcome.error == "the mail server refused user or password (535)"


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "DATA"])
async def test_a_server_that_does_not_get_on_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(mail, "TALK_S", 0.1)
    async with serving(says={verb: "silence"}) as server:
        assert (await send(tmp_path, port=server.port)).error == "the mail server does not get on"
        async with asyncio.timeout(5):  # the library itself would wait for 10 s
            await server.left.wait()


async def test_nobody_there_and_nobody_allowed_are_told_apart(tmp_path: Path) -> None:
    assert (await send(tmp_path, port=1)).error == "the mail server cannot be reached, or broke off"
    closed = MailSender(Destinations((), lambda *_: ("10.0.0.1",)), Secrets(tmp_path, {}), ManualClock())
    settings = Mail("smtp.example", "a@b.example", ("c@d.example",))
    outcome = await closed.send(Letter(id="m", channel="me", settings=settings, notice=notice()))
    assert "a private network" in str(outcome.error)

    def nobody(*_: object) -> tuple[str, ...]:
        raise UnknownHost

    nowhere = MailSender(Destinations((), nobody), Secrets(tmp_path, {}), ManualClock())
    letter = Letter(id="m", channel="me", settings=settings, notice=notice())
    assert (await nowhere.send(letter)).error == "its host cannot be looked up"
    named = await send(tmp_path, port=1, user="me", password="env:PAIRSCOPE_SECRET_NONE")
    assert named.error == "the variable PAIRSCOPE_SECRET_NONE is not set"
