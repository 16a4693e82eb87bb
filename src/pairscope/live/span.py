"""What is asked of the market, as values: rows of an interval and a window, and of which pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pairscope.analytics.estimators.terms import Terms
from pairscope.bars.align import stale_limit_ms
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray


@dataclass(frozen=True, slots=True)
class Span:
    """Rows in [from_ms, to_ms), at most the newest `limit`; each is of the `window` bars that end at it."""

    interval: Interval
    window: int
    from_ms: int | None = None  # None: as far back as `limit` allows
    to_ms: int | None = None  # None: up to now
    limit: int = 1

    def start_ms(self, at_ms: int) -> int:
        """Open time of the first bar of the window that ends at a bar.

        >>> Span(Interval(1_000), window=3).start_ms(5_000)
        3000
        """
        return at_ms - (self.window - 1) * self.interval.ms

    def first_needed_ms(self, at_ms: int) -> int:
        """The earliest bar that can matter to a value at a bar: its window, the bar before, a carried price."""
        return self.start_ms(at_ms) - stale_limit_ms(self.interval) - 2 * self.interval.ms

    def rows(self, first_ms: int, last_ms: int) -> range:
        """Open times of rows, both ends included."""
        return range(first_ms, last_ms + 1, self.interval.ms)

    @property
    def is_newest(self) -> bool:
        """Whether neither end is given."""
        return self.from_ms is None and self.to_ms is None


@dataclass(frozen=True, slots=True)
class SpanBars:
    """Rows that there are of a span, and for each symbol the bars they need, which reach back further."""

    span: Span
    rows: range
    legs: Sequence[BarArray]

    @property
    def last_ms(self) -> int:
        return self.rows[-1]


class PairKey(NamedTuple):
    """A pair as somebody looks at it."""

    y: str
    x: str
    interval: Interval
    window: int
    terms: Terms

    @property
    def legs(self) -> tuple[str, str]:
        return self.y, self.x

    @property
    def span(self) -> Span:
        """The newest row."""
        return Span(self.interval, self.window)
