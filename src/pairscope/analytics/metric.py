"""The catalogue entry of a metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from pairscope.analytics.values import Reason, Value
from pairscope.base.errors import RequestError

DEFAULT_WINDOW = 300


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named argument of a metric's function, and what it may be."""

    name: str
    kind: Literal["int", "float", "choice"]
    default: float | str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    remarks: Mapping[str, str] = field(default_factory=dict)  # what is to be known of a choice
    wants: Mapping[str, int] = field(default_factory=dict)  # bars of the window below which a choice is of little use

    def read(self, text: str) -> float | int | str:
        """The value a text stands for.

        Raises:
            RequestError: when it is no value of this parameter; the cure tells what is.

        >>> Parameter("period", "int", 14, low=1, high=100).read("21")
        21
        """
        text = text.strip()
        if self.kind == "choice":
            if text.lower() in self.choices:
                return text.lower()
        elif (number := _number(self.kind, text)) is not None and self._inside(number):
            return number
        raise RequestError(f"'{self.name}' cannot be '{text[:40]}'", cure=self._cure(), code="bad_parameter")

    def _inside(self, number: float) -> bool:
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)

    def _cure(self) -> str:
        if self.kind == "choice":
            return f"choose from {', '.join(self.choices)}"
        kind = "a whole number" if self.kind == "int" else "a number"
        low, high = ("any" if bound is None else f"{bound:,}" for bound in (self.low, self.high))
        return f"give {kind} from {low} to {high}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number of a symbol or a pair.

    The API, alerts, exports, the dashboard's labels and the reference page are made from these fields.
    """

    name: str
    scope: Literal["symbol", "pair"]
    title: str
    formula: str
    unit: str
    function: Callable[..., Value]  # (SymbolWindow or PairWindow, **parameters) -> Value
    window: int = DEFAULT_WINDOW  # bars, when nothing else is asked for
    fewest: int = 1  # observations, below which there is no number
    reference: str = ""
    remark: str = ""
    parameters: tuple[Parameter, ...] = ()
    cadence: Literal["bar", "scan"] = "bar"  # computed with each new bar, or only when asked for by name
    needs: Literal["bars", "trades", "fit"] = "bars"  # what its window must carry beside bars

    def compute(self, window: Any, **parameters: Any) -> Value:
        """The metric of a window; null below the fewest observations."""
        value = self.function(window, **parameters)
        if value.n < self.fewest and (value.reason is None or value.reason == Reason.NOT_FINITE):
            return Value(None, value.n, Reason.TOO_FEW)
        return value


def _number(kind: str, text: str) -> float | int | None:
    try:
        number = int(text) if kind == "int" else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def collect(*lists: Iterable[Metric]) -> Mapping[str, Metric]:
    """Metrics by name, in order.

    Raises:
        ValueError: when two have one name.
    """
    metrics: dict[str, Metric] = {}
    for entry in (metric for one in lists for metric in one):
        if entry.name in metrics:
            raise ValueError(f"expected each metric once, was '{entry.name}' twice")
        metrics[entry.name] = entry
    return MappingProxyType(metrics)
