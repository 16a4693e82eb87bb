"""The body of a request: read up to a bound, and decoded to the type that its endpoint names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, ClassVar, get_args

import msgspec
from msgspec import inspect
from starlette.types import Receive, Scope

from pairscope.api.errors import JSON, ClientGone
from pairscope.base.errors import Meanings, RequestError

MOST_BYTES = 65_536
_FIELD = re.compile(r"`(?:\$\.)?(\w+)`$")  # that an error of msgspec is about, at its end
PASSED_OVER_BYTES = 1_048_576  # of a body that is too long: who still sends when the answer comes may not get it


class BodyTooLarge(RequestError):
    code = "body_too_large"
    http_status = 413
    meanings: ClassVar[Meanings] = {"body_too_large": ("a body that is too long", "the cure gives the limit")}


class BodyNotJson(RequestError):
    """A page of another site may send every other type without being asked whether it may."""

    code = "body_not_json"
    http_status = 415
    meanings: ClassVar[Meanings] = {
        "body_not_json": ("a body that is not called JSON", "send it with the header `content-type: application/json`")
    }


class BadBody(RequestError):
    code = "bad_body"
    meanings: ClassVar[Meanings] = {
        "bad_body": ("a body that is no JSON, or lacks, doubles or misspells something", "the cure shows one"),
    }


async def read_body(scope: Scope, receive: Receive, kind: Any, example: Any) -> Any:
    """The body as a record of some type.

    Raises:
        BodyTooLarge, BodyNotJson, BadBody: when it cannot be one; the cure of the last shows the example.
        ClientGone: when the client leaves before its end.
    """
    headers = {name: value for name, value in scope["headers"] if name in (b"content-type", b"content-length")}
    told = headers.get(b"content-length", b"0")
    if told.isdigit() and int(told) > PASSED_OVER_BYTES:
        raise _too_large()
    body = await _whole(receive)
    if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != JSON.encode():
        raise BodyNotJson("the body is not called JSON", cure=f"send it with the header content-type: {JSON}")
    return _decoded(body, kind, example)


async def _whole(receive: Receive) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > PASSED_OVER_BYTES:
            raise _too_large()
        if size <= MOST_BYTES:
            parts.append(part)
        more = message.get("more_body", False)
    if size > MOST_BYTES:
        raise _too_large()
    return b"".join(parts)


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"the body is longer than {MOST_BYTES:,} bytes", cure="send less at a time")


def _decoded(body: bytes, kind: Any, example: Any) -> Any:
    cure = f"send one such as {json.dumps(example)}"
    try:
        json.loads(body, object_pairs_hook=_each_once)
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadBody(f"the body cannot be read: {with_choices(error, kind)}", cure=cure) from None


def with_choices(error: Exception, kind: Any) -> str:
    """What is wrong with a message; of a field that is one of several words, which they are.

    Args:
        kind: the record it cannot be read as, or several that are told apart by a tag.

    >>> class Tea(msgspec.Struct, tag_field="drink", tag="tea"): ...
    >>> class Ale(msgspec.Struct, tag_field="drink", tag="ale"): ...
    >>> print(with_choices(ValueError("Invalid value 'rum' - at `$.drink`"), Tea | Ale))
    Invalid value 'rum' - at `$.drink`, which is "ale" or "tea"
    """
    found = _FIELD.search(str(error))
    words = sorted({word for each in get_args(kind) or (kind,) for word in _words(each, found[1])}) if found else []
    return f"{error}, which is {' or '.join(map(json.dumps, words))}" if words else str(error)


def _words(kind: Any, name: str) -> Iterable[str]:
    """The words that a field of a record may be."""
    record = inspect.type_info(kind)
    if not isinstance(record, inspect.StructType):
        return
    if record.tag_field == name:
        yield str(record.tag)
    for field in record.fields:
        if field.encode_name == name and isinstance(field.type, inspect.LiteralType):
            yield from map(str, field.type.values)


def _each_once(pairs: list[tuple[str, object]]) -> None:
    """Refuse what msgspec would pass over: the same key twice."""
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"'{key[:40]}' is given more than once")
