"""A channel is read with a cure for whatever is wrong with it, and shows nothing of what is secret."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairscope.alerts.delivery.channel import (
    EXAMPLES,
    KEY_PREFIX,
    BadChannel,
    ChannelSettings,
    Mail,
    Service,
    Webhook,
    kind_of,
    place,
    read_key,
    read_name,
    read_settings,
    secrets_of,
)
from pairscope.alerts.delivery.secret import BadSecret
from tests.alerts.delivery.desk import KEY

SECRET = "s3cr3t"
HOOK = {"kind": "webhook", "url": f"https://me:{SECRET}@hooks.example/{SECRET}?key={SECRET}", "secret": KEY}
MAIL = {"kind": "mail", "host": "smtp.example", "sender": "a@b.example", "to": ["c@d.example"]}
LOGIN = {"user": "me", "password": SECRET}
PHONE = {"kind": "service", "url": f"tgram://123:{SECRET}/-45"}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_example_of_a_kind_can_be_read(kind: str) -> None:
    body = msgspec.json.decode(EXAMPLES[kind])
    assert read_name(body) == body["name"]
    assert kind_of(read_settings(body)) == kind


@pytest.mark.parametrize("body", [HOOK, MAIL | LOGIN, PHONE])
def test_nothing_that_is_shown_holds_a_secret(body: dict[str, Any]) -> None:
    found = read_settings(body)
    for shown in (repr(found), str(found), f"{found}", repr([found]), place(found), str(secrets_of(found))):
        assert SECRET not in shown
        assert KEY not in shown
    kept = msgspec.json.decode(msgspec.json.encode(found), type=ChannelSettings)
    assert kept == found
    assert pickle.loads(pickle.dumps(found)) == found


def test_where_a_channel_leads_is_shown_without_the_way_there() -> None:
    assert place(read_settings(HOOK)) == "https://hooks.example/…"
    assert place(read_settings(MAIL)) == "c@d.example by smtp.example:587"
    assert place(read_settings(PHONE)) == "tgram://…"
    assert place(read_settings(HOOK | {"url": "http://[2600::1]:81/x"})) == "http://[2600::1]:81/…"
    named = read_settings(HOOK | {"url": "env:PAIRSCOPE_SECRET_HOOK", "secret": "file:key"})
    assert place(named) == "env:PAIRSCOPE_SECRET_HOOK"
    assert secrets_of(named) == {"url": "env:PAIRSCOPE_SECRET_HOOK", "secret": "file:key"}
    assert secrets_of(read_settings(HOOK)) == {"url": "kept", "secret": "kept"}
    assert secrets_of(read_settings(MAIL)) == {}


def test_a_webhook_without_a_key_gets_one_of_its_own() -> None:
    bare = {"kind": "webhook", "url": "https://hooks.example/"}
    first, second = read_settings(bare), read_settings(bare)
    assert isinstance(first, Webhook)
    assert isinstance(second, Webhook)
    assert first.secret.startswith(KEY_PREFIX)
    assert len(read_key(first.secret)) == 32
    assert first.secret != second.secret


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "no known kind"),
        ({"kind": "webhok"}, "no known kind"),
        ({"kind": ["webhook"]}, "no known kind"),
        ({"kind": "webhook"}, "url"),
        (HOOK | {"url": 5}, "url"),
        (HOOK | {"more": 1}, "more"),
        (HOOK | {"url": "hooks.example"}, "cannot be read"),
        (HOOK | {"url": "ftp://hooks.example"}, "cannot be read"),
        (HOOK | {"url": "file:///etc/passwd"}, "lies elsewhere"),
        (HOOK | {"url": "http://"}, "cannot be read"),
        (HOOK | {"url": "http://a:99999/"}, "cannot be read"),
        (HOOK | {"url": "http://a\n/"}, "control characters"),
        (HOOK | {"url": "http://a/" + "x" * 3_000}, "too long"),
        (HOOK | {"secret": "whsec_short"}, "cannot be read"),
        (HOOK | {"secret": "whsec_" + "A" * 400}, "cannot be read"),
        (HOOK | {"secret": "env:HOME"}, "another name"),
        (MAIL | {"to": []}, "one address to others"),
        (MAIL | {"to": ["a@b.example"] * 21}, "one address to others"),
        (MAIL | {"to": ["nobody"]}, "one address to others"),
        (MAIL | {"to": ["a@b.example, c@d.example"]}, "one address to others"),
        (MAIL | {"sender": "a@b.example\nBcc: x@y.example"}, "control characters"),
        (MAIL | {"host": "smtp.example/x"}, "a host and a port"),
        (MAIL | {"host": ""}, "a host and a port"),
        (MAIL | {"port": 0}, "a host and a port"),
        (MAIL | {"user": "me"}, "user and password"),
        (MAIL | LOGIN | {"security": "none"}, "as it is"),
        (MAIL | {"security": "ssl"}, "security"),
        (PHONE | {"url": "tgrm://x"}, "no service is written tgrm://"),
        (PHONE | {"url": "hello"}, "no address of a service"),
        *(
            (PHONE | {"url": f"{scheme}://host/x"}, "no service")
            for scheme in ("json", "xml", "form", "syslog", "dbus")
        ),
        *(
            (PHONE | {"url": f"{scheme}://host/x"}, "no service")
            for scheme in ("mailto", "http", "https", "ntfy", "mqtt")
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_cure_and_without_the_secret(body: dict[str, Any], says: str) -> None:
    with pytest.raises((BadChannel, BadSecret)) as refused:
        read_settings(body)
    assert says in refused.value.message
    assert refused.value.cure
    assert SECRET not in str(refused.value)
    assert "hooks.example/s" not in str(refused.value)


def test_the_cure_names_the_service_that_was_meant() -> None:
    with pytest.raises(BadChannel, match="did you mean tgram://"):
        read_settings({"kind": "service", "url": "tgrm://1/2"})


@pytest.mark.parametrize("name", ["", "page", "a b", "a/b", "../x", "x" * 41, "ä", None, 5, ".x", "a\n"])
def test_a_name_is_one_that_can_stand_in_an_address(name: object) -> None:
    with pytest.raises(BadChannel):
        read_name({"name": name})


@given(
    st.dictionaries(
        st.sampled_from(["kind", "url", "secret", "host", "to"]), st.one_of(st.text(), st.integers(), st.none())
    )
)
def test_whatever_is_sent_is_read_or_refused_and_nothing_else(body: dict[str, Any]) -> None:
    for kind in EXAMPLES:
        with contextlib.suppress(BadChannel, BadSecret):
            assert kind_of(read_settings({"kind": kind} | body)) in EXAMPLES


# --- changes ---


def test_a_change_that_leaves_secrets_out_keeps_them() -> None:
    before = read_settings(HOOK)
    assert read_settings({"kind": "webhook"}, before) == before
    mail = read_settings(MAIL | LOGIN)
    changed = read_settings(MAIL | {"user": "me", "to": ["new@d.example"]}, mail)
    assert isinstance(changed, Mail)
    assert (changed.password, changed.to) == (SECRET, ("new@d.example",))
    phone = read_settings(PHONE)
    assert read_settings({"kind": "service"}, phone) == phone


@pytest.mark.parametrize("change", [{"host": "mine.example"}, {"port": 25}, {"user": "you"}, {"security": "tls"}])
def test_a_password_does_not_go_along_to_another_server(change: dict[str, Any]) -> None:
    """Who may change a channel and not see its password could have it sent to himself."""
    before = read_settings(MAIL | LOGIN)
    with pytest.raises(BadChannel, match="another server or user"):
        read_settings(MAIL | {"user": "me"} | change, before)
    assert isinstance(read_settings(MAIL | LOGIN | change, before), Mail)


def test_what_was_of_another_kind_is_not_kept() -> None:
    with pytest.raises(BadChannel):
        read_settings({"kind": "service"}, read_settings(HOOK))
    assert isinstance(read_settings(PHONE, read_settings(HOOK)), Service)
