"""Metrics of pairscope itself, for rules about the feed, the tape and the machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pairscope.base.errors import UnknownName, nearest

HOUR_MS = 3_600_000
SystemUnit = Literal["s", "ms", "gaps", "times an hour", "share", "GB"]


@dataclass(frozen=True, slots=True)
class SystemNow:
    """What pairscope knows of itself at a moment; None where it cannot be told."""

    at_ms: int
    feed_age_s: float | None = None
    gaps_open: int | None = None
    reconnects: int | None = None  # since the start
    request_share: float | None = None
    loop_lag_ms: float | None = None
    disk_free_gb: float | None = None


@dataclass(slots=True)
class SystemPast:
    """The present and the last hour, of which some metrics are."""

    now: SystemNow
    _reconnects: deque[tuple[int, int]] = field(default_factory=deque)  # when there were so many, since the start

    def tell(self, now: SystemNow) -> None:
        """The next moment."""
        self.now = now
        if now.reconnects is not None and (not self._reconnects or self._reconnects[-1][1] != now.reconnects):
            self._reconnects.append((now.at_ms, now.reconnects))
        while len(self._reconnects) > 1 and self._reconnects[1][0] <= now.at_ms - HOUR_MS:
            self._reconnects.popleft()

    def reconnects(self) -> float | None:
        """How many there were within the last hour."""
        if self.now.reconnects is None or not self._reconnects:
            return None
        return float(self.now.reconnects - self._reconnects[0][1])


@dataclass(frozen=True, slots=True)
class SystemMetric:
    """A number that pairscope knows of itself: the entry of the catalogue for it."""

    name: str
    title: str
    formula: str
    unit: SystemUnit
    value: Callable[[SystemPast], float | None]
    is_centred: bool = False

    def unit_of(self, _: Mapping[str, object]) -> str:
        """As of a metric of the market."""
        return self.unit


def _of(name: str) -> Callable[[SystemPast], float | None]:
    def value(past: SystemPast) -> float | None:
        found = getattr(past.now, name)
        return None if found is None else float(found)

    return value


_ALL = (
    SystemMetric("feed_age", "Age of the feed", "now - arrival of the newest frame", "s", _of("feed_age_s")),
    SystemMetric("gaps_open", "Open gaps", "ranges of trade ids that are missing and sought", "gaps", _of("gaps_open")),
    SystemMetric(
        *("reconnects", "Reconnects", "connections made anew within the last hour", "times an hour"),
        SystemPast.reconnects,
    ),
    SystemMetric(
        *("request_share", "Share of the request budget", "used / own limit, of this minute", "share"),
        _of("request_share"),
    ),
    SystemMetric(
        *("loop_lag", "Lateness of the program", "99th percentile of how late it came to its work, in a minute", "ms"),
        _of("loop_lag_ms"),
    ),
    SystemMetric("disk_free", "Free disk", "free bytes on the disk of the tape / 10^9", "GB", _of("disk_free_gb")),
)
SYSTEM_METRICS: Mapping[str, SystemMetric] = {each.name: each for each in _ALL}


def find_system(name: str) -> SystemMetric:
    """The entry of a metric of the system.

    Raises:
        UnknownName: with the nearest one as the cure.
    """
    if name in SYSTEM_METRICS:
        return SYSTEM_METRICS[name]
    guess = nearest(name, SYSTEM_METRICS)
    cure = f"did you mean {guess}?" if guess else f"known: {', '.join(SYSTEM_METRICS)}"
    raise UnknownName(f"no metric of the system is called '{name[:40]}'", cure=cure, code="unknown_metric")
