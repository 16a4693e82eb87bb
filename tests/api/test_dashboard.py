from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pairscope.api.dashboard import FOR_EVER, read_assets

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Serve

CANARY = b"canary-outside-the-folder"
INDEX = b"<!doctype html><title>pairscope</title>"
STEPS = ["..", "%2e%2e", "%2E.", "%252e%252e", "..;", "....", "%c0%ae%c0%ae", "..%00", "%uff0e%uff0e", "．．"]
SLASHES = ["/", "//", "%2f", "%252f", "\\", "%5c", "%255c", "/./", "%2f%2e%2f"]
TARGETS = ["secret.txt", "secret.txt%00.html", "static/secret.txt", "secret.html", "etc/passwd"]
STARTS = ["/app/", "/app/assets/", "/app//", "/", "/docs/", "/app/../", "//app/"]


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A built dashboard, with things outside it that must never be seen."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(INDEX)
    (folder / "favicon.svg").write_bytes(b"<svg/>")
    (folder / "assets" / "index-abc123.js").write_bytes(b"main()")
    (folder / "assets" / "index-abc123.css").write_bytes(b"a{}")
    (folder / "notes.py").write_bytes(CANARY)
    for name in ("secret.txt", "secret.html"):
        (tmp_path / name).write_bytes(CANARY)
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    (folder / "assets" / "up").symlink_to(tmp_path, target_is_directory=True)
    return folder


def test_only_files_of_the_folder_that_a_browser_uses_are_read(static: Path) -> None:
    assets = read_assets(static)
    assert set(assets) == {"index.html", "favicon.svg", "assets/index-abc123.js", "assets/index-abc123.css"}
    assert assets["assets/index-abc123.js"].content_type == "text/javascript; charset=utf-8"


def test_a_missing_folder_holds_nothing(tmp_path: Path) -> None:
    assert read_assets(tmp_path / "nowhere") == {}


async def test_the_root_and_the_bare_path_lead_to_the_dashboard(
    market: MadeUpMarket, serve: Serve, static: Path
) -> None:
    async with serve(market.app(static=static)) as server:
        for path in ("/", "/app"):
            answer = await server.http.get(path)
            assert (answer.status_code, answer.headers["location"]) == (307, "/app/")


@pytest.mark.parametrize(
    "path",
    [
        *("/app/", "/app/index.html", "/app/pair/BTCUSDT-ETHUSDT", "/app/symbol/BTCUSDT?tf=1s"),
        *("/app/symbol/OKX.ETH_USDT", "/app/symbol/okx.eth_usdt", "/app/pair/OKX.ETH_USDT-BTCUSDT"),
    ],
)
async def test_every_screen_is_the_index_and_is_always_asked_for_again(
    market: MadeUpMarket, serve: Serve, static: Path, path: str
) -> None:
    async with serve(market.app(static=static)) as server:
        answer = await server.http.get(path)
        assert answer.content == INDEX
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        again = await server.http.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_hashed_files_are_kept_for_ever_and_missing_ones_are_not_the_index(
    market: MadeUpMarket, serve: Serve, static: Path
) -> None:
    async with serve(market.app(static=static)) as server:
        found = await server.http.get("/app/assets/index-abc123.js")
        assert found.content == b"main()"
        assert found.headers["cache-control"] == FOR_EVER
        for path in (
            "/app/assets/index-old999.js",
            "/app/robots.txt",
            "/app/notes.py",
            "/app/link.html",
            "/app/x/app.js.map",
        ):
            missing = await server.http.get(path)
            assert missing.status_code == 404
            assert missing.json()["error"]["code"] == "not_found"
            assert missing.headers["cache-control"] == "no-store"


async def test_no_spelling_of_a_path_leaves_the_folder(market: MadeUpMarket, serve: Serve, static: Path) -> None:
    paths = [
        start + (step + slash) * 3 + target
        for start, step, slash, target in itertools.product(STARTS, STEPS, SLASHES, TARGETS)
    ]
    paths += ["/app/assets/up/secret.txt", "/app/link.html", f"/app/{static.parent}/secret.txt", "file:///etc/passwd"]
    assert len(paths) > 3_000
    async with serve(market.app(static=static)) as server:
        for first in range(0, len(paths), 50):
            some = paths[first : first + 50]
            requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" for path in some]
            answers = await asyncio.gather(*(server.raw(request.encode()) for request in requests))
            for path, answer in zip(some, answers, strict=True):
                assert answer.startswith(b"HTTP/1.1 "), path
                assert CANARY not in answer, path
                assert b"root:" not in answer, path


async def test_without_a_built_dashboard_the_page_says_how_to_build_it(
    market: MadeUpMarket, serve: Serve, tmp_path: Path
) -> None:
    async with serve(market.app(static=tmp_path / "nowhere")) as server:
        answer = await server.http.get("/app/")
        assert answer.status_code == 503
        assert "make install" in answer.text
        assert answer.headers["content-type"].startswith("text/html")
