"""Topics that tell what changed: whoever applies it knows at each moment what is in memory, and little is sent."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from pairscope.analytics.estimators.conditions import Condition
from pairscope.analytics.estimators.hedge import METHODS
from pairscope.analytics.estimators.terms import Terms
from pairscope.analytics.metrics.health import Health
from pairscope.api import wire
from pairscope.api.changes import ROW, USUAL, Changes, PairChanges, SymbolChanges, Telling
from pairscope.api.columns import bar_columns, pair_columns, quantities
from pairscope.api.mailbox import Mailbox
from pairscope.api.topics import RING
from pairscope.base.clock import ManualClock
from pairscope.base.interval import Interval
from pairscope.base.model import BarArray, IntArray, TradeBatch
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.live.analysis import PairVerdict
from pairscope.live.signals import Muted
from pairscope.live.span import PairKey, Span
from pairscope.live.verdicts import Verdicts

if TYPE_CHECKING:
    from tests.api.conftest import MadeUpMarket, Markets

SECOND = Interval(1_000)
Y, X = "ETHUSDT", "BTCUSDT"
WINDOW = 30
MOST_BYTES = 400
LOGS = Terms()


class Follower:
    """A client that keeps what it was told, by the rules of the wire types alone."""

    def __init__(self, market: MadeUpMarket, topic: Changes, number: int = 1) -> None:
        self.mailbox = Mailbox(100_000, 10**9)
        self.topic = topic
        self.number = number
        self.seq: int | None = None
        self.bars: dict[int, dict[str, Any]] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.metrics: dict[str, dict[str, Any]] = {}
        self.names: list[str] = []
        self.at_ms = -1  # of the message before
        self.told: dict[str, Any] = {}
        self.sizes: list[int] = []
        self.now_s = 0.0
        market.live.listen(self.on_update)

    def on_update(self, bars: BarArray) -> None:
        self.topic.on_bars(
            {
                (symbol, SECOND): bars[(bars["symbol_id"] == i) & (bars["interval_ms"] == SECOND.ms)]
                for i, symbol in enumerate(("BTCUSDT", "ETHUSDT", "SOLUSDT"))
            }
        )
        self.now_s += 0.04
        self.topic.pump(self.now_s)

    async def read(self) -> list[Any]:
        messages: list[Any] = []
        while True:
            try:
                async with asyncio.timeout(0):
                    text = await self.mailbox.next()
            except TimeoutError:
                return messages
            messages.append(msgspec.json.decode(text, type=wire.ServerMessage))
            if isinstance(messages[-1], wire.MarketUpdate):
                self.sizes.append(len(text))
            self.take(messages[-1])

    def take(self, message: Any) -> None:
        plain = msgspec.to_builtins(message)
        if isinstance(message, wire.SymbolSnapshot | wire.PairSnapshot):
            assert message.of == self.number
            self.at_ms = -1
            self.seq, self.metrics, self.names = message.seq, plain["metrics"], list(plain["metrics"])
            self.bars = dict(_by_time(plain["bars" if isinstance(message, wire.SymbolSnapshot) else "y_bars"]))
            self.rows = dict(_by_time(plain["series"])) if isinstance(message, wire.PairSnapshot) else {}
            self.told = {name: plain[name] for name in ("health", "of_trades", "signal") if name in plain}
        else:
            self._change(plain)

    def _change(self, plain: dict[str, Any]) -> None:
        is_numbered = "status" in plain
        assert plain["of"] == self.number
        assert plain["seq"] == (self.seq or 0) + is_numbered, "a hole in the numbers"
        self.seq = plain["seq"]
        self.at_ms = at_ms = plain["open_time_ms"] if is_numbered else plain.get("open_time_ms", self.at_ms)
        if "bar" in plain:
            change = plain["bar"]
            bar_ms = plain.get("bar_ms", at_ms)
            before = USUAL if "open" in change else self.bars[bar_ms]
            bar = {**before, "status": plain.get("status", "open"), **change, "open_time_ms": bar_ms}
            self.bars[bar_ms] = bar
        if plain["type"] == "pair":
            self._change_row(plain, at_ms)
        if "row" not in plain:
            self._measure(plain, at_ms)

    def _change_row(self, plain: dict[str, Any], at_ms: int) -> None:
        self.told |= {name: plain[name] for name in ("health", "of_trades", "signal") if name in plain}
        row = dict(self.rows.get(at_ms, {}))
        row |= {name: plain[name] for name in ("y", "x", "carried") if name in plain}
        if "bar" in plain and "bar_ms" not in plain:
            row["y"] = self.bars[at_ms]["close"]
        if "values" in plain:
            row |= {name: plain["values"][self.names.index(name)] for name in ROW}
        row |= plain.get("row", {})
        if row:
            self.rows[at_ms] = {"open_time_ms": at_ms, **row}

    def _measure(self, plain: dict[str, Any], at_ms: int) -> None:
        for i, name in enumerate(self.names):
            one = self.metrics[name] | {"as_of_ms": at_ms} | plain.get("shares", {})
            for column, field in (("values", "value"), ("n", "n"), ("reasons", "reason")):
                if column in plain:
                    one[field] = plain[column][i]
            if "flags" in plain:
                one.pop("flags", None)
                if plain["flags"][i]:
                    one["flags"] = plain["flags"][i]
            self.metrics[name] = one


def _by_time(columns: dict[str, list[Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for i, open_ms in enumerate(columns["open_time_ms"]):
        yield open_ms, {name: column[i] for name, column in columns.items()}


def known(value: Any) -> Any:
    """As it crosses the wire, where what is not finite is null."""
    return msgspec.json.decode(msgspec.json.encode(value))


def pair_topic(market: MadeUpMarket, *, terms: Terms = LOGS, verdicts: Verdicts | None = None) -> PairChanges:
    clock = ManualClock(market.now_ms)
    key = PairKey(Y, X, SECOND, WINDOW, terms)
    return PairChanges("pair", 1_000, market.live, key, Telling(1, clock, verdicts))


def symbol_topic(market: MadeUpMarket) -> SymbolChanges:
    clock = ManualClock(market.now_ms)
    return SymbolChanges("symbol", 1_000, market.live, X, Span(SECOND, WINDOW), Telling(1, clock))


def follow(market: MadeUpMarket, topic: Changes) -> Follower:
    follower = Follower(market, topic)
    topic.add(follower, 50, None)
    return follower


def assert_knows_the_pair(market: MadeUpMarket, follower: Follower, terms: Terms = LOGS) -> None:
    newest = dict(_by_time(known(pair_columns(market.live.pair_series(Y, X, SECOND, WINDOW, 40, terms)))))
    assert {at_ms: follower.rows[at_ms] for at_ms in newest} == newest
    assert follower.metrics == known(quantities(market.live.pair_metrics(Y, X, SECOND, WINDOW, terms)))
    bars = dict(_by_time(known(bar_columns(market.live.bars(Y, SECOND, 40)))))
    assert {at_ms: follower.bars[at_ms] for at_ms in bars} == bars
    last = newest[max(newest)]
    for name in ROW:
        assert follower.metrics[name]["value"] == last[name], f"{name} has two values"


@pytest.mark.parametrize(
    "terms", [*(Terms(method) for method in METHODS), Terms(prices="level"), Terms("huber", "level", intercept=False)]
)
async def test_whoever_applies_the_changes_knows_the_pair_in_memory_at_each_moment(
    market: MadeUpMarket, terms: Terms
) -> None:
    follower = follow(market, pair_topic(market, terms=terms))
    for step in range(60):
        market.trade(250, symbols=(Y, X) if step % 3 else (X, "SOLUSDT"))
        follower.topic.pump(1e9 + step)
        await follower.read()
        assert_knows_the_pair(market, follower, terms)


async def test_whoever_applies_the_changes_knows_the_symbol_in_memory_at_each_moment(market: MadeUpMarket) -> None:
    follower = follow(market, symbol_topic(market))
    for step in range(60):
        market.trade(250, symbols=(X, Y) if step % 3 else (Y, "SOLUSDT"))
        follower.topic.pump(1e9 + step)
        await follower.read()
        bars = dict(_by_time(known(bar_columns(market.live.bars(X, SECOND, 40)))))
        assert {at_ms: follower.bars[at_ms] for at_ms in bars} == bars
        if step % 3:  # it is told of its own trades; that others go on does not wake it
            assert follower.metrics == known(quantities(market.live.symbol_metrics(X, SECOND, WINDOW)))


async def test_a_client_that_reads_seldom_joins_late_or_comes_back_knows_the_same(market: MadeUpMarket) -> None:
    topic = pair_topic(market)
    prompt, seldom, late = follow(market, topic), Follower(market, topic), Follower(market, topic)
    topic.add(seldom, 50, None)
    for step in range(80):
        market.trade(120 if step % 5 else 360, burst_ms=120)
        await prompt.read()
        if step % 7 == 0:
            await seldom.read()
        if step == 33:
            topic.add(late, 50, None)
        if step == 44:  # it goes, and misses what follows
            await late.read()
            topic.remove(late)
        if step == 60:
            topic.add(late, 50, late.seq)
    topic.pump(1e9)
    for follower in (prompt, seldom, late):
        await follower.read()
        assert_knows_the_pair(market, follower)
    assert not any(isinstance(one, wire.PairSnapshot) for one in await late.read())
    assert (late.seq or 0) - 1_000 < RING


async def test_a_revised_bar_tells_its_rows_anew_and_leaves_the_metrics_to_the_newest(market: MadeUpMarket) -> None:
    follower = follow(market, pair_topic(market))
    market.trade(2_000)
    await follower.read()
    before = dict(follower.metrics)
    market.revise(Y, SECOND, 5, 123.0)
    messages = await follower.read()
    assert {one.status for one in messages if one.status is not msgspec.UNSET} == {"revised"}
    assert all(one.row is not msgspec.UNSET for one in messages if one.status == "revised")
    follower.topic.pump(1e9)
    await follower.read()
    assert_knows_the_pair(market, follower)
    assert follower.metrics != before


class Judged(Verdicts):
    """Verdicts that the test gives."""

    def __init__(self) -> None:
        self.verdict: PairVerdict | None = None
        self.followed: list[PairKey] = []

    def follow(self, key: PairKey) -> None:
        self.followed.append(key)

    def leave(self, key: PairKey) -> None:
        self.followed.remove(key)

    def of(self, key: PairKey) -> PairVerdict | None:
        return self.verdict


def held(condition: Condition) -> PairVerdict:
    return PairVerdict(Health(condition, ("a reason",)), None, None)


async def test_a_client_whose_snapshot_is_of_another_moment_is_told_also_what_did_not_change_since(
    market: MadeUpMarket,
) -> None:
    verdicts = Judged()
    verdicts.verdict = held(Condition.COINTEGRATED)
    topic = pair_topic(market, verdicts=verdicts)
    first = follow(market, topic)
    topic.pump(1e9)
    verdicts.verdict = held(Condition.BROKEN)
    second = Follower(market, topic)
    topic.add(second, 50, None)
    await second.read()
    assert second.told["health"]["condition"] == Condition.BROKEN
    verdicts.verdict = held(Condition.COINTEGRATED)
    market.trade(10, symbols=(X,), burst_ms=10)
    topic.pump(2e9)
    for follower in (first, second):
        await follower.read()
        assert follower.told["health"]["condition"] == Condition.COINTEGRATED
        assert_knows_the_pair(market, follower)


async def test_the_signal_comes_with_health_and_with_the_silence_of_a_leg_although_nothing_trades(
    market: MadeUpMarket,
) -> None:
    verdicts = Judged()
    topic = pair_topic(market, verdicts=verdicts)
    heard = {Y: market.now_ms, X: market.now_ms}
    market.live.heard_at = heard.get
    follower = follow(market, topic)
    await follower.read()
    assert verdicts.followed == [PairKey(Y, X, SECOND, WINDOW, LOGS)]
    assert (follower.told["health"], follower.told["signal"]["muted"]) == (None, "unjudged")
    for condition in (Condition.COINTEGRATED, Condition.WEAKENING):
        verdicts.verdict = held(condition)
        topic.pump(1e9 + len(follower.sizes))
        await follower.read()
        assert follower.told["health"]["condition"] == condition
        assert follower.told["signal"]["muted"] is None
    topic._clock.advance(3.001)  # type: ignore[attr-defined]
    heard[Y] += 2_000
    topic.pump(2e9)
    (message,) = await follower.read()
    assert message.signal == wire.PairSignal(side=message.signal.side, muted=Muted.LEG_LATE, late=[X])
    assert len(msgspec.json.encode(message)) < 200
    heard[X] += 3_000
    verdicts.verdict = held(Condition.NOT_SHOWN)
    topic.pump(3e9)
    await follower.read()
    assert (follower.told["signal"]["muted"], follower.told["signal"]["late"]) == ("not_shown", [])
    topic.remove(follower)
    assert verdicts.followed == []


def played(market: SimulatedMarket, seconds: int) -> list[tuple[int, TradeBatch]]:
    """The trades of the simulated market, as they come: in batches of 40 ms."""
    start_ms = 1_790_000_040_000
    parts = [market.trades(symbol, start_ms, start_ms + seconds * 1_000) for symbol in (X, Y)]
    sizes = [len(part) for part in parts]

    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    flush_ms: IntArray = column("flush_ms")
    order = np.argsort(flush_ms, kind="stable")
    symbol_id = np.repeat(np.arange(2, dtype=np.int32), sizes)
    batches = []
    for burst in np.unique(flush_ms // 40).tolist():
        rows = order[flush_ms[order] // 40 == burst]
        batch = TradeBatch(
            symbol_id=symbol_id[rows],
            id=column("id")[rows],
            time_ms=column("time_ms")[rows],
            price=column("price")[rows],
            size=column("size")[rows],
            buyer_is_maker=column("buyer_is_maker")[rows].astype(np.bool_),
            received_ns=flush_ms[rows] * 1_000_000,
        )
        batches.append((burst * 40, batch))
    return batches


async def test_an_update_of_a_pair_has_at_most_400_bytes_in_a_simulated_market(markets: Markets) -> None:
    market = markets()
    follower: Follower | None = None
    for at_ms, trades in played(SimulatedMarket(1), 120):
        market.memory.publish(market.memory.add(trades, np.zeros(len(trades.id), np.int64)).touched)
        if follower is None:
            follower = Follower(market, pair_topic(market))
            follower.topic.add(follower, 50, None)
        follower.topic.pump(at_ms / 1_000)
        await follower.read()
    assert follower is not None
    sizes = sorted(follower.sizes)
    follower.topic.pump(1e12)  # of what came last, the moment may still be due
    await follower.read()
    assert len(sizes) > 300
    assert statistics.median(sizes) <= MOST_BYTES
    assert statistics.mean(sizes) <= MOST_BYTES
    assert_knows_the_pair(market, follower)
    print(f"{len(sizes)} updates, mean {statistics.mean(sizes):.0f} B, worst {sizes[-1]} B")
