"""Stream, REST and archive through a proxy, over real sockets and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
import warnings
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from pairscope.base.clock import SystemClock
from pairscope.base.errors import FeedUnavailable, SettingsError
from pairscope.base.model import SymbolTable, TradeKind
from pairscope.feed.access import Access
from pairscope.feed.archive_files import ArchiveKind
from pairscope.feed.binance import connection
from pairscope.feed.binance.archive_site import ArchiveSite
from pairscope.feed.binance.rest import BinanceRest
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from pairscope.feed.binance.trade_stream import TradeStream
from pairscope.feed.judge import Judged
from pairscope.feed.limits import Limits
from pairscope.feed.proxy import Proxies, parse_proxy
from tests.judged import judge
from tests.patience import EVENT_S
from tests.proxies import ConnectProxy, SocksProxy, listening

STREAM, REST = "stream.example", "rest.example"


@contextlib.asynccontextmanager
async def exchange_behind(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    kind: type[ConnectProxy] = ConnectProxy,
    login: str | None = None,
    refuse: int | None = None,
) -> AsyncIterator[ConnectProxy]:
    """A proxy, the only way to an exchange whose names nobody else knows."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(STREAM, REST).configure_cert(server)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    source = MarketSource(SimulatedMarket(seed=3, rate=20), SystemClock())
    async with SimulatedExchange(source, ssl_context=server) as exchange:
        ws_port, rest_port = urlsplit(exchange.ws_url).port, urlsplit(exchange.rest_url).port
        assert ws_port is not None
        assert rest_port is not None
        roads = {f"{STREAM}:443": ws_port, f"{REST}:443": rest_port}
        async with listening(kind(roads, login=login, refuse=refuse)) as proxy:
            yield proxy


def through(proxy: ConnectProxy, login: str = "") -> Access:
    return Access(Proxies(f"http://{login}127.0.0.1:{proxy.port}"), Limits(SystemClock()))


async def heard(access: Access) -> TradeStream:
    """A stream that brought a trade."""
    came: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def sink(judged: Judged) -> None:
        if not came.done():
            came.set_result(None)

    stream = TradeStream(
        base_url=f"wss://{STREAM}",
        kind=TradeKind.AGG,
        watch=["BTCUSDT"],
        symbols=SymbolTable(["BTCUSDT"]),
        clock=SystemClock(),
        judge=judge(),
        sink=sink,
        access=access,
    )
    running = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(EVENT_S):
            await came
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return stream


@pytest.mark.parametrize("login", [None, "user:p%40ss"])
async def test_stream_rest_and_archive_go_through_the_same_proxy(
    login: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = login.replace("%40", "@") if login else None
    async with exchange_behind(monkeypatch, tmp_path, login=wanted) as proxy:
        access = through(proxy, f"{login}@" if login else "")
        await heard(access)
        async with BinanceRest(f"https://{REST}", SystemClock(), access=access) as rest:
            assert "BTCUSDT" in await rest.instruments()
        async with ArchiveSite(f"https://{REST}", SystemClock(), access=access) as site:
            assert await site.checksum("NOSUCHUSDT", ArchiveKind.AGG, date(2024, 1, 1)) is None
        assert proxy.asked == [f"CONNECT {STREAM}:443", f"CONNECT {REST}:443", f"CONNECT {REST}:443"]


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("login", [None, "user:p%40ss"])
async def test_stream_rest_and_archive_go_through_the_same_socks_proxy(
    login: str | None, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("socksio", reason="socksio is not installed: a SOCKS proxy is refused at the start then")
    wanted = login.replace("%40", "@") if login else None
    async with exchange_behind(monkeypatch, tmp_path, kind=SocksProxy, login=wanted) as proxy:
        address = f"{scheme}://{login + '@' if login else ''}127.0.0.1:{proxy.port}"
        access = Access(Proxies(address), Limits(SystemClock()))
        await heard(access)
        async with BinanceRest(f"https://{REST}", SystemClock(), access=access) as rest:
            assert "BTCUSDT" in await rest.instruments()
        async with ArchiveSite(f"https://{REST}", SystemClock(), access=access) as site:
            assert await site.checksum("NOSUCHUSDT", ArchiveKind.AGG, date(2024, 1, 1)) is None
        assert proxy.asked == [f"SOCKS {STREAM}:443", f"SOCKS {REST}:443", f"SOCKS {REST}:443"]


async def test_a_socks_proxy_that_refuses_is_told_with_its_cure_and_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("socksio", reason="socksio is not installed: a SOCKS proxy is refused at the start then")
    async with exchange_behind(monkeypatch, tmp_path, kind=SocksProxy, login="user:secret") as proxy:
        access = Access(Proxies(f"socks5://anna:hunter2@127.0.0.1:{proxy.port}"), Limits(SystemClock()))
        frames = connection.Frames(SystemClock(), lambda: None)
        told: list[str] = []
        try:
            await connection.connect(
                f"wss://{STREAM}/market/stream", frames, stale_s=5, tls=None, clock=SystemClock(), access=access
            )
        except FeedUnavailable as error:
            told.append(str(error))
        async with BinanceRest(f"https://{REST}", SystemClock(), access=access) as rest:
            try:
                await rest.ping()
            except FeedUnavailable as error:
                told.append(str(error))
        with warnings.catch_warnings():  # httpcore leaves the socket of a refused login to the collector
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    for each in told:
        assert f"socks5://127.0.0.1:{proxy.port} wants another user and password. put them into --proxy" in each
        assert "hunter2" not in each
        assert "anna" not in each
    assert len(told) == 2


@pytest.mark.parametrize(
    ("login", "refuse", "told", "cure"),
    [
        ("user:secret", None, "another user and password (407)", "USER:PASSWORD@"),
        (None, 403, "refuses to lead there (403)", "allow CONNECT"),
        (None, 502, "does not lead there", "--proxy none"),
    ],
)
async def test_a_proxy_that_refuses_is_told_with_its_cure_and_without_its_password(
    login: str | None, refuse: int | None, told: str, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exchange_behind(monkeypatch, tmp_path, login=login, refuse=refuse) as proxy:
        access = through(proxy, "anna:hunter2@")
        frames = connection.Frames(SystemClock(), lambda: None)
        with pytest.raises(FeedUnavailable) as of_stream:
            await connection.connect(
                f"wss://{STREAM}/market/stream", frames, stale_s=5, tls=None, clock=SystemClock(), access=access
            )
        async with BinanceRest(f"https://{REST}", SystemClock(), access=access) as rest:
            with pytest.raises(FeedUnavailable) as of_rest:
                await rest.ping()
        async with ArchiveSite(f"https://{REST}", SystemClock(), access=access) as site:
            with pytest.raises(FeedUnavailable) as of_site:
                await site.checksum("BTCUSDT", ArchiveKind.AGG, date(2024, 1, 1))
    for raised in (of_stream, of_rest, of_site):
        assert f"http://127.0.0.1:{proxy.port} " in raised.value.message
        assert told in raised.value.message
        assert cure in raised.value.cure
        assert "hunter2" not in str(raised.value)
        assert "anna" not in str(raised.value)


async def test_a_proxy_that_never_answers_or_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_S", 0.3)
    frames = connection.Frames(SystemClock(), lambda: None)
    async with exchange_behind(monkeypatch, tmp_path) as proxy:
        proxy.deaf = True
        access = through(proxy)
        for _ in range(2):  # and once when it is gone
            with pytest.raises(FeedUnavailable, match=r"through the proxy http://127.0.0.1:\d+: "):
                await connection.connect(
                    f"wss://{STREAM}/", frames, stale_s=5, tls=None, clock=SystemClock(), access=access
                )
            async with BinanceRest(f"https://{REST}", SystemClock(), timeout_s=0.3, access=access) as rest:
                with pytest.raises(FeedUnavailable, match=r"through the proxy http://127.0.0.1:\d+"):
                    await rest.ping()
            access = Access(Proxies("http://127.0.0.1:1"), Limits(SystemClock()))


ENVIRONMENT = {
    "HTTPS_PROXY": "http://secure:1",
    "http_proxy": "http://plain:2",
    "ALL_PROXY": "http://all:3",
    "NO_PROXY": "direct.example, .inner",
}


@pytest.mark.parametrize(
    ("setting", "environment", "url", "proxy"),
    [
        (None, ENVIRONMENT, "wss://fstream.binance.com", "http://secure:1"),
        (None, ENVIRONMENT, "https://fapi.binance.com", "http://secure:1"),
        (None, ENVIRONMENT, "ws://fstream.binance.com", "http://plain:2"),
        (None, {"ALL_PROXY": "http://all:3"}, "wss://fstream.binance.com", "http://all:3"),
        (None, {"HTTPS_PROXY": "A:1", "https_proxy": "b:2"}, "wss://x.example", "http://b:2"),
        (None, ENVIRONMENT, "https://direct.example", None),
        (None, ENVIRONMENT, "https://deep.inner", None),
        (None, ENVIRONMENT, "ws://127.0.0.1:9443", None),
        (None, ENVIRONMENT, "http://localhost:9444", None),
        (None, ENVIRONMENT, "http://[::1]:9444", None),
        ("http://mine:9", ENVIRONMENT, "https://direct.example", "http://mine:9"),
        ("http://mine:9", ENVIRONMENT, "ws://127.0.0.1:9443", None),
        ("none", ENVIRONMENT, "wss://fstream.binance.com", None),
        (None, {}, "wss://fstream.binance.com", None),
    ],
)
def test_the_setting_comes_before_the_environment_and_loopback_is_never_asked_through_a_proxy(
    setting: str | None, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    chosen = Proxies(setting, environment).of(url)
    assert (chosen.shown if chosen else None) == proxy


@pytest.mark.parametrize("there", [True, False])
def test_a_socks_proxy_is_taken_when_what_it_needs_is_there_and_refused_at_the_start_otherwise(
    there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if there else None)
    if there:
        assert parse_proxy("socks5h://u:p@host", "--proxy").picows_url == "socks5://u:p@host:1080"
    else:
        with pytest.raises(SettingsError, match="pip install socksio"):
            parse_proxy("socks5://u:p@host", "--proxy")


@pytest.mark.parametrize(
    "text", ["ftp://host:1", "https://host:1", "socks4://host:1", "http://", "http://host:99999", "a b", "http://h/x"]
)
def test_a_proxy_that_cannot_be_used_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_proxy(text.replace("//", "//anna:hunter2@"), "--proxy")
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(parse_proxy("http://anna:hunter2@host:1", "--proxy"))
