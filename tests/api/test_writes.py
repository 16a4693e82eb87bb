"""Whatever changes something is out of reach of pages of other sites, with every browser: each endpoint that does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pairscope.api.endpoint import Endpoint
from pairscope.api.routes import ENDPOINTS
from pairscope.api.schema import openapi_document

if TYPE_CHECKING:
    import httpx

    from tests.api.conftest import MadeUpMarket, Served

WRITES = [each for each in ENDPOINTS if each.scope == "write"]
SIMPLE = ("GET", "HEAD", "POST")  # methods that a page may send to another site without being asked whether it may
FORMS = ("text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data", "")
each_write = pytest.mark.parametrize("endpoint", WRITES, ids=lambda each: f"{each.method} {each.path}")


async def send(server: Served, endpoint: Endpoint, **headers: str) -> httpx.Response:
    own: dict[str, str] = {} if endpoint.body is None else {"content-type": "application/json"}
    content = None if endpoint.body is None else json.dumps(endpoint.example_body)
    return await server.http.request(endpoint.method, endpoint.example, content=content, headers=own | headers)


def code(answer: httpx.Response) -> str:
    error: dict[str, str] = answer.json()["error"]
    assert error["cure"]
    return error["code"]


def test_reads_are_gets_and_what_says_so_and_all_else_writes() -> None:
    scopes = {(each.method, each.path): each.scope for each in ENDPOINTS}
    assert {scope for (method, _), scope in scopes.items() if method == "GET"} == {"read"}
    assert scopes["PUT", "/symbols/{symbol}"] == scopes["DELETE", "/symbols/{symbol}"] == "write"
    assert scopes["POST", "/jobs"] == scopes["DELETE", "/jobs/{id}"] == "write"
    document = openapi_document()["paths"]
    assert {(m, p): document[p][m.lower()]["x-scope"] for m, p in scopes} == scopes


@each_write
def test_a_browser_asks_before_it_sends_one_for_another_site(endpoint: Endpoint) -> None:
    assert endpoint.method not in SIMPLE or endpoint.body is not None


@each_write
async def test_no_other_site_is_told_that_it_may(server: Served, endpoint: Endpoint) -> None:
    for origin in ("http://evil.example", f"http://127.0.0.1:{server.port}"):
        headers = {"origin": origin, "access-control-request-method": endpoint.method}
        answer = await server.http.options(endpoint.example, headers=headers)
        assert answer.status_code in (403, 405)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@each_write
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        {"referer": "http://evil.example/", "origin": "null"},
    ],
    ids=lambda each: " ".join(each.values()),
)
async def test_a_page_of_another_site_is_refused_and_changes_nothing(
    market: MadeUpMarket, server: Served, endpoint: Endpoint, headers: dict[str, str]
) -> None:
    before = market.state_of_things()
    answer = await send(server, endpoint, **headers)
    assert (answer.status_code, code(answer)) == (403, "foreign_origin")
    assert market.state_of_things() == before


@pytest.mark.parametrize("endpoint", [each for each in WRITES if each.body is not None], ids=lambda each: each.path)
@pytest.mark.parametrize("kind", FORMS)
async def test_a_form_that_tells_nothing_of_its_page_is_refused_and_changes_nothing(
    market: MadeUpMarket, server: Served, endpoint: Endpoint, kind: str
) -> None:
    before = market.state_of_things()
    answer = await send(server, endpoint, **{"content-type": kind})
    assert (answer.status_code, code(answer)) == (415, "body_not_json")
    assert market.state_of_things() == before


@each_write
async def test_a_program_and_the_own_page_are_let_in(server: Served, endpoint: Endpoint) -> None:
    own: dict[str, Any] = {"origin": f"http://127.0.0.1:{server.port}", "sec-fetch-site": "same-origin"}
    assert (await send(server, endpoint)).status_code == 200
    assert (await send(server, endpoint, **own)).status_code in (200, 404, 409), "it is done already"
