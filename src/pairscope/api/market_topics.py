"""The topics of the market: a symbol's bars, a pair's rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial

import numpy as np

from pairscope.api import wire
from pairscope.api.columns import bar_columns, pair_columns, quantities
from pairscope.api.topics import Pace, Topic, Touched, encode
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, no_bars
from pairscope.live.market import Market
from pairscope.live.span import PairKey, Span
from pairscope.live.windows import PairSeries

MOST_DELTAS = 200  # more bars at once than this are told as a new snapshot
MOST_REVISED_ROWS = 30  # a revised bar changes every later row of a pair: beyond this, a new snapshot
MOST_SNAPSHOTS = 8  # of different lengths, kept until a bar changes
BAR_PERIOD_S = 0.06  # with the flush before it, an update is at most a tenth of a second behind its trade
METRICS_PERIOD_S = 0.5


class MarketTopic(Topic):
    """What symbols and pairs share: when to send the open bar and the metrics."""

    def __init__(self, name: str, first_seq: int, live: Market, symbols: tuple[str, ...], interval: Interval) -> None:
        super().__init__(name, first_seq)
        self._live = live
        self._symbols = symbols
        self._interval = interval
        self._snapshots: dict[int, str] = {}
        self._had_bars = any(len(live.bars(symbol, interval, 1)) for symbol in symbols)
        self._bar_waits = False
        self._metrics_wait = False
        self._closed = False
        self._bar_pace = Pace(BAR_PERIOD_S)
        self._metrics_pace = Pace(METRICS_PERIOD_S)
        self._last_metrics: dict[str, wire.Quantity] | None = None

    def on_bars(self, touched: Touched) -> None:
        legs = [touched.get((symbol, self._interval), no_bars()) for symbol in self._symbols]
        if not any(len(leg) for leg in legs):
            return
        self._snapshots.clear()
        self._bar_waits = self._metrics_wait = True
        over = (BarStatus.CLOSED, BarStatus.PARTIAL)
        self._closed |= any(bool(np.isin(leg["status"], over).any()) for leg in legs)
        if not self._had_bars:  # who came before there was anything, such as during a warm start
            self._had_bars = True
            self.start_over()
        else:
            self._take(legs)

    def pump(self, now_s: float) -> None:
        if not self.clients:
            return
        if self._bar_waits and self._bar_pace.allows(now_s):
            self._bar_waits = False
            if (message := self._open_bar()) is not None:
                self.send_newest("bar", message)
        # A closed bar is told at once; what else changes the metrics is told at a calmer pace.
        if self._metrics_wait and (self._metrics_pace.allows(now_s) or self._closed):
            self._metrics_wait = self._closed = False
            metrics = self._metrics()
            if metrics != self._last_metrics:
                self._last_metrics = metrics
                self.send_newest("metrics", self._metrics_message(metrics))

    def snapshot(self, limit: int) -> str:
        if limit not in self._snapshots:
            if len(self._snapshots) == MOST_SNAPSHOTS:
                self._snapshots.clear()
            self._snapshots[limit] = self._snapshot(limit)
        return self._snapshots[limit]

    def present(self) -> dict[str, str]:
        messages = {"metrics": self._metrics_message(self._metrics())}
        if (bar := self._open_bar()) is not None:
            messages["bar"] = bar
        return messages

    @abstractmethod
    def _take(self, legs: Sequence[BarArray]) -> None:
        """Publish what is closed or revised in the touched bars of each symbol."""

    @abstractmethod
    def _open_bar(self) -> str | None:
        """The message of the bar that still changes, when there is one."""

    @abstractmethod
    def _metrics(self) -> dict[str, wire.Quantity]: ...

    @abstractmethod
    def _metrics_message(self, metrics: dict[str, wire.Quantity]) -> str: ...

    @abstractmethod
    def _snapshot(self, limit: int) -> str: ...


class SymbolTopic(MarketTopic):
    """Bars and metrics of one symbol."""

    def __init__(self, name: str, first_seq: int, live: Market, symbol: str, span: Span) -> None:
        super().__init__(name, first_seq, live, (symbol,), span.interval)
        self._symbol = symbol
        self._window = span.window

    def _take(self, legs: Sequence[BarArray]) -> None:
        final = legs[0][legs[0]["status"] != BarStatus.OPEN]
        if len(final) > MOST_DELTAS:
            self.start_over()
            return
        for i in np.argsort(final["open_time_ms"], kind="stable").tolist():
            self.publish(partial(self._bar, final[i : i + 1]))

    def _bar(self, bar: BarArray, seq: int) -> wire.Wire:
        return wire.SymbolBar(topic=self.name, seq=seq, bar=bar_columns(bar))

    def _open_bar(self) -> str | None:
        newest = self._live.bars(self._symbol, self._interval, 1)
        if not len(newest) or newest["status"][0] != BarStatus.OPEN:
            return None
        return encode(self._bar(newest, self.seq))

    def _metrics(self) -> dict[str, wire.Quantity]:
        return quantities(self._live.symbol_metrics(self._symbol, self._interval, self._window))

    def _metrics_message(self, metrics: dict[str, wire.Quantity]) -> str:
        return encode(wire.SymbolMetrics(topic=self.name, seq=self.seq, metrics=metrics))

    def _snapshot(self, limit: int) -> str:
        return encode(self.whole(limit))

    def whole(self, limit: int) -> wire.SymbolSnapshot:
        bars = self._live.bars(self._symbol, self._interval, limit)
        return wire.SymbolSnapshot(
            topic=self.name,
            seq=self.seq,
            symbol=self._symbol,
            interval=str(self._interval),
            bars=bar_columns(bars),
            metrics=self._metrics(),
        )


class PairTopic(MarketTopic):
    """Rows and metrics of one pair.

    A row is final when neither symbol has an open bar at or before it. A revised bar changes the rows after it
    as well, because their windows hold it: these are sent again.
    """

    def __init__(self, name: str, first_seq: int, live: Market, key: PairKey) -> None:
        super().__init__(name, first_seq, live, key.legs, key.interval)
        self._y, self._x = key.legs
        self._window = key.window
        self._terms = key.terms
        self._final_ms = self._final_until_ms()

    def start_over(self) -> None:
        self._final_ms = self._final_until_ms()
        super().start_over()

    def _take(self, legs: Sequence[BarArray]) -> None:
        before_ms, newest_ms = self._final_ms, self._final_until_ms()
        if newest_ms is None:
            return
        if before_ms is None:
            self.start_over()
            return
        until_ms = max(newest_ms, before_ms)  # what was told as final stays so, and is revised
        first_ms = self._first_changed_ms(legs, before_ms)
        revised = (before_ms - first_ms) // self._interval.ms + 1
        rows = (until_ms - first_ms) // self._interval.ms + 1
        if rows > MOST_DELTAS or revised > MOST_REVISED_ROWS:
            self.start_over()
        elif rows > 0:
            self._final_ms = until_ms
            self._publish_rows(first_ms, before_ms, until_ms)

    def _final_until_ms(self) -> int | None:
        """Open time of the newest row that will only change by a revision."""
        final, ends = [], []
        for symbol in self._symbols:
            newest = self._live.bars(symbol, self._interval, 2)
            is_final = newest["status"] != BarStatus.OPEN
            final += newest["open_time_ms"][is_final].tolist()
            ends += (newest["open_time_ms"][~is_final] - self._interval.ms).tolist()
        return min([max(final), *ends]) if final else None

    def _first_changed_ms(self, legs: Sequence[BarArray], before_ms: int) -> int:
        """Open time of the earliest row to tell: of a touched bar among those told as final, or the next new one."""
        times = np.concatenate([leg["open_time_ms"][leg["status"] != BarStatus.OPEN] for leg in legs])
        return int(times[times <= before_ms].min(initial=before_ms + self._interval.ms))

    def _publish_rows(self, first_ms: int, before_ms: int, until_ms: int) -> None:
        series = self._series_from(first_ms)
        y_bars = self._live.bars(self._y, self._interval, len(series.open_time_ms) + 1)
        for i, open_ms in enumerate(series.open_time_ms.tolist()):
            if first_ms <= open_ms <= until_ms:
                status: wire.BarStatus = "revised" if open_ms <= before_ms else "closed"
                self.publish(partial(self._row, series, i, y_bars, status))

    def _series_from(self, first_ms: int) -> PairSeries:
        rows = 8
        while True:
            series = self._rows(rows)
            needed = (int(series.open_time_ms[-1]) - first_ms) // self._interval.ms + 1
            if needed <= rows:
                return series
            rows = needed

    def _rows(self, limit: int) -> PairSeries:
        return self._live.pair_series(self._y, self._x, self._interval, self._window, limit, self._terms)

    def _row(self, series: PairSeries, i: int, y_bars: BarArray, status: wire.BarStatus, seq: int) -> wire.Wire:
        open_ms = series.open_time_ms[i]
        return wire.PairBar(
            topic=self.name,
            seq=seq,
            status=status,
            y_bar=bar_columns(y_bars[y_bars["open_time_ms"] == open_ms]),
            series=pair_columns(series, slice(i, i + 1)),
        )

    def _open_bar(self) -> str | None:
        series = self._rows(1)
        told_as_final = self._final_ms is not None and series.open_time_ms[-1] <= self._final_ms
        if told_as_final or (np.isnan(series.y[-1]) and np.isnan(series.x[-1])):
            return None
        last = len(series.open_time_ms) - 1
        return encode(self._row(series, last, self._live.bars(self._y, self._interval, 2), "open", self.seq))

    def _metrics(self) -> dict[str, wire.Quantity]:
        return quantities(self._live.pair_metrics(self._y, self._x, self._interval, self._window, self._terms))

    def _metrics_message(self, metrics: dict[str, wire.Quantity]) -> str:
        return encode(wire.PairMetrics(topic=self.name, seq=self.seq, metrics=metrics))

    def _snapshot(self, limit: int) -> str:
        return encode(self.whole(limit))

    def whole(self, limit: int) -> wire.PairSnapshot:
        series = self._rows(limit)
        y_bars = self._live.bars(self._y, self._interval, limit)
        return wire.PairSnapshot(
            topic=self.name,
            seq=self.seq,
            y=self._y,
            x=self._x,
            interval=str(self._interval),
            window=self._window,
            method=self._terms.method,
            prices=self._terms.prices,
            intercept=self._terms.intercept,
            remarks=self._terms.remarks,
            y_bars=bar_columns(y_bars),
            series=pair_columns(series),
            metrics=self._metrics(),
        )
