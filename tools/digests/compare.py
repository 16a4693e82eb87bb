"""What differs between two digests, once the names of the first are put in the words of the second."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
TABLES = ("fields", "parameters", "metrics", "codes", "words", "lines", "settings", "types", "texts", "paths")
ANYWHERE = ("texts", "paths")
ACCEPTED = ("added", "removed", "changed")
SHOWN = 160  # characters of a value


class BadRenames(ValueError):
    """The file of renames cannot be used."""


@dataclass(frozen=True, slots=True)
class Renames:
    """Old names and the new ones they have on the wire, and differences that are known and wanted.

    ``fields``, ``metrics``, ``codes``, ``settings``, ``types``, ``words`` and ``lines`` are whole texts, as key or as
    value; ``parameters`` those of requests (``on=`` becomes ``of=``); ``paths`` and ``texts`` stand anywhere in a text.
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
        whole = {old: new for name in TABLES if name not in ANYWHERE for old, new in given.get(name, {}).items()}
        anywhere = {old: new for name in ANYWHERE for old, new in given.get(name, {}).items()}
        return cls(whole, given.get("parameters", {}), anywhere, {name: given.get(name, {}) for name in ACCEPTED})

    def old_parameter(self, new: str) -> str:
        """By which name a parameter was known before; a word of the same name has nothing to do with it."""
        return next((old for old, name in self.parameters.items() if name == new), new)

    def old_word(self, new: str) -> str:
        """What a word was before."""
        return next((old for old, name in self.whole.items() if name == new), new)

    def of(self, value: Json) -> Json:
        """A value in the new words."""
        if not (self.whole or self.anywhere):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.of(each) for each in value]
        if isinstance(value, dict):
            return {self.key(key): self.of(inner) for key, inner in value.items()}
        return value

    def _text(self, text: str) -> str:
        text = self.whole.get(text, text)
        for old, new in self.anywhere.items():
            text = text.replace(old, new)
        return text

    def key(self, key: str) -> str:
        """A name, or a request by what is in it, in the new words."""
        key = self._text(key)
        if "=" not in key and ":" not in key:
            return key
        for old, new in self.parameters.items():
            key = re.sub(rf"(^|[?&\s:,]){re.escape(old)}=", rf"\g<1>{new}=", key)
        parts = re.split(r"([=,:&?\s/])", key)  # a metric or a word among the values
        return "".join(self.whole.get(part, part) for part in parts)

    def accepting(self, kind: str, place: str) -> list[str]:
        """The patterns that say that a difference is wanted."""
        return [pattern for pattern in self.accepted.get(kind, {}) if fnmatch.fnmatchcase(place, pattern)]


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


class Comparison:
    """What differs between two digests, what of it is wanted, and how much was compared."""

    def __init__(self, before: Json, after: Json, renames: Renames | None = None) -> None:
        self._renames = renames or Renames()
        self.values = 0  # that are in both, each of a column counted
        self.found: list[Difference] = []
        self.wanted: list[Difference] = []
        unused = {(kind, pattern) for kind in ACCEPTED for pattern in self._renames.accepted.get(kind, {})}
        for each in self._differences(before, after, ""):
            accepting = self._renames.accepting(each.kind, each.place)
            unused -= {(each.kind, pattern) for pattern in accepting}
            (self.wanted if accepting else self.found).append(each)
        self.unused = sorted(f"{kind} {pattern}" for kind, pattern in unused)

    def _differences(self, before: Json, after: Json, place: str) -> Iterator[Difference]:
        """Differences of something in the old words from the same in the new ones."""
        if isinstance(before, dict) and isinstance(after, dict) and not (_is_column(before) and _is_column(after)):
            yield from self._of_records(before, after, place)
        elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after) and before:
            for number, (old, new) in enumerate(zip(before, after, strict=True)):
                yield from self._differences(old, new, f"{place}[{number}]")
        else:
            yield from self._of_values(before, after, place)

    def _of_records(self, before: dict[str, Json], after: dict[str, Json], place: str) -> Iterator[Difference]:
        new_names = {old: self._renames.key(old) for old in before}
        for old, new in new_names.items():
            if new in after:
                yield from self._differences(before[old], after[new], _inside(place, new))
            else:
                yield Difference("removed", _inside(place, new), self._renames.of(before[old]))
        for new in after:
            if new in new_names.values():
                continue
            former = new_names.get(new)  # the name it has now
            if former is None or not self._answers_still(before[new], after[new], after.get(former)):
                yield Difference("added", _inside(place, new), None, after[new])

    def _answers_still(self, before: Json, by_its_former_name: Json, by_its_name: Json) -> bool:
        """A former name answers what the new one does; or a word is told as it was."""
        return _bits(by_its_former_name) in (_bits(by_its_name), _bits(before))

    def _of_values(self, before: Json, after: Json, place: str) -> Iterator[Difference]:
        renamed = self._renames.of(before)
        self.values += _count(after)
        old, new = _by_name(renamed), _by_name(after)
        if _bits(renamed) == _bits(after):
            return
        if old is None or new is None or [name for name in old if name in new] != [name for name in new if name in old]:
            yield Difference("changed", place, renamed, after)
            return
        yield from (Difference("removed", _inside(place, name), old[name]) for name in old if name not in new)
        yield from (Difference("added", _inside(place, name), None, new[name]) for name in new if name not in old)


def compare(before: Json, after: Json, renames: Renames | None = None) -> tuple[list[Difference], list[Difference]]:
    """What differs, and what of it the renames say is wanted."""
    compared = Comparison(before, after, renames)
    return compared.found, compared.wanted


def _inside(place: str, name: str) -> str:
    return f"{place} > {name}" if place else name


def _by_name(values: Json) -> dict[str, Json] | None:
    """A list of words, or of references, each of which is in it once."""
    if not isinstance(values, list):
        return None
    names = [value.get("$ref") if isinstance(value, dict) else value for value in values]
    known = {name: value for name, value in zip(names, values, strict=True) if isinstance(name, str)}
    return known if len(known) == len(values) else None


def _count(value: Json) -> int:
    if isinstance(value, dict) and _is_column(value):
        return int(value["n"])
    return len(value) if isinstance(value, list) and value else 1


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
