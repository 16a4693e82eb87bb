"""The parameters of a request: declared once, for reading, for checking and for the documentation.

Reading is done by hand and not by a model, because it is on the path of every chart that asks for bars.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from pairscope.base.errors import RequestError, UnknownName, nearest
from pairscope.base.interval import Interval
from pairscope.base.model import SymbolTable

MOST_FIELDS = 32
LAST_MS = 253_402_300_799_999  # the end of the year 9999, as far as ISO-8601 reaches
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, with the names other tools use for it."""

    name: str
    description: str
    schema: Mapping[str, Any]
    example: str | int
    where: Literal["query", "path"] = "query"
    required: bool = False
    aliases: tuple[str, ...] = ()


class Query:
    """The parameters of one request, under their own names.

    Raises:
        RequestError: for a name that is not a parameter here, and for a name given twice.
    """

    __slots__ = ("_values",)

    def __init__(self, names: Mapping[str, str], query_string: bytes, path: Mapping[str, str]) -> None:
        values = dict(path)
        if query_string:
            for key, text in _fields(query_string):
                name = names.get(key.lower())
                if name is None:
                    raise _unknown_parameter(key, names)
                if name in values:
                    raise RequestError(f"'{name}' is given more than once", cure="give it once")
                if text := text.strip():
                    values[name] = text
        self._values = values

    def text(self, name: str) -> str | None:
        return self._values.get(name)

    def needed(self, name: str, cure: str) -> str:
        text = self._values.get(name)
        if text is None:
            raise RequestError(f"'{name}' is missing", cure=cure)
        return text

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        text = self._values.get(name)
        if text is None:
            return default
        if not _INTEGER.fullmatch(text) or not low <= (value := int(text)) <= high:
            raise RequestError(
                f"'{name}' cannot be '{text[:40]}'", cure=f"give a whole number from {low:,} to {high:,}"
            )
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        text = self._values.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise RequestError(f"'{name}' cannot be '{text[:40]}'", cure=f"give a number from {low:g} to {high:g}")
        return value

    def names(self, name: str) -> list[str]:
        """What stands between commas; nothing when the parameter is not given."""
        return [part.strip() for part in self._values.get(name, "").split(",") if part.strip()]

    def flag(self, name: str) -> bool:
        return self.choice(name, ("false", "true", "0", "1")) in ("true", "1")

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        text = self._values.get(name)
        if text is not None and (text := text.lower()) not in choices:
            raise RequestError(f"'{name}' cannot be '{text[:40]}'", cure=f"choose from {', '.join(choices)}")
        return text

    def symbol(self, name: str, table: SymbolTable) -> str:
        """A known symbol, in upper case."""
        text = self.needed(name, f"known symbols: {', '.join(list(table)[:20])}")
        return table.name(table.index(text))

    def interval(self, name: str, default: str, kept: Sequence[Interval]) -> Interval:
        """An interval that is kept or can be merged from a kept one."""
        interval = read_interval(self._values.get(name, default), kept)
        if not any(interval.ms % one.ms == 0 for one in kept):
            raise _not_kept(f"bars of {interval} cannot be made", kept)
        return interval

    def kept_interval(self, name: str, default: str, kept: Sequence[Interval]) -> Interval:
        """An interval that is held in memory and on the disk."""
        return read_kept_interval(self._values.get(name, default), kept)

    def time_ms(self, name: str) -> int | None:
        text = self._values.get(name)
        return None if text is None else _read_time(name, text)


def read_interval(text: str, known: Iterable[Interval]) -> Interval:
    """An interval of any spelling (60s is 1m).

    Raises:
        UnknownName: with the nearest known interval as the cure.
    """
    try:
        return Interval.parse(text)
    except UnknownName as error:
        guess = nearest(text.strip().lower(), [str(interval) for interval in known])
        if guess is None:
            raise
        raise UnknownName(error.message, cure=f"did you mean {guess}?", code=error.code) from None


def read_kept_interval(text: str, kept: Sequence[Interval]) -> Interval:
    """An interval that is held in memory.

    Raises:
        UnknownName: naming the kept ones.
    """
    interval = read_interval(text, kept)
    if interval not in kept:
        raise _not_kept(f"no live bars of {interval}", kept)
    return interval


def _not_kept(message: str, kept: Sequence[Interval]) -> UnknownName:
    return UnknownName(message, cure=f"kept intervals: {', '.join(map(str, kept))}", code="unknown_interval")


def _fields(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise RequestError("too many parameters", cure=f"give at most {MOST_FIELDS}") from None


def _unknown_parameter(key: str, names: Mapping[str, str]) -> RequestError:
    guess = nearest(key.lower(), names)
    own = sorted(set(names.values()))
    cure = f"did you mean '{guess}'?" if guess else f"known here: {', '.join(own)}" if own else "it takes none"
    return RequestError(f"no parameter '{key[:40]}' here", cure=cure, code="unknown_parameter")


def _read_time(name: str, text: str) -> int:
    if _INTEGER.fullmatch(text):
        value = int(text)
    else:
        # A plus sign that was not escaped arrives as a space: 2024-08-08T00:00:00+00:00.
        iso = text.replace(" ", "+") if "T" in text.upper() else text
        try:
            moment = datetime.fromisoformat(iso)
        except ValueError:
            raise _bad_time(name, text) from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        value = round(moment.timestamp() * 1000)
    if not 0 <= value <= LAST_MS:
        raise _bad_time(name, text)
    return value


def _bad_time(name: str, text: str) -> RequestError:
    return RequestError(
        f"'{name}' cannot be '{text[:40]}'",
        cure="give milliseconds since 1970 or ISO-8601 such as 2024-08-08T23:55:00Z; UTC when no zone is named",
    )
