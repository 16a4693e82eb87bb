"""The OpenAPI document, built from the table of endpoints and the wire types; needs no running system.

The dashboard's TypeScript types and the reference page are made from it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import msgspec

from pairscope import __version__
from pairscope.api import wire
from pairscope.api.endpoint import Endpoint
from pairscope.api.query import Parameter
from pairscope.api.routes import ENDPOINTS

Json = dict[str, Any]
ERROR: Json = {"$ref": "#/components/schemas/ErrorAnswer"}

DESCRIPTION = """\
Prices, bars and pair statistics of the watched symbols. Times are integer milliseconds since 1970 (UTC); bars and
series travel as columns of equal length, oldest first; what cannot be given is null, and a single value then carries
its reason. Every error has one shape: a code for programs, a message, and what cures it."""

# Errors that any request may meet, and those of requests with parameters.
ANYWHERE = {
    403: ("ForeignOrigin", "The request was made by a page of another site."),
    421: ("ForeignHost", "The server was asked for under a name that is not its own."),
    500: ("InternalError", "The server failed; its log names the cause."),
    503: (
        "Busy",
        "Too many connections, requests or clients at once, or the tape, its disk or the exchange cannot be asked; try"
        " again when `Retry-After` says.",
    ),
}
UNKNOWN_PARAMETER = 422
WITH_PARAMETERS = {
    404: ("UnknownName", "A symbol or interval nobody knows; the cure names the nearest known one."),
    UNKNOWN_PARAMETER: ("BadRequest", "A parameter that is missing, unknown, of the wrong type or out of bounds."),
}
REFUSED = {409: ("Refused", "As things are this cannot be done; the cure says what must be changed first.")}
NO_ROOM = {507: ("DiskFull", "There is no room on the disk of the tape; nothing was changed.")}
WITH_BODY = {
    413: ("BodyTooLarge", "The body is longer than may be."),
    415: ("BodyNotJson", "The body is not called JSON."),
}
ERRORS = ANYWHERE | WITH_PARAMETERS | REFUSED | NO_ROOM | WITH_BODY

SOCKET_DESCRIPTION = """\
A WebSocket. The client sends ClientMessage, the server ServerMessage, as JSON text.

Topics: `status`, `jobs`, `alerts`, `symbol:{SYMBOL}:{interval}`, `pair:{Y}:{X}:{interval}:{window}:{method}`; answers
carry the topic in this spelling whatever the case it was asked in. After `sub` comes a snapshot, then numbered deltas.

`seq` numbers the messages of a topic that are never dropped: closed and revised bars, events of rules. An update of
the open bar and a metrics message carry the seq they follow; of those the newest wins. A new snapshot replaces all
that was known of its topic. Who missed a number, or lost the connection, subscribes again with `since` set to the last
seq seen: when the server still holds what was missed, only that is sent, else a snapshot. Numbers begin at the time in
microseconds at which the topic was opened, so that those of an earlier process are never mistaken for present ones.

With `updates: changes` a market goes on after its snapshot with `symbol` or `pair`: one message a moment, and in it
what changed since the one before. A client that did not get that one is sent all there is; so are those who come back.
The snapshot's `of` is the number of the topic in these messages, and their `values` are its metrics, in its order.
Without it a bar and its metrics come as two messages; that is the way of version 0.1, and ends with version 0.3.

A ping comes each second. A client that does not read is cut off with code 1013."""


@functools.cache
def openapi_json() -> bytes:
    return msgspec.json.encode(openapi_document())


def openapi_document() -> Json:
    """OpenAPI 3.1 for every endpoint and every WebSocket message."""
    answers = [endpoint.answer for endpoint in ENDPOINTS]
    bodies = [endpoint.body for endpoint in ENDPOINTS if endpoint.body is not None]
    types = [*answers, *bodies, wire.ErrorAnswer, wire.ServerMessage, wire.ClientMessage]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    components |= {"ServerMessage": schemas[-2], "ClientMessage": schemas[-1]}
    paths: dict[str, Json] = {}
    of_bodies = iter(schemas[len(answers) :])
    for endpoint, schema in zip(ENDPOINTS, schemas, strict=False):
        operation = _operation(endpoint, schema)
        if endpoint.body is not None:
            content = {"schema": next(of_bodies), "example": endpoint.example_body}
            operation["requestBody"] = {"required": True, "content": {"application/json": content}}
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "pairscope", "version": __version__, "description": DESCRIPTION},
        "paths": {**paths, "/ws": {"get": _socket()}},
        "components": {"schemas": components, "responses": _error_responses()},
    }


def _operation(endpoint: Endpoint, schema: Json) -> Json:
    responses = {"200": _json_response("The answer.", schema)}
    statuses = {*ANYWHERE, UNKNOWN_PARAMETER}
    statuses |= WITH_PARAMETERS.keys() if endpoint.parameters else set()
    statuses |= {*WITH_BODY, 404} if endpoint.body is not None else set()
    statuses |= REFUSED.keys() if endpoint.may_be_refused or endpoint.writes_state else set()
    statuses |= NO_ROOM.keys() if endpoint.writes_disk or endpoint.writes_state else set()
    responses |= _errors(statuses)
    for status, text in endpoint.other_statuses:
        told = f"{text}; or: {ERRORS[status][1]}" if status in statuses else text
        body = {"anyOf": [schema, ERROR]} if status in statuses else schema
        responses[str(status)] = _json_response(told, body)
    return {
        "operationId": endpoint.operation,
        "tags": [endpoint.group],
        "summary": endpoint.summary,
        "description": endpoint.description,
        "parameters": [_parameter(parameter) for parameter in endpoint.parameters],
        "responses": dict(sorted(responses.items())),
        "x-example": endpoint.example,
        "x-scope": endpoint.scope,
    }


def _parameter(parameter: Parameter) -> Json:
    described: Json = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.description,
        "schema": dict(parameter.schema),
        "example": parameter.example,
    }
    if parameter.aliases:
        described["description"] += f" Also accepted as {', '.join(parameter.aliases)}."
        described["x-aliases"] = list(parameter.aliases)
    return described


def _socket() -> Json:
    responses = {
        "101": {"description": "The connection is a WebSocket from here on."},
        "426": _json_response("The request does not ask for a WebSocket.", ERROR),
    }
    responses |= _errors(ANYWHERE)
    return {
        "operationId": "stream",
        "tags": ["Stream"],
        "summary": "Live bars, pairs and status",
        "description": SOCKET_DESCRIPTION,
        "parameters": [],
        "responses": dict(sorted(responses.items())),
        "x-websocket": {
            "client": {"$ref": "#/components/schemas/ClientMessage"},
            "server": {"$ref": "#/components/schemas/ServerMessage"},
        },
        "x-example": '{"op": "sub", "topic": "symbol:BTCUSDT:1s"}',
    }


def _error_responses() -> Json:
    return {name: _json_response(text, ERROR) for name, text in ERRORS.values()}


def _errors(statuses: Iterable[int]) -> Json:
    return {str(status): {"$ref": f"#/components/responses/{ERRORS[status][0]}"} for status in statuses}


def _json_response(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
