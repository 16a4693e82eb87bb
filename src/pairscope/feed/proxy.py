"""Which proxy leads to an address: the one of the settings, else that of the environment as people know it.

The same answer holds for the stream, REST and the archive. Loopback is never asked through a proxy: it is this machine,
and the simulated exchange. A user and a password may be part of the address and are never shown.
"""

from __future__ import annotations

import importlib.util
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pairscope.base.errors import FeedUnavailable, SettingsError

NONE = "none"  # a setting that keeps the environment's proxy out as well
SCHEMES = ("http", "socks5", "socks5h")
_DEFAULT_PORTS = {"http": 3128, "socks5": 1080, "socks5h": 1080}
_WRITE = "write it as http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before HOST where it wants one"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `shown` is its address without user and password."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None
    origin: str  # the setting or the variable that names it

    @property
    def shown(self) -> str:
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address, with what is secret: for the libraries that connect, and for nobody else."""
        return f"{self.scheme}://{self._login}{_bracketed(self.host)}:{self.port}"

    @property
    def picows_url(self) -> str:
        """As `url`; names are looked up by the proxy for either spelling."""
        return self.url.replace("socks5h://", "socks5://", 1)

    @property
    def _login(self) -> str:
        return "" if self.user is None else f"{self.user}:{self.password or ''}@"

    def __repr__(self) -> str:
        return f"Proxy({self.shown})"

    def refused(self, cause: str) -> FeedUnavailable:
        """Why nothing came through it, with the cure that fits."""
        cause = self._without_secrets(cause)
        if "407" in cause or any(word in cause.lower() for word in ("auth", "password")):
            number = " (407)" if self.scheme == "http" else ""
            told, code = f"wants another user and password{number}", "proxy_refused"
            cure = f"put them into {self.origin}: {self.scheme}://USER:PASSWORD@{_bracketed(self.host)}:{self.port}"
        elif "403" in cause:
            told, code = "refuses to lead there (403)", "proxy_refused"
            cure = "have it allow CONNECT to the exchange, or name another --proxy"
        else:
            told, code = f"does not lead there: {cause}", "proxy_failed"
            cure = f"check {self.origin}, or leave it out with --proxy {NONE}"
        return FeedUnavailable(f"the proxy {self.shown} {told}", cure=cure, code=code)

    def _without_secrets(self, text: str) -> str:
        for secret in (self.url, self.picows_url, self._login, self.password, self.user):
            if secret and len(secret) > 1:
                text = text.replace(secret, "…").replace(unquote(secret), "…")
        return text


class Proxies:
    """Chooses by address. `setting` is that of the settings; None leaves the choice to the environment."""

    def __init__(self, setting: str | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._off = setting is not None and setting.strip().lower() in (NONE, "")
        self._set = None if setting is None or self._off else parse_proxy(setting, "--proxy")
        self._environment = environment or {}

    def of(self, url: str) -> Proxy | None:
        """The proxy that leads to an address, if one does.

        Raises:
            SettingsError: when the environment names one that cannot be used.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if self._off or is_loopback(host):
            return None
        if self._set is not None:
            return self._set
        secure = parts.scheme in ("https", "wss")
        port = parts.port or (443 if secure else 80)
        if _excepted(host, port, self._variable("no_proxy")[1]):
            return None
        for wanted in ("https_proxy" if secure else "http_proxy", "all_proxy"):
            name, text = self._variable(wanted)
            if text:
                return parse_proxy(text, name)
        return None

    def _variable(self, name: str) -> tuple[str, str]:
        """A variable of the environment under the name it has; the lower case one comes first, as in curl."""
        for spelling in (name, name.upper()):
            if text := self._environment.get(spelling, "").strip():
                return spelling, text
        return name.upper(), ""


def parse_proxy(text: str, origin: str) -> Proxy:
    """A proxy from what a person wrote; without a scheme it is an HTTP proxy.

    >>> parse_proxy("proxy.example:8080", "--proxy").shown
    'http://proxy.example:8080'

    Raises:
        SettingsError: when it cannot be used; never with the password in it.
    """
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SettingsError(f"{origin} is no address of a proxy", cure=_WRITE) from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise SettingsError(
            f"{origin} names a proxy of the kind {scheme[:20]}://, which is not supported",
            cure=f"use one of {', '.join(f'{each}://' for each in SCHEMES)}",
        )
    if scheme != "http" and importlib.util.find_spec("socksio") is None:
        raise SettingsError(
            f"{origin} names a SOCKS proxy, which needs a package that is not installed",
            cure="install it with: pip install socksio; or use an http:// proxy",
        )
    if not host or not host.isascii() or any(letter.isspace() for letter in text) or parts.path not in ("", "/"):
        raise SettingsError(f"{origin} is no address of a proxy", cure=_WRITE)
    return Proxy(scheme, host, port or _DEFAULT_PORTS[scheme], parts.username, parts.password, origin)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.9", "::1", "fapi.binance.com")]
    [True, True, True, False]
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether ``NO_PROXY`` keeps an address from its proxy: names with all below them, addresses, nets, ``*``.

    >>> [_excepted("fapi.binance.com", 443, text) for text in ("binance.com", ".binance.com", "com:80", "*")]
    [True, True, False, True]
    >>> _excepted("10.1.2.3", 80, "example.com, 10.0.0.0/8"), _excepted("notbinance.com", 443, "binance.com")
    (True, False)
    """
    for entry in no_proxy.lower().replace(" ", ",").split(","):
        if entry == "*":
            return True
        name, colon, wanted = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if colon and wanted != str(port):
            continue
        name = name.lstrip("*").lstrip(".")
        if name and (host == name or host.endswith(f".{name}") or _in_net(host, name)):
            return True
    return False


def _in_net(host: str, net: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(net.strip("[]"), strict=False)
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
