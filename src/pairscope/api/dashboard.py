"""The built dashboard, served from memory.

The folder is read once. A request is looked up in a table of what was found there, so that no path, however
spelt, reaches the disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pairscope.api.pages import not_built_page
from pairscope.base.errors import Meanings, PairscopeError, SettingsError
from pairscope.base.symbol import normal_symbol

# Our own table: the one of the operating system may call a script plain text.
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
FILES = {*CONTENT_TYPES, ".map"}
FOR_EVER = "public, max-age=31536000, immutable"
INDEX = "index.html"
HASHED = "assets/"  # the names of these files change with their content


class NoSuchFile(PairscopeError):
    code = "not_found"
    meanings: ClassVar[Meanings] = {
        "not_found": ("a file of the page that is not there", "load the page again: it is of another version")
    }
    http_status = 404


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    content_type: str
    etag: str
    cache_control: str


def read_assets(folder: Path) -> dict[str, Asset]:
    """Every file below the folder that a browser can use, by its path with slashes; none when it is missing."""
    if not folder.is_dir():
        return {}
    root = folder.resolve()
    found = {}
    for path in sorted(root.rglob("*")):
        content_type = CONTENT_TYPES.get(path.suffix)
        if content_type is None or not path.is_file() or not path.resolve().is_relative_to(root):
            continue
        name = path.relative_to(root).as_posix()
        body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        found[name] = Asset(body, content_type, etag, FOR_EVER if name.startswith(HASHED) else "no-cache")
    return found


class Dashboard:
    """Answers everything under /app/."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self._assets = assets

    async def serve(self, request: Request) -> Response:
        index = self._assets.get(INDEX)
        if index is None:
            return Response(not_built_page(), 503, media_type="text/html")
        path = request.path_params.get("path", "")
        asset = self._assets.get(path) or (index if _is_screen(path) else None)
        if asset is None:
            raise NoSuchFile(
                f"the dashboard has no file '{path[:80]}'", cure="open /app/ again; it may be a new version"
            )
        headers = {"ETag": asset.etag, "Cache-Control": asset.cache_control}
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.body, headers={**headers, "Content-Type": asset.content_type})


def _is_screen(path: str) -> bool:
    """Whether an address belongs to the page's own navigation and not to a file."""
    if path.startswith(HASHED) or "\\" in path or "\0" in path:
        return False
    parts = path.split("/")
    return ".." not in parts and ("." not in parts[-1] or (len(parts) > 1 and _names_symbols(parts[-1])))


def _names_symbols(part: str) -> bool:
    """Whether the last part of an address is a symbol, or two, of a venue that is not the default one.

    >>> _names_symbols("OKX.ETH_USDT-BTCUSDT"), _names_symbols("app.js"), _names_symbols("app.js.map")
    (True, False, False)
    """
    try:
        return PurePosixPath(part).suffix not in FILES and all(normal_symbol(each) for each in part.split("-"))
    except SettingsError:
        return False


async def to_dashboard(request: Request) -> Response:
    return RedirectResponse("/app/")
