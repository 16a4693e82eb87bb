"""Whether everything there is was seen: what is published, refused or set, held against what was asked and answered."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tools.digests import inside
from tools.digests.asks import METHODS, Seen
from tools.digests.commands import NO_BAD_SETTINGS
from tools.digests.topics import FORMS

Json = Any
PYTHON = "raised to callers in Python alone: what the wire may ask for is refused before"
EXCHANGE = "of an exchange or a network in a state that takes minutes to bring about; its words are in `errors`"
DISK = "of a disk that fails or is full; its words are in `errors`"

# What a digest never sees, and why. Patterns of what is printed.
EXCEPTIONS: Mapping[str, str] = {
    "code warming_up": "told only while kernels are compiled for the first time",
    "code error": "of no error that is raised",
    "code internal_error": "of a fault of pairscope itself",
    "metric system *": "of pairscope itself, at a moment",
    "endpoint * /alerts*": "of the room of alerts, see APART",
    "parameter * /alerts*": "of the room of alerts, see APART",
    "parameter GET /analytics/pair alerts": "of the room of alerts, see APART",
    "topic alerts, *": "of the room of alerts, see APART",
    "message alert*": "of the room of alerts, see APART",
    "metric symbol garch_rival*": "needs two fits that are as likely, which these windows have not; its reason is seen",
    "code bad_window": PYTHON,
    "code bad_lag": PYTHON,
    "code bad_lags": PYTHON,
    "code bad_period": PYTHON,
    "code bad_reach": PYTHON,
    "code bad_order": PYTHON,
    "code feed_unavailable": EXCHANGE,
    "code asked_to_wait": EXCHANGE,
    "code connections_used_up": EXCHANGE,
    "code request_refused": EXCHANGE,
    "code too_old": EXCHANGE,
    "code http_418": EXCHANGE,
    "code http_429": EXCHANGE,
    "code http_...": EXCHANGE,
    "code disk_full": DISK,
    "code file_not_written": DISK,
    "code store_unavailable": DISK,
    "code tape_busy": "of more reads at once than a machine can answer in good time",
}

# Rooms that a digest passes over, and why. Codes of theirs may be seen or not; what they say is in `errors`.
APART: Mapping[str, str] = {"alerts": "it keeps what people write and tells them; its own tests ask for all of it"}


def never_seen(openapi: Json, catalogue: Json, commands: Iterable[str], seen: Seen) -> list[str]:
    """What there is and was not seen, without the exceptions."""
    apart = inside.codes_of(APART)
    codes = [code for codes in inside.error_classes().values() for code in codes if code not in apart]
    missing = [
        *_endpoints(openapi, seen),
        *_metrics(catalogue, seen),
        *_messages(openapi, seen),
        *(f"code {code}" for code in codes if code not in seen.codes),
        *(f"code {code} (not explained by any class)" for code in sorted(seen.codes - _explained())),
        *(f"setting {name}" for name in inside.settings() if name not in seen.settings | {*NO_BAD_SETTINGS}),
        *(f"command {name}" for name in commands if name not in seen.commands),
        *(f"values of the parameter {name}" for name in sorted(seen.unknown_parameters)),
    ]
    return [each for each in dict.fromkeys(missing) if not any(fnmatch.fnmatchcase(each, one) for one in EXCEPTIONS)]


def _explained() -> set[str]:
    return {code for codes in inside.error_classes().values() for code in codes}


def _endpoints(openapi: Json, seen: Seen) -> Iterator[str]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            if method not in METHODS or "x-websocket" in operation:
                continue
            name = f"{method.upper()} {path}"
            if name not in seen.endpoints:
                yield f"endpoint {name}"
            for one in operation["parameters"]:
                for each in (one["name"], *one.get("x-aliases", ())):
                    if f"{name} {each}" not in seen.parameters:
                        yield f"parameter {name} {each}"


def _metrics(catalogue: Json, seen: Seen) -> Iterator[str]:
    for metric in catalogue:
        if metric["scope"] == "system":  # for rules of alerts alone
            continue
        name = f"{metric['scope']} {metric['name']}"
        if name not in seen.metrics:
            yield f"metric {name}" + (
                " (it was asked for, and never had a value)" if name in seen.silent_metrics else ""
            )
        for one in metric["parameters"]:
            if f"{name}:{one['name']}" not in seen.arguments:
                yield f"argument {name}:{one['name']}"


def _messages(openapi: Json, seen: Seen) -> Iterator[str]:
    schemas = openapi["components"]["schemas"]
    for schema in _members(schemas, "ServerMessage"):
        kind = _tag(schema, "type")
        if kind not in seen.messages:
            yield f"message {kind}"
    for schema in _members(schemas, "ClientMessage"):
        op = _tag(schema, "op")
        for field in schema["properties"]:
            if f"{op} {field}" not in seen.told:
                yield f"field {op} {field}"
    told = openapi["paths"]["/ws"]["get"]["description"]
    kinds = re.findall(r"`(\w+)[:`]", told.partition("Topics:")[2].partition(";")[0])
    if not kinds:
        yield "the topics that the description of the WebSocket names"
    for form in FORMS:
        for kind in kinds:
            if f"{form} {kind}" not in seen.topics:
                yield f"topic {kind}, told {form}"
    subscribe = next(s for s in _members(schemas, "ClientMessage") if "updates" in s["properties"])
    for form in subscribe["properties"]["updates"]["enum"]:
        if f"updates={form}" not in seen.told:
            yield f"field sub updates={form}"


def _members(schemas: Json, union: str) -> list[Json]:
    return [schemas[one["$ref"].rpartition("/")[2]] for one in schemas[union]["anyOf"]]


def _tag(schema: Json, name: str) -> str:
    tag = schema["properties"][name]
    return str(tag["enum"][0] if "enum" in tag else tag["const"])
