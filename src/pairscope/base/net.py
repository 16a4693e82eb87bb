"""Sockets that listen, and who is called how: all that the other rooms ask of the network by themselves."""

from __future__ import annotations

import errno
import socket


class NoSuchHost(OSError):
    """No address of this machine is called so."""


class UnknownHost(OSError):
    """Nobody on the network is called so, or who knows the names does not answer."""


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


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """The addresses of a host, those to be tried first before the others; it waits for whoever knows the names.

    Whatever the system takes for an address is one: ``127.1`` and ``0x7f000001`` too.

    Raises:
        UnknownHost: when nobody is called so.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownHost(errno.EADDRNOTAVAIL, "nobody is called so") from error
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def numeric_address(host: str) -> str | None:
    """The address that a text is, in whichever form the system takes one; None for a name. Nobody is asked.

    >>> numeric_address("0x7f000001"), numeric_address("localhost")
    ('127.0.0.1', None)
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])


def connected_socket(address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to an address, which nothing is looked up for; each of its reads and writes has the limit too.

    Raises:
        OSError: when nobody answers there.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout_s)
        made.connect((address, port))
    except BaseException:
        made.close()
        raise
    return made
