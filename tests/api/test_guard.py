from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from starlette.types import Message, Receive, Scope, Send
from websockets.exceptions import InvalidStatus

from pairscope.api.guard import CONTENT_SECURITY_POLICY, SECURITY_HEADERS, Guard, own_hosts
from pairscope.base.settings import Settings
from pairscope.base.settings_sources import load_settings

if TYPE_CHECKING:
    from tests.api.conftest import Served

# What may be asked for, and the one origin that is then the server's own page.
OWN = [
    ("localhost:8000", "http://localhost:8000"),
    ("LocalHost:8000", "http://localhost:8000"),
    ("127.0.0.1:8000", "http://127.0.0.1:8000"),
    ("[::1]:8000", "http://[::1]:8000"),
    ("localhost", "http://localhost"),
    ("quant.lan:8000", "http://quant.lan:8000"),
    ("quant.lan", "https://quant.lan"),
]
FOREIGN_HOSTS = [
    "",
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "evil-localhost",
    "localhost.",
    "localhost:8000:8000",
    "localhost:port",
    "localhost@evil.example",
    "evil.example/localhost",
    "127.0.0.1.evil.example",
    "127.1",
    "2130706433",
    "0.0.0.0:8000",
    "192.168.1.5:8000",
    "[::ffff:127.0.0.1]:8000",
    "local host",
    "localhost\t",
]
FOREIGN_ORIGINS = [
    "null",
    "",
    "http://evil.example",
    "https://evil.example:8000",
    "http://localhost:8000.evil.example",
    "http://localhost.evil.example:8000",
    "http://evil-localhost:8000",
    "http://localhost:3000",
    "http://localhost:80000",
    "http://localhost:8000/",
    "http://localhost:8000@evil.example",
    "http://user@localhost:8000",
    "http:localhost:8000",
    "//localhost:8000",
    "localhost:8000",
    "file://",
    "chrome-extension://localhost:8000",
    "ws://localhost:8000",
]


def settings(**flags: str) -> Settings:
    return load_settings(flags, environment={})


class Inside:
    """The application behind the guard: counts what gets through."""

    def __init__(self) -> None:
        self.reached = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached += 1
        if scope["path"] == "/crash":
            raise ZeroDivisionError
        kind = "http.response.start" if scope["type"] == "http" else "websocket.accept"
        await send({"type": kind, "status": 200, "headers": []})


async def ask(
    host: str | None, *headers: tuple[str, str], kind: str = "http", inside: Inside | None = None, **scope: Any
) -> list[Message]:
    own = settings(allowed_hosts="Quant.lan")
    guard = Guard(inside or Inside(), own_hosts(own), own.allowed_hosts)
    hosts = [] if host is None else [("host", host)]
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": f"{kind}.connect"}

    scope = {
        "type": kind,
        "path": "/ohlc",
        "scheme": "http" if kind == "http" else "ws",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in (*hosts, *headers)],
        "extensions": {"websocket.http.response": {}},
        **scope,
    }
    await guard(scope, receive, send)
    return sent


def code(sent: list[Message]) -> str:
    decoded: dict[str, dict[str, str]] = msgspec.json.decode(sent[1]["body"])
    assert decoded["error"]["cure"]
    return decoded["error"]["code"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(("host", "origin"), OWN)
async def test_our_own_names_and_our_own_page_pass(host: str, origin: str, kind: str) -> None:
    for headers in ([("origin", origin)], []):
        sent = await ask(host, *headers, kind=kind)
        assert sent[0]["type"] in ("http.response.start", "websocket.accept")
        assert sent[0]["status"] == 200


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_a_name_that_is_not_ours_is_misdirected_whatever_the_origin(host: str, kind: str) -> None:
    inside = Inside()
    for origin in (None, f"http://{host}", "http://localhost:8000"):
        headers = [("origin", origin)] if origin else []
        sent = await ask(host, *headers, kind=kind, inside=inside)
        assert sent[0]["status"] == 421
        assert code(sent) == "foreign_host"
    assert inside.reached == 0


async def test_no_host_and_two_hosts_are_refused() -> None:
    assert code(await ask(None)) == "foreign_host"
    assert code(await ask("localhost", ("host", "localhost"))) == "foreign_host"


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(("origin", "host"), list(itertools.product(FOREIGN_ORIGINS, [host for host, _ in OWN])))
async def test_a_page_of_another_origin_is_refused_before_anything_is_accepted(
    origin: str, host: str, kind: str
) -> None:
    inside = Inside()
    sent = await ask(host, ("origin", origin), kind=kind, inside=inside)
    assert sent[0]["status"] == 403
    assert code(sent) == "foreign_origin"
    assert inside.reached == 0


async def test_the_same_name_under_another_scheme_is_another_origin() -> None:
    assert code(await ask("localhost:8000", ("origin", "https://localhost:8000"))) == "foreign_origin"
    assert code(await ask("localhost:8000", ("origin", "http://localhost:8000"), scheme="https")) == "foreign_origin"


async def test_one_foreign_origin_among_two_is_refused() -> None:
    own = ("origin", "http://localhost")
    assert code(await ask("localhost", own, ("origin", "http://evil.example"))) == "foreign_origin"


async def test_a_request_that_a_browser_says_another_site_made_is_refused_but_a_followed_link_is_not() -> None:
    for site in ("cross-site", "same-site"):
        assert code(await ask("localhost", ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors"))) == "foreign_origin"
    sent = await ask("localhost", ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"))
    assert sent[0]["status"] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_only_the_own_page_and_programs_may_change_something(method: str) -> None:
    assert (await ask("localhost:8000", method=method))[0]["status"] == 200
    assert (await ask("localhost:8000", ("origin", "http://localhost:8000"), method=method))[0]["status"] == 200
    for origin in FOREIGN_ORIGINS:
        assert code(await ask("localhost:8000", ("origin", origin), method=method)) == "foreign_origin", origin
    link = (("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"))
    assert code(await ask("localhost", *link, method=method)) == "foreign_origin"


async def test_a_server_without_denial_responses_closes_the_handshake() -> None:
    sent = await ask("evil.example", kind="websocket", extensions={})
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_crash_inside_is_told_without_its_cause_and_with_all_headers() -> None:
    sent = await ask("localhost", path="/crash")
    assert sent[0]["status"] == 500
    assert code(sent) == "internal_error"
    assert b"ZeroDivision" not in sent[1]["body"]
    assert set(SECURITY_HEADERS) <= set(sent[0]["headers"])


async def test_every_answer_carries_the_security_headers_and_is_not_stored_unless_it_says_so() -> None:
    sent = await ask("localhost")
    assert set(SECURITY_HEADERS) <= set(sent[0]["headers"])
    assert (b"cache-control", b"no-store") in sent[0]["headers"]


def test_the_policy_allows_no_inline_code_and_no_other_host() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


def test_an_address_for_everybody_is_not_a_name() -> None:
    assert own_hosts(settings(host="0.0.0.0")) == own_hosts(settings())
    assert "192.168.1.5" in own_hosts(settings(host="192.168.1.5"))
    assert "[fd00::1]" in own_hosts(settings(host="fd00::1"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403)],
)
async def test_a_real_handshake_is_refused_with_the_error_shape(
    server: Served, headers: dict[str, str], status: int
) -> None:
    host = headers.get("Host", f"127.0.0.1:{server.port}")
    origin = f"Origin: {headers['Origin']}\r\n" if "Origin" in headers else ""
    answer = await server.raw(
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}".encode())
    assert msgspec.json.decode(body)["error"]["cure"]
    assert server.hub.counters().clients == 0


async def test_a_real_client_of_our_own_page_is_let_in(server: Served) -> None:
    async with server.connect(origin=f"http://127.0.0.1:{server.port}"):
        pass
    with pytest.raises(InvalidStatus, match="403"):
        async with server.connect(origin=f"http://localhost:{server.port}"):
            pass
