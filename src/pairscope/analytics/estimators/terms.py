"""On what terms a pair is measured: by which line, of which prices, with an intercept or without one.

The one record that requests, topics, notebooks, and whatever else measures pairs hand on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from pairscope.analytics.estimators.hedge import METHODS, OTHER_NAMES, REMARKS, WANTS
from pairscope.base.errors import RequestError, UnknownName, nearest
from pairscope.base.parameter import Parameter
from pairscope.base.reading import ascii_lower

Prices: TypeAlias = Literal["log", "level"]

OF_QUANTITIES = (
    "Of prices themselves, not of their logarithms: beta is a ratio of quantities, so many units of x against one of y."
)
THROUGH_ZERO = "Without an intercept: y - beta x, with the mean of the window taken off in z alone."

METHOD = Parameter("method", "choice", "ols", choices=tuple(METHODS), others=OTHER_NAMES, remarks=REMARKS, wants=WANTS)
PRICES = Parameter(
    "prices",
    "choice",
    "log",
    choices=get_args(Prices),
    others={"logs": "log", "levels": "level"},
    remarks={
        "log": "logarithms: beta is a ratio of values, by how many per cent y moves with a per cent of x",
        "level": "prices themselves: beta is a ratio of quantities, so many units of x against one of y",
    },
)
INTERCEPT = Parameter(
    "intercept",
    "choice",
    "true",
    choices=("true", "false"),
    others={"1": "true", "yes": "true", "0": "false", "no": "false"},
    remarks={"true": "y = alpha + beta x", "false": "y = beta x: tests take the tables without a constant"},
)
PARAMETERS: Mapping[str, Parameter] = {each.name: each for each in (METHOD, PRICES, INTERCEPT)}


@dataclass(frozen=True, slots=True)
class Terms:
    """How a pair is measured.

    >>> Terms.read({"prices": "Levels", "intercept": "no"})
    Terms(method='ols', prices='level', intercept=False)
    """

    method: str = "ols"
    prices: Prices = "log"
    intercept: bool = True

    def __post_init__(self) -> None:
        METHOD.read(self.method)
        PRICES.read(self.prices)

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Terms:
        """Terms in words, by the names of their parameters; what is not given, or empty, is as usual.

        Raises:
            RequestError: for a word that is no choice; the choices are the cure.
            UnknownName: for a parameter that is none.
        """
        for name in given:
            if name not in PARAMETERS:
                raise _unknown(name)
        words = {name: str(each.read(given.get(name) or str(each.default))) for name, each in PARAMETERS.items()}
        return cls(words["method"], cast(Prices, words["prices"]), words["intercept"] == "true")

    @classmethod
    def read_parts(cls, method: str, parts: list[str]) -> Terms:
        """A method and what follows it in the name of a topic: ``prices=level``, ``intercept=false``.

        Raises:
            RequestError, UnknownName: as `read`, and for a part that is given twice.
        """
        given = {"method": METHOD.read(method)}
        for part in parts:
            name, equals, value = (each.strip() for each in part.partition("="))
            name = ascii_lower(name)
            if not equals or name not in PARAMETERS or name == "method":
                raise _unknown(part)
            if name in given:
                raise RequestError(f"'{name}' is given more than once", cure="give it once")
            given[name] = value
        return cls.read({name: str(value) for name, value in given.items()})

    @property
    def parameters(self) -> dict[str, str]:
        """The values as the parameters of metrics have them."""
        return {"method": self.method, "prices": self.prices, "intercept": "true" if self.intercept else "false"}

    @property
    def parts(self) -> list[str]:
        """The method, and what differs from the usual: the end of the name of a topic."""
        own = self.parameters
        return [self.method] + [f"{name}={own[name]}" for name in (PRICES.name, INTERCEPT.name) if _differs(own, name)]

    @property
    def remarks(self) -> list[str]:
        """What is to be known of every result on these terms."""
        told = [OF_QUANTITIES] if self.prices == "level" else []
        return told if self.intercept else [*told, THROUGH_ZERO]


USUAL = Terms()
ALL_TERMS = tuple(
    Terms(method, prices, intercept)
    for method in METHODS
    for prices in get_args(Prices)
    for intercept in (True, False)
)  # fmt: skip


def _differs(own: Mapping[str, str], name: str) -> bool:
    return own[name] != PARAMETERS[name].default


def _unknown(part: str) -> UnknownName:
    known = [name for name in PARAMETERS if name != "method"]
    guess = nearest(ascii_lower(part.partition("=")[0].strip()), known)
    cure = f"write {guess}={PARAMETERS[guess].choices[-1]}" if guess else f"known: {', '.join(known)}, with =value"
    return UnknownName(f"a pair has no parameter '{part[:40]}'", cure=cure, code="unknown_parameter")
