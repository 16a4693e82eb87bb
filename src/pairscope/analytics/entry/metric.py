"""The catalogue entry of a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from pairscope.analytics.values import Reason, Value
from pairscope.base.reading import read_choice, read_integer, read_number

DEFAULT_WINDOW = 300
# What cannot be said of too few: two points lie on a line, and one does not move.
_OF_THE_NUMBERS = (None, Reason.NOT_FINITE, Reason.CONSTANT, Reason.EXACT_FIT, Reason.COLLINEAR)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named argument of a metric's function, and what it may be."""

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
    # Computed with each bar, the open one included; when a bar has closed; or only when asked for by name.
    cadence: Literal["bar", "close", "scan"] = "bar"
    needs: Literal["bars", "trades", "history"] = "bars"  # what its window must carry beside bars
    # What it is told of, which decides when it is not told: the newest close in the light of its window; the closes of
    # the window; the newest bar alone; or trades and closed bars, which have rules of their own.
    about: Literal["newest", "window", "bar", "tape"] = "window"
    unit_on_levels: str = ""  # of prices themselves instead of their logarithms, where it is another

    def compute(self, window: Any, **parameters: Any) -> Value:
        """The metric of a window; null below the fewest observations, and where its closes are missing or too old.

        ``prices`` and ``intercept`` choose the view of a pair that the function is given.
        """
        view = {name: parameters.pop(name) for name in ("prices", "intercept") if name in parameters}
        if view:
            window = window.on(view.get("prices", window.prices), _is_true(view.get("intercept", window.intercept)))
        value = self.function(window, **parameters)
        if (reason := self._silence(window)) is not None:
            return Value(None, value.n, reason)
        if value.n < self.fewest and value.reason in _OF_THE_NUMBERS:
            return Value(None, value.n, Reason.TOO_FEW)
        return value

    def unit_of(self, parameters: Mapping[str, object]) -> str:
        """The unit of a value with these parameters."""
        on_levels = parameters.get("prices") == "level" and self.unit_on_levels
        return self.unit_on_levels if on_levels else self.unit

    def _silence(self, window: Any) -> Reason | None:
        """The one rule for what is stale and what is short, of every metric of closes.

        Nothing is said of a newest close that is missing, and nothing of a window of which less than half is there.
        """
        if self.about == "tape":
            return None
        present, newest = window.present
        if self.about == "bar":
            return None if newest else Reason.STALE
        if present > 0 and not newest and self.about == "newest":
            return Reason.STALE
        return Reason.TOO_FEW if 2 * present < window.window or present == 0 else None


def _is_true(value: object) -> bool:
    return value in (True, "true")


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
