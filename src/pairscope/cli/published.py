"""``pairscope verify --metrics``: what a running server publishes, computed once more from the bars it has stored."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from pairscope.analytics.estimators.terms import ALL_TERMS, Terms
from pairscope.analytics.registry import SYMBOL_BAR
from pairscope.base.errors import DataFolderError
from pairscope.base.interval import Interval
from pairscope.base.model import BAR, BarArray
from pairscope.client import Client
from pairscope.live.span import Span
from pairscope.live.windows import pair_series, symbol_series
from pairscope.store.data_folder import read_announcement

ROWS = 500  # of each symbol and pair, the newest
UNSETTLED = 3  # of them, the last that may still change or lie in a queue
ATTEMPTS = 3
MOST_TOLD = 20
MOST_BARS = 5_000  # in one answer
PAIR_COLUMNS = ("y", "x", "beta", "alpha", "spread", "spread_z", "correlation")
BAR_COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "buy_volume", "trades")


@dataclass(slots=True)
class MetricsVerdict:
    """How many published values were computed again, and those that came out differently."""

    values: int = 0
    differences: int = 0
    told: list[str] = field(default_factory=list)

    def compare(self, what: str, times: Sequence[int], published: Sequence[object], computed: Sequence[object]) -> None:
        """Compare a column bit by bit; NaN and null are the same nothing."""
        for time_ms, told, found in zip(times, published, computed, strict=False):
            self.values += 1
            if not same_bits(told, found):
                self.differences += 1
                if len(self.told) < MOST_TOLD:
                    self.told.append(f"{what} at {time_ms}: published {told}, computed {found}")

    def add(self, other: MetricsVerdict) -> None:
        self.values += other.values
        self.differences += other.differences
        self.told = [*self.told, *other.told][:MOST_TOLD]


def same_bits(one: object, other: object) -> bool:
    """Whether two published values are the same to the last bit.

    >>> same_bits(0.1 + 0.2, 0.3), same_bits(None, float("nan")), same_bits("LONG", "LONG")
    (False, True, True)
    """
    return _plain(one) == _plain(other)


def _plain(value: object) -> object:
    if isinstance(value, float | int):
        return float(value).hex() if math.isfinite(value) else None
    return value


def verify_published(path: Path, symbols: Sequence[str] | None = None) -> MetricsVerdict:
    """Compute again what the server on a tape publishes: metrics of symbols, and rows of pairs by every method.

    The bars are asked for as they lie on the disk, and the metrics are computed here, by the functions the server
    uses. Every bit must be the same.

    Raises:
        DataFolderError: when no server runs on the tape, for only a running one publishes.
        NotAnswered: when it does not answer.
    """
    server = read_announcement(path)
    if server is None:
        raise DataFolderError(f"no server runs on {path}", cure="start one: pairscope run; then ask again")
    with Client(server.url) as client:
        return _Published(client).verify(symbols)


class _Published:
    def __init__(self, client: Client) -> None:
        self._client = client

    def verify(self, symbols: Sequence[str] | None) -> MetricsVerdict:
        config = self._client.config()
        named = {info.symbol for info in config.symbols}
        chosen = named if symbols is None else named & {*symbols}
        whole = MetricsVerdict()
        for text in config.intervals:
            interval = Interval.parse(text)
            for symbol in sorted(chosen):
                whole.add(self._patiently(partial(self._symbol, symbol, interval, config.window)))
            for y, x in ((each.y, each.x) for each in config.legs):
                if {y, x} <= chosen:
                    for terms in ALL_TERMS:
                        whole.add(self._patiently(partial(self._pair, y, x, interval, config.window, terms)))
        return whole

    def _patiently(self, check: Callable[[], MetricsVerdict]) -> MetricsVerdict:
        """A bar may be revised between two questions: what differs is looked at again."""
        for _ in range(ATTEMPTS - 1):
            verdict = check()
            if not verdict.differences:
                return verdict
        return check()

    def _symbol(self, symbol: str, interval: Interval, window: int) -> MetricsVerdict:
        verdict, span = MetricsVerdict(), Span(interval, window)
        published = self._client.symbol_series(symbol, interval, window=window, limit=ROWS)
        if settled := published.open_time_ms[:-UNSETTLED]:
            bars = self._stored(symbol, span, settled)
            computed = symbol_series(bars, span, span.rows(settled[0], settled[-1]), SYMBOL_BAR)
            for name, values in computed.metrics.items():
                verdict.compare(f"{symbol} {interval} {name}", settled, published.metrics[name], values)
        return verdict

    def _pair(self, y: str, x: str, interval: Interval, window: int, terms: Terms) -> MetricsVerdict:
        verdict, span = MetricsVerdict(), Span(interval, window)
        asked = {"interval": interval, "window": window, "limit": ROWS} | terms.parameters
        published = self._client.pair(y, x, metrics="price_spread", **asked).series
        if settled := published.open_time_ms[:-UNSETTLED]:
            legs = [self._stored(symbol, span, settled) for symbol in (y, x)]
            computed = pair_series(legs[0], legs[1], span, span.rows(settled[0], settled[-1]), terms)
            for name in PAIR_COLUMNS:
                what = f"{y}/{x} {interval} {':'.join(terms.parts)} {name}"
                verdict.compare(what, settled, getattr(published, name), getattr(computed, name).tolist())
        return verdict

    def _stored(self, symbol: str, span: Span, rows: Sequence[int]) -> BarArray:
        """The bars on the disk that the rows need."""
        pages = [np.empty(0, BAR)]
        interval, from_ms = span.interval, span.first_needed_ms(rows[0])
        while from_ms <= rows[-1]:
            to_ms = from_ms + MOST_BARS * interval.ms
            answer = self._client.bars(symbol, interval, from_ms=from_ms, to_ms=to_ms, limit=MOST_BARS, stored=True)
            bars = np.zeros(len(answer.bars.open_time_ms), BAR)
            for name in BAR_COLUMNS:
                bars[name] = getattr(answer.bars, name)
            pages.append(bars)
            from_ms = to_ms
        return np.concatenate(pages)
