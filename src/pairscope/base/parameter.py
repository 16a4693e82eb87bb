"""A named argument that people may give a value: what it may be, and how its text is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pairscope.base.reading import read_choice, read_integer, read_number


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named argument, and what it may be."""

    name: str
    kind: Literal["int", "float", "choice"]
    default: float | str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)  # further names of choices
    remarks: Mapping[str, str] = field(default_factory=dict)  # what is to be known of a choice
    wants: Mapping[str, int] = field(default_factory=dict)  # bars of the window below which a choice is of little use
    wants_each: int = 0  # bars of the window that each unit of a number wants, until what was before is forgotten

    def read(self, text: str) -> float | int | str:
        """The value a text stands for.

        Raises:
            RequestError: when it is no value of this parameter; the cure tells what is.

        >>> Parameter("period", "int", 14, low=1, high=100).read("21")
        21
        """
        if self.kind == "choice":
            return read_choice(self.name, text.strip(), self.choices, self.others)
        read = read_integer if self.kind == "int" else read_number
        return read(self.name, text.strip(), self.low, self.high)
