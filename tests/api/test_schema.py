from __future__ import annotations

import enum
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from starlette.routing import Route, WebSocketRoute

from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.metrics.cointegration import Rejection
from pairscope.analytics.values import Flag, Reason
from pairscope.api import wire
from pairscope.api.routes import ENDPOINTS
from pairscope.api.schema import openapi_document
from pairscope.bars.cuts import MissingReason
from pairscope.base.gaps import GapReason, Obstacle
from pairscope.live.signals import Muted

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Served

DOCUMENT = openapi_document()
PAGES = {"/", "/app", "/app/{path:path}", "/docs", "/docs/style.css", "/openapi.json"}  # for people, not of the API


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_to_something() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        node = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_route_of_the_application_is_documented(market: MadeUpMarket) -> None:
    served = {route.path for route in market.app().routes if isinstance(route, Route | WebSocketRoute)}
    assert served - PAGES == set(DOCUMENT["paths"])


def test_every_operation_has_a_name_of_its_own_an_example_and_its_errors() -> None:
    operations = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert operation["x-example"]
        assert {"403", "421", "500"} <= operation["responses"].keys()


def test_every_path_parameter_is_declared() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_every_error_has_the_one_shape() -> None:
    for response in DOCUMENT["components"]["responses"].values():
        assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}


BASES = (wire.Wire, wire.MarketUpdate)  # what others are made of


def test_every_wire_type_is_a_component() -> None:
    types = {
        name
        for name, value in vars(wire).items()
        if isinstance(value, type) and issubclass(value, wire.Wire) and value not in BASES
    }
    components = {name for name, schema in DOCUMENT["components"]["schemas"].items() if "enum" not in schema}
    assert types | {"ServerMessage", "ClientMessage"} == components


@pytest.mark.parametrize("words", [GapReason, Obstacle, Reason, Flag, MissingReason, Muted, Condition, Rejection])
def test_every_word_the_page_has_a_text_for_is_one_of_an_enumeration(words: type[enum.StrEnum]) -> None:
    assert set(DOCUMENT["components"]["schemas"][words.__name__]["enum"]) == {*words}


WORDS = ("reason", "reasons", "missing_reason", "flag", "flags", "obstacle", "rejection", "condition", "muted")
# Sentences for people, the word of an answer of the exchange, words of the short forms of rules, and why a rule knows
# nothing, which is a reason of its metric or one of the rule.
FREE = {("PairHealth", "reasons"), ("SourceStatus", "reason")}
FREE |= {("NewRule", "condition"), ("NewCondition", "condition"), ("AlertEvent", "reason"), ("AlertStanding", "reason")}


def test_no_field_that_holds_such_a_word_is_a_free_text() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    enums = {f"#/components/schemas/{name}" for name, schema in schemas.items() if "enum" in schema}
    fields = {
        (name, field): {*references(part)} & enums
        for name, schema in schemas.items()
        for field, part in schema.get("properties", {}).items()
        if field in WORDS
    }
    assert {place for place, found in fields.items() if not found} == FREE
    assert {field for _, field in fields} == {*WORDS}


@pytest.mark.parametrize("name", ["ServerMessage", "ClientMessage"])
def test_a_message_is_told_by_its_tag(name: str) -> None:
    union = DOCUMENT["components"]["schemas"][name]
    members = typing.get_args(getattr(wire, name))
    assert set(union["discriminator"]["mapping"]) == {member.__struct_config__.tag for member in members}


def test_the_document_is_plain_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(DOCUMENT)) == DOCUMENT


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.operation)
async def test_every_example_is_answered_with_the_documented_type(server: Served, endpoint: Any) -> None:
    body = {} if endpoint.body is None else {"json": endpoint.example_body}
    answer = await server.http.request(endpoint.method, endpoint.example, **body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    decoded = msgspec.json.decode(answer.content, type=endpoint.answer)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == msgspec.json.decode(answer.content)


async def test_the_document_is_served(server: Served) -> None:
    assert (await server.http.get("/openapi.json")).json() == DOCUMENT
