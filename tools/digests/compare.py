"""What differs between two digests, once the names of the first are put in the words of the second."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
TABLES = ("fields", "parameters", "metrics", "codes", "words", "texts", "paths", "settings", "types")
ACCEPTED = ("added", "removed", "changed")
SHOWN = 160  # characters of a value


class BadRenames(ValueError):
    """The file of renames cannot be used."""


@dataclass(frozen=True, slots=True)
class Renames:
    """Old names and the new ones they have on the wire, and differences that are known and wanted.

    ``fields``, ``metrics``, ``codes``, ``settings``, ``types`` and ``words`` are whole names, as key or as value;
    ``parameters`` those of requests (``on=`` becomes ``of=``); ``paths`` and ``texts`` stand anywhere in a text.
    ``added``, ``removed`` and ``changed`` hold patterns of places (as they are printed) and why.
    """

    whole: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    anywhere: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Mapping[str, Mapping[str, str]]) -> Renames:
        """The tables of a file.

        Raises:
            BadRenames: for a table nobody knows.
        """
        if unknown := set(given) - {*TABLES, *ACCEPTED}:
            raise BadRenames(f"no table {', '.join(sorted(unknown))}: there are {', '.join((*TABLES, *ACCEPTED))}")
        whole = {old: new for name in TABLES[:5] + TABLES[7:] for old, new in given.get(name, {}).items()}
        whole |= given.get("parameters", {})
        anywhere = {old: new for name in ("paths", "texts") for old, new in given.get(name, {}).items()}
        return cls(whole, given.get("parameters", {}), anywhere, {name: given.get(name, {}) for name in ACCEPTED})

    def old_parameter(self, new: str) -> str:
        """By which name a parameter was known before; a word of the same name has nothing to do with it."""
        return next((old for old, name in self.parameters.items() if name == new), new)

    def of(self, digest: Json) -> Json:
        """A digest in the new words."""
        if not (self.whole or self.anywhere):
            return digest
        if isinstance(digest, str):
            return self._text(digest)
        if isinstance(digest, list):
            return [self.of(each) for each in digest]
        if isinstance(digest, dict):
            return {self._key(key): self.of(value) for key, value in digest.items()}
        return digest

    def _text(self, text: str) -> str:
        text = self.whole.get(text, text)
        for old, new in self.anywhere.items():
            text = text.replace(old, new)
        return text

    def _key(self, key: str) -> str:
        key = self._text(key)
        if "=" not in key and ":" not in key:
            return key
        for old, new in self.parameters.items():
            key = re.sub(rf"(^|[?&\s:,]){re.escape(old)}=", rf"\g<1>{new}=", key)
        parts = re.split(r"([=,:&?\s/])", key)  # a metric or a word among the values
        return "".join(self.whole.get(part, part) for part in parts)

    def accepts(self, kind: str, place: str) -> bool:
        return any(fnmatch.fnmatchcase(place, pattern) for pattern in self.accepted.get(kind, {}))


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was: `added`, `removed` or `changed`."""

    kind: str
    place: str
    before: Json = None
    after: Json = None

    def __str__(self) -> str:
        if self.kind == "added":
            return f"added    {self.place}: {_shown(self.after)}"
        if self.kind == "removed":
            return f"removed  {self.place}: {_shown(self.before)}"
        return f"changed  {self.place}: {_shown(self.before)} -> {_shown(self.after)}"


def compare(before: Json, after: Json, renames: Renames | None = None) -> tuple[list[Difference], list[Difference]]:
    """What differs, and what of it the renames say is wanted."""
    renames = renames or Renames()
    found = list(_differences(renames.of(before), after, ""))
    wanted = [each for each in found if renames.accepts(each.kind, each.place)]
    return [each for each in found if each not in wanted], wanted


def _differences(before: Json, after: Json, place: str) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        if _is_column(before) and _is_column(after):
            if _bits(before) != _bits(after):
                yield Difference("changed", place, before, after)
            return
        for key in (*before, *(key for key in after if key not in before)):
            inside = f"{place} > {key}" if place else key
            if key not in after:
                yield Difference("removed", inside, before[key])
            elif key not in before:
                yield Difference("added", inside, None, after[key])
            else:
                yield from _differences(before[key], after[key], inside)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, f"{place}[{number}]")
    elif _bits(before) != _bits(after):
        yield Difference("changed", place, before, after)


def _is_column(value: dict[str, Json]) -> bool:
    return "sha256" in value and "n" in value


def _bits(value: Json) -> str:
    """A value as JSON writes it: 1 is not 1.0, and -0.0 is not 0.0."""
    return repr(value)


def _shown(value: Json) -> str:
    if isinstance(value, dict) and _is_column(value):
        words = f", words {value['words']}" if "words" in value else ""
        ends = f"{value['first']!r} ... {value['last']!r}"
        return f"[{value['n']} values {ends}{words}, sha256 {value['sha256'][:12]}]"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
