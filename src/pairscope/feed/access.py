"""How the hosts of a source are reached: through which proxy, within which limits. One for stream, REST and archive."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import httpx

from pairscope.base.clock import Clock
from pairscope.base.errors import FeedUnavailable
from pairscope.base.settings import Settings
from pairscope.feed.limits import FILE, Limits
from pairscope.feed.proxy import Proxies


@dataclass(frozen=True, slots=True)
class Access:
    """The proxies and the limits; `direct` is for hosts that have neither."""

    proxies: Proxies
    limits: Limits

    @classmethod
    def direct(cls, clock: Clock) -> Access:
        """Without a proxy, and with limits that are kept in memory only."""
        return cls(Proxies("none"), Limits(clock))

    @classmethod
    def of(cls, settings: Settings, clock: Clock, environment: Mapping[str, str] | None = None) -> Access:
        """As the settings and the environment say.

        Raises:
            SettingsError: when a proxy cannot be used; better at the start than with each request.
        """
        proxies = Proxies(settings.proxy, os.environ if environment is None else environment)
        for url in (settings.exchange_ws_url, settings.exchange_rest_url, settings.archive_url):
            proxies.of(url)
        return cls(proxies, Limits(clock, settings.data_dir / FILE))


def certificates() -> ssl.SSLContext:
    """What a peer is checked with, as ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` say; read once, for it takes 20 ms."""
    return _certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _certificates(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=True)


def http_client(
    url: str, access: Access, *, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """A client of one host. The proxy is chosen here, the certificates as ``SSL_CERT_FILE`` says."""
    proxy = access.proxies.of(url)
    return httpx.AsyncClient(
        base_url=url,
        timeout=timeout_s,
        transport=transport,
        verify=certificates(),
        proxy=proxy.url if proxy else None,
        trust_env=False,
    )


def unreachable(url: str, access: Access, error: httpx.HTTPError, *, cure: str) -> FeedUnavailable:
    """What to tell of a request that got no answer."""
    cause = str(error) or type(error).__name__
    proxy = access.proxies.of(url)
    if proxy is not None and isinstance(error, httpx.ProxyError):
        return proxy.refused(cause)
    host = httpx.URL(url).host
    if proxy is not None:
        through = f" through the proxy {proxy.shown}"
        return FeedUnavailable(
            f"{host} cannot be reached{through} ({_readable(error)})", cure=f"check {proxy.origin}", code="unreachable"
        )
    return FeedUnavailable(f"{host} cannot be reached ({_readable(error)})", cure=cure, code="unreachable")


def _readable(error: httpx.HTTPError) -> str:
    """What happened in plain words: the libraries' own texts are empty or speak of their insides."""
    text = str(error)
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if "getaddrinfo" in text or "Name or service" in text or "name resolution" in text or "nodename" in text:
        return "its name cannot be looked up"
    if "CERTIFICATE" in text.upper():
        return f"its certificate is not trusted: {text.partition(']')[2].strip() or text}"
    if isinstance(error, httpx.ConnectError):
        return "it refuses the connection" if "refused" in text.lower() or "failed" in text.lower() else text
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return "the connection broke before the answer came"
    return text or type(error).__name__
