"""What the document says of a parameter is what the reader does, asked from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pairscope.analytics import warm as analytics_warm
from pairscope.api.schema import openapi_document

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Serve

Json = dict[str, Any]
DIGITS = 1e-9  # beyond a bound of a number
A_SECOND_MS = 1_000


@pytest.fixture(autouse=True, scope="module")
def kernels() -> None:
    analytics_warm.warm_up()


@dataclass(frozen=True, slots=True)
class Case:
    """A parameter of an operation, and its schema or a part of it."""

    path: str
    operation: Json
    parameter: Json
    schema: Json


def operations() -> Iterator[tuple[str, Json]]:
    for path, methods in openapi_document()["paths"].items():
        if "get" in methods and path != "/ws":
            yield path, methods["get"]


def with_parameter(wanted: str) -> list[Any]:
    """Every parameter whose schema, or a part of it, has a key."""
    found = []
    for path, operation in operations():
        for parameter in operation["parameters"]:
            for schema in parameter["schema"].get("anyOf", [parameter["schema"]]):
                if wanted in schema:
                    found.append(
                        pytest.param(Case(path, operation, parameter, schema), id=f"{path} {parameter['name']}")
                    )
    return found


class Asker:
    """Asks one address with its needed parameters and one more."""

    def __init__(self, http: httpx.AsyncClient, case: Case) -> None:
        self._http = http
        self._path = case.path
        self._name = case.parameter["name"]
        self._needed: dict[str, str] = {}
        for one in case.operation["parameters"]:
            if one["in"] == "path" and one["name"] != self._name:
                value = "1s" if one["name"] == "interval" else str(one["example"])
                self._path = self._path.replace("{" + one["name"] + "}", value)
            elif one["required"]:
                self._needed[one["name"]] = str(one["example"])

    async def ask(self, value: object = None) -> httpx.Response:
        given = self._needed | ({} if value is None else {self._name: str(value)})
        path = self._path.format_map(given)
        params = {name: one for name, one in given.items() if f"{{{name}}}" not in self._path}
        return await self._http.get(path, params=params)

    async def takes(self, value: object) -> None:
        answer = await self.ask(value)
        # One that is understood may be refused for its combination: as a range without bars, an answer too large.
        refused = answer.json()["error"] if answer.status_code != 200 else {}
        codes = (None, "too_many_values", "bad_range", "unknown_job", "unknown_rule")
        assert refused.get("code") in codes, f"{self._name}={value}: {answer.text}"

    async def refuses(self, value: object) -> None:
        answer = await self.ask(value)
        assert answer.status_code == 422, f"{self._name}={value}: {answer.status_code} {answer.text[:200]}"
        assert answer.json()["error"]["cure"]


@pytest.mark.parametrize("case", with_parameter("minimum"))
async def test_numbers_are_taken_up_to_the_documented_bounds_and_refused_beyond(
    market: MadeUpMarket, serve: Serve, case: Case
) -> None:
    step = 1 if case.schema["type"] == "integer" else DIGITS
    async with serve(market.app()) as server:
        asker = Asker(server.http, case)
        for bound, beyond in ((case.schema["minimum"], -step), (case.schema["maximum"], step)):
            await asker.takes(bound)
            if bound + beyond not in _other_constants(case.parameter):
                await asker.refuses(bound + beyond)
        if case.schema["type"] == "integer":
            await asker.refuses(case.schema["minimum"] + 0.5)


def _other_constants(parameter: Json) -> list[Any]:
    return [part["const"] for part in parameter["schema"].get("anyOf", []) if "const" in part]


@pytest.mark.parametrize("case", with_parameter("enum"))
async def test_each_documented_choice_is_taken_and_no_other(market: MadeUpMarket, serve: Serve, case: Case) -> None:
    async with serve(market.app()) as server:
        asker = Asker(server.http, case)
        for choice in case.schema["enum"]:
            await asker.takes(choice)
        await asker.refuses(f"{case.schema['enum'][0]}_")


@pytest.mark.parametrize("case", [each for each in with_parameter("minLength") if "{" not in each.values[0].path])
async def test_what_is_needed_cannot_be_empty(market: MadeUpMarket, serve: Serve, case: Case) -> None:
    async with serve(market.app()) as server:
        asker = Asker(server.http, case)
        await asker.takes(case.parameter["example"])
        await asker.refuses("")


@pytest.mark.parametrize("case", with_parameter("format"))
async def test_times_of_a_calendar_are_taken_from_1970_on(market: MadeUpMarket, serve: Serve, case: Case) -> None:
    async with serve(market.app()) as server:
        for day, is_taken in (("1969-12-31", False), ("1970-01-01", True), ("2200-01-01", True)):
            assert bool(re.search(case.schema["pattern"], day)) is is_taken
            asked = Asker(server.http, case)
            await (asked.takes(day) if is_taken else asked.refuses(day))


@pytest.mark.parametrize("case", with_parameter("const"))
async def test_documented_constants_are_taken(market: MadeUpMarket, serve: Serve, case: Case) -> None:
    async with serve(market.app()) as server:
        await Asker(server.http, case).takes(case.schema["const"])


@pytest.mark.parametrize("case", with_parameter("default"))
async def test_without_a_parameter_its_documented_default_holds(market: MadeUpMarket, serve: Serve, case: Case) -> None:
    market.trade(3_000 * A_SECOND_MS, burst_ms=3_000 * A_SECOND_MS)  # more rows than any default of limit
    await market.store.flushed()
    market.room.fill(120)
    default = case.schema["default"]
    async with serve(market.app()) as server:
        asker = Asker(server.http, case)
        spelled = {True: "true", False: "false"}.get(default, default) if isinstance(default, bool) else default
        without, with_default = await asker.ask(), await asker.ask(spelled)
        assert without.status_code == 200
        assert without.json() == with_default.json()
        if case.parameter["name"] == "limit":
            assert (await asker.ask(default - 1)).json() != without.json()


@pytest.mark.parametrize("window", ["60s", "5000s", "1m", "1h", "60S", "2", "5000"])
async def test_durations_are_windows_up_to_the_same_bounds(market: MadeUpMarket, serve: Serve, window: str) -> None:
    async with serve(market.app()) as server:
        answer = await server.http.get("/analytics/BTCUSDT", params={"interval": "1s", "window": window})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("window", ["1s", "5001s", "2h", "1d", "1.5m", "0s", "-60s", "s"])
async def test_durations_beyond_the_bounds_are_refused(market: MadeUpMarket, serve: Serve, window: str) -> None:
    async with serve(market.app()) as server:
        answer = await server.http.get("/analytics/BTCUSDT", params={"interval": "1s", "window": window})
        assert answer.status_code == 422, answer.text
