"""Topics that send one message a moment, and in it what changed: so that a page says one thing everywhere.

The messages of `market` tell a bar and its metrics apart, each at its own pace. Here bar, row, metrics, health and
signal are read at one moment and travel together; units, names and windows are told by the snapshot alone.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pairscope.analytics.estimators.terms import Terms
from pairscope.api import wire
from pairscope.api.columns import bar_columns, pair_health, pair_signal, quantities, quantity
from pairscope.api.market_topics import MarketTopic, PairTopic, SymbolTopic
from pairscope.api.topics import Pace, Subscriber, encode
from pairscope.base.clock import Clock, now_ms
from pairscope.base.model import BarArray, BarStatus
from pairscope.live.market import Market
from pairscope.live.span import PairKey, Span
from pairscope.live.verdicts import Verdicts
from pairscope.live.windows import Measured, PairSeries

PERIOD_S = 0.2  # what changes faster cannot be read, and costs a page that is left open all day
OPEN = "bar"  # kind of the messages of which the newest wins

Fields = dict[str, Any]  # of an update
USUAL: Fields = {
    "vwap": None,
    "missing": 0.0,
    "missing_reason": None,
    "continuity": "proved",
    "backfilled": 0.0,
    "source": "live",
}
ROW = ("beta", "alpha", "spread", "spread_z", "correlation")
PER_BAR = ("bar", "y", "x", "carried", "values")  # told anew of each bar


@dataclass(frozen=True, slots=True)
class Telling:
    """What such a topic needs besides the market."""

    number: int  # by which its messages name it
    clock: Clock
    verdicts: Verdicts | None = None


class Changes(MarketTopic):
    """What such topics share: what was told last, and who did not get it.

    An open update has what changed since the one before. A client that has not taken that one yet gets all there is
    in its place; so does one that goes on after a lost connection.
    """

    number: int
    _clock: Clock

    def begin(self, telling: Telling) -> None:
        self.number = telling.number
        self._clock = telling.clock
        self._bar_pace = Pace(PERIOD_S)
        self._told: Fields | None = None
        self._told_ms: int | None = None  # time of the last message, while it is an open one
        self._told_around: object = None
        self._snapshots_around: object = None
        self._behind: set[Subscriber] = set()
        self._is_urgent = False

    def add(self, client: Subscriber, limit: int, since: int | None) -> None:
        self._behind.add(client)  # the snapshot is of another moment than the last update
        super().add(client, limit, since)

    def remove(self, client: Subscriber) -> None:
        self._behind.discard(client)
        super().remove(client)

    def publish(self, make: Callable[[int], msgspec.Struct]) -> None:
        self._behind |= {client for client in self.clients if client.mailbox.holds(self.name, OPEN)}
        self._is_urgent = True
        self._told_ms = None
        super().publish(make)

    def start_over(self) -> None:
        super().start_over()
        self._behind |= set(self.clients)

    def pump(self, now_s: float) -> None:
        if not self.clients:
            return
        if not (self._bar_waits or self._is_urgent) and self._around() == self._told_around:
            return
        # A row that is over may change what the newest one rests on: that is told in the same breath.
        if self._bar_pace.allows(now_s) or self._is_urgent:
            self._bar_waits = self._metrics_wait = self._closed = False
            self._tell()

    def _tell(self) -> None:
        moment, self._told_around = self._moment(), self._around()
        changed = _changes(self._told, moment)
        self._told = moment
        few = None
        if changed or self._is_urgent:
            at_ms = moment["open_time_ms"]
            time = {} if at_ms == self._told_ms else {"open_time_ms": at_ms}
            few = encode(self._update(time | changed, self.seq))
            self._told_ms = at_ms
        self._is_urgent = False
        all_ = ""
        for client in self.clients:
            if client in self._behind or client.mailbox.holds(self.name, OPEN):
                all_ = all_ or encode(self._update(moment, self.seq))
                client.mailbox.keep(self.name, OPEN, all_)
            elif few is not None:
                client.mailbox.keep(self.name, OPEN, few)
        self._behind.clear()

    def present(self) -> dict[str, str]:
        return {OPEN: encode(self._update(self._moment(), self.seq))}

    def snapshot(self, limit: int) -> str:
        if (around := self._around()) != self._snapshots_around:
            self._snapshots.clear()
            self._snapshots_around = around
        return super().snapshot(limit)

    @abstractmethod
    def _around(self) -> object:
        """What a moment depends on besides bars."""

    @abstractmethod
    def _moment(self) -> Fields:
        """Everything there is to tell now."""

    @abstractmethod
    def _update(self, fields: Mapping[str, Any], seq: int) -> wire.MarketUpdate: ...


class SymbolChanges(Changes, SymbolTopic):
    """One message a moment of a symbol."""

    def __init__(
        self,
        name: str,
        first_seq: int,
        live: Market,
        symbol: str,
        span: Span,
        telling: Telling,
    ) -> None:
        super().__init__(name, first_seq, live, symbol, span)
        self.begin(telling)

    def _around(self) -> object:
        return None

    def _moment(self) -> Fields:
        newest = self._live.bars(self._symbol, self._interval, 1)
        measured = self._live.symbol_metrics(self._symbol, self._interval, self._window)
        is_open = bool(len(newest)) and newest["status"][0] == BarStatus.OPEN
        at_ms = int(newest["open_time_ms"][0]) if is_open else _as_of_ms(measured)
        moment = {"open_time_ms": at_ms, **_columns(measured)}
        return moment | {"bar": _one_bar(newest, "open")} if is_open else moment

    def _bar(self, bar: BarArray, seq: int) -> wire.Wire:
        """A bar that is over; with the metrics when no newer one has begun, so that nothing shows two moments."""
        status = _status(bar)
        open_ms = int(bar["open_time_ms"][0])
        fields: Fields = {"open_time_ms": open_ms, "status": status, "bar": _one_bar(bar, status)}
        if open_ms == int(self._live.bars(self._symbol, self._interval, 1)["open_time_ms"][0]):
            measured = self._live.symbol_metrics(self._symbol, self._interval, self._window, at_ms=open_ms)
            fields["values"] = _columns(measured)["values"]
            self._told = {**(self._told or {}), **fields}
        return self._update(fields, seq)

    def _update(self, fields: Mapping[str, Any], seq: int) -> wire.SymbolUpdate:
        return wire.SymbolUpdate(of=self.number, seq=seq, **_wired(fields))

    def _snapshot(self, limit: int) -> str:
        return encode(msgspec.structs.replace(self.whole(limit), of=self.number))


class PairChanges(Changes, PairTopic):
    """One message a moment of a pair, with its health and what its z may be read as."""

    def __init__(
        self,
        name: str,
        first_seq: int,
        live: Market,
        key: PairKey,
        telling: Telling,
    ) -> None:
        super().__init__(name, first_seq, live, key)
        self.begin(telling)
        self._verdicts = telling.verdicts
        self._follows = False
        self._pair = key._replace(terms=Terms(prices=key.terms.prices, intercept=key.terms.intercept))

    def add(self, client: Subscriber, limit: int, since: int | None) -> None:
        if self._verdicts and not self._follows:
            self._verdicts.follow(self._pair)
            self._follows = True
        super().add(client, limit, since)

    def remove(self, client: Subscriber) -> None:
        super().remove(client)
        if not self.clients:
            self.end()

    def end(self) -> None:
        if self._verdicts and self._follows:
            self._verdicts.leave(self._pair)
        self._follows = False
        super().end()

    def _late(self) -> Sequence[str]:
        return self._live.late(self._pair.legs, self._interval, now_ms(self._clock))

    def _around(self) -> object:
        return self._verdict(), self._late()

    def _verdict(self) -> object:
        return self._verdicts.of(self._pair) if self._verdicts else None

    def _moment(self) -> Fields:
        series = self._rows(1)
        last = len(series.open_time_ms) - 1
        at_ms = int(series.open_time_ms[last])
        measured = self._live.pair_metrics(self._y, self._x, self._interval, self._window, self._terms, at_ms)
        moment = {"open_time_ms": at_ms, **_columns(measured), **self._judged(series.spread_z[last])}
        is_final = self._final_ms is not None and at_ms <= self._final_ms
        if is_final or (math.isnan(series.y[last]) and math.isnan(series.x[last])):
            return moment
        return moment | self._prices(series, last, self._live.bars(self._y, self._interval, 2), "open")

    def _judged(self, z: float) -> Fields:
        verdict = self._verdicts.of(self._pair) if self._verdicts else None
        health = verdict.health if verdict else None
        condition = health.condition if health else None
        signal = self._live.signal(self._pair.legs, self._interval, float(z), condition, now_ms(self._clock))
        return {
            "health": pair_health(health, verdict.suggestion) if verdict and health else None,
            "of_trades": quantity(verdict.of_trades) if verdict and verdict.of_trades else None,
            "signal": pair_signal(signal),
        }

    @staticmethod
    def _prices(series: PairSeries, i: int, y_bars: BarArray, status: str) -> Fields:
        """Bar of y and prices of a row; y is told only where its bar does not."""
        at_ms = int(series.open_time_ms[i])
        own = y_bars[y_bars["open_time_ms"] == at_ms]
        found: Fields = {"x": _number(series.x[i]), "carried": int(series.carried[i])}
        if len(own):
            return found | {"bar": _one_bar(own, status)}
        found["y"] = _number(series.y[i])
        before = y_bars[-1:]
        # A trade may come when the next bar has begun: its own bar is told too, while it is open.
        if status == "open" and len(before) and before["status"][0] == BarStatus.OPEN:
            found |= {"bar": _one_bar(before, status), "bar_ms": int(before["open_time_ms"][0])}
        return found

    def _row(self, series: PairSeries, i: int, y_bars: BarArray, status: str, seq: int) -> wire.Wire:
        """A row that is over; with the metrics when no newer one has begun, so that nothing shows two moments."""
        at_ms = int(series.open_time_ms[i])
        fields: Fields = {"open_time_ms": at_ms, "status": status, **self._prices(series, i, y_bars, status)}
        if i == len(series.open_time_ms) - 1:
            measured = self._live.pair_metrics(self._y, self._x, self._interval, self._window, self._terms, at_ms)
            fields["values"] = _columns(measured)["values"]
            self._told = {**(self._told or {}), **fields}
        else:
            fields["row"] = wire.PairRow(**{name: _number(getattr(series, name)[i]) for name in ROW})
        return self._update(fields, seq)

    def _update(self, fields: Mapping[str, Any], seq: int) -> wire.PairUpdate:
        return wire.PairUpdate(of=self.number, seq=seq, **_wired(fields))

    def _snapshot(self, limit: int) -> str:
        judged = self._judged(self._rows(1).spread_z[-1])
        return encode(msgspec.structs.replace(self.whole(limit), of=self.number, **judged))


def _changes(before: Fields | None, now: Fields) -> Fields:
    """What is to be told of a moment after another, but for its time; of a new bar all that is told of each."""
    if before is None:
        return now
    is_new = before["open_time_ms"] != now["open_time_ms"] or before.get("bar_ms") != now.get("bar_ms")
    found: Fields = {}
    for name, value in now.items():
        if name == "open_time_ms":
            continue
        if is_new and name in PER_BAR:
            found[name] = value
        elif value != before.get(name):
            had = before.get(name)
            found[name] = _FINER[name](had, value) if had and name in _FINER else value
    if "bar" in found and "bar_ms" in now:
        found["bar_ms"] = now["bar_ms"]
    return found


def _bar_changes(before: Fields, now: Fields) -> Fields:
    """Of a bar whose open is another, all: that is how a client knows that nothing of the former is left."""
    if now["open"] != before["open"]:
        return now
    every = {*before, *now} - {"status"}
    return {name: now.get(name, USUAL.get(name)) for name in sorted(every) if now.get(name) != before.get(name)}


def _share_changes(before: Fields, now: Fields) -> Fields:
    return {name: value for name, value in now.items() if value != before[name]}


_FINER: Mapping[str, Callable[[Fields, Fields], Fields]] = {"bar": _bar_changes, "shares": _share_changes}


def _wired(fields: Mapping[str, Any]) -> Fields:
    wired = dict(fields)
    if "bar" in wired:
        wired["bar"] = wire.BarChange(**wired["bar"])
    if "shares" in wired:
        wired["shares"] = wire.Shares(**wired["shares"])
    return wired


def _status(bar: BarArray) -> str:
    return BarStatus(int(bar["status"][0])).name.lower()


def _one_bar(bar: BarArray, status: str) -> Fields:
    """One bar, but for what goes without saying."""
    columns = msgspec.structs.asdict(bar_columns(bar))
    one = {name: values[0] for name, values in columns.items() if name != "open_time_ms"}
    one |= {name: _number(one[name]) for name in ("missing", "vwap")}
    usual = USUAL | {"status": status}
    return {name: value for name, value in one.items() if name not in usual or value != usual[name]}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _as_of_ms(measured: Mapping[str, Measured]) -> int:
    return max((one.as_of_ms or 0 for one in measured.values()), default=0)


def _columns(measured: Mapping[str, Measured]) -> Fields:
    """Metrics as columns without their names; all are of one window, so that its shares are told once."""
    told = list(quantities(measured).values())
    flags = [[] if one.flags is msgspec.UNSET else one.flags for one in told]
    first = told[0]
    return {
        "values": [one.value for one in told],
        "n": [one.n for one in told],
        "reasons": [one.reason for one in told],
        "flags": flags,
        "shares": {name: getattr(first, name) for name in wire.Shares.__struct_fields__},
    }
