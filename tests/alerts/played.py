"""A market that plays the prices a test says, in real bars, with the engine of alerts on a real state database.

Time goes on only as the prices do. An engine can be left at any moment, as by a kill, and another one take its place.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pairscope.alerts.book import Kept, RuleBook
from pairscope.alerts.engine import Books, Engine, Hearers, Sources
from pairscope.alerts.history import AlertHistory
from pairscope.alerts.inflow import Inflow
from pairscope.alerts.ledger import Ledger
from pairscope.alerts.mutes import Mutes
from pairscope.alerts.rule import AlertRule, Clause, Comparison
from pairscope.alerts.system import SystemNow
from pairscope.alerts.transition import HistoryQuery, Transition
from pairscope.alerts.values import MarketValues
from pairscope.bars.memory import BarMemory
from pairscope.base.clock import ManualClock, now_ms
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, BarStatus, SymbolTable, TradeBatch, no_bars
from pairscope.live.analysis import Analyses
from pairscope.live.market import Market
from pairscope.store.state import State

START_MS = 1_723_075_200_000  # 2024-08-08 00:00 UTC
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
PAIRS = (("ETHUSDT", "BTCUSDT"), ("SOLUSDT", "BTCUSDT"))


class NoDisk:
    """Everything is in memory."""

    def bars(self, symbol: str, interval: Interval, **_: Any) -> BarArray:
        return no_bars()

    def trades(self, symbol: str, **_: Any) -> TradeBatch:
        return TradeBatch.empty()


def price_rule(high: float = 100.0, **given: Any) -> AlertRule:
    """A rule on the price of one symbol, at bars of a second."""
    usual: dict[str, Any] = {"name": "Price", "scope": "symbol", "symbols": ("BTCUSDT",), "window": 2}
    first = Clause(metric="last_price", comparison=Comparison.ABOVE, high=high, reset_high=high)
    usual |= {"first": first, "cooldown_ms": 0, "no_data_after_ms": 10_000}
    return AlertRule(**(usual | given))


class PlayedMarket:
    """One trade of each symbol a second, half a second into it."""

    def __init__(self, folder: Path, *, history_bars: int = 6_000, is_simulated: bool = False) -> None:
        self.clock = ManualClock(START_MS)
        self.symbols = SymbolTable(SYMBOLS)
        self.memory = BarMemory([Interval(1_000), Interval(5_000), Interval(60_000)], history_bars)
        self.watched: tuple[str, ...] = SYMBOLS
        self.pairs: tuple[tuple[str, str], ...] = PAIRS
        self.market = Market(symbols=self.symbols, memory=self.memory, pairs=lambda: self.pairs, reader=NoDisk())
        self.state = State.open(folder / "state.sqlite")
        self.tape = folder / "live-aggTrade" / "tape.duckdb"
        self.book, self.mutes = RuleBook(self.state, self.clock), Mutes(self.state, self.clock)
        self.history = AlertHistory(self.state)
        self.studies = Analyses(self.market, NoDisk())
        self.is_filling = False
        self.unsure: set[str] = set()
        self.is_simulated, self.may_send = is_simulated, not is_simulated
        self.system = SystemNow(START_MS)
        self.told: list[Transition] = []
        self.on_told: Callable[[Sequence[Transition]], object] = lambda _: None
        self.woken = 0
        self.on_woken: Callable[[], object] = lambda: None
        self._ids = [0] * len(SYMBOLS)
        with self.state.change() as connection:
            connection.execute("update alert_origin set origin = 'here'")  # so that ids can be compared
            for name in ("desk", "phone", "off"):
                connection.execute(
                    "insert or ignore into channels (name, kind, made_ms, settings) values (?, 'x', 0, '')", (name,)
                )

    def close(self) -> None:
        self.studies.close()
        self.state.close()

    # --- what is played ---

    @property
    def now_ms(self) -> int:
        return now_ms(self.clock)

    def trade(self, prices: Mapping[str, float], *, lost: Sequence[str] = (), at_ms: int | None = None) -> None:
        """A trade of each symbol, of which some come after a hole in their ids."""
        ids = []
        for symbol in prices:
            symbol_id = self.symbols.index(symbol)
            self._ids[symbol_id] += 11 if symbol in lost else 1
            ids.append(self._ids[symbol_id])
        time_ms = self.now_ms if at_ms is None else at_ms
        trades = TradeBatch(
            symbol_id=np.array([self.symbols.index(each) for each in prices], np.int32),
            id=np.array(ids, np.int64),
            time_ms=np.full(len(ids), time_ms, np.int64),
            price=np.array(list(prices.values()), np.float64),
            size=np.ones(len(ids)),
            buyer_is_maker=np.zeros(len(ids), np.bool_),
            received_ns=np.full(len(ids), time_ms * 1_000_000, np.int64),
        )
        gone = np.array([10 if symbol in lost else 0 for symbol in prices], np.int64)
        self.memory.publish(self.memory.add(trades, gone).touched)

    def second(self, price: float | None, *, others: float = 50.0, lost: Sequence[str] = (), **named: float) -> None:
        """The next second: a price of the first symbol, or none, and of the others as they are."""
        self.clock.advance(0.5)
        prices = dict.fromkeys(SYMBOLS[1:], others) | named
        self.trade(prices if price is None else {"BTCUSDT": price, **prices}, lost=lost)
        self.clock.advance(0.5)

    def silence(self, seconds: float) -> None:
        """Nothing comes."""
        self.clock.advance(seconds)

    def revise(self, symbol: str, open_ms: int, close: float) -> None:
        """A bar of a second made anew from trades that came late; nothing of it is missing any more."""
        bars = self.memory.series(self.symbols.index(symbol), Interval(1_000)).since(open_ms)[:1].copy()
        bars["close"] = close
        bars["lost"], bars["cut"], bars["status"] = 0, 0, BarStatus.REVISED
        self.memory.put(bars)
        self.memory.publish(bars)

    # --- who reads ---

    def inflow(self) -> Inflow:
        told = Inflow(
            now_ms=lambda: self.now_ms,
            awake_s=self.clock.monotonic_s,
            is_filling=lambda: self.is_filling,
            unsure=lambda: self.unsure,
        )
        told.ready.set()
        return told

    def engine(self) -> Engine:
        """One that knows what is written, and nothing else."""
        values = MarketValues(self.market, self.studies, self.clock, lambda: self.watched)
        sources = Sources(self.market, values, self.inflow(), lambda: self.watched, lambda: self.system)
        ledger = Ledger.of(self.state, self.tape)
        books = Books(self.book, self.mutes, ledger, self.history)
        hearers = Hearers(self._tell, self._wake, self.is_simulated, self.may_send)
        return Engine(sources, books, hearers, self.clock)

    def _tell(self, transitions: Sequence[Transition]) -> None:
        self.told += transitions
        self.on_told(transitions)

    def _wake(self) -> None:
        self.woken += 1
        self.on_woken()

    def rule(self, *rules: AlertRule) -> list[Kept]:
        """Have rules kept."""
        return [self.book.create(each, "ann") for each in rules]

    # --- what came of it ---

    def transitions(self, *, minor: bool = True) -> list[Transition]:
        """All that is written, in order."""
        return self.history.transitions(HistoryQuery(limit=100_000, minor=minor))[::-1]

    def changes(self, *, minor: bool = False) -> list[tuple[float, str]]:
        """In which second what happened; a bar is read at its end."""
        return [((each.time_ms - START_MS) / 1_000, each.change.value) for each in self.transitions(minor=minor)]

    def outbox(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The id, the channel and what is told of each message, in order."""
        rows = self.state.rows("select id, channel, body from outbox order by rowid")
        return [(identity, channel, msgspec.json.decode(body)) for identity, channel, body in rows]


@contextlib.contextmanager
def played(folder: Path, **options: Any) -> Iterator[PlayedMarket]:
    market = PlayedMarket(folder, **options)
    try:
        yield market
    finally:
        market.close()


@contextlib.asynccontextmanager
async def reading(market: PlayedMarket) -> AsyncIterator[Engine]:
    """An engine that has begun; looked at by hand."""
    engine = market.engine()
    await engine.begin()
    try:
        yield engine
    finally:
        engine.end()


async def play(market: PlayedMarket, engine: Engine, *prices: float | None) -> None:
    """A price of the first symbol a second, each looked at."""
    for price in prices:
        market.second(price)
        await engine.look()
