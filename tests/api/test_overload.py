"""Asked too much: studies wait in a line of their own, and what nobody waits for is dropped."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from pairscope.analytics import warm as analytics_warm
from pairscope.api.endpoint import Context
from pairscope.live import analysis
from pairscope.live.analysis import STUDIES_AT_ONCE
from tests.patience import WORK_S

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Serve, Served

PAIR = "/analytics/pair?y=ETHUSDT&x=BTCUSDT&window=60&tests=true"


def context_of(server: Served) -> Context:
    context = server.app.state.context
    assert isinstance(context, Context)
    return context


@pytest.fixture(autouse=True, scope="module")
def kernels() -> None:
    """Loaded, or compiled, before anybody waits for them."""
    analytics_warm.warm_up()


class Held:
    """Holds studies back at their first piece until `go_on`, and counts the pieces that were computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = 0
        self.finished = 0
        self.go_on = threading.Event()
        whole = analysis._study_pair

        def held(*arguments: Any) -> Any:
            self.begun += 1
            self.go_on.wait(WORK_S)
            found = whole(*arguments)
            self.finished += 1
            return found

        monkeypatch.setattr(analysis, "_study_pair", held)


async def until(true: Any) -> None:
    async with asyncio.timeout(WORK_S):
        while not true():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def asking(server: Served, count: int, path: str = PAIR) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Many who ask for the same and do not read the answer, each over a connection of its own; then they leave."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(count)]
    for _, writer in opened:
        writer.write(request)
    try:
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


async def test_studies_of_clients_that_left_are_not_computed(
    market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    async with serve(market.app()) as server:
        gate = context_of(server).gates.study
        async with asking(server, STUDIES_AT_ONCE + 20):
            await until(lambda: held.begun == STUDIES_AT_ONCE and gate.waiting == 20)
        await until(lambda: gate.abandoned == STUDIES_AT_ONCE + 20)
        held.go_on.set()
        answer = await server.http.get(PAIR)  # of one who waits
        assert answer.status_code == 200
        assert (held.begun, held.finished) == (STUDIES_AT_ONCE + 1, 1)


async def test_studies_beyond_the_line_are_told_when_to_come_back_and_why(
    market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    async with serve(market.app()) as server:
        gate = context_of(server).gates.study
        async with asking(server, STUDIES_AT_ONCE + 32):
            await until(lambda: gate.waiting == 32)
            answer = await server.http.get(PAIR)
            held.go_on.set()
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["code"] == "busy"
        assert "studies" in answer.json()["error"]["message"]
        assert gate.refused == 1


async def test_reads_do_not_wait_for_studies(
    market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    async with serve(market.app()) as server, asking(server, STUDIES_AT_ONCE + 32):
        await until(lambda: context_of(server).gates.study.waiting == 32)
        for path in (
            "/ohlc/BTCUSDT/1m",
            "/ohlc/BTCUSDT/1s?stored=true",
            "/ticks/latest?symbol=BTCUSDT",
            "/analytics",
            "/analytics/BTCUSDT?metrics=rsi,adf_stat",
            "/status",
            "/status/tape",
        ):
            assert (await server.http.get(path)).status_code == 200, path
        held.go_on.set()


async def test_status_counts_who_waits_was_refused_and_left(
    market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    async with serve(market.app()) as server:
        gate = context_of(server).gates.study
        async with asking(server, STUDIES_AT_ONCE + 32):
            await until(lambda: gate.waiting == 32)
            assert (await server.http.get(PAIR)).status_code == 503
            requests = (await server.http.get("/status")).json()["requests"]
            assert requests["studies"] == {"waiting": 32, "refused": 1, "abandoned": 0}
            assert requests["disk"] == {"waiting": 0, "refused": 0, "abandoned": 0}
            assert requests["connections"] == STUDIES_AT_ONCE + 32 + 1
        await until(lambda: gate.abandoned == STUDIES_AT_ONCE + 32)
        held.go_on.set()
        requests = (await server.http.get("/status")).json()["requests"]
        assert requests["studies"] == {"waiting": 0, "refused": 1, "abandoned": STUDIES_AT_ONCE + 32}
        server.app.state.connections.most = 1
        answer = await server.raw(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")
        requests = (await server.http.get("/status")).json()["requests"]
        assert (requests["connections_refused"], requests["connections_limit"]) == (1, 1)


async def test_pairs_beyond_the_most_values_of_an_answer_are_left_out_and_counted(
    market: MadeUpMarket, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(market.app()) as server:
        whole = (await server.http.get("/analytics")).json()
        assert (len(whole["pairs"]), whole["pairs_left_out"]) == (3, 0)
        values = sum(len(metrics) for kind in ("symbols", "pairs") for metrics in whole[kind].values())
        monkeypatch.setattr("pairscope.api.analytics.MOST_VALUES", values - 1)
        less = (await server.http.get("/analytics")).json()
        assert (len(less["pairs"]), less["pairs_left_out"]) == (2, 1)
        assert less["symbols"].keys() == whole["symbols"].keys()
