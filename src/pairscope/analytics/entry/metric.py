"""The catalogue entry of a metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType, ModuleType
from typing import Any, Literal, TypeVar

from pairscope.analytics.values import Reason, Value
from pairscope.base.parameter import Parameter

DEFAULT_WINDOW = 300
Unit = Literal[
    "1",
    "price",
    "ln",
    "ln per bar",
    "ln per year",
    "y per x",
    "units of x per y",
    "base",
    "quote",
    "trades",
    "bars",
    "ms",
    "probability",
    "word",
    "name",
]
Input = Literal["high", "low", "trades", "history"]
_ENTRY = "metric"  # under which a function keeps its own
# What cannot be said of too few: two points lie on a line, and one does not move.
_OF_THE_NUMBERS = (None, Reason.NOT_FINITE, Reason.CONSTANT, Reason.EXACT_FIT, Reason.COLLINEAR)


Function = TypeVar("Function", bound=Callable[..., Value])


def _nothing(_: Any) -> Value:
    return Value(None, 0, Reason.TOO_FEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named number of a symbol or a pair: the decorator of the function that computes it.

    The API, alerts, exports, the dashboard's labels and the reference page are made from these fields.

    >>> @Metric(scope="symbol", title="One", formula="1", unit="1")
    ... def one(window):
    ...     return Value(1.0, 1)
    >>> entry_of(one).name
    'one'
    """

    scope: Literal["symbol", "pair"]
    title: str
    formula: str
    unit: Unit
    name: str = ""  # of the function, unless told
    function: Callable[..., Value] = _nothing  # (SymbolWindow or PairWindow, **parameters) -> Value
    window: int = DEFAULT_WINDOW  # bars, when nothing else is asked for
    fewest: int = 1  # observations, below which there is no number
    reference: str = ""
    remark: str = ""
    parameters: tuple[Parameter, ...] = ()
    # Computed with each bar, the open one included; when a bar has closed; or only when asked for by name.
    cadence: Literal["bar", "close", "on_request"] = "bar"
    needs: tuple[Input, ...] = ()  # what its window must carry beside closes and volumes
    # What it is told of, which decides when it is not told: the newest close in the light of its window; the closes of
    # the window; the newest bar alone; or trades and closed bars, which have rules of their own.
    about: Literal["newest", "window", "bar", "tape"] = "window"
    unit_on_levels: Unit | None = None  # of prices themselves instead of their logarithms, where it is another
    is_centred: bool = False  # it lies around 0, and comes back there

    def __call__(self, function: Function) -> Function:
        """Declare a function; it stays what it is."""
        function.__dict__[_ENTRY] = replace(self, name=self.name or function.__name__, function=function)
        return function

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

    def unit_of(self, parameters: Mapping[str, object]) -> Unit:
        """The unit of a value with these parameters."""
        return (self.unit_on_levels if parameters.get("prices") == "level" else None) or self.unit

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


def entry_of(function: Callable[..., Value]) -> Metric:
    """What a function was declared to be."""
    entry = function.__dict__[_ENTRY]
    assert isinstance(entry, Metric)
    return entry


def entries_of(module: ModuleType) -> list[Metric]:
    """The metrics whose functions a module has, in their order."""
    own = (each for each in vars(module).values() if getattr(each, "__module__", None) == module.__name__)
    return [entry_of(each) for each in own if _ENTRY in getattr(each, "__dict__", ())]


def collect(*modules: ModuleType) -> Mapping[str, Metric]:
    """The metrics of modules by name, in order.

    Raises:
        ValueError: when two have one name.
    """
    metrics: dict[str, Metric] = {}
    for entry in (entry for module in modules for entry in entries_of(module)):
        if entry.name in metrics:
            raise ValueError(f"expected each metric once, was '{entry.name}' twice")
        metrics[entry.name] = entry
    return MappingProxyType(metrics)
