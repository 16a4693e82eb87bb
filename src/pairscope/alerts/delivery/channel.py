"""What a channel is: a webhook, a mail server or a service, how one is read, and what is shown of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import httpx
import msgspec

from pairscope.alerts.delivery import secret
from pairscope.alerts.delivery.services import SERVICES, scheme_of
from pairscope.base import chance
from pairscope.base.errors import Meanings, RequestError, nearest

KEY_PREFIX = "whsec_"
MOST_TO = 20
MOST_LETTERS = 2_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_MAIL = re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,255}")
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


class BadChannel(RequestError):
    """A channel that cannot be made as asked."""

    code = "bad_channel"
    meanings: ClassVar[Meanings] = {
        "bad_channel": ("a channel that lacks something, or has something it cannot have", "the cure says what to give")
    }


class _Quiet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings that hold secrets: they are shown nowhere, in a traceback neither."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Webhook(_Quiet, frozen=True, tag="webhook", tag_field="kind", forbid_unknown_fields=True):
    """An address that messages are posted to, and the key they are signed with (Standard Webhooks, `whsec_...`)."""

    url: str
    secret: str


class Mail(_Quiet, frozen=True, tag="mail", tag_field="kind", forbid_unknown_fields=True):
    """A mail server, who is told to have sent it, and to whom."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""


class Service(_Quiet, frozen=True, tag="service", tag_field="kind", forbid_unknown_fields=True):
    """A service that is known by name, in the way apprise writes its address: `tgram://TOKEN/CHAT`."""

    url: str


ChannelSettings = Webhook | Mail | Service
KINDS: Mapping[str, type[Webhook] | type[Mail] | type[Service]] = {"webhook": Webhook, "mail": Mail, "service": Service}
EXAMPLES: Mapping[str, str] = {
    "webhook": '{"name": "desk", "kind": "webhook", "url": "https://hooks.example/abc"}',
    "mail": '{"name": "me", "kind": "mail", "host": "smtp.example", "user": "me", "password": "file:smtp", '
    '"sender": "pairscope@example.org", "to": ["me@example.org"]}',
    "service": '{"name": "phone", "kind": "service", "url": "tgram://TOKEN/CHAT"}',
}
# What a change may leave out, and then stays as it was.
_KEPT: Mapping[str, tuple[str, ...]] = {"webhook": ("url", "secret"), "mail": ("password",), "service": ("url",)}
# A password is sent to whom these name: who changes one of them must know it.
_WHO_IS_TOLD = ("host", "port", "security", "user")


def read_name(body: Mapping[str, Any]) -> str:
    """The name of a channel.

    Raises:
        BadChannel: when it has none, or one that cannot stand in an address.
    """
    name = body.get("name")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None or name == "page":
        raise BadChannel(
            "a channel needs a name",
            cure='give "name": up to 40 letters, digits and . _ -; "page" is the page itself, which is no channel',
        )
    return name


def read_settings(body: Mapping[str, Any], before: ChannelSettings | None = None) -> ChannelSettings:
    """The settings of a channel, as they are kept; what was secret ``before`` and is left out stays.

    Raises:
        BadChannel: when something is missing or cannot be.
        BadSecret: when a secret is named that may not be.
    """
    kind = body.get("kind", kind_of(before) if before else None)
    if not isinstance(kind, str) or kind not in KINDS:
        guess = nearest(kind, KINDS) if isinstance(kind, str) else None
        cure = f'give "kind": webhook, mail or service, as in {EXAMPLES[guess or "webhook"]}'
        raise BadChannel("a channel is of no known kind", cure=cure)
    given = {key: value for key, value in body.items() if key != "name"} | {"kind": kind}
    if before is not None and KINDS[kind] is type(before):
        was = msgspec.to_builtins(before)
        given = {key: was[key] for key in _KEPT[kind] if was[key]} | given
        _may_keep(before, given, body)
    if kind == "webhook" and "secret" not in given:
        given["secret"] = KEY_PREFIX + base64.b64encode(chance.key()).decode()
    try:
        found = msgspec.convert(given, KINDS[kind])
    except msgspec.ValidationError as error:
        # What msgspec says names fields and types, never a value of a secret.
        raise BadChannel(f"a {kind} channel cannot be so: {error}", cure=f"write it as {EXAMPLES[kind]}") from None
    _check(found)
    return found


def _may_keep(before: ChannelSettings, given: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    if not isinstance(before, Mail) or not before.password or "password" in body:
        return
    if any(given.get(key, getattr(before, key)) != getattr(before, key) for key in _WHO_IS_TOLD):
        raise BadChannel("the password was for another server or user", cure='give "password" anew')


def _check(found: ChannelSettings) -> None:
    for field in found.__struct_fields__:
        value = getattr(found, field)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and (len(text) > MOST_LETTERS or not text.isprintable()):
                raise BadChannel(f"{field} of a channel is too long or holds control characters", cure="write it anew")
    if isinstance(found, Webhook):
        _check_webhook(found)
    elif isinstance(found, Mail):
        _check_mail(found)
    else:
        secret.check(found.url)
        if not secret.is_named(found.url):
            check_service(found.url)


def _check_webhook(found: Webhook) -> None:
    secret.check(found.url)
    secret.check(found.secret)
    if not secret.is_named(found.url):
        read_url(found.url)
    if not secret.is_named(found.secret):
        read_key(found.secret)


def _check_mail(found: Mail) -> None:
    secret.check(found.password)
    addresses = (found.sender, *found.to)
    if not found.to or len(found.to) > MOST_TO or not all(_MAIL.fullmatch(each) for each in addresses):
        raise BadChannel(
            "mail goes from one address to others", cure=f'give "sender" and "to", of 1 to {MOST_TO} addresses'
        )
    if _HOST.fullmatch(found.host) is None or not 1 <= found.port <= 65_535:
        raise BadChannel("a mail server is a host and a port", cure='give "host" as a name alone, "port" as a number')
    if bool(found.user) != bool(found.password):
        raise BadChannel("a mail server asks for user and password", cure="give both, or neither")
    if found.password and found.security == "none":
        raise BadChannel("the password would go through the network as it is", cure='give "security": starttls or tls')


def check_service(url: str) -> None:
    """Refuse the address of a service that is not on the list.

    Raises:
        BadChannel: when it is not, or asks for what the list is there to prevent.
    """
    scheme = scheme_of(url)
    if scheme not in SERVICES:
        guess = nearest(scheme, SERVICES)
        cure = f"did you mean {guess}://? " if guess else ""
        raise BadChannel(
            f"no service is written {scheme[:20]}://" if scheme else "that is no address of a service",
            cure=f"{cure}these are: {', '.join(SERVICES)}; for any other host make a webhook",
        )


def read_url(text: str) -> httpx.URL:
    """The address of a webhook.

    Raises:
        BadChannel: when it is none. The address is not told: it may be as good as a password.
    """
    try:
        url = httpx.URL(text)
        usable = url.scheme in ("http", "https") and bool(url.host) and (url.port is None or 0 < url.port < 65_536)
    except (httpx.InvalidURL, ValueError, TypeError):
        usable = False
    if not usable:
        raise BadChannel("the address of a webhook cannot be read", cure='give "url" as https://host/path')
    return url


def read_key(text: str) -> bytes:
    """The key of a webhook's signatures: base64 of 24 to 64 bytes after `whsec_`.

    >>> read_key("whsec_" + "A" * 32) == bytes(24)
    True

    Raises:
        BadChannel: when it is none.
    """
    try:
        key = base64.b64decode(text.removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise BadChannel(
            "the secret of a webhook cannot be read",
            cure=f'leave "secret" out and one is made, or give {KEY_PREFIX} and base64 of 24 to 64 bytes',
        )
    return key


def place(settings: ChannelSettings) -> str:
    """Where a channel leads, without what must stay secret.

    >>> place(Webhook("https://user:pass@hooks.example:8443/abc?key=1", "")), place(Service("tgram://123:abc/-45"))
    ('https://hooks.example:8443/…', 'tgram://…')
    """
    if isinstance(settings, Mail):
        return f"{', '.join(settings.to)} by {settings.host}:{settings.port}"
    if secret.is_named(settings.url):
        return settings.url
    if isinstance(settings, Service):
        return f"{scheme_of(settings.url)}://…"
    url = read_url(settings.url)
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{f':{url.port}' if url.port else ''}/…"


def secrets_of(settings: ChannelSettings) -> dict[str, str]:
    """Of each secret, how it is kept: ``kept`` in the state database, or by its name elsewhere."""
    found = {field: getattr(settings, field) for field in _KEPT[kind_of(settings)]}
    return {field: text if secret.is_named(text) else "kept" for field, text in found.items() if text}


def kind_of(settings: ChannelSettings) -> str:
    return next(kind for kind, each in KINDS.items() if isinstance(settings, each))
