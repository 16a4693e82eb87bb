"""What is sent with a request is read up to a bound, and refused in one form whatever is wrong with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pairscope.api import wire
from pairscope.api.body import MOST_BYTES, PASSED_OVER_BYTES
from tests.patience import EVENT_S

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Served

JSON = {"content-type": "application/json"}
GOOD = b'{"kind": "verify", "symbols": ["BTCUSDT"]}'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"null", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 50_000, "cannot be read"),
        (b'{"kind": NaN}', "cannot be read"),
        (b"{}", 'field `kind`, which is "import" or "verify"'),
        (b'{"kind": "explode"}', '`$.kind`, which is "import" or "verify"'),
        (b'{"kind": 5}', '`$.kind`, which is "import" or "verify"'),
        (b'{"kind": "verify", "symbols": "BTCUSDT"}', "array"),
        (b'{"kind": "verify", "symbols": [1]}', "str"),
        (b'{"kind": "verify", "nonsense": 1}', "nonsense"),
        (b'{"kind": "verify", "kind": "import"}', "more than once"),
        (b'{"kind": "verify", "symbols": ["A"], "symbols": ["B"]}', "more than once"),
    ],
)
async def test_a_body_that_is_none_is_refused_with_one_that_is(
    market: MadeUpMarket, server: Served, content: bytes, why: str
) -> None:
    answer = await server.http.post("/jobs", content=content, headers=JSON)
    assert answer.status_code == 422
    error = msgspec.json.decode(answer.content, type=wire.ErrorAnswer).error
    assert error.code == "bad_body"
    assert why in error.message
    shown = error.cure.removeprefix("send one such as ")
    assert (await server.http.post("/jobs", content=shown, headers=JSON)).status_code == 200, "the cure works"
    assert len(market.changes) == 1


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_is_not_called_json_is_refused(server: Served, kind: str | None) -> None:
    answer = await server.http.post("/jobs", content=GOOD, headers={} if kind is None else {"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "body_not_json")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
async def test_json_may_be_called_so_in_any_case(server: Served, kind: str) -> None:
    assert (await server.http.post("/jobs", content=GOOD, headers={"content-type": kind})).status_code == 200


async def test_a_long_body_is_refused_before_it_is_read(market: MadeUpMarket, server: Served) -> None:
    head = f"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {10**12}\r\n"
    answer = await server.raw(head.encode() + b"\r\n", 400)
    assert b"413" in answer.splitlines()[0]
    assert market.changes == []


async def test_a_long_body_without_a_length_is_refused_at_the_bound(market: MadeUpMarket, server: Served) -> None:
    async def pieces() -> Any:
        for _ in range(MOST_BYTES // 1_000 + 10):
            yield b" " * 1_000

    answer = await server.http.post("/jobs", content=pieces(), headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert market.changes == []


HEAD = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def test_a_body_without_an_end_is_refused_before_all_of_it_was_sent(server: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    answer, sent = asyncio.create_task(reader.readline()), 0
    with contextlib.suppress(ConnectionError):  # it was refused, and is read no further
        while not answer.done() and sent < 40 * PASSED_OVER_BYTES:
            writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
            sent += 65_536
    assert b" 413 " in await asyncio.wait_for(answer, EVENT_S)
    writer.close()


async def test_a_body_whose_sender_leaves_before_its_end_changes_nothing(market: MadeUpMarket, server: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HEAD + f"Content-Length: {len(GOOD) + 1}\r\n\r\n".encode() + GOOD)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), EVENT_S) == b""
    writer.close()
    await server.http.get("/health")
    assert market.changes == []


async def test_a_body_may_come_in_pieces(market: MadeUpMarket, server: Served) -> None:
    async def pieces() -> Any:
        for place in range(len(GOOD)):
            yield GOOD[place : place + 1]

    assert (await server.http.post("/jobs", content=pieces(), headers=JSON)).status_code == 200
    assert market.changes == ["verify BTCUSDT None None"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Host": "elsewhere.example"},
    ],
)
async def test_a_page_of_another_site_cannot_ask_for_work(
    market: MadeUpMarket, server: Served, headers: dict[str, str], kind: str
) -> None:
    answer = await server.http.post("/jobs", content=GOOD, headers=headers | {"content-type": kind})
    assert answer.status_code in (403, 421)
    cancel = await server.http.delete("/jobs/1790000000000", headers=headers)
    assert cancel.status_code in (403, 421)
    assert market.changes == []
    assert json.loads((await server.http.get("/jobs/1790000000000")).content)["state"] == "waiting"
