"""What was refused and what was noted of the rows that came, counted by origin and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import structlog

from pairscope.base.model import IntArray, Origin, TradeBatch

log = structlog.get_logger()

SAMPLES_PER_REASON = 5  # rows of each reason and origin that are shown in the log
ORIGIN_NAMES = {
    Origin.WS: "socket",
    Origin.REST: "rest",
    Origin.ARCHIVE: "archive",
    Origin.SIMULATOR: "simulator",
    Origin.IMPORT: "import",
}


class Tally:
    """What was refused and what was noted, by origin and reason; the first few of each are in the log."""

    def __init__(self) -> None:
        self.refused: dict[str, Counter[str]] = {}
        self.noted: dict[str, Counter[str]] = {}
        self.conflicting: Counter[str] = Counter()  # rows whose id came before with another price, size, time or side

    def by_reason(self) -> Counter[str]:
        """Refused rows of all origins."""
        return sum(self.refused.values(), Counter())

    def oddities(self) -> Counter[str]:
        """Noted rows of all origins."""
        return sum(self.noted.values(), Counter())

    def add(self, other: Tally) -> None:
        """Take in what another one counted; its rows are in its log."""
        for mine, theirs in ((self.refused, other.refused), (self.noted, other.noted)):
            for origin, counts in theirs.items():
                mine.setdefault(origin, Counter()).update(counts)
        self.conflicting.update(other.conflicting)

    def refuse(self, rows: TradeBatch, places: IntArray, reason: str, name: Callable[[int], str]) -> None:
        """Count rows that are refused."""
        for origin, own in _by_origin(rows, places):
            counts = self.refused.setdefault(origin, Counter())
            _sample("row_refused", rows, _to_show(own, counts[reason]), origin, reason, name)
            counts[reason] += len(own)

    def note(self, rows: TradeBatch, places: IntArray, reason: str, name: Callable[[int], str]) -> None:
        """Count rows that are odd and kept."""
        for origin, own in _by_origin(rows, places):
            counts = self.noted.setdefault(origin, Counter())
            _sample("row_noted", rows, _to_show(own, counts[reason]), origin, reason, name)
            counts[reason] += len(own)

    def conflict(self, rows: TradeBatch, places: IntArray, name: Callable[[int], str]) -> None:
        """Count rows that contradict an earlier one of the same id; the earlier one stands."""
        for origin, own in _by_origin(rows, places):
            _sample("row_conflicts", rows, _to_show(own, self.conflicting[origin]), origin, "conflicting", name)
            self.conflicting[origin] += len(own)


def _to_show(places: IntArray, shown: int) -> IntArray:
    return places[: max(0, SAMPLES_PER_REASON - shown)]


def _by_origin(rows: TradeBatch, places: IntArray) -> Iterable[tuple[str, IntArray]]:
    origins = rows.origin[places]
    for origin in np.unique(origins).tolist():
        yield ORIGIN_NAMES[Origin(origin)], places[origins == origin]


def _sample(
    event: str, rows: TradeBatch, places: IntArray, origin: str, reason: str, name: Callable[[int], str]
) -> None:
    for i in places.tolist():
        log.warning(
            event,
            reason=reason,
            origin=origin,
            symbol=name(int(rows.symbol_id[i])),
            id=int(rows.id[i]),
            price=float(rows.price[i]),
            size=float(rows.size[i]),
            time_ms=int(rows.time_ms[i]),
        )
