"""Which addresses of the network messages may be sent to: none on this machine, nor behind the wall around it.

Who may write a channel could otherwise have this machine ask its neighbours: the router, a cloud's metadata, a database
without a password. An address is looked up once, checked, and that very address is connected to: what the name means a
moment later is not asked again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import ClassVar

from pairscope.base import net
from pairscope.base.errors import Meanings, RequestError
from pairscope.base.threads import given_up_after

LookUp = Callable[[str, int], tuple[str, ...]]
LOOK_UP_S = 10.0

# By the block: what is there. What IPv6 has outside of 2000::/3 is refused as a whole.
_CLOSED: tuple[tuple[IPv4Network | IPv6Network, str], ...] = tuple(
    (ipaddress.ip_network(block), what)
    for block, what in (
        ("0.0.0.0/8", "this machine"),
        ("127.0.0.0/8", "this machine"),
        ("10.0.0.0/8", "a private network"),
        ("172.16.0.0/12", "a private network"),
        ("192.168.0.0/16", "a private network"),
        ("100.64.0.0/10", "a provider's own network"),
        ("169.254.0.0/16", "link-local, where clouds keep their secrets"),
        ("168.63.129.16/32", "a cloud's own service"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for examples"),
        ("198.51.100.0/24", "for examples"),
        ("203.0.113.0/24", "for examples"),
        ("192.88.99.0/24", "a relay between protocols"),
        ("198.18.0.0/15", "for measuring"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("2001::/23", "a relay between protocols, or reserved"),
        ("2001:db8::/32", "for examples"),
        ("2002::/16", "a relay between protocols"),
        ("3fff::/20", "for examples"),
    )
)
_UNICAST = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")  # an address of the older protocol, told to a socket of the newer one
_TRANSLATED = IPv6Network("64:ff9b::/96")  # one that a network without the older protocol reaches by a translator
_TUNNELLED = (0x0000_5EFE, 0x0200_5EFE)  # the last 64 bits of an address that a tunnel carries to the older protocol


class AddressRefused(RequestError):
    """An address that messages must not be sent to."""

    code = "address_refused"
    meanings: ClassVar[Meanings] = {
        "address_refused": (
            "a message was to go to this machine, to a private network or to another reserved address",
            "if it is meant so, name the host in `alert_hosts_allowed`, or a block such as `192.168.1.0/24`",
        )
    }


def closed(address: str) -> str | None:
    """What is behind an address that messages must not go to; None for one that is open to all.

    >>> closed("8.8.8.8"), closed("192.168.1.1"), closed("::ffff:127.0.0.1"), closed("64:ff9b::a9fe:a9fe")
    (None, 'a private network', 'this machine', 'link-local, where clouds keep their secrets')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "no address"
    if isinstance(found, IPv6Address):
        if (within := _older(found)) is not None:
            return closed(str(within))
        if found.is_loopback or found.is_unspecified:
            return "this machine"
        if found not in _UNICAST:
            return "a private network, or reserved"
        if found.packed[8:12] in (each.to_bytes(4, "big") for each in _TUNNELLED):
            return "a relay between protocols"
    return next((what for block, what in _CLOSED if found.version == block.version and found in block), None)


def _older(address: IPv6Address) -> IPv4Address | None:
    """The address of the older protocol that one of the newer stands for."""
    if address in _MAPPED or address in _TRANSLATED:
        return IPv4Address(address.packed[12:])
    return None


class Destinations:
    """Looks hosts up and refuses those that are closed, but for the named ones.

    ``allowed`` are names of hosts, addresses, and blocks. A name stands for itself alone, not for its addresses.
    """

    def __init__(self, allowed: Iterable[str] = (), look_up: LookUp = net.addresses_of) -> None:
        self._look_up = look_up
        self._names: set[str] = set()
        self._blocks: list[IPv4Network | IPv6Network] = []
        for each in allowed:
            try:
                self._blocks.append(ipaddress.ip_network(each, strict=False))
            except ValueError:
                self._names.add(_plain(each))

    def refuse_literal(self, host: str) -> None:
        """Refuse a host that is a closed address in itself; nobody is asked for its name.

        Raises:
            AddressRefused: when it is.
        """
        address = net.numeric_address(_plain(host))
        if address is not None:
            self._refuse(host, address)

    async def of(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of a host, each of which may be connected to.

        Raises:
            AddressRefused: when one of them is closed: a host that is partly inside means no good.
            UnknownHost: when nobody is called so.
            TimeoutError: when that is not told in time.
        """
        found = await given_up_after(LOOK_UP_S, partial(self._look_up, _plain(host), port))
        if not found:
            raise net.UnknownHost
        for address in found:
            self._refuse(host, address)
        return found

    def _refuse(self, host: str, address: str) -> None:
        if _plain(host) in self._names or self._is_named(address):
            return
        if (what := closed(address)) is not None:
            raise AddressRefused(
                f"messages do not go to {host[:80]}: it is {what}",
                cure=f"if it is meant so, add --alert-hosts-allowed {host[:80]}",
            )

    def _is_named(self, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        older = _older(found) if isinstance(found, IPv6Address) else None
        meant = found if older is None else older
        return any(meant.version == block.version and meant in block for block in self._blocks)


def _plain(host: str) -> str:
    return host.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")
