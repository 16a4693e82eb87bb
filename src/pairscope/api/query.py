"""The parameters of a request: declared once, for reading, for checking and for the documentation.

Reading is done by hand and not by a model, because it is on the path of every chart that asks for bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from pairscope.analytics.estimators.terms import PARAMETERS, Terms
from pairscope.base.errors import RequestError, UnknownName, nearest
from pairscope.base.interval import Interval
from pairscope.base.model import SymbolTable
from pairscope.base.reading import ascii_lower, read_choice, read_integer, read_number, read_time_ms, read_window

MOST_FIELDS = 32
_FLAGS = {"0": "false", "1": "true", "no": "false", "yes": "true"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, with the names other tools use for it.

    Its bounds, choices and default are those of its schema: what is documented is what is read.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    example: str | int
    where: Literal["query", "path"] = "query"
    required: bool = False
    aliases: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)  # further words for its choices


class Query:
    """The parameters of one request, each known by its own name and its aliases.

    Raises:
        RequestError: for a name that is not a parameter here, and for a name given twice.
    """

    __slots__ = ("_parameters", "_values", "body")

    def __init__(self, parameters: Mapping[str, Parameter], query_string: bytes, path: Mapping[str, str]) -> None:
        self.body: Any = None  # of an endpoint that takes one: a record of its type
        values = {name: text for name, text in path.items() if text.strip()}
        if query_string:
            given: set[str] = set()
            for key, text in _fields(query_string):
                parameter = parameters.get(ascii_lower(key))
                if parameter is None or parameter.where == "path":
                    raise _unknown_parameter(key, parameters)
                if parameter.name in given:
                    raise RequestError(f"'{parameter.name}' is given more than once", cure="give it once")
                given.add(parameter.name)
                if text := text.strip():
                    values[parameter.name] = text
        self._parameters = parameters
        self._values = values

    def text(self, name: str) -> str | None:
        return self._values.get(name)

    def needed(self, name: str, cure: str) -> str:
        text = self._values.get(name)
        if text is None:
            raise RequestError(f"'{name}' is missing", cure=cure)
        return text

    def integer(self, name: str) -> int:
        schema = self._parameters[name].schema
        text = self._values.get(name)
        return schema["default"] if text is None else read_integer(name, text, schema["minimum"], schema["maximum"])

    def number(self, name: str) -> float:
        schema = self._parameters[name].schema
        text = self._values.get(name)
        return schema["default"] if text is None else read_number(name, text, schema["minimum"], schema["maximum"])

    def names(self, name: str) -> list[str]:
        """What stands between commas; nothing when the parameter is not given."""
        return [part.strip() for part in self._values.get(name, "").split(",") if part.strip()]

    def flag(self, name: str) -> bool:
        text = self._values.get(name)
        return text is not None and read_choice(name, text, ("false", "true"), _FLAGS) == "true"

    def choice(self, name: str) -> str | None:
        """One of the choices; the default, or None without one, when the parameter is not given."""
        parameter, text = self._parameters[name], self._values.get(name)
        if text is None:
            return parameter.schema.get("default")
        return read_choice(name, text, parameter.schema["enum"], parameter.others)

    def terms(self) -> Terms:
        """How a pair is measured."""
        return Terms.read({name: text for name in PARAMETERS if (text := self._values.get(name)) is not None})

    def symbol(self, name: str, table: SymbolTable) -> str:
        """A known symbol, in upper case."""
        text = self.needed(name, f"known symbols: {', '.join(list(table)[:20])}")
        return table.name(table.index(text))

    def window(self, name: str, interval: Interval, default: int) -> int:
        """Bars in a window of bars of an interval."""
        text = self._values.get(name)
        return default if text is None else read_window(name, text, interval)

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
        return None if text is None else read_time_ms(name, text)


def read_interval(text: str, known: Iterable[Interval]) -> Interval:
    """An interval of any spelling (60s is 1m).

    Raises:
        UnknownName: with the nearest known interval as the cure.
    """
    try:
        return Interval.parse(text)
    except UnknownName as error:
        guess = nearest(ascii_lower(text.strip()), [str(interval) for interval in known])
        if guess is None or error.cure.startswith("did you mean"):
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


def _unknown_parameter(key: str, parameters: Mapping[str, Parameter]) -> RequestError:
    names = {name: one.name for name, one in parameters.items() if one.where == "query"}
    guess = nearest(ascii_lower(key), names)
    own = sorted(set(names.values()))
    cure = f"did you mean '{guess}'?" if guess else f"known here: {', '.join(own)}" if own else "it takes none"
    return RequestError(f"no parameter '{key[:40]}' here", cure=cure, code="unknown_parameter")
