"""Sends mail by a server of the user's, to the very address of it that was checked."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import formatdate

from pairscope.alerts.delivery.addresses import AddressRefused, Destinations
from pairscope.alerts.delivery.channel import Mail
from pairscope.alerts.delivery.letter import Letter
from pairscope.alerts.delivery.outcome import SENT, Outcome
from pairscope.alerts.delivery.secret import BadSecret, Secrets
from pairscope.base.clock import Clock, now_ms
from pairscope.base.net import UnknownHost, connected_socket
from pairscope.base.threads import given_up_after
from pairscope.feed.access import certificates

CONNECT_S = 5.0
STEP_S = 10.0  # of each line of the talk
TALK_S = 30.0
MOST_ADDRESSES = 3  # of one host that are tried, one after the other


class MailSender:
    """Sends a letter by the mail server of its channel."""

    def __init__(
        self,
        destinations: Destinations,
        secrets: Secrets,
        clock: Clock,
        trusted: Callable[[], ssl.SSLContext] = certificates,
    ) -> None:
        self._destinations = destinations
        self._secrets = secrets
        self._clock = clock
        self._trusted = trusted

    async def send(self, letter: Letter) -> Outcome:
        """Send it once. Of what the server says only the number is told."""
        settings = letter.settings
        assert isinstance(settings, Mail)
        try:
            password = self._secrets.read(settings.password) if settings.password else ""
            addresses = (await self._destinations.of(settings.host, settings.port))[:MOST_ADDRESSES]
        except (AddressRefused, BadSecret) as error:
            return Outcome(error.message)
        except (UnknownHost, TimeoutError):
            return Outcome("its host cannot be looked up")
        talk = _Talk(addresses, settings, password, self._trusted)
        message = written(letter, now_ms(self._clock) // 1_000)
        try:
            return await given_up_after(TALK_S, lambda: talk.hand_over(message))
        except TimeoutError:
            return Outcome("the mail server does not get on")
        finally:
            talk.end()


def written(letter: Letter, time_s: int) -> EmailMessage:
    """The message as mail; its Message-ID is made of the id, so that a mailbox knows a repetition."""
    assert isinstance(letter.settings, Mail)
    message = EmailMessage()
    message["Subject"] = " ".join(letter.notice.title.split())[:200]
    message["From"] = letter.settings.sender
    message["To"] = ", ".join(letter.settings.to)
    message["Date"] = formatdate(time_s)
    message["Message-ID"] = f"<{letter.id.encode().hex()}@pairscope>"
    message["Auto-Submitted"] = "auto-generated"  # nobody answers it with a note of absence
    message.set_content(letter.notice.text or letter.notice.title)
    return message


class _Talk:
    """One talk with the server, which can be ended from outside."""

    def __init__(
        self, addresses: Sequence[str], settings: Mail, password: str, trusted: Callable[[], ssl.SSLContext]
    ) -> None:
        self._addresses = addresses
        self._settings = settings
        self._password = password
        self._trusted = trusted
        self._connection: socket.socket | None = None
        self._server: smtplib.SMTP | None = None

    def hand_over(self, message: EmailMessage) -> Outcome:
        settings = self._settings
        try:
            self._connection = self._connected()
            self._connection.settimeout(STEP_S)
            if settings.security == "tls":
                self._connection = self._trusted().wrap_socket(self._connection, server_hostname=settings.host)
            with _Server(self._connection, settings.host) as server:
                self._server = server
                if settings.security == "starttls":
                    server.starttls(context=self._trusted())
                if settings.user:
                    server.login(settings.user, self._password)
                server.send_message(message)
        except smtplib.SMTPAuthenticationError as error:
            return Outcome(f"the mail server refused user or password ({error.smtp_code})")
        except smtplib.SMTPRecipientsRefused:
            return Outcome("the mail server refused the address of everybody it was for")
        except smtplib.SMTPResponseException as error:
            if error.smtp_code < 0:  # which is the library's word for a line that is none of the protocol
                return Outcome("what answers is no mail server")
            return Outcome(f"the mail server answered {error.smtp_code}")
        except smtplib.SMTPNotSupportedError:
            return Outcome("the mail server has no STARTTLS, or no login")
        except ssl.SSLCertVerificationError:
            return Outcome("the certificate of the mail server is not trusted")
        except (OSError, smtplib.SMTPException):
            return Outcome("the mail server cannot be reached, or broke off")
        return SENT

    def _connected(self) -> socket.socket:
        """A connection to the first address that somebody answers at."""
        *others, last = self._addresses
        for address in others:
            with contextlib.suppress(OSError):
                return connected_socket(address, self._settings.port, CONNECT_S)
        return connected_socket(last, self._settings.port, CONNECT_S)

    def end(self) -> None:
        """Whatever the other side still waits for."""
        connection = self._connection if self._server is None else self._server.sock
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class _Server(smtplib.SMTP):
    """Speaks over a connection that is there already; the library would look the name up again."""

    def __init__(self, connection: socket.socket, host: str) -> None:
        super().__init__(local_hostname="pairscope", timeout=STEP_S)
        self.sock = connection
        self.file = None
        self._host = host  # which the certificate must be of
        code, _ = self.getreply()
        if code != 220:
            self.close()
            raise smtplib.SMTPConnectError(code, "")
