"""Where the server listens, what that means, and the address people are told."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
import webbrowser
from collections.abc import Mapping

from pairscope.base.errors import SettingsError
from pairscope.base.net import NoSuchHost, listening_socket, machine_name

EVERYWHERE = ("0.0.0.0", "::")


def listen(host: str, port: int, flag: str = "--port") -> socket.socket:
    """Take the port before anything else is started; `flag` is what sets it.

    Raises:
        SettingsError: when it is taken or may not be used, or the host is none of this machine.
    """
    try:
        return listening_socket(host, port)
    except NoSuchHost:
        raise SettingsError(f"no address of this machine is called '{host[:80]}'", cure=_OTHER_HOST) from None
    except OSError as error:
        told = error.strerror or "the address is not to be used"
        raise SettingsError(
            f"cannot listen on {_authority(host, port)}: {told}", cure=_cure(error, port, flag)
        ) from None


_OTHER_HOST = "127.0.0.1 is this machine alone, 0.0.0.0 every network it is in"


def _cure(error: OSError, port: int, flag: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"stop what uses the port, or choose another: {flag} {port + 1 if port < 65_535 else 8_000}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"ports below 1024 belong to the system: choose another, such as {flag} 8000"
    return f"choose an address of this machine: {_OTHER_HOST}"


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_of(host: str, port: int) -> str:
    """The address under which a browser on this machine reaches a host that is listened on.

    >>> address_of("0.0.0.0", 8000), address_of("::1", 8000), address_of("10.0.0.7", 80)
    ('http://localhost:8000', 'http://[::1]:8000', 'http://10.0.0.7:80')
    """
    local = host in ("127.0.0.1", *EVERYWHERE)
    return f"http://{_authority('localhost' if local else host.replace('%', '%25'), port)}"


def exposure(host: str, port: int, names: tuple[str, ...]) -> str | None:
    """What listening on a host means when that is not this machine alone; None when it is.

    Args:
        names: under which the page may be asked for besides those of this machine.
    """
    if host == "localhost" or _is_loopback(host):
        return None
    where = "every network this machine is in" if host in EVERYWHERE else f"the network of {host}"
    told = [
        f"It listens on {where}: whoever reaches port {port} can read everything here and change what is watched."
        " There are no accounts yet, so let only people you trust reach it."
    ]
    if names:
        told.append(f"Besides localhost it answers under {', '.join(names)} (the setting allowed_hosts).")
    elif host in EVERYWHERE:
        told.append(
            "It still answers only under localhost: to reach it from elsewhere, name what you type in the browser"
            f" there, such as --allowed-hosts {machine_name()}. Requests under other names are refused, so that"
            " foreign pages cannot read yours."
        )
    return "\n".join(told)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def wants_browser(asked: bool | None, environment: Mapping[str, str] | None = None) -> bool:
    """Whether to open the page: as it was asked, else when a person sits at a terminal and a display."""
    if asked is not None:
        return asked
    environment = os.environ if environment is None else environment
    has_display = sys.platform in ("darwin", "win32") or any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return has_display and sys.stdout.isatty()


def open_browser(url: str) -> bool:
    """Open the page; false when there is no browser with a window of its own."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    # One that runs in the terminal would take it away from us.
    if type(browser) is webbrowser.GenericBrowser:
        return False
    return browser.open(url)
