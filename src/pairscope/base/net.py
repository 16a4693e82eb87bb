"""Sockets that listen, and what this machine is called: all that the other rooms ask of the network by themselves."""

from __future__ import annotations

import errno
import socket


class NoSuchHost(OSError):
    """No address of this machine is called so."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on an address of this machine; of two families that have it the older one.

    Raises:
        NoSuchHost: when no address of this machine is called so.
        OSError: when the port is taken or may not be used.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise NoSuchHost(errno.EADDRNOTAVAIL, f"no address of this machine is called '{host[:80]}'") from error
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" stands for every network, the older protocol's included; another address for itself alone.
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        taken.bind(address)
        taken.listen(128)
    except OSError:
        taken.close()
        raise
    return taken


def send_at_once(listening: socket.socket) -> None:
    """What is sent over its connections goes out as it is written, not when there is more."""
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def machine_name() -> str:
    return socket.gethostname()
