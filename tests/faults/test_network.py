"""Every network fault over real sockets, against the simulated exchange, in seeded and mixed order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pairscope.base.clock import SystemClock
from pairscope.feed.binance.simulator.exchange import SimulatedExchange
from pairscope.feed.binance.simulator.faults import FaultyDoor
from pairscope.feed.binance.simulator.market import SimulatedMarket
from pairscope.feed.binance.simulator.source import MarketSource
from tests.faults.recorder import Recorder, opened, until

SYMBOLS = ("BTCUSDT", "ETHUSDT")
KINDS = (
    "close",
    "abort",
    "freeze",
    "silence",
    "skip",
    "duplicate",
    "reorder",
    "garbage",
    "octets",
    "restart",
    "ws_451",
    "ws_429",
    "rest_429",
    "rest_418",
    "rest_451",
    "rest_503",
    "rest_lag",
    "rest_slow",
)


class Chaos:
    """Breaks one thing at a time between an exchange and a recorder, and sees it heal."""

    def __init__(self, exchange: SimulatedExchange, recorder: Recorder, rng: random.Random) -> None:
        self.exchange, self.recorder, self.rng = exchange, recorder, rng

    async def strike(self, kind: str) -> None:
        faults, rng = self.exchange.faults, self.rng
        match kind.split("_"):
            case ["close"]:
                await self.reconnected(self.exchange.drop_connections)
            case ["abort"]:
                await self.reconnected(lambda: self.exchange.drop_connections(abort=True))
            case ["freeze"]:
                await self.reconnected(self.exchange.freeze_connections)
            case ["octets"]:
                await self.reconnected(lambda: self.exchange.send_octets(rng.randbytes(rng.randint(20, 400)) + b"\xff"))
            case ["silence"]:
                await self.reconnected(faults.silence, faults.speak)
            case ["restart"]:
                await self.exchange.restart(down_s=rng.uniform(0, 0.3))
            case ["skip"]:
                faults.skip(rng.randint(1, 200))
            case ["duplicate"]:
                faults.duplicate(rng.randint(1, 200))
            case ["reorder"]:
                faults.reorder(rng.randint(2, 60))
            case ["garbage"]:
                faults.garbage(b"junk", rng.randbytes(50), b'{"e":"aggTrade"}')
            case ["ws", status]:
                faults.refuse(int(status), door=FaultyDoor.WS, times=1)
                await self.reconnected(lambda: self.exchange.drop_connections(abort=True))
            case ["rest", "lag"]:
                faults.rest_lag_ms = rng.randint(100, 500)
                faults.skip(50)
            case ["rest", "slow"]:
                faults.rest_delay_s = 1.2 if rng.random() < 0.5 else 0.2  # the recorder waits for one second
                faults.skip(50)
            case ["rest", status]:
                faults.refuse(int(status), door=FaultyDoor.REST, times=rng.randint(1, 4))
                faults.skip(50)
        await self.recorder.more()
        faults.rest_lag_ms, faults.rest_delay_s = 0, 0.0

    async def reconnected(self, break_it: Callable[[], object], heal: Callable[[], object] = lambda: None) -> None:
        """Break a connection that is heard, and wait until it was noticed."""
        await until(lambda: self.recorder.stream.health.state == "live")
        before = self.recorder.stream.health.reconnects
        break_it()
        await until(lambda: self.recorder.stream.health.reconnects > before)
        heal()


async def endured(path: Path, strikes: list[str], seed: int) -> Recorder:
    rng = random.Random(seed)
    rng.shuffle(strikes)
    source = MarketSource(SimulatedMarket(seed=seed, rate=40), SystemClock())
    async with SimulatedExchange(source, weight_per_minute=100_000) as exchange:
        with opened(path, commit_ms=20) as store:
            recorder = Recorder(exchange.ws_url, exchange.rest_url, store, SYMBOLS)
            async with recorder.running():
                await recorder.more(500)
                chaos = Chaos(exchange, recorder, rng)
                for kind in strikes:
                    await chaos.strike(kind)
                await recorder.settled()
            await store.flushed()
            await asyncio.to_thread(recorder.assert_true, source.market)
            assert [gap for gap in store.gaps() if gap.closed_ms], "something was missing in between"
    return recorder


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_kind_of_network_fault_leaves_the_tape_complete(tmp_path: Path, seed: int) -> None:
    await endured(tmp_path / "tape.duckdb", list(KINDS), seed)


async def test_a_half_open_connection_of_a_quiet_symbol_is_noticed_by_its_pings(tmp_path: Path) -> None:
    source = MarketSource(SimulatedMarket(seed=1, rate=0.001), SystemClock())
    async with SimulatedExchange(source) as exchange:
        with opened(tmp_path / "tape.duckdb") as store:
            recorder = Recorder(exchange.ws_url, exchange.rest_url, store, SYMBOLS, never_heard_s=3_600)
            async with recorder.running():
                await until(lambda: recorder.stream.health.frames > 0)
                exchange.freeze_connections()
                await until(lambda: recorder.stream.health.reconnects > 0)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(5))
async def test_fifty_of_each_kind_leave_the_tape_complete(tmp_path: Path, seed: int) -> None:
    await endured(tmp_path / "tape.duckdb", list(KINDS) * 10, 100 + seed)
