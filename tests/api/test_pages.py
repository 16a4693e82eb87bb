from __future__ import annotations

import html
import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from pairscope.api.pages import not_built_page, reference_page
from pairscope.api.schema import openapi_document

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Serve, Served

DOCUMENT = openapi_document()


@pytest.fixture(scope="module")
def page() -> str:
    return reference_page(DOCUMENT, "http://localhost:8000")


def test_every_route_with_its_parameters_and_every_type_is_on_the_page(page: str) -> None:
    for path, operations in DOCUMENT["paths"].items():
        assert f"<code>{path}</code></h3>" in page
        for parameter in [each for operation in operations.values() for each in operation["parameters"]]:
            assert f"<td><code>{parameter['name']}</code></td>" in page
    for name in DOCUMENT["components"]["schemas"]:
        assert f'id="type-{name}"' in page


def test_every_link_within_the_page_leads_somewhere(page: str) -> None:
    targets = set(re.findall(r'id="([^"]+)"', page))
    links = re.findall(r'href="#([^"]+)"', page)
    assert links
    assert set(links) <= targets
    assert len(targets) == len(re.findall(r'id="([^"]+)"', page))


@pytest.mark.parametrize("which", ["reference", "not built"])
def test_a_page_has_no_script_no_inline_style_and_nothing_from_elsewhere(page: str, which: str) -> None:
    text = page if which == "reference" else not_built_page()
    assert not re.search(r"<script|<style|style=|\son[a-z]+=|<img|<iframe", text)
    assert all(target.startswith(("/", "#")) for target in re.findall(r'(?:href|src)="([^"]*)"', text))


def test_what_the_document_says_cannot_become_markup() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    document = {
        **DOCUMENT,
        "info": {"version": hostile, "description": hostile},
        "components": {
            "responses": {name: {"description": hostile} for name in DOCUMENT["components"]["responses"]},
            "schemas": {"T": {"description": hostile, "properties": {hostile: {"enum": [hostile]}}}},
        },
    }
    assert "<img" not in reference_page(document, hostile)


async def test_the_page_and_its_stylesheet_are_served(server: Served) -> None:
    page = await server.http.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f"curl 'http://127.0.0.1:{server.port}/ohlc?symbol=BTCUSDT" in html.unescape(page.text)
    style = await server.http.get(re.findall(r'stylesheet" href="([^"]+)"', page.text)[0])
    assert style.status_code == 200
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text


async def test_constant_pages_are_built_before_the_first_request_and_only_once(
    market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(market.app()) as server:

        def built_again(*_: object) -> object:
            raise AssertionError("built in a request")

        monkeypatch.setattr("pairscope.api.server.pages.reference_page", built_again)
        monkeypatch.setattr("pairscope.api.server.openapi_document", built_again)
        for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}"):
            page = await server.http.get("/docs", headers={"Host": host})
            assert page.status_code == 200
            assert f"http://{host}/ohlc" in html.unescape(page.text)
        assert (await server.http.get("/openapi.json")).status_code == 200


def test_an_example_is_what_a_shell_sends(page: str) -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            section = page.partition(f'<section id="{operation["operationId"]}">')[2].partition("</section>")[0]
            command = html.unescape(section.partition("<pre><code>")[2].partition("</code>")[0])
            words = shlex.split(command.replace("\\\n", ""))
            if "requestBody" in operation:
                assert "Is sent with a body" in section
                assert words[3:6] == [f"http://localhost:8000{operation['x-example']}", "-H", words[5]], path
                assert words[5:7] == ["content-type: application/json", "-d"]
                content = operation["requestBody"]["content"]["application/json"]
                assert json.loads(words[7]) == content["example"]
            elif words[0] == "curl":
                assert "Is sent with a body" not in section
                assert words[-1] == f"http://localhost:8000{operation['x-example']}"
                assert method == "get" or words[1:3] == ["-X", method.upper()]
