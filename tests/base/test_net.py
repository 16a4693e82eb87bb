from __future__ import annotations

import socket

import pytest

from pairscope.base.net import NoSuchHost, listening_socket, machine_name, send_at_once


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
