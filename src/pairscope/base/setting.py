"""What is told of one setting: its topic, what it may be, and a value that works."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from enum import EnumType, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

Limits = Mapping[str, float]  # by "ge", "gt", "le", "lt"


class SettingTopic(StrEnum):
    """What settings are about, in the order in which help, the manual and `pairscope config` show them."""

    MARKET = "What is watched"
    METRICS = "Bars and metrics"
    TAPE = "The tape"
    SERVER = "The server"
    EXCHANGE = "The way to the exchange"
    REPLAY = "Recordings and the simulated market"
    ALERTS = "Alerts"
    LOG = "The log"


def setting(topic: SettingTopic, default: Any, description: str, *, example: str = "", **options: Any) -> Any:
    """A field of the settings; ``example`` is a value that works, where the default is none."""
    told: dict[str, Any] = {"topic": topic.value, "example": example}
    return Field(default, description=description, json_schema_extra=told, **options)


def topic_of(field: FieldInfo) -> SettingTopic:
    return SettingTopic(_told(field)["topic"])


def example_of(field: FieldInfo) -> str:
    """A value that works, as it is written after a flag."""
    return str(_told(field)["example"]) or as_text(field.default)


def as_text(value: object) -> str:
    """A value as it is written after a flag or in the environment.

    >>> as_text(("1s", "5s")), as_text(True), as_text(None)
    ('1s,5s', 'true', '')
    """
    if isinstance(value, tuple):
        return ",".join(map(as_text, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def kinds_of(annotation: Any) -> Iterable[Any]:
    """The types a setting may have, without what surrounds them."""
    if get_origin(annotation) is Annotated:
        yield from kinds_of(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from kinds_of(one)
    else:
        yield annotation


def choices_of(kind: Any) -> list[str]:
    """The words one of which a setting must be; none when it is something else."""
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    if isinstance(kind, EnumType):
        members: Iterable[Any] = kind
        return [str(member.value) for member in members]
    return []


def limits_of(field: FieldInfo) -> Limits:
    """The limits of a number, wherever in its type they stand."""
    inner = [one for kind in get_args(field.annotation) for one in getattr(kind, "__metadata__", ())]
    stated = [*field.metadata, *(each for one in inner for each in getattr(one, "metadata", (one,)))]
    return {side: getattr(one, side) for one in stated for side in ("ge", "gt", "le", "lt") if hasattr(one, side)}


def what_it_may_be(field: FieldInfo) -> str:
    """What the value of a setting may be, such as "a whole number from 1 to 65535, such as 8000"."""
    kinds = list(kinds_of(field.annotation))
    if choices := [choice for kind in kinds for choice in choices_of(kind)]:
        return f"one of {', '.join(map(repr, choices))}"
    if bool in kinds:
        return "true or false"
    return f"{_kind(field, kinds)}, such as {example_of(field)}"


def _kind(field: FieldInfo, kinds: list[Any]) -> str:
    if {int, float} & {*kinds}:
        return f"a {'whole ' if float not in kinds else ''}number {_between(limits_of(field))}"
    if any(get_origin(kind) is tuple for kind in kinds):
        return "names with commas between them"
    return "a path" if Path in kinds else "a text"


def _between(limits: Limits) -> str:
    low = f"from {limits['ge']}" if "ge" in limits else f"above {limits['gt']}"
    high = f"to {limits['le']}" if "le" in limits else f"below {limits['lt']}"
    return f"{low}{', up ' if 'gt' in limits and 'le' in limits else ' '}{high}"


def _told(field: FieldInfo) -> Mapping[str, Any]:
    assert isinstance(field.json_schema_extra, dict), "a setting is declared with `setting`"
    return field.json_schema_extra
