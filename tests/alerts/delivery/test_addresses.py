"""No request leaves to an address that is closed, however it is written and whatever its name means a moment later.

Each form goes through the sender as a webhook's address does; a hook of the interpreter counts the connections.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pairscope.alerts.delivery.addresses import AddressRefused, Destinations, closed
from pairscope.alerts.delivery.channel import BadChannel, read_url
from pairscope.alerts.delivery.channels import Channels
from pairscope.alerts.delivery.webhook import Poster
from pairscope.base.clock import ManualClock
from pairscope.base.net import UnknownHost
from pairscope.store.state import State
from tests.alerts.delivery.receiver import Answer, receiving

INSIDE = (
    *("127.0.0.1", "127.0.0.53", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1"),
    *("172.31.255.255", "192.168.0.1", "192.168.255.255", "169.254.169.254", "169.254.170.2", "100.64.0.1"),
    *("100.100.100.200", "100.127.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.51.100.1", "203.0.113.1"),
    *("198.18.0.1", "198.19.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    "192.88.99.1",
)
INSIDE_6 = (
    *(
        "::1",
        "::",
        "fe80::1",
        "fe80::a9fe:a9fe",
        "fec0::1",
        "fc00::1",
        "fd00::1",
        "fd00:ec2::254",
        "ff02::1",
        "ff0e::1",
    ),
    *("2001:db8::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1", "2002:7f00:1::"),
    *("2002:a9fe:a9fe::1", "100::1", "64:ff9b:1::1", "64:ff9b:1:fffe::7f00:1", "3fff::1", "5f00::1", "4000::1"),
    *("2600:1f18::5efe:a00:1", "2600:1f18::200:5efe:a00:1"),
)
OUTSIDE = (
    *("8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255"),
    *("192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2600:1f18::1", "2a00:1450:4001::8a"),
    *("64:ff9b::808:808", "::ffff:8.8.8.8"),
)


def forms(address: str) -> Iterator[str]:
    """How an address of the older protocol may be written, where something takes it for one."""
    whole = int(ipaddress.IPv4Address(address))
    a, b, c, d = (int(part) for part in address.split("."))
    yield address
    yield str(whole)
    yield hex(whole)
    yield f"0{whole:o}"
    yield ".".join(hex(part) for part in (a, b, c, d))
    yield ".".join(f"0{part:o}" for part in (a, b, c, d))
    yield f"{a}.{whole & 0xFFFFFF}"
    yield f"{a}.{b}.{whole & 0xFFFF}"
    yield f"0x{a:x}.{b}.0{whole & 0xFFFF:o}"
    yield f"{address}."
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{whole >> 16:x}:{whole & 0xFFFF:x}]"
    yield f"[0:0:0:0:0:ffff:{address}]"
    yield f"[64:ff9b::{address}]"
    yield f"[64:ff9b::{whole >> 16:x}:{whole & 0xFFFF:x}]"
    yield f"[::{address}]"
    yield f"[2002:{whole >> 16:x}:{whole & 0xFFFF:x}::1]"
    yield "".join(chr(0xFF10 + int(letter)) if letter.isdigit() else letter for letter in address)
    yield address.replace(".", "。")
    yield "".join(chr(0x2460 + int(letter) - 1) if letter in "123456789" else letter for letter in address)


def corpus() -> list[str]:
    hosts = [form for address in INSIDE for form in forms(address)]
    hosts += [f"[{address}]" for address in INSIDE_6]
    hosts += [f"[{ipaddress.IPv6Address(address).exploded}]" for address in INSIDE_6]
    hosts += ["[fe80::1%25eth0]", "localhost", "LOCALHOST", "localhost.", "127.1", "0", "0x0", "127.0.1", "0177.1"]
    urls = [f"http://{host}/" for host in hosts]
    urls += [f"https://{host}:8443/" for host in hosts[:40]]
    urls += [f"http://hooks.example@{address}/" for address in INSIDE]
    urls += [f"http://{address}#@hooks.example/" for address in INSIDE]
    urls += [f"http://{address}\\@hooks.example/" for address in INSIDE]
    urls += ["http:127.0.0.1/", *(f"http:///{address}/" for address in INSIDE[:4])]
    return list(dict.fromkeys(urls))


_connected: list[Any] = []
_watching = [False]


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watching[0]:
        _connected.append(arguments[1])


@pytest.fixture
def connections() -> Iterator[list[Any]]:
    """Where anything in this process connects to; such a hook stays, and is told when to listen."""
    if not getattr(sys, "_pairscope_tests_hear_connections", False):
        sys.addaudithook(_hear)
        sys._pairscope_tests_hear_connections = True  # type: ignore[attr-defined]
    _connected.clear()
    _watching[0] = True
    yield _connected
    _watching[0] = False


def offline(host: str, port: int) -> tuple[str, ...]:
    """As the system looks hosts up, but for names, of which it would ask the network."""
    if host in ("localhost", "localhost."):
        return ("127.0.0.1", "::1")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError) as error:
        raise UnknownHost from error
    return tuple(str(each[4][0]) for each in found)


def poster(*allowed: str, look_up: Any = offline) -> Poster:
    return Poster(Destinations(allowed, look_up), ManualClock())


async def test_no_request_leaves_to_a_closed_address_in_any_form(connections: list[Any]) -> None:
    urls = corpus()
    assert len(urls) >= 600
    refused = 0
    for text in urls:
        with contextlib.suppress(BadChannel):
            outcome = await poster().ask("POST", read_url(text), {}, b"")
            assert not outcome.is_sent
            refused += "messages do not go to" in str(outcome.error)
    assert connections == []
    assert refused >= 450, "most of them are read as the addresses they are, and refused for that"


async def test_the_hook_sees_a_connection_that_is_made(connections: list[Any]) -> None:
    async with receiving() as receiver:
        assert (await poster("127.0.0.1").ask("POST", httpx.URL(receiver.url), {}, b"")).is_sent
    assert connections == [("127.0.0.1", receiver.port)]


@pytest.mark.parametrize("address", [*INSIDE, *INSIDE_6])
def test_what_is_inside_is_closed(address: str) -> None:
    assert closed(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_outside_is_open(address: str) -> None:
    assert closed(address) is None


@given(st.ip_addresses(v=4))
def test_what_the_standard_library_holds_for_private_is_closed_in_each_form(found: ipaddress.IPv4Address) -> None:
    if not found.is_global or found.is_multicast or found.is_reserved:
        assert closed(str(found))
        assert closed(f"::ffff:{found}")
        assert closed(f"64:ff9b::{found}")


@given(st.ip_addresses(v=6))
@example(ipaddress.IPv6Address("64:ff9b::808:808"))
@example(ipaddress.IPv6Address("64:ff9b::7f00:1"))
def test_so_it_is_with_the_newer_protocol(found: ipaddress.IPv6Address) -> None:
    if found.is_private or found.is_multicast or found.is_reserved or found.is_link_local or found.is_site_local:
        translated = found in ipaddress.ip_network("64:ff9b::/96") or found.ipv4_mapped is not None
        assert closed(str(found)) or (translated and ipaddress.IPv4Address(found.packed[12:]).is_global)


@pytest.mark.parametrize("text", ["", "hooks.example", "1.2.3", "::g"])
def test_what_is_no_address_is_closed(text: str) -> None:
    assert closed(text) == "no address"


# --- names, whose meaning somebody else decides ---


async def test_a_name_that_means_another_address_a_moment_later_is_asked_where_it_was_checked(
    connections: list[Any],
) -> None:
    """The second answer, of what looks a name up again to connect, would be inside."""
    answers = iter([("127.0.0.1",), ("127.0.0.2",), ("127.0.0.2",)])
    async with receiving() as receiver:
        asking = poster("127.0.0.1", look_up=lambda *_: next(answers))
        outcome = await asking.ask("POST", httpx.URL(f"http://hooks.example:{receiver.port}/"), {}, b"")
        assert outcome.is_sent
        assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"
        # Next time it is looked up again, and refused.
        again = await asking.ask("POST", httpx.URL(f"http://hooks.example:{receiver.port}/"), {}, b"")
    assert "this machine" in str(again.error)
    assert connections == [("127.0.0.1", receiver.port)]


async def test_a_host_that_is_inside_by_one_of_its_addresses_is_refused(connections: list[Any]) -> None:
    for inside in ("10.0.0.1", "::ffff:10.0.0.1", "fd00::1"):
        asking = poster(look_up=lambda *_, inside=inside: ("8.8.8.8", inside))
        outcome = await asking.ask("POST", httpx.URL("http://hooks.example/"), {}, b"")
        assert "messages do not go to hooks.example" in str(outcome.error)
    assert connections == []


async def test_a_redirect_inside_is_not_followed(connections: list[Any]) -> None:
    async with receiving() as inside:
        for status in (301, 302, 303, 307, 308):
            moved = Answer(status, [("Location", f"http://127.0.0.2:{inside.port}/")])
            async with receiving(moved) as receiver:
                outcome = await poster("127.0.0.1").ask("POST", httpx.URL(receiver.url), {}, b"")
                assert outcome.error == f"it redirects ({status}), which is not followed"
        assert inside.received == []
    assert {each[0] for each in connections} == {"127.0.0.1"}


async def test_a_proxy_of_the_environment_is_not_asked(connections: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look the name up for itself."""
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await poster("127.0.0.1").ask("POST", httpx.URL(receiver.url), {}, b"")).is_sent
        assert proxy.received == []
    assert connections == [("127.0.0.1", receiver.port)]


# --- what is allowed ---


@pytest.mark.parametrize(
    ("allowed", "host", "address", "is_open"),
    [
        ("192.168.1.0/24", "hooks.lan", "192.168.1.7", True),
        ("192.168.1.0/24", "hooks.lan", "192.168.2.7", False),
        ("192.168.1.0/24", "hooks.lan", "::ffff:192.168.1.7", True),
        ("192.168.1.7", "192.168.1.7", "192.168.1.7", True),
        ("fd00::/8", "hooks.lan", "fd12::1", True),
        ("hooks.lan", "HOOKS.lan.", "10.0.0.1", True),
        ("hooks.lan", "other.lan", "10.0.0.1", False),
        ("hooks.lan", "hooks.lan.example", "10.0.0.1", False),
        ("10.0.0.0/8", "hooks.lan", "169.254.169.254", False),
    ],
)
async def test_the_setting_opens_what_it_names_and_nothing_else(
    allowed: str, host: str, address: str, is_open: bool
) -> None:
    destinations = Destinations((allowed,), lambda *_: (address,))
    if is_open:
        assert await destinations.of(host, 80) == (address,)
        return
    with pytest.raises(AddressRefused) as refused:
        await destinations.of(host, 80)
    assert "--alert-hosts-allowed" in refused.value.cure


async def test_a_host_without_an_address_is_one_that_nobody_knows() -> None:
    with pytest.raises(UnknownHost):
        await Destinations((), lambda *_: ()).of("hooks.example", 80)


def test_a_channel_to_a_closed_address_is_refused_when_it_is_made(tmp_path: Path) -> None:
    """Names are not looked up then; of those nothing is known before it is sent."""
    with State.open(tmp_path / "state.sqlite") as state:
        channels = Channels(state, ManualClock(), Destinations())
        for host in ("127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:10.0.0.1]"):
            with pytest.raises(AddressRefused):
                channels.add({"name": "desk", "kind": "webhook", "url": f"http://{host}/"})
        mail = {"host": "169.254.169.254", "sender": "a@b.example", "to": ["a@b.example"]}
        with pytest.raises(AddressRefused):
            channels.add({"name": "desk", "kind": "mail"} | mail)
        channels.add({"name": "desk", "kind": "webhook", "url": "http://hooks.example/"})
