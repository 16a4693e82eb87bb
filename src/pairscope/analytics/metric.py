"""The catalogue entry of a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pairscope.analytics.values import Reason, Value

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

    def compute(self, window: Any, **parameters: Any) -> Value:
        """The metric of a window; null below the fewest observations."""
        value = self.function(window, **parameters)
        if value.n < self.fewest and (value.reason is None or value.reason == Reason.NOT_FINITE):
            return Value(None, value.n, Reason.TOO_FEW)
        return value


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
