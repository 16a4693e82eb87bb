"""Long work over the API: asked for, followed, cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pairscope.api import wire
from pairscope.base.tasks import end

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Served

OF_THE_EXAMPLES = 1_790_000_000_000


async def post(server: Served, body: dict[str, Any]) -> tuple[int, Any]:
    answer = await server.http.post("/jobs", json=body)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ({"kind": "verify"}, "verify  None None"),
        ({"kind": "verify", "symbols": ["btcusdt"], "from": "2026-11-01"}, "verify BTCUSDT 2026-11-01 None"),
        ({"kind": "import", "symbol": "BTCUSDT", "from": "2026-11-01"}, "download BTCUSDT 2026-11-01 2026-11-01"),
        (
            {"kind": "import", "symbol": "BTCUSDT", "from": "2026-11-01", "to": "2026-11-03"},
            "download BTCUSDT 2026-11-01 2026-11-03",
        ),
        ({"kind": "import", "files": ["a.zip", "b"]}, "bring a.zip b"),
    ],
)
async def test_work_is_asked_for(market: MadeUpMarket, server: Served, body: dict[str, Any], order: str) -> None:
    status, told = await post(server, body)
    assert (status, told["state"], told["kind"]) == (200, "waiting", body["kind"])
    assert market.changes == [order]
    assert (await server.http.get(f"/jobs/{told['id']}")).json() == told
    listed = msgspec.json.decode((await server.http.get("/jobs")).content, type=wire.JobList)
    assert [job.id for job in listed.jobs] == [told["id"], OF_THE_EXAMPLES]
    assert (listed.waiting, listed.waiting_limit, listed.refused) == (2, 3, 0)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"kind": "import"}, "an import names"),
        ({"kind": "import", "files": []}, "an import names"),
        ({"kind": "import", "from": "2026-11-01"}, "an import names"),
        ({"kind": "import", "symbol": "BTCUSDT"}, "'from' is missing"),
        ({"kind": "import", "symbol": "BTCUSDT", "from": "2026-11-01", "files": ["a"]}, "an import names"),
        ({"kind": "import", "to": "2026-11-01", "files": ["a"]}, "an import names"),
    ],
)
async def test_an_order_that_contradicts_itself_is_refused(
    market: MadeUpMarket, server: Served, body: dict[str, Any], why: str
) -> None:
    status, told = await post(server, body)
    assert status == 422
    assert why in told["error"]["message"]
    assert told["error"]["cure"]
    assert market.changes == []


async def test_an_unknown_symbol_is_named(server: Served) -> None:
    status, told = await post(server, {"kind": "verify", "symbols": ["BTCUSD"]})
    assert (status, told["error"]["code"]) == (404, "unknown_symbol")


async def test_a_full_queue_says_when_to_come_back(server: Served) -> None:
    for _ in range(2):
        assert (await post(server, {"kind": "verify"}))[0] == 200
    answer = await server.http.post("/jobs", json={"kind": "verify"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too_many_jobs")
    assert answer.headers["retry-after"] == "30"
    assert (await server.http.get("/jobs")).json()["refused"] == 1


async def test_a_job_is_cancelled_once(server: Served) -> None:
    address = f"/jobs/{OF_THE_EXAMPLES}"
    assert (await server.http.delete(address)).json()["state"] == "cancelled"
    again = await server.http.delete(address)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "job_over")


@pytest.mark.parametrize(("number", "status"), [("7", 404), ("x", 422), ("0", 422), ("9" * 30, 422), ("1e3", 422)])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_number_that_is_no_job_is_refused(server: Served, method: str, number: str, status: int) -> None:
    answer = await server.http.request(method, f"/jobs/{number}")
    assert answer.status_code == status
    assert answer.json()["error"]["cure"]


async def test_whoever_follows_jobs_is_told_of_every_change(market: MadeUpMarket, server: Served) -> None:
    async with server.page() as page:
        await page.follow("jobs")
        first = await page.next(wire.JobsMessage)
        assert [job.state for job in first.jobs.jobs] == ["waiting"]
        running = asyncio.create_task(market.jobs.run())
        while (await page.next(wire.JobsMessage)).jobs.jobs[0].state != "done":
            pass
        _, told = await post(server, {"kind": "verify"})
        while True:
            jobs = (await page.next(wire.JobsMessage)).jobs.jobs
            if jobs[0].id == told["id"] and jobs[0].state == "done":
                break
        assert (jobs[0].result, jobs[0].share) == ("nothing was to be done", 1.0)
        await end(running)


async def test_nothing_is_told_while_nothing_changes(market: MadeUpMarket, server: Served) -> None:
    async with server.page() as page:
        await page.follow("jobs")
        await page.next(wire.JobsMessage)
        await page.follow("status")
        for _ in range(2):
            message = await page.next(wire.JobsMessage, wire.StatusMessage)
            assert isinstance(message, wire.StatusMessage)
