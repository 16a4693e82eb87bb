"""What the document says a route may answer is what it can answer, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from pairscope.api import server as _every_error_of_the_api  # noqa: F401
from pairscope.api.endpoint import Endpoint, LookedAt
from pairscope.api.routes import ENDPOINTS
from pairscope.api.schema import ERRORS, openapi_document
from pairscope.base.errors import DiskFull, FeedUnavailable, FileNotWritten, PairscopeError, RequestError, UnknownName
from pairscope.ingest.tape_jobs import JobRefused
from pairscope.ingest.watch_list import WatchRefused
from pairscope.jobs.queue import TooManyJobs
from tests.loopback import http_client
from tests.patience import ANSWER_S

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Serve, Served

DOCUMENT = openapi_document()
STRANGE = ("NOSUCHUSDT", "7x", "", "-1", "never")
ORDERS = [JobRefused, TooManyJobs, UnknownName, RequestError]
STATES = [LookedAt, DiskFull, FileNotWritten, UnknownName, RequestError]  # of the state database
CHANGES = [WatchRefused, DiskFull, FileNotWritten, FeedUnavailable, UnknownName, RequestError]
# Of what is no request for a route: one that is no HTTP, an unfinished one, a socket asked for as a page; and that of a
# library that is missing, which becomes a reason.
NOT_OF_A_ROUTE = {400, 408, 426, 501}


def listed(endpoint: Endpoint) -> set[int]:
    responses = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]["responses"]
    return {int(status) for status in responses} - {200}


def odd_requests(endpoint: Endpoint) -> Iterator[str]:
    """The example with one parameter too many, and with each of its parameters changed."""
    parts = urlsplit(endpoint.example)
    query = dict(parse_qsl(parts.query))
    yield str(httpx.URL(parts.path, params={**query, "nonsense": "1"}))
    for parameter in endpoint.parameters:
        for strange in STRANGE:
            if parameter.where == "query":
                yield str(httpx.URL(parts.path, params={**query, parameter.name: strange}))
        if parameter.where == "path":
            names, filled = endpoint.path.split("/"), parts.path.split("/")
            filled[names.index(f"{{{parameter.name}}}")] = "NOSUCHUSDT"
            yield "/".join(filled)
            if parameter.schema.get("type") == "integer":
                for number in ("1", "77"):
                    filled[names.index(f"{{{parameter.name}}}")] = number
                    yield "/".join(filled)


async def statuses(served: Served, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Those a route answers to whatever may go wrong with a request, the server, and the client's address."""
    bodies: dict[str, Any] = {} if endpoint.body is None else {"json": endpoint.example_body}

    async def ask(method: str, url: str, **options: Any) -> httpx.Response:
        return await served.http.request(method, url, **(bodies | options))

    found = {(await ask(endpoint.method, url)).status_code for url in odd_requests(endpoint)}
    if endpoint.body is not None:
        for content, kind in ((b"x" * 100_000, "json"), (b"{}", "json"), (b"{}", "x-www-form-urlencoded")):
            headers = {"content-type": f"application/{kind}"}
            answer = await served.http.request(endpoint.method, endpoint.example, content=content, headers=headers)
            found.add(answer.status_code)
    for headers in ({"Host": "elsewhere.example"}, {"Origin": "http://elsewhere.example"}):
        found.add((await ask(endpoint.method, endpoint.example, headers=headers)).status_code)
    with monkeypatch.context() as broken:
        broken.setattr("pairscope.api.endpoint.Query", None)
        found.add((await ask(endpoint.method, endpoint.example)).status_code)
    connections = served.app.state.connections
    with monkeypatch.context() as full:
        full.setattr(connections, "most", 0)
        async with http_client(base_url=served.http.base_url, timeout=ANSWER_S) as newcomer:
            found.add((await newcomer.request(endpoint.method, endpoint.example)).status_code)
    return found - {200}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.operation)
async def test_a_route_answers_with_every_status_that_is_listed_for_it_and_with_no_other(
    endpoint: Any, market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    await market.store.flushed()
    raised: list[type[PairscopeError]] = []

    async def fails(symbol: str) -> None:
        raise raised[-1]("it cannot be done")

    def fails_at_once(*_: object) -> None:
        raise raised[-1]("it cannot be done")

    found: set[int] = set()
    tape_jobs = SimpleNamespace(jobs=market.jobs, download=fails_at_once, bring=fails_at_once, verify=fails_at_once)
    async with serve(market.app(watched=SimpleNamespace(add=fails, remove=fails), tape_jobs=tape_jobs)) as served:
        for error in STATES if endpoint.writes_state else CHANGES if endpoint.body is None else ORDERS:
            raised.append(error)
            with monkeypatch.context() as failing:
                if endpoint.writes_state:
                    failing.setattr("pairscope.api.endpoint.asked_by", SimpleNamespace(set=fails_at_once))
                if endpoint.method != "GET":
                    asked = await served.http.request(endpoint.method, endpoint.example, json=endpoint.example_body)
                    found.add(asked.status_code)
        found |= await statuses(served, endpoint, monkeypatch)
    assert found - {200} == listed(endpoint)


def errors(of: type[PairscopeError] = PairscopeError) -> Iterator[type[PairscopeError]]:
    yield of
    for each in of.__subclasses__():
        yield from errors(each)


def test_every_error_there_is_has_a_status_that_is_described() -> None:
    undescribed = {each.__name__: each.http_status for each in errors() if each.http_status not in ERRORS}
    assert set(undescribed.values()) <= NOT_OF_A_ROUTE, undescribed
