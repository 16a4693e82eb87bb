from __future__ import annotations

import socket

import pytest

from pairscope.base.net import (
    NoSuchHost,
    UnknownHost,
    addresses_of,
    connected_socket,
    listening_socket,
    machine_name,
    numeric_address,
    send_at_once,
)


def test_a_socket_listens_where_it_was_told_and_sends_at_once() -> None:
    with listening_socket("127.0.0.1", 0) as listening:
        send_at_once(listening)
        with socket.create_connection(listening.getsockname()[:2]), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_told_by_the_machine_and_lets_go_of_the_socket() -> None:
    with listening_socket("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        listening_socket("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 300, "\udcff"])
def test_a_name_of_no_machine_is_told_apart(host: str) -> None:
    with pytest.raises(NoSuchHost, match="no address of this machine"):
        listening_socket(host, 0)


def test_this_machine_has_a_name() -> None:
    assert machine_name()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("::1", "::1"),
        ("localhost", None),
        ("", None),
        ("a" * 300, None),
        ("\udcff", None),
    ],
)
def test_an_address_in_whatever_form_is_one_and_a_name_is_none(text: str, address: str | None) -> None:
    assert numeric_address(text) == address
    if address is not None:
        assert addresses_of(text, 80) == (address,)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 300, "\udcff"])
def test_the_addresses_of_nobody_are_told_apart(host: str) -> None:
    with pytest.raises(UnknownHost):
        addresses_of(host, 80)


def test_a_connection_goes_to_the_address_with_a_limit_for_each_step() -> None:
    with listening_socket("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with connected_socket("127.0.0.1", port, 5.0) as made:
            assert (made.getpeername(), made.gettimeout()) == (("127.0.0.1", port), 5.0)
    with pytest.raises(ConnectionRefusedError):
        connected_socket("127.0.0.1", port, 5.0)
