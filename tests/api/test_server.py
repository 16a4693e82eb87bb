from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pairscope.api import wire
from pairscope.api.guard import SECURITY_HEADERS
from pairscope.api.routes import ENDPOINTS
from pairscope.api.server import make_server
from pairscope.base.errors import StoreUnavailable

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Serve, Served

METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]


def addresses(app: Any) -> list[str]:
    """Every registered address, its placeholders as they stand and filled in."""
    paths = [route.path for route in app.routes]
    return sorted({*map(filled, paths), *(path.replace(":path", "") for path in paths)})


def filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "BTCUSDT", path)


async def test_a_method_that_is_not_served_is_405_in_the_error_shape_everywhere(server: Served) -> None:
    methods: dict[str, set[str]] = {}
    for one in ENDPOINTS:
        for path in (one.path, filled(one.path)):
            methods.setdefault(path, set()).add(one.method)
    for address in addresses(server.app):
        served = methods.get(address, {"GET"})
        allowed = ", ".join(sorted(served | ({"HEAD"} if "GET" in served else set())))
        for method in {*METHODS, "GET"} - served:
            answer = await server.http.request(method, address, content=b"{}")
            assert answer.status_code == 405, (method, address)
            assert answer.headers["allow"] == allowed
            error = msgspec.json.decode(answer.content, type=wire.ErrorAnswer).error
            assert (error.code, error.cure) == ("method_not_allowed", f"use {allowed}")


@pytest.mark.parametrize("path", ["/status", "/jobs", "/alerts/rules/1"])
async def test_head_is_get_without_its_body(server: Served, path: str) -> None:
    answer = await server.http.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 2


@pytest.mark.parametrize("path", ["/nope", "/ohlc/", "/ohlc/BTCUSDT", "/ohlc/a/b/c", "//ohlc", "/APP/", "/docs/x"])
async def test_an_unknown_address_is_404_in_the_error_shape(server: Served, path: str) -> None:
    answer = await server.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404")
    error = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2], type=wire.ErrorAnswer).error
    assert error.code == "not_found"


async def test_a_misspelt_address_is_told_the_nearest(server: Served) -> None:
    assert (await server.http.get("/ohlcv")).json()["error"]["cure"] == "did you mean /ohlc?"


async def test_every_answer_of_every_address_is_guarded_and_holds_no_number_json_does_not_know(server: Served) -> None:
    for address in addresses(server.app):
        answer = await server.http.get(address)
        for name, value in SECURITY_HEADERS:
            assert answer.headers[name.decode()] == value.decode(), address
        assert "server" not in answer.headers
        assert not re.search(rb"\b(NaN|Infinity)\b", answer.content), address
        if answer.status_code >= 400 and not address.startswith("/app"):
            assert msgspec.json.decode(answer.content, type=wire.ErrorAnswer).error.cure


async def test_head_is_answered_like_get_without_the_body(server: Served) -> None:
    head, get = await server.http.head("/symbols"), await server.http.get("/symbols")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_a_fault_of_ours_is_500_without_its_cause_and_the_server_goes_on(
    market: MadeUpMarket, serve: Serve
) -> None:
    def broken() -> wire.Health:
        raise ZeroDivisionError("a secret")

    async with serve(market.app(board=market.telling(broken))) as server:
        answer = await server.http.get("/health")
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "internal_error"
        assert "secret" not in answer.text
        assert (await server.http.get("/symbols")).status_code == 200


async def test_a_tape_that_cannot_be_read_is_503(
    market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the tape is closed", cure="start pairscope again")

    monkeypatch.setattr(market.store, "trades", unreadable)
    async with serve(market.app()) as server:
        answer = await server.http.get("/ticks/latest?symbol=BTCUSDT")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "store_unavailable"


async def test_the_stream_asked_without_an_upgrade_says_so(server: Served) -> None:
    answer = await server.http.get("/ws")
    assert answer.status_code == 426
    assert answer.json()["error"]["code"] == "upgrade_required"


async def test_a_request_line_or_header_without_end_is_cut(server: Served) -> None:
    answer = await server.raw(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", most=12)
    assert answer.startswith(b"HTTP/1.1 4")


def test_short_answers_do_not_wait_for_the_peer(market: MadeUpMarket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        make_server(market.app(), [listening])
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
