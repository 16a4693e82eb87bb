"""HTTP of tests: never beyond this machine, so that the certificates of the world need not be read.

That takes 40 ms, more than most requests, for each client.
"""

from __future__ import annotations

from typing import Any

import httpx

from tests.patience import ANSWER_S

_PLAIN: dict[str, Any] = {"verify": False, "trust_env": False}


def http_client(**options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(**(_PLAIN | options))


def ask(method: str, url: str) -> httpx.Response:
    """On a connection of its own."""
    return httpx.request(method, url, timeout=ANSWER_S, **_PLAIN)


def get(url: str) -> httpx.Response:
    return ask("GET", url)
